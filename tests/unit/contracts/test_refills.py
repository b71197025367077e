"""From a sealed prescription to paid dispensings, with real proofs: its uses, and not one more; a linked proof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import Digest
from chartseal.chain.contract import Bound
from chartseal.chain.presentations import OnChainPresentation, OnChainQuestion, answers_in, audience_hash, proof_words
from chartseal.chain.schemas import ACCREDITATION, ROLES, TRUST_ROOT
from chartseal.circuits.development import SEED
from chartseal.disclosure import Proving, Terms, UnverifiedDisclosure, choose, prove
from chartseal.errors import PredicateError
from chartseal.predicates import compile_policy
from chartseal.sealing import SealedRecord
from tests.anvil_evm import AnvilEas
from tests.charts import AUDIENCE, EXPIRES_AT, NONCE, NOW
from tests.circuit_inputs import linked_1
from tests.evm import accreditation, named, refused, trust_root
from tests.proving import ROLE, ProvingHolder, World, install, prescription, prover_of

METFORMIN = compile_policy("MedicationRequest.medication in rxnorm{860975, 861007} and authoredOn >= 2026-11-01")
AUTHORITY, FUNDER, PAYEE, RELAYER = named(41), named(42), named(43), named(44)
PHARMACY = ROLES.index("pharmacy")
PURPOSE, AMOUNT, REPEATS = "dispense", 1_000, 2
TODAY = int(NOW.timestamp()) // 86_400


class Uses:
    """The wallet's memory of uses: which number was spent last; a careless one forgets."""

    def __init__(self) -> None:
        self.spent = 0

    def spend(self, claim_id: bytes, scope: bytes, uses: int, use: int | None = None) -> int:
        if use is None and self.spent >= uses:
            raise PredicateError("all are spent", "uses_spent")
        chosen = self.spent if use is None else use
        self.spent = max(self.spent, chosen + 1)
        return chosen

    def release(self, claim_id: bytes, scope: bytes, use: int) -> None:
        pass


@dataclass
class Pharmacy:
    """A chain with the authority's root of today, a funded credit, and a patient with a prescription."""

    chain: AnvilEas
    issuers: World
    credit: Bound
    question: OnChainQuestion
    groth16: Bound
    holder: ProvingHolder
    record: SealedRecord

    def present(self, uses: Uses, **options: Any) -> UnverifiedDisclosure:
        terms = Terms(self.chain.chain_id, self.credit.address, PAYEE, PURPOSE)
        chosen = choose([self.record], [METFORMIN], now=NOW, membership_of=self.issuers.membership)
        made: dict[str, Any] = {
            "audience": AUDIENCE,
            "nonce": NONCE,
            "expires_at": EXPIRES_AT,
            "now": NOW,
            "terms": terms,
        }
        return prove(chosen, self.holder, uses=uses, proving=Proving(prover_of), **made, **options)

    def answer(self, uses: Uses, **options: Any) -> OnChainPresentation:
        [found] = answers_in(self.present(uses, **options), self.question, self.chain.chain_id, self.credit.address)
        return found

    def redeem(self, shown: OnChainPresentation) -> None:
        self.chain.send(self.credit.write("redeem", shown.as_argument()), RELAYER)

    def owed(self) -> int:
        return int(self.chain.read(self.credit.read("owedTo", PAYEE)))


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


@pytest.fixture(scope="module")
def pharmacy() -> Iterator[Pharmacy]:
    issuers, holder = World(), ProvingHolder()
    record = prescription(issuers, repeats=REPEATS, holder=holder)
    root = issuers.membership(record).trust_root
    key = _core.development_key("anonymous-4", SEED)[1]
    with AnvilEas(int(NOW.timestamp())) as chain:
        resolver = chain.deploy("accreditation_resolver", chain.eas.address, AUTHORITY)
        chain.attest(
            chain.register(TRUST_ROOT, resolver.address), AUTHORITY, trust_root(TODAY, ROLES.index(ROLE), root)
        )
        chain.attest(chain.register(ACCREDITATION, resolver.address), AUTHORITY, accreditation(), recipient=PAYEE)
        groth16 = chain.deploy("groth16_verifier")
        verifier = chain.deploy("presentation_verifier", groth16.address)
        chain.send(groth16.write("register", "anonymous-4", key), RELAYER)
        key_hash = Digest(_core.CircuitVerifier("anonymous-4", key).hash)
        asked = (
            key_hash,
            Digest(METFORMIN.hash),
            resolver.address,
            ROLES.index(ROLE),
            audience_hash(AUDIENCE),
            PURPOSE,
        )
        question = OnChainQuestion(*asked)
        credit = chain.deploy(
            "dispense_credit", verifier.address, question.as_argument(), AMOUNT, 1 << PHARMACY, FUNDER
        )
        chain.send(credit.write("fund"), FUNDER, 10 * AMOUNT)
        yield Pharmacy(chain, issuers, credit, question, groth16, holder, record)


def test_a_prescription_with_repeats_is_paid_once_and_for_each(pharmacy: Pharmacy) -> None:
    """N uses have N nullifiers, whatever the wallet forgets: no proof can be made of another."""
    uses = Uses()
    shown = [pharmacy.answer(uses) for _ in range(1 + REPEATS)]
    assert len({each.nullifier for each in shown}) == len({each.pseudonym for each in shown}) == 1 + REPEATS
    for at, each in enumerate(shown, start=1):
        pharmacy.redeem(each)
        assert pharmacy.owed() == at * AMOUNT
    with pytest.raises(PredicateError) as caught:
        pharmacy.answer(uses)
    assert caught.value.code == "uses_spent"
    for use in range(1 + REPEATS):
        with refused("NullifierSpent"):
            pharmacy.redeem(pharmacy.answer(Uses(), use=use))
    assert pharmacy.owed() == (1 + REPEATS) * AMOUNT


def test_nothing_that_the_chain_sees_is_the_patients(pharmacy: Pharmacy) -> None:
    """Two uses share nothing but what every patient's has: question, epoch, audience, payee, nonce of the verifier."""
    one, other = pharmacy.answer(Uses(), use=0), pharmacy.answer(Uses(), use=1)
    assert one.holder_nonce != other.holder_nonce
    assert one.nullifier != other.nullifier
    assert one.pseudonym != other.pseudonym
    assert not set(one.as_argument()[-1][0]) & set(other.as_argument()[-1][0])


@pytest.mark.parametrize("circuit", ["linked-1"])
def test_a_linked_proof_holds_on_chain(pharmacy: Pharmacy, circuit: str) -> None:
    key = _core.development_key(circuit, SEED)[1]
    pharmacy.chain.send(pharmacy.groth16.write("register", circuit, key), RELAYER)
    made = prover_of(circuit).prove(linked_1())
    inputs = [int.from_bytes(each) for each in made.inputs]
    read = pharmacy.groth16.read("verify3", made.key_hash, inputs, proof_words(made.proof))
    assert pharmacy.chain.read(read) is True
    for at in range(3):
        wrong = [*inputs[:at], inputs[at] ^ 1, *inputs[at + 1 :]]
        with refused("ProofInvalid"):
            pharmacy.chain.read(pharmacy.groth16.read("verify3", made.key_hash, wrong, proof_words(made.proof)))
