"""Every resource of the chart pack is read and comes back exactly, or breaks a rule of R4 that stands here."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from chartseal.errors import FhirError, LimitError
from chartseal.record import read_fields, rebuild

IPS_2018 = "ips/IPS-bundle-01-2018.json.gz entry "
# The guide's draft of 2018 was written against R4's ballot, which still had elements that R4 has not.
REFUSED = {
    IPS_2018 + "0": ("list_unexpected", "Composition.attester[0].mode", "Composition.attester.mode is 1..1"),
    IPS_2018 + "4": ("object_expected", "Condition.clinicalStatus", "Condition.clinicalStatus is a CodeableConcept"),
    IPS_2018 + "5": ("element_unknown", "MedicationStatement", "MedicationStatement has no `taken`"),
    IPS_2018 + "6": ("element_unknown", "MedicationStatement", "MedicationStatement has no `taken`"),
    IPS_2018 + "9": (
        "object_expected",
        "AllergyIntolerance.clinicalStatus",
        "AllergyIntolerance.clinicalStatus is a CodeableConcept",
    ),
    IPS_2018 + "10": ("object_expected", "Condition.clinicalStatus", "Condition.clinicalStatus is a CodeableConcept"),
    IPS_2018 + "16": ("element_unknown", "Observation", "Observation has no `related`"),
    IPS_2018 + "17": ("element_unknown", "Observation", "Observation has no `comment`"),
    IPS_2018 + "18": ("element_unknown", "Observation", "Observation has no `comment`"),
}
"""Place of each refused resource: code, path, and R4's rule."""


class Number(NamedTuple):
    """A number as it is written: Python's own reading would make 0.010 and 0.01 one."""

    lexeme: str


def parse(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Number, parse_int=Number)


def written(value: Any) -> str:
    """JSON of a parsed tree, number lexemes as they were."""
    match value:
        case Number(lexeme):
            return lexeme
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{written(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(written, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def resources(name: str, text: bytes) -> Iterator[tuple[str, bytes]]:
    """A resource by its place; of a Bundle, those of its entries."""
    tree = parse(text)
    if tree["resourceType"] != "Bundle":
        yield name, text
        return
    for index, entry in enumerate(tree.get("entry", ())):
        if "resource" in entry:
            yield f"{name} entry {index}", written(entry["resource"]).encode()


def pack(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.glob("*/*json.gz")):
        name = str(path.relative_to(folder))
        if path.name == "log.ndjson.gz":
            continue
        with gzip.open(path) as file:
            if ".ndjson" in path.name:
                for number, line in enumerate(file, start=1):
                    yield from resources(f"{name} line {number}", line)
            else:
                yield from resources(name, file.read())


def test_every_resource_comes_back_or_breaks_a_rule(shared: Path) -> None:
    refused = {}
    count = 0
    for place, text in pack(shared / "data/fhir-pack"):
        count += 1
        try:
            resource = read_fields(text)
        except (FhirError, LimitError) as error:
            refused[place] = (error.code, error.path)
            continue
        rebuilt = rebuild(resource.resource_type, resource.fields, resource.detached)
        assert parse(rebuilt.text) == parse(text), place
        assert rebuilt.unopened == ()
    assert count == 13_925
    assert refused == {place: entry[:2] for place, entry in REFUSED.items()}


def test_a_lexeme_or_a_member_changed_is_another_resource() -> None:
    assert parse('{"a":0.010}') != parse('{"a":0.01}')
    assert parse('{"a":[1]}') == parse('{ "a" : [1] }')
    text = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":0.010}}'
    fields = read_fields(text).fields
    assert parse(rebuild("Observation", fields).text) == parse(text)
    assert parse(rebuild("Observation", fields[:-1]).text) != parse(text)
