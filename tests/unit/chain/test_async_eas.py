"""AsyncEAS has all that EAS has, and does it."""

from __future__ import annotations

import asyncio
import inspect
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest

from chartseal.attestation import Digest, OffchainMessage, Schema, sign_offchain
from chartseal.chain.contract import Contract
from chartseal.chain.eas import (
    EAS,
    AsyncEAS,
    AsyncEIP712Proxy,
    AsyncIndexer,
    AsyncSchemaRegistry,
    AttestationRequest,
    EIP712Proxy,
    Indexer,
    RevocationRequest,
    SchemaRegistry,
)
from chartseal.chain.rpc.node import AsyncNode
from chartseal.chain.signatures import is_valid_signature_async, verify_offchain_with_chain_async
from chartseal.errors import DeploymentError, RequestError, SendError
from tests.chain import Local

TEXT = "uint256 number,string word"
FAR = 2**40


@pytest.mark.parametrize(
    ("sync", "other"),
    [(EAS, AsyncEAS), (EIP712Proxy, AsyncEIP712Proxy), (SchemaRegistry, AsyncSchemaRegistry), (Indexer, AsyncIndexer)],
)
def test_the_same_methods_and_parameters(sync: type[Any], other: type[Any]) -> None:
    def public(of: type[Any]) -> dict[str, list[str]]:
        found = {name: member for name, member in inspect.getmembers(of) if not name.startswith("_")}
        return {name: list(inspect.signature(each).parameters) for name, each in found.items() if callable(each)}

    assert public(sync) == public(other)
    assert all(inspect.iscoroutinefunction(getattr(other, name)) for name in public(other))


def test_everything_once(local: Local) -> None:
    asyncio.run(everything(local))


async def everything(local: Local) -> None:
    async with AsyncNode(local.url, chain_id=local.deployment.chain_id) as node:
        eas = await AsyncEAS.connect(node, local.deployment, signer=local.keys[0], check_data=True)
        schema = await eas.schemas.register(TEXT)
        assert await eas.schemas.get_schema(schema)
        await own(eas, schema)
        await delegated(eas, schema, local)
        await proxied(eas, schema, local)
        await refused(eas, node, schema, local)
        message = OffchainMessage(schema, 1_700_000_000, b"")
        package = sign_offchain(message, local.deployment.domain(), local.keys[1])
        digest, signature = package.digest(), package.signature
        assert await is_valid_signature_async(node, package.signer, digest, signature)
        assert not await is_valid_signature_async(node, local.deployment.eas, digest, signature)
        verified = await verify_offchain_with_chain_async(package, node, now=datetime.now(UTC))
        assert verified.attester == local.keys[1].address


def requests(schema: Digest, count: int) -> list[AttestationRequest]:
    data = [Schema.parse(TEXT).encode([secrets.randbits(128), "word"]) for _ in range(count)]
    return [AttestationRequest(schema, each) for each in data]


async def own(eas: AsyncEAS, schema: Digest) -> None:
    made = requests(schema, 9)
    alone = await asyncio.gather(*(eas.attest(each) for each in made[:3]))  # tasks share one key
    uids = [*alone, *await eas.multi_attest(made[3:], budget=1_500_000)]
    assert [each.data for each in await eas.get_attestations(uids) if each] == [each.data for each in made]
    assert eas.sender
    await eas.revoke(RevocationRequest(schema, uids[0]))
    await eas.multi_revoke([RevocationRequest(schema, uid) for uid in uids[1:3]])
    found = [await eas.get_attestation(uid) for uid in uids[:4]]
    assert [each.revocation_time > 0 for each in found if each] == [True, True, True, False]
    assert await eas.is_attestation_valid(uids[0])
    assert await eas.is_attestation_revoked(uids[0])
    indexer = await eas.indexer(await eas.sender.send(Contract.load("indexer").deploy(eas.deployment.eas)))
    await indexer.index(uids[:2])
    assert [await indexer.is_indexed(uid) for uid in uids[:3]] == [True, True, False]
    assert await indexer.uids(schema, length=await indexer.count(schema)) == uids[:2]
    one, two = Digest(secrets.token_bytes(32)), Digest(secrets.token_bytes(32))
    assert await eas.timestamp(one) == await eas.get_timestamp(one)
    assert await eas.multi_timestamp([two]) == [await eas.get_timestamp(two)]
    assert await eas.revoke_offchain(one) == await eas.get_revoke_offchain(eas.sender.address, one)
    assert await eas.multi_revoke_offchain([two]) == [await eas.get_revoke_offchain(eas.sender.address, two)]


async def delegated(eas: AsyncEAS, schema: Digest, local: Local) -> None:
    patron, made = local.keys[1], requests(schema, 6)
    uids = [await eas.attest_by_delegation(await eas.delegate(made[0], patron, deadline=FAR))]
    uids += await eas.multi_attest_by_delegation(await eas.delegate_many(made[1:4], patron))
    uids += await eas.relay(await eas.delegate_many(made[4:], patron))
    found = await eas.get_attestations(uids)
    assert [(each.data, each.attester) for each in found if each] == [(each.data, patron.address) for each in made]
    revocations = [RevocationRequest(schema, uid) for uid in uids]
    await eas.revoke_by_delegation(await eas.delegate(revocations[0], patron))
    await eas.multi_revoke_by_delegation(await eas.delegate_many(revocations[1:], patron))
    assert all(each.revocation_time for each in await eas.get_attestations(uids) if each)
    nonce = await eas.get_nonce(local.keys[0].address)
    await eas.increase_nonce(nonce + 3)
    assert await eas.get_nonce(local.keys[0].address) == nonce + 3


async def proxied(eas: AsyncEAS, schema: Digest, local: Local) -> None:
    patron, made = local.keys[1], requests(schema, 3)
    address = local.sender(2).send(Contract.load("eip712_proxy").deploy(local.deployment.eas, "Clinic"))
    proxy = await eas.proxy(address)
    assert proxy.domain.name == "Clinic"
    uids = [await proxy.attest_by_delegation(await proxy.delegate(made[0], patron))]
    uids += await proxy.multi_attest_by_delegation(await proxy.delegate_many(made[1:], patron))
    assert [await proxy.get_attester(uid) for uid in uids] == [patron.address] * 3
    revocations = [RevocationRequest(schema, uid) for uid in uids]
    await proxy.revoke_by_delegation(await proxy.delegate(revocations[0], patron))
    await proxy.multi_revoke_by_delegation(await proxy.delegate_many(revocations[1:], patron))
    assert all(each.revocation_time for each in await eas.get_attestations(uids) if each)


async def refused(eas: AsyncEAS, node: AsyncNode, schema: Digest, local: Local) -> None:
    with pytest.raises(RequestError) as caught:
        await eas.attest(AttestationRequest(schema, b"\x01"))
    assert caught.value.code == "data_malformed"
    reader = await AsyncEAS.connect(node, local.deployment)
    with pytest.raises(SendError) as unsigned:
        await reader.timestamp(Digest(bytes(32)))
    assert unsigned.value.code == "signer_missing"
    with pytest.raises(DeploymentError):
        await reader.proxy(local.deployment.eas)
