"""Whole files of charts as streams: every resource comes out as it went in, and belongs to whom it should."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from chartseal import _core
from chartseal.errors import FhirError
from chartseal.fhir import Document, Piece, Refused, is_ndjson, pieces
from chartseal.sealing.plan import Outline, PatientMap, Plan

BASE = "https://issuer.example/fhir/"


def files(shared: Path, folder: str) -> list[Path]:
    found = sorted(path for path in (shared / "data/fhir-pack" / folder).glob("*.gz") if "json" in path.name)
    if not found:
        pytest.skip(f"no charts in {folder}")
    return found


def read(path: Path) -> list[Piece | Refused | Document]:
    with path.open("rb") as stream:
        return list(pieces(stream, ndjson=is_ndjson(path.name)))


def test_bundles_give_what_json_gives(shared: Path) -> None:
    for path in files(shared, "synthea-r4"):
        entries = json.loads(gzip.decompress(path.read_bytes()))["entry"]
        found = read(path)
        assert [json.loads(each.text) for each in found if isinstance(each, Piece)] == [e["resource"] for e in entries]
        assert [each.place for each in found] == [f"Bundle.entry[{i}]" for i in range(len(entries))]


def test_a_patients_bundle_is_the_patients(shared: Path) -> None:
    for path in files(shared, "synthea-r4"):
        found = [each for each in read(path) if isinstance(each, Piece)]
        plan = Plan.survey(partial(iter, found), BASE, PatientMap({}))
        outlines = [Outline(*outline) for outline in _core.outlines([each.text for each in found]) if outline]
        owners = [plan.patients_of(each, outline) for each, outline in zip(found, outlines, strict=True)]
        ((patient,),) = {
            tuple(owner) for outline, owner in zip(outlines, owners, strict=True) if outline.resource_type == "Patient"
        }
        assert owners == [[patient]] * len(found)


def test_narratives_values_and_statuses_of_charts_are_read(shared: Path) -> None:
    """No chart breaks a rule of values, narrative or invariants; what is no R4 is refused for its structure."""
    refused: Counter[str] = Counter()
    count = 0
    for folder in ("bulk-derived-10", "hl7-r4-examples", "ips"):
        for path in files(shared, folder):
            for each in read(path):
                if isinstance(each, Piece):
                    count += 1
                    try:
                        _core.read_resource(each.text)
                    except FhirError as error:
                        refused[error.code] += 1
    assert count > 1000
    assert set(refused) <= {"element_unknown", "object_expected", "list_unexpected"}


def test_a_document_comes_whole(shared: Path) -> None:
    (path,) = (path for path in files(shared, "ips") if "minimal" in path.name)
    *entries, document = read(path)
    assert isinstance(document, Document)
    assert document.entries == tuple(each.place for each in entries)
