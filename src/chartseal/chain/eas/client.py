"""EAS for programs that wait: one method for each thing that can be done on the chain.

Each checks what it can before it sends (`checks`), waits until the transaction is mined, and gives what it made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from chartseal.attestation import ZERO_ADDRESS, Address, Digest, Domain, Signer
from chartseal.attestation.delegated import SignedRequest
from chartseal.chain.calls import Receipt
from chartseal.chain.deployment import Deployment
from chartseal.chain.eas.carrying import Client
from chartseal.chain.eas.checks import is_revoked
from chartseal.chain.eas.connecting import Connected, connecting, connecting_proxy
from chartseal.chain.eas.flows import Flows, ProxyFlows, Request
from chartseal.chain.eas.indexer import Indexer, connecting_indexer
from chartseal.chain.eas.requests import NEVER, AttestationRequest, RevocationRequest, SchemaRecord
from chartseal.chain.facts import Attestation
from chartseal.chain.rpc.node import Node, Which
from chartseal.chain.sending.sender import Sender
from chartseal.chain.steps import run


class SchemaRegistry(Client):
    """Schemas: EAS(…).schemas."""

    def __init__(self, node: Node, sender: Sender | None, flows: Flows) -> None:
        """Take from EAS what it is connected to."""
        super().__init__(node, sender)
        self._flows = flows

    def register(
        self,
        text: str,
        *,
        resolver: Address = ZERO_ADDRESS,
        revocable: bool = True,
        exist_ok: bool = False,
        readable: bool = True,
    ) -> Digest:
        """Register a schema and give its uid. `readable` refuses a text that no tool could decode data under.

        Raises:
            SchemaError: the text is no list of parameters.
            RequestError: `schema_exists`, unless `exist_ok`.
            RevertError, SendError, NodeError: as every method that sends.
        """
        flow = self._flows.register(text, resolver, revocable, exist_ok=exist_ok, readable=readable)
        return self._run(flow)

    def get_schema(self, uid: Digest) -> SchemaRecord | None:
        """A registered schema, or None.

        Raises:
            NodeError: as every method.
        """
        return self._run(self._flows.checks.schema(uid))


class EAS(Client):
    """EAS on one chain, and SchemaRegistry as `schemas`. Times are Unix seconds, values wei.

    Every method raises NodeError when the node does not answer: nothing follows. One that sends raises RequestError for
    what EAS would refuse (nothing was sent), RevertError for what it did refuse, SendError when it cannot be sent.
    Methods for many raise PartlySentError, with what was made, when some are on the chain and others are not.
    `budget` is the most gas of one transaction (half a block and 2^24 at most, unless given).
    """

    def __init__(self, node: Node, connected: Connected, *, sender: Sender | None, check_data: bool = False) -> None:
        """Use `connect`."""
        super().__init__(node, sender)
        self.deployment = connected.eas.deployment
        self._connected = connected
        self._flows = Flows(connected, sender.address if sender else None, data=check_data)
        self.schemas = SchemaRegistry(node, sender, self._flows)

    @classmethod
    def connect(
        cls,
        node: Node,
        deployment: Deployment,
        *,
        signer: Signer | None = None,
        sender: Sender | None = None,
        check_data: bool = False,
    ) -> Self:
        """Check that this EAS is on the node's chain; `signer` (or a sender of one's own) is needed to send.

        With `check_data`, attestations whose data does not decode under their schema are refused.

        Raises:
            DeploymentError: `chain_wrong` or `contract_wrong`.
        """
        if sender is None and signer is not None:
            sender = Sender(node, signer)
        return cls(node, run(connecting(deployment), node), sender=sender, check_data=check_data)

    @property
    def domain(self) -> Domain:
        """The EIP-712 domain that delegated requests are signed under, as the contract states it."""
        return self._connected.domain

    def proxy(self, address: Address) -> EIP712Proxy:
        """An EIP712Proxy in front of this EAS.

        Raises:
            DeploymentError: `contract_wrong`; another contract, or before another EAS.
        """
        proxy = self._run(connecting_proxy(self._connected, address))
        return EIP712Proxy(self.node, self.sender, ProxyFlows(proxy, self._flows))

    def indexer(self, address: Address) -> Indexer:
        """EAS's Indexer contract, which keeps uids by schema, attester and recipient.

        Raises:
            DeploymentError: `contract_missing` or `contract_wrong`; another contract, or of another EAS.
        """
        return Indexer(self.node, self.sender, self._run(connecting_indexer(self._flows, address)))

    # reading

    def get_attestation(self, uid: Digest, block: Which = "latest") -> Attestation | None:
        """An attestation, or None."""
        return self.get_attestations([uid], block)[0]

    def get_attestations(self, uids: Sequence[Digest], block: Which = "latest") -> list[Attestation | None]:
        """Several in one round trip."""
        return self.node.read_many([self._flows.eas.get_attestation(uid) for uid in uids], block) if uids else []

    def is_attestation_valid(self, uid: Digest, block: Which = "latest") -> bool:
        """Whether it stands on the chain. As EAS means it: revoked and expired ones are "valid"."""
        return self.are_attestations_valid([uid], block)[0]

    def are_attestations_valid(self, uids: Sequence[Digest], block: Which = "latest") -> list[bool]:
        """Several in one round trip."""
        return self.node.read_many([self._flows.eas.is_attestation_valid(uid) for uid in uids], block) if uids else []

    def is_attestation_revoked(self, uid: Digest, block: Which = "latest") -> bool:
        """Whether its attester revoked it.

        Raises:
            RequestError: `attestation_unknown`.
        """
        return is_revoked(self.get_attestation(uid, block))

    def get_timestamp(self, data: Digest, block: Which = "latest") -> int:
        """When 32 bytes were timestamped; 0 if never."""
        return self.node.read(self._flows.eas.get_timestamp(data), block)

    def get_revoke_offchain(self, revoker: Address, uid: Digest, block: Which = "latest") -> int:
        """When that account revoked an off-chain attestation's uid; 0 if never."""
        return self.node.read(self._flows.eas.get_revoke_offchain(revoker, uid), block)

    def get_nonce(self, account: Address, block: Which = "latest") -> int:
        """The nonce of the account's next delegated request."""
        return self.node.read(self._flows.eas.get_nonce(account), block)

    # in one's own name

    def attest(self, request: AttestationRequest) -> Digest:
        """Make one attestation and give its uid.

        Raises:
            RequestError: `schema_unregistered`, `schema_irrevocable`, `expiration_past`, `reference_unknown`,
                `data_malformed` (with `check_data`).
        """
        return self._run(self._flows.attest(request))

    def multi_attest(self, requests: Sequence[AttestationRequest], *, budget: int | None = None) -> list[Digest]:
        """Make many, in as few transactions as the gas allows; uids in the order of the requests.

        Raises:
            RequestError: as `attest`, with the place; `batch_empty`, `gas_budget`.
        """
        return self._run(self._flows.multi_attest(requests, budget))

    def revoke(self, request: RevocationRequest) -> Receipt:
        """Revoke an attestation of one's own.

        Raises:
            RequestError: `attestation_unknown`, `schema_mismatch`, `attester_other`, `attestation_irrevocable`,
                `already_revoked`.
        """
        return self._run(self._flows.revoke(request))

    def multi_revoke(self, requests: Sequence[RevocationRequest], *, budget: int | None = None) -> list[Receipt]:
        """Revoke many; a receipt for each, which those of one transaction share.

        Raises:
            RequestError: as `revoke`; `revocation_duplicate`, `batch_empty`, `gas_budget`.
        """
        return self._run(self._flows.multi_revoke(requests, budget))

    def increase_nonce(self, nonce: int) -> Receipt:
        """Make one's signed requests below that nonce worthless.

        Raises:
            RequestError: `nonce_used`, `version_without` (contracts before 1.2.0).
        """
        return self._run(self._flows.increase_nonce(nonce))

    # in another's name

    def delegate(
        self, request: Request, signer: Signer, *, deadline: int = NEVER, nonce: int | None = None
    ) -> SignedRequest:
        """Sign a request for another to send; the nonce is read from the contract unless given.

        Raises:
            RequestError: `version_without`; contracts before 1.2.0 sign no deadline and no value.
        """
        return self.delegate_many([request], signer, deadline=deadline, nonce=nonce)[0]

    def delegate_many(
        self, requests: Sequence[Request], signer: Signer, *, deadline: int = NEVER, nonce: int | None = None
    ) -> list[SignedRequest]:
        """Sign several, with ascending nonces: they can be sent in this order alone.

        Raises:
            RequestError: as `delegate`.
        """
        return self._run(self._flows.delegate(requests, signer, deadline, nonce))

    def attest_by_delegation(self, signed: SignedRequest) -> Digest:
        """Make an attestation that another signed, and give its uid.

        Raises:
            DomainError: signed for another chain, contract or version.
            ExpiredError: `deadline_expired`.
            SignatureError: not by the signer, nor accepted by a contract that is the signer.
            RequestError: `nonce_used` (it was sent before), `nonce_ahead`, and as `attest`.
        """
        return self._run(self._flows.attest_by_delegation(signed))

    def multi_attest_by_delegation(self, signed: Sequence[SignedRequest], *, budget: int | None = None) -> list[Digest]:
        """Make many that others signed, in as few transactions as the gas allows; uids in their order.

        Raises:
            DomainError, ExpiredError, SignatureError, RequestError: as `attest_by_delegation`, with the place.
        """
        return self._run(self._flows.multi_attest_by_delegation(signed, budget))

    def relay(self, signed: Sequence[SignedRequest], *, gas: int | None = None) -> list[Digest]:
        """Make many that others signed, each in a transaction of its own, without waiting between them.

        `gas` is the limit of each; else the first is estimated, which a resolver of varying cost needs margin for.
        Where one reverts, later ones of its signer do too, as they do when another worker of the key comes between.

        Raises:
            DomainError, ExpiredError, SignatureError, RequestError: as `attest_by_delegation`, with the place.
        """
        return self._run(self._flows.relay(signed, gas))

    def revoke_by_delegation(self, signed: SignedRequest) -> Receipt:
        """Revoke in another's name.

        Raises:
            DomainError, ExpiredError, SignatureError, RequestError: as `attest_by_delegation` and `revoke`.
        """
        return self._run(self._flows.revoke_by_delegation(signed))

    def multi_revoke_by_delegation(
        self, signed: Sequence[SignedRequest], *, budget: int | None = None
    ) -> list[Receipt]:
        """Revoke many in others' names; a receipt for each, which those of one transaction share.

        Raises:
            DomainError, ExpiredError, SignatureError, RequestError: as `revoke_by_delegation`, with the place.
        """
        return self._run(self._flows.multi_revoke_by_delegation(signed, budget))

    # times

    def timestamp(self, data: Digest) -> int:
        """Timestamp 32 bytes and give the block's time.

        Raises:
            RequestError: `already_timestamped`.
        """
        return self._run(self._flows.timestamp(data))

    def multi_timestamp(self, data: Sequence[Digest], *, budget: int | None = None) -> list[int]:
        """Timestamp many; times in their order.

        Raises:
            RequestError: `timestamp_duplicate`, `already_timestamped`, `batch_empty`, `gas_budget`.
        """
        return self._run(self._flows.multi_timestamp(data, budget))

    def revoke_offchain(self, uid: Digest) -> int:
        """Revoke an off-chain attestation in one's own name, and give the block's time.

        Raises:
            RequestError: `already_revoked`.
        """
        return self._run(self._flows.revoke_offchain(uid))

    def multi_revoke_offchain(self, uids: Sequence[Digest], *, budget: int | None = None) -> list[int]:
        """Revoke many; times in their order.

        Raises:
            RequestError: `revocation_duplicate`, `already_revoked`, `batch_empty`, `gas_budget`.
        """
        return self._run(self._flows.multi_revoke_offchain(uids, budget))


class EIP712Proxy(Client):
    """A proxy: it attests in its own name and keeps for whom. It has deadlines, and takes a signature once."""

    def __init__(self, node: Node, sender: Sender | None, flows: ProxyFlows) -> None:
        """Use `EAS.proxy`."""
        super().__init__(node, sender)
        self._flows = flows

    @property
    def domain(self) -> Domain:
        """The EIP-712 domain that its requests are signed under."""
        return self._flows.proxy.domain

    def get_attester(self, uid: Digest, block: Which = "latest") -> Address | None:
        """Who signed an attestation that it made, or None."""
        attester = self.node.read(self._flows.proxy.get_attester(uid), block)
        return None if attester == ZERO_ADDRESS else attester

    def delegate(self, request: Request, signer: Signer, *, deadline: int = NEVER) -> SignedRequest:
        """Sign a request for the proxy."""
        return self.delegate_many([request], signer, deadline=deadline)[0]

    def delegate_many(
        self, requests: Sequence[Request], signer: Signer, *, deadline: int = NEVER
    ) -> list[SignedRequest]:
        """Sign several.

        Raises:
            RequestError: `request_duplicate`; equal requests have one signature, which counts once.
        """
        return self._flows.delegate(requests, signer, deadline)

    def attest_by_delegation(self, signed: SignedRequest) -> Digest:
        """Make an attestation that another signed, and give its uid.

        Raises:
            DomainError, ExpiredError, SignatureError, RequestError: as EAS's.
            RevertError: `eas_used_signature`; it was sent before.
        """
        return self._run(self._flows.attest(signed))

    def multi_attest_by_delegation(self, signed: Sequence[SignedRequest], *, budget: int | None = None) -> list[Digest]:
        """Make many; uids in their order.

        Raises:
            DomainError, ExpiredError, SignatureError, RequestError, RevertError: as `attest_by_delegation`.
        """
        return self._run(self._flows.multi_attest(signed, budget))

    def revoke_by_delegation(self, signed: SignedRequest) -> Receipt:
        """Revoke in the name of whom it attested for.

        Raises:
            DomainError, ExpiredError, SignatureError, RequestError, RevertError: as `attest_by_delegation`.
        """
        return self._run(self._flows.revoke(signed))

    def multi_revoke_by_delegation(
        self, signed: Sequence[SignedRequest], *, budget: int | None = None
    ) -> list[Receipt]:
        """Revoke many; a receipt for each, which those of one transaction share.

        Raises:
            DomainError, ExpiredError, SignatureError, RequestError, RevertError: as `attest_by_delegation`.
        """
        return self._run(self._flows.multi_revoke(signed, budget))
