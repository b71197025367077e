"""Dispenses of one identifier and instances of one order count once; their neighbours count twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.supplies import days, dispense, dropped, request, rows

NUMBERED = [{"system": "https://pharmacy.example/fills", "value": "7"}]
ORDER = [{"reference": "MedicationRequest/r1"}]


def supplies(*resources: dict[str, Any], **options: Any) -> list[str]:
    return [row["event"] for row in rows(*resources, **options) if row["kind"] == "supply"]


def instance(name: str, of: str, **changes: Any) -> dict[str, Any]:
    based = {"basedOn": [{"reference": f"MedicationRequest/{of}"}]}
    return request(id=name, **{"intent": "instance-order", **based, **changes})


def test_two_dispenses_of_one_identifier_are_one_fill() -> None:
    twice = dispense(identifier=NUMBERED), dispense(id="d2", identifier=NUMBERED)
    assert supplies(*twice) == ["MedicationDispense/d2"]
    assert dropped(*twice) == {("MedicationDispense", "identifier_repeated"): 1}


def test_of_two_the_one_with_days_of_supply_stays() -> None:
    unknown = dispense(id="d2", identifier=NUMBERED, daysSupply=None)
    assert supplies(dispense(identifier=NUMBERED), unknown) == ["MedicationDispense/d1"]


@pytest.mark.parametrize(
    "changes",
    [
        {"identifier": [{"system": "https://other.example/fills", "value": "7"}]},
        {"identifier": [{"value": "7"}]},
        {"identifier": NUMBERED, "whenHandedOver": "2031-05-05"},
        {"identifier": NUMBERED, "subject": {"reference": "Patient/p2"}},
        {"identifier": NUMBERED, "medicationCodeableConcept": {"text": "another"}},
    ],
)
def test_another_fill_counts_too(changes: dict[str, Any]) -> None:
    both = dispense(identifier=NUMBERED), dispense(id="d2", **changes)
    assert ("MedicationDispense", "identifier_repeated") not in dropped(*both)
    assert len([row for row in rows(*both, classes=None) if row["kind"] == "supply"]) == 2


def test_a_bare_value_is_no_identifier() -> None:
    bare = [{"value": "7"}]
    assert len(supplies(dispense(identifier=bare), dispense(id="d2", identifier=bare))) == 2


def test_an_instance_of_an_order_is_its_fill() -> None:
    told = request(intent="original-order"), instance("r2", "r1")
    assert supplies(*told, supplies="prescribed") == ["MedicationRequest/r2"]
    assert dropped(*told) == {("MedicationRequest", "told_by_instances"): 1}


def test_an_instance_of_an_instance_is_the_fill() -> None:
    told = instance("r3", "r2"), instance("r2", "r1"), request()
    assert supplies(*told, supplies="prescribed") == ["MedicationRequest/r3"]


@pytest.mark.parametrize("unknown", [{"dispenseRequest": None, "dosageInstruction": None}, {"authoredOn": None}])
def test_an_order_tells_what_its_instances_do_not(unknown: dict[str, Any]) -> None:
    told = request(), instance("r2", "r1", **unknown)
    assert supplies(*told, supplies="prescribed") == ["MedicationRequest/r1"]
    assert dropped(*told) == {("MedicationRequest", "instance_of_order"): 1}
    turned = request(**unknown), instance("r2", "r1")
    assert supplies(*turned, supplies="prescribed") == ["MedicationRequest/r2"]


def test_instances_of_other_days_are_fills_of_their_own() -> None:
    months = [instance(f"m{at}", "r1", authoredOn=f"2031-0{at}-05") for at in range(4, 8)]
    assert len(supplies(request(), *months, supplies="prescribed")) == 4
    filled = dispense(authorizingPrescription=[{"reference": "MedicationRequest/m4"}])
    assert len(supplies(request(), *months, filled, supplies="either")) == 4
    whole = dispense(authorizingPrescription=ORDER)
    assert supplies(request(), *months, whole, supplies="either") == ["MedicationDispense/d1"]


def test_a_renewal_is_another_order() -> None:
    renewed = instance("r2", "r1", basedOn=None, priorPrescription=ORDER[0])
    assert len(supplies(request(), renewed, supplies="prescribed")) == 2


def test_a_long_chain_is_one_fill() -> None:
    chain = [instance(f"r{at + 1}", f"r{at}") for at in range(1, 2_000)]
    assert supplies(request(), *reversed(chain), supplies="prescribed") == ["MedicationRequest/r2000"]


def test_requests_of_one_id_of_two_people_are_two() -> None:
    other = {"subject": {"reference": "Patient/p2"}}
    told = request(), instance("r2", "r1"), request(id="r2", **other)
    assert len(supplies(*told, supplies="prescribed")) == 2


def test_what_goes_leaves_its_prescription() -> None:
    first = dispense(identifier=NUMBERED, authorizingPrescription=ORDER)
    second = dispense(id="d2", identifier=NUMBERED)
    assert supplies(request(), first, second, supplies="either") == ["MedicationDispense/d2"]


def test_dispenses_tied_by_a_third_are_one_fill() -> None:
    eight = [{**NUMBERED[0], "value": "8"}]
    told = [
        dispense(identifier=NUMBERED),
        dispense(id="d3", identifier=eight),
        dispense(id="d2", identifier=NUMBERED + eight),
    ]
    assert supplies(*told) == supplies(told[0], told[1], told[2])
    assert len(supplies(*told)) == 1


def test_an_instance_whose_order_is_not_told_counts() -> None:
    assert supplies(instance("r2", "r1"), supplies="prescribed") == ["MedicationRequest/r2"]
    circle = instance("r2", "r3"), instance("r3", "r2")
    assert len(supplies(*circle, supplies="prescribed")) == 2
    anothers = request(subject={"reference": "Patient/p2"}), instance("r2", "r1")
    assert len(supplies(*anothers, supplies="prescribed")) == 2


def test_an_order_that_follows_another_is_another() -> None:
    told = request(), request(id="r2", basedOn=ORDER, dispenseRequest={"expectedSupplyDuration": days(90)})
    assert len(supplies(*told, supplies="prescribed")) == 2


def test_a_fill_of_an_instance_answers_its_order() -> None:
    filled = dispense(authorizingPrescription=[{"reference": "MedicationRequest/r2"}])
    assert supplies(request(), instance("r2", "r1"), filled, supplies="either") == ["MedicationDispense/d1"]
