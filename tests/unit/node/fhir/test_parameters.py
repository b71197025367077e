"""Parameters: what is understood, and what is refused rather than answered otherwise than it was asked."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from chartseal.errors import FhirRequestError
from chartseal.node.fhir.outcomes import refusal
from chartseal.node.fhir.parameters import LONGEST, MOST_PARAMETERS, read_everything, read_query, split
from chartseal.node.fhir.values import Token
from tests.vault_records import LOINC


def refused(text: str, resource_type: str = "Observation", *, is_strict: bool = False) -> tuple[str, str]:
    with pytest.raises(FhirRequestError) as caught:
        read_query(resource_type, split(text), is_strict=is_strict)
    assert 400 <= refusal(caught.value).status < 500
    return caught.value.code, caught.value.path


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("", "search_too_wide", "Observation"),
        ("code=x", "search_too_wide", "Observation"),
        ("Patient=p1", "search_too_wide", "Observation"),
        ("patient=p1&patient=p2", "parameter_repeated", "patient"),
        ("patient=p1&subject=p2", "parameter_repeated", "subject"),
        ("patient=p1&subject:Patient=p2", "parameter_repeated", "subject:Patient"),
        ("patient=p1&p%61tient=p2", "parameter_repeated", "patient"),
        ("patient=p1&_id=a&_id=b", "parameter_repeated", "_id"),
        ("patient=p1&_count=1&_count=2", "parameter_repeated", "_count"),
        ("patient=p1&code=a&code=b", "parameter_repeated", "code"),
        ("patient=", "parameter_value", "patient"),
        ("patient=p1,", "parameter_value", "patient"),
        ("patient=Group/g1", "parameter_value", "patient"),
        ("patient=p1%2F..%2Fp2", "parameter_value", "patient"),
        ("patient=Patient/p1?x", "parameter_value", "patient"),
        ("patient=p%201", "parameter_value", "patient"),
        ("patient=file:///etc/passwd", "parameter_value", "patient"),
        ("patient=p1\\", "parameter_value", "patient"),
        ("patient=" + ",".join(["p"] * 51), "parameter_value", "patient"),
        ("patient=p1&date=yesterday", "parameter_value", "date"),
        ("patient=p1&date=ap2026", "parameter_value", "date"),
        ("patient=p1&date=2026-13", "parameter_value", "date"),
        ("patient=p1&date=2026-02-30", "parameter_value", "date"),
        ("patient=p1&_lastUpdated=x", "parameter_value", "_lastUpdated"),
        ("patient=p1&code=a|b|c", "parameter_value", "code"),
        ("patient=p1&code=|", "parameter_value", "code"),
        ("patient=p1&status=http://x|final", "parameter_value", "status"),
        ("patient=p1&encounter=a%20b", "parameter_value", "encounter"),
        ("patient=p1&_count=-1", "parameter_value", "_count"),
        ("patient=p1&_count=%D9%A3", "parameter_value", "_count"),
        ("patient=p1&_count=1e3", "parameter_value", "_count"),
        ("patient=p1&_total=estimate", "parameter_value", "_total"),
        ("_id=a%2Fb", "parameter_value", "_id"),
        ("patient=p1&_summary=true", "parameter_not_served", "_summary"),
        ("patient=p1&_elements=id", "parameter_not_served", "_elements"),
        ("patient=p1&_sort=-date", "parameter_not_served", "_sort"),
        ("patient=p1&_filter=x", "parameter_not_served", "_filter"),
        ("subject.name=Olivia", "parameter_not_served", "subject.name"),
        ("subject:Patient.name=Olivia", "parameter_not_served", "subject:Patient.name"),
        ("patient:identifier=x", "parameter_not_served", "patient:identifier"),
        ("subject:Group=g", "parameter_not_served", "subject:Group"),
        ("patient=p1&code:not=x", "parameter_not_served", "code:not"),
        ("patient=p1&code:missing=true", "parameter_not_served", "code:missing"),
        ("_has:Observation:patient:code=x", "parameter_not_served", "_has:Observation:patient:code"),
        ("patient=p1&_include=*", "parameter_not_served", "_include"),
        ("patient=p1&_include=Condition:encounter", "parameter_not_served", "_include"),
        ("patient=p1&_include=Observation:code", "parameter_not_served", "_include"),
        ("patient=p1&_include=Observation:encounter:Patient", "parameter_not_served", "_include"),
        ("patient=p1&_include:iterate=Observation:encounter", "parameter_not_served", "_include:iterate"),
        ("patient=p1&_revinclude=Observation:subject", "parameter_not_served", "_revinclude"),
        ("patient=p1&_format=xml", "format_not_served", "_format"),
        ("patient=p1;code=x", "parameter_value", "patient"),
        ("patient=p1&&code=x", "query_malformed", ""),
        ("patient", "query_malformed", ""),
        ("patient=%zz", "query_malformed", ""),
        ("patient=%C3%28", "query_malformed", ""),
        ("patient=p1\u00e9", "query_malformed", ""),
        ("patient=p1%00", "query_malformed", "patient"),
        ("patient=p1%0D%0AX: y", "query_malformed", "patient"),
        ("pat%00=p1", "query_malformed", "?"),
        ("patient=p1" + "&x=1" * MOST_PARAMETERS, "query_malformed", ""),
        ("patient=p1&x=" + "a" * LONGEST, "query_too_long", ""),
    ],
)
def test_what_is_refused(text: str, code: str, path: str) -> None:
    assert refused(text) == (code, path)


def test_what_is_just_within_the_limits() -> None:
    assert split("patient=p1" + "&x=1" * (MOST_PARAMETERS - 1))
    assert len(split("x=" + "a" * (LONGEST - 2))) == 1
    found = read_query("Observation", split("patient=" + ",".join(f"p{at}" for at in range(50))), is_strict=True)
    assert len(found.patients) == 50
    assert read_query("Observation", split("patient=p1&_count=500"), is_strict=True).count == 100
    assert read_query("Observation", split("patient=p1"), is_strict=True).count == 50


def test_what_is_unknown_is_left_out_unless_it_must_not_be() -> None:
    pairs = split("patient=p1&colour=red&%3Cscript%3E=1&address=x")
    found = read_query("Observation", pairs, is_strict=False)
    assert (found.left_out, found.pairs) == (("colour", "?", "address"), (("patient", "p1"),))
    assert refused("patient=p1&colour=red", is_strict=True) == ("parameter_unknown", "colour")
    assert refused("_type=x&_id=a", is_strict=True) == ("parameter_unknown", "_type")


def test_no_value_is_in_an_error() -> None:
    for text in ("patient=Olivia%20Bauch", "patient=p1&date=Olivia", "subject.name=Olivia", "patient=p1&_sort=Olivia"):
        with pytest.raises(FhirRequestError) as caught:
            read_query("Observation", split(text), is_strict=True)
        assert "Olivia" not in str(caught.value)
        assert b"Olivia" not in refusal(caught.value).body


def test_types_without_a_patient_need_an_id() -> None:
    assert refused("patient=p1", "Practitioner") == ("search_too_wide", "Practitioner")
    assert refused("birthdate=1970", "Patient") == ("search_too_wide", "Patient")
    assert read_query("Patient", split("_id=p1&gender=female"), is_strict=True).ids == ("p1",)


def test_escapes() -> None:
    def tokens(value: str) -> tuple[Token, ...]:
        return read_query("Observation", split(f"patient=p1&code={quote(value)}"), is_strict=True).filters[0].tokens

    assert tokens(r"a\,b,c") == (Token(None, "a,b"), Token(None, "c"))
    assert tokens(r"s\|t|a") == (Token("s|t", "a"),)
    assert tokens(r"a\\,b") == (Token(None, "a\\"), Token(None, "b"))
    assert tokens(r"\$") == (Token(None, "$"),)


def test_the_index_is_asked_where_it_can_answer() -> None:
    def indexed(text: str, resource_type: str = "Observation") -> tuple[str, ...]:
        return read_query(resource_type, split(f"patient=p1&{text}"), is_strict=True).indexed_code

    assert indexed(f"code={LOINC}|a,{LOINC}|b") == (f"{LOINC}|a", f"{LOINC}|b")
    assert indexed(f"code={LOINC}|a,b") == indexed("code=a") == indexed(f"code={LOINC}|") == ()
    assert indexed(f"category={LOINC}|a") == indexed("status=final") == ()
    assert indexed("vaccine-code=http://x|1", "Immunization") == ("http://x|1",)
    assert indexed("code=http://rx|1", "MedicationRequest") == ("http://rx|1",)


def test_everything_has_parameters_of_its_own() -> None:
    found = read_everything("p1", split("_type=Observation,Condition&_since=2026-05-04&_count=7"), is_strict=True)
    assert found.types == {"Observation", "Condition"}
    assert (found.count, found.has_provenance) == (7, True)
    for text in ("_type=observation", "_since=x", "_elements=id", "_type=Observation&_type=Condition"):
        with pytest.raises(FhirRequestError):
            read_everything("p1", split(text), is_strict=True)
    assert read_everything("p1", split("patient=p2"), is_strict=False).patients == ("Patient/p1",)
