"""Presentations and contracts: what a contract asks, what of a presentation answers it, keys, and a check beforehand.

    key_hash = register_key(sender, groth16, "anonymous-1", key)
    question = OnChainQuestion(key_hash, policy.hash, resolver, role, audience_hash(us), purpose="dispense")
    [shown] = answers_in(presentation, question, node.chain_id, contract)
    check(node, verifier, question, shown, contract)

The contracts are `groth16_verifier` and `presentation_verifier`; docs/contracts.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chartseal import _core
from chartseal.attestation import Address, Digest, to_hex
from chartseal.chain.authority.trust_root import EPOCH_SECONDS
from chartseal.chain.contract import Bound
from chartseal.chain.rpc import answers
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender
from chartseal.disclosure.binding import FIELD_ORDER, Binding
from chartseal.disclosure.form import UnverifiedDisclosure, UnverifiedProof
from chartseal.errors import PresentationError

LONGEST_PURPOSE = 64
"""Bytes of UTF-8 that the contract takes."""

PROOF_SIZE = 256
_WORD = 32
_PUBLICS = ("trustRoot", "now", "policyHash", "scope", "context", "nullifier", "pseudonym")
_LAST_EPOCH = 2**32 - 1

ProofWords = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""A proof as contracts take it: A (2 words), B (4, imaginary parts first), C (2)."""


@dataclass(frozen=True, slots=True)
class OnChainQuestion:
    """What a contract asks of anonymous presentations: IPresentationVerifier's Question."""

    key_hash: Digest
    """Of the verification key of anonymous-1 or anonymous-4."""
    policy_hash: Digest
    resolver: Address
    """The authority's AccreditationResolver."""
    role: int
    """The bit's number of the issuer's role."""
    audience_hash: Digest
    """keccak256 of the text by which wallets know the asker."""
    purpose: str = ""
    """What a use is spent for; empty where none is."""
    period: int = 0

    def __post_init__(self) -> None:
        """Refuse what no contract can ask.

        Raises:
            PresentationError: `question_malformed`.
        """
        if len(self.purpose.encode()) > LONGEST_PURPOSE:
            raise PresentationError(f"a purpose has at most {LONGEST_PURPOSE} bytes", "question_malformed", "purpose")
        if int.from_bytes(self.policy_hash) >= FIELD_ORDER:
            raise PresentationError("no policy has that hash", "question_malformed", "policy")

    def as_argument(self) -> tuple[Any, ...]:
        """As the contract takes it."""
        policy = int.from_bytes(self.policy_hash)
        return self.key_hash, policy, self.resolver, self.role, self.audience_hash, self.purpose, self.period

    @classmethod
    def of_answer(cls, answer: tuple[Any, ...]) -> OnChainQuestion:
        """As a contract answers it.

        Raises:
            PresentationError: `question_malformed`.
        """
        key_hash, policy, resolver, role, audience, purpose, period = answer
        policy_hash = Digest(policy.to_bytes(_WORD))
        return cls(Digest(key_hash), policy_hash, resolver, role, Digest(audience), purpose, period)


@dataclass(frozen=True, slots=True)
class OnChainPresentation:
    """What a holder brings to a contract: IPresentationVerifier's Presentation."""

    verifier_nonce: Digest
    holder_nonce: Digest = field(repr=False)
    expiry: int
    """Unix seconds."""
    payee: Address
    epoch: int
    """Day since 1970 of the trust root."""
    nullifier: Digest
    pseudonym: Digest
    proof: bytes = field(repr=False)

    def as_argument(self) -> tuple[Any, ...]:
        """As the contract takes it."""
        numbers = (int.from_bytes(self.nullifier), int.from_bytes(self.pseudonym))
        nonces = (self.verifier_nonce, self.holder_nonce)
        return *nonces, self.expiry, self.payee, self.epoch, *numbers, proof_words(self.proof)


def audience_hash(audience: str) -> Digest:
    """The audience as contracts know it."""
    return Digest(_core.keccak256(audience.encode()))


def proof_words(proof: bytes) -> ProofWords:
    """The 256 bytes of a proof as contracts take them.

    Raises:
        PresentationError: `proof_malformed`.
    """
    if len(proof) != PROOF_SIZE:
        raise PresentationError(f"a proof has {PROOF_SIZE} bytes", "proof_malformed", "proof")
    word = [int.from_bytes(proof[at : at + _WORD]) for at in range(0, PROOF_SIZE, _WORD)]
    return tuple(word[:2]), tuple(word[2:6]), tuple(word[6:])


def answers_in(
    shown: UnverifiedDisclosure, question: OnChainQuestion, chain_id: int, contract: Address
) -> tuple[OnChainPresentation, ...]:
    """Those proofs of a presentation that answer the question of that contract, ready to be brought to it.

    What the contract would compute is computed here, so that an error says what differs. The proof itself and the trust
    root are the chain's to check.

    Raises:
        PresentationError: `presentation_other_chain`, `presentation_other_contract`, `presentation_other_audience`,
            `presentation_other_use`: made for another; `answer_missing`: no proof of that policy under that key;
            `context_differs`, `scope_differs`, `input_out_of_range`, `epoch_malformed`, `proof_malformed`.
    """
    binding = _bound(shown, question, chain_id, contract)
    context = binding.context(shown.audience, shown.nonce, shown.expiry)
    scope = binding.scope(shown.audience, context)
    found = [
        _answer(shown, binding, each, (context, scope))
        for each in shown.proofs
        if each.key == question.key_hash
        and len(each.inputs) == len(_PUBLICS)
        and each.inputs[_PUBLICS.index("policyHash")] == question.policy_hash
    ]
    if not found:
        raise PresentationError("no proof of the contract's policy under its key is there", "answer_missing", "proofs")
    return tuple(found)


def _bound(shown: UnverifiedDisclosure, question: OnChainQuestion, chain_id: int, contract: Address) -> Binding:
    if shown.binding is None:
        raise PresentationError("there is no proof", "answer_missing", "proofs")
    terms = shown.binding.terms
    if terms.chain != chain_id:
        raise PresentationError("made for another chain", "presentation_other_chain", "binding chain")
    if terms.contract != contract:
        raise PresentationError("made for another contract", "presentation_other_contract", "binding contract")
    if audience_hash(shown.audience) != question.audience_hash:
        raise PresentationError("made for another audience", "presentation_other_audience", "audience")
    if (terms.purpose, terms.period) != (question.purpose, question.period):
        raise PresentationError("made for another use", "presentation_other_use", "binding purpose")
    return shown.binding


def _answer(
    shown: UnverifiedDisclosure, binding: Binding, proof: UnverifiedProof, expected: tuple[bytes, bytes]
) -> OnChainPresentation:
    public = dict(zip(_PUBLICS, proof.inputs, strict=True))
    for name, value in zip(("context", "scope"), expected, strict=True):
        if public[name] != value:
            raise PresentationError(f"the proof is of another {name}", f"{name}_differs", "proofs")
    for name, word in public.items():
        if int.from_bytes(word) >= FIELD_ORDER:
            raise PresentationError("a public input is not below the field's order", "input_out_of_range", name)
    epoch, rest = divmod(int.from_bytes(public["now"]), EPOCH_SECONDS)
    if rest or epoch > _LAST_EPOCH:
        raise PresentationError("now is not the beginning of an epoch", "epoch_malformed", "now")
    proof_words(proof.proof)
    return OnChainPresentation(
        verifier_nonce=Digest(shown.nonce),
        holder_nonce=Digest(binding.holder_nonce),
        expiry=shown.expiry,
        payee=binding.terms.payee,
        epoch=epoch,
        nullifier=public["nullifier"],
        pseudonym=public["pseudonym"],
        proof=proof.proof,
    )


def register_key(sender: Sender, groth16: Bound, circuit: str, key: bytes) -> Digest:
    """Register a verification key, unless it is registered already; its hash.

    Raises:
        RevertError: the contract refuses it: `KeyMalformed`, `KeyUnsafe`.
        FieldEncodingError, SendError, NodeError: as the sender.
    """
    key_hash = Digest(sender.node.read(groth16.read("register", circuit, key)))
    if not is_registered(sender.node, groth16, key_hash):
        sender.send(groth16.write("register", circuit, key))
    return key_hash


def is_registered(node: Node, groth16: Bound, key_hash: Digest) -> bool:
    """Whether proofs under that key can be checked there.

    Raises:
        NodeError: as the node.
    """
    return bool(node.read(groth16.read("isRegistered", key_hash)))


def check(
    node: Node, verifier: Bound, question: OnChainQuestion, shown: OnChainPresentation, contract: Address
) -> None:
    """Ask the presentation verifier what it would tell the contract now.

    Raises:
        RevertError: it refuses, by the reason's name: `ProofInvalid`, `EpochRefused`, `PresentationExpired`, …
        NodeError: as the node.
    """
    read = verifier.read("check", question.as_argument(), shown.as_argument())
    if node.read(read, sender=contract) is not True:
        raise PresentationError("the verifier answers neither yes nor no", "answer_malformed")


def gas_of_check(
    node: Node, verifier: Bound, question: OnChainQuestion, shown: OnChainPresentation, contract: Address
) -> int:
    """Gas of a transaction of the contract's that does only this check.

    Raises:
        RevertError: it refuses.
        NodeError: as the node.
    """
    read = verifier.read("check", question.as_argument(), shown.as_argument())
    call = {"from": to_hex(contract), "to": to_hex(verifier.address), "data": to_hex(read.data)}
    return answers.number(node.request("eth_estimateGas", [call]), "eth_estimateGas")
