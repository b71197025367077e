"""Step 12: every proof is of a circuit, a question, a record or trust root, and a request that this verifier knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from chartseal import _core
from chartseal.attestation import Digest
from chartseal.disclosure.binding import Terms
from chartseal.disclosure.form import UnverifiedDisclosure, UnverifiedProof
from chartseal.disclosure.statements import ANONYMOUS, HOLDER, LINKED, Statement
from chartseal.errors import PredicateProofError
from chartseal.verification.content import refusing
from chartseal.verification.report import Issuer, VerifiedPredicate
from chartseal.verification.trust_roots import TrustRoots

if TYPE_CHECKING:
    from chartseal.predicates import Policy
    from chartseal.verification.policy import TrustPolicy

Checkable: TypeAlias = "tuple[_core.CircuitVerifier, list[bytes], bytes]"
"""A proof as the core checks many: its key, public inputs and bytes."""


@dataclass(frozen=True)
class Question:
    """What the verifier asks: policies of its own, never one out of a presentation, and under which terms."""

    policies: tuple[Policy, ...]
    terms: Terms


@dataclass(frozen=True)
class Proven:
    """What the proofs of a presentation come to, once `checkable` holds."""

    predicates: tuple[VerifiedPredicate, ...] = ()
    pseudonyms: Mapping[int, Digest] = field(default_factory=dict)
    """By record, of the records that are proved to be the holder's whose pseudonym it is."""
    checkable: tuple[Checkable, ...] = ()


@dataclass(frozen=True)
class _Shown:
    """What proofs are held against."""

    trust: TrustPolicy
    question: Question
    context: bytes
    scope: bytes
    roots: TrustRoots
    claims_roots: Sequence[bytes]
    issuers: Sequence[Issuer]


def examine(
    disclosure: UnverifiedDisclosure,
    claims_roots: Sequence[bytes],
    issuers: Sequence[Issuer],
    trust: TrustPolicy,
    question: Question,
    roots: TrustRoots,
) -> Proven:
    """Check all that is public of the proofs; `checkable` is left to `check_all`, which takes those of many at once.

    `claims_roots` and `issuers` are the records', checked in the steps before.

    Raises:
        PredicateProofError: `proof_repeated`, `proofs_unordered`, `key_unknown`, `key_refused`, `development_key`,
            `inputs_wrong_number`, `input_out_of_range`, `context_mismatch`, `terms_mismatch`, `scope_mismatch`,
            `policy_unknown`, `policy_circuit`, `claims_root_not_shown`, `trust_root_unknown`, `trust_root_time`,
            `trust_root_stale`, `pseudonyms_differ`, `policy_unproved` or `use_unproved`.
        ChainError: as the view.
    """
    if not disclosure.proofs:
        _require_answers(question, ())
        return Proven()
    assert disclosure.binding is not None  # noqa: S101 (reading refuses proofs without one)
    if disclosure.binding.terms != question.terms:
        raise _refusal("made under other terms than asked for", "terms_mismatch", "binding")
    _require_order(disclosure.proofs)
    context = disclosure.binding.context(disclosure.audience, disclosure.nonce, disclosure.expiry)
    scope = disclosure.binding.scope(disclosure.audience, context)
    shown = _Shown(trust, question, context, scope, roots, claims_roots, issuers)
    checkable, statements = [], []
    for at, proof in enumerate(disclosure.proofs):
        statement, verifier = _read(proof, trust, f"proofs[{at}]")
        checkable.append((verifier, list(map(bytes, proof.inputs)), proof.proof))
        statements.append(statement)
    found = [_one(statement, shown, f"proofs[{at}]") for at, statement in enumerate(statements)]
    pseudonyms = _pseudonyms(statements, shown)
    predicates = tuple(each for each in found if each is not None)
    _require_answers(question, predicates)
    return Proven(predicates, pseudonyms, tuple(checkable))


def check_all(checkable: Sequence[Checkable]) -> None:
    """The proofs themselves, all at once by a random combination.

    Raises:
        PredicateProofError: `proof_invalid` or `proof_malformed`, with the place of the first that does not hold.
    """
    with refusing(PredicateProofError, ""):
        if checkable:
            _core.verify_proofs(list(checkable))


def _require_order(proofs: Sequence[UnverifiedProof]) -> None:
    stated = [(proof.key, proof.inputs) for proof in proofs]
    if max(Counter(stated).values()) > 1:
        raise _refusal("one statement is proved twice", "proof_repeated", "proofs")
    if stated != sorted(stated):
        raise _refusal("proofs do not ascend by key and public inputs", "proofs_unordered", "proofs")


def _read(proof: UnverifiedProof, trust: TrustPolicy, place: str) -> tuple[Statement, _core.CircuitVerifier]:
    """A proof under a key that is known and that the policy takes."""
    from chartseal.circuits import verifier_of  # a verifier of plain disclosures loads no keys

    known = verifier_of(proof.key)
    if known is None:
        raise _refusal("no circuit is known by this verification key", "key_unknown", place)
    if known.is_development and known.circuit not in trust.development_keys:
        raise _refusal("anybody can forge proofs under a development key", "development_key", place)
    if trust.keys and proof.key not in trust.keys:
        raise _refusal("a verification key that the policy does not list", "key_refused", place)
    with refusing(PredicateProofError, place):
        return Statement.read(known.circuit, proof.inputs), known.verifier


def _one(statement: Statement, shown: _Shown, place: str) -> VerifiedPredicate | None:
    if statement["context"] != shown.context:
        detail = "made in another context: for another audience, nonce, expiry, chain, contract or payee"
        raise _refusal(detail, "context_mismatch", place)
    return _KINDS[statement.kind](statement, shown, place)


def _holder(statement: Statement, shown: _Shown, place: str) -> None:
    _record(statement, shown, place)


def _linked(statement: Statement, shown: _Shown, place: str) -> VerifiedPredicate:
    policy, record = _policy(statement, shown, place), _record(statement, shown, place)
    issuer = shown.issuers[record]
    issued_under = (issuer.issued_under,) if issuer.issued_under is not None else ()
    return VerifiedPredicate(policy, LINKED, issuer.name, issued_under, record=record)


def _anonymous(statement: Statement, shown: _Shown, place: str) -> VerifiedPredicate:
    policy = _policy(statement, shown, place)
    if statement["scope"] != shown.scope:
        raise _refusal("spends a use for another purpose, or is linked where none is spent", "scope_mismatch", place)
    now = int.from_bytes(statement["now"])
    return VerifiedPredicate(
        policy,
        ANONYMOUS,
        "",
        shown.roots.issued_under(statement["trustRoot"], now, place),
        nullifier=Digest(statement["nullifier"]),
        pseudonym=Digest(statement["pseudonym"]),
        as_of=datetime.fromtimestamp(now, UTC),
    )


_KINDS: Mapping[str, Callable[[Statement, _Shown, str], VerifiedPredicate | None]] = {
    HOLDER: _holder,
    LINKED: _linked,
    ANONYMOUS: _anonymous,
}


def _policy(statement: Statement, shown: _Shown, place: str) -> Policy:
    policy = next((each for each in shown.question.policies if each.hash == statement["policyHash"]), None)
    if policy is None:
        raise _refusal("answers a policy that this verifier did not ask", "policy_unknown", place)
    if policy.circuit_size != statement.size:
        raise _refusal("a policy of another number of slots than the circuit's", "policy_circuit", place)
    return policy


def _record(statement: Statement, shown: _Shown, place: str) -> int:
    """The one record whose opened `chartseal.claims` is the proof's claims root."""
    root = statement["claimsRoot"]
    found = [at for at, each in enumerate(shown.claims_roots) if each == root and any(root)]
    if len(found) != 1:
        raise _refusal("of claims that no record here has, or several have", "claims_root_not_shown", place)
    return found[0]


def _pseudonyms(statements: Sequence[Statement], shown: _Shown) -> dict[int, Digest]:
    """By record; one presentation is one holder's, so all proofs that name a holder name the same."""
    named = [each for each in statements if each.kind in (HOLDER, ANONYMOUS)]
    if len({each["pseudonym"] for each in named}) > 1:
        raise _refusal("proofs of several holders", "pseudonyms_differ", "proofs")
    holders = [each for each in named if each.kind == HOLDER]
    return {shown.claims_roots.index(each["claimsRoot"]): Digest(each["pseudonym"]) for each in holders}


def _require_answers(question: Question, predicates: Sequence[VerifiedPredicate]) -> None:
    """Every question is answered: who carries a presentation could otherwise drop a proof unseen. Where a use is to be
    spent, each is answered by a proof that spends one: else one record's use would pay for what another proves again.
    """
    proved = {each.policy.hash for each in predicates}
    spending = {each.policy.hash for each in predicates if each.nullifier is not None}
    for at, policy in enumerate(question.policies):
        if policy.hash not in proved:
            raise _refusal("no proof answers this policy", "policy_unproved", f"policies[{at}]")
        if question.terms.spends and policy.hash not in spending:
            raise _refusal("no use is spent for the purpose asked for", "use_unproved", f"policies[{at}]")
    if question.terms.spends and not spending:
        raise _refusal("no use is spent for the purpose asked for", "use_unproved", "proofs")


def _refusal(detail: str, code: str, place: str) -> PredicateProofError:
    return PredicateProofError(detail, code, place)
