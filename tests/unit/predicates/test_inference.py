"""What several answers tell together."""

from __future__ import annotations

from chartseal.predicates import Policy, compile_policy, narrowed


def told(*texts: str) -> list[str]:
    *previous, policy = [compile_policy(text) for text in texts]
    return [inference.text for inference in narrowed(previous, policy)]


def a1c(test: str) -> str:
    return f"Observation[loinc|4548-4].value {test} and effective >= 2026-05-01"


def test_ranges_bisect() -> None:
    assert told(a1c(">= 6 %"), a1c("< 7 %"), a1c("< 6.5 %")) == [
        "your HbA1c (LOINC 4548-4) is at least 6 % and is under 6.5 %"
    ]
    assert told(a1c(">= 6.5 %"), a1c("<= 6.5 %")) == ["your HbA1c (LOINC 4548-4) is exactly 6.5 %"]
    assert told("Patient.birthDate >= 2000", "Patient.birthDate < 2001") == [
        "your date of birth is from 1 January 2000 to 31 December 2000"
    ]


def test_an_answer_that_tells_no_more_than_itself_is_not_listed() -> None:
    assert told(a1c("< 7 %")) == []
    assert told(a1c("< 8 %"), a1c("< 7 %")) == []
    assert told(a1c("< 7 %"), "Patient.birthDate < 2001") == []


def test_an_earlier_answer_that_tells_more_is_listed() -> None:
    assert told(a1c("< 7 %"), a1c("< 8 %")) == ["your HbA1c (LOINC 4548-4) is under 7 %"]


def test_other_units_and_qualifiers_tell_of_something_else() -> None:
    assert told(a1c("< 53 mmol/mol"), a1c("< 7 %")) == []
    assert told(a1c("< 7 %").replace("4548-4", "17856-6"), a1c("< 8 %")) == []


def test_sets_and_hierarchies_intersect() -> None:
    hierarchy, listed = "Condition.code in icd10cm:C50.*", "Condition.code in icd10cm{C50.911, C50.912, I10}"
    assert told(hierarchy, listed) == ["your current diagnosis is one of 2 ICD-10-CM codes [C50.911; C50.912]"]
    assert told("Condition.code in icd10cm:C5*", hierarchy) == []
    assert told(hierarchy, "Condition.code in icd10cm:C5*") == [
        "your current diagnosis is in ICD-10-CM C50.* (breast cancer)"
    ]
    assert told("Condition.code not in icd10cm{C50.911}", listed) == [
        "your current diagnosis is one of 2 ICD-10-CM codes [C50.912; I10]"
    ]
    assert told("Condition.code != icd10cm|A00", "Condition.code != icd10cm|A01") == [
        "your current diagnosis is none of 2 ICD-10-CM codes [A00; A01]"
    ]


def test_answers_that_contradict_come_from_several_records() -> None:
    [text] = told(a1c("< 6 %"), a1c(">= 7 %"))
    assert text.startswith("your HbA1c (LOINC 4548-4) differs between these answers")


def test_counts_and_truth_values() -> None:
    repeats = "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed {} and authoredOn >= 2026"
    assert told(repeats.format(">= 2"), repeats.format("<= 2")) == [
        "your number of repeats of a prescription is exactly 2"
    ]
    assert told("Patient.deceased = false", "Patient.deceased = false") == []


def test_the_claim_says_what_it_is_about() -> None:
    first, second = compile_policy(a1c(">= 6 %")), compile_policy(a1c("< 7 %"))
    [inference] = narrowed([first], second)
    assert inference.claim.kind == "quantity"
    assert inference.claim[:4] == ("Observation.value", "", "http://loinc.org", "4548-4")
    assert isinstance(second, Policy)
