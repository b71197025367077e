"""What a sealed report lets its holder prove, and nothing one step away from it."""

from __future__ import annotations

import copy
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from chartseal import _core
from chartseal.adherence.observation import ATC, AdherenceReport, Coding, question
from chartseal.predicates import Unmet, compile_policy, match
from chartseal.record import Field, lift, read_fields

STATINS = Coding(ATC, "C10AA")
START, END = date(2025, 1, 15), date(2025, 7, 13)


def proves(resource: dict[str, Any], text: str) -> bool:
    resource_type, fields, *_ = read_fields(json.dumps(resource).encode())
    about = _core.record_about(resource_type, list(fields), [])
    stated = {"resourceType": resource_type, "about": about, "format": "chartseal/1"}
    control = [Field(f"chartseal.{name}", "string", each) for name, each in stated.items()]
    found = match(compile_policy(text), lift([*fields, *control], bytes(32))[0])
    return not isinstance(found, Unmet)


def resource(covered: int = 144, start: date = START, end: date = END) -> dict[str, Any]:
    return AdherenceReport("Patient/1", STATINS, start, end, covered, ("MedicationDispense/1",)).to_fhir()


def ask(coding: Coding = STATINS, start: date = START, end: date = END, at_least: str = "0.80") -> str:
    return question(coding, start, end, Decimal(at_least))


def test_144_days_of_180_are_80_percent_and_143_are_not() -> None:
    assert proves(resource(144), ask())
    assert not proves(resource(143), ask())
    assert proves(resource(144), ask(at_least="0.8"))
    assert not proves(resource(144), ask(at_least="0.800001"))


@pytest.mark.parametrize("covered", range(0, 181, 15))
def test_what_is_proved_is_what_days_give(covered: int) -> None:
    for at_least in ("0.01", "0.333333", "0.5", "0.80", "0.833333", "0.833334", "0.999999", "1"):
        is_enough = 10**6 * covered // 180 >= Decimal(at_least) * 10**6
        assert proves(resource(covered), ask(at_least=at_least)) == is_enough


@pytest.mark.parametrize(
    "text",
    [
        ask(Coding(ATC, "C10AB")),
        ask(Coding(ATC, "C10A")),
        ask(Coding("http://www.nlm.nih.gov/research/umls/rxnorm", "C10AA")),
        ask(start=date(2025, 1, 16)),
        ask(start=date(2025, 1, 14)),
        ask(end=date(2025, 7, 12)),
        ask(end=date(2025, 7, 14)),
    ],
)
def test_another_class_or_window_is_not_proved(text: str) -> None:
    assert not proves(resource(180), text)


def test_a_share_is_not_proved_by_days() -> None:
    """154 days are no share of 154: the value's code and unit are the policy's."""
    changed = resource(10)
    changed["valueQuantity"], changed["component"][0]["valueQuantity"] = (
        changed["component"][0]["valueQuantity"],
        changed["valueQuantity"],
    )
    assert not proves(changed, ask())


@pytest.mark.parametrize("status", ["preliminary", "cancelled", "entered-in-error", "registered"])
def test_a_report_that_is_not_released_proves_nothing(status: str) -> None:
    assert not proves({**copy.deepcopy(resource(180)), "status": status}, ask())
