"""A dispense credit put on a chain, and before it the verifiers and the key that it relies on."""

from __future__ import annotations

from typing import NamedTuple

from chartseal.attestation import Address, Digest
from chartseal.chain.contract import Contract
from chartseal.chain.credits.terms import Terms
from chartseal.chain.deploy import Deployed, Deployments, deploy
from chartseal.chain.presentations import OnChainQuestion, is_registered, register_key
from chartseal.chain.sending.sender import Sender
from chartseal.errors import CreditError, DeploymentError

_NAMES = ("groth16_verifier", "presentation_verifier")


class Verifiers(NamedTuple):
    """Both verifiers of a chain, the second relying on the first."""

    groth16: Deployed
    presentations: Deployed


def deploy_verifiers(sender: Sender, known: Deployments) -> Verifiers:
    """The verifiers that are known already, compared with the chain; those that are not are deployed.

    Raises:
        DeploymentError: `deployment_mismatch`; what is known is not there, or one does not rely on the other.
        RevertError, SendError, NodeError: as the sender.
    """
    node = sender.node
    have = {each.contract for each in known.contracts}
    if "groth16_verifier" not in have:
        groth16 = deploy(sender, "groth16_verifier")
        return Verifiers(groth16, deploy(sender, "presentation_verifier", groth16.address))
    groth16 = known.find("groth16_verifier")
    groth16.check(node)
    if "presentation_verifier" not in have:
        return Verifiers(groth16, deploy(sender, "presentation_verifier", groth16.address))
    presentations = known.find("presentation_verifier")
    relied_on = node.read(known.at(node, "presentation_verifier").read("verifier"))
    if relied_on != groth16.address:
        raise DeploymentError("the verifiers known here are not one another's", "deployment_mismatch", _NAMES[1])
    return Verifiers(groth16, presentations)


def deploy_credit(sender: Sender, verifiers: Verifiers, question: OnChainQuestion, terms: Terms) -> Deployed:
    """Deploy a dispense credit; the key that it pins must be registered.

    Raises:
        CreditError: `key_unregistered`; nobody could ever redeem. `purpose_missing`: every presentation would be a new
            use.
        RevertError, SendError, NodeError: as the sender.
    """
    if not question.purpose:
        raise CreditError("a use is spent for a purpose", "purpose_missing", "purpose")
    groth16 = Contract.load("groth16_verifier").at(verifiers.groth16.address)
    if not is_registered(sender.node, groth16, question.key_hash):
        raise CreditError("the verification key is not registered with the verifier", "key_unregistered", "key")
    return deploy(
        sender,
        "dispense_credit",
        verifiers.presentations.address,
        question.as_argument(),
        terms.amount_wei,
        terms.payee_roles,
        terms.funder,
    )


def register(sender: Sender, groth16: Address, circuit: str, key: bytes) -> Digest:
    """Register a verification key with the verifier at an address, unless it has it; its hash.

    Raises:
        RevertError, SendError, NodeError: as `register_key`.
    """
    return register_key(sender, Contract.load("groth16_verifier").at(groth16), circuit, key)
