"""Liveness: each rule lives one second and has ended, or not begun, the next; and a naive model agrees."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.attestation import Address, Digest
from chartseal.chain.authority import Standing
from chartseal.chain.schemas import ACCREDITATION, CAUSES, WITHDRAWAL
from tests.issuers import AUTHORITY, STRANGER, granted, issuer
from tests.made_chain import MadeChain

ISSUER, OTHER = issuer(1), issuer(2)


def standing_of(chain: MadeChain, known_before: int | None = None) -> Standing:
    return Standing(chain.attestations(ACCREDITATION), chain.attestations(WITHDRAWAL), known_before=known_before)


def lives(chain: MadeChain, at: int, known_before: int | None = None) -> bool:
    return bool(standing_of(chain, known_before).live(ISSUER.address, at))


def state(chain: MadeChain, at: int) -> str:
    standing = standing_of(chain)
    [accredited] = standing.of(ISSUER.address)
    return standing.state(accredited, at)


@pytest.mark.parametrize(("valid_from", "attested_at"), [(100, 50), (50, 100), (0, 100)])
def test_it_begins_when_it_is_valid_and_attested(valid_from: int, attested_at: int) -> None:
    chain = MadeChain()
    chain.accredit(AUTHORITY, granted(ISSUER, valid_from=valid_from), attested_at)
    assert lives(chain, 100)
    assert not lives(chain, 99)
    assert state(chain, 99) == "not_begun"
    assert lives(chain, 2**62)


def test_it_expires() -> None:
    chain = MadeChain()
    chain.accredit(AUTHORITY, granted(ISSUER, expires_at=200), 100)
    assert lives(chain, 199)
    assert not lives(chain, 200)
    assert state(chain, 200) == "expired"


def test_it_is_revoked() -> None:
    chain = MadeChain()
    chain.revoke(chain.accredit(AUTHORITY, granted(ISSUER), 100), 200)
    assert lives(chain, 199)
    assert not lives(chain, 200)
    assert state(chain, 200) == "revoked"


@pytest.mark.parametrize(("since", "attested_at"), [(200, 150), (150, 200), (0, 200)])
def test_an_ordinary_withdrawal_never_reaches_back(since: int, attested_at: int) -> None:
    chain = MadeChain()
    uid = chain.accredit(AUTHORITY, granted(ISSUER), 100)
    chain.withdraw(AUTHORITY, uid, since, "ordinary", attested_at)
    assert lives(chain, 199)
    assert not lives(chain, 200)
    assert state(chain, 200) == "withdrawn"


@pytest.mark.parametrize("cause", CAUSES[1:])
def test_a_withdrawal_for_cause_reaches_back(cause: str) -> None:
    chain = MadeChain()
    uid = chain.accredit(AUTHORITY, granted(ISSUER), 100)
    chain.withdraw(AUTHORITY, uid, 150, cause, 300)
    chain.revoke(uid, 301)
    assert lives(chain, 149)
    assert not lives(chain, 150)
    assert state(chain, 150) == "withdrawn_for_cause"


def test_the_earliest_withdrawal_counts() -> None:
    chain = MadeChain()
    uid = chain.accredit(AUTHORITY, granted(ISSUER, expires_at=500), 100)
    chain.withdraw(AUTHORITY, uid, 400, "ordinary", 300)
    assert lives(chain, 399)
    chain.withdraw(AUTHORITY, uid, 300, "misconduct", 310)
    assert not lives(chain, 300)
    assert lives(chain, 299)


def test_another_authority_withdraws_nothing() -> None:
    chain = MadeChain()
    uid = chain.accredit(AUTHORITY, granted(ISSUER), 100)
    chain.withdraw(STRANGER, uid, 0, "misconduct", 150)
    assert lives(chain, 200)
    chain.withdraw(AUTHORITY, Digest(b"\x99" * 32), 0, "misconduct", 150)
    assert lives(chain, 200)


def test_one_of_two_accreditations_is_enough() -> None:
    chain = MadeChain()
    first = chain.accredit(AUTHORITY, granted(ISSUER, "pharmacy"), 100)
    chain.accredit(STRANGER, granted(ISSUER, "hospital"), 100)
    chain.withdraw(AUTHORITY, first, 0, "accredited-in-error", 150)
    [live] = standing_of(chain).live(ISSUER.address, 200)
    assert (live.authority, live.roles) == (STRANGER, frozenset({"hospital"}))
    assert len(standing_of(chain).of(ISSUER.address)) == 2
    assert not standing_of(chain).live(OTHER.address, 200)


def test_what_was_not_known_before_a_moment() -> None:
    chain = MadeChain()
    uid = chain.accredit(AUTHORITY, granted(ISSUER), 100)
    assert lives(chain, 100, known_before=101)
    assert not lives(chain, 100, known_before=100)
    chain.revoke(uid, 200)
    assert lives(chain, 250, known_before=200)
    assert not lives(chain, 250, known_before=201)
    other = chain.accredit(AUTHORITY, granted(ISSUER), 300)
    chain.withdraw(AUTHORITY, other, 310, "other", 400)
    assert lives(chain, 350, known_before=400)
    assert not lives(chain, 350, known_before=401)


def test_what_cannot_be_read_is_passed_over_and_listed() -> None:
    chain = MadeChain()
    garbled = chain.attest(ACCREDITATION, AUTHORITY, b"\x01", 100, recipient=ISSUER.address)
    nameless = chain.accredit(STRANGER, granted(ISSUER, endpoint="http://issuer.example"), 100)
    naught = chain.attest(WITHDRAWAL, AUTHORITY, b"\x02", 100)
    standing = standing_of(chain)
    assert not standing.of(ISSUER.address)
    assert [(each.uid, each.code) for each in standing.malformed] == [
        (garbled, "accreditation_malformed"),
        (nameless, "endpoint_refused"),
        (naught, "withdrawal_malformed"),
    ]


def test_successors_are_live_and_name_whom_they_follow() -> None:
    chain = MadeChain()
    uid = chain.accredit(AUTHORITY, granted(OTHER, predecessor=ISSUER.address, valid_from=200), 100)
    chain.withdraw(AUTHORITY, uid, 300, "ordinary", 250)
    standing = standing_of(chain)
    assert [each.issuer for each in standing.successors(ISSUER.address, 200)] == [OTHER.address]
    assert [each.issuer for each in standing.successors(ISSUER.address, 299)] == [OTHER.address]
    assert not standing.successors(ISSUER.address, 199)
    assert not standing.successors(ISSUER.address, 300)
    assert not standing.successors(OTHER.address, 250)
    assert not standing.successors(Address(bytes(20)), 250)


TIMES = st.integers(0, 12)
ENDS = st.integers(0, 14)


@st.composite
def histories(draw: st.DrawFn) -> MadeChain:
    chain, uids = MadeChain(), []
    for _ in range(draw(st.integers(1, 3))):
        grant = granted(ISSUER, valid_from=draw(TIMES), expires_at=draw(ENDS), proving_key=bytes(32), possession=b"")
        uids.append(chain.accredit(draw(st.sampled_from([AUTHORITY, STRANGER])), grant, draw(TIMES)))
    for uid in draw(st.lists(st.sampled_from(uids), unique=True)):
        if at := draw(ENDS):
            chain.revoke(uid, at)
    for uid in draw(st.lists(st.sampled_from(uids), max_size=3)):
        who = draw(st.sampled_from([AUTHORITY, STRANGER]))
        chain.withdraw(who, uid, draw(TIMES), draw(st.sampled_from(CAUSES)), draw(TIMES))
    return chain


def naive(chain: MadeChain, at: int) -> set[Digest]:
    """Second by second: an accreditation stands until something ended it at this second or an earlier one."""
    live = set()
    for each in chain.attestations(ACCREDITATION):
        valid_from = int.from_bytes(each.data[6 * 32 : 7 * 32])
        begun = ended = False
        for second in range(at + 1):
            begun = begun or (second >= valid_from and second >= each.time)
            ended = ended or second in {each.expiration_time, each.revocation_time} - {0}
            for withdrawal in chain.attestations(WITHDRAWAL, attester=each.attester):
                named, since, cause = (withdrawal.data[i : i + 32] for i in (0, 32, 64))
                reached = second >= int.from_bytes(since) and (any(cause) or second >= withdrawal.time)
                ended = ended or (named == each.uid and reached)
        if begun and not ended:
            live.add(each.uid)
    return live


@settings(max_examples=150, deadline=None)
@given(histories())
def test_liveness_equals_a_naive_model(chain: MadeChain) -> None:
    standing = standing_of(chain)
    for at in range(16):
        live = {each.uid for each in standing.live(ISSUER.address, at)}
        assert live == naive(chain, at)
        for accredited in standing.of(ISSUER.address):
            assert (standing.state(accredited, at) == "live") == (accredited.uid in live)
