"""What a verifier is told of a chain: each rule beside its neighbour one second or one key away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chartseal.attestation import PRIVATE_DATA_SCHEMA, ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from chartseal.chain.authority import Grant
from chartseal.chain.facts import Attestation
from chartseal.chain.schemas import ACCREDITATION, PRIVATE_DATA
from chartseal.chain.view import FactsView
from chartseal.errors import NodeError
from chartseal.verification import Accreditation, ChainView, Revocation
from tests.charts import DOMAIN
from tests.memory_facts import MemoryFacts, block

ISSUER, SUCCESSOR, STRANGER = (Address(bytes([each]) * 20) for each in (0x11, 0x12, 0x13))
BOARD, OTHER_BOARD = Address(b"\xaa" * 20), Address(b"\xbb" * 20)
BOARDS = frozenset({BOARD})
UID, ROOT = Digest(b"\x51" * 32), Digest(b"\x52" * 32)
START, FINAL, HEAD = 1_000_000, 2_000_000, 2_000_500
"""When the chain of these tests begins, the last second of which all is final, and the time of its newest block."""


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.fixture
def facts() -> MemoryFacts:
    return MemoryFacts(block(110, HEAD), block(100, FINAL + 1))


def grant(issuer: Address = ISSUER, predecessor: Address = ZERO_ADDRESS, expires_at: int = 0) -> Grant:
    roles = frozenset({"hospital"})
    return Grant(issuer=issuer, name="Example", roles=roles, predecessor=predecessor, expires_at=expires_at)


def is_accredited(facts: MemoryFacts, at: int, authorities: frozenset[Address] = BOARDS) -> bool:
    found = FactsView([facts]).accreditations(DOMAIN, ISSUER, moment(at), authorities)
    assert found in ([], [Accreditation(BOARD, frozenset({"hospital"}), "Example")])
    return bool(found)


def revocation(facts: MemoryFacts, authorities: frozenset[Address] = BOARDS) -> Revocation | None:
    return FactsView([facts]).revocation(DOMAIN, ISSUER, UID, authorities)


def test_a_view_is_what_verification_asks(facts: MemoryFacts) -> None:
    view: ChainView = FactsView([facts])
    assert view.timestamped_at(DOMAIN, ROOT) is None


def test_an_anchor_counts_once_it_is_final(facts: MemoryFacts) -> None:
    for at, found in ((FINAL, moment(FINAL)), (FINAL + 1, None)):
        facts.timestamps[ROOT] = at
        assert FactsView([facts]).timestamped_at(DOMAIN, ROOT) == found
    assert FactsView([facts]).timestamped_at(DOMAIN, UID) is None


def test_blocks_that_share_the_final_ones_second_are_not_final(facts: MemoryFacts) -> None:
    for final, found in ((block(109, HEAD), None), (block(110, HEAD), moment(HEAD))):
        facts.final, facts.timestamps[ROOT] = final, HEAD
        assert FactsView([facts]).timestamped_at(DOMAIN, ROOT) == found


def test_an_accreditation_counts_once_it_is_final(facts: MemoryFacts) -> None:
    facts.accredit(BOARD, grant(), FINAL + 1)
    assert not is_accredited(facts, HEAD)
    facts.made.clear()
    facts.accredit(BOARD, grant(), FINAL)
    assert is_accredited(facts, HEAD)
    assert is_accredited(facts, FINAL)
    assert not is_accredited(facts, FINAL - 1)


def test_only_the_authorities_that_are_named_accredit(facts: MemoryFacts) -> None:
    facts.accredit(OTHER_BOARD, grant(), START)
    facts.accredit(ISSUER, grant(), START)
    facts.accredit(BOARD, grant(SUCCESSOR), START)
    assert not is_accredited(facts, HEAD)
    assert not is_accredited(facts, HEAD, frozenset())
    facts.accredit(BOARD, grant(), START)
    assert is_accredited(facts, HEAD)


@pytest.mark.parametrize(("cause", "live_at_anchor"), [("ordinary", True), ("key-compromise", False)])
def test_a_withdrawal_counts_at_once_and_for_cause_reaches_back(
    facts: MemoryFacts, cause: str, live_at_anchor: bool
) -> None:
    anchored, withdrawn = FINAL - 1_000, FINAL + 1  # the withdrawal's block is not final yet
    given = facts.accredit(BOARD, grant(), START)
    facts.withdraw(given, anchored - 1, cause, withdrawn)
    assert is_accredited(facts, anchored) is live_at_anchor
    assert is_accredited(facts, withdrawn - 1) is live_at_anchor
    assert not is_accredited(facts, withdrawn)
    assert is_accredited(facts, anchored - 2)


def test_an_accreditation_revoked_at_once_no_longer_counts(facts: MemoryFacts) -> None:
    facts.revoke(facts.accredit(BOARD, grant(), START), FINAL + 1)
    assert is_accredited(facts, FINAL)
    assert not is_accredited(facts, FINAL + 1)


def test_an_accreditation_that_cannot_be_read_is_none(facts: MemoryFacts) -> None:
    facts.attest(ACCREDITATION, BOARD, b"\1", START, recipient=ISSUER)
    assert not is_accredited(facts, HEAD)
    facts.revoked[BOARD, UID] = HEAD
    assert revocation(facts) is None


def test_an_attester_revokes_its_own_at_once(facts: MemoryFacts) -> None:
    assert revocation(facts) is None
    facts.revoked[STRANGER, UID] = HEAD
    facts.revoked[ISSUER, ROOT] = HEAD
    assert revocation(facts) is None
    facts.revoked[ISSUER, UID] = HEAD
    assert revocation(facts, frozenset()) == Revocation(moment(HEAD), ISSUER)
    assert FactsView([facts]).revocation(DOMAIN, STRANGER, UID, BOARDS) is not None
    assert FactsView([facts]).revocation(DOMAIN, SUCCESSOR, UID, BOARDS) is None


def test_an_authority_revokes_for_whom_it_ever_accredited(facts: MemoryFacts) -> None:
    facts.revoked[BOARD, UID] = HEAD
    assert revocation(facts) is None
    given = facts.accredit(BOARD, grant(expires_at=START + 1), HEAD)  # not final, and over
    assert revocation(facts) == Revocation(moment(HEAD), BOARD)
    facts.withdraw(given, START, "accredited-in-error", START)
    facts.revoke(given, START)
    assert revocation(facts) == Revocation(moment(HEAD), BOARD)
    assert revocation(facts, frozenset({OTHER_BOARD})) is None
    assert FactsView([facts]).revocation(DOMAIN, STRANGER, UID, BOARDS) is None


def test_a_successor_revokes_only_while_it_is_accredited_as_one(facts: MemoryFacts) -> None:
    given = facts.accredit(BOARD, grant(SUCCESSOR, ISSUER, expires_at=FINAL - 10), FINAL - 100)
    for at, counts in ((FINAL - 101, False), (FINAL - 100, True), (FINAL - 11, True), (FINAL - 10, False)):
        facts.revoked[SUCCESSOR, UID] = at
        assert revocation(facts) == (Revocation(moment(at), SUCCESSOR) if counts else None)
    facts.revoked[SUCCESSOR, UID] = FINAL - 11
    assert revocation(facts, frozenset({OTHER_BOARD})) is None
    facts.withdraw(given, START, "key-compromise", FINAL)
    assert revocation(facts) is None


def test_nobody_succeeds_by_a_strangers_word_or_another_predecessor(facts: MemoryFacts) -> None:
    facts.accredit(OTHER_BOARD, grant(SUCCESSOR, ISSUER), START)
    facts.accredit(BOARD, grant(SUCCESSOR, STRANGER), START)
    facts.accredit(BOARD, grant(SUCCESSOR), START)
    facts.revoked[SUCCESSOR, UID] = HEAD
    assert revocation(facts) is None


def test_what_is_not_final_takes_no_revocation_away(facts: MemoryFacts) -> None:
    given = facts.accredit(BOARD, grant(SUCCESSOR, ISSUER), START)
    facts.revoked[SUCCESSOR, UID] = FINAL + 10
    facts.withdraw(given, START, "key-compromise", FINAL + 1)
    facts.revoke(given, FINAL + 1)
    assert revocation(facts) == Revocation(moment(FINAL + 10), SUCCESSOR)


def on_chain(attester: Address, revoked_at: int) -> Attestation:
    return Attestation(
        UID, PRIVATE_DATA_SCHEMA, START, 0, revoked_at, ZERO_DIGEST, ZERO_ADDRESS, attester, True, bytes(32)
    )


def test_a_seal_on_chain_is_revoked_there_by_its_attester(facts: MemoryFacts) -> None:
    for attester, revoked_at, found in (
        (ISSUER, 0, None),
        (STRANGER, HEAD, None),
        (ISSUER, HEAD, Revocation(moment(HEAD), ISSUER)),
    ):
        facts.made = [(PRIVATE_DATA, on_chain(attester, revoked_at))]
        assert revocation(facts) == found


def test_the_earliest_revocation_is_told_with_its_own_last_reason(facts: MemoryFacts) -> None:
    facts.accredit(BOARD, grant(), START)
    facts.revoked[ISSUER, UID], facts.revoked[BOARD, UID] = HEAD, HEAD - 1
    facts.state_reason(ISSUER, UID, 1, HEAD)
    facts.state_reason(STRANGER, UID, 4, HEAD)
    facts.state_reason(BOARD, ROOT, 4, HEAD)
    assert revocation(facts) == Revocation(moment(HEAD - 1), BOARD)
    for code, word in ((0, "other"), (2, "entered-in-error"), (5, None)):
        facts.state_reason(BOARD, UID, code, HEAD)
        assert revocation(facts) == Revocation(moment(HEAD - 1), BOARD, word)


def test_another_chain_is_never_answered_for(facts: MemoryFacts) -> None:
    view = FactsView([facts])
    for other in (replace(DOMAIN, chain_id=1), replace(DOMAIN, contract=STRANGER), replace(DOMAIN, version="1.3.0")):
        for ask in (
            lambda domain: view.timestamped_at(domain, ROOT),
            lambda domain: view.accreditations(domain, ISSUER, moment(HEAD), BOARDS),
            lambda domain: view.revocation(domain, ISSUER, UID, BOARDS),
            lambda domain: view.is_valid_signature(domain, ISSUER, ROOT, b""),
        ):
            with pytest.raises(NodeError) as refused:
                ask(other)
            assert refused.value.code == "chain_unknown"


@pytest.mark.parametrize("broken", ["attestation", "attestations", "revoked_offchain"])
def test_silence_is_not_an_answer(facts: MemoryFacts, broken: str) -> None:
    facts.broken = broken
    with pytest.raises(NodeError):
        revocation(facts)


def test_a_view_follows_its_facts(facts: MemoryFacts) -> None:
    view, now = FactsView([facts]), moment(HEAD) + timedelta(seconds=1)
    assert not view.accreditations(DOMAIN, ISSUER, now, BOARDS)
    facts.accredit(BOARD, grant(), START)
    facts.head = block(111, HEAD + 1)
    assert view.accreditations(DOMAIN, ISSUER, now, BOARDS)
