"""Pharmacy claims: ExplanationOfBenefit of type pharmacy, and what reversals, replacements and dispenses make of them.

Source: R4 explanationofbenefit.html; CARIN Consumer Directed Payer Data Exchange 2.1, C4BB ExplanationOfBenefit
Pharmacy (days supply as supporting information `dayssupply`, payment of type `denied`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction

from chartseal.adherence.fhir.dispensed import status_reason
from chartseal.adherence.fhir.estimates import NotCountedError
from chartseal.adherence.fhir.medications import Medication, of_concept
from chartseal.adherence.fhir.members import Json, codes, day, member, members, number, text
from chartseal.adherence.fhir.quantities import UCUM
from chartseal.adherence.fhir.rows import Claim, Row

_PHARMACY = ("http://terminology.hl7.org/CodeSystem/claim-type", "pharmacy")
_DAYS_SUPPLY = ("http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBSupportingInfoType", "dayssupply")
_DENIED = ("http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBPayerAdjudicationStatus", "denied")
_REPLACED_BY = "replacedby"
_PRIOR = frozenset({"prior", "prior-claim", "priorfrom"})


def benefit(resource: Json) -> list[Row]:
    """A supply for each item of a pharmacy claim; a cancelled claim gives `reversal` rows, for `settle`.

    Raises:
        NotCountedError: `use_not_claim`, `claim_denied`, `outcome_error`, `claim_without_item`; another status.
    """
    if _PHARMACY not in codes(member(resource, "type")):
        return []
    status = text(resource, "status")
    if status not in {"active", "cancelled"}:
        raise status_reason(resource)
    if text(resource, "use") != "claim":
        raise NotCountedError("use_not_claim")
    if status == "active":
        _require_paid(resource)
    items = members(resource, "item")
    if not items and status == "active":
        raise NotCountedError("claim_without_item")
    claim = _claim(resource)
    return [_item(resource, item, claim) for item in items or [{}]]


def _require_paid(resource: Json) -> None:
    if text(resource, "outcome") in {"error", "queued"}:
        raise NotCountedError(f"outcome_{text(resource, 'outcome')}")
    if _DENIED in codes(member(member(resource, "payment"), "type")):
        raise NotCountedError("claim_denied")


def _item(resource: Json, item: Json, claim: Claim) -> Row:
    serviced = day(text(item, "servicedDate")) or day(text(member(item, "servicedPeriod"), "start"))
    billed = day(text(member(resource, "billablePeriod"), "start"))
    row = Row("reversal" if claim.cancelled else "supply", text(member(resource, "patient"), "reference"), None)
    row.date, row.claim = serviced or billed, claim
    row.medication = of_concept(member(item, "productOrService"))
    row.prescriptions = tuple(filter(None, [text(member(resource, "prescription"), "reference")]))
    if serviced is None and billed is not None:
        row.how.append("billable_period")
    row.days, row.reason = _days_supply(resource, item)
    if row.days is not None:
        row.how.insert(0, "claim_days_supply")
    return row


def _days_supply(resource: Json, item: Json) -> tuple[Fraction | None, str]:
    """The days of supply of an item: of the information that it names, or of the claim's only one.

    The category says that the number is of days; a unit, where there is one, must say so too.
    """
    found = [each for each in members(resource, "supportingInfo") if _DAYS_SUPPLY in codes(member(each, "category"))]
    named = item.get("informationSequence")
    if isinstance(named, list) and any(each.get("sequence") in named for each in found):
        found = [each for each in found if each.get("sequence") in named]
    if not found:
        return None, "duration_missing"
    if len(found) > 1:
        return None, "duration_several"
    quantity = member(found[0], "valueQuantity")
    code = text(quantity, "code")
    if code and (code != "d" or text(quantity, "system") != UCUM):
        return None, "duration_unit"
    days = number(quantity, "value")
    return days, "" if days is not None else "duration_invalid"


def _claim(resource: Json) -> Claim:
    names = {_identifier(each) for each in members(resource, "identifier")} | _reference(member(resource, "claim"))
    cancelled = text(resource, "status") == "cancelled"
    earlier, later = set[str](), False
    for related in members(resource, "related"):
        relationship = {code for _, code in codes(member(related, "relationship"))}
        later = later or _REPLACED_BY in relationship
        if relationship & _PRIOR or (cancelled and not relationship):
            earlier |= _reference(member(related, "claim")) | {_identifier(member(related, "reference"))}
    if cancelled and not later and not earlier - {""}:
        earlier = names
    insurer = member(resource, "insurer")
    payer = max(_reference(insurer)) or text(insurer, "display")
    return Claim(cancelled, frozenset(names - {""}), frozenset(earlier - {""}), text(resource, "created"), payer)


def _identifier(identifier: Json) -> str:
    value = text(identifier, "value")
    return f"identifier {text(identifier, 'system')}|{value}" if value else ""


def _reference(reference: Json) -> set[str]:
    return {text(reference, "reference"), _identifier(member(reference, "identifier"))}


def settle(rows: Iterable[Row]) -> tuple[list[Row], Counter[str]]:
    """`rows` (their references followed) without reversals, and without the claims that these or replacements undo.

    A reversal takes back one claim: of those it names, of the same patient, the last made before it, of its own day if
    one is. A claim that names a prior one of the same patient, day and medication replaces it. Claims of one number,
    or of several payers, for the same supply are one.
    """
    listed = list(rows)
    gone = _Claims(listed).taken_back()
    kept = [row for row in listed if row.claim is None or row.event not in gone]
    return kept, Counter(gone.values())


class _Claims:
    """Claims by event, each with the rows of its items, and by the names that reversals may know them by."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.parts: dict[str, list[Row]] = defaultdict(list)
        self.named: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in rows:
            if row.claim is None:
                continue
            self.parts[row.event].append(row)
            for name in () if row.claim.cancelled else (*row.claim.names, row.event):
                self.named[row.patient, name].add(row.event)

    def taken_back(self) -> dict[str, str]:
        """Why each claim that does not count does not."""
        gone: dict[str, str] = {}
        for event in sorted(self.parts, key=self.created):
            row = self.parts[event][0]
            earlier = self.earlier(row) - {event} - gone.keys()
            if row.claim is not None and row.claim.cancelled:
                target = self.last_before(row, earlier)
                gone[event] = "reversal" if target else "status_cancelled"
                earlier = {target} if target else set()
            else:
                earlier = {each for each in earlier if _same_supply(self.parts[each][0], row)}
            gone.update(dict.fromkeys(earlier, "reversed" if event in gone else "replaced"))
        self.told_twice(gone)
        return gone

    def told_twice(self, gone: dict[str, str]) -> None:
        """One claim of each number and supply; of the claims that several payers had for one supply, those of one."""
        alike: dict[object, list[str]] = defaultdict(list)
        for event in sorted(self.parts.keys() - gone.keys(), key=lambda each: (self.created(each), each)):
            alike[self.supply(event)].append(event)
        for events in alike.values():
            names = Counter(name for event in events for name in self.claim(event).names)
            for event in events[:]:
                if any(names[name] > 1 for name in self.claim(event).names):
                    names.subtract(self.claim(event).names)
                    gone[event] = "same_claim"
                    events.remove(event)
            payers = Counter(self.claim(event).payer for event in events)
            most = max(payers, key=lambda each: (payers[each], each), default="")
            gone.update({each: "other_payer" for each in events if self.claim(each).payer not in ("", most)})

    def claim(self, event: str) -> Claim:
        """What tells a claim from others."""
        return self.parts[event][0].claim or Claim()

    def supply(self, event: str) -> object:
        """Whose claim it is, and what it supplies on which day for how long."""
        rows = self.parts[event]
        return rows[0].patient, frozenset((row.date, frozenset(_codes(row.medication)), row.days) for row in rows)

    def created(self, event: str) -> str:
        """When a claim was made, its day alone: times may lack zones; of one day, reversals come last."""
        claim = self.parts[event][0].claim
        return f"{claim.created[:10]} {claim.cancelled:d}" if claim else ""

    def earlier(self, row: Row) -> set[str]:
        """The claims that one reverses or replaces, by its own words."""
        names = row.claim.takes_back if row.claim else frozenset()
        return {event for name in names for event in self.named.get((row.patient, name), ())}

    def last_before(self, reversal: Row, among: set[str]) -> str | None:
        """The one claim that a reversal means."""
        before = {each for each in among if self.created(each) <= self.created(reversal.event)}
        same_day = {each for each in before if self.parts[each][0].date == reversal.date}
        return max(same_day or before, key=lambda each: (self.created(each), each), default=None)


def _same_supply(one: Row, other: Row) -> bool:
    return one.date == other.date and _codes(one.medication) == _codes(other.medication)


def _codes(medication: Medication | None) -> set[tuple[str, str]]:
    return {(each.system, each.code) for each in medication.codings} if medication else set()
