"""One chain, two clients: what we send eas-sdk 2.10 reads back, what it sends we read, on every version of EAS that npm
still has."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from _peer import Peer, PeerError

from chartseal.attestation import (
    ZERO_ADDRESS,
    Address,
    Digest,
    LocalSigner,
    Schema,
    checksum_address,
    delegated,
    digest_from,
    to_hex,
)
from chartseal.attestation.delegated import DelegatedAttestation, SignedRequest
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.eas import EAS, AttestationRequest, EIP712Proxy, RevocationRequest
from chartseal.chain.facts import Attestation
from chartseal.chain.local.devnet import accounts
from chartseal.chain.sending.sender import Sender
from chartseal.errors import RequestError
from tests.chain import started

_MODULES = Path(__file__).resolve().parent / "node_modules"
_PACKAGES = {
    "0.27": "eas-contracts-0.27",
    "1.0.0": "eas-contracts-1.0",
    "1.2.0": "eas-contracts-1.2",
    "1.3.0": "eas-contracts-1.3",
    "1.4.0": "@ethereum-attestation-service/eas-contracts",
}
_KEYS = [to_hex(bytes.fromhex(each)) for each in (
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
)]  # fmt: skip
"""Of anvil's accounts, known to everybody."""
TEXT = "uint256 number,string word"
FAR = 2**40


@dataclass
class Both:
    """The same contracts through our client and through the SDK."""

    url: str
    peer: Peer
    eas: EAS
    proxy: EIP712Proxy
    address: Address
    """The proxy's."""
    schema: Digest
    patron: LocalSigner
    """Who delegates."""

    def where(self, of: str, key: str | None = None) -> dict[str, Any]:
        deployment = self.eas.deployment
        at = {"EAS": deployment.eas, "SchemaRegistry": deployment.schema_registry, "EIP712Proxy": self.address}[of]
        return {"url": self.url, "of": of, "at": checksum_address(at), "key": key}

    def read(self, of: str, method: str, *args: Any) -> Any:
        return self.peer.call("read", **self.where(of), method=method, args=args)

    def send(self, of: str, method: str, *args: Any) -> Any:
        """The SDK sends, with a key that ours does not use."""
        return self.peer.call("send", **self.where(of, _KEYS[1]), method=method, args=args)

    def delegate(self, of: str, method: str, params: dict[str, Any]) -> Any:
        """The SDK signs, as the patron."""
        version = "0.27" if self.eas.deployment.version == "0.27" and of == "EAS" else None  # the SDK lists only 0.26
        where = self.where(of, _KEYS[2])
        return self.peer.call("delegate", **where, method=method, params=params, version=version)

    @property
    def takes_revocations(self) -> bool:
        """Whether the proxy takes them from others than the attester, as it does since 1.4.0."""
        return self.eas.deployment.version == "1.4.0"

    def revoking(self) -> EIP712Proxy:
        """The proxy, with a sender whom it takes revocations from."""
        if self.takes_revocations:
            return self.proxy
        return EAS.connect(self.eas.node, self.eas.deployment, signer=self.patron).proxy(self.address)

    def theirs(self, uid: Digest) -> dict[str, Any]:
        """An attestation as the SDK reads it."""
        names = (
            *("uid", "schema", "time", "expirationTime", "revocationTime", "refUID"),
            *("recipient", "attester", "revocable", "data"),
        )
        return dict(zip(names, self.read("EAS", "getAttestation", to_hex(uid)), strict=True))

    def ours(self, uid: Digest) -> Attestation:
        attestation = self.eas.get_attestation(uid)
        assert attestation is not None
        return attestation

    def request(self, number: int = 1) -> AttestationRequest:
        return AttestationRequest(self.schema, Schema.parse(TEXT).encode([number, "word"]), Address(b"\x22" * 20))

    def requests(self, count: int) -> list[AttestationRequest]:
        return [self.request(secrets.randbits(200)) for _ in range(count)]


@pytest.fixture(scope="module", params=_PACKAGES)
def both(request: pytest.FixtureRequest, peer: Peer) -> Iterator[Both]:
    version = request.param
    with started(deploy=False) as running:
        sender = Sender(running.node, accounts()[0])
        registry = sender.send(artifact(version, "SchemaRegistry.sol/SchemaRegistry.json").deploy())
        address = sender.send(artifact(version, "EAS.sol/EAS.json").deploy(registry))
        made = artifact(version, "eip712/proxy/EIP712Proxy.sol/EIP712Proxy.json").deploy(address, "Clinic")
        proxy = sender.send(made)
        deployment = Deployment(running.node.chain_id, version, address, registry, finality=0)
        eas = EAS.connect(running.node, deployment, sender=sender, check_data=True)
        schema = eas.schemas.register(TEXT)
        yield Both(running.url, peer, eas, eas.proxy(proxy), proxy, schema, accounts()[2])


def artifact(version: str, path: str) -> Contract:
    made = json.loads((_MODULES / _PACKAGES[version] / "artifacts/contracts" / path).read_text())
    return Contract.of_abi(made["abi"], bytes.fromhex(made["bytecode"][2:]))


def digest() -> Digest:
    return Digest(secrets.token_bytes(32))


def data_of(request: AttestationRequest | DelegatedAttestation) -> dict[str, Any]:
    """The SDK's `data` member."""
    return {
        "recipient": checksum_address(request.recipient),
        "expirationTime": request.expiration_time,
        "revocable": request.revocable,
        "refUID": to_hex(request.ref_uid),
        "data": to_hex(request.data),
    }


def agrees(theirs: dict[str, Any], ours: Attestation) -> bool:
    return theirs == {
        "uid": to_hex(ours.uid),
        "schema": to_hex(ours.schema),
        "time": str(ours.time),
        "expirationTime": str(ours.expiration_time),
        "revocationTime": str(ours.revocation_time),
        "refUID": to_hex(ours.ref_uid),
        "recipient": checksum_address(ours.recipient),
        "attester": checksum_address(ours.attester),
        "revocable": ours.revocable,
        "data": to_hex(ours.data),
    }


class TestOursReadByTheirs:
    def test_schemas(self, both: Both) -> None:
        resolver, text = Address(b"\x33" * 20), f"bytes32 m{secrets.randbits(60)}"
        for uid in (
            both.eas.schemas.register(text),
            both.eas.schemas.register(text, resolver=resolver, revocable=False),
        ):
            record = both.eas.schemas.get_schema(uid)
            assert record is not None
            shown = [to_hex(uid), checksum_address(record.resolver), record.revocable, text]
            assert both.read("SchemaRegistry", "getSchema", {"uid": to_hex(uid)}) == shown

    def test_attestations_and_revocations(self, both: Both) -> None:
        first = both.eas.attest(both.request())
        rest = both.eas.multi_attest(
            [replace(each, ref_uid=first, expiration_time=FAR, revocable=False) for each in both.requests(3)]
            + both.requests(2)
        )
        for uid in (first, *rest):
            assert agrees(both.theirs(uid), both.ours(uid))
            assert both.read("EAS", "isAttestationValid", to_hex(uid)) is True
            assert both.read("EAS", "isAttestationRevoked", to_hex(uid)) is False
        both.eas.revoke(RevocationRequest(both.schema, first))
        both.eas.multi_revoke([RevocationRequest(both.schema, uid) for uid in rest[3:]])
        for uid in (first, *rest[3:]):
            assert agrees(both.theirs(uid), both.ours(uid))
            assert both.read("EAS", "isAttestationRevoked", to_hex(uid)) is True

    def test_times(self, both: Both) -> None:
        one, two, three = digest(), digest(), digest()
        assert both.read("EAS", "getTimestamp", to_hex(one)) == "0"
        times = [both.eas.timestamp(one), *both.eas.multi_timestamp([two, three])]
        assert [both.read("EAS", "getTimestamp", to_hex(each)) for each in (one, two, three)] == [*map(str, times)]
        me = checksum_address(accounts()[0].address)
        times = [both.eas.revoke_offchain(one), *both.eas.multi_revoke_offchain([two, three])]
        found = [both.read("EAS", "getRevocationOffchain", me, to_hex(each)) for each in (one, two, three)]
        assert found == [*map(str, times)]

    def test_delegated(self, both: Both) -> None:
        eas, patron = both.eas, both.patron
        uids = [
            eas.attest_by_delegation(eas.delegate(both.request(), patron)),
            *eas.multi_attest_by_delegation(eas.delegate_many(both.requests(3), patron)),
            *eas.relay(eas.delegate_many(both.requests(3), patron)),
        ]
        for uid in uids:
            assert agrees(both.theirs(uid), both.ours(uid))
            assert both.theirs(uid)["attester"] == checksum_address(patron.address)
        assert both.read("EAS", "getNonce", checksum_address(patron.address)) == str(eas.get_nonce(patron.address))
        revocations = [RevocationRequest(both.schema, uid) for uid in uids]
        eas.revoke_by_delegation(eas.delegate(revocations[0], patron))
        eas.multi_revoke_by_delegation(eas.delegate_many(revocations[1:], patron))
        assert all(both.read("EAS", "isAttestationRevoked", to_hex(uid)) for uid in uids)

    def test_proxied(self, both: Both) -> None:
        proxy, patron = both.proxy, both.patron
        uids = [
            proxy.attest_by_delegation(proxy.delegate(both.requests(1)[0], patron, deadline=FAR)),
            *proxy.multi_attest_by_delegation(proxy.delegate_many(both.requests(3), patron, deadline=FAR)),
        ]
        for uid in uids:
            assert agrees(both.theirs(uid), both.ours(uid))
            assert both.read("EIP712Proxy", "getAttester", to_hex(uid)) == checksum_address(patron.address)
        revocations = [RevocationRequest(both.schema, uid) for uid in uids]
        proxy = both.revoking()
        proxy.revoke_by_delegation(proxy.delegate(revocations[0], patron))
        proxy.multi_revoke_by_delegation(proxy.delegate_many(revocations[1:], patron))
        assert all(both.read("EAS", "isAttestationRevoked", to_hex(uid)) for uid in uids)


def test_what_either_indexes_both_find(both: Both) -> None:
    made = artifact("1.4.0", "Indexer.sol/Indexer.json").deploy(both.eas.deployment.eas)
    assert both.eas.sender
    address = both.eas.sender.send(made)
    indexer, uids = both.eas.indexer(address), both.eas.multi_attest(both.requests(4))
    where = {**both.where("EAS", _KEYS[1]), "of": "Indexer", "at": checksum_address(address)}
    indexer.index(uids[:2])
    sent = both.peer.call("send", **where, method="indexAttestations", args=[{"uids": [*map(to_hex, uids[2:])]}])
    assert sent["block"] > 0
    query = {
        "schema": to_hex(both.schema),
        "attester": checksum_address(both.eas.sender.address),
        "recipient": checksum_address(both.request().recipient),
        "start": 1,
        "length": 3,
        "reverseOrder": True,
    }
    ours = indexer.uids(
        both.schema,
        attester=both.eas.sender.address,
        recipient=both.request().recipient,
        start=1,
        length=3,
        newest_first=True,
    )
    for method in (
        *("getSchemaAttesterRecipientAttestationUIDs", "getSentAttestationUIDs"),
        *("getReceivedAttestationUIDs", "getSchemaAttestationUIDs"),
    ):
        assert both.peer.call("read", **where, method=method, args=[query]) == [*map(to_hex, ours)]
    assert ours == uids[2::-1]
    assert indexer.count(both.schema) == 4


class TestTheirsReadByOurs:
    def test_schemas(self, both: Both) -> None:
        text = f"bytes32 m{secrets.randbits(60)}"
        sent = both.send("SchemaRegistry", "register", {"schema": text, "revocable": False})
        record = both.eas.schemas.get_schema(digest_from(sent["result"], "uid"))
        assert record is not None
        assert (record.text, record.revocable, record.resolver) == (text, False, ZERO_ADDRESS)

    def test_attestations_and_revocations(self, both: Both) -> None:
        requests = both.requests(4)
        schema, sender = to_hex(both.schema), accounts()[1].address
        one = both.send("EAS", "attest", {"schema": schema, "data": data_of(requests[0])})
        many = both.send("EAS", "multiAttest", [{"schema": schema, "data": [data_of(each) for each in requests[1:]]}])
        operations = both.eas._flows.eas
        assert one["data"] == to_hex(operations.attest(requests[0], sender).data)
        assert many["data"] == to_hex(operations.multi_attest(requests[1:], sender).data)
        uids = [digest_from(each, "uid") for each in (one["result"], *many["result"])]
        for uid, request in zip(uids, requests, strict=True):
            assert both.ours(uid).data == request.data
            assert both.ours(uid).attester == sender
            assert agrees(both.theirs(uid), both.ours(uid))
        both.send("EAS", "revoke", {"schema": schema, "data": {"uid": to_hex(uids[0])}})
        rest = [{"uid": to_hex(uid)} for uid in uids[1:3]]
        many = both.send("EAS", "multiRevoke", [{"schema": schema, "data": rest}])
        expected = operations.multi_revoke([RevocationRequest(both.schema, uid) for uid in uids[1:3]])
        assert many["data"] == to_hex(expected.data)
        assert [both.ours(uid).revocation_time > 0 for uid in uids] == [True, True, True, False]

    def test_times(self, both: Both) -> None:
        one, two = digest(), digest()
        stamped = both.send("EAS", "timestamp", to_hex(one))
        assert both.eas.get_timestamp(one) == int(stamped["result"])
        both.send("EAS", "multiTimestamp", [to_hex(two)])
        assert both.eas.get_timestamp(two) > 0
        both.send("EAS", "revokeOffchain", to_hex(one))
        both.send("EAS", "multiRevokeOffchain", [to_hex(two)])
        them = accounts()[1].address
        assert all(both.eas.get_revoke_offchain(them, each) for each in (one, two))
        assert both.eas.get_revoke_offchain(accounts()[0].address, one) == 0


def attestation_params(request: AttestationRequest, deadline: int) -> dict[str, Any]:
    return {"schema": to_hex(request.schema), **data_of(request), "value": 0, "deadline": deadline}


class TestSignedByOneSentByTheOther:
    def deadline(self, both: Both) -> int:
        return FAR if both.eas.deployment.version >= "1.2" else 0

    def their_form(self, signed: SignedRequest) -> dict[str, Any]:
        request, response = signed.request, signed.to_json()
        parts = {"schema": to_hex(request.schema), "signature": response["signature"], "deadline": request.deadline}
        if isinstance(request, DelegatedAttestation):
            return {**parts, "data": data_of(request), "attester": checksum_address(signed.signer)}
        return {**parts, "data": {"uid": to_hex(request.uid)}, "revoker": checksum_address(signed.signer)}

    def test_they_sign_we_send(self, both: Both) -> None:
        deadline, patron = self.deadline(both), both.patron.address
        response = both.delegate("EAS", "signDelegatedAttestation", attestation_params(both.request(), deadline))
        signed = delegated.from_json(response, patron)
        uid = both.eas.attest_by_delegation(signed)
        assert both.ours(uid).attester == patron
        params = {"schema": to_hex(both.schema), "uid": to_hex(uid), "value": 0, "deadline": deadline}
        response = both.delegate("EAS", "signDelegatedRevocation", params)
        both.eas.revoke_by_delegation(delegated.from_json(response, patron))
        assert both.ours(uid).revocation_time > 0

    def test_we_sign_they_send(self, both: Both) -> None:
        eas, deadline = both.eas, self.deadline(both)
        signed = eas.delegate(both.request(), both.patron, deadline=deadline)
        sent = both.send("EAS", "attestByDelegation", self.their_form(signed))
        assert sent["data"] == to_hex(eas._flows.eas.attest_by_delegation(signed).data)
        uid = digest_from(sent["result"], "uid")
        assert both.ours(uid).attester == both.patron.address
        many = eas.delegate_many(both.requests(3), both.patron, deadline=deadline)
        forms = [self.their_form(each) for each in many]
        group = {**forms[0], "data": [each["data"] for each in forms], "signatures": [f["signature"] for f in forms]}
        sent = both.send("EAS", "multiAttestByDelegation", [group])
        assert sent["data"] == to_hex(eas._flows.eas.multi_attest_by_delegation(many).data)
        uids = [digest_from(each, "uid") for each in sent["result"]]
        assert [both.ours(each).data for each in uids] == [each.request.data for each in many]  # type: ignore[union-attr]
        revocation = eas.delegate(RevocationRequest(both.schema, uid), both.patron, deadline=deadline)
        both.send("EAS", "revokeByDelegation", self.their_form(revocation))
        revocations = [RevocationRequest(both.schema, each) for each in uids]
        many = eas.delegate_many(revocations, both.patron, deadline=deadline)
        forms = [self.their_form(each) for each in many]
        group = {**forms[0], "data": [each["data"] for each in forms], "signatures": [f["signature"] for f in forms]}
        sent = both.send("EAS", "multiRevokeByDelegation", [group])
        assert sent["data"] == to_hex(eas._flows.eas.multi_revoke_by_delegation(many).data)
        assert all(both.ours(each).revocation_time for each in (uid, *uids))

    def test_they_sign_for_the_proxy_we_send(self, both: Both) -> None:
        patron = both.patron.address
        request = both.requests(1)[0]
        response = both.delegate("EIP712Proxy", "signDelegatedProxyAttestation", attestation_params(request, FAR))
        uid = both.proxy.attest_by_delegation(delegated.from_json(response, patron))
        assert both.proxy.get_attester(uid) == patron
        params = {"schema": to_hex(both.schema), "uid": to_hex(uid), "value": 0, "deadline": FAR}
        response = both.delegate("EIP712Proxy", "signDelegatedProxyRevocation", params)
        signed = delegated.from_json(response, patron)
        if not both.takes_revocations:
            with pytest.raises(RequestError, match="its attester alone"):
                both.proxy.revoke_by_delegation(signed)
        both.revoking().revoke_by_delegation(signed)
        assert both.ours(uid).revocation_time > 0

    def test_we_sign_for_the_proxy_they_send(self, both: Both) -> None:
        signed = both.proxy.delegate(both.requests(1)[0], both.patron, deadline=FAR)
        sent = both.send("EIP712Proxy", "attestByDelegationProxy", self.their_form(signed))
        uid = digest_from(sent["result"], "uid")
        assert both.proxy.get_attester(uid) == both.patron.address
        many = both.proxy.delegate_many(both.requests(2), both.patron, deadline=FAR)
        forms = [self.their_form(each) for each in many]
        group = {**forms[0], "data": [each["data"] for each in forms], "signatures": [f["signature"] for f in forms]}
        sent = both.send("EIP712Proxy", "multiAttestByDelegationProxy", [group])
        assert sent["data"] == to_hex(both.proxy._flows.proxy.multi_attest(many).data)
        revocation = both.proxy.delegate(RevocationRequest(both.schema, uid), both.patron, deadline=FAR)
        form = {"method": "revokeByDelegationProxy", "args": [self.their_form(revocation)]}
        if not both.takes_revocations:
            with pytest.raises(PeerError):
                both.peer.call("send", **both.where("EIP712Proxy", _KEYS[1]), **form)
        both.peer.call("send", **both.where("EIP712Proxy", _KEYS[2]), **form)
        assert both.ours(uid).revocation_time > 0

    def test_the_sdk_meets_the_same_refusals(self, both: Both) -> None:
        signed = both.eas.delegate(both.request(), both.patron, nonce=2**60)
        with pytest.raises(PeerError):
            both.send("EAS", "attestByDelegation", self.their_form(signed))
