"""Write the tables of `src/chartseal/fhir`: R4's elements, its patient compartment, HTML 4's entities.

Source: Maven ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r4 8.8.0, which carries HL7's own R4 (4.0.1) definitions;
fetched with `mvn dependency:copy` where no path is given. The entities are the Python standard library's.

Run: python tools/fhir_tables.py [the jar]
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET  # the jar is ours to trust: a pinned package, not a patient's input
import zipfile
from collections.abc import Iterator
from html.entities import name2codepoint
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/chartseal/fhir"
ARTIFACT = "ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r4:8.8.0"
JAR = ROOT / "build/hapi-fhir-validation-resources-r4-8.8.0.jar"
MODEL = "org/hl7/fhir/r4/model"
FHIR = "{http://hl7.org/fhir}"
ABSTRACT = {"Element", "BackboneElement"}
# A pattern that HL7 ships as a resource that is not abstract; nothing is ever one.
PATTERNS = {"MetadataResource"}
READ_BY_CLAIMS = {
    "Claim.use",
    "ClaimResponse.outcome",
    "ClaimResponse.use",
    "Consent.provision.type",
    "DocumentReference.docStatus",
    "ExplanationOfBenefit.outcome",
    "ExplanationOfBenefit.use",
    "Patient.gender",
    "Patient.link.type",
    "Practitioner.gender",
    "RelatedPerson.gender",
}
"""No modifiers in R4, but claims' conditions, senses and values are made of them."""


def attribute(node: ET.Element | None, *path: str) -> str:
    """The `value` of the descendant at `path`, or nothing."""
    for name in path:
        node = None if node is None else node.find(FHIR + name)
    return "" if node is None else node.get("value", "")


def definitions(archive: zipfile.ZipFile) -> Iterator[ET.Element]:
    """Structure definitions in HL7's order: concrete ones, and Element, which is what a `_` twin is."""
    for part in ("types", "resources"):
        root = ET.fromstring(archive.read(f"{MODEL}/profile/profiles-{part}.xml"))  # noqa: S314
        for definition in root.iter(FHIR + "StructureDefinition"):
            abstract = attribute(definition, "abstract") == "true" and attribute(definition, "type") != "Element"
            pattern = attribute(definition, "type") in PATTERNS
            if attribute(definition, "derivation") != "constraint" and not abstract and not pattern:
                yield definition


class ValueSets:
    """Codes of value sets that list or include whole code systems: all that R4's modifier elements need."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        root = ET.fromstring(archive.read(f"{MODEL}/valueset/valuesets.xml"))  # noqa: S314
        self.sets = {attribute(node, "url"): node for node in root.iter(FHIR + "ValueSet")}
        self.systems = {attribute(node, "url"): node for node in root.iter(FHIR + "CodeSystem")}

    def codes(self, url: str) -> tuple[str, list[str]]:
        """(system, codes) of one value set; the codes of R4's required bindings share one system."""
        systems, codes = set(), []
        for include in self.sets[url].iter(FHIR + "include"):
            if include.find(FHIR + "filter") is not None or include.find(FHIR + "valueSet") is not None:
                raise ValueError(f"{url} is not a plain list")
            system = attribute(include, "system")
            systems.add(system)
            listed = include if include.find(FHIR + "concept") is not None else self.systems[system]
            codes += [attribute(concept, "code") for concept in listed.iter(FHIR + "concept")]
        (system,) = systems
        return system, codes


def fhir_type(node: ET.Element) -> str:
    """The FHIR type that HL7 states in an extension of a FHIRPath type."""
    stated = node.find(f"{FHIR}extension/{FHIR}valueUrl")
    return "" if stated is None else stated.get("value", "")


def types(element: ET.Element, path: str, resource_id: bool) -> list[str]:
    """R4 types of one element; a backbone, and a reference to one, by its path."""
    if reference := attribute(element, "contentReference"):
        return [reference.removeprefix("#")]
    names = []
    for node in element.findall(FHIR + "type"):
        code = attribute(node, "code")
        if code.startswith("http://hl7.org/fhirpath/"):
            # HL7 states the FHIR type in an extension, and gives a resource's id the wrong one there.
            code = "id" if resource_id else fhir_type(node)
        names.append(path if code in ABSTRACT else code)
    return names


def binding(element: ET.Element, sets: ValueSets) -> tuple[str, str]:
    """(system, codes joined by `|`) where a modifier element, or one that claims read, has a required binding."""
    node = element.find(FHIR + "binding")
    counts = attribute(element, "isModifier") == "true" or attribute(element, "path") in READ_BY_CLAIMS
    if not counts or attribute(node, "strength") != "required":
        return "", ""
    system, codes = sets.codes(attribute(node, "valueSet").partition("|")[0])
    return system, "|".join(codes)


def element_rows(definition: ET.Element, sets: ValueSets) -> Iterator[list[str]]:
    """The rows of one definition, backbones among them."""
    name, kind = attribute(definition, "type"), attribute(definition, "kind")
    snapshot = definition.find(FHIR + "snapshot")
    for element in [] if snapshot is None else snapshot.findall(FHIR + "element"):
        path = attribute(element, "path")
        owner, _, last = path.rpartition(".")
        if kind == "primitive-type" or not owner:
            continue
        resource_id = kind == "resource" and path == f"{name}.id"
        own_kind = "backbone" if "." in owner else kind.removesuffix("-type").replace("complex", "datatype")
        # What XML writes as an attribute has no extensions, hence no `_` twin; R4 types a resource's id as an element.
        bare = attribute(element, "representation") == "xmlAttr" and not resource_id
        found = types(element, path.removesuffix("[x]"), resource_id)
        modifier = attribute(element, "isModifier") == "true"
        bounds = [attribute(element, "min"), attribute(element, "max")]
        flags = [str(int(modifier)), str(int(not bare and found != ["xhtml"]))]
        yield [own_kind, owner, last, *bounds, "|".join(found), *flags, *binding(element, sets)]


def compartment_rows(archive: zipfile.ZipFile) -> Iterator[list[str]]:
    """Each resource type of the patient compartment with the references that place it there."""
    bundle = json.loads(archive.read(f"{MODEL}/sp/search-parameters.json"))
    expressions = {
        (base, parameter["code"]): parameter.get("expression", "")
        for parameter in (entry["resource"] for entry in bundle["entry"])
        for base in parameter["base"]
    }
    root = ET.fromstring(archive.read(f"{MODEL}/profile/profiles-resources.xml"))  # noqa: S314
    patient = next(node for node in root.iter(FHIR + "CompartmentDefinition") if attribute(node, "code") == "Patient")
    for resource in patient.findall(FHIR + "resource"):
        kind = attribute(resource, "code")
        parameters = [expressions[kind, node.get("value", "")] for node in resource.findall(FHIR + "param")]
        paths = [path for expression in parameters for path in reference_paths(kind, expression)]
        yield from ([kind, path] for path in dict.fromkeys(paths))


def reference_paths(kind: str, expression: str) -> list[str]:
    """Element paths of one search expression: `X.subject.where(resolve() is Patient)` is `X.subject`."""
    paths = re.findall(rf"\b{kind}(?:\.[A-Za-z]+)+", expression)
    return [path.removesuffix(".where") for path in paths]


def write(name: str, header: str, rows: Iterator[list[str]]) -> None:
    """Write one table, with generator and source on line 1."""
    lines = [f"# generated by tools/fhir_tables.py from {header}", *("\t".join(row) for row in rows)]
    (TARGET / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def obtain() -> Path:
    """The jar, from the local Maven repository or from Maven Central."""
    if not JAR.exists():
        JAR.parent.mkdir(exist_ok=True)
        copy = ["mvn", "-q", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={JAR.parent}"]
        subprocess.run(copy, check=True)  # noqa: S603
    return JAR


def main(jar: Path) -> None:
    """Write all tables."""
    with zipfile.ZipFile(jar) as archive:
        sets = ValueSets(archive)
        rows = (row for definition in definitions(archive) for row in element_rows(definition, sets))
        columns = "kind, type, element, min, max, R4 types, modifier, may have a `_` twin, system, codes"
        write(
            "r4_elements.tsv",
            f"{ARTIFACT}: {columns} (required bindings of modifier elements and of those that claims read)",
            rows,
        )
        columns = "type, path of a reference that may place it there"
        write("r4_patient_compartment.tsv", f"{ARTIFACT}: {columns}", compartment_rows(archive))
    entities = ([name, str(point)] for name, point in sorted(name2codepoint.items()))
    write("html4_entities.tsv", "Python's html.entities: HTML 4 entity, code point", entities)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else obtain())
