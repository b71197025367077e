"""What the presentation verifier makes of a presentation: each accept beside its reject, one step away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chartseal.attestation import ZERO_ADDRESS, Address, Digest
from chartseal.chain.presentations import OnChainPresentation, OnChainQuestion
from chartseal.errors import FieldEncodingError
from tests.anvil_evm import AnvilEas
from tests.evm import START, Eas, named, refused
from tests.groth16 import R, Trapdoor, malleated
from tests.unit.contracts.presenting import ASKER, DAY, DOOR, HOSPITAL, PHARMACY, TODAY, Asked, Holder, root_of


@pytest.fixture(scope="module")
def world() -> Iterator[Asked]:
    with AnvilEas() as chain:
        yield Asked(chain)


@pytest.fixture(autouse=True)
def _clock(world: Asked) -> Iterator[None]:
    yield
    world.chain.now = START


@pytest.fixture(scope="module")
def question(world: Asked) -> OnChainQuestion:
    return world.question()


@pytest.fixture(scope="module")
def holder(question: OnChainQuestion) -> Holder:
    return Holder(ASKER, question)


def ask(world: Asked, question: OnChainQuestion, shown: OnChainPresentation, asker: Address = ASKER) -> bool:
    read = world.verifier.read("check", question.as_argument(), shown.as_argument())
    return bool(world.chain.read(read, asker))


def with_word(shown: OnChainPresentation, name: str, value: int) -> OnChainPresentation:
    changed: dict[str, Any] = {name: Digest(value.to_bytes(32))}
    return replace(shown, **changed)


def test_context_and_scope_are_the_formats(world: Asked, holder: Holder) -> None:
    asked = holder.question
    nonces = (holder.verifier_nonce, holder.holder_nonce)
    ends = (holder.expiry, ASKER, holder.payee)
    assert world.chain.read(world.verifier.read("contextOf", asked.audience_hash, *nonces, *ends)) == holder.context
    scope = world.verifier.read("scopeOf", asked.purpose, asked.audience_hash, ASKER, asked.period)
    assert world.chain.read(scope) == holder.scope


def test_a_presentation_answers_the_question_it_was_made_for(world: Asked, holder: Holder) -> None:
    assert ask(world, holder.question, holder.prove())


def test_another_contract_gets_nothing(world: Asked, holder: Holder) -> None:
    """Replay at another contract: the context, which each makes anew, is another."""
    for other in (named(99), ZERO_ADDRESS):
        with refused("ProofInvalid"):
            ask(world, holder.question, holder.prove(), other)


@pytest.mark.parametrize(
    "change",
    [
        {"verifier_nonce": Digest(bytes(32))},
        {"holder_nonce": Digest(bytes(32))},
        {"expiry": START + 601},
        {"payee": named(99)},
        {"nullifier": Digest((4243).to_bytes(32))},
        {"pseudonym": Digest((98).to_bytes(32))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_nothing_of_it_can_be_changed(world: Asked, holder: Holder, change: dict[str, Any]) -> None:
    """Front-running with another payee among them."""
    with refused("ProofInvalid"):
        ask(world, holder.question, replace(holder.prove(), **change))


def test_another_chain_gets_nothing(world: Asked, holder: Holder) -> None:
    with refused("ProofInvalid"):
        ask(world, holder.question, holder.but(chain_id=AnvilEas.chain_id + 1).prove())


@pytest.mark.parametrize(
    "change",
    [
        {"policy_hash": Digest((78).to_bytes(32))},
        {"audience_hash": Digest(bytes(32))},
        {"purpose": "dispens"},
        {"purpose": ""},
        {"period": 1},
    ],
    ids=["policy", "audience", "purpose", "no purpose", "period"],
)
def test_another_question_is_not_answered(world: Asked, holder: Holder, change: dict[str, object]) -> None:
    """Policy and set swaps, another audience, and a use spent for something else."""
    other = world.question(**change)
    with refused("ProofInvalid"):
        ask(world, other, holder.prove())
    assert ask(world, other, holder.but(question=other).prove())


def test_without_a_purpose_the_scope_is_the_context(world: Asked, holder: Holder) -> None:
    plain = world.question(purpose="")
    assert ask(world, plain, holder.but(question=plain).prove())
    spending = holder.prove()  # made with a scope of its own, which an asker without a purpose does not take
    with refused("ProofInvalid"):
        ask(world, plain, spending)


def test_the_newest_epoch_and_the_one_before(world: Asked, holder: Holder) -> None:
    for epoch in (TODAY, TODAY - 1):
        assert ask(world, holder.question, holder.but(epoch=epoch, root=root_of(epoch)).prove())
    for epoch in (TODAY - 2, TODAY + 1, 0, 2**32 - 1):
        with refused("EpochRefused"):
            ask(world, holder.question, holder.but(epoch=epoch, root=root_of(epoch)).prove())


def test_a_root_grows_old(world: Asked, holder: Holder) -> None:
    """At midnight the day before yesterday's stops counting, whether or not today's was attested."""
    late = holder.but(epoch=TODAY - 1, root=root_of(TODAY - 1), expiry=START + 3 * DAY).prove()
    world.chain.now = (TODAY + 1) * DAY - 1
    assert ask(world, holder.question, late)
    world.chain.now = (TODAY + 1) * DAY
    with refused("EpochRefused"):
        ask(world, holder.question, late)
    assert ask(world, holder.question, holder.but(expiry=START + 3 * DAY).prove()), "yesterday's by now"
    missing = holder.but(epoch=TODAY + 1, root=root_of(TODAY + 1), expiry=START + 3 * DAY)
    with refused("TrustRootMissing"):
        ask(world, holder.question, missing.prove())


def test_the_root_is_the_chains_and_not_the_presenters(world: Asked, holder: Holder) -> None:
    for root in (root_of(TODAY - 1), root_of(TODAY - 3), Digest(bytes(32))):
        with refused("ProofInvalid"):
            ask(world, holder.question, holder.but(root=root).prove())


def test_another_role_has_another_root(world: Asked, holder: Holder) -> None:
    with refused("TrustRootMissing"):
        ask(world, world.question(role=PHARMACY), holder.prove())
    assert HOSPITAL != PHARMACY


def test_another_authority_has_another_root(world: Asked, holder: Holder) -> None:
    """Whoever could choose the resolver could accredit himself."""
    other = world.chain.deploy("accreditation_resolver", world.chain.eas.address, named(98))
    with refused("TrustRootMissing"):
        ask(world, world.question(resolver=other.address), holder.prove())


def test_it_expires_by_the_blocks_time(world: Asked, holder: Holder) -> None:
    """Apart from the epoch's beginning, which is what `now` in the proof says."""
    shown = holder.prove()
    world.chain.now = holder.expiry - 1
    assert ask(world, holder.question, shown)
    for now in (holder.expiry, holder.expiry + 1):
        world.chain.now = now
        with refused("PresentationExpired"):
            ask(world, holder.question, shown)


def test_inputs_of_r_and_more_are_refused(world: Asked, holder: Holder) -> None:
    shown = holder.prove()
    for name, value in (("nullifier", holder.nullifier), ("pseudonym", holder.pseudonym)):
        for same in range(value + R, 2**256, R):
            with refused("InputOutOfRange"):
                ask(world, holder.question, with_word(shown, name, same))
    with refused("InputOutOfRange"):
        argument = list(holder.question.as_argument())
        argument[1] += R
        world.chain.read(world.verifier.read("check", tuple(argument), shown.as_argument()), ASKER)


def test_a_key_that_is_not_the_askers_proves_nothing(world: Asked, holder: Holder) -> None:
    forger = Trapdoor.of("anonymous-1", 7, seed=9)
    with refused("ProofInvalid"):
        ask(world, holder.question, holder.prove(forger))
    with refused("KeyUnknown"):
        ask(world, world.question(key_hash=forger.hash), holder.prove(forger))
    small = Trapdoor.of("linked-1", 3)
    world.chain.send(world.groth16.write("register", small.circuit, small.key), named(3))
    with refused("InputsWrongNumber"):
        ask(world, world.question(key_hash=small.hash), holder.prove())


def test_malleated_proofs_pass_with_the_same_nullifier(world: Asked, holder: Holder) -> None:
    shown = holder.prove()
    assert ask(world, holder.question, replace(shown, proof=malleated(shown.proof)))


def test_a_purpose_has_64_bytes(world: Asked, holder: Holder) -> None:
    longest = world.question(purpose="p" * 64)
    assert ask(world, longest, holder.but(question=longest).prove())
    argument = list(longest.as_argument())
    argument[5] += "p"
    with refused(""):
        world.chain.read(world.verifier.read("check", tuple(argument), holder.prove().as_argument()), ASKER)


def test_it_is_deployed_beside_a_verifier(world: Asked) -> None:
    assert world.chain.read(world.verifier.read("verifier")) == world.groth16.address
    with refused("VerifierMissing"):
        world.chain.deploy("presentation_verifier", named(97))
    with pytest.raises(FieldEncodingError):
        world.verifier.read("check", world.question(role=256).as_argument(), ())
    assert DOOR.hash == world.question().key_hash


def test_low_gas_is_no_answer(world: Asked, holder: Holder) -> None:
    """Through one more call: neither is a true proof refused as false, nor a false one taken."""
    chain = world.chain
    assert isinstance(chain, AnvilEas)
    seen: list[set[str]] = [set(), set()]
    for found, payee in zip(seen, (holder.payee, named(99)), strict=True):
        shown = replace(holder.prove(), payee=payee)
        read = world.verifier.read("check", holder.question.as_argument(), shown.as_argument())
        for gas in [*range(21_000, 330_000, 2_999), *range(250_000, 290_000, 397)]:
            found.add(chain.outcome(read.data, world.verifier.address, ASKER, gas))
    assert seen == [{"", "GasTooLow", "done"}, {"", "GasTooLow", "ProofInvalid"}]


def test_py_evm_agrees(holder: Holder) -> None:
    world = Asked(Eas())
    question = world.question()
    local = holder.but(question=question, chain_id=world.chain.chain_id)
    assert ask(world, question, local.prove())
