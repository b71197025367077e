"""An alert: what stands out in one patient's supplies of one class, since when, and the events that it rests on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, NamedTuple, TypeAlias

from chartseal.adherence.watch.policy import Kind, Severity
from chartseal.adherence.watch.supply import NEVER

Status: TypeAlias = Literal["active", "paused", "resolved", "withdrawn"]
"""`paused` while the patient is in hospital or a nursing facility; `withdrawn` where events that came later, or were
reversed, show that there was nothing to tell."""
Phase: TypeAlias = Literal["initiation", "implementation", "persistence", "regimen", "data"]

MOST_EVIDENCE = 100
"""Events that one alert names, the last ones."""

PHASES: Mapping[Kind, Phase] = {
    "class_switch": "regimen",
    "discontinuation": "persistence",
    "dose_change": "regimen",
    "gap_days_low": "implementation",
    "ingredient_switch": "regimen",
    "late_refill": "implementation",
    "overuse": "implementation",
    "pdc_drop": "implementation",
    "pdc_low": "implementation",
    "primary_nonadherence": "initiation",
    "restart": "persistence",
    "stock_high": "implementation",
    "supply_unknown": "data",
}
"""The phase of adherence that a kind is about, where it is about one.

Source: Vrijens et al. 2012, Br J Clin Pharmacol 73:691 (ABC taxonomy); De Geest et al. 2018, Ann Intern Med 169:30
(EMERGE).
"""


class Situation(NamedTuple):
    """One stretch of time that an alert tells, as the events so far have it go on if no other comes."""

    kind: Kind
    group: str
    anchor: str
    """What makes it the same situation when more is known: an event's anchor (and product), or a year."""
    since: int
    """The day that it began."""
    raised: int
    """The day from which it is told."""
    until: int
    """The day from which it is over, or `NEVER`."""
    outcome: str
    """How it ends then."""
    severity: Severity
    evidence: tuple[str, ...]
    escalates: int = NEVER
    """The day from which it is of high severity."""


@dataclass(frozen=True)
class Alert:
    """A situation as of a day. The same situation has the same `id`, whenever and however often it is told."""

    id: str
    kind: Kind
    patient: str = field(repr=False)
    medication_class: str
    since: date
    raised: date
    until: date | None
    """The day from which it is over; None while it is not."""
    outcome: str | None
    """Why it is over: `filled`, `discontinued`, `lapsed`, `died`, `recovered`, `used_up`, `period_over`, `noted`,
    `supply_known`, `supply_unknown`."""
    severity: Severity
    evidence: tuple[str, ...] = field(repr=False)
    status: Status
    as_of: date

    @property
    def phase(self) -> Phase:
        """What of adherence it is about."""
        return PHASES[self.kind]

    def to_json(self) -> dict[str, Any]:
        """Every member, days as ISO 8601."""
        return {
            "id": self.id,
            "kind": self.kind,
            "phase": self.phase,
            "patient": self.patient,
            "class": self.medication_class,
            "since": self.since.isoformat(),
            "raised": self.raised.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "outcome": self.outcome,
            "severity": self.severity,
            "status": self.status,
            "as_of": self.as_of.isoformat(),
            "evidence": list(self.evidence),
        }


def alert_id(patient: str, kind: Kind, group: str, anchor: str) -> str:
    """128 bits of SHA-256 over the JSON array of the four, in hex: fit for a FHIR id. It hides no patient id."""
    text = json.dumps([kind, patient, group, anchor], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def alert_of(patient: str, situation: Situation, as_of: int, *, is_stay: bool) -> Alert:
    """What a situation is as of a day that is not before it is raised."""
    is_over = situation.until <= as_of
    status: Status = "resolved" if is_over else "paused" if is_stay else "active"
    return Alert(
        alert_id(patient, situation.kind, situation.group, situation.anchor),
        situation.kind,
        patient,
        situation.group,
        date.fromordinal(situation.since),
        date.fromordinal(situation.raised),
        date.fromordinal(situation.until) if is_over else None,
        situation.outcome if is_over else None,
        "high" if situation.escalates <= as_of else situation.severity,
        situation.evidence,
        status,
        date.fromordinal(as_of),
    )
