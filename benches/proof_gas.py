"""Gas of proofs on a local chain: the check alone, a dispense credit, and what keys cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from _figures import Figure, table
from eth_abi.abi import encode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Receipt, Write
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.deploy import deploy
from chartseal.chain.local.devnet import Devnet, accounts
from chartseal.chain.presentations import OnChainPresentation, OnChainQuestion, audience_hash
from chartseal.chain.schemas import TRUST_ROOT
from chartseal.chain.sending.sender import Sender
from chartseal.disclosure.binding import Binding, Terms
from tests.groth16 import Trapdoor, words

FLOORS = {3: 199_450, 7: 224_050}
"""What the precompiles alone take (EIP-1108): 45,000, 34,000 for each of four pairs, 6,150 for each input."""
MOST = {3: 205_000, 7: 232_000}
NAMES = {3: "holder and linked, 3 inputs", 7: "anonymous, 7 inputs"}
SEMAPHORE = 209_000
"""Gas of Semaphore v4's proof check, with 4 inputs, as its own benchmark publishes it."""
AMOUNT = 1_000
DAY = 86_400


class Chain:
    """EAS, an authority's trust root of today, and both verifiers."""

    def __init__(self, devnet: Devnet) -> None:
        assert devnet.deployment
        self.node = devnet.node
        self.sender = Sender(devnet.node, accounts()[0])
        self.resolver = self.deploy("accreditation_resolver", devnet.deployment.eas, self.sender.address)
        self.groth16 = self.deploy("groth16_verifier")
        self.verifier = self.deploy("presentation_verifier", self.groth16.address)
        self.epoch = self.node.block().timestamp // DAY
        registry = Contract.load("schema_registry").at(devnet.deployment.schema_registry)
        eas = Contract.load("eas").at(devnet.deployment.eas)
        self.send(registry.write("register", TRUST_ROOT.text, self.resolver.address, True))
        data = encode(["uint32", "uint8", "bytes32"], [self.epoch, 0, (1).to_bytes(32)])
        request = (bytes(20), 0, True, bytes(32), data, 0)
        self.send(eas.write("attest", (TRUST_ROOT.uid(self.resolver.address), request)))

    def deploy(self, name: str, *arguments: Any) -> Bound:
        """One of our contracts, ready to be called."""
        return Contract.load(name).at(deploy(self.sender, name, *arguments).address)

    def send(self, write: Write[Receipt]) -> Receipt:
        """The receipt of one transaction."""
        return self.sender.send(write)


def above_base(receipt: Receipt, write: Write[Receipt]) -> int:
    """Without the transaction's own 21,000 and its call data (EIP-2028)."""
    zeros = write.data.count(0)
    return receipt.gas_used - 21_000 - 4 * zeros - 16 * (len(write.data) - zeros)


def checks(chain: Chain) -> list[Figure]:
    """The proof check for each number of inputs, and what registering its key costs once."""
    rows = []
    for count, name in NAMES.items():
        door = Trapdoor.of("bench", count)
        key = chain.send(chain.groth16.write("register", door.circuit, door.key))
        inputs = [2**253 - each for each in range(count)]
        write = chain.groth16.write(f"verify{count}", door.hash, inputs, words(door.prove(inputs)))
        receipt = chain.send(write)
        gas = above_base(receipt, write)
        goal = f"the most we allow, {MOST[count]:,}"
        rows += [
            Figure(f"proof check ({name}), above base", gas, goal, MOST[count], goal=1, unit="gas"),
            Figure("the same beside its precompiles", gas, "EIP-1108", FLOORS[count], is_floor=True, unit="gas"),
            Figure("the same as a transaction of its own", receipt.gas_used, unit="gas"),
            Figure("registering its key, once", key.gas_used, unit="gas"),
        ]
        if count == 3:
            peer = "Semaphore v4 (4 inputs), as published"
            rows.append(Figure("the same beside a peer", gas, peer, SEMAPHORE, unit="gas"))
    return rows


def redeeming(chain: Chain) -> list[Figure]:
    """Whole transactions of a dispense credit: the first use and a later one of one payee."""
    door = Trapdoor.of("anonymous-1", 7)
    chain.send(chain.groth16.write("register", door.circuit, door.key))
    asked = (door.hash, Digest((5).to_bytes(32)), chain.resolver.address, 0, audience_hash("https://benefit.example"))
    question = OnChainQuestion(*asked, "dispense")
    me = chain.sender.address
    credit = chain.deploy("dispense_credit", chain.verifier.address, question.as_argument(), AMOUNT, 0, me)
    chain.send(credit.write("fund", value=10 * AMOUNT))
    used = [
        chain.send(credit.write("redeem", presentation(chain, credit.address, question, door, number).as_argument()))
        for number in (2**250 + 1, 2**250 + 2)
    ]
    taken = chain.send(credit.write("withdraw"))
    return [
        Figure("a dispense credit redeemed, first of a payee", used[0].gas_used, unit="gas"),
        Figure("the same, later ones", used[1].gas_used, unit="gas"),
        Figure("a payee takes out what it is owed", taken.gas_used, unit="gas"),
    ]


def presentation(
    chain: Chain, contract: Address, question: OnChainQuestion, door: Trapdoor, nullifier: int
) -> OnChainPresentation:
    """As a wallet makes it, but for the proof, which a simulator makes."""
    terms = Terms(chain.node.chain_id, contract, chain.sender.address, question.purpose)
    binding, nonce, expiry = Binding.fresh(terms), Digest(b"\x07" * 32), (chain.epoch + 2) * DAY
    context = binding.context("https://benefit.example", nonce, expiry)
    scope = binding.scope("https://benefit.example", context)
    numbers = [int.from_bytes(each) for each in (question.policy_hash, scope, context)]
    proof = door.prove([1, chain.epoch * DAY, *numbers, nullifier, 2**251])
    ends = (Digest(nullifier.to_bytes(32)), Digest((2**251).to_bytes(32)), proof)
    return OnChainPresentation(nonce, Digest(binding.holder_nonce), expiry, terms.payee, chain.epoch, *ends)


def figures() -> list[Figure]:
    """All of them, on one chain."""
    with Devnet() as devnet:
        chain = Chain(devnet)
        return checks(chain) + redeeming(chain)


if __name__ == "__main__":
    print(table(figures()))
