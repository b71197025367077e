"""What verification returns: the numbered steps with what was and what was not checked, and the verified records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from chartseal.attestation import Address, Digest, VerifiedAttestation, to_hex
from chartseal.disclosure.binding import NO_TERMS, Terms
from chartseal.errors import NotCheckedError
from chartseal.record import Container, Field
from chartseal.verification.facts import Fact

if TYPE_CHECKING:
    from chartseal.predicates import Policy

CHECKED = "checked"
NOT_CHECKED = "not checked"

NAMES = {
    1: "limits and form",
    2: "something is opened",
    3: "leaves under the sealed root",
    4: "control fields, slots, salts",
    5: "seal's signature",
    6: "issuer",
    7: "seal's time",
    8: "revocation",
    9: "anchor",
    10: "holder's signatures",
    11: "audience, nonce, expiry",
    12: "proofs",
}

NAMES_OF_ANSWER = {**NAMES, 10: "holder's consent", 11: "channel, nonce"}
"""Of an answer, which no holder signs."""

OPTIONAL = {"issuer": 6, "revocation": 8, "anchor": 9, "consent": 10, "audience": 11}
"""Steps that may end as `not checked`, by the word that a policy uses; all others pass or refuse."""


class Step(NamedTuple):
    """One step's outcome; `state` is `checked` or `not checked`."""

    number: int
    name: str
    state: str
    reason: str


class Report:
    """Collects the steps' outcomes; a step that the policy requires must not be left unchecked."""

    def __init__(self, required: Collection[int], names: Mapping[int, str] = NAMES) -> None:
        """Take the numbers of the steps that must be checked, and what the steps are called."""
        self._required = frozenset(required)
        self._names = names
        self.steps: list[Step] = []

    def checked(self, number: int, reason: str = "") -> None:
        """Note that a step passed."""
        self.steps.append(Step(number, self._names[number], CHECKED, reason))

    def skipped(self, number: int, reason: str) -> None:
        """Note that a step could not be checked.

        Raises:
            NotCheckedError: the policy requires it.
        """
        if number in self._required:
            raise NotCheckedError(number, f"step {number} ({self._names[number]}) is required: {reason}")
        self.steps.append(Step(number, self._names[number], NOT_CHECKED, reason))

    def either(self, number: int, problem: str, reason: str = "") -> None:
        """`skipped` where there is a problem, else `checked`, with the reason."""
        if problem:
            self.skipped(number, problem)
        else:
            self.checked(number, reason)


class IssuedUnder(NamedTuple):
    """The accreditation that an issuer was trusted by: who gave it, and its roles that the policy takes."""

    authority: Address
    roles: frozenset[str]


class Issuer(NamedTuple):
    """Who sealed a record: the name, and the accreditation where the policy does not name the issuer itself."""

    name: str
    issued_under: IssuedUnder | None = None


class VerifiedSeal(NamedTuple):
    """A seal that stands, by whom it is, and when a chain proves that it existed (None without an anchor)."""

    attestation: VerifiedAttestation
    issuer: Issuer
    evidence_time: datetime | None


class Proxy(NamedTuple):
    """Who signed a disclosure in the holder's place, as the record's holder let it."""

    key: bytes
    """A packed Baby Jubjub point: 32 bytes."""
    until: datetime
    majority: datetime | None
    """When the holder is of age and the proxy's signature counts no more; None where that is not stated."""
    audience: str
    """The one verifier that the delegation is for; empty for any."""

    @property
    def words(self) -> str:
        """It in words."""
        majority = f"{self.majority:%Y-%m-%d}" if self.majority else "not stated"
        return f"signed by a proxy: key {to_hex(self.key)}, until {self.until:%Y-%m-%d}, majority {majority}"


@dataclass(frozen=True)
class VerifiedRecord:
    """One record of which every step held, or says that it was not checked."""

    attestation: VerifiedAttestation
    issuer: str
    """The name under which the policy or an authority knows the attester; empty where issuers were not checked."""
    issued_under: IssuedUnder | None
    """The accreditation that counted; None where the policy names the issuer itself, or issuers were not checked."""
    resource_type: str
    about: str
    """`patient`, `patient+focus`, `relative` or `other`: whom the record speaks of."""
    labels: tuple[str, ...]
    """Confidentiality codes."""
    sealed_at: datetime
    expires_at: datetime | None
    evidence_time: datetime | None
    """When a chain proves that the seal existed; None without an anchor, and then `sealed_at` is the issuer's word."""
    amends: Digest | None
    """The uid of the seal that this one replaces; None where that is not opened or it replaces none. It counts only for
    a seal of the same attester, or of one whose accredited successor this attester is."""
    is_test: bool
    is_complete: bool
    """All fields are opened, and `chartseal.names` says so."""
    fields: tuple[Field, ...] = field(repr=False)
    containers: tuple[Container, ...] = field(repr=False)
    """Of each part shown, what is absent, withheld, partly shown or shown."""
    targets_not_shown: tuple[str, ...]
    """Opened references whose target is not in the disclosure."""
    values_not_shown: tuple[str, ...]
    """Elements of which only what is said about them (the `_` twin) is opened: without a value, or it is withheld."""
    fact: Fact = field(repr=False)
    proxy: Proxy | None = None
    """Who signed in the holder's place; None where the holder did."""

    def value(self, name: str) -> object:
        """The value of an opened field by its name.

        Raises:
            KeyError: it is not opened.
        """
        for each in self.fields:
            if each.name.split("+")[0] == name:
                return each.value
        raise KeyError(name)


@dataclass(frozen=True)
class VerifiedPredicate:
    """A policy that is proved of a record: of one that is shown (`linked`), or of one that is not (`anonymous`)."""

    policy: Policy
    kind: str
    issuer: str
    """The name of the shown record's issuer, as in the record; empty for an anonymous proof."""
    issued_under: tuple[IssuedUnder, ...]
    """By whose accreditation the issuer counts: of an anonymous proof all that have its trust root."""
    record: int | None = None
    """Which of the records it is, from 0; None for an anonymous proof."""
    nullifier: Digest | None = None
    """Of an anonymous proof: the same whenever the same use is spent in the same scope. Who asks that a use be spent
    keeps it, and refuses it the second time."""
    pseudonym: Digest | None = None
    """Of an anonymous proof: the holder's, in this context alone."""
    as_of: datetime | None = None
    """Of an anonymous proof: when the issuer stood under the trust root and the credential was neither revoked nor
    expired."""

    @property
    def words(self) -> str:
        """What is proved, in words for the verifier."""
        return self.policy.words("verifier")


@dataclass(frozen=True)
class VerifiedDisclosure:
    """A disclosure that held, with what was and was not checked. Values never show in its repr."""

    audience: str
    nonce: bytes
    expires_at: datetime
    records: tuple[VerifiedRecord, ...]
    steps: tuple[Step, ...]
    same_person: str
    """`shown`, or `not shown`: whether the records, those of anonymous proofs too, are proved to be one person's."""
    predicates: tuple[VerifiedPredicate, ...] = ()
    """What is proved without being opened, in the order of the proofs."""
    terms: Terms = NO_TERMS
    """What the proofs were asked for besides: chain, contract, payee, and the use that is spent."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The records' facts, in their order."""
        return tuple(record.fact for record in self.records)

    def not_checked(self) -> tuple[Step, ...]:
        """The steps that could not be checked."""
        return tuple(step for step in self.steps if step.state == NOT_CHECKED)


Mark: TypeAlias = "tuple[str | bytes, ...]"
"""What two records of one person share: a kind, and bytes that are equal for no two persons."""


def same_person(marks: Sequence[Collection[Mark]]) -> str:
    """`shown` when marks that they share join all records, from one to the next; else `not shown`."""
    holding: dict[Mark, list[int]] = {}
    for at, own in enumerate(marks):
        for mark in own:
            holding.setdefault(mark, []).append(at)
    joined, waiting = {0}, [0]
    while waiting:
        for mark in marks[waiting.pop()]:
            near = [at for at in holding.pop(mark, []) if at not in joined]
            joined.update(near)
            waiting.extend(near)
    return "shown" if len(joined) == len(marks) else "not shown"
