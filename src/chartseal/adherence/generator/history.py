"""Histories of made-up patients: their FHIR resources, and the truth about what those hold."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from chartseal.adherence.generator.draw import Draw
from chartseal.adherence.generator.formulary import LONG_TERM
from chartseal.adherence.generator.resources import Chart, Resource
from chartseal.adherence.generator.therapy import BEHAVIOURS, Behaviour, Fill, Stay, Therapy, as_needed, simulate, stay
from chartseal.errors import AdherenceError

MOST_PATIENTS, MOST_DAYS = 1_000_000, 3_660
"""Of one call: histories are made one at a time, and none is longer than ten years."""

_FAMILY = (
    "Ambrell",
    "Corvane",
    "Delphin",
    "Estmark",
    "Fennick",
    "Halvorne",
    "Jessamy",
    "Kestrow",
    "Lindqua",
    "Morwenth",
)
_GIVEN = {"female": ("Alda", "Brisa", "Celwyn", "Dorrit", "Elspa"), "male": ("Aric", "Bram", "Corin", "Davit", "Emric")}


@dataclass(frozen=True)
class Supply:
    """A supply that was truly collected; `event` shows it, `days_supply` is None where that states none."""

    event: str
    date: date
    days_supply: int | None
    daily_dose: float | None
    medication_class: str
    ingredient: str


@dataclass(frozen=True)
class History:
    """One patient: resources in the order in which they came about, and what is true of them."""

    patient: str
    resources: tuple[Resource, ...]
    behaviours: Mapping[str, tuple[Behaviour, ...]]
    """By medication class, sorted; a stay in hospital is one of each class."""
    supplies: tuple[Supply, ...]
    stay: tuple[date, date] | None
    """First day in hospital and first day after, if any."""

    def bundle(self) -> Resource:
        """A Bundle of type collection."""
        entries = [
            {"fullUrl": f"{_BASE}/{each['resourceType']}/{each['id']}", "resource": each} for each in self.resources
        ]
        return {"resourceType": "Bundle", "type": "collection", "entry": entries}

    def json(self) -> bytes:
        """The Bundle as a file that people read too."""
        return json.dumps(self.bundle(), indent=1).encode() + b"\n"

    def ndjson(self) -> bytes:
        """One resource a line."""
        return b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in self.resources)


_BASE = "https://fhir.example.org"


def histories(
    seed: int,
    patients: int,
    *,
    start: date = date(2025, 1, 1),
    days: int = 365,
    behaviours: Collection[Behaviour] | None = None,
    claims: bool | None = None,
) -> Iterator[History]:
    """Made-up patients, one at a time: those of a seed are the same on every machine, and the same however many follow.

    Each takes one to three classes of long-term medication over `days` days from `start`, and behaves in each in one or
    two ways; with `behaviours` all have one class, in exactly those ways. `claims` says whether pharmacy claims stand
    beside the dispenses; left out, three patients of five have them.

    Raises:
        AdherenceError: `limit_exceeded` or `settings_invalid`.
    """
    if not (0 <= patients <= MOST_PATIENTS and 30 <= days <= MOST_DAYS):
        raise AdherenceError(f"up to {MOST_PATIENTS} patients, over 30 to {MOST_DAYS} days", "limit_exceeded")
    if start.year < 1900 or (date.max - start).days < 2 * MOST_DAYS:
        raise AdherenceError("a start between 1900 and 9979", "settings_invalid", "start")
    if behaviours is not None and not set(behaviours) <= set(BEHAVIOURS):
        raise AdherenceError("there is no such behaviour", "settings_invalid", "behaviours")
    return (_history(seed, number, start, days, behaviours, claims) for number in range(1, patients + 1))


def _history(
    seed: int, number: int, start: date, days: int, behaviours: Collection[Behaviour] | None, claims: bool | None
) -> History:
    draw, patient = Draw("history", seed, number), f"made-up-{seed}-{number}"
    insured = draw.chance(0.6)
    chart = Chart(patient, start, claims=insured if claims is None else claims)
    in_hospital = stay(draw, days) if _is_in_hospital(draw, behaviours) else None
    therapies = _therapies(draw, days, behaviours, in_hospital)
    resources = list(chart.person(*_person(draw, start), days))
    if in_hospital is not None:
        resources.append(chart.stay(in_hospital))
    supplies: list[Supply] = []
    for therapy in therapies:
        for resource, fill in chart.therapy(therapy):
            resources.append(resource)
            if fill is not None:
                supplies.append(_supply(resource, fill, start))
    return History(
        patient, tuple(resources), _truth(therapies, in_hospital), tuple(supplies), _dates(in_hospital, start)
    )


def _therapies(
    draw: Draw, days: int, behaviours: Collection[Behaviour] | None, in_hospital: Stay | None
) -> list[Therapy]:
    if behaviours is not None:
        long_term = frozenset(behaviours) - {"as_needed", "hospital_stay"}
        made = [simulate(draw, "statins", long_term, days, in_hospital)] if long_term or in_hospital else []
        return made + ([as_needed(draw, days)] if "as_needed" in behaviours else [])
    left, made = list(LONG_TERM), []
    for _ in range(draw.between(1, len(left))):
        medication_class = left.pop(draw.between(0, len(left) - 1))
        made.append(simulate(draw, medication_class, _behaviours(draw), days, in_hospital))
    return made + ([as_needed(draw, days)] if draw.chance(0.1) else [])


def _behaviours(draw: Draw) -> frozenset[Behaviour]:
    """Half are regular; the others have one way or two of departing from it."""
    if draw.chance(0.5):
        return frozenset({"regular"})
    if draw.chance(0.08):
        return frozenset({"never_filled"})
    return frozenset(draw.pick(_DEPARTURES) for _ in range(1 + draw.chance(0.3)))


_DEPARTURES: tuple[Behaviour, ...] = (
    "days_supply_missing",
    "dose_change",
    "gaps",
    "reversal",
    "stockpiling",
    "stop_restart",
    "switch",
)


def _is_in_hospital(draw: Draw, behaviours: Collection[Behaviour] | None) -> bool:
    drawn = draw.chance(0.12)
    return drawn if behaviours is None else "hospital_stay" in behaviours


def _person(draw: Draw, start: date) -> tuple[str, str, str, date]:
    gender = draw.pick(("female", "male"))
    born = start - timedelta(draw.between(30 * 365, 85 * 365))
    return draw.pick(_FAMILY), draw.pick(_GIVEN[gender]), gender, born


def _supply(dispense: Resource, fill: Fill, start: date) -> Supply:
    product, stated = fill.product, "daysSupply" in dispense
    return Supply(
        f"MedicationDispense/{dispense['id']}",
        start + timedelta(fill.day),
        fill.days if stated else None,
        product.daily_dose if product.is_long_term else None,
        product.medication_class,
        product.ingredient,
    )


def _dates(in_hospital: Stay | None, start: date) -> tuple[date, date] | None:
    if in_hospital is None:
        return None
    return start + timedelta(in_hospital.day), start + timedelta(in_hospital.end)


def _truth(therapies: list[Therapy], in_hospital: Stay | None) -> dict[str, tuple[Behaviour, ...]]:
    shared: frozenset[Behaviour] = frozenset({"hospital_stay"}) if in_hospital else frozenset()
    return {each.medication_class: tuple(sorted(each.behaviours | shared)) for each in therapies}
