"""EAS for one event loop: as `client`, each method to be awaited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from chartseal.attestation import ZERO_ADDRESS, Address, Digest, Domain, Signer
from chartseal.attestation.delegated import SignedRequest
from chartseal.chain.calls import Receipt
from chartseal.chain.deployment import Deployment
from chartseal.chain.eas.carrying import AsyncClient
from chartseal.chain.eas.checks import is_revoked
from chartseal.chain.eas.connecting import Connected, connecting, connecting_proxy
from chartseal.chain.eas.flows import Flows, ProxyFlows, Request
from chartseal.chain.eas.indexer import AsyncIndexer, connecting_indexer
from chartseal.chain.eas.requests import NEVER, AttestationRequest, RevocationRequest, SchemaRecord
from chartseal.chain.facts import Attestation
from chartseal.chain.rpc.node import AsyncNode, Which
from chartseal.chain.sending.sender import AsyncSender
from chartseal.chain.steps import run_async


class AsyncSchemaRegistry(AsyncClient):
    """As SchemaRegistry, each method to be awaited."""

    def __init__(self, node: AsyncNode, sender: AsyncSender | None, flows: Flows) -> None:
        """As SchemaRegistry."""
        super().__init__(node, sender)
        self._flows = flows

    async def register(
        self,
        text: str,
        *,
        resolver: Address = ZERO_ADDRESS,
        revocable: bool = True,
        exist_ok: bool = False,
        readable: bool = True,
    ) -> Digest:
        """As SchemaRegistry.register."""
        flow = self._flows.register(text, resolver, revocable, exist_ok=exist_ok, readable=readable)
        return await self._run(flow)

    async def get_schema(self, uid: Digest) -> SchemaRecord | None:
        """As SchemaRegistry.get_schema."""
        return await self._run(self._flows.checks.schema(uid))


class AsyncEAS(AsyncClient):
    """As EAS, each method to be awaited."""

    def __init__(
        self, node: AsyncNode, connected: Connected, *, sender: AsyncSender | None, check_data: bool = False
    ) -> None:
        """Use `connect`."""
        super().__init__(node, sender)
        self.deployment = connected.eas.deployment
        self._connected = connected
        self._flows = Flows(connected, sender.address if sender else None, data=check_data)
        self.schemas = AsyncSchemaRegistry(node, sender, self._flows)

    @classmethod
    async def connect(
        cls,
        node: AsyncNode,
        deployment: Deployment,
        *,
        signer: Signer | None = None,
        sender: AsyncSender | None = None,
        check_data: bool = False,
    ) -> Self:
        """As EAS.connect."""
        if sender is None and signer is not None:
            sender = AsyncSender(node, signer)
        return cls(node, await run_async(connecting(deployment), node), sender=sender, check_data=check_data)

    @property
    def domain(self) -> Domain:
        """As EAS.domain."""
        return self._connected.domain

    async def proxy(self, address: Address) -> AsyncEIP712Proxy:
        """As EAS.proxy."""
        proxy = await self._run(connecting_proxy(self._connected, address))
        return AsyncEIP712Proxy(self.node, self.sender, ProxyFlows(proxy, self._flows))

    async def indexer(self, address: Address) -> AsyncIndexer:
        """As EAS.indexer."""
        return AsyncIndexer(self.node, self.sender, await self._run(connecting_indexer(self._flows, address)))

    # reading

    async def get_attestation(self, uid: Digest, block: Which = "latest") -> Attestation | None:
        """As EAS.get_attestation."""
        return (await self.get_attestations([uid], block))[0]

    async def get_attestations(self, uids: Sequence[Digest], block: Which = "latest") -> list[Attestation | None]:
        """As EAS.get_attestations."""
        return await self.node.read_many([self._flows.eas.get_attestation(uid) for uid in uids], block) if uids else []

    async def is_attestation_valid(self, uid: Digest, block: Which = "latest") -> bool:
        """As EAS.is_attestation_valid."""
        return (await self.are_attestations_valid([uid], block))[0]

    async def are_attestations_valid(self, uids: Sequence[Digest], block: Which = "latest") -> list[bool]:
        """As EAS.are_attestations_valid."""
        return (
            await self.node.read_many([self._flows.eas.is_attestation_valid(uid) for uid in uids], block)
            if uids
            else []
        )

    async def is_attestation_revoked(self, uid: Digest, block: Which = "latest") -> bool:
        """As EAS.is_attestation_revoked."""
        return is_revoked(await self.get_attestation(uid, block))

    async def get_timestamp(self, data: Digest, block: Which = "latest") -> int:
        """As EAS.get_timestamp."""
        return await self.node.read(self._flows.eas.get_timestamp(data), block)

    async def get_revoke_offchain(self, revoker: Address, uid: Digest, block: Which = "latest") -> int:
        """As EAS.get_revoke_offchain."""
        return await self.node.read(self._flows.eas.get_revoke_offchain(revoker, uid), block)

    async def get_nonce(self, account: Address, block: Which = "latest") -> int:
        """As EAS.get_nonce."""
        return await self.node.read(self._flows.eas.get_nonce(account), block)

    # in one's own name

    async def attest(self, request: AttestationRequest) -> Digest:
        """As EAS.attest."""
        return await self._run(self._flows.attest(request))

    async def multi_attest(self, requests: Sequence[AttestationRequest], *, budget: int | None = None) -> list[Digest]:
        """As EAS.multi_attest."""
        return await self._run(self._flows.multi_attest(requests, budget))

    async def revoke(self, request: RevocationRequest) -> Receipt:
        """As EAS.revoke."""
        return await self._run(self._flows.revoke(request))

    async def multi_revoke(self, requests: Sequence[RevocationRequest], *, budget: int | None = None) -> list[Receipt]:
        """As EAS.multi_revoke."""
        return await self._run(self._flows.multi_revoke(requests, budget))

    async def increase_nonce(self, nonce: int) -> Receipt:
        """As EAS.increase_nonce."""
        return await self._run(self._flows.increase_nonce(nonce))

    # in another's name

    async def delegate(
        self, request: Request, signer: Signer, *, deadline: int = NEVER, nonce: int | None = None
    ) -> SignedRequest:
        """As EAS.delegate."""
        return (await self.delegate_many([request], signer, deadline=deadline, nonce=nonce))[0]

    async def delegate_many(
        self, requests: Sequence[Request], signer: Signer, *, deadline: int = NEVER, nonce: int | None = None
    ) -> list[SignedRequest]:
        """As EAS.delegate_many."""
        return await self._run(self._flows.delegate(requests, signer, deadline, nonce))

    async def attest_by_delegation(self, signed: SignedRequest) -> Digest:
        """As EAS.attest_by_delegation."""
        return await self._run(self._flows.attest_by_delegation(signed))

    async def multi_attest_by_delegation(
        self, signed: Sequence[SignedRequest], *, budget: int | None = None
    ) -> list[Digest]:
        """As EAS.multi_attest_by_delegation."""
        return await self._run(self._flows.multi_attest_by_delegation(signed, budget))

    async def relay(self, signed: Sequence[SignedRequest], *, gas: int | None = None) -> list[Digest]:
        """As EAS.relay."""
        return await self._run(self._flows.relay(signed, gas))

    async def revoke_by_delegation(self, signed: SignedRequest) -> Receipt:
        """As EAS.revoke_by_delegation."""
        return await self._run(self._flows.revoke_by_delegation(signed))

    async def multi_revoke_by_delegation(
        self, signed: Sequence[SignedRequest], *, budget: int | None = None
    ) -> list[Receipt]:
        """As EAS.multi_revoke_by_delegation."""
        return await self._run(self._flows.multi_revoke_by_delegation(signed, budget))

    # times

    async def timestamp(self, data: Digest) -> int:
        """As EAS.timestamp."""
        return await self._run(self._flows.timestamp(data))

    async def multi_timestamp(self, data: Sequence[Digest], *, budget: int | None = None) -> list[int]:
        """As EAS.multi_timestamp."""
        return await self._run(self._flows.multi_timestamp(data, budget))

    async def revoke_offchain(self, uid: Digest) -> int:
        """As EAS.revoke_offchain."""
        return await self._run(self._flows.revoke_offchain(uid))

    async def multi_revoke_offchain(self, uids: Sequence[Digest], *, budget: int | None = None) -> list[int]:
        """As EAS.multi_revoke_offchain."""
        return await self._run(self._flows.multi_revoke_offchain(uids, budget))


class AsyncEIP712Proxy(AsyncClient):
    """As EIP712Proxy, each method to be awaited."""

    def __init__(self, node: AsyncNode, sender: AsyncSender | None, flows: ProxyFlows) -> None:
        """As EIP712Proxy."""
        super().__init__(node, sender)
        self._flows = flows

    @property
    def domain(self) -> Domain:
        """As EIP712Proxy.domain."""
        return self._flows.proxy.domain

    async def get_attester(self, uid: Digest, block: Which = "latest") -> Address | None:
        """As EIP712Proxy.get_attester."""
        attester = await self.node.read(self._flows.proxy.get_attester(uid), block)
        return None if attester == ZERO_ADDRESS else attester

    async def delegate(self, request: Request, signer: Signer, *, deadline: int = NEVER) -> SignedRequest:
        """As EIP712Proxy.delegate."""
        return (await self.delegate_many([request], signer, deadline=deadline))[0]

    async def delegate_many(
        self, requests: Sequence[Request], signer: Signer, *, deadline: int = NEVER
    ) -> list[SignedRequest]:
        """As EIP712Proxy.delegate_many."""
        return self._flows.delegate(requests, signer, deadline)

    async def attest_by_delegation(self, signed: SignedRequest) -> Digest:
        """As EIP712Proxy.attest_by_delegation."""
        return await self._run(self._flows.attest(signed))

    async def multi_attest_by_delegation(
        self, signed: Sequence[SignedRequest], *, budget: int | None = None
    ) -> list[Digest]:
        """As EIP712Proxy.multi_attest_by_delegation."""
        return await self._run(self._flows.multi_attest(signed, budget))

    async def revoke_by_delegation(self, signed: SignedRequest) -> Receipt:
        """As EIP712Proxy.revoke_by_delegation."""
        return await self._run(self._flows.revoke(signed))

    async def multi_revoke_by_delegation(
        self, signed: Sequence[SignedRequest], *, budget: int | None = None
    ) -> list[Receipt]:
        """As EIP712Proxy.multi_revoke_by_delegation."""
        return await self._run(self._flows.multi_revoke(signed, budget))
