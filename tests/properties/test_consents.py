"""Consents, withdrawals, scopes and policies from outside: what is no such thing is refused by name, whatever it is."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.attestation import Address
from chartseal.consent import (
    PURPOSES,
    Consent,
    Exceptions,
    Grantee,
    Scopes,
    SitePolicy,
    Terms,
    Withdrawal,
    decide,
)
from chartseal.errors import ConsentError, ScopeError, SitePolicyError
from chartseal.verification.chain import ROLES
from tests.consents import CUSTODIAN, NOW, PATIENT, RECORD, REQUESTER, TERMS, signed

SIGNED = signed().to_json()
WITHDRAWN = Withdrawal.sign(signed().root, PATIENT).to_json()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
CODED = st.from_regex(r"[a-z]{1,8}\|[A-Z0-9]{1,8}", fullmatch=True)
CODES = st.frozensets(CODED, max_size=4)
TYPES = st.frozensets(st.sampled_from(["Observation", "Condition", "Claim", "Patient"]))
DAYS = st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1))
GRANTEES = st.sampled_from(ROLES).map(lambda role: Grantee(role=role)) | st.binary(min_size=20, max_size=20).filter(
    any
).map(lambda account: Grantee(Address(account)))


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    since, until = draw(DAYS), draw(DAYS)
    if since and until and since > until:
        since, until = until, since
    begins = draw(st.integers(0, 2**33))
    return Terms(
        PATIENT.sealing_address(),
        CUSTODIAN,
        draw(GRANTEES),
        draw(st.frozensets(st.sampled_from(sorted(PURPOSES)), min_size=1)),
        begins,
        begins + draw(st.integers(1, 2**33)),
        draw(TYPES),
        draw(CODES),
        since,
        until,
        draw(CODES),
        Exceptions(draw(TYPES), draw(CODES), draw(CODES)),
    )


@given(terms())
@settings(deadline=None)
def test_any_terms_come_back(made: Terms) -> None:
    consent = Consent.sign(made, PATIENT)
    assert Consent.loads(consent.to_json()).check(CUSTODIAN).terms == made


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
@settings(deadline=None, max_examples=300)
def test_any_flipped_byte_is_refused_or_says_the_same(at: int, flip: int) -> None:
    changed = bytearray(SIGNED)
    changed[at] ^= flip
    try:
        read = Consent.loads(bytes(changed))
        verified = read.check(CUSTODIAN)
    except ConsentError:
        return
    assert verified == Consent.loads(SIGNED).check(CUSTODIAN)  # hex of the other case


@given(st.sampled_from(["root", "values", "signature", "format", "kind", "holder"]), JSON)
@settings(deadline=None, max_examples=300)
def test_any_member_is_refused_by_name(name: str, value: Any) -> None:
    for text, load in ((SIGNED, Consent.loads), (WITHDRAWN, Withdrawal.loads)):
        members = json.loads(text)
        if name not in members or members[name] == value:
            continue
        try:
            load(json.dumps({**members, name: value}).encode("utf-8", "surrogatepass"))
        except ConsentError:
            continue
        raise AssertionError("a consent of other members was read")


@given(st.integers(0, 16), st.sampled_from(["type", "name", "value", "salt"]), JSON)
@settings(deadline=None, max_examples=300)
def test_any_value_is_refused_by_name(at: int, name: str, value: Any) -> None:
    members = json.loads(SIGNED)
    if members["values"][at][name] == value:
        return
    members["values"][at][name] = value
    try:
        read = Consent.loads(json.dumps(members).encode("utf-8", "surrogatepass"))
    except ConsentError:
        return
    assert read.terms == TERMS  # another spelling of the same value: 1798621200 and "1798621200"


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_refused_by_name(data: bytes) -> None:
    for load in (Consent.loads, Withdrawal.loads):
        try:
            load(data)
        except ConsentError:
            continue
        raise AssertionError("bytes were read as a consent")
    with suppress(SitePolicyError):
        SitePolicy.from_toml(data)


@given(st.text(max_size=80) | st.text("systemuserpatient/*.cruds?category=|&% ObservationCondition", max_size=60))
def test_any_scope_is_refused_or_comes_back(text: str) -> None:
    try:
        scopes = Scopes.parse(text)
    except ScopeError:
        return
    assert Scopes.parse(str(scopes)) == scopes
    assert scopes.granted(scopes).granted(scopes) == scopes.granted(scopes)


@given(terms(), terms(), CODES, TYPES)
@settings(deadline=None)
def test_excepting_more_opens_nothing(one: Terms, other: Terms, codes: frozenset[str], types: frozenset[str]) -> None:
    """A consent that excepts more never opens what it did not open before, beside any other."""
    verified = [Consent.sign(each, PATIENT).check(CUSTODIAN) for each in (one, other)]
    more = Exceptions(one.exceptions.types | types, one.exceptions.codes | codes, one.exceptions.labels | codes)
    narrowed = [replace(verified[0], terms=replace(one, exceptions=more)), verified[1]]
    requester = replace(REQUESTER, roles=frozenset(ROLES), purpose=min(one.purposes))
    for labels in (frozenset[str](), codes):
        record = replace(RECORD, codes=codes, labels=labels, is_labelled=bool(labels))
        before = decide(requester, "r", record, verified, SitePolicy(), NOW)
        after = decide(requester, "r", record, narrowed, SitePolicy(), NOW)
        assert before.is_permitted or not after.is_permitted
        assert not after.is_permitted or before.withheld <= after.withheld
