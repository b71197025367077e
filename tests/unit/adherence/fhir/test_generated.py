"""Generated histories are read back: each fill once, whatever claims and reversals say of it."""

from __future__ import annotations

import json

import pytest

from chartseal.adherence.fhir import read_events
from chartseal.adherence.generator import histories


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_completed_dispense_is_one_supply(seed: int) -> None:
    resources = [each for history in histories(seed, 25) for each in history.resources]
    found = read_events("".join(json.dumps(each) + "\n" for each in resources).encode())
    told = found.events.to_pylist()
    completed = {
        f"MedicationDispense/{each['id']}"
        for each in resources
        if each["resourceType"] == "MedicationDispense" and each["status"] == "completed"
    }
    assert sorted(row["event"] for row in told if row["kind"] == "supply") == sorted(completed)
    claims = sum(each["resourceType"] == "ExplanationOfBenefit" for each in resources)
    assert claims == sum(
        each["count"] for each in found.dropped.to_pylist() if each["resource_type"] == "ExplanationOfBenefit"
    )
    stated = {f"MedicationDispense/{each['id']}": each.get("daysSupply", {}).get("value") for each in resources}
    for row in told:
        if row["fallback"] == "days_supply":
            assert row["days_supply"] == stated[row["event"]]
