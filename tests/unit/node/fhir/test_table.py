"""The table of what is served: each row is R4's, and the CapabilityStatement says just what the table does."""

from __future__ import annotations

import json
from datetime import date
from importlib.resources import files

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement as R4Statement

from chartseal.errors import FhirRequestError
from chartseal.node.fhir import capability_statement
from chartseal.node.fhir.parameters import read_query, split
from chartseal.node.fhir.table import TYPES, Kind, includes_of
from chartseal.record import read_fields

ROWS = [
    row.split("\t")
    for row in files("chartseal.fhir").joinpath("r4_elements.tsv").read_text("utf-8").splitlines()
    if not row.startswith("#")
]
TYPES_OF = {(row[1], row[2]): row[5].split("|") for row in ROWS}
FITS = {
    Kind.CONCEPT: {"CodeableConcept"},
    Kind.CODING: {"Coding"},
    Kind.CODE: {"code"},
    Kind.IDENTIFIER: {"Identifier"},
    Kind.DATE: {"date", "dateTime", "instant", "Period"},
    Kind.REFERENCE: {"Reference"},
}


def types_at(resource_type: str, path: str) -> set[str]:
    """R4's types of an element, its choices by the ends of their names."""
    owner, found = resource_type, list[str]()
    for step in path.split("."):
        choices = [(row[2][:-3], row[5].split("|")) for row in ROWS if row[1] == owner and row[2].endswith("[x]")]
        chosen = [each for base, types in choices for each in types if step == base + each[:1].upper() + each[1:]]
        found = TYPES_OF.get((owner, step)) or chosen
        assert found, (resource_type, path)
        owner = found[0]
    return set(found)


@pytest.mark.parametrize("resource_type", TYPES)
def test_parameters_are_of_elements_that_r4_has(resource_type: str) -> None:
    served = TYPES[resource_type]
    assert (resource_type, "id") in TYPES_OF
    for name, parameter in served.parameters.items():
        for path in parameter.paths:
            assert types_at(resource_type, path) <= FITS[parameter.kind], (name, path)
            is_period = path.lower().endswith("period")  # so the search reads it as one
            assert ("Period" in types_at(resource_type, path)) is is_period
        assert bool(parameter.targets) is (parameter.kind is Kind.REFERENCE)
        assert set(parameter.targets) <= TYPES.keys()
    if served.patient:
        assert types_at(resource_type, served.patient) == {"Reference"}


def test_types_with_a_patient_are_those_of_r4s_compartment() -> None:
    rows = files("chartseal.fhir").joinpath("r4_patient_compartment.tsv").read_text("utf-8").splitlines()
    paths = {tuple(row.split("\t")) for row in rows if not row.startswith("#")}
    for resource_type, served in TYPES.items():
        if served.patient:
            own = (resource_type, f"{resource_type}.{served.patient}")
            assert own in paths or resource_type in {"Device", "CarePlan"}, own


def statement() -> dict[str, object]:
    text = capability_statement(
        "https://node.example/fhir/", published=date(2026, 11, 30), token_url="https://t.example"
    )
    assert read_fields(text).resource_type == "CapabilityStatement"
    found: dict[str, object] = json.loads(text)
    return found


def test_the_statement_is_valid_and_claims_no_more_than_is_served() -> None:
    found = statement()
    R4Statement.model_validate(found)
    assert "instantiates" not in found
    [rest] = found["rest"]  # type: ignore[misc]
    assert [each["type"] for each in rest["resource"]] == list(TYPES)  # type: ignore[has-type]


@pytest.mark.parametrize("at", range(len(TYPES)))
def test_what_the_statement_lists_is_understood(at: int) -> None:
    resource = statement()["rest"][0]["resource"][at]  # type: ignore[index]
    values = {"token": "x", "date": "2026", "reference": "x"}
    for each in resource["searchParam"]:
        text = f"_id=a&{each['name']}={values[each['type']]}" if each["name"] != "_id" else "_id=a"
        assert not read_query(resource["type"], split(text), is_strict=True).left_out
    for include in resource.get("searchInclude", []):
        assert read_query(resource["type"], split(f"_id=a&_include={include}"), is_strict=True).includes
    for include in resource["searchRevInclude"]:
        assert read_query(resource["type"], split(f"_id=a&_revinclude={include}"), is_strict=True).has_provenance
    assert resource.get("searchInclude", []) == includes_of(resource["type"])
    with pytest.raises(FhirRequestError):
        read_query(resource["type"], split("_id=a&unheard-of=x"), is_strict=True)
