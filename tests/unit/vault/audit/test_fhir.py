"""Entries as FHIR, read by two implementations."""

from __future__ import annotations

import json

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.provenance import Provenance
from sqlalchemy import Engine

from chartseal.fhir import Reading
from chartseal.record.fields import read_fields
from chartseal.vault.audit import Act, Action
from chartseal.vault.audit.fhir import to_ndjson
from chartseal.vault.database import writing
from tests.audit_log import LOG, NOW, PATIENT, a_log

_PROVENANCE = {Action.CREATE, Action.AMEND, Action.REVOKE, Action.ERASE, Action.RESTORE}
_READERS = {"AuditEvent": AuditEvent, "Provenance": Provenance}


def _lines(engine: Engine, *acts: Act) -> list[bytes]:
    with writing(engine) as connection:
        a_log().append(connection, acts, now=NOW)
        return list(to_ndjson(LOG, a_log().find(connection)))


@pytest.mark.parametrize("action", Action)
def test_each_action_is_valid_fhir(engine: Engine, action: Action) -> None:
    full = Act("clerk 7", action, "record 1", PATIENT, "TREAT", "164.512(b) \u00e9")
    lines = _lines(engine, full, Act("", action, ""))
    kinds = []
    for line in lines:
        members = json.loads(line)
        kinds.append(members["resourceType"])
        read = _READERS[members["resourceType"]](**members)
        assert json.loads(read.model_dump_json()) == members
        Reading(full=True).second_opinion(line)
        read_fields(line)
    assert kinds == ["AuditEvent", *(["Provenance"] if action in _PROVENANCE else []), "AuditEvent"]


def test_what_an_event_says(engine: Engine) -> None:
    [line] = _lines(engine, Act("clerk-7", Action.REFUSE, "record 1", PATIENT, "HLEGAL"))
    event = json.loads(line)
    system = "urn:uuid:00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert event["recorded"] == "2026-07-01T12:00:00Z"
    assert event["outcome"] == "4"
    assert event["agent"] == [{"who": {"identifier": {"system": system, "value": "clerk-7"}}, "requestor": True}]
    assert [each["what"]["identifier"]["value"] for each in event["entity"]] == [PATIENT.hex(), "record 1"]
    assert event["purposeOfEvent"][0]["coding"][0]["code"] == "HLEGAL"
