"""One dispense credit on a chain: what it asks and has, put money in, redeem, take money out."""

from __future__ import annotations

from dataclasses import dataclass

from chartseal.attestation import Address, Digest
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.credits.terms import Terms
from chartseal.chain.deploy import is_ours, node_code
from chartseal.chain.presentations import OnChainPresentation, OnChainQuestion, answers_in, check
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender
from chartseal.disclosure.form import UnverifiedDisclosure
from chartseal.errors import CreditError, DeploymentError, PresentationError


@dataclass(frozen=True, slots=True)
class Status:
    """What a contract has, in wei."""

    free: int
    """What nobody was credited yet."""
    amount: int
    """What a use is worth."""

    @property
    def uses_left(self) -> int:
        """How many more uses can be credited."""
        return self.free // self.amount


@dataclass(frozen=True, slots=True)
class Redeemed:
    """One use that was spent."""

    payee: Address
    nullifier: Digest
    amount_wei: int
    tx_hash: Digest
    block_number: int
    gas_used: int


@dataclass(frozen=True, slots=True)
class Credit:
    """A contract whose code, and that of both verifiers behind it, was compared with this package's."""

    node: Node
    contract: Bound
    verifier: Bound
    question: OnChainQuestion
    terms: Terms

    @classmethod
    def at(cls, node: Node, address: Address) -> Credit:
        """The contract at an address: what it asks is fixed, and stands here.

        Raises:
            DeploymentError: `deployment_mismatch`; it is none of this package's, or relies on another verifier.
            NodeError: as the node.
        """
        contract = _ours(node, "dispense_credit", address)
        asked, stated, behind = node.read_many([contract.read(name) for name in ("question", "terms", "presentations")])
        verifier = _ours(node, "presentation_verifier", behind)
        _ours(node, "groth16_verifier", node.read(verifier.read("verifier")))
        return cls(node, contract, verifier, OnChainQuestion.of_answer(asked), Terms(*stated))

    def status(self) -> Status:
        """What it has now.

        Raises:
            NodeError: as the node.
        """
        return Status(self.node.read(self.contract.read("free")), self.terms.amount_wei)

    def owed_to(self, payee: Address) -> int:
        """What a payee was credited and has not taken out, in wei.

        Raises:
            NodeError: as the node.
        """
        return int(self.node.read(self.contract.read("owedTo", payee)))

    def is_spent(self, nullifier: Digest) -> bool:
        """Whether that use was spent here.

        Raises:
            NodeError: as the node.
        """
        return bool(self.node.read(self.contract.read("isSpent", int.from_bytes(nullifier))))

    def answers(self, shown: UnverifiedDisclosure) -> tuple[OnChainPresentation, ...]:
        """The uses that a presentation spends here; checked on the chain, and not spent yet.

        Raises:
            PresentationError: made for something else, as `presentations.answers_in`.
            CreditError: `use_spent`.
            RevertError: the verifier refuses it, by the reason's name.
            NodeError: as the node.
        """
        found = answers_in(shown, self.question, self.node.chain_id, self.contract.address)
        if len({each.nullifier for each in found}) != len(found):
            raise PresentationError("one use stands twice", "presentation_refused", "proofs")
        for each in found:
            if self.is_spent(each.nullifier):
                raise CreditError("this use was spent", "use_spent", "nullifier")
            check(self.node, self.verifier, self.question, each, self.contract.address)
        return found

    def fund(self, sender: Sender, wei: int) -> None:
        """Put money in.

        Raises:
            RevertError, SendError, NodeError: as the sender.
        """
        sender.send(self.contract.write("fund", value=wei))

    def redeem(self, sender: Sender, shown: OnChainPresentation) -> Redeemed:
        """Spend one use; its payee is credited, whoever sends.

        Raises:
            RevertError: refused, by the reason's name: `NullifierSpent`, `FundsShort`, `PayeeNotAccredited`, …
            SendError, NodeError: as the sender.
        """
        receipt = sender.send(self.contract.write("redeem", shown.as_argument()))
        [event] = self.contract.events_in(receipt, "Redeemed")
        return Redeemed(
            event["payee"],
            Digest(event["nullifier"].to_bytes(32)),
            event["amount"],
            receipt.tx_hash,
            receipt.block_number,
            receipt.gas_used,
        )

    def withdraw(self, sender: Sender) -> int:
        """Take out all that the sender was credited; how much that was, in wei.

        Raises:
            RevertError: `NothingOwed`.
            SendError, NodeError: as the sender.
        """
        receipt = sender.send(self.contract.write("withdraw"))
        return int(self.contract.events_in(receipt, "Withdrawn")[0]["amount"])

    def reclaim(self, sender: Sender, wei: int) -> None:
        """Give the funder back what nobody was credited.

        Raises:
            RevertError: `CallerNotFunder`, `FundsShort`.
            SendError, NodeError: as the sender.
        """
        sender.send(self.contract.write("reclaim", wei))


def _ours(node: Node, name: str, address: Address) -> Bound:
    if not is_ours(name, node_code(node, address)):
        raise DeploymentError("the code at this address is not this package's contract", "deployment_mismatch", name)
    return Contract.load(name).at(address)
