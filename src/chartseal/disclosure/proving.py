"""Make the presentation: prove each answer, bound to one request, and tie the proofs to one holder.

    presentation = prove(answers, wallet, audience=origin, nonce=nonce, expires_at=in_ten_minutes)
    presentation.to_json()

All proofs are made before anything is signed; a use is noted as spent before it is proved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from chartseal.attestation import Digest
from chartseal.disclosure.about import CHOSEN
from chartseal.disclosure.binding import NO_TERMS, Binding, Terms
from chartseal.disclosure.form import UnverifiedDisclosure, UnverifiedProof
from chartseal.disclosure.predicate import Answer
from chartseal.disclosure.presentation import HolderSigner, checked_request, present
from chartseal.disclosure.selection import Choice, HeldRecord, Selection
from chartseal.disclosure.statements import ANONYMOUS, HOLDER
from chartseal.disclosure.witness import anonymous_inputs, holder_inputs, linked_inputs
from chartseal.errors import PredicateError
from chartseal.record import open_along

if TYPE_CHECKING:
    from chartseal.circuits import Proof, Prover

_CLAIMS = "chartseal.claims"
_FIRST_USE = 0


class HolderProver(HolderSigner, Protocol):
    """A wallet: proves what is about its spend secret, which it gives to nobody."""

    def holder_commitment(self) -> bytes:
        """The value of claim 0 of this wallet's records: 32 bytes."""

    def prove(self, prover: Prover, inputs: Mapping[str, Any], **options: Any) -> Proof:
        """Prove a statement about the secret."""


class Uses(Protocol):
    """The wallet's memory of uses: which are spent in a scope."""

    def spend(self, claim_id: bytes, scope: bytes, uses: int, use: int | None = None) -> int:
        """Note a use as spent, the given one or the next: its number."""

    def release(self, claim_id: bytes, scope: bytes, use: int) -> None:
        """Take it back: nothing was proved after all."""


@dataclass(frozen=True)
class Proving:
    """How to prove: the prover of each circuit, what is told of each stage, and what ends it from another thread."""

    prover_of: Callable[[str], Prover]
    progress: Callable[[str], None] | None = None
    cancellation: Any = None

    def options(self) -> dict[str, Any]:
        """As a prover takes them."""
        return {"progress": self.progress, "cancellation": self.cancellation}


def prover_of(circuit: str, *, unsafe_development_keys: bool = False) -> Prover:
    """The prover of a circuit under its production key, or if that is asked for under the development key.

    Raises:
        PredicateError: `development_key`, where there is no other.
        CircuitKeyError: the key is not in the cache, or altered.
    """
    from chartseal.circuits import load_prover, manifest  # a wallet that only discloses loads none

    keys = manifest().circuit(circuit).keys
    fit = [key for key in keys if not key.is_unsafe] or [key for key in keys if unsafe_development_keys]
    if not fit:
        detail = (
            "there is a development key alone, under which anybody can forge proofs: --unsafe-development-keys "
            "takes it, and a verifier only where it names the circuit"
        )
        raise PredicateError(detail, "development_key", circuit)
    return load_prover(circuit, fit[-1].name)


def _general_address(_: HeldRecord) -> tuple[int, int]:
    return 0, 0


def prove(
    answers: Sequence[Answer],
    holder: HolderProver,
    *,
    audience: str,
    nonce: bytes,
    expires_at: datetime,
    now: datetime | None = None,
    terms: Terms = NO_TERMS,
    uses: Uses | None = None,
    use: int | None = None,
    selection: Selection = Selection(()),  # noqa: B008 (frozen)
    address_of: Callable[[HeldRecord], tuple[int, int]] = _general_address,
    proving: Proving = Proving(prover_of),
) -> UnverifiedDisclosure:
    """Prove the answers to one verifier, beside what `selection` opens.

    `audience`, `nonce`, `expires_at` and `address_of` are as in `present`. Of linked answers the record is shown with
    its control fields. Where there are several records, each that is shown gets a proof of its holder besides, so that
    all are one person's. `terms` with a purpose spend a use of each anonymous record: the next one that `uses` does not
    know as spent, or `use`.

    Raises:
        PredicateError: `policies_missing`, `record_not_ours`, `spend_needs_anonymous`, `spend_needs_memory`,
            `uses_spent`, `use_unknown`, `development_key`.
        ProvingError, CircuitKeyError: as the prover.
        DisclosureError, KeyFormatError, RecordError and others: as `present`.
    """
    if not answers:
        raise PredicateError("nothing is to be proved", "policies_missing")
    spending = {answer.policy.hash for answer in answers if answer.kind == ANONYMOUS}
    if terms.spends and any(answer.policy.hash not in spending for answer in answers):
        raise PredicateError("only an anonymous proof spends a use", "spend_needs_anonymous")
    audience, expiry = checked_request(audience, nonce, expires_at, now)
    _require_ours(answers, selection, holder)
    binding = Binding.fresh(terms)
    context = binding.context(audience, nonce, expiry)
    scope = binding.scope(audience, context)
    shown = _with_linked(selection, answers)
    spent = _Spent(uses, scope, use) if terms.spends else None
    try:
        return present(
            shown,
            holder,
            audience=audience,
            nonce=nonce,
            expires_at=expires_at,
            now=now,
            address_of=address_of,
            proofs=_Making(holder, context, scope, proving, spent).proofs(answers, shown),
            binding=binding,
        )
    except BaseException:
        if spent is not None:
            spent.release()
        raise


class _Spent:
    """The uses that one presentation spends, one of each credential."""

    def __init__(self, uses: Uses | None, scope: bytes, use: int | None) -> None:
        if uses is None:
            raise PredicateError("a use is spent only where the wallet remembers it", "spend_needs_memory")
        self._uses, self._scope, self._use = uses, scope, use
        self._of: dict[bytes, int] = {}

    def number(self, claim_id: bytes, uses: int) -> int:
        """The use to spend of a credential."""
        if claim_id not in self._of:
            self._of[claim_id] = self._uses.spend(claim_id, self._scope, uses, self._use)
        return self._of[claim_id]

    def release(self) -> None:
        """Take all back; one that was asked for by its number may have been spent before, and stays so."""
        for claim_id, use in self._of.items() if self._use is None else ():
            self._uses.release(claim_id, self._scope, use)


def _require_ours(answers: Sequence[Answer], selection: Selection, holder: HolderProver) -> None:
    """Also of an anonymous proof, which would only fail: every record holds, and is this wallet's."""
    commitment = holder.holder_commitment()
    for record in [*(answer.record for answer in answers), *(choice.record for choice in selection.choices)]:
        record.check()
        if record.claims[0].value != commitment:
            raise PredicateError("a record of another holder", "record_not_ours", record.resource_type)


def _with_linked(selection: Selection, answers: Sequence[Answer]) -> Selection:
    """The selection, and of each record that linked proofs are about at least the control fields."""
    choices = {_identity(choice.record): choice for choice in selection.choices}
    for answer in answers:
        if answer.membership is None and answer.identity not in choices:
            record = answer.record
            opened = open_along(record.resource_type, record.fields, [_CLAIMS])
            cause = f"something is proved of it ({CHOSEN} by a policy)"
            choices[answer.identity] = Choice(record, tuple(opened), cause)
    return Selection(tuple(choices.values()))


def _identity(record: HeldRecord) -> tuple[bytes, bytes]:
    return record.package.signer, record.package.uid


def _is_several(answers: Sequence[Answer], shown: Selection) -> bool:
    """Whether records are shown beside others, shown or not."""
    hidden = {answer.identity for answer in answers if answer.kind == ANONYMOUS}
    return bool(shown.choices) and len({_identity(choice.record) for choice in shown.choices} | hidden) > 1


@dataclass(frozen=True)
class _Making:
    """The proofs of one presentation."""

    holder: HolderProver
    context: bytes
    scope: bytes
    proving: Proving
    spent: _Spent | None

    def proofs(self, answers: Sequence[Answer], shown: Selection) -> list[UnverifiedProof]:
        """All, in their order; where a prover is missing, none is begun."""
        tied = [choice.record for choice in shown.choices] if _is_several(answers, shown) else []
        circuits = [answer.circuit for answer in answers] + [HOLDER] * bool(tied)
        provers = {circuit: self.proving.prover_of(circuit) for circuit in dict.fromkeys(circuits)}
        made = [self._answer(answer, provers[answer.circuit]) for answer in answers]
        made += [self._tie(record, provers[HOLDER]) for record in tied]
        proofs = (UnverifiedProof(Digest(each.key_hash), tuple(map(Digest, each.inputs)), each.proof) for each in made)
        return sorted(proofs, key=lambda proof: (proof.key, proof.inputs))

    def _answer(self, answer: Answer, prover: Prover) -> Proof:
        record, credential, membership = answer.record, answer.record.credential, answer.membership
        if membership is None or credential is None:
            inputs = linked_inputs(self.context, answer.policy, record.claims, answer.claims)
            return prover.prove(inputs, **self.proving.options())
        inputs = anonymous_inputs(
            self.context,
            self.scope,
            answer.policy,
            record.claims,
            answer.claims,
            attester=record.package.signer,
            credential=credential,
            membership=membership,
            use=_FIRST_USE if self.spent is None else self.spent.number(credential.claim_id, credential.uses),
        )
        return self.holder.prove(prover, inputs, **self.proving.options())

    def _tie(self, record: HeldRecord, prover: Prover) -> Proof:
        return self.holder.prove(prover, holder_inputs(self.context, record.claims), **self.proving.options())
