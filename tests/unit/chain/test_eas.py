"""Everything that EAS does, on a local chain; each accepted request beside one that is refused before it is sent."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest

from chartseal.attestation import Address, Digest, Domain, Schema, attestation_uid, delegated, to_hex
from chartseal.attestation.offchain import OffchainMessage
from chartseal.chain.contract import Contract
from chartseal.chain.eas import EAS, AttestationRequest, RevocationRequest
from chartseal.chain.eas.contracts import domain_of
from chartseal.chain.eas.operations import Operations
from chartseal.chain.facts import Attestation
from chartseal.errors import (
    ChartsealError,
    DeploymentError,
    ExpiredError,
    NodeError,
    PartlySentError,
    RevertError,
    SendError,
)
from tests.chain import Local
from tests.vyper_contracts import compiled

TEXT = "uint256 number,string word"
FAR = 2**40


def digest() -> Digest:
    return Digest(secrets.token_bytes(32))


@pytest.fixture(scope="module")
def eas(local: Local) -> EAS:
    return EAS.connect(local.node, local.deployment, signer=local.keys[0], check_data=True)


@pytest.fixture(scope="module")
def schema(eas: EAS) -> Digest:
    return eas.schemas.register(TEXT)


def request(schema: Digest, number: int = 1) -> AttestationRequest:
    return AttestationRequest(schema, Schema.parse(TEXT).encode([number, "word"]), Address(b"\x22" * 20))


def refused(code: str, call: Callable[[], object], kind: type[ChartsealError] = ChartsealError) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code
    return str(caught.value)


def found(eas: EAS, uid: Digest) -> Attestation:
    attestation = eas.get_attestation(uid)
    assert attestation is not None
    return attestation


def sent(local: Local) -> int:
    """Transactions of the key that `eas` sends with."""
    return int(local.node.request("eth_getTransactionCount", [to_hex(local.keys[0].address), "latest"]), 16)


class TestConnecting:
    def test_another_chain_or_contract_is_refused(self, local: Local) -> None:
        def connect(**changes: object) -> Callable[[], object]:
            return lambda: EAS.connect(local.node, replace(local.deployment, **changes))  # type: ignore[arg-type]

        refused("chain_wrong", connect(chain_id=1), DeploymentError)
        refused("contract_wrong", connect(version="1.3.0"), DeploymentError)
        refused("contract_wrong", connect(eas=local.deployment.schema_registry), DeploymentError)
        refused("contract_missing", connect(eas=Address(b"\x01" * 20)), DeploymentError)
        refused("contract_wrong", connect(schema_registry=local.deployment.eas), DeploymentError)

    def test_where_no_contract_answers_nothing_is_concluded(self, local: Local) -> None:
        nowhere = Operations(replace(local.deployment, eas=Address(b"\x01" * 20)))
        with pytest.raises(NodeError):
            local.node.read(nowhere.get_attestation(digest()))
        with pytest.raises(NodeError):
            local.node.read(nowhere.get_revoke_offchain(Address(bytes(20)), digest()))

    def test_a_contract_may_sign_as_another_version(self) -> None:
        address = Address(b"\x01" * 20)
        separator = Domain("1.3.0", 10, address, "EAS").separator()
        assert domain_of("1.4.1-beta.1", 10, address, separator).version == "1.3.0"
        assert domain_of("0.27", 10, address, Domain("0.27", 10, address, "EAS").separator()).version == "0.27"
        refused("contract_wrong", lambda: domain_of("1.3.0", 11, address, separator), DeploymentError)

    def test_without_a_key_it_reads_and_does_not_send(self, local: Local, schema: Digest) -> None:
        reader = EAS.connect(local.node, local.deployment)
        assert reader.schemas.get_schema(schema) is not None
        refused("signer_missing", lambda: reader.attest(request(schema)), SendError)
        refused("signer_missing", lambda: reader.timestamp(digest()), SendError)


class TestSchemas:
    def test_registered_ones_are_read(self, eas: EAS, schema: Digest) -> None:
        record = eas.schemas.get_schema(schema)
        assert record is not None
        assert (record.text, record.revocable, record.uid) == (TEXT, True, Schema.parse(TEXT).uid())
        assert eas.schemas.get_schema(digest()) is None

    def test_twice_and_unreadable_ones_are_refused(self, eas: EAS, schema: Digest) -> None:
        refused("schema_exists", lambda: eas.schemas.register(TEXT))
        assert eas.schemas.register(TEXT, exist_ok=True) == schema
        refused("schema_refused", lambda: eas.schemas.register("no such type"))
        assert eas.schemas.get_schema(eas.schemas.register("no such type", readable=False)) is not None


class TestAttesting:
    def test_one(self, eas: EAS, local: Local, schema: Digest) -> None:
        uid = eas.attest(replace(request(schema), expiration_time=FAR))
        got = found(eas, uid)
        assert got.data == request(schema).data
        assert (got.attester, got.recipient) == (local.keys[0].address, b"\x22" * 20)
        assert (got.expiration_time, got.revocation_time, got.revocable) == (FAR, 0, True)
        message = OffchainMessage(schema, got.time, got.data, got.recipient, FAR)
        assert attestation_uid(message, got.attester) == uid
        assert eas.are_attestations_valid([uid, digest()]) == [True, False]
        assert eas.get_attestation(digest()) is None

    def test_what_cannot_stand_is_refused(self, eas: EAS, schema: Digest) -> None:
        firm = eas.schemas.register(TEXT, revocable=False, exist_ok=True)
        good = request(schema)
        refused("schema_unregistered", lambda: eas.attest(replace(good, schema=digest())))
        refused("schema_irrevocable", lambda: eas.attest(replace(good, schema=firm)))
        assert not found(eas, eas.attest(replace(good, schema=firm, revocable=False))).revocable
        refused("expiration_past", lambda: eas.attest(replace(good, expiration_time=1)))
        refused("reference_unknown", lambda: eas.attest(replace(good, ref_uid=digest())))
        uid = eas.attest(good)
        assert found(eas, eas.attest(replace(good, ref_uid=uid))).ref_uid == uid
        assert "requests[0]" in refused("data_malformed", lambda: eas.attest(replace(good, data=b"\x01")))
        refused("batch_empty", lambda: eas.multi_attest([]))

    def test_many_come_back_in_order_whatever_their_schemas(self, eas: EAS, schema: Digest) -> None:
        other = eas.schemas.register("uint256 number,string word,bool flag", exist_ok=True)
        extra = replace(request(other), data=Schema.parse("uint256 n,string w,bool f").encode([7, "", True]))
        requests = [request(schema, 1), extra, request(schema, 2), extra, request(schema, 3)]
        uids = eas.multi_attest(requests)
        assert [found(eas, uid).data for uid in uids] == [each.data for each in requests]
        assert [found(eas, uid).schema for uid in uids] == [each.schema for each in requests]
        assert len(set(uids)) == 5
        assert "requests[2]" in refused(
            "schema_unregistered", lambda: eas.multi_attest([*requests[:2], request(digest())])
        )

    def test_a_budget_splits_them(self, eas: EAS, local: Local, schema: Digest) -> None:
        requests = [request(schema, number) for number in range(20)]
        before = sent(local)
        uids = eas.multi_attest(requests, budget=2_000_000)
        transactions = sent(local) - before
        assert 2 <= transactions <= 5
        attestations = eas.get_attestations(uids)
        assert [each.data for each in attestations if each] == [each.data for each in requests]
        refused("gas_budget", lambda: eas.multi_attest(requests, budget=100_000))
        assert sent(local) == before + transactions


class TestResolvers:
    def test_ether_reaches_it_and_its_own_attestations_are_not_ours(self, eas: EAS, local: Local) -> None:
        resolver = local.sender().send(compiled("NestingResolver").deploy(local.deployment.eas))
        schemas = [eas.schemas.register(TEXT, resolver=resolver), eas.schemas.register("bytes plain")]
        schemas.append(eas.schemas.register("bytes own", resolver=resolver))
        reader = EAS.connect(local.node, local.deployment, signer=local.keys[0])
        one = replace(request(schemas[0]), value=5)
        assert found(reader, reader.attest(one)).data == one.data
        requests = [replace(one, schema=schemas[at], data=bytes([at + 1]) * 32, value=0) for at in (0, 1, 2, 0)]
        requests[2] = replace(requests[2], value=7)
        uids = reader.multi_attest(requests)
        assert [found(reader, uid).data for uid in uids] == [each.data for each in requests]
        patron = local.keys[2]
        signed = reader.delegate_many(requests, patron)
        uids = reader.multi_attest_by_delegation(signed)
        assert [found(reader, uid).data for uid in uids] == [each.data for each in requests]
        assert {found(reader, uid).attester for uid in uids} == {patron.address}
        assert local.node.request("eth_getBalance", [to_hex(resolver), "latest"]) == hex(5 + 7 + 7)

    def test_what_was_made_is_told_when_the_rest_fails(self, eas: EAS, local: Local) -> None:
        resolver = local.sender().send(compiled("NestingResolver").deploy(local.deployment.eas))
        schema = eas.schemas.register("bytes some", resolver=resolver)
        reader = EAS.connect(local.node, local.deployment, signer=local.keys[0])
        data = [bytes([at]) for at in range(6)] + [b"refuse"]
        requests = [AttestationRequest(schema, each) for each in data]
        refused("eas_invalid_attestations", lambda: reader.multi_attest(requests, budget=2_000_000), RevertError)

        signed = reader.delegate_many(requests, local.keys[1])
        with pytest.raises(PartlySentError) as caught:
            reader.multi_attest_by_delegation(signed, budget=2_000_000)
        assert isinstance(caught.value.__cause__, RevertError)
        made = [each for each in caught.value.results if isinstance(each, bytes)]
        assert 0 < len(made) < 7
        assert caught.value.results[len(made) :] == [None] * (7 - len(made))
        assert [found(reader, Digest(uid)).data for uid in made] == data[: len(made)]

        pairs = [reader.delegate_many([requests[at] for at in (0, 6, 1)], key) for key in local.keys[2:4]]
        pairs[1][1] = reader.delegate(requests[2], local.keys[3], nonce=pairs[1][1].request.nonce)
        alternating = [each for pair in zip(*pairs, strict=True) for each in pair]
        with pytest.raises(PartlySentError) as caught:
            reader.relay(alternating, gas=1_000_000)
        assert [each is not None for each in caught.value.results] == [True, True, False, True, False, True]

    def test_what_it_does_not_take_is_a_revert_by_name(self, eas: EAS, schema: Digest) -> None:
        refused("eas_not_payable", lambda: eas.attest(replace(request(schema), value=1)), RevertError)

    def test_a_receipt_without_our_event_is_refused(self, eas: EAS, local: Local, schema: Digest) -> None:
        operations = Operations(local.deployment)
        write = operations.attest(request(schema), local.keys[1].address)
        with pytest.raises(NodeError, match="lacks events"):
            local.sender().send(write)  # another's key: the event names another attester


class TestIndexer:
    def test_what_was_indexed_is_found_by_schema_attester_and_recipient(self, eas: EAS, local: Local) -> None:
        indexer = eas.indexer(local.sender().send(Contract.load("indexer").deploy(local.deployment.eas)))
        schema = eas.schemas.register("uint256 row")
        to = [Address(bytes([at % 2 + 1]) * 20) for at in range(6)]
        uids = eas.multi_attest([AttestationRequest(schema, at.to_bytes(32), each) for at, each in enumerate(to)])
        receipts = indexer.index(uids[:5], budget=800_000)
        assert len(receipts) == 5
        assert len({each.tx_hash for each in receipts}) > 1
        indexer.index(uids[:1])
        assert [indexer.is_indexed(uid) for uid in uids] == [True] * 5 + [False]
        me, other = local.keys[0].address, local.keys[1].address
        assert (indexer.count(schema), indexer.count(schema, attester=me, recipient=to[0])) == (5, 3)
        assert (indexer.count(schema, attester=other), indexer.count(schema, recipient=to[1])) == (0, 2)
        assert indexer.uids(schema) == indexer.uids(schema, attester=me) == uids[:5]
        assert indexer.uids(schema, start=1, length=2, newest_first=True) == [uids[3], uids[2]]
        assert indexer.uids(schema, recipient=to[1]) == [uids[1], uids[3]]
        assert indexer.uids(schema, attester=me, recipient=to[0], length=2) == [uids[0], uids[2]]
        refused("eas_invalid_offset", lambda: indexer.uids(schema, start=5), RevertError)
        refused("attestation_unknown", lambda: indexer.index([uids[5], digest()]))

    def test_what_is_no_indexer_of_this_eas_is_refused(self, eas: EAS, local: Local) -> None:
        foreign = local.sender().send(Contract.load("indexer").deploy(local.keys[0].address))
        refused("contract_wrong", lambda: eas.indexer(foreign), DeploymentError)
        refused("contract_wrong", lambda: eas.indexer(local.deployment.eas), DeploymentError)
        refused("contract_missing", lambda: eas.indexer(Address(b"\x01" * 20)), DeploymentError)


class TestRevoking:
    def test_ones_own(self, eas: EAS, schema: Digest) -> None:
        uids = eas.multi_attest([request(schema, number) for number in range(3)])
        receipt = eas.revoke(RevocationRequest(schema, uids[0]))
        assert found(eas, uids[0]).revocation_time > 0
        assert receipt.succeeded
        assert eas.is_attestation_valid(uids[0])
        assert [eas.is_attestation_revoked(uid) for uid in uids] == [True, False, False]
        refused("attestation_unknown", lambda: eas.is_attestation_revoked(digest()))
        eas.multi_revoke([RevocationRequest(schema, uid) for uid in uids[1:]])
        assert all(found(eas, uid).revocation_time for uid in uids)

    def test_what_cannot_be_revoked_is_refused(self, eas: EAS, local: Local, schema: Digest) -> None:
        uid = eas.attest(request(schema))
        firm = eas.attest(replace(request(schema), revocable=False))
        stranger = EAS.connect(local.node, local.deployment, signer=local.keys[1])
        refused("attestation_unknown", lambda: eas.revoke(RevocationRequest(schema, digest())))
        refused("schema_mismatch", lambda: eas.revoke(RevocationRequest(digest(), uid)))
        refused("attester_other", lambda: stranger.revoke(RevocationRequest(schema, uid)))
        refused("attestation_irrevocable", lambda: eas.revoke(RevocationRequest(schema, firm)))
        refused("revocation_duplicate", lambda: eas.multi_revoke([RevocationRequest(schema, uid)] * 2))
        assert found(eas, uid).revocation_time == 0
        eas.revoke(RevocationRequest(schema, uid))
        refused("already_revoked", lambda: eas.revoke(RevocationRequest(schema, uid)))


class TestTimes:
    def test_timestamps(self, eas: EAS, local: Local) -> None:
        one, two, three = digest(), digest(), digest()
        assert eas.timestamp(one) == local.node.block().timestamp == eas.get_timestamp(one)
        assert eas.multi_timestamp([two, three]) == [local.node.block().timestamp] * 2
        refused("already_timestamped", lambda: eas.timestamp(one))
        refused("already_timestamped", lambda: eas.multi_timestamp([digest(), two]))
        four = digest()
        assert "requests[1]" in refused("timestamp_duplicate", lambda: eas.multi_timestamp([four, four]))
        assert eas.get_timestamp(four) == 0

    def test_offchain_revocations_are_each_revokers_own(self, eas: EAS, local: Local) -> None:
        uid, me, other = digest(), local.keys[0].address, local.keys[1].address
        time = eas.revoke_offchain(uid)
        assert eas.get_revoke_offchain(me, uid) == time > 0
        assert eas.get_revoke_offchain(other, uid) == 0
        refused("already_revoked", lambda: eas.revoke_offchain(uid))
        refused("revocation_duplicate", lambda: eas.multi_revoke_offchain([digest()] + [uid] * 2))
        assert EAS.connect(local.node, local.deployment, signer=local.keys[1]).multi_revoke_offchain([uid])[0] > 0


class TestDelegation:
    def test_one_signs_another_sends(self, eas: EAS, local: Local, schema: Digest) -> None:
        patron = local.keys[2]
        signed = eas.delegate(request(schema), patron, deadline=FAR)
        uid = eas.attest_by_delegation(delegated.from_json(signed.to_json()))
        assert found(eas, uid).attester == patron.address
        refused("nonce_used", lambda: eas.attest_by_delegation(signed))
        revocation = eas.delegate(RevocationRequest(schema, uid), patron)
        eas.revoke_by_delegation(revocation)
        assert found(eas, uid).revocation_time > 0

    def test_many(self, eas: EAS, local: Local, schema: Digest) -> None:
        patrons = local.keys[1:3]
        signed = [
            each
            for patron in patrons
            for each in eas.delegate_many([request(schema, number) for number in range(8)], patron)
        ]
        signed = [each for pair in zip(signed[:8], signed[8:], strict=True) for each in pair]  # alternating signers
        uids = eas.multi_attest_by_delegation(signed, budget=2_000_000)
        assert [found(eas, uid).attester for uid in uids] == [each.signer for each in signed]
        assert [found(eas, uid).data for uid in uids[::2]] == [request(schema, number).data for number in range(8)]
        mine = [uid for uid in uids if found(eas, uid).attester == patrons[0].address]
        eas.multi_revoke_by_delegation(
            eas.delegate_many([RevocationRequest(schema, uid) for uid in mine], patrons[0]), budget=200_000
        )
        assert [found(eas, uid).revocation_time > 0 for uid in uids] == [uid in mine for uid in uids]

    def test_relayed_ones_take_a_transaction_each(self, eas: EAS, local: Local, schema: Digest) -> None:
        signed = eas.delegate_many([request(schema, number) for number in range(12)], local.keys[1])
        before = sent(local)
        uids = eas.relay(signed)
        assert sent(local) == before + 12
        assert [found(eas, uid).data for uid in uids] == [request(schema, number).data for number in range(12)]

    def test_what_the_contract_would_not_take_is_refused(self, eas: EAS, local: Local, schema: Digest) -> None:
        patron = local.keys[2]
        refused(
            "deadline_expired",
            lambda: eas.attest_by_delegation(eas.delegate(request(schema), patron, deadline=1)),
            ExpiredError,
        )
        ahead = eas.delegate(request(schema), patron, nonce=eas.get_nonce(patron.address) + 1)
        refused("nonce_ahead", lambda: eas.attest_by_delegation(ahead))
        good = eas.delegate(request(schema), patron)
        refused("signer_mismatch", lambda: eas.attest_by_delegation(replace(good, signer=local.keys[1].address)))
        refused("domain_refused", lambda: eas.attest_by_delegation(replace(good, domain=local.deployment.domain())))
        other = delegated.sign(good.request, replace(eas.domain, chain_id=1), patron)
        refused("domain_refused", lambda: eas.attest_by_delegation(other))
        refused("request_kind", lambda: eas.revoke_by_delegation(good))
        revocation = eas.delegate(RevocationRequest(schema, digest()), patron)
        assert "requests[1]" in refused("request_kind", lambda: eas.multi_attest_by_delegation([good, revocation]))
        refused("signature_size", lambda: eas.attest_by_delegation(replace(good, signature=bytes(64))))
        mixed = eas.delegate_many([request(schema), replace(request(schema), schema=digest())], patron)
        assert "requests[1]" in refused("schema_unregistered", lambda: eas.multi_attest_by_delegation(mixed))
        assert found(eas, eas.attest_by_delegation(good)).attester == patron.address

    def test_raising_the_nonce_makes_signed_requests_worthless(self, eas: EAS, local: Local, schema: Digest) -> None:
        signed = eas.delegate(request(schema), local.keys[0])
        eas.increase_nonce(eas.get_nonce(local.keys[0].address) + 5)
        refused("nonce_used", lambda: eas.attest_by_delegation(signed))
        refused("nonce_used", lambda: eas.increase_nonce(1))


@pytest.fixture(scope="module")
def address(local: Local) -> Address:
    """A proxy's."""
    return local.sender().send(Contract.load("eip712_proxy").deploy(local.deployment.eas, "Clinic"))


class TestProxy:
    def test_it_attests_for_the_signer(self, eas: EAS, local: Local, schema: Digest, address: Address) -> None:
        proxy, patron = eas.proxy(address), local.keys[2]
        assert proxy.domain.name == "Clinic"
        signed = proxy.delegate(request(schema), patron, deadline=FAR)
        uid = proxy.attest_by_delegation(signed)
        assert found(eas, uid).attester == address
        assert proxy.get_attester(uid) == patron.address
        assert proxy.get_attester(digest()) is None
        revocation = RevocationRequest(schema, uid)
        stranger = proxy.delegate(revocation, local.keys[1])
        refused("attester_other", lambda: proxy.revoke_by_delegation(stranger))
        refused("eas_used_signature", lambda: proxy.attest_by_delegation(signed), RevertError)
        proxy.revoke_by_delegation(proxy.delegate(revocation, patron))
        assert found(eas, uid).revocation_time > 0

    def test_many(self, eas: EAS, local: Local, schema: Digest, address: Address) -> None:
        proxy, patron = eas.proxy(address), local.keys[2]
        requests = [request(schema, number) for number in range(10, 15)]
        uids = proxy.multi_attest_by_delegation(proxy.delegate_many(requests, patron, deadline=FAR))
        assert [found(eas, uid).data for uid in uids] == [each.data for each in requests]
        proxy.multi_revoke_by_delegation(
            proxy.delegate_many([RevocationRequest(schema, uid) for uid in uids], patron, deadline=FAR)
        )
        assert all(found(eas, uid).revocation_time for uid in uids)
        refused("request_duplicate", lambda: proxy.delegate_many([requests[0]] * 2, patron))

    def test_what_is_no_proxy_of_this_eas_is_refused(self, eas: EAS, local: Local, schema: Digest) -> None:
        refused("contract_wrong", lambda: eas.proxy(local.deployment.eas), DeploymentError)
        foreign = local.sender().send(Contract.load("eip712_proxy").deploy(Address(b"\x01" * 20), "Clinic"))
        refused("contract_wrong", lambda: eas.proxy(foreign), DeploymentError)
