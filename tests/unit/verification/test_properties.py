"""Properties: what is chosen and travels is exactly what is verified, and no flipped byte passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartseal.attestation import Digest, PrivateValue
from chartseal.disclosure import UnverifiedDisclosure, UnverifiedRecord, select
from chartseal.errors import VerificationError
from chartseal.record import open_along
from chartseal.sealing import SealedRecord
from chartseal.verification import TrustedIssuer, TrustPolicy, VerifiedDisclosure, verify
from tests.answering import answer
from tests.answering import check as check_answer
from tests.charts import AUDIENCE, DOMAIN, ISSUER, NONCE, NOW, chart, open_paths, shown, vectors

POLICY = TrustPolicy(issuers=(TrustedIssuer(ISSUER, "Example hospital"),), domains=frozenset({DOMAIN}))
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check(disclosure: UnverifiedDisclosure | bytes | str) -> VerifiedDisclosure:
    return verify(disclosure, POLICY, audience=AUDIENCE, nonce=NONCE, now=NOW)


@pytest.fixture(scope="module")
def records(shared: Path) -> tuple[SealedRecord, ...]:
    return chart(shared, *vectors(shared))


def choosable(record: SealedRecord) -> list[str]:
    return [each.name for each in record.fields if not each.name.startswith("chartseal.")]


@quick
@given(data=st.data())
def test_exactly_what_was_chosen_and_travels(data: st.DataObject, records: Sequence[SealedRecord]) -> None:
    chosen_records = data.draw(st.lists(st.sampled_from(records), min_size=1, max_size=3, unique_by=lambda r: r.uid))
    wanted: dict[bytes, set[str]] = {}
    patterns: list[str] = []
    for record in chosen_records:
        names = data.draw(st.lists(st.sampled_from(choosable(record)), min_size=1, max_size=4, unique=True))
        patterns.extend(name.split("+")[0].replace("._", ".") for name in names)
    selection = select(chosen_records, patterns)
    for choice in selection.choices:
        chosen = [opened.name for opened in choice.opened if opened.reason == "chosen"]
        along = open_along(choice.record.resource_type, choice.record.fields, chosen)
        wanted[choice.record.package.uid] = {opened.name for opened in along}
    disclosure = shown(selection)
    for form in (disclosure, disclosure.to_json(), disclosure.to_text()):
        result = check(form)
        assert {record.attestation.uid: {each.name for each in record.fields} for record in result.records} == wanted
    by_uid = {record.uid: {each.name: each.value for each in record.fields} for record in chosen_records}
    for verified in result.records:
        assert all(by_uid[verified.attestation.uid][each.name] == each.value for each in verified.fields)


@quick
@given(data=st.data())
def test_an_answer_says_exactly_what_was_chosen_and_travels(
    data: st.DataObject, records: Sequence[SealedRecord]
) -> None:
    record = data.draw(st.sampled_from(records))
    names = data.draw(st.lists(st.sampled_from(choosable(record)), min_size=1, max_size=4, unique=True))
    selection = select([record], [name.split("+")[0].replace("._", ".") for name in names])
    wanted = {opened.name for opened in selection.choices[0].opened}
    (verified,) = check_answer(answer(record, opened=selection)).records
    values = {each.name: each.value for each in record.fields if each.name in wanted}
    assert {each.name: each.value for each in verified.fields} == values


@pytest.fixture(scope="module")
def disclosure(records: tuple[SealedRecord, ...]) -> UnverifiedDisclosure:
    return open_paths(records[:8], "Observation.value", "Condition.code")


def flipped(data: bytes, position: int) -> bytes:
    at, bit = divmod(position % (8 * len(data)), 8)
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def flip_leaf(leaf: PrivateValue, position: int) -> PrivateValue:
    if position % 3 == 0:
        return replace(leaf, salt=Digest(flipped(leaf.salt, position // 3)))
    if position % 3 == 1 and leaf.name.isascii():
        name = bytearray(leaf.name.encode())
        name[position // 3 % len(name)] ^= 1 << (position // 3) % 5
        return replace(leaf, name=name.decode())
    value: Any = leaf.value
    if isinstance(value, bytes):
        return replace(leaf, value=flipped(value, position // 3))
    if isinstance(value, bool):
        return replace(leaf, value=not value)
    return replace(leaf, value=value + 1 if isinstance(value, int) else value + "x")


def changed(record: UnverifiedRecord, part: str, position: int) -> UnverifiedRecord:
    proof = record.multiproof
    if part == "leaf":
        at = position % len(proof.leaves)
        leaves = (*proof.leaves[:at], flip_leaf(proof.leaves[at], position), *proof.leaves[at + 1 :])
        return replace(record, multiproof=replace(proof, leaves=leaves))
    if part == "sibling":
        at = position % len(proof.siblings)
        siblings = list(proof.siblings)
        siblings[at] = Digest(flipped(siblings[at], position))
        return replace(record, multiproof=replace(proof, siblings=tuple(siblings)))
    if part == "flag":
        at = position % len(proof.flags)
        flags = (*proof.flags[:at], not proof.flags[at], *proof.flags[at + 1 :])
        return replace(record, multiproof=replace(proof, flags=flags))
    if part == "holder's signature":
        return replace(record, signature=flipped(record.signature, position))
    package = record.package
    if part == "seal's signature":
        return replace(record, package=replace(package, signature=flipped(package.signature, position)))
    return replace(record, package=replace(package, uid=Digest(flipped(package.uid, position))))


PARTS = ["leaf", "sibling", "flag", "holder's signature", "seal's signature", "uid"]


@settings(quick, max_examples=300)
@given(part=st.sampled_from(PARTS), which=st.integers(0, 7), position=st.integers(0, 1 << 20))
def test_any_flipped_bit_is_refused(part: str, which: int, position: int, disclosure: UnverifiedDisclosure) -> None:
    at = which % len(disclosure.records)
    record = changed(disclosure.records[at], part, position)
    records = (*disclosure.records[:at], record, *disclosure.records[at + 1 :])
    with pytest.raises(VerificationError):
        check(replace(disclosure, records=records))
    check(disclosure)
