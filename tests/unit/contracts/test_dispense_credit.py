"""The dispense credit: each use once, to the payee it was made for, and nothing paid that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chartseal.attestation import ZERO_ADDRESS, Address, Digest
from chartseal.chain.calls import Log
from chartseal.chain.contract import Bound
from chartseal.chain.presentations import OnChainPresentation, OnChainQuestion
from tests.anvil_evm import AnvilEas
from tests.evm import START, named, refused
from tests.groth16 import R, malleated
from tests.unit.contracts.presenting import PAYEE, PHARMACY, RELAYER, TODAY, Asked, Holder, root_of
from tests.vyper_contracts import compiled

AMOUNT = 1_000
FUNDER, OTHER = named(31), named(32)


class World(Asked):
    """A funded credit that pays accredited pharmacies, of which PAYEE is one."""

    chain: AnvilEas

    def __init__(self, chain: AnvilEas) -> None:
        super().__init__(chain)
        self.accredited = self.accredit(PAYEE)
        self.question_asked = self.question()
        self.credit = self.deploy()
        self.holder = Holder(self.credit.address, self.question_asked)
        self.fund(10 * AMOUNT)

    def deploy(self, question: OnChainQuestion | None = None, roles: int = 1 << PHARMACY, **but: Any) -> Bound:
        asked = (question or self.question_asked).as_argument()
        given = {"verifier": self.verifier.address, "question": asked, "amount": AMOUNT, "roles": roles, "by": FUNDER}
        return self.chain.deploy("dispense_credit", *{**given, **but}.values())

    def fund(self, wei: int, credit: Bound | None = None) -> None:
        self.chain.send((credit or self.credit).write("fund"), FUNDER, wei)

    def redeem(self, shown: OnChainPresentation, credit: Bound | None = None, by: Address = RELAYER) -> list[Log]:
        write = (credit or self.credit).write("redeem", shown.as_argument())
        return list(self.chain.send(write, by).logs)

    def ask(self, name: str, *arguments: Any) -> Any:
        return self.chain.read(self.credit.read(name, *arguments))

    def balance(self, who: Address) -> int:
        return self.chain.balance(who)


@pytest.fixture(scope="module")
def chain() -> Iterator[World]:
    with AnvilEas() as running:
        yield World(running)


@pytest.fixture
def world(chain: World) -> Iterator[World]:
    with chain.chain.undone():
        yield chain
    chain.chain.now = START


def test_a_use_is_credited_once_to_its_payee(world: World) -> None:
    shown = world.holder.prove()
    [log] = world.redeem(shown)
    event = world.credit.contract.events["Redeemed"].decode_log(log)
    assert event == {"payee": PAYEE, "nullifier": world.holder.nullifier, "amount": AMOUNT}
    assert (world.ask("owedTo", PAYEE), world.ask("free")) == (AMOUNT, 9 * AMOUNT)
    assert world.ask("isSpent", world.holder.nullifier)
    with refused("NullifierSpent"):
        world.redeem(shown)


def test_the_second_use_is_refused_however_it_is_dressed(world: World) -> None:
    """Another payee, other nonces, a later expiry, another epoch: a new proof each, of the same use."""
    world.accredit(OTHER)
    world.redeem(world.holder.prove())
    for change in (
        {"payee": OTHER},
        {"verifier_nonce": Digest(b"\x01" * 32), "holder_nonce": Digest(b"\x02" * 32), "pseudonym": 5},
        {"expiry": START + 900},
        {"epoch": TODAY - 1, "root": root_of(TODAY - 1)},
    ):
        with refused("NullifierSpent"):
            world.redeem(world.holder.but(**change).prove())


def test_malleated_bytes_are_the_same_use(world: World) -> None:
    """Proof bytes are no identity: whoever kept them would pay twice."""
    shown = world.holder.prove()
    other = replace(shown, proof=malleated(shown.proof))
    world.redeem(other)
    with refused("NullifierSpent"):
        world.redeem(shown)


def test_a_nullifier_and_r_is_no_second_use(world: World) -> None:
    shown = world.holder.prove()
    world.redeem(shown)
    for same in range(world.holder.nullifier + R, 2**256, R):
        with refused("NullifierOutOfRange"):
            world.redeem(replace(shown, nullifier=Digest(same.to_bytes(32))))


def test_n_uses_have_n_nullifiers(world: World) -> None:
    for nullifier in range(1, 4):
        world.redeem(world.holder.but(nullifier=nullifier).prove())
    assert world.ask("owedTo", PAYEE) == 3 * AMOUNT
    for nullifier in range(1, 4):
        with refused("NullifierSpent"):
            world.redeem(world.holder.but(nullifier=nullifier).prove())


def test_nobody_takes_another_payees_place(world: World) -> None:
    """Front-running: whoever sees the transaction first can send it, but not to himself."""
    world.accredit(OTHER)
    shown = world.holder.prove()
    with refused("ProofInvalid"):
        world.redeem(replace(shown, payee=OTHER), by=OTHER)
    world.redeem(shown, by=OTHER)
    assert (world.ask("owedTo", PAYEE), world.ask("owedTo", OTHER)) == (AMOUNT, 0)


def test_a_refused_use_is_not_spent(world: World) -> None:
    broken = world.holder.but(chain_id=AnvilEas.chain_id + 1).prove()
    with refused("ProofInvalid"):
        world.redeem(broken)
    assert not world.ask("isSpent", world.holder.nullifier)
    world.redeem(world.holder.prove())


def test_low_gas_spends_and_credits_nothing(world: World) -> None:
    """Whoever sends with too little gas cannot burn a use: the whole transaction is undone, or all of it is done."""
    shown = world.holder.prove()
    data = world.credit.write("redeem", shown.as_argument()).data
    seen = {world.chain.outcome(data, world.credit.address, RELAYER, gas) for gas in range(21_000, 400_000, 997)}
    assert seen == {"", "GasTooLow", "done"}
    assert not world.ask("isSpent", world.holder.nullifier)


def test_another_credit_has_its_own_presentations(world: World) -> None:
    """Replay at another contract of the same code and question."""
    other = world.deploy()
    world.fund(AMOUNT, other)
    with refused("ProofInvalid"):
        world.redeem(world.holder.prove(), other)
    assert world.redeem(world.holder.but(contract=other.address).prove(), other)


def test_stale_roots_and_late_presentations_are_refused(world: World) -> None:
    with refused("EpochRefused"):
        world.redeem(world.holder.but(epoch=TODAY - 2, root=root_of(TODAY - 2)).prove())
    shown = world.holder.prove()
    world.chain.now = shown.expiry
    with refused("PresentationExpired"):
        world.redeem(shown)


def test_only_accredited_payees_are_paid(world: World) -> None:
    for payee in (OTHER, ZERO_ADDRESS):
        with refused("PayeeNotAccredited"):
            world.redeem(world.holder.but(payee=payee).prove())
    world.chain.revoke(world.accreditation, named(21), world.accredited)
    with refused("PayeeNotAccredited"):
        world.redeem(world.holder.prove())


def test_without_roles_anybody_is_paid(world: World) -> None:
    other = world.deploy(roles=0)
    world.fund(AMOUNT, other)
    assert world.redeem(world.holder.but(contract=other.address, payee=OTHER).prove(), other)


def test_what_is_owed_is_there(world: World) -> None:
    other = world.deploy()
    world.fund(2 * AMOUNT - 1, other)
    holder = world.holder.but(contract=other.address)
    world.redeem(holder.prove(), other)
    with refused("FundsShort"):
        world.redeem(holder.but(nullifier=2).prove(), other)
    world.fund(1, other)
    world.redeem(holder.but(nullifier=2).prove(), other)
    with refused("FundsShort"):
        world.chain.send(other.write("reclaim", 1), FUNDER)


def test_a_payee_takes_out_what_it_was_credited_and_no_more(world: World) -> None:
    for nullifier in (1, 2):
        world.redeem(world.holder.but(nullifier=nullifier).prove())
    before = world.balance(PAYEE)
    world.chain.send(world.credit.write("withdraw"), PAYEE)
    assert world.balance(PAYEE) == before + 2 * AMOUNT
    assert (world.ask("owedTo", PAYEE), world.ask("free")) == (0, 8 * AMOUNT)
    for who in (PAYEE, OTHER):
        with refused("NothingOwed"):
            world.chain.send(world.credit.write("withdraw"), who)


def test_only_the_funder_takes_back_and_only_what_is_free(world: World) -> None:
    world.redeem(world.holder.prove())
    with refused("CallerNotFunder"):
        world.chain.send(world.credit.write("reclaim", 1), PAYEE)
    with refused("FundsShort"):
        world.chain.send(world.credit.write("reclaim", 9 * AMOUNT + 1), FUNDER)
    before = world.balance(FUNDER)
    world.chain.send(world.credit.write("reclaim", 9 * AMOUNT), FUNDER)
    assert world.balance(FUNDER) == before + 9 * AMOUNT
    world.chain.send(world.credit.write("withdraw"), PAYEE)
    assert world.balance(world.credit.address) == 0


def test_a_payee_that_calls_again_is_paid_once(world: World) -> None:
    payee = world.chain.deploy_other(compiled("Reentering"), world.credit.address)
    world.accredit(payee.address)
    for nullifier in (1, 2):
        world.redeem(world.holder.but(payee=payee.address, nullifier=nullifier).prove())
    world.redeem(world.holder.but(nullifier=3).prove())
    world.chain.send(payee.write("withdraw"), OTHER)
    assert world.balance(payee.address) == 2 * AMOUNT
    assert world.chain.read(payee.read("attempts")) == 1
    assert world.ask("owedTo", PAYEE) == AMOUNT


def test_a_payee_that_takes_no_ether_harms_itself_alone(world: World) -> None:
    payee = world.chain.deploy_other(compiled("Refusing"))
    world.accredit(payee.address)
    world.redeem(world.holder.but(payee=payee.address).prove())
    world.redeem(world.holder.but(nullifier=2).prove())
    with refused(""):
        world.chain.send(payee.write("withdraw", world.credit.address), OTHER)
    assert world.ask("owedTo", payee.address) == AMOUNT
    world.chain.send(world.credit.write("withdraw"), PAYEE)


def test_it_says_what_it_asks(world: World) -> None:
    assert OnChainQuestion.of_answer(world.ask("question")) == world.question_asked
    assert world.ask("terms") == (AMOUNT, 1 << PHARMACY, FUNDER)
    assert world.ask("presentations") == world.verifier.address


def test_what_could_never_work_is_not_deployed(world: World) -> None:
    for reason, but in (
        ("ContractMissing", {"verifier": named(96)}),
        ("ContractMissing", {"question": world.question(resolver=named(96))}),
        ("PurposeMissing", {"question": world.question(purpose="")}),
        ("AmountMissing", {"amount": 0}),
        ("FunderMissing", {"by": ZERO_ADDRESS}),
    ):
        with refused(reason):
            world.deploy(**but)


def test_ether_comes_in_by_fund_alone(world: World) -> None:
    with refused(""):
        world.chain.call(world.credit.address, b"", OTHER, 5)
    with refused(""):
        world.chain.send(world.credit.write("redeem", world.holder.prove().as_argument()), OTHER, 5)
