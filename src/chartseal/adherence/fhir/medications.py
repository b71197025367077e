"""What was supplied: the codes and words of a medication, its own, contained, or another resource's."""

from __future__ import annotations

from dataclasses import dataclass

from chartseal.adherence.fhir.estimates import NotCountedError
from chartseal.adherence.fhir.members import Json, member, members, text


@dataclass(frozen=True)
class Coding:
    """One code of a medication."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True)
class Medication:
    """Codes in the order they stand, a name for people, or the `reference` under which a Medication gives them."""

    codings: tuple[Coding, ...] = ()
    name: str = ""
    reference: str = ""


def of_concept(concept: Json) -> Medication:
    """The medication that a CodeableConcept names; its text is its name, else the first display."""
    codings = tuple(
        Coding(text(each, "system"), text(each, "code"), text(each, "display"))
        for each in members(concept, "coding")
        if text(each, "code")
    )
    return Medication(codings, text(concept, "text") or next((each.display for each in codings if each.display), ""))


def medication_of(resource: Json) -> Medication:
    """The medication of a request, dispense, administration or statement.

    Raises:
        NotCountedError: `medication_unknown`: nothing names it.
    """
    found = of_concept(member(resource, "medicationCodeableConcept"))
    reference = member(resource, "medicationReference")
    target = text(reference, "reference")
    if target.startswith("#"):
        found = _contained(resource, target[1:])
        found = found if found.codings or found.name else Medication(name=text(reference, "display"))
    elif target:
        found = Medication(name=text(reference, "display"), reference=target)
    elif reference:
        found = Medication(name=text(reference, "display"))
    if not (found.codings or found.name or found.reference):
        raise NotCountedError("medication_unknown")
    return found


def _contained(resource: Json, name: str) -> Medication:
    for each in members(resource, "contained"):
        if text(each, "id") == name and text(each, "resourceType") == "Medication":
            return of_concept(member(each, "code"))
    return Medication()
