"""What is withheld of a permitted record: the part is gone, the rest stands and says that something is."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import Any

import pytest

from chartseal.consent import Part
from chartseal.errors import FhirRequestError
from chartseal.node.fhir.cutting import show
from chartseal.record import Field, read_fields, recount
from chartseal.sealing import SealedRecord
from tests.charts import sealed
from tests.fhir_answers import Json, Node, concept, entries, keep, observation
from tests.vault_records import LOINC

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">told in words</div>'
NARRATIVE = {"status": "generated", "div": DIV}
DATA = b64encode(b"a letter").decode()
LONG = b64encode(b"a long letter" * 200).decode()


def record_of(resource: Json) -> SealedRecord:
    read = read_fields(json.dumps(resource).encode())
    return sealed(read.resource_type, read.fields, detached=read.detached)


def shown(resource: Json, *parts: Part) -> Json:
    found = show(record_of(resource), frozenset(parts))
    assert found is not None
    text: Json = json.loads(found.text)
    return text


def is_cut(resource: Json) -> bool:
    return any(each.get("code") == "SUBSETTED" for each in resource.get("meta", {}).get("tag", []))


def without(resource: Json, *members: str) -> Json:
    return {name: value for name, value in resource.items() if name not in {*members, "meta"}}


def test_nothing_withheld_is_the_resource_itself() -> None:
    whole = observation("o1")
    assert shown(whole) == whole
    assert show(record_of(whole), frozenset()).selection is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("part", "member"), [(Part.NARRATIVE, "text"), (Part.NOTES, "note")], ids=["narrative", "notes"]
)
def test_a_part_is_left_out_and_the_record_says_so(part: Part, member: str) -> None:
    whole = observation("o1")
    cut = shown(whole, part)
    assert without(cut) == without(whole, member)
    assert is_cut(cut)


def test_what_has_no_such_part_is_whole() -> None:
    whole = without(observation("o1"), "text", "note")
    cut = shown(whole, *Part)
    assert (cut, is_cut(cut)) == (whole, False)


def test_texts_of_concepts_are_no_narrative() -> None:
    whole = observation("o1", code={"text": "potassium", **concept(LOINC, "2823-3")})
    assert shown(whole, Part.NARRATIVE)["code"] == whole["code"]


def test_narratives_of_contained_resources_and_sections_go_too() -> None:
    inner = {"resourceType": "Specimen", "id": "s", "text": NARRATIVE, "type": {"text": "blood"}}
    cut = shown(observation("o1", contained=[inner], specimen={"reference": "#s"}), Part.NARRATIVE)
    assert "text" not in cut["contained"][0]
    assert cut["contained"][0]["type"] == {"text": "blood"}
    letter = {
        "resourceType": "Composition",
        "id": "c",
        "status": "final",
        "type": concept(LOINC, "11503-0"),
        "date": "2026-05-04",
        "author": [{"reference": "Practitioner/d1"}],
        "title": "letter",
        "section": [{"title": "plan", "code": concept(LOINC, "18776-5"), "text": NARRATIVE}],
    }
    found = show(record_of(letter), frozenset({Part.NARRATIVE}))
    assert found is None or DIV not in found.text


def test_notes_at_any_depth_go() -> None:
    whole = {
        "resourceType": "AllergyIntolerance",
        "id": "a",
        "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
        "patient": {"reference": "Patient/p1"},
        "note": [{"text": "SECRET"}, {"text": "SECRET too", "authorString": "SECRET"}],
        "code": concept("http://snomed.info/sct", "91935009"),
    }
    assert without(shown(whole, Part.NOTES)) == without(whole, "note")
    plan = {
        "resourceType": "CarePlan",
        "id": "c",
        "status": "active",
        "intent": "plan",
        "subject": {"reference": "Patient/p1"},
        "activity": [{"progress": [{"text": "SECRET"}], "reference": {"reference": "Task/t"}}],
    }
    assert shown(plan, Part.NOTES)["activity"] == [{"reference": {"reference": "Task/t"}}]


def document(**attachment: Any) -> Json:
    return {
        "resourceType": "DocumentReference",
        "id": "d",
        "status": "current",
        "type": concept(LOINC, "11503-0"),
        "subject": {"reference": "Patient/p1"},
        "content": [{"attachment": {"contentType": "text/plain", **attachment}, "format": {"code": "x"}}],
    }


@pytest.mark.parametrize("attachment", [{"data": DATA}, {"data": LONG}, {"url": "https://a.example/x", "title": "HIV"}])
def test_attachments_go_whole(attachment: Json) -> None:
    cut = shown(document(**attachment), Part.ATTACHMENTS)
    assert is_cut(cut)
    assert not any(value in json.dumps(cut) for value in (*attachment.values(), "text/plain"))
    masked = cut["content"][0]["attachment"]["extension"][0]
    assert masked == {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}
    assert read_fields(json.dumps(without(cut, "meta")).encode()).resource_type == "DocumentReference"


def test_the_form_of_a_medication_is_no_attachment() -> None:
    whole = {"resourceType": "Medication", "id": "m", "form": {"text": "tablet", **concept("http://rx", "t")}}
    assert shown(whole, Part.ATTACHMENTS) == whole


def test_a_report_without_its_attachment_keeps_its_conclusion() -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "final",
        "code": concept(LOINC, "58410-2"),
        "conclusion": "fine",
        "presentedForm": [{"contentType": "application/pdf", "data": DATA}],
    }
    assert without(shown(report, Part.ATTACHMENTS)) == without(report, "presentedForm")


def test_what_cannot_stand_without_the_part_is_not_shown() -> None:
    answers = {
        "resourceType": "QuestionnaireResponse",
        "id": "q",
        "status": "completed",
        "item": [{"linkId": "1", "answer": [{"valueAttachment": {"contentType": "text/plain", "data": DATA}}]}],
    }
    binary = {"resourceType": "Binary", "id": "b", "contentType": "text/plain", "data": DATA}
    for each in (answers, binary):
        assert show(record_of(each), frozenset({Part.ATTACHMENTS})) is None
        assert show(record_of(each), frozenset({Part.NARRATIVE})) is not None


def test_what_opens_of_a_cut_record_is_what_a_verifier_takes() -> None:
    record = record_of(observation("o1"))
    found = show(record, frozenset({Part.NOTES, Part.NARRATIVE}))
    assert found is not None
    assert found.selection is not None
    names = {each.name for each in found.selection.choices[0].opened}
    opened = [each for each in record.fields if each.name in names]
    withheld = {
        (slot.name, slot.state) for each in recount("Observation", opened) for slot in each.slots if slot.fields
    } & {("note", "withheld"), ("text", "withheld")}
    assert len(withheld) == 2
    assert not any(name.startswith(("Observation.note", "Observation.text", "chartseal.pad")) for name in names)
    assert "chartseal.names" not in names  # whose hash would confirm a guess


def test_no_word_of_a_withheld_part_is_in_an_answer(node: Node) -> None:
    inner = document(data=b64encode(b"SECRET").decode())
    keep(node.vault, observation("o1", note=[{"text": "SECRET"}]), inner)
    node.rules.withhold(*Part)
    bundle = node.everything("p1")
    assert len(entries(bundle, "match")) == 2
    assert "SECRET" not in json.dumps(bundle)
    assert b64encode(b"SECRET").decode() not in json.dumps(bundle)
    digest = hashlib.sha256(b"SECRET").hexdigest()
    assert digest not in json.dumps(bundle)


def test_a_record_that_cannot_be_cut_is_refused(node: Node) -> None:
    keep(
        node.vault,
        {"resourceType": "QuestionnaireResponse", "id": "q", "status": "completed"}
        | {"item": [{"linkId": "1", "answer": [{"valueAttachment": {"title": "x"}}]}]}
        | {"subject": {"reference": "Patient/p1"}},
    )
    node.rules.withhold(Part.ATTACHMENTS)
    with pytest.raises(FhirRequestError):
        node.read("QuestionnaireResponse/q")
    assert "entry" not in node.search("QuestionnaireResponse", "patient=p1")
    assert [(each.action, each.basis) for each in node.log()] == [("refuse", "cut_not_possible")] * 2


def test_what_is_said_about_a_withheld_value_goes_with_it() -> None:
    whole = document(url="https://a.example/x") | {"description": "kept"}
    attachment = whole["content"][0]["attachment"]
    attachment["_title"] = {"extension": [{"url": "http://x.example/why", "valueString": "SECRET"}]}
    attachment["title"] = "SECRET"
    cut = shown(whole, Part.ATTACHMENTS)
    assert "SECRET" not in json.dumps(cut)
    assert cut["description"] == "kept"


def test_fields_are_named_as_the_record_names_them() -> None:
    assert Field("Observation.note[0].text", "string", "x") in record_of(observation("o", note=[{"text": "x"}])).fields
