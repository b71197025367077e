"""Steps 6, 8 and 9 with a chain: a fake one, which the protocol lets stand for a node's client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core, errors
from chartseal.attestation import Address, Digest, Domain, from_hex, recover_offchain, to_hex
from chartseal.disclosure import UnverifiedDisclosure
from chartseal.errors import PackageError, VerificationError
from chartseal.verification import (
    Accreditation,
    AnchorProof,
    ChainView,
    TrustedIssuer,
    TrustPolicy,
    VerifiedDisclosure,
    anchor_leaf,
    verify,
)
from tests.charts import AUDIENCE, DOMAIN, ISSUER, NONCE, NOW, SEALED_AT, chart, open_paths, vector_record

AUTHORITY = Address(b"\xaa" * 20)
POLICY = TrustPolicy(issuers=(TrustedIssuer(ISSUER, "Example hospital"),), domains=frozenset({DOMAIN}))
ACCREDITED = replace(POLICY, issuers=(), authorities=frozenset({AUTHORITY}))
DAY = timedelta(days=1)


@dataclass
class FakeChain:
    """Finalised state of one chain. `accredited` are (accreditation, from, until)."""

    timestamps: dict[bytes, datetime] = field(default_factory=dict)
    accredited: list[tuple[Accreditation, datetime, datetime]] = field(default_factory=list)
    revoked: dict[tuple[bytes, bytes], datetime] = field(default_factory=dict)

    def timestamped_at(self, domain: Domain, root: Digest) -> datetime | None:
        return self.timestamps.get(root) if domain == DOMAIN else None

    def accreditations(self, attester: Address, at: datetime) -> Sequence[Accreditation]:
        return [each for each, begins, ends in self.accredited if attester == ISSUER and begins <= at < ends]

    def revoked_at(self, domain: Domain, attester: Address, uid: Digest) -> datetime | None:
        return self.revoked.get((attester, uid)) if domain == DOMAIN else None


@pytest.fixture(scope="module")
def disclosure(shared: Path) -> UnverifiedDisclosure:
    return open_paths(chart(shared, "Observation", "Condition"), "Observation.value", "Condition.code")


def check(disclosure: UnverifiedDisclosure, trust: TrustPolicy, chain: ChainView, **options: Any) -> VerifiedDisclosure:
    given: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "now": NOW, **options}
    return verify(disclosure, trust, chain=chain, **given)


def refused(error: type[VerificationError], code: str, *args: Any, **options: Any) -> None:
    with pytest.raises(error) as caught:
        check(*args, **options)
    assert caught.value.code == code


def leaf(uid: bytes, signature_hash: bytes) -> Digest:
    return Digest(_core.keccak256(_core.keccak256(anchor_leaf(uid, signature_hash))))


def anchored(disclosure: UnverifiedDisclosure, at: datetime) -> tuple[FakeChain, dict[Any, AnchorProof]]:
    """A chain that timestamped one anchor of both seals."""
    seals = [recover_offchain(record.package) for record in disclosure.records]
    leaves = [leaf(seal.uid, _core.keccak256(seal.signature)) for seal in seals]
    tree = _core.MerkleTree(leaves)
    proofs = {(seal.attester, seal.uid): AnchorProof((leaves[1 - position],)) for position, seal in enumerate(seals)}
    return FakeChain({tree.root: at}), proofs


def test_the_anchor_of_all_vectors(shared: Path) -> None:
    expected = json.loads((shared / "vectors/formats/once.json").read_text())["anchor"]
    seals = [(from_hex(uid, ""), from_hex(signature_hash, "")) for uid, signature_hash in expected["seals"]]
    tree = _core.MerkleTree([leaf(*seal) for seal in seals])
    assert to_hex(tree.root) == expected["root"]
    seal = recover_offchain(vector_record(shared, "Observation").package)
    at = seals.index((seal.uid, _core.keccak256(seal.signature)))
    siblings = tuple(Digest(sibling) for sibling in tree.multiproof([at])[1])
    assert AnchorProof(siblings).root(seal) == tree.root
    assert AnchorProof(siblings[1:]).root(seal) != tree.root


def test_step_6_by_accreditation(disclosure: UnverifiedDisclosure) -> None:
    good = (Accreditation(AUTHORITY, "issuer", "Example hospital"), SEALED_AT - DAY, NOW + DAY)
    assert check(disclosure, ACCREDITED, FakeChain(accredited=[good])).records[0].issuer == "Example hospital"
    for other in (
        (good[0]._replace(role="payer"), *good[1:]),
        (good[0]._replace(authority=ISSUER), *good[1:]),
        (good[0], NOW + timedelta(seconds=1), NOW + DAY),
        (good[0], SEALED_AT - DAY, NOW),
    ):
        refused(errors.IssuerError, "issuer_untrusted", disclosure, ACCREDITED, FakeChain(accredited=[other]))
    nobody = replace(ACCREDITED, authorities=frozenset())
    refused(errors.IssuerError, "issuer_untrusted", disclosure, nobody, FakeChain(accredited=[good]))


def test_a_withdrawn_issuer_counts_only_for_what_was_anchored_before(disclosure: UnverifiedDisclosure) -> None:
    evidence = SEALED_AT + timedelta(hours=5)
    ended = (Accreditation(AUTHORITY, "issuer", "Example hospital"), SEALED_AT - DAY, NOW)
    chain, proofs = anchored(disclosure, evidence)
    chain.accredited.append(ended)
    result = check(disclosure, ACCREDITED, chain, anchors=proofs)
    assert result.records[0].evidence_time == evidence
    refused(errors.IssuerError, "issuer_untrusted", disclosure, ACCREDITED, chain)
    by_name = replace(POLICY, issuers=(TrustedIssuer(ISSUER, "Example hospital", None, NOW),))
    check(disclosure, by_name, chain, anchors=proofs)
    refused(errors.IssuerError, "issuer_untrusted", disclosure, by_name, chain)


def test_step_8_revoked(disclosure: UnverifiedDisclosure) -> None:
    record = disclosure.records[1]
    result = check(disclosure, replace(POLICY, required=frozenset({6, 8, 11})), FakeChain())
    assert result.steps[7].state == "checked"
    refused(errors.RevokedError, "seal_revoked", disclosure, POLICY, FakeChain(revoked={record.identity: NOW - DAY}))
    check(disclosure, POLICY, FakeChain(revoked={(AUTHORITY, record.package.uid): NOW}))


def test_step_9_anchored_in_time(disclosure: UnverifiedDisclosure) -> None:
    strict = replace(POLICY, required=frozenset({6, 8, 9, 11}), largest_delay=timedelta(hours=1))
    second = timedelta(seconds=1)
    for evidence in (SEALED_AT - POLICY.clock_skew, SEALED_AT + strict.largest_delay):
        chain, proofs = anchored(disclosure, evidence)
        result = check(disclosure, strict, chain, anchors=proofs)
        assert [record.evidence_time for record in result.records] == [evidence] * 2
        assert not result.not_checked()
    for evidence in (SEALED_AT - POLICY.clock_skew - second, SEALED_AT + strict.largest_delay + second):
        chain, proofs = anchored(disclosure, evidence)
        refused(errors.AnchorError, "evidence_time", disclosure, strict, chain, anchors=proofs)
    chain, proofs = anchored(disclosure, NOW + POLICY.clock_skew + second)
    refused(errors.AnchorError, "evidence_time", disclosure, POLICY, chain, anchors=proofs)


def test_step_9_what_no_anchor_holds(disclosure: UnverifiedDisclosure) -> None:
    strict = replace(POLICY, required=frozenset({9}))
    chain, proofs = anchored(disclosure, SEALED_AT)
    first, second = proofs
    swapped = {first: proofs[second], second: proofs[first]}
    refused(errors.AnchorError, "anchor_unknown", disclosure, POLICY, chain, anchors=swapped)
    refused(errors.AnchorError, "anchor_unknown", disclosure, POLICY, FakeChain(), anchors=proofs)
    half = {first: proofs[first]}
    refused(errors.NotCheckedError, "step_not_checked", disclosure, strict, chain, anchors=half)
    assert "1 of 2" in check(disclosure, POLICY, chain, anchors=half).steps[8].reason
    refused(errors.NotCheckedError, "step_not_checked", disclosure, strict, chain)


def test_proofs_as_json() -> None:
    proof = AnchorProof((Digest(b"\1" * 32), Digest(b"\2" * 32)))
    assert AnchorProof.from_json(proof.to_json()) == proof
    others: list[Any] = [{}, ["0x00"], ["0x" + "00" * 32] * 65, [1]]
    for bad in others:
        with pytest.raises(PackageError):
            AnchorProof.from_json(bad)
