"""Alerts as FHIR R4: readable by Chartseal and by a validation library, one resource per alert."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from chartseal import _core
from chartseal.adherence.watch import Alert, Watch, to_detected_issue, to_flag
from chartseal.fhir.reading import DEFAULT_READING
from chartseal.fhir.validation import validate


def alert(patient: str = "1", event: str = "MedicationDispense/1", medication_class: str = "statins") -> Alert:
    with Watch(None) as watch:
        watch.tick(date(2031, 3, 1))
        row = {"patient": patient, "event": event, "date": date(2031, 1, 1), "days_supply": 30.0}
        (found,) = watch.add([{**row, "class": medication_class}])
        return found


def is_read(resource: dict[str, Any]) -> bool:
    text = json.dumps(resource).encode()
    validate(text)
    (result,) = _core.read_resources([text], **DEFAULT_READING.options())
    return not isinstance(result, Exception)


@pytest.mark.parametrize("patient", ["1", "Patient/1", "urn:uuid:5b8e1f5c-0000-4000-8000-000000000000", "a b|c"])
@pytest.mark.parametrize("event", ["MedicationDispense/1", "row 17", "https://example.org/fhir/MedicationDispense/1"])
@pytest.mark.parametrize("medication_class", ["statins", "", " "])
def test_every_alert_is_r4(patient: str, event: str, medication_class: str) -> None:
    found = alert(patient, event, medication_class)
    assert is_read(to_flag(found))
    assert is_read(to_detected_issue(found))


def test_a_flag_follows_its_alert() -> None:
    with Watch(None) as watch:
        watch.tick(date(2031, 3, 1))
        row = {"patient": "1", "date": date(2031, 1, 1), "days_supply": 30.0, "class": "statins"}
        (late,) = watch.add([{**row, "event": "MedicationDispense/1"}])
        (filled,) = watch.add([{**row, "event": "MedicationDispense/2", "date": date(2031, 3, 1)}])
        (gone,) = watch.add([{**row, "event": "MedicationDispense/3", "date": date(2031, 1, 5)}])
    flags = [to_flag(each) for each in (late, filled, gone)]
    assert [each["status"] for each in flags] == ["active", "inactive", "entered-in-error"]
    assert len({each["id"] for each in flags}) == 1
    assert [each["period"] for each in flags[:2]] == [
        {"start": "2031-02-07"},
        {"start": "2031-02-07", "end": "2031-03-01"},
    ]
    assert [each["valueReference"]["reference"] for each in flags[1]["extension"]] == [
        "MedicationDispense/1",
        "MedicationDispense/2",
    ]
    issue = to_detected_issue(filled)
    assert (issue["severity"], issue["patient"]) == ("moderate", {"reference": "Patient/1"})
    assert issue["evidence"] == [{"detail": issue["implicated"]}]
    assert all(is_read(each) for each in [*flags, issue, to_detected_issue(gone)])


def test_nothing_of_the_patient_stands_in_codes() -> None:
    found = alert("Jane Doe 1960")
    for resource in (to_flag(found), to_detected_issue(found)):
        assert "Jane" not in json.dumps(resource["code"])
        assert resource["code"]["text"] == "Refill is late: statins"
    assert "Jane" not in repr(found)
