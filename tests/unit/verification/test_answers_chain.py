"""Steps 6, 8 and 9 of an answer, with a chain: anchors come with the records, and are worth what the chain says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from chartseal import errors
from chartseal.attestation import Address, Digest, Domain, recover_offchain
from chartseal.disclosure import Answered, UnverifiedAnswer, answer_record
from chartseal.sealing import SealedRecord
from chartseal.verification import (
    Accreditation,
    AnchorProof,
    AttestedTrustRoot,
    Question,
    Revocation,
    TrustedAuthority,
    TrustPolicy,
)
from tests.answering import BY_CONSENT, CUSTODIAN, NONCE, TRUST, answer, check
from tests.charts import NOW, SEALED_AT, chart

AUTHORITY = Address(b"\xaa" * 20)
HOSPITAL = Accreditation(AUTHORITY, frozenset({"hospital"}), "Example hospital")
ACCREDITED = TrustPolicy(
    domains=TRUST.domains,
    authorities=(TrustedAuthority(AUTHORITY, frozenset({"hospital"})),),
    required=frozenset({6, 8, 9, 10, 11}),
)
HOUR = timedelta(hours=1)


@dataclass
class Chain:
    """One timestamped root, one accredited issuer until a time, and what is revoked; it learns of all seals at once."""

    root: Digest
    at: datetime
    accredited_until: datetime = NOW + HOUR
    revoked: frozenset[bytes] = frozenset()
    fetched: list[int] = field(default_factory=list)

    def prefetch(self, questions: Sequence[Question], authorities: frozenset[Address]) -> None:
        self.fetched.append(len(questions))

    def timestamped_at(self, domain: Domain, root: Digest) -> datetime | None:
        return self.at if root == self.root else None

    def accreditations(
        self, domain: Domain, attester: Address, at: datetime, authorities: frozenset[Address]
    ) -> Sequence[Accreditation]:
        return [HOSPITAL] if at < self.accredited_until and AUTHORITY in authorities else []

    def revocation(
        self, domain: Domain, attester: Address, uid: Digest, authorities: frozenset[Address]
    ) -> Revocation | None:
        return Revocation(self.at, attester) if uid in self.revoked else None

    def is_valid_signature(self, domain: Domain, signer: Address, digest: Digest, signature: bytes) -> bool:
        return False

    def trust_roots(
        self, domains: frozenset[Domain] | None, authority: Address, role: str, at: datetime
    ) -> Sequence[AttestedTrustRoot]:
        return ()


@pytest.fixture(scope="module")
def pair(shared: Path) -> tuple[SealedRecord, ...]:
    return chart(shared, "Observation", "Condition")


def hashed(record: SealedRecord) -> Digest:
    return AnchorProof(()).root(recover_offchain(record.package))


def anchored(pair: Sequence[SealedRecord]) -> UnverifiedAnswer:
    """Both records with the other's leaf as their sibling."""
    first, second = pair
    made = [answer_record(first, anchor=[hashed(second)]), answer_record(second, anchor=[hashed(first)])]
    return UnverifiedAnswer(CUSTODIAN, NONCE, tuple(Answered(data, BY_CONSENT) for data in made))


def chain(pair: Sequence[SealedRecord]) -> Chain:
    first, second = pair
    return Chain(AnchorProof((hashed(second),)).root(recover_offchain(first.package)), SEALED_AT + HOUR)


def test_every_step_is_checked_with_a_chain(pair: tuple[SealedRecord, ...]) -> None:
    known = chain(pair)
    result = check(anchored(pair), ACCREDITED, chain=known)
    assert result.not_checked() == ()
    assert [record.evidence_time for record in result.records] == [SEALED_AT + HOUR] * 2
    assert known.fetched == [2]  # once for all records


def test_an_issuer_that_is_gone_was_accredited_when_it_sealed(pair: tuple[SealedRecord, ...]) -> None:
    gone = replace(chain(pair), accredited_until=NOW - HOUR)
    check(anchored(pair), ACCREDITED, chain=gone)
    lenient = replace(ACCREDITED, required=frozenset({6, 11}))
    with pytest.raises(errors.IssuerError):
        check(answer(*pair), lenient, chain=gone)
    check(answer(*pair), lenient, chain=chain(pair))


def test_an_anchor_that_does_not_hold_is_refused(pair: tuple[SealedRecord, ...]) -> None:
    first, second = pair
    wrong = answer_record(first, anchor=[hashed(first)])
    given = UnverifiedAnswer(CUSTODIAN, NONCE, (Answered(wrong, BY_CONSENT),))
    with pytest.raises(errors.AnchorError) as refused:
        check(given, ACCREDITED, chain=chain(pair))
    assert refused.value.code == "anchor_unknown"
    ours = {(first.attester, first.uid): AnchorProof((hashed(second),))}
    check(given, ACCREDITED, chain=chain(pair), anchors=ours)


def test_a_revoked_seal_is_refused(pair: tuple[SealedRecord, ...]) -> None:
    revoking = replace(chain(pair), revoked=frozenset({pair[1].uid}))
    with pytest.raises(errors.RevokedError) as refused:
        check(anchored(pair), ACCREDITED, chain=revoking)
    assert refused.value.path == "records[1]"


def test_what_a_policy_requires_is_not_passed_over(pair: tuple[SealedRecord, ...]) -> None:
    with pytest.raises(errors.NotCheckedError) as refused:
        check(answer(*pair), ACCREDITED, chain=chain(pair))
    assert refused.value.step == 9
