"""The sample schema: made, sent, read back to its disclosure, and read by somebody with a dictionary."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import Address, Digest, LocalSigner, PrivateValue, packages
from chartseal.chain.calls import Write
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import SAMPLE
from chartseal.chain.seals.sample import (
    Sample,
    SampleAttester,
    chain_sample,
    check_sample,
    package_sample,
    sample_of,
    sample_package,
)
from chartseal.chain.sending.sender import Sender
from chartseal.disclosure import UnverifiedDisclosure
from chartseal.errors import SampleError, SchemaError, SignatureError
from chartseal.sealing import Issuing, SealedRecord, seal_resource
from chartseal.verification import UnsafeTrustAnyone, VerifiedDisclosure, verify
from tests.chain import Local
from tests.chain_actions import Actor, register_schemas
from tests.charts import AUDIENCE, HOLDER, NONCE, NOW, Holder, open_paths

ICD, SNOMED = "http://hl7.org/fhir/sid/icd-10-cm", "http://snomed.info/sct"
ISSUER = 1


@pytest.fixture(autouse=True)
def _undone(local: Local) -> Iterator[None]:
    mark = local.node.request("evm_snapshot")
    yield
    local.node.request("evm_revert", [mark])


def condition(code: str = "J45.909", patient: str = "p", recorded: str | None = "2026-03-14") -> dict[str, Any]:
    coding = [{"system": SNOMED, "code": "195967001"}, {"system": ICD, "code": code}]
    dated = {} if recorded is None else {"recordedDate": recorded}
    subject = {"reference": f"Patient/{patient}"}
    return {"resourceType": "Condition", "subject": subject, "code": {"coding": coding}, **dated}


def sealed(local: Local, resource: dict[str, Any], holder: Holder = HOLDER, who: int = ISSUER) -> SealedRecord:
    signer, domain = local.keys[who], local.deployment.domain()
    issuing = Issuing(signer, domain, b"\x09" * 32, "https://issuer.example/fhir/")
    return seal_resource(json.dumps(resource), issuing, holder.keys.address())


def facts_of(local: Local) -> RpcFacts:
    return RpcFacts(local.node, local.deployment)


def attest(local: Local, records: Sequence[SealedRecord], **options: Any) -> dict[Any, Digest]:
    return SampleAttester(local.sender(ISSUER), facts_of(local), **options).attest(records)


def checked(disclosure: UnverifiedDisclosure) -> VerifiedDisclosure:
    return verify(disclosure, UnsafeTrustAnyone(), audience=AUDIENCE, nonce=NONCE, now=NOW)


def leaf_of(record: SealedRecord, name: str) -> Digest:
    return next(each.leaf_hash() for each in record.private_data.values if each.name == name)


def test_what_a_sample_holds(local: Local) -> None:
    record = sealed(local, condition())
    sample = sample_of(record)
    assert sample.patient_id == record.subject
    assert sample.diagnosis == leaf_of(record, "Condition.code.coding[1].code"), "the ICD-10 code, not the first one"
    assert sample.date_of_treatment == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert sample.evidence_hash == record.root
    assert Sample.decode(sample.encode()) == sample
    assert len(sample.encode()) == 128
    named = sample_of(record, "Condition.code.coding[0].code")
    assert named.diagnosis == leaf_of(record, "Condition.code.coding[0].code")
    undated = sealed(local, condition(recorded=None))
    assert sample_of(undated).year == datetime.fromtimestamp(undated.package.message.time, UTC).year


def test_what_gives_no_sample(local: Local) -> None:
    record = sealed(local, condition())
    text = sealed(local, {**condition(), "code": {"text": "asthma"}})
    old = sealed(local, condition(recorded="1969-12-31"))
    for code, given, name in (
        ("diagnosis_missing", record, "Condition.code.text"),
        ("diagnosis_missing", record, "Condition.code.coding[2].code"),
        ("diagnosis_missing", text, ""),
        ("year_range", old, ""),
    ):
        with pytest.raises(SampleError) as refused:
            sample_of(given, name)
        assert refused.value.code == code
    assert sample_of(sealed(local, condition(recorded="1970"))).date_of_treatment == 0


@pytest.mark.parametrize("date_of_treatment", [1, 2**64 - 1])
def test_data_of_another_form_is_no_sample(local: Local, date_of_treatment: int) -> None:
    sample = sample_of(sealed(local, condition()))
    for data in (
        replace(sample, date_of_treatment=date_of_treatment).encode(),
        sample.encode() + bytes(32),
        sample.encode()[:-1],
    ):
        with pytest.raises(SampleError) as refused:
            Sample.decode(data)
        assert refused.value.code == "sample_malformed"


def test_on_chain_and_back_to_the_disclosure(local: Local) -> None:
    records = [sealed(local, condition()), sealed(local, condition("C50.911", recorded="2025-07-01"))]
    uids = attest(local, records)
    for record, year in zip(records, (2026, 2025), strict=True):
        shown = open_paths(records, "Condition.recordedDate")
        attested = chain_sample(facts_of(local), uids[record.attester, record.uid])
        found = check_sample(*attested, shown, checked(shown))
        assert (found.record.attestation.uid, found.sample.year) == (record.uid, year)
        assert (found.is_year_shown, found.diagnosis) == (True, "Condition.code.coding[1].code")
    shown = open_paths(records, "Condition.subject")
    assert not check_sample(*attested, shown, checked(shown)).is_year_shown


def test_nothing_is_attested_twice_nor_for_others(local: Local) -> None:
    records = [sealed(local, condition()), sealed(local, condition())]
    first = attest(local, records[:1])
    second = attest(local, records)
    assert second[records[0].attester, records[0].uid] == first[records[0].attester, records[0].uid]
    block = local.node.block().number
    assert attest(local, records) == second
    assert local.node.block().number == block
    theirs = sealed(local, condition(), who=2)
    elsewhere = replace(
        records[0], package=replace(records[0].package, domain=replace(local.deployment.domain(), chain_id=1))
    )
    for code, record in (("sample_signer", theirs), ("sample_domain", elsewhere)):
        with pytest.raises(SampleError) as refused:
            attest(local, [records[0], record])
        assert refused.value.code == code
    with pytest.raises(SampleError):
        sample_package(theirs, local.keys[ISSUER])


class Noting(Sender):
    """Keeps what was sent."""

    def __init__(self, local: Local) -> None:
        super().__init__(local.node, local.keys[ISSUER])
        self.sent: list[bytes] = []

    def send(self, write: Write[Any], *, gas: int | None = None) -> Any:
        self.sent.append(write.data)
        return super().send(write, gas=gas)


def test_the_order_on_chain_is_shuffled_and_uids_still_fit(local: Local) -> None:
    records = [sealed(local, condition(code)) for code in ("A00", "B00", "C00", "D00")] * 2
    sender = Noting(local)
    shuffler = random.Random(5)
    uids = SampleAttester(sender, facts_of(local), shuffle=shuffler.shuffle).attest(records)
    told = facts_of(local).attestations(SAMPLE, attester=sender.address)
    order = [records[0].root, *(each.root for each in records[1:4])]
    sent = [Sample.decode(each.data).evidence_hash for each in told]
    assert sorted(sent) == sorted(order)
    assert sent != order
    for record in records[:4]:
        _, sample = chain_sample(facts_of(local), uids[record.attester, record.uid])
        assert sample.evidence_hash == record.root


def test_a_sample_that_is_not_there_or_no_longer_holds(local: Local) -> None:
    record = sealed(local, condition())
    [uid] = attest(local, [record]).values()
    actor = Actor.of(local, ISSUER)
    other = actor.attest(SAMPLE, bytes(127) + b"\1")
    with pytest.raises(SampleError) as refused:
        chain_sample(facts_of(local), Digest(b"\1" * 32))
    assert refused.value.code == "sample_unknown"
    shown, found = open_paths([record], "Condition.code"), chain_sample(facts_of(local), other)
    with pytest.raises(SampleError) as unmatched:
        check_sample(*found, shown, checked(shown))
    assert unmatched.value.code == "sample_unmatched"
    Actor.of(local, 0).revoke_offchain(uid)
    assert chain_sample(facts_of(local), uid).attester == actor.address
    mark = local.node.request("evm_snapshot")
    actor.revoke_offchain(uid)
    with pytest.raises(SampleError) as elsewise:
        chain_sample(facts_of(local), uid)
    assert elsewise.value.code == "sample_revoked"
    local.node.request("evm_revert", [mark])
    actor.revoke(SAMPLE, uid)
    with pytest.raises(SampleError) as revoked:
        chain_sample(facts_of(local), uid)
    assert revoked.value.code == "sample_revoked"


def test_off_chain_and_back(local: Local) -> None:
    record, now = sealed(local, condition()), datetime.now(UTC)
    package = packages.loads(json.dumps(packages.to_json(sample_package(record, local.keys[ISSUER]))))
    attested, seal = package_sample(package, now=now)
    assert (seal.domain, seal.message.time) == (record.package.domain, record.package.message.time)
    shown = open_paths([record], "Condition.code", "Condition.recordedDate")
    assert check_sample(*attested, shown, checked(shown)).record.attestation.uid == record.uid
    with pytest.raises(SignatureError):
        package_sample(replace(package, signer=Address(b"\1" * 20)), now=now)
    with pytest.raises(SchemaError):
        package_sample(record.package, now=now)


def test_a_sample_of_another_record_key_or_year_is_refused(local: Local) -> None:
    record, other = sealed(local, condition()), sealed(local, condition())
    sample = sample_of(record)
    shown = open_paths([record], "Condition.code", "Condition.recordedDate")
    verified, attester = checked(shown), record.attester
    note = leaf_of(record, "Condition.recordedDate")
    for code, who, given in (
        ("sample_unmatched", LocalSigner(b"\x55" * 32).address, sample),
        ("sample_unmatched", attester, replace(sample, evidence_hash=other.root)),
        ("sample_unmatched", attester, replace(sample, patient_id=other.subject)),
        ("diagnosis_other", attester, replace(sample, diagnosis=note)),
        ("year_differs", attester, replace(sample, date_of_treatment=0)),
    ):
        with pytest.raises(SampleError) as refused:
            check_sample(who, given, shown, verified)
        assert refused.value.code == code
    unopened = check_sample(attester, replace(sample, diagnosis=Digest(b"\1" * 32)), shown, verified)
    assert unopened.diagnosis is None
    elsewhere = open_paths([other], "Condition.code")
    with pytest.raises(SampleError):
        check_sample(attester, sample_of(other), elsewhere, replace(verified, records=verified.records))


# The chain's reader: everybody, with a dictionary and much time.

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def public_bytes(local: Local, sent: Sequence[bytes]) -> list[bytes]:
    """All that a node gives of what was sent: call data and logs."""
    head = local.node.block().number
    logs = [log.data + b"".join(log.topics) for log in local.node.logs([local.deployment.eas], [], 0, head)]
    return [*sent, *logs]


def icd_codes(seed: int) -> Iterator[str]:
    """All codes of three characters, and longer ones of up to four more."""
    chosen = random.Random(seed)
    for letter, number in itertools.product(LETTERS, range(100)):
        code = f"{letter}{number:02}"
        yield code
        tail = "".join(chosen.choice("0123456789ADSX") for _ in range(4))
        yield from (f"{code}.{tail[:length]}" for length in range(1, 5))


def century() -> Iterator[str]:
    first = date(1926, 1, 1)
    return ((first + timedelta(days=each)).isoformat() for each in range(36_525))


def guesses(words: Sequence[str], name: str) -> set[bytes]:
    """Of each word: itself as 32 bytes, its keccak256, and its leaf without salt."""
    texts = [word.encode() for word in words]
    leaves: list[tuple[str, str, str | bytes | bool | int, bytes]] = [
        ("string", name, word, bytes(32)) for word in words
    ]
    hashes = [_core.keccak256(text) for text in texts]
    return {*(text.ljust(32, b"\0") for text in texts), *hashes, *_core.leaf_hashes(leaves)}


def windows(chunks: Sequence[bytes], size: int) -> set[bytes]:
    return {chunk[at : at + size] for chunk in chunks for at in range(len(chunk) - size + 1)}


@pytest.fixture
def published(local: Local) -> tuple[list[SealedRecord], list[bytes]]:
    """Six records of three patients, two of each under their own wallet, on chain."""
    holders = [Holder(_core.Wallet(bytes([0x30 + each]) * 64)) for each in range(3)]
    codes = ["E11.9", "J45.909", "C50.911", "F32.9", "I10", "M54.50"]
    records = [
        sealed(local, condition(code, f"id-{at % 3}", f"2026-0{at + 1}-1{at}"), holders[at % 3])
        for at, code in enumerate(codes)
    ]
    sender = Noting(local)
    SampleAttester(sender, facts_of(local)).attest(records)
    return records, public_bytes(local, sender.sent)


def test_a_dictionary_finds_nothing(local: Local, published: tuple[list[SealedRecord], list[bytes]]) -> None:
    records, chunks = published
    seen = windows(chunks, 32)
    assert records[0].root in seen, "the reader does look at what was published"
    codes = [*icd_codes(1), "E11.9", "J45.909", "C50.911", "F32.9", "I10", "M54.50"]
    codes += [code.replace(".", "") for code in codes]
    ids = [
        f"{form}id-{number}"
        for form in ("", "Patient/", "https://issuer.example/fhir/Patient/")
        for number in range(100)
    ]
    for words, name in (
        (codes, "Condition.code.coding[1].code"),
        (list(century()), "Condition.recordedDate"),
        (ids, "Condition.subject.reference"),
    ):
        assert not guesses(words, name) & seen
    texts = [word.encode() for word in [*codes, *century(), *ids] if len(word) >= 5]
    whole = b"\n".join(chunks)
    assert not any(text in whole for text in texts)
    known = PrivateValue("string", "Condition.code.coding[1].code", "E11.9", Digest(bytes(32)))
    assert known.leaf_hash() in guesses(["E11.9"], "Condition.code.coding[1].code"), "the dictionary is of our leaves"


def test_a_reader_without_salts_is_found_out(local: Local) -> None:
    """The neighbour: the same schema filled in the naive way gives everything away."""
    register_schemas(local)
    naive = Sample(_core.keccak256(b"id-0"), Digest(_core.keccak256(b"E11.9")), 0, Digest(b"\1" * 32))
    Actor.of(local, ISSUER).attest(SAMPLE, naive.encode())
    seen = windows(public_bytes(local, []), 32)
    seen |= windows([each.data for each in facts_of(local).attestations(SAMPLE)], 32)
    assert guesses(["E11.9"], "") & seen
    assert guesses(["id-0"], "") & seen


def test_two_records_of_one_patient_share_nothing_that_others_do_not(
    local: Local, published: tuple[list[SealedRecord], list[bytes]]
) -> None:
    records, _ = published
    told = {Sample.decode(each.data).evidence_hash: each for each in facts_of(local).attestations(SAMPLE)}
    # Word by word: across two words, a constant one's end and a random one's first byte can coincide.
    public = [told[record.root].data + told[record.root].uid for record in records]
    runs = [windows([each[at : at + 32] for at in range(0, len(each), 32)], 8) for each in public]
    common = set.intersection(*runs)
    for one, other in itertools.combinations(range(len(records)), 2):
        assert runs[one] & runs[other] <= common
