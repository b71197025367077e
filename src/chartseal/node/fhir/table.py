"""What the node serves: resource types with their search parameters. References among them may be included.

Routes, searches and the CapabilityStatement read this one table. Rows: what US Core 7.0 asks of a server
(hl7.org/fhir/us/core/STU7/CapabilityStatement-us-core-server.html) as far as a record's own elements answer it, and
what vaults commonly hold besides. Elements: the search parameters of each type's page under hl7.org/fhir/R4.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """How a parameter's value is compared with its elements."""

    CONCEPT = "concept"
    """A token with the codings of a CodeableConcept."""
    CODING = "coding"
    CODE = "code"
    """A token with a code whose system R4 fixes."""
    IDENTIFIER = "identifier"
    DATE = "date"
    """With dates, and Periods where the element's name ends so."""
    REFERENCE = "reference"

    @property
    def fhir(self) -> str:
        """R4's type of the search parameter."""
        return self.value if self in (Kind.DATE, Kind.REFERENCE) else "token"


class Parameter(NamedTuple):
    """One search parameter of a type."""

    kind: Kind
    paths: tuple[str, ...]
    """Of the elements, below the resource."""
    targets: tuple[str, ...] = ()
    """Types that a reference may name, as far as they are served."""


class Served(NamedTuple):
    """One resource type."""

    patient: str
    """The element that names the patient; empty where none does, and a search needs `_id`."""
    names_of_patient: tuple[str, ...]
    """Parameters that mean it."""
    parameters: Mapping[str, Parameter]


_BOTH = ("patient", "subject")
_CLINICIANS = "Practitioner PractitionerRole Organization"
_ROWS = """
AllergyIntolerance patient: clinical-status concept clinicalStatus; verification-status concept verificationStatus;
 code concept code; category code category; date date recordedDate; asserter reference asserter > Practitioner;
 recorder reference recorder > Practitioner
CarePlan subject: category concept category; date date period; status code status; intent code intent;
 encounter reference encounter > Encounter; condition reference addresses > Condition; goal reference goal > Goal;
 care-team reference careTeam > CareTeam
CareTeam subject: status code status; category concept category; role concept participant.role; date date period;
 participant reference participant.member > Practitioner PractitionerRole Organization RelatedPerson
Claim patient: status code status; use code use; created date created; provider reference provider > CLINICIANS
Composition subject: type concept type; category concept category; status code status; date date date;
 encounter reference encounter > Encounter; author reference author > CLINICIANS
Condition subject: category concept category; clinical-status concept clinicalStatus; code concept code;
 verification-status concept verificationStatus; severity concept severity; onset-date date onsetDateTime onsetPeriod;
 abatement-date date abatementDateTime abatementPeriod; recorded-date date recordedDate;
 encounter reference encounter > Encounter; asserter reference asserter > Practitioner
Coverage beneficiary: status code status; type concept type; payor reference payor > Organization
Device patient: type concept type; status code status; organization reference owner > Organization
DeviceUseStatement subject: device reference device > Device
DiagnosticReport subject: category concept category; code concept code; date date effectiveDateTime effectivePeriod;
 issued date issued; status code status; encounter reference encounter > Encounter;
 performer reference performer > CLINICIANS; result reference result > Observation;
 specimen reference specimen > Specimen
DocumentReference subject: category concept category; type concept type; date date date; period date context.period;
 status code status; encounter reference context.encounter > Encounter; author reference author > CLINICIANS
Encounter subject: class coding class; type concept type; status code status; date date period;
 identifier identifier identifier; reason-code concept reasonCode;
 discharge-disposition concept hospitalization.dischargeDisposition;
 participant reference participant.individual > Practitioner PractitionerRole RelatedPerson;
 location reference location.location > Location; service-provider reference serviceProvider > Organization;
 diagnosis reference diagnosis.condition > Condition Procedure
ExplanationOfBenefit patient: status code status; created date created; claim reference claim > Claim;
 coverage reference insurance.coverage > Coverage; provider reference provider > CLINICIANS
FamilyMemberHistory patient: status code status; code concept condition.code; date date date
Goal subject: lifecycle-status code lifecycleStatus; target-date date target.dueDate; category concept category;
 achievement-status concept achievementStatus
ImagingStudy subject: status code status; started date started; modality coding series.modality;
 encounter reference encounter > Encounter
Immunization patient: status code status; date date occurrenceDateTime; vaccine-code concept vaccineCode;
 performer reference performer.actor > CLINICIANS; location reference location > Location
Location -:
Medication -: code concept code; status code status
MedicationAdministration subject: status code status; code concept medicationCodeableConcept;
 effective-time date effectiveDateTime effectivePeriod; medication reference medicationReference > Medication;
 request reference request > MedicationRequest
MedicationDispense subject: status code status; type concept type; code concept medicationCodeableConcept;
 whenhandedover date whenHandedOver; medication reference medicationReference > Medication;
 prescription reference authorizingPrescription > MedicationRequest; performer reference performer.actor > CLINICIANS
MedicationRequest subject: status code status; intent code intent; authoredon date authoredOn;
 code concept medicationCodeableConcept; encounter reference encounter > Encounter;
 medication reference medicationReference > Medication; requester reference requester > CLINICIANS
MedicationStatement subject: status code status; code concept medicationCodeableConcept;
 effective date effectiveDateTime effectivePeriod; medication reference medicationReference > Medication
Observation subject: category concept category; code concept code; component-code concept component.code;
 date date effectiveDateTime effectiveInstant effectivePeriod; status code status;
 encounter reference encounter > Encounter; performer reference performer > CLINICIANS;
 specimen reference specimen > Specimen; has-member reference hasMember > Observation;
 derived-from reference derivedFrom > Observation DocumentReference
Organization -: identifier identifier identifier; type concept type
Patient -: identifier identifier identifier; birthdate date birthDate; gender code gender;
 general-practitioner reference generalPractitioner > CLINICIANS;
 organization reference managingOrganization > Organization
Practitioner -: identifier identifier identifier
PractitionerRole -: role concept code; specialty concept specialty; practitioner reference practitioner > Practitioner;
 organization reference organization > Organization; location reference location > Location
Procedure subject: category concept category; code concept code; date date performedDateTime performedPeriod;
 status code status; encounter reference encounter > Encounter; performer reference performer.actor > CLINICIANS;
 reason-reference reference reasonReference > Condition Observation Procedure DiagnosticReport DocumentReference
QuestionnaireResponse subject: status code status; authored date authored; encounter reference encounter > Encounter
RelatedPerson patient: relationship concept relationship
ServiceRequest subject: category concept category; code concept code; authored date authoredOn; status code status;
 intent code intent; encounter reference encounter > Encounter; requester reference requester > CLINICIANS
Specimen subject: type concept type; status code status;
 collected date collection.collectedDateTime collection.collectedPeriod
"""
"""A type, the element that names its patient, and its parameters: name, kind, paths, and after `>` the types named."""
_BY_SUBJECT = "subject"
"""Elements of this name R4 lets everybody search as `patient` too; others are `patient` alone."""


def _read(rows: str) -> dict[str, Served]:
    found = {}
    for row in rows.strip().replace("\n ", " ").replace("CLINICIANS", _CLINICIANS).splitlines():
        head, _, tail = row.partition(":")
        resource_type, patient = head.split()
        parameters = dict(_parameter(each) for each in tail.split(";") if each.strip())
        names: tuple[str, ...] = ()
        if patient != "-":
            names = _BOTH if patient == _BY_SUBJECT else ("patient",)
        found[resource_type] = Served("" if patient == "-" else patient, names, parameters)
    return found


def _parameter(text: str) -> tuple[str, Parameter]:
    shape, _, targets = text.partition(">")
    name, kind, *paths = shape.split()
    return name, Parameter(Kind(kind), tuple(paths), tuple(targets.split()))


TYPES: Mapping[str, Served] = _read(_ROWS)
"""By resource type."""

INDEXED_CODES = frozenset({"code", "medicationCodeableConcept", "vaccineCode"})
"""Elements whose codings the vault's index holds."""


def reference_of(resource_type: str, name: str) -> Parameter | None:
    """The reference that a parameter of a type means, the patient's too; None where it means none."""
    served = TYPES.get(resource_type)
    if served is None:
        return None
    if name in served.names_of_patient:
        return Parameter(Kind.REFERENCE, (served.patient,), ("Patient",))
    found = served.parameters.get(name)
    return found if found is not None and found.kind is Kind.REFERENCE else None


def includes_of(resource_type: str) -> list[str]:
    """What `_include` takes for a type: `Type:parameter`."""
    served = TYPES[resource_type]
    names = [*served.names_of_patient, *served.parameters]
    return [f"{resource_type}:{name}" for name in names if reference_of(resource_type, name) is not None]
