"""What verification returns: the numbered steps with what was and what was not checked, and the verified records."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from chartseal.attestation import Address, Digest, VerifiedAttestation
from chartseal.errors import NotCheckedError
from chartseal.record import Container, Field
from chartseal.verification.facts import Fact

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

OPTIONAL = {"issuer": 6, "revocation": 8, "anchor": 9, "audience": 11}
"""Steps that may end as `not checked`, by the word that a policy uses; all others pass or refuse."""


class Step(NamedTuple):
    """One step's outcome; `state` is `checked` or `not checked`."""

    number: int
    name: str
    state: str
    reason: str


class Report:
    """Collects the steps' outcomes; a step that the policy requires must not be left unchecked."""

    def __init__(self, required: Collection[int]) -> None:
        """Take the numbers of the steps that must be checked."""
        self._required = frozenset(required)
        self.steps: list[Step] = []

    def checked(self, number: int, reason: str = "") -> None:
        """Note that a step passed."""
        self.steps.append(Step(number, NAMES[number], CHECKED, reason))

    def skipped(self, number: int, reason: str) -> None:
        """Note that a step could not be checked.

        Raises:
            NotCheckedError: the policy requires it.
        """
        if number in self._required:
            raise NotCheckedError(number, f"step {number} ({NAMES[number]}) is required: {reason}")
        self.steps.append(Step(number, NAMES[number], NOT_CHECKED, reason))

    def either(self, number: int, problem: str) -> None:
        """`skipped` where there is a problem, else `checked`."""
        if problem:
            self.skipped(number, problem)
        else:
            self.checked(number)


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
class VerifiedDisclosure:
    """A disclosure that held, with what was and was not checked. Values never show in its repr."""

    audience: str
    nonce: bytes
    expires_at: datetime
    records: tuple[VerifiedRecord, ...]
    steps: tuple[Step, ...]
    same_person: str
    """`shown`, or `not shown`: whether the records are proved to be one person's."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The records' facts, in their order."""
        return tuple(record.fact for record in self.records)

    def not_checked(self) -> tuple[Step, ...]:
        """The steps that could not be checked."""
        return tuple(step for step in self.steps if step.state == NOT_CHECKED)


def same_person(subjects: Sequence[bytes], persons: Sequence[tuple[bytes, bytes] | None]) -> str:
    """`shown` when one subject, or one issuer's equal `chartseal.person`, joins all records; else `not shown`.

    `persons` are (attester, person), or None where it is not opened or zero.
    """
    marks = [
        {("subject", subject), *([("person", *person)] if person else [])}
        for subject, person in zip(subjects, persons, strict=True)
    ]
    holding: dict[tuple[str | bytes, ...], list[int]] = {}
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
