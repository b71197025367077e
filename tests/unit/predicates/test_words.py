"""Policies and claims in words."""

from __future__ import annotations

import pytest

from chartseal.predicates import compile_policy, describe_claim
from chartseal.predicates.elements import elements_of
from chartseal.predicates.slots import ClaimKey
from chartseal.predicates.systems import by_alias
from chartseal.predicates.words import all_paths, name_of_code
from chartseal.record import claims as record_claims

AS_OF = "; as one record said when it was sealed"
DENIAL = f"{AS_OF}; this denies it of that record alone: another may say it"
SINCE = "effective >= 2026-05-01"
MEASURED = ", measured on or after 1 May 2026"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"Observation[loinc|4548-4].value < 7.0 % and {SINCE}",
            f"your HbA1c (LOINC 4548-4) is under 7 %{MEASURED}{AS_OF}",
        ),
        (
            f"Observation[loinc|99999-9].value >= 0.80 {{1}} and {SINCE}",
            f"your LOINC 99999-9 is at least 0.8{MEASURED}{AS_OF}",
        ),
        (
            f"Observation.component[loinc|8480-6].value between 90 and 140 mm[Hg] and {SINCE}",
            f"your systolic blood pressure (LOINC 8480-6) is from 90 mm[Hg] to 140 mm[Hg]{MEASURED}{AS_OF}",
        ),
        ("Condition.code in icd10cm:C50.*", f"your current diagnosis is in ICD-10-CM C50.* (breast cancer){AS_OF}"),
        (
            "Condition(past).code only in icd10cm:C00.*-C97.* and onset >= 2020-01-01",
            "your past diagnosis is in ICD-10-CM C00.* to C97.*, the only code of that system there, "
            f"beginning on or after 1 January 2020{AS_OF}",
        ),
        (
            "AllergyIntolerance.code not in snomed{91936005, 294505008}",
            "your current allergy or intolerance is none of 2 SNOMED CT codes [294505008 (allergy to amoxicillin); "
            f"91936005 (allergy to penicillin)]{DENIAL}",
        ),
        (
            "Condition.code != snomed|44054006",
            f"your current diagnosis is not SNOMED CT 44054006 (type 2 diabetes){DENIAL}",
        ),
        (
            "Immunization.vaccineCode in cvx{1,2,3,4,5,6,7} and occurrence between 2026-05 and 2026-06",
            "your vaccination is one of 7 CVX codes [1; 2; 3; 4; 5; and 2 more], "
            f"given from 1 May 2026 to 30 June 2026{AS_OF}",
        ),
        ("Patient.birthDate < 2005-01-01", f"your date of birth is on or before 31 December 2004{AS_OF}"),
        ("Patient.birthDate = 2004-02-29", f"your date of birth is on 29 February 2004{AS_OF}"),
        ("Patient.deceased = false", f"your having died is recorded as false{AS_OF}"),
        ("Patient.gender = gender|female", f"your administrative gender is gender female{AS_OF}"),
        (
            "FamilyMemberHistory(MTH).condition.onset < 50 a",
            f"your mother's age or date at onset of a condition is under 50 years{AS_OF}",
        ),
        (
            "FamilyMemberHistory(AUNT).condition.code = icd10|C50.9",
            f"your relative (AUNT)'s diagnosis is ICD-10 C50.9{AS_OF}",
        ),
        ("Claim(billed-claim).total >= 100 USD", f"your total of a bill (billed-claim) is at least 100 USD{AS_OF}"),
        (
            "Observation[loinc|1].value > 0.5 mg/dL and effective = 2026-01-01 to 2026-06-30",
            "your LOINC 1 is above 0.5 mg/dL, measured exactly from 1 January 2026 to 30 June 2026" + AS_OF,
        ),
        (
            "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed >= 1 and authoredOn >= 2026-05-01T00:00:00Z",
            "your number of repeats of a prescription is at least 1, "
            f"ordered at or after 2026-05-01 00:00:00 UTC{AS_OF}",
        ),
        (
            'QuestionnaireResponse.item["https://example.org/q"|"1.2"].answer.value = true',
            f"your answer to https://example.org/q 1.2 is recorded as true{AS_OF}",
        ),
        ("Practitioner.birthDate < 2005", f"the practitioner's date of birth is on or before 31 December 2004{AS_OF}"),
    ],
)
def test_words(text: str, words: str) -> None:
    policy = compile_policy(text)
    assert policy.words() == words
    assert policy.words("verifier") == words.replace("your ", "the holder's ")


def test_every_element_that_is_lifted_has_a_noun_and_no_other() -> None:
    rows = [line.split("\t") for line in _table().splitlines()[1:]]
    lifted = {element.path for row in rows for element in elements_of(row[0])}
    assert set(all_paths()) ^ lifted == {"QuestionnaireResponse.item.answer.value"}, "answers stand at any depth"


def _table() -> str:
    from importlib.resources import files

    return files(record_claims.__name__.rpartition(".")[0]).joinpath("claims.tsv").read_text("utf-8")


def test_names_are_of_systems_with_an_alias() -> None:
    assert name_of_code(by_alias()["loinc"].uri, "4548-4") == "HbA1c"
    assert name_of_code("http://example.org", "4548-4") == ""
    assert len({row.uri for row in by_alias().values()}) == len(by_alias())


@pytest.mark.parametrize(
    ("kind", "unit", "words"),
    [
        ("quantity-hi", "%", "that your HbA1c (LOINC 4548-4) is at most, or under, so many %"),
        (
            "sole-code",
            "http://snomed.info/sct",
            "that your HbA1c (LOINC 4548-4) is a certain code of SNOMED CT and no other, "
            "or is not one, or none of several",
        ),
        ("boolean", "", "whether your HbA1c (LOINC 4548-4) is recorded as true or false"),
    ],
)
def test_claims_in_words(kind: str, unit: str, words: str) -> None:
    claim = ClaimKey("Observation.value", "", "http://loinc.org", "4548-4", kind, unit, 0)
    assert describe_claim(claim) == words
