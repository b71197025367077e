"""Step 12: proofs of the right questions about the right records for this verifier alone; each attack by its name.

What is public is held against the verifier's own here; a stand-in takes the proofs' equations. Real proofs:
tests/unit/disclosure/test_proving.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chartseal import _core, errors
from chartseal.attestation import Address, Digest, Domain
from chartseal.disclosure import Choice, Selection, UnverifiedDisclosure, UnverifiedProof, present, select
from chartseal.disclosure.binding import FIELD_ORDER, Binding, Terms
from chartseal.errors import ProofError, VerificationError
from chartseal.record import open_along
from chartseal.sealing import SealedRecord
from chartseal.verification import (
    AttestedTrustRoot,
    IssuedUnder,
    Request,
    TrustedAuthority,
    TrustedIssuer,
    TrustPolicy,
    UnsafeTrustAnyone,
    VerifiedDisclosure,
    verify,
    verify_many,
)
from tests.charts import AUDIENCE, DOMAIN, EXPIRES_AT, HOLDER, ISSUER, NONCE, NOW, Holder, chart, sealed, texts
from tests.unit.verification.test_chain import FakeChain

AUTHORITY = Address(b"\xaa" * 20)
DAY = timedelta(days=1)
TODAY = datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC)
CIRCUITS = ("holder", "linked-1", "linked-4", "anonymous-1", "anonymous-4")
KEYS = {circuit: Digest(_core.keccak256(circuit.encode())) for circuit in CIRCUITS}
DEVELOPMENT = Digest(_core.keccak256(b"a development key of linked-1"))
EXPIRY = int(EXPIRES_AT.timestamp())
ROOT, OLDER = Digest(b"\x01" * 32), Digest(b"\x02" * 32)
PSEUDONYM, NULLIFIER = b"\x03" * 32, b"\x04" * 32


@dataclass(frozen=True)
class AskedPolicy:
    """What step 12 needs of a policy."""

    hash: bytes
    circuit_size: int = 1
    name: str = "asked"

    def words(self, speaker: str) -> str:
        return f"the {speaker}'s words of {self.name}"


ASKED: Any = AskedPolicy(b"\x0a" * 32)
OTHER: Any = AskedPolicy(b"\x0b" * 32, 4)
SAME_WORDS: Any = AskedPolicy(b"\x0c" * 32)


class StandIn(NamedTuple):
    """A verification key whose proofs are hashes of what they prove."""

    circuit: str

    def proves(self, inputs: Sequence[bytes]) -> bytes:
        return _core.keccak256(self.circuit.encode() + b"".join(inputs))


class Known(NamedTuple):
    circuit: str
    key_name: str
    is_development: bool
    verifier: StandIn


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {key: Known(circuit, "ceremony", False, StandIn(circuit)) for circuit, key in KEYS.items()}
    known[DEVELOPMENT] = Known("linked-1", "development", True, StandIn("linked-1"))

    def verify_proofs(proofs: Sequence[tuple[StandIn, list[bytes], bytes]]) -> None:
        for at, (verifier, inputs, proof) in enumerate(proofs):
            if proof[:32] != verifier.proves(inputs):  # as in Groth16, other bytes can prove the same
                raise ProofError("does not hold", "proof_invalid", f"proofs[{at}]")

    monkeypatch.setattr("chartseal.circuits.verifier_of", known.get, raising=False)
    monkeypatch.setattr("chartseal._core.verify_proofs", verify_proofs, raising=False)


@dataclass
class RootChain(FakeChain):
    """A chain with trust roots."""

    roots: list[AttestedTrustRoot] = field(default_factory=list)
    asked_roots: list[tuple[Address, str]] = field(default_factory=list)

    def trust_roots(
        self, domains: frozenset[Domain] | None, authority: Address, role: str, at: datetime
    ) -> Sequence[AttestedTrustRoot]:
        self.asked_roots.append((authority, role))
        fits = DOMAIN in (domains or {DOMAIN})
        return [each for each in self.roots if fits and (each.authority, each.role) == (authority, role)]


def attested(root: Digest, begins_at: datetime = TODAY, role: str = "pharmacy") -> AttestedTrustRoot:
    return AttestedTrustRoot(AUTHORITY, role, begins_at, root)


CHAIN = RootChain(roots=[attested(ROOT), attested(OLDER, TODAY - DAY), attested(ROOT, role="clinic")])
BOARD = TrustedAuthority(AUTHORITY, frozenset({"pharmacy", "clinic"}), "Board of health")
POLICY = TrustPolicy(
    issuers=(TrustedIssuer(ISSUER, "Example hospital"),), domains=frozenset({DOMAIN}), authorities=(BOARD,)
)


def proof(circuit: str, *inputs: bytes, key: Digest | None = None) -> UnverifiedProof:
    words = tuple(Digest(each) for each in inputs)
    return UnverifiedProof(KEYS[circuit] if key is None else key, words, StandIn(circuit).proves(words))


class Maker:
    """Makes presentations as a wallet does, and as it must not."""

    def __init__(self, records: Sequence[SealedRecord] = (), terms: Terms = Terms()) -> None:  # noqa: B008 (frozen)
        self.records, self.binding = records, Binding(b"\x05" * 32, terms)
        self.context = self.binding.context(AUDIENCE, NONCE, EXPIRY)
        self.scope = self.binding.scope(AUDIENCE, self.context)

    def claims(self, at: int) -> bytes:
        return next(bytes(each.value) for each in self.records[at].fields if each.name == "chartseal.claims")  # type: ignore[arg-type]

    def linked(self, at: int = 0, policy: Any = ASKED, **changes: bytes) -> UnverifiedProof:
        inputs = {"claims": self.claims(at), "policy": policy.hash, "context": self.context, **changes}
        return proof(f"linked-{policy.circuit_size}", *inputs.values())

    def holder(self, at: int = 0, pseudonym: bytes = PSEUDONYM) -> UnverifiedProof:
        return proof("holder", self.claims(at), self.context, pseudonym)

    def anonymous(self, policy: Any = ASKED, **changes: Any) -> UnverifiedProof:
        inputs = {
            "root": ROOT,
            "now": int(TODAY.timestamp()).to_bytes(32),
            "policyHash": policy.hash,
            "scope": self.scope,
            "context": self.context,
            "nullifier": NULLIFIER,
            "pseudonym": PSEUDONYM,
            **changes,
        }
        return proof(f"anonymous-{policy.circuit_size}", *inputs.values())

    def show(self, *proofs: UnverifiedProof, holder: Holder = HOLDER, **changes: Any) -> UnverifiedDisclosure:
        ordered = changes.pop("proofs", sorted(proofs, key=lambda each: (each.key, each.inputs)))
        choices = tuple(
            Choice(record, tuple(open_along(record.resource_type, record.fields, ["chartseal.claims"])))
            for record in self.records
        )
        options: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "expires_at": EXPIRES_AT, "now": NOW}
        options |= {"proofs": ordered, "binding": self.binding, **changes}
        return present(Selection(choices), holder, **options)


def check(shown: Any, trust: TrustPolicy = POLICY, **options: Any) -> VerifiedDisclosure:
    given: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "now": NOW, "chain": CHAIN, "policies": [ASKED]}
    return verify(shown, trust, **{**given, **options})


def refused(code: str, shown: Any, error: type[VerificationError] = errors.PredicateProofError, **options: Any) -> None:
    with pytest.raises(error) as caught:
        check(shown, **options)
    assert (caught.value.code, caught.value.step) == (code, error.step)


@pytest.fixture(scope="module")
def records(shared: Path) -> tuple[SealedRecord, ...]:
    return chart(shared, "Observation", "Condition")


@pytest.fixture
def linked(records: tuple[SealedRecord, ...]) -> Maker:
    return Maker(records[:1])


@pytest.fixture
def pair(records: tuple[SealedRecord, ...]) -> Maker:
    return Maker(records)


ANONYMOUS = Maker()


def test_a_linked_proof_is_of_the_record_beside_it(linked: Maker) -> None:
    shown = linked.show(linked.linked())
    for given in (shown, shown.to_json(), shown.to_text()):
        result = check(given)
        [found] = result.predicates
        assert (found.kind, found.record, found.issuer) == ("linked", 0, "Example hospital")
        assert (found.policy, found.words) == (ASKED, "the verifier's words of asked")
        assert (found.nullifier, found.pseudonym, found.as_of) == (None, None, None)
        assert result.steps[11].reason == "one proof"
        assert result.same_person == "shown"


def test_an_anonymous_proof_stands_alone() -> None:
    result = check(ANONYMOUS.show(ANONYMOUS.anonymous()), replace(POLICY, required=frozenset({6, 8, 11})))
    [found] = result.predicates
    assert (found.kind, found.record, found.issuer) == ("anonymous", None, "")
    assert found.issued_under == (IssuedUnder(AUTHORITY, frozenset({"pharmacy", "clinic"})),)
    assert (found.nullifier, found.pseudonym, found.as_of) == (NULLIFIER, PSEUDONYM, TODAY)
    assert (result.records, result.facts, result.same_person) == ((), (), "shown")
    states = {step.number: (step.state, step.reason) for step in result.steps}
    assert list(states) == list(range(1, 13))
    assert states[2] == states[3] == states[4] == ("checked", "no record is opened")
    assert "trust root is proved" in states[6][1]
    assert "not revoked when the trust root's day began" in states[8][1]
    assert states[9] == ("not checked", "1 anonymous: a proof shows no anchor")


def test_what_an_anonymous_proof_cannot_show_may_be_required() -> None:
    with pytest.raises(errors.NotCheckedError) as caught:
        check(ANONYMOUS.show(ANONYMOUS.anonymous()), replace(POLICY, required=frozenset({9})))
    assert caught.value.step == 9


def test_several_predicates_of_one_holder(pair: Maker) -> None:
    proofs = (pair.linked(0), pair.linked(1, OTHER), pair.holder(0), pair.holder(1), pair.anonymous())
    result = check(pair.show(*proofs), policies=[ASKED, OTHER])
    assert result.same_person == "shown"
    assert {(each.kind, each.record) for each in result.predicates} == {
        ("linked", 0),
        ("linked", 1),
        ("anonymous", None),
    }
    for left_out in (2, 3):
        fewer = [each for at, each in enumerate(proofs) if at != left_out]
        assert check(pair.show(*fewer), policies=[ASKED, OTHER]).same_person == "not shown"


def test_attack_two_holders_passed_as_one(pair: Maker) -> None:
    stranger = b"\x06" * 32
    refused("pseudonyms_differ", pair.show(pair.linked(), pair.holder(0), pair.holder(1, stranger)))
    refused("pseudonyms_differ", pair.show(pair.holder(0), pair.anonymous(pseudonym=stranger)))
    two = (ANONYMOUS.anonymous(), ANONYMOUS.anonymous(OTHER, pseudonym=stranger))
    refused("pseudonyms_differ", ANONYMOUS.show(*two), policies=[ASKED, OTHER])


def test_attack_another_holders_record(linked: Maker, records: tuple[SealedRecord, ...]) -> None:
    shown = linked.show(linked.linked())
    mallory = Holder(_core.Wallet(b"\x23" * 64))
    theirs = sealed("Observation", texts({"Observation.status": "final"}), holder=mallory)
    mine = Maker([theirs]).show(linked.linked(), holder=mallory)
    refused("claims_root_not_shown", mine)  # the proof is another record's
    forged = replace(mine, records=shown.records)  # the record is another holder's
    check(forged)
    resigned = replace(shown.records[0], signature=mine.records[0].signature)
    refused("signature_invalid", replace(shown, records=(resigned,)), errors.HolderError)


def test_attack_replay_to_another_audience() -> None:
    shown = ANONYMOUS.show(ANONYMOUS.anonymous())
    refused("audience_mismatch", shown, errors.AudienceError, audience="https://other.example")
    moved = replace(shown, audience="https://other.example")
    refused("context_mismatch", moved, audience="https://other.example")


def test_attack_replay_to_another_request_or_time() -> None:
    shown = ANONYMOUS.show(ANONYMOUS.anonymous())
    refused("nonce_mismatch", shown, errors.AudienceError, nonce=b"\x89" * 32)
    refused("context_mismatch", replace(shown, nonce=b"\x89" * 32), nonce=b"\x89" * 32)
    refused("disclosure_expired", shown, errors.AudienceError, now=EXPIRES_AT)
    refused("context_mismatch", replace(shown, expiry=EXPIRY + 1))
    refused("context_mismatch", replace(shown, binding=Binding(b"\x06" * 32)))


CREDIT = Terms(31_337, Address(b"\x11" * 20), Address(b"\x22" * 20), "dispense credit")


@pytest.mark.parametrize(
    "asked",
    [
        replace(CREDIT, chain=1),
        replace(CREDIT, contract=Address(b"\x12" * 20)),
        replace(CREDIT, payee=Address(b"\x23" * 20)),
        replace(CREDIT, purpose="other"),
        replace(CREDIT, period=1),
        Terms(),
        Terms(purpose="dispense credit"),
    ],
)
def test_attack_replay_to_another_chain_contract_payee_or_purpose(asked: Terms) -> None:
    maker = Maker(terms=CREDIT)
    shown = maker.show(maker.anonymous())
    assert check(shown, terms=CREDIT).terms == CREDIT
    refused("terms_mismatch", shown, terms=asked)
    restated = replace(shown, binding=Binding(b"\x05" * 32, asked))
    moved = (CREDIT.chain, CREDIT.contract, CREDIT.payee) != (asked.chain, asked.contract, asked.payee)
    refused("context_mismatch" if moved else "scope_mismatch", restated, terms=asked)


def test_a_scope_is_the_context_where_nothing_is_spent() -> None:
    linkable = Binding(b"\x05" * 32, Terms(purpose="track")).scope(AUDIENCE, b"")
    refused("scope_mismatch", ANONYMOUS.show(ANONYMOUS.anonymous(scope=linkable)))
    maker = Maker(terms=CREDIT)
    refused("scope_mismatch", maker.show(maker.anonymous(scope=maker.context)), terms=CREDIT)


def test_a_use_that_was_asked_for_is_spent(linked: Maker, records: tuple[SealedRecord, ...]) -> None:
    maker = Maker(records[:1], CREDIT)
    refused("use_unproved", maker.show(maker.linked()), terms=CREDIT)
    check(maker.show(maker.linked(), maker.anonymous(), maker.holder()), terms=CREDIT)


def test_attack_one_records_use_spent_for_another(records: tuple[SealedRecord, ...]) -> None:
    """Whatever satisfies the one would be spent, while the other is proved for nothing."""
    maker = Maker(records[:1], CREDIT)
    mixed = maker.show(maker.linked(), maker.holder(), maker.anonymous(OTHER))
    refused("use_unproved", mixed, policies=[ASKED, OTHER], terms=CREDIT)
    both = maker.show(maker.anonymous(), maker.anonymous(OTHER, nullifier=b"\x05" * 32))
    check(both, policies=[ASKED, OTHER], terms=CREDIT)


def test_attack_policy_swap(linked: Maker) -> None:
    refused("policy_unknown", linked.show(linked.linked(policy=OTHER)))
    refused("policy_unknown", linked.show(linked.linked()), policies=[OTHER])
    refused("policy_unknown", linked.show(linked.linked()), policies=[])
    refused("policy_unknown", ANONYMOUS.show(ANONYMOUS.anonymous(OTHER)))


def test_attack_another_policy_with_the_same_words(linked: Maker) -> None:
    assert SAME_WORDS.words("verifier") == ASKED.words("verifier")
    refused("policy_unknown", linked.show(linked.linked(policy=SAME_WORDS)))


def test_attack_a_policy_in_a_circuit_of_another_size(linked: Maker) -> None:
    fewer = replace(OTHER, circuit_size=1)
    refused("policy_circuit", linked.show(linked.linked(policy=fewer)), policies=[OTHER])


def test_attack_a_relay_drops_or_swaps_proofs(pair: Maker) -> None:
    both = pair.show(pair.linked(), pair.linked(1, OTHER), pair.holder(0), pair.holder(1))
    check(both, policies=[ASKED, OTHER])
    for left_out in range(4):
        dropped = replace(both, proofs=tuple(each for at, each in enumerate(both.proofs) if at != left_out))
        refused("signature_invalid", dropped, errors.HolderError, policies=[ASKED, OTHER])
    two = ANONYMOUS.show(ANONYMOUS.anonymous(), ANONYMOUS.anonymous(OTHER))
    for left in two.proofs:
        refused("policy_unproved", replace(two, proofs=(left,)), policies=[ASKED, OTHER])
    refused("policy_unproved", pair.show(proofs=(), binding=None))
    swapped = replace(two, proofs=(two.proofs[0], replace(two.proofs[1], proof=two.proofs[0].proof)))
    refused("proof_invalid", swapped, policies=[ASKED, OTHER])
    refused("proofs_unordered", replace(two, proofs=two.proofs[::-1]), policies=[ASKED, OTHER])
    refused("proof_repeated", replace(two, proofs=(*two.proofs, two.proofs[1])), policies=[ASKED, OTHER])


@pytest.mark.parametrize("name", ["root", "now", "policyHash", "scope", "context", "nullifier", "pseudonym"])
def test_attack_a_public_input_not_below_the_order(name: str) -> None:
    number = {"root": ROOT, "now": int(TODAY.timestamp()).to_bytes(32), "nullifier": NULLIFIER}.get(name)
    number = number or {"policyHash": ASKED.hash, "scope": ANONYMOUS.context, "pseudonym": PSEUDONYM}.get(name)
    value = int.from_bytes(number or ANONYMOUS.context) + FIELD_ORDER
    refused("input_out_of_range", ANONYMOUS.show(ANONYMOUS.anonymous(**{name: value.to_bytes(32)})))


def test_attack_a_wrong_number_of_inputs() -> None:
    good = ANONYMOUS.anonymous()
    for inputs in (good.inputs[:-1], (*good.inputs, good.inputs[0]), ()):
        changed = replace(good, inputs=inputs, proof=StandIn("anonymous-1").proves(inputs))
        refused("inputs_wrong_number", ANONYMOUS.show(changed))


def test_attack_a_wrong_key(linked: Maker) -> None:
    refused("key_unknown", linked.show(replace(linked.linked(), key=Digest(b"\x07" * 32))))
    refused("inputs_wrong_number", linked.show(replace(linked.linked(), key=KEYS["anonymous-1"])))
    refused("policy_circuit", linked.show(replace(linked.linked(), key=KEYS["linked-4"])))
    pinned = replace(POLICY, keys=frozenset({KEYS["linked-4"]}))
    refused("key_refused", linked.show(linked.linked()), trust=pinned)
    check(linked.show(linked.linked()), replace(POLICY, keys=frozenset({KEYS["linked-1"]})))


def test_attack_development_keys_in_production(linked: Maker) -> None:
    shown = linked.show(replace(linked.linked(), key=DEVELOPMENT))
    refused("development_key", shown)
    refused("development_key", shown, trust=replace(POLICY, development_keys=frozenset({"anonymous-1"})))
    refused("development_key", shown, trust=replace(POLICY, keys=frozenset({DEVELOPMENT})))
    refused("development_key", shown, trust=UnsafeTrustAnyone())
    check(shown, replace(POLICY, development_keys=frozenset({"linked-1"})))
    check(shown, UnsafeTrustAnyone(development_keys=["linked-1"]))


def test_attack_claims_of_a_record_that_is_not_shown(pair: Maker, records: tuple[SealedRecord, ...]) -> None:
    alone = Maker(records[:1])
    refused("claims_root_not_shown", alone.show(pair.linked(1)))
    refused("claims_root_not_shown", alone.show(alone.linked(claims=bytes(32))))
    refused("claims_root_not_shown", ANONYMOUS.show(pair.linked(), ANONYMOUS.anonymous()))
    refused("claims_root_not_shown", ANONYMOUS.show(pair.holder(), ANONYMOUS.anonymous()))


def test_attack_stale_roots() -> None:
    yesterday = int((TODAY - DAY).timestamp()).to_bytes(32)
    result = check(ANONYMOUS.show(ANONYMOUS.anonymous(root=OLDER, now=yesterday)))
    assert result.predicates[0].as_of == TODAY - DAY
    refused("trust_root_time", ANONYMOUS.show(ANONYMOUS.anonymous(root=OLDER)))
    refused("trust_root_time", ANONYMOUS.show(ANONYMOUS.anonymous(now=yesterday)))
    refused("trust_root_time", ANONYMOUS.show(ANONYMOUS.anonymous(now=b"\x00" + b"\x11" * 31)))
    refused("trust_root_unknown", ANONYMOUS.show(ANONYMOUS.anonymous(root=b"\x09" * 32)))
    stopped = RootChain(roots=[attested(ROOT, TODAY - 4 * DAY)])
    long_ago = ANONYMOUS.show(ANONYMOUS.anonymous(now=int((TODAY - 4 * DAY).timestamp()).to_bytes(32)))
    refused("trust_root_stale", long_ago, chain=stopped)
    check(long_ago, replace(POLICY, largest_root_age=timedelta(days=5)), chain=stopped)
    early = RootChain(roots=[attested(ROOT, TODAY + DAY)])
    tomorrow = ANONYMOUS.show(ANONYMOUS.anonymous(now=int((TODAY + DAY).timestamp()).to_bytes(32)))
    refused("trust_root_stale", tomorrow, chain=early)


def test_attack_a_root_of_an_authority_or_role_that_is_not_trusted() -> None:
    shown = ANONYMOUS.show(ANONYMOUS.anonymous())
    narrow = replace(POLICY, authorities=(replace(BOARD, roles=frozenset({"hospital"})),))
    refused("trust_root_unknown", shown, trust=narrow)
    other = replace(POLICY, authorities=(replace(BOARD, address=Address(b"\xab" * 20)),))
    refused("trust_root_unknown", shown, trust=other)
    refused("trust_root_unknown", shown, trust=replace(POLICY, domains=frozenset({replace(DOMAIN, chain_id=1)})))
    one = check(shown, replace(POLICY, authorities=(replace(BOARD, roles=frozenset({"clinic"})),)))
    assert one.predicates[0].issued_under == (IssuedUnder(AUTHORITY, frozenset({"clinic"})),)


def test_without_a_chain_only_listed_roots_count() -> None:
    shown = ANONYMOUS.show(ANONYMOUS.anonymous())
    refused("trust_root_unknown", shown, chain=None)
    listed = replace(POLICY, authorities=(), trust_roots=(attested(ROOT),))
    result = check(shown, listed, chain=None)
    assert result.predicates[0].issued_under == (IssuedUnder(AUTHORITY, frozenset({"pharmacy"})),)
    assert result.steps[7].state == "checked"


def test_trusting_anyone_says_that_no_issuer_is_checked() -> None:
    result = check(ANONYMOUS.show(ANONYMOUS.anonymous(root=b"\x09" * 32)), UnsafeTrustAnyone())
    assert result.predicates[0].issued_under == ()
    assert result.steps[5].state == "not checked"


def test_proof_bytes_are_malleable_and_identify_nothing() -> None:
    first = ANONYMOUS.show(ANONYMOUS.anonymous())
    other = replace(first.proofs[0], proof=first.proofs[0].proof + b"other bytes")
    again = replace(first, proofs=(other,))
    assert first.digest() == again.digest()
    assert check(first).predicates == check(again).predicates
    refused("proof_repeated", replace(first, proofs=(*first.proofs, other)))


def test_a_chain_that_cannot_be_asked_ends_verification() -> None:
    @dataclass
    class Broken(RootChain):
        def trust_roots(self, *_: Any) -> Sequence[AttestedTrustRoot]:
            raise errors.NodeError("the node cannot be reached", "node_unreachable")

    with pytest.raises(errors.NodeError):
        check(ANONYMOUS.show(ANONYMOUS.anonymous()), chain=Broken())


def test_a_refused_presentation_leaves_its_nonce() -> None:
    spent: list[bytes] = []

    class Store:
        def spend(self, nonce: bytes, expires_at: datetime) -> bool:
            spent.append(nonce)
            return spent.count(nonce) == 1

    good = ANONYMOUS.show(ANONYMOUS.anonymous())
    bad = replace(good, proofs=(replace(good.proofs[0], proof=b"x" * 32),))
    refused("proof_invalid", bad, nonces=Store())
    assert not spent
    check(good, nonces=Store())
    refused("nonce_spent", good, errors.AudienceError, nonces=Store())


def test_a_disclosure_beside_proofs(records: tuple[SealedRecord, ...], linked: Maker) -> None:
    options: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "expires_at": EXPIRES_AT, "now": NOW}
    options |= {"proofs": [linked.linked()], "binding": linked.binding}
    result = check(present(select(records[:1], ["Observation.code"]), HOLDER, **options))
    assert len(result.facts) == len(result.predicates) == 1
    assert result.predicates[0].record == 0


def _requests(count: int) -> Iterator[Request]:
    for at in range(count):
        maker = Maker()
        yield Request(maker.show(maker.anonymous(nullifier=at.to_bytes(32))), AUDIENCE, NONCE, (ASKED,))


def test_many_come_back_in_order_with_their_own_errors() -> None:
    requests = list(_requests(20))
    bad = requests[3].disclosure
    assert isinstance(bad, UnverifiedDisclosure)
    requests[3] = requests[3]._replace(disclosure=replace(bad, proofs=(replace(bad.proofs[0], proof=b"x" * 32),)))
    requests[7] = requests[7]._replace(disclosure=b"{")
    requests[11] = requests[11]._replace(nonce=b"\x89" * 32)
    requests[19] = requests[19]._replace(policies=(OTHER,))
    chain = RootChain(roots=CHAIN.roots)
    outcomes = verify_many(requests, POLICY, now=NOW, chain=chain)
    wrong = {at: each.code for at, each in enumerate(outcomes) if isinstance(each, VerificationError)}
    assert wrong == {3: "proof_invalid", 7: "disclosure_malformed", 11: "nonce_mismatch", 19: "policy_unknown"}
    for at, each in enumerate(outcomes):
        if isinstance(each, VerifiedDisclosure):
            assert int.from_bytes(each.predicates[0].nullifier or b"") == at
    assert len(chain.asked_roots) == 2  # of each role once, however many ask
    assert verify_many([], POLICY, now=NOW) == []
