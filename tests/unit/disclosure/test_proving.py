"""From a sealed record to verified predicates, with real proofs; beside each what a holder or a thief cannot make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chartseal import _core, errors
from chartseal.attestation import Digest, PrivateData
from chartseal.disclosure import (
    Answer,
    Proving,
    Terms,
    UnverifiedDisclosure,
    choose,
    prove,
    select,
)
from chartseal.disclosure.proving import prover_of as production_prover_of
from chartseal.disclosure.statements import CIRCUITS, publics
from chartseal.errors import MembershipError, PredicateError, VerificationError
from chartseal.predicates import Policy, compile_policy
from chartseal.predicates.hashes import tag, to_bytes
from chartseal.sealing import SealedRecord
from chartseal.verification import VerifiedDisclosure, verify
from tests.charts import AUDIENCE, EXPIRES_AT, NONCE, NOW, SEALED_AT
from tests.proving import ProvingHolder, World, hba1c, install, observation, prescription, prover_of

SUGAR = compile_policy("Observation[loinc|4548-4].value < 7.0 % and effective >= 2026-05-01", name="sugar")
ONE_SLOT = compile_policy("Patient.birthDate < 2005-01-01")
METFORMIN = compile_policy("MedicationRequest.medication in rxnorm{860975, 861007} and authoredOn >= 2026-11-01")
NOT_INSULIN = compile_policy("MedicationRequest.medication not in rxnorm{311034} and authoredOn >= 2026-11-01")
HOLDER = ProvingHolder()
MALLORY = ProvingHolder(_core.Wallet(b"\x23" * 64))
CREDIT = Terms(purpose="dispense credit")


@pytest.fixture(autouse=True)
def _development_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def lab(world: World) -> SealedRecord:
    return observation(world, "6.9", holder=HOLDER)


class Memory:
    """Uses in memory, as `keys.Answers` keeps them."""

    def __init__(self) -> None:
        self.spent: set[tuple[bytes, bytes, int]] = set()

    def spend(self, claim_id: bytes, scope: bytes, uses: int, use: int | None = None) -> int:
        left = [each for each in range(uses) if (claim_id, scope, each) not in self.spent]
        if use is None and not left:
            raise PredicateError("all are spent", "uses_spent")
        chosen = left[0] if use is None else use
        self.spent.add((claim_id, scope, chosen))
        return chosen

    def release(self, claim_id: bytes, scope: bytes, use: int) -> None:
        self.spent.discard((claim_id, scope, use))


def made(answers: Sequence[Answer], holder: ProvingHolder = HOLDER, **options: Any) -> UnverifiedDisclosure:
    given: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "expires_at": EXPIRES_AT, "now": NOW}
    return prove(answers, holder, **{**given, "proving": Proving(prover_of), **options})


def check(world: World, shown: Any, *policies: Policy, **options: Any) -> VerifiedDisclosure:
    trust = options.pop("trust", world.trust())
    given: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "now": NOW, "chain": world.view}
    return verify(shown, trust, policies=policies, **{**given, **options})


def refused(code: str, call: Callable[..., Any], *args: Any, **options: Any) -> errors.CoreError:
    with pytest.raises(errors.CoreError) as caught:
        call(*args, **options)
    assert caught.value.code == code
    return caught.value


def test_the_core_names_public_inputs_as_we_do() -> None:
    assert set(_core.circuit_names()) == set(CIRCUITS)
    for circuit in CIRCUITS:
        assert tuple(_core.circuit_publics(circuit)) == publics(circuit)


def test_linked(world: World, lab: SealedRecord) -> None:
    [answer] = choose([lab], [SUGAR], now=NOW)
    assert (answer.kind, answer.circuit) == ("linked", "linked-4")
    shown = made([answer])
    text = shown.to_json().decode()
    assert "6.9" not in text
    assert "4548-4" not in text
    for given in (text, shown.to_text()):
        result = check(world, given, SUGAR)
        [found] = result.predicates
        assert (found.policy, found.kind, found.record, found.issuer) == (SUGAR, "linked", 0, "Example laboratory")
        assert "under 7" in found.words
    assert len(shown.proofs) == 1


def test_linked_beside_what_is_opened(world: World, lab: SealedRecord) -> None:
    answers = choose([lab], [SUGAR], now=NOW)
    shown = made(answers, selection=select([lab], ["Observation.status"]))
    result = check(world, shown, SUGAR)
    assert result.facts[0].resource["status"] == "final"
    assert len(result.records) == len(result.predicates) == 1


def test_anonymous(world: World, lab: SealedRecord) -> None:
    [answer] = choose([lab], [SUGAR], now=NOW, membership_of=world.membership)
    assert (answer.kind, answer.circuit) == ("anonymous", "anonymous-4")
    shown = made([answer])
    result = check(world, shown.to_text(), SUGAR)
    [found] = result.predicates
    assert found.as_of == datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC)
    assert [each.roles for each in found.issued_under] == [{"laboratory"}]
    assert result.records == ()
    again = check(world, made([answer]), SUGAR).predicates[0]
    assert again.nullifier != found.nullifier
    assert again.pseudonym != found.pseudonym


def test_several_predicates_of_several_records_are_tied_to_one_holder(world: World, lab: SealedRecord) -> None:
    drug = prescription(world, repeats=1, holder=HOLDER)
    linked = choose([lab, drug], [SUGAR, METFORMIN], now=NOW)
    shown = made(linked)
    assert len(shown.proofs) == 4
    result = check(world, shown, SUGAR, METFORMIN)
    assert result.same_person == "shown"
    assert {each.record for each in result.predicates} == {0, 1}
    hidden = choose([lab, drug], [SUGAR, METFORMIN, NOT_INSULIN], now=NOW, membership_of=world.membership)
    result = check(world, made(hidden), SUGAR, METFORMIN, NOT_INSULIN)
    assert result.same_person == "shown"
    assert len({each.pseudonym for each in result.predicates}) == 1
    assert len({each.nullifier for each in result.predicates}) == 2
    mixed = check(world, made([linked[0], hidden[1]]), SUGAR, METFORMIN)
    assert mixed.same_person == "shown"
    assert {each.kind for each in mixed.predicates} == {"linked", "anonymous"}


def test_nothing_satisfies_is_said_before_proving(world: World) -> None:
    high, old = observation(world, "7.0", holder=HOLDER), prescription(world, repeats=0, holder=HOLDER)
    refusal = refused("nothing_satisfies", choose, [high, old], [SUGAR], now=NOW)
    assert isinstance(refusal, PredicateError)
    assert len(refusal.reasons) == 2
    assert not [reason for reason in refusal.reasons if "7.0" in reason.replace("7.0 %", "")]
    assert any("Observation" in reason for reason in refusal.reasons)
    refused("policies_missing", choose, [high], [], now=NOW)
    refused("policies_missing", made, [])


def test_the_record_of_an_earlier_policy_is_preferred_else_the_newest(world: World) -> None:
    older = observation(world, "6.5", holder=HOLDER, at=SEALED_AT - timedelta(days=3))
    newer = observation(world, "6.8", holder=HOLDER)
    low = compile_policy("Observation[loinc|4548-4].value < 6.6 % and effective >= 2026-05-01")
    assert choose([older, newer], [SUGAR], now=NOW)[0].record is newer
    assert [answer.record for answer in choose([older, newer], [low, SUGAR], now=NOW)] == [older, older]
    assert len(choose([older, newer], [SUGAR, SUGAR], now=NOW)) == 1


def test_a_bare_hash_and_an_altered_policy_are_not_proved_for(lab: SealedRecord) -> None:
    refused("policy_bare_hash", choose, [lab], [SUGAR.hash], now=NOW)
    swapped = replace(SUGAR, slots=ONE_SLOT.slots)
    with pytest.raises((PredicateError, errors.PredicatePolicyError)):
        choose([lab], [swapped], now=NOW)


def test_what_stops_an_anonymous_proof(world: World) -> None:
    without = observation(world, "6.9", holder=HOLDER)
    bare = replace(without, credential=None)
    reasons = refused("nothing_satisfies", choose, [bare], [SUGAR], now=NOW, membership_of=world.membership)
    assert "credential" in reasons.reasons[0]  # type: ignore[attr-defined]
    test = observation(world, "6.9", holder=HOLDER, test=True)
    refused("nothing_satisfies", choose, [test], [SUGAR], now=NOW, membership_of=world.membership)
    choose([bare], [SUGAR], now=NOW)


def test_a_record_with_marked_salts_proves_nothing(world: World, lab: SealedRecord) -> None:
    class Marked(SealedRecord):
        @property
        def private_data(self) -> PrivateData:
            values = [replace(value, salt=Digest(b"\x11" * 32)) for value in lab.private_data.values]
            return PrivateData(values)

    marked = Marked(**{each.name: getattr(lab, each.name) for each in fields(lab)})
    assert not marked.private_data.salts_sound
    for membership_of in (None, world.membership):
        refusal = refused("nothing_satisfies", choose, [marked], [SUGAR], now=NOW, membership_of=membership_of)
        assert "salts" in refusal.reasons[0]  # type: ignore[attr-defined]


def test_attack_another_holders_record(world: World) -> None:
    theirs = observation(world, "6.9", holder=MALLORY)
    for membership_of in (None, world.membership):
        answers = choose([theirs], [SUGAR], now=NOW, membership_of=membership_of)
        refused("record_not_ours", made, answers)
        check(world, made(answers, MALLORY), SUGAR)

    class Pretending(ProvingHolder):
        def holder_commitment(self) -> bytes:
            return MALLORY.holder_commitment()

    hidden = choose([theirs], [SUGAR], now=NOW, membership_of=world.membership)
    refused("statement_unsatisfied", made, hidden, Pretending())


def test_attack_two_holders_passed_as_one(world: World, lab: SealedRecord) -> None:
    theirs = prescription(world, repeats=0, holder=MALLORY)
    mine = made(choose([lab], [SUGAR], now=NOW, membership_of=world.membership))
    other = made(choose([theirs], [METFORMIN], now=NOW, membership_of=world.membership), MALLORY)
    both = replace(mine, proofs=tuple(sorted(mine.proofs + other.proofs, key=lambda each: (each.key, each.inputs))))
    refused("context_mismatch", check, world, both, SUGAR, METFORMIN)


def test_attack_proofs_and_inputs_swapped(world: World, lab: SealedRecord) -> None:
    first, second = (made(choose([lab], [SUGAR], now=NOW, membership_of=world.membership)) for _ in range(2))
    swapped = replace(first, proofs=(replace(first.proofs[0], proof=second.proofs[0].proof),))
    refused("proof_invalid", check, world, swapped, SUGAR)
    proof = first.proofs[0]
    for at in range(5, 7):  # nullifier and pseudonym: the verifier has nothing to hold them against but the proof
        words = [*proof.inputs]
        words[at] = type(words[at])((int.from_bytes(words[at]) ^ 1).to_bytes(32))
        changed = replace(first, proofs=(replace(proof, inputs=tuple(words)),))
        refused("proof_invalid", check, world, changed, SUGAR)
    for size in (0, 255, 257):
        cut = replace(first, proofs=(replace(proof, proof=(proof.proof + b"\0")[:size]),))
        refused("proof_malformed", check, world, cut, SUGAR)


def test_attack_a_revoked_credential_and_a_stale_status_list(world: World, lab: SealedRecord) -> None:
    assert lab.credential is not None
    yesterdays = made(choose([lab], [SUGAR], now=NOW, membership_of=world.membership))
    world.revoke(lab.credential.index, at=int(NOW.timestamp()) + 60)
    check(world, yesterdays, SUGAR)  # as of the day that it says
    later = NOW + timedelta(days=1)
    world.final_at(int(later.timestamp()))
    world.publish(int(later.timestamp()) // 86_400)
    reasons = refused("nothing_satisfies", choose, [lab], [SUGAR], now=later, membership_of=world.membership)
    assert "revoked" in reasons.reasons[0]  # type: ignore[attr-defined]
    world.revoked = frozenset()  # the list of before
    reasons = refused("nothing_satisfies", choose, [lab], [SUGAR], now=later, membership_of=world.membership)
    assert "status list" in reasons.reasons[0]  # type: ignore[attr-defined]


def test_attack_a_withdrawn_issuer(world: World, lab: SealedRecord) -> None:
    accredited = next(uid for uid, each in world.chain.made.items() if each.recipient == world.lab.address)
    authority = world.chain.made[accredited].attester
    before = choose([lab], [SUGAR], now=NOW, membership_of=world.membership)
    world.chain.withdraw(authority, accredited, 0, "key-compromise", int(NOW.timestamp()) + 60)
    later = NOW + timedelta(days=1)
    world.final_at(int(later.timestamp()))
    world.publish(int(later.timestamp()) // 86_400)
    refused("nothing_satisfies", choose, [lab], [SUGAR], now=later, membership_of=world.membership)
    with_old_root = made(before, expires_at=later + timedelta(hours=1), now=later)
    check(world, with_old_root, SUGAR, now=later)  # the day before still counts
    much_later = later + timedelta(days=1)
    world.final_at(int(much_later.timestamp()))
    world.publish(int(much_later.timestamp()) // 86_400)
    with_old_root = made(before, expires_at=much_later + timedelta(hours=1), now=much_later)
    refused("trust_root_unknown", check, world, with_old_root, SUGAR, now=much_later)


def test_an_authority_that_attests_another_root_is_an_error_of_its_own(world: World, lab: SealedRecord) -> None:
    later = NOW + timedelta(days=3)
    world.final_at(int(later.timestamp()))
    with pytest.raises(MembershipError) as caught:
        choose([lab], [SUGAR], now=later, membership_of=world.membership)
    assert caught.value.code == "trust_root_missing"


def test_uses_are_spent_one_by_one(world: World) -> None:
    drug, memory = prescription(world, repeats=2, holder=HOLDER), Memory()
    answers = choose([drug], [METFORMIN], now=NOW, membership_of=world.membership)
    spent = []
    for _ in range(3):
        shown = made(answers, terms=CREDIT, uses=memory)
        [found] = check(world, shown, METFORMIN, terms=CREDIT).predicates
        spent.append(found.nullifier)
    assert len(set(spent)) == 3
    refused("uses_spent", made, answers, terms=CREDIT, uses=memory)
    again = check(world, made(answers, terms=CREDIT, uses=memory, use=1), METFORMIN, terms=CREDIT)
    assert again.predicates[0].nullifier == spent[1]
    other = replace(CREDIT, purpose="trial")
    elsewhere = check(world, made(answers, terms=other, uses=memory), METFORMIN, terms=other)
    assert elsewhere.predicates[0].nullifier not in spent
    refused("statement_unsatisfied", made, answers, terms=CREDIT, uses=memory, use=3)


def test_a_use_of_which_nothing_was_proved_is_not_spent(world: World) -> None:
    drug, memory = prescription(world, repeats=0, holder=HOLDER), Memory()
    answers = choose([drug], [METFORMIN], now=NOW, membership_of=world.membership)

    class Failing(ProvingHolder):
        def prove(self, *_: Any, **options: Any) -> Any:
            raise errors.ProvingError("cancelled", "cancelled")

    refused("cancelled", made, answers, Failing(), terms=CREDIT, uses=memory)
    assert not memory.spent
    made(answers, terms=CREDIT, uses=memory)
    assert len(memory.spent) == 1


def test_only_an_anonymous_proof_spends(world: World) -> None:
    drug = prescription(world, repeats=0, holder=HOLDER)
    refused("spend_needs_anonymous", made, choose([drug], [METFORMIN], now=NOW), terms=CREDIT, uses=Memory())
    hidden = choose([drug], [METFORMIN], now=NOW, membership_of=world.membership)
    refused("spend_needs_memory", made, hidden, terms=CREDIT)


def test_development_keys_are_refused_unless_asked_for(world: World, lab: SealedRecord) -> None:
    refused("development_key", production_prover_of, "linked-1")
    shown = made(choose([lab], [SUGAR], now=NOW))
    refused("development_key", check, world, shown, SUGAR, trust=world.trust(development_keys=frozenset()))


def test_progress_is_told_and_another_thread_can_cancel(world: World, lab: SealedRecord) -> None:
    stages: list[str] = []
    answers = choose([lab], [SUGAR], now=NOW)
    made(answers, proving=Proving(prover_of, stages.append))
    assert stages
    cancellation = _core.Cancellation()
    cancellation.cancel()
    refused("cancelled", made, answers, proving=Proving(prover_of, None, cancellation))


def test_nothing_in_a_presentation_depends_on_what_stays_shut(world: World) -> None:
    sizes = set()
    for value in ("6.9", "0.1", "6.123456"):
        record = sealed_as(world, value)
        shown = made(choose([record], [SUGAR], now=NOW, membership_of=world.membership))
        sizes.add(len(shown.to_json()))
        for proof in shown.proofs:
            assert record.claims_root not in (proof.proof, *proof.inputs)
            for claim in record.claims[1:]:
                assert claim.value not in proof.inputs
                assert claim.leaf not in proof.inputs
    assert len(sizes) == 1


def sealed_as(world: World, value: str) -> SealedRecord:
    record = observation(world, value, holder=HOLDER)
    assert value in [field.value for field in hba1c(value)]
    return record


def test_attack_a_set_swapped_under_the_same_words(world: World) -> None:
    drug = prescription(world, repeats=0, holder=HOLDER)
    wide = compile_policy("MedicationRequest.medication in rxnorm{860975, 861007, 1} and authoredOn >= 2026-11-01")
    shown = made(choose([drug], [wide], now=NOW, membership_of=world.membership))
    refused("policy_unknown", check, world, shown, METFORMIN)
    refused("policy_unproved", check, world, shown, wide, METFORMIN)


def test_attack_a_reader_with_a_dictionary(world: World) -> None:
    """Who knows every three-digit result, and every prescription's code, finds none of them in what is public."""
    record = observation(world, "6.9", holder=HOLDER)
    shown = made(choose([record], [SUGAR], now=NOW, membership_of=world.membership))
    linked = made(choose([record], [SUGAR], now=NOW))
    public = {bytes(word) for each in (shown, linked) for proof in each.proofs for word in proof.inputs}
    keys = {claim.key for claim in record.claims}
    none = bytes(32)
    for tenths in range(1_000):
        value = (tenths * 100_000 + (1 << 63)).to_bytes(32)
        assert value not in public
        for key in keys:
            assert _core.poseidon_hash([key, value]) not in public
            assert _core.poseidon_hash([to_bytes(tag("claim")), key, value, none]) not in public


def test_any_bytes_end_in_a_typed_error(world: World, lab: SealedRecord) -> None:
    text = made(choose([lab], [SUGAR], now=NOW, membership_of=world.membership)).to_json()
    for at in range(0, len(text), 29):
        for change in (b"\x00", b"9", b'"'):
            given = text[:at] + change + text[at + 1 :]
            if given == text:
                continue
            with pytest.raises(VerificationError):
                check(world, given, SUGAR)
        with pytest.raises(VerificationError):
            check(world, text[:at], SUGAR)
