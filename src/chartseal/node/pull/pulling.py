"""Ask a node and verify what it answers: record by record where not all of it holds."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from chartseal.attestation import Digest
from chartseal.disclosure import Answered, ByConsent, Ground, UnverifiedAnswer, UnverifiedAnswerRecord
from chartseal.errors import AudienceError, VerificationError
from chartseal.node.pull.bundles import Proof, ToldResource
from chartseal.node.pull.pages import HttpClient, Pages, Peer, PullLimits
from chartseal.verification import ChainView, ConsentCheck, Fact, TrustPolicy, VerifiedAnswer, verify_answer

_HOLDERS_STEP = 10
_LIMITS = PullLimits()


class State(StrEnum):
    """What became of a resource that a node told."""

    AS_SEALED = "as sealed"
    DIFFERS = "differs"
    """A record of it is verified, and says something else; what the record says is shown."""
    REFUSED = "refused"
    """Its record does not hold."""
    NOT_PROVED = "not proved"
    """No record was given for it."""


class ToldState(NamedTuple):
    """A resource of the answer by its type, and what became of it."""

    resource_type: str
    state: State


class RefusedRecord(NamedTuple):
    """An answer record that does not hold: the step that refused it, and the error's code."""

    step: int
    code: str


@dataclass(frozen=True)
class Pulled:
    """What came of a question: facts that are verified here, and a count of what is not."""

    answer: VerifiedAnswer | None
    """None where no record held, or none came: which does not say that there is none."""
    refused: tuple[RefusedRecord, ...]
    told: tuple[ToldState, ...]
    """The resources of the answer, in its order."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The verified facts."""
        return () if self.answer is None else self.answer.facts

    @property
    def holds_whole(self) -> bool:
        """Whether every record held, and every resource tells just what its record says."""
        return not self.refused and all(each.state is State.AS_SEALED for each in self.told)


@dataclass(frozen=True)
class _Asking:
    """What an answer is verified by."""

    trust: TrustPolicy
    peer: Peer
    nonce: bytes
    now: datetime
    consent: ConsentCheck | None
    chain: ChainView | None

    def verify(self, answered: Sequence[Answered]) -> VerifiedAnswer:
        """Pages were compared with the channel and the nonce as they came; here they are again."""
        return verify_answer(
            UnverifiedAnswer(self.peer.custodian, self.nonce, tuple(answered)),
            self.trust,
            channel=self.peer.custodian,
            nonce=self.nonce,
            now=self.now,
            consent=self.consent,
            chain=self.chain,
        )


def pull(
    client: HttpClient,
    peer: Peer,
    question: str,
    trust: TrustPolicy,
    *,
    now: datetime,
    consent: ConsentCheck | None = None,
    consents: Sequence[bytes] = (),
    chain: ChainView | None = None,
    token: str | None = None,
    limits: PullLimits = _LIMITS,
) -> Pulled:
    """Ask `peer` a question (see `questions`) and verify the answer; `now` is aware.

    `consents` are our own copies of the documents, which `consent` must take before anything is asked; a record that is
    shown by another is refused. `token` is what authenticates us. Records that do not hold are left out, counted and
    named by their error; the others are verified together.

    Raises:
        PullError, AudienceError: as `Pages.fetch`.
        FormError: the answer is over a limit of the policy.
        CoreError: a consent of ours does not hold, as `consent` says.
        ChainError: as the chain view: nothing is verified.
    """
    known = {} if consent is None else _known(consents, consent, peer, now)
    pages = Pages(client, peer, secrets.token_bytes(32), token, limits)
    resources: list[ToldResource] = []
    proofs: list[Proof] = []
    for page in pages.fetch(f"{peer.base.rstrip('/')}/{question}"):
        resources += page.resources
        proofs += page.proofs
    asking = _Asking(trust, peer, pages.nonce, now, consent, chain)
    held = _held(proofs, known)
    return _verified(asking, held, resources)


def _known(consents: Sequence[bytes], check: ConsentCheck, peer: Peer, now: datetime) -> dict[Digest, ByConsent]:
    """Our consents by their roots."""
    roots = ((check(document, custodian=peer.custodian, now=now).root, document) for document in consents)
    return {root: ByConsent(document) for root, document in roots}


@dataclass
class _Held:
    """An answer's records: each once, however many pages bring it, with the names of the resources it is for."""

    answered: dict[Answered, set[str]] = field(default_factory=dict)
    refused: list[tuple[RefusedRecord, frozenset[str]]] = field(default_factory=list)

    def refuse(self, answered: Answered, step: int, code: str) -> None:
        """Leave a record out."""
        self.refused.append((RefusedRecord(step, code), frozenset(self.answered.pop(answered))))


def _held(proofs: Sequence[Proof], known: Mapping[Digest, ByConsent]) -> _Held:
    held = _Held()
    for proof in proofs:
        basis = proof.basis if isinstance(proof.basis, Ground) else known.get(proof.basis) if proof.basis else None
        if basis is None:
            code = "basis_unknown" if proof.basis is None else "consent_unknown"
            held.refused.append((RefusedRecord(_HOLDERS_STEP, code), frozenset({proof.target})))
        else:
            held.answered.setdefault(Answered(proof.data, basis), set()).add(proof.target)
    return held


def _verified(asking: _Asking, held: _Held, resources: Sequence[ToldResource]) -> Pulled:
    answer = _all_that_holds(asking, held)
    facts = () if answer is None else answer.facts
    texts: dict[str, list[str]] = {}
    for targets, fact in zip(held.answered.values(), facts, strict=True):
        for target in targets:
            texts.setdefault(target, []).append(fact.text)
    refused = frozenset[str]().union(*(targets for _, targets in held.refused))
    base = asking.peer.base.rstrip("/") + "/"
    told = tuple(ToldState(each.resource_type, _state(each, texts, refused, base)) for each in resources)
    return Pulled(answer, tuple(each for each, _ in held.refused), told)


def _all_that_holds(asking: _Asking, held: _Held) -> VerifiedAnswer | None:
    """The answer of the records that hold; those that do not are moved to `refused`.

    One that does not hold costs a second look at each; a channel or a nonce of another's refuses all.
    """
    if not held.answered:
        return None
    try:
        return asking.verify(list(held.answered))
    except VerificationError as refusal:
        if isinstance(refusal, AudienceError) or (refusal.step, refusal.code) == (1, "limit_exceeded"):
            raise
    for answered in list(held.answered):
        try:
            asking.verify([answered])
        except VerificationError as refusal:
            held.refuse(answered, refusal.step, refusal.code)
    _refuse_repeated(held)
    return asking.verify(list(held.answered)) if held.answered else None


def _refuse_repeated(held: _Held) -> None:
    """Of one record shown in two ways, neither: which of them is meant is not known."""
    identities = {each: UnverifiedAnswerRecord.loads(each.data).identity for each in held.answered}
    counted = Counter(identities.values())
    for each, identity in identities.items():
        if counted[identity] > 1:
            held.refuse(each, _HOLDERS_STEP, "record_repeated")


def _state(resource: ToldResource, texts: Mapping[str, Sequence[str]], refused: frozenset[str], base: str) -> State:
    names = {*resource.names, *(base + name for name in resource.names)}
    proved = [text for name in names for text in texts.get(name, ())]
    if any(resource.says(text) for text in proved):
        return State.AS_SEALED
    if proved:
        return State.DIFFERS
    return State.REFUSED if names & refused else State.NOT_PROVED
