"""Rows as they are read of one resource, before references are followed and doubles are dropped."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from fractions import Fraction

from chartseal.adherence.fhir.medications import Medication
from chartseal.adherence.fhir.supply import Supply


@dataclass(frozen=True)
class Claim:
    """What tells a pharmacy claim from others, and which it takes back.

    `names` are its own (identifiers, the Claim that it answers); `takes_back` those of the claim that it reverses or
    replaces, references as written until they are followed.
    """

    cancelled: bool = False
    names: frozenset[str] = frozenset()
    takes_back: frozenset[str] = frozenset()
    created: str = ""
    payer: str = ""
    """Who insures: as written, since it tells no two fills apart by itself."""


@dataclass
class Row:
    """One event or period of a patient. References are as written, in a resource at `full_url`."""

    kind: str
    patient: str
    date: datetime.date | None
    end: datetime.date | None = None
    days: Fraction | None = None
    daily_dose: Fraction | None = None
    medication: Medication | None = None
    how: list[str] = field(default_factory=list)
    """What was used for days and date, where not as a matter of course."""
    reason: str = ""
    """Why days of supply are not known, or that the date is not."""
    prescriptions: tuple[str, ...] = ()
    claim: Claim | None = None
    prepared: datetime.date | None = None
    identifiers: frozenset[str] = frozenset()
    """Business identifiers of a dispense, as `system|value`; those without a system tell nothing."""
    instance_of: tuple[str, ...] = ()
    """The requests that an `instance-order` is made from."""
    resource_type: str = ""
    full_url: str = ""
    event: str = ""
    source: str = ""

    def take(self, supply: Supply) -> None:
        """Days, dose and how they were found."""
        self.days, self.daily_dose = supply.days, supply.daily_dose
        self.reason = supply.reason
        if supply.how:
            self.how.insert(0, supply.how)
