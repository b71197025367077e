"""Steps 6, 8 and 9 with a chain: a fake one, which the protocol lets stand for a node's client."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core, errors
from chartseal.attestation import (
    ZERO_ADDRESS,
    Address,
    Digest,
    Domain,
    from_hex,
    offchain_uid,
    recover_offchain,
    to_hex,
)
from chartseal.disclosure import UnverifiedDisclosure, UnverifiedRecord
from chartseal.errors import NodeError, PackageError, VerificationError
from chartseal.sealing import SealedRecord
from chartseal.verification import (
    Accreditation,
    AnchorProof,
    AttestedTrustRoot,
    ChainView,
    IssuedUnder,
    Issuer,
    Question,
    Revocation,
    TrustedAuthority,
    TrustedIssuer,
    TrustPolicy,
    UnsafeTrustAnyone,
    VerifiedDisclosure,
    anchor_leaf,
    verify,
    verify_seals,
)
from tests.charts import (
    AUDIENCE,
    DOMAIN,
    HOLDER,
    ISSUER,
    NONCE,
    NOW,
    SEALED_AT,
    chart,
    open_paths,
    resource_fields,
    sealed,
    vector_record,
    vectors,
)

AUTHORITY = Address(b"\xaa" * 20)
POLICY = TrustPolicy(issuers=(TrustedIssuer(ISSUER, "Example hospital"),), domains=frozenset({DOMAIN}))
BOARD = TrustedAuthority(AUTHORITY, frozenset({"hospital", "pharmacy"}))
ACCREDITED = replace(POLICY, issuers=(), authorities=(BOARD,))
HOSPITAL = Accreditation(AUTHORITY, frozenset({"hospital", "device"}), "Example hospital")
WALLET = Address(b"\xcc" * 20)
DAY = timedelta(days=1)


@dataclass
class FakeChain:
    """What one chain says. `accredited` are (accreditation, from, until), `signed` (signer, digest, signature)."""

    timestamps: dict[bytes, datetime] = field(default_factory=dict)
    accredited: list[tuple[Accreditation, datetime, datetime]] = field(default_factory=list)
    revoked: dict[tuple[bytes, bytes], Revocation] = field(default_factory=dict)
    signed: Set[tuple[bytes, bytes, bytes]] = frozenset()
    asked: list[frozenset[Address]] = field(default_factory=list)

    def timestamped_at(self, domain: Domain, root: Digest) -> datetime | None:
        return self.timestamps.get(root) if domain == DOMAIN else None

    def accreditations(
        self, domain: Domain, attester: Address, at: datetime, authorities: frozenset[Address]
    ) -> Sequence[Accreditation]:
        self.asked.append(authorities)
        mine = attester == ISSUER and domain == DOMAIN
        return [each for each, begins, ends in self.accredited if mine and begins <= at < ends]

    def revocation(
        self, domain: Domain, attester: Address, uid: Digest, authorities: frozenset[Address]
    ) -> Revocation | None:
        self.asked.append(authorities)
        return self.revoked.get((attester, uid)) if domain == DOMAIN else None

    def is_valid_signature(self, domain: Domain, signer: Address, digest: Digest, signature: bytes) -> bool:
        return domain == DOMAIN and (signer, digest, signature) in self.signed

    def trust_roots(
        self, domains: frozenset[Domain] | None, authority: Address, role: str, at: datetime
    ) -> Sequence[AttestedTrustRoot]:
        return ()


@dataclass
class Unreachable(FakeChain):
    """A chain whose node answers some questions and fails at the one named."""

    failing: str = ""

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "failing"):
            raise NodeError("the node cannot be reached", "node_unreachable", "node.example")
        return object.__getattribute__(self, name)


@dataclass
class Batching(FakeChain):
    """A chain that learns beforehand."""

    questions: list[Question] = field(default_factory=list)

    def prefetch(self, questions: Sequence[Question], authorities: frozenset[Address]) -> None:
        self.questions += questions


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
    good = (HOSPITAL, SEALED_AT - DAY, NOW + DAY)
    chain = FakeChain(accredited=[good])
    record = check(disclosure, ACCREDITED, chain).records[0]
    assert (record.issuer, record.issued_under) == ("Example hospital", IssuedUnder(AUTHORITY, frozenset({"hospital"})))
    assert set(chain.asked) == {frozenset({AUTHORITY})}
    for other in (
        (HOSPITAL._replace(roles=frozenset({"device"})), *good[1:]),
        (HOSPITAL._replace(roles=frozenset()), *good[1:]),
        (HOSPITAL._replace(authority=ISSUER), *good[1:]),
        (HOSPITAL, NOW + timedelta(seconds=1), NOW + DAY),
        (HOSPITAL, SEALED_AT - DAY, NOW),
    ):
        refused(errors.IssuerError, "issuer_untrusted", disclosure, ACCREDITED, FakeChain(accredited=[other]))
    refused(errors.IssuerError, "issuer_untrusted", disclosure, replace(ACCREDITED, authorities=()), chain)
    devices = replace(ACCREDITED, authorities=(BOARD, TrustedAuthority(ISSUER, frozenset({"device"}))))
    record = check(disclosure, devices, chain).records[0]
    assert record.issued_under == IssuedUnder(AUTHORITY, frozenset({"hospital"})), (
        "one authority's roles are not another's"
    )
    assert check(disclosure, POLICY, chain).records[0].issued_under is None


def test_a_withdrawn_issuer_counts_only_for_what_was_anchored_before(disclosure: UnverifiedDisclosure) -> None:
    evidence = SEALED_AT + timedelta(hours=5)
    chain, proofs = anchored(disclosure, evidence)
    chain.accredited.append((HOSPITAL, SEALED_AT - DAY, NOW))
    result = check(disclosure, ACCREDITED, chain, anchors=proofs)
    assert result.records[0].evidence_time == evidence
    refused(errors.IssuerError, "issuer_untrusted", disclosure, ACCREDITED, chain)
    by_name = replace(POLICY, issuers=(TrustedIssuer(ISSUER, "Example hospital", None, NOW),))
    check(disclosure, by_name, chain, anchors=proofs)
    refused(errors.IssuerError, "issuer_untrusted", disclosure, by_name, chain)


def test_an_issuer_accredited_only_after_the_anchor_is_told_so(disclosure: UnverifiedDisclosure) -> None:
    evidence = SEALED_AT + timedelta(hours=5)
    chain, proofs = anchored(disclosure, evidence)
    chain.accredited.append((HOSPITAL, evidence + timedelta(seconds=1), NOW + DAY))
    refused(errors.IssuerError, "issuer_untrusted_then", disclosure, ACCREDITED, chain, anchors=proofs)
    check(disclosure, ACCREDITED, chain)
    chain.accredited[:] = [(HOSPITAL, evidence, NOW + DAY)]
    check(disclosure, ACCREDITED, chain, anchors=proofs)


def test_step_8_revoked(disclosure: UnverifiedDisclosure) -> None:
    record = disclosure.records[1]
    result = check(disclosure, replace(POLICY, required=frozenset({6, 8, 11})), FakeChain())
    assert result.steps[7].state == "checked"
    for by, reason, told in ((ISSUER, "amended", "its attester, reason amended"), (AUTHORITY, None, "by 0x")):
        found = Revocation(NOW - DAY, by, reason)
        with pytest.raises(errors.RevokedError, match=told) as caught:
            check(disclosure, POLICY, FakeChain(revoked={record.identity: found}))
        assert (caught.value.at, caught.value.by, caught.value.reason) == found
        assert (caught.value.code, caught.value.path) == ("seal_revoked", "records[1]")
    other: dict[tuple[bytes, bytes], Revocation] = {(AUTHORITY, record.package.uid): Revocation(NOW, ISSUER)}
    check(disclosure, POLICY, FakeChain(revoked=other))


@pytest.mark.parametrize("failing", ["timestamped_at", "accreditations", "revocation"])
def test_a_chain_that_cannot_answer_verifies_nothing(disclosure: UnverifiedDisclosure, failing: str) -> None:
    chain, proofs = anchored(disclosure, SEALED_AT)
    good = [(HOSPITAL, SEALED_AT - DAY, NOW + DAY)]
    check(disclosure, ACCREDITED, Unreachable(chain.timestamps, good), anchors=proofs)
    with pytest.raises(NodeError) as caught:
        check(disclosure, ACCREDITED, Unreachable(chain.timestamps, good, failing=failing), anchors=proofs)
    assert caught.value.code == "node_unreachable"


def restated(records: Sequence[SealedRecord], **change: Any) -> UnverifiedDisclosure:
    """The records' values shown by their holder, under seals that say something else."""
    plain = open_paths(records, "Observation.value")
    shown = {record.identity: record for record in plain.records}
    changed = [replace(shown[r.attester, r.uid], package=replace(r.package, **change)) for r in records]
    disclosure = replace(plain, records=tuple(sorted(changed, key=lambda each: each.identity)))
    held = {record.package.message.data: record for record in records}

    def sign(record: UnverifiedRecord) -> bytes:
        own, digest, expiry = held[record.package.message.data], disclosure.digest(), disclosure.expiry
        return HOLDER.sign_disclosure(own.enc, own.subject, digest, audience=AUDIENCE, nonce=NONCE, expiry=expiry)

    return replace(disclosure, records=tuple(replace(each, signature=sign(each)) for each in disclosure.records))


def test_step_5_a_contract_signs(shared: Path) -> None:
    disclosure = restated(chart(shared, "Observation"), signer=WALLET)
    [(digest, signature)] = [(each.package.digest(), each.package.signature) for each in disclosure.records]
    chain, named = FakeChain(signed={(WALLET, digest, signature)}), TrustedIssuer(WALLET, "Example clinic")
    trust = replace(POLICY, issuers=(named,))
    record = check(disclosure, trust, chain).records[0]
    assert (record.attestation.attester, record.issuer) == (WALLET, "Example clinic")
    refused(errors.IssuerError, "issuer_untrusted", disclosure, POLICY, chain)  # its key's owner is not who signed
    for other in (set(), {(ISSUER, digest, signature)}, {(WALLET, digest, bytes(65))}):
        refused(errors.SealError, "signer_mismatch", disclosure, trust, FakeChain(signed=other))
    with pytest.raises(errors.SealError):
        verify(disclosure, trust, audience=AUDIENCE, nonce=NONCE, now=NOW)
    elsewhere, broken = replace(trust, domains=frozenset()), Unreachable(failing="is_valid_signature")
    refused(errors.SealError, "domain_refused", disclosure, elsewhere, broken)
    with pytest.raises(NodeError):
        check(disclosure, trust, broken)


def test_no_anchor_dates_a_contracts_signature(shared: Path) -> None:
    """Whoever holds the contract today can make it take bytes that were anchored while it was accredited."""
    disclosure = restated(chart(shared, "Observation"), signer=WALLET)
    [package] = [each.package for each in disclosure.records]
    root = leaf(package.uid, _core.keccak256(package.signature))
    proofs = {(WALLET, package.uid): AnchorProof(())}
    chain = FakeChain({root: SEALED_AT + timedelta(hours=5)}, signed={(WALLET, package.digest(), package.signature)})
    lapsed, named = (
        replace(POLICY, issuers=(TrustedIssuer(WALLET, "Example clinic", None, until),)) for until in (NOW, None)
    )
    refused(errors.IssuerError, "issuer_untrusted", disclosure, lapsed, chain, anchors=proofs)
    result = check(disclosure, named, chain, anchors=proofs)
    assert result.records[0].evidence_time is None
    assert (result.steps[8].state, result.steps[8].reason) == (
        "not checked",
        "no anchor dates 1 of 1 seals, signed by contracts",
    )
    strict = replace(named, required=frozenset({9}))
    refused(errors.NotCheckedError, "step_not_checked", disclosure, strict, chain, anchors=proofs)


class Willing(FakeChain):
    """A chain on which every contract takes every signature."""

    def is_valid_signature(self, domain: Domain, signer: Address, digest: Digest, signature: bytes) -> bool:
        return True


def test_step_5_no_contract_mends_a_uid_or_a_seal_of_another_form(shared: Path) -> None:
    records = chart(shared, "Observation")
    message = replace(records[0].package.message, revocable=False)
    for code, change in (
        ("uid_mismatch", {"uid": Digest(b"\1" * 32)}),
        ("signer_mismatch", {"signer": ZERO_ADDRESS}),
        ("seal_form", {"message": message, "uid": offchain_uid(message)}),
    ):
        refused(errors.SealError, code, restated(records, **change), UnsafeTrustAnyone(), Willing())
    check(restated(records, signature=bytes(65)), UnsafeTrustAnyone(), Willing())


def test_a_batching_view_learns_of_all_seals_first(disclosure: UnverifiedDisclosure) -> None:
    chain, proofs = anchored(disclosure, SEALED_AT)
    batching, (first, second) = Batching(chain.timestamps), proofs.keys()
    check(disclosure, POLICY, batching, anchors={first: proofs[first]})
    [root] = chain.timestamps
    assert batching.questions == [
        Question(DOMAIN, first[0], first[1], Digest(root)),
        Question(DOMAIN, second[0], second[1]),
    ]


def test_what_a_seal_amends_is_told_once_opened(shared: Path) -> None:
    vector = vectors(shared)["Observation"]
    old = Digest(b"\5" * 32)
    record = sealed("Observation", resource_fields(vector), amends=old)
    assert (
        check(open_paths([record], "Observation.value", "chartseal.amends"), POLICY, FakeChain()).records[0].amends
        == old
    )
    assert check(open_paths([record], "Observation.value"), POLICY, FakeChain()).records[0].amends is None
    [plain] = chart(shared, "Observation")
    assert (
        check(open_paths([plain], "Observation.value", "chartseal.amends"), POLICY, FakeChain()).records[0].amends
        is None
    )


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


def test_seals_alone(disclosure: UnverifiedDisclosure) -> None:
    chain, proofs = anchored(disclosure, SEALED_AT)
    chain.accredited.append((HOSPITAL, SEALED_AT - DAY, NOW + DAY))
    packages = [record.package for record in disclosure.records]
    found = verify_seals(packages, ACCREDITED, now=NOW, chain=chain, anchors=proofs)
    issuer = Issuer("Example hospital", IssuedUnder(AUTHORITY, frozenset({"hospital"})))
    assert [(each.attestation.uid, each.issuer, each.evidence_time) for each in found] == [
        (package.uid, issuer, SEALED_AT) for package in packages
    ]
    assert verify_seals(packages, POLICY, now=NOW)[0].evidence_time is None
    chain.revoked[packages[1].signer, packages[1].uid] = Revocation(NOW, ISSUER)
    with pytest.raises(errors.RevokedError) as revoked:
        verify_seals(packages, ACCREDITED, now=NOW, chain=chain)
    assert revoked.value.path == "seals[1]"
    with pytest.raises(errors.SealError):
        verify_seals([replace(packages[0], signature=bytes(65))], POLICY, now=NOW)
    with pytest.raises(errors.NotCheckedError):
        verify_seals(packages, replace(POLICY, required=frozenset({8})), now=NOW)
