"""What a client of EAS does, step by step: check, send, read the receipt. Shared by EAS and AsyncEAS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from chartseal.attestation import Address, Digest, Schema, Signer, delegated, schema_uid
from chartseal.attestation.delegated import DelegatedAttestation, DelegatedRevocation, SignedRequest
from chartseal.chain.calls import Receipt, Write
from chartseal.chain.eas.batching import Batching
from chartseal.chain.eas.checks import Checks
from chartseal.chain.eas.connecting import Connected
from chartseal.chain.eas.proxying import ProxyOperations
from chartseal.chain.eas.requests import NEVER, AttestationRequest, RevocationRequest
from chartseal.chain.steps import Ask, Flow, Send, no_sender
from chartseal.errors import ChainError, RequestError

T = TypeVar("T")
Request = AttestationRequest | RevocationRequest


class Flows:
    """A client's work on one EAS."""

    def __init__(self, connected: Connected, me: Address | None, *, data: bool = False) -> None:
        """Take a deployment that was checked, who sends (None: nobody), and whether data is held to its schema."""
        self.eas = connected.eas
        self.registry = connected.registry
        self.domain = connected.domain
        self.checks = Checks(self.eas, self.registry, data=data)
        self._me = me
        self._batching = Batching(self.me)

    def me(self) -> Address:
        """Who sends.

        Raises:
            SendError: `signer_missing`.
        """
        if self._me is None:
            raise no_sender()
        return self._me

    # schemas

    def register(
        self, text: str, resolver: Address, revocable: bool, *, exist_ok: bool, readable: bool
    ) -> Flow[Digest]:
        """Register a schema.

        Raises:
            SchemaError: its text is no list of parameters, and `readable` is asked.
            RequestError: `schema_exists`, unless `exist_ok`.
        """
        if readable:
            Schema.parse(text)
        uid = schema_uid(text, resolver, revocable)
        if (yield from self.checks.schema(uid)) is not None:
            if exist_ok:
                return uid
            raise RequestError("the schema is registered already", "schema_exists")
        return (yield from _sent(self.registry.register(text, resolver, revocable)))

    # in one's own name

    def attest(self, request: AttestationRequest) -> Flow[Digest]:
        """Make one attestation."""
        write = self.eas.attest(request, self.me())
        yield from self.checks.attestations([request])
        return (yield from _sent(write))

    def multi_attest(self, requests: Sequence[AttestationRequest], budget: int | None) -> Flow[list[Digest]]:
        """Make several, in as many transactions as the gas needs."""
        me = self.me()
        yield from self.checks.attestations(requests)
        return (yield from self._batching.send(requests, lambda part: self.eas.multi_attest(part, me), budget))

    def revoke(self, request: RevocationRequest) -> Flow[Receipt]:
        """Revoke one attestation."""
        yield from self.checks.revocations([request], [self.me()])
        return (yield from _sent(self.eas.revoke(request)))

    def multi_revoke(self, requests: Sequence[RevocationRequest], budget: int | None) -> Flow[list[Receipt]]:
        """Revoke several; those of one transaction have one receipt."""
        yield from self.checks.revocations(requests, [self.me()] * len(requests))
        return (yield from self._batching.send(requests, listed(self.eas.multi_revoke), budget))

    # in another's name

    def delegate(
        self, requests: Sequence[Request], signer: Signer, deadline: int, nonce: int | None
    ) -> Flow[list[SignedRequest]]:
        """Sign requests for others to send, with ascending nonces from the contract's or the one given.

        Raises:
            RequestError: `version_without`; contracts before 1.2.0 know no deadline, nor a value.
        """
        if not self.eas.has_deadlines and (deadline != NEVER or any(each.value for each in requests)):
            raise RequestError("this version of EAS signs no deadline and no value", "version_without", "deadline")
        if nonce is None:
            [nonce] = yield Ask([self.eas.get_nonce(signer.address)])
            assert nonce is not None  # noqa: S101 (for the type)
        made = [each.delegated(nonce + at, deadline) for at, each in enumerate(requests)]
        return [delegated.sign(each, self.domain, signer) for each in made]

    def attest_by_delegation(self, signed: SignedRequest) -> Flow[Digest]:
        """Send an attestation that another signed."""
        write = self.eas.attest_by_delegation(signed)
        yield from self.checks.delegations([signed], self.domain, DelegatedAttestation)
        return (yield from _sent(write))

    def multi_attest_by_delegation(self, signed: Sequence[SignedRequest], budget: int | None) -> Flow[list[Digest]]:
        """Send several, in as many transactions as the gas needs."""
        yield from self.checks.delegations(signed, self.domain, DelegatedAttestation)
        return (yield from self._batching.send(signed, self.eas.multi_attest_by_delegation, budget, waiting=True))

    def relay(self, signed: Sequence[SignedRequest], gas: int | None) -> Flow[list[Digest]]:
        """Send several, each in a transaction of its own, without waiting between them."""
        writes = [self.eas.attest_by_delegation(each) for each in signed]
        yield from self.checks.delegations(signed, self.domain, DelegatedAttestation)
        return (yield from self._batching.pipeline(writes, [len(each.request.data) for each in signed], gas))  # type: ignore[union-attr]

    def revoke_by_delegation(self, signed: SignedRequest) -> Flow[Receipt]:
        """Send a revocation that another signed."""
        write = self.eas.revoke_by_delegation(signed)
        yield from self.checks.delegations([signed], self.domain, DelegatedRevocation)
        return (yield from _sent(write))

    def multi_revoke_by_delegation(self, signed: Sequence[SignedRequest], budget: int | None) -> Flow[list[Receipt]]:
        """Send several."""
        yield from self.checks.delegations(signed, self.domain, DelegatedRevocation)
        write_of = listed(self.eas.multi_revoke_by_delegation)
        return (yield from self._batching.send(signed, write_of, budget, waiting=True))

    def increase_nonce(self, nonce: int) -> Flow[Receipt]:
        """Make the sender's signed requests below that nonce worthless.

        Raises:
            RequestError: `nonce_used`; it is there already.
        """
        write = self.eas.increase_nonce(nonce)
        [now] = yield Ask([self.eas.get_nonce(self.me())])
        if nonce <= now:
            raise RequestError("a nonce can only be raised", "nonce_used")
        return (yield from _sent(write))

    # times

    def timestamp(self, data: Digest) -> Flow[int]:
        """Timestamp 32 bytes."""
        yield from self.checks.unstamped([data])
        return (yield from _sent(self.eas.timestamp(data)))

    def multi_timestamp(self, data: Sequence[Digest], budget: int | None) -> Flow[list[int]]:
        """Timestamp several."""
        yield from self.checks.unstamped(data)
        return (yield from self._batching.send(data, self.eas.multi_timestamp, budget))

    def revoke_offchain(self, data: Digest) -> Flow[int]:
        """Revoke an off-chain uid."""
        yield from self.checks.unrevoked([data], self.me())
        return (yield from _sent(self.eas.revoke_offchain(data)))

    def multi_revoke_offchain(self, data: Sequence[Digest], budget: int | None) -> Flow[list[int]]:
        """Revoke several."""
        yield from self.checks.unrevoked(data, self.me())
        return (yield from self._batching.send(data, self.eas.multi_revoke_offchain, budget))


class ProxyFlows:
    """A client's work through one proxy."""

    def __init__(self, proxy: ProxyOperations, flows: Flows) -> None:
        """Take the proxy, checked, and the work on the EAS behind it."""
        self.proxy = proxy
        self._checks = flows.checks
        self._me = flows.me
        self._batching = Batching(flows.me)

    def delegate(self, requests: Sequence[Request], signer: Signer, deadline: int) -> list[SignedRequest]:
        """Sign requests for the proxy: it has no nonces, and takes equal requests with equal deadlines once.

        Raises:
            RequestError: `request_duplicate`.
        """
        made = [each.delegated(0, deadline) for each in requests]
        if len(set(made)) != len(made):
            raise RequestError("a proxy takes equal requests of one deadline once", "request_duplicate")
        return [delegated.sign(each, self.proxy.domain, signer) for each in made]

    def attest(self, signed: SignedRequest) -> Flow[Digest]:
        """Send an attestation that another signed."""
        write = self.proxy.attest(signed)
        yield from self._checks.proxied([signed], self.proxy, DelegatedAttestation, self._me())
        return (yield from _sent(write))

    def multi_attest(self, signed: Sequence[SignedRequest], budget: int | None) -> Flow[list[Digest]]:
        """Send several."""
        yield from self._checks.proxied(signed, self.proxy, DelegatedAttestation, self._me())
        return (yield from self._batching.send(signed, self.proxy.multi_attest, budget))

    def revoke(self, signed: SignedRequest) -> Flow[Receipt]:
        """Send a revocation that another signed."""
        write = self.proxy.revoke(signed)
        yield from self._checks.proxied([signed], self.proxy, DelegatedRevocation, self._me())
        return (yield from _sent(write))

    def multi_revoke(self, signed: Sequence[SignedRequest], budget: int | None) -> Flow[list[Receipt]]:
        """Send several."""
        yield from self._checks.proxied(signed, self.proxy, DelegatedRevocation, self._me())
        return (yield from self._batching.send(signed, listed(self.proxy.multi_revoke), budget))


def _sent(write: Write[T]) -> Flow[T]:
    [result] = yield Send([write])
    if isinstance(result, ChainError):
        raise result
    made: T = result
    return made


def listed(write_of: Callable[[Sequence[T]], Write[Receipt]]) -> Callable[[Sequence[T]], Write[list[Receipt]]]:
    """A transaction's receipt for each of its requests."""

    def made(part: Sequence[T]) -> Write[list[Receipt]]:
        write = write_of(part)
        return Write(write.to, write.data, lambda receipt: [receipt] * len(part), write.value)

    return made
