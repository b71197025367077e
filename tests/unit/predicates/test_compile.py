"""What compiles, to which slots; what does not, beside what does."""

from __future__ import annotations

import pytest

from chartseal.errors import PredicatePolicyError
from chartseal.predicates import Policy, Slot, compile_policy
from chartseal.predicates.bounds import OFFSET, OPEN_HIGH

EQUAL, NOT_EQUAL, RANGE, MEMBER, NOT_MEMBER = range(1, 6)
A1C = "Observation[loinc|4548-4].value"
SINCE = "effective >= 2026-05-01"
MAY, JUNE = 46_141 + OFFSET, 46_172 + OFFSET
"""1 May and 1 June 2026."""
MILLION = 1_000_000


def slots(text: str) -> tuple[Slot, ...]:
    return compile_policy(text).slots


def shape(text: str) -> list[tuple[str, str, int, int, int]]:
    return [(slot.claim.path, slot.claim.kind, slot.op, slot.lo, slot.hi) for slot in slots(text)]


def refusal(text: str) -> PredicatePolicyError:
    with pytest.raises(PredicatePolicyError) as caught:
        compile_policy(text)
    return caught.value


def test_comparisons_of_a_quantity_test_the_bound_that_can_vouch_for_them() -> None:
    seven = 7 * MILLION + OFFSET
    expected = {
        "<": ("quantity-hi", RANGE, 0, seven - 1),
        "<=": ("quantity-hi", RANGE, 0, seven),
        ">": ("quantity-lo", RANGE, seven + 1, OPEN_HIGH),
        ">=": ("quantity-lo", RANGE, seven, OPEN_HIGH),
    }
    for operator, (kind, op, low, high) in expected.items():
        first = slots(f"{A1C} {operator} 7.0 % and {SINCE}")[0]
        assert (first.claim.kind, first.op, first.lo, first.hi) == (kind, op, low, high)
        assert first.claim[2:4] == ("http://loinc.org", "4548-4")
        assert first.claim[5:] == ("%", 6)


def test_an_equality_tests_both_bounds() -> None:
    seven = 7 * MILLION + OFFSET
    assert shape(f"{A1C} = 7 % and {SINCE}")[:2] == [
        ("Observation.value", "quantity-lo", EQUAL, seven, seven),
        ("Observation.value", "quantity-hi", EQUAL, seven, seven),
    ]


def test_negative_numbers_keep_their_order() -> None:
    low, high = slots(f"Observation[loinc|11555-0].value between -3.5 and 2 mmol/L and {SINCE}")[:2]
    assert (low.lo, high.hi) == (OFFSET - 3_500_000, OFFSET + 2_000_000)
    assert not low.accepts(OFFSET - 3_500_001)
    assert low.accepts(OFFSET)


def test_partial_dates_stand_on_the_side_that_the_whole_of_them_is_on() -> None:
    """Named attack: a partial date on the wrong side."""
    expected = {
        "> 2026-05": ("day-lo", JUNE, OPEN_HIGH),
        ">= 2026-05": ("day-lo", MAY, OPEN_HIGH),
        "< 2026-05": ("day-hi", 0, MAY - 1),
        "<= 2026-05": ("day-hi", 0, JUNE - 1),
        "< 2026": ("day-hi", 0, MAY - 121),
    }
    for test, (kind, low, high) in expected.items():
        [slot] = slots(f"Condition.onset {test}")
        assert (slot.claim.kind, slot.lo, slot.hi) == (kind, low, high), test
    assert slots("Condition.onset = 2026-05") == slots("Condition.onset between 2026-05-01 and 2026-05-31")
    assert [slot.op for slot in slots("Condition.onset = 2026-05-01")] == [EQUAL, EQUAL]


def test_an_interval_fixes_both_days() -> None:
    """The four slots of an adherence report: value, class, and the window's two days (clinical rules 5)."""
    text = (
        "Observation[loinc|pdc].value >= 0.80 {1} and component[loinc|class].value = atc|C10AA05"
        " and effective = 2026-05-01 to 2026-05-31"
    )
    assert shape(text) == [
        ("Observation.value", "quantity-lo", RANGE, 800_000 + OFFSET, OPEN_HIGH),
        ("Observation.component.value", "code", EQUAL, *[slots(text)[1].lo] * 2),
        ("Observation.effective", "day-lo", EQUAL, MAY, MAY),
        ("Observation.effective", "day-hi", EQUAL, JUNE - 1, JUNE - 1),
    ]


def test_instants_are_utc_and_stand_in_one_claim() -> None:
    east, west = (
        slots(f"{A1C} < 7 % and effective >= 2026-05-01T{time}")[1] for time in ("02:00:00+02:00", "00:00:00Z")
    )
    assert east == west
    assert (east.claim.kind, east.lo, east.hi) == ("instant", (MAY - OFFSET) * 86_400 + OFFSET, OPEN_HIGH)
    [pair] = slots("Patient.deceased between 2026-05-01T00:00:00Z and 2026-05-02T00:00:00Z")
    assert pair.hi - pair.lo == 86_400


def test_codes_compile_to_the_kind_that_says_no_more_and_no_less() -> None:
    kinds = {
        "= snomed|1": ("code", EQUAL),
        "in snomed{1, 2}": ("code", MEMBER),
        "only = snomed|1": ("sole-code", EQUAL),
        "only in snomed{1, 2}": ("sole-code", MEMBER),
        "!= snomed|1": ("sole-code", NOT_EQUAL),
        "not in snomed{1, 2}": ("sole-code", NOT_MEMBER),
        "in icd10cm:C50.*": ("packed", RANGE),
        "only in icd10cm:C50.*": ("sole-packed", RANGE),
    }
    for test, expected in kinds.items():
        [slot] = slots(f"Condition.code {test}")
        assert (slot.claim.kind, slot.op) == expected


def test_a_hierarchy_holds_all_that_begins_so_and_nothing_beside() -> None:
    [slot] = slots("Condition.code in icd10cm:C50.*")

    def packed(text: str) -> int:
        return int.from_bytes(text.encode().ljust(7, b"\0"), "big")

    assert all(slot.accepts(packed(code)) for code in ("C50", "C501", "C50911", "C50ZZZZ"))
    assert not any(slot.accepts(packed(code)) for code in ("C49ZZZZ", "C51", "C5", "D50"))
    assert slots("Condition.code in icd10cm:C50*") == (slot,)
    [several] = slots("Condition.code in icd10cm:C00.*-C97.*")
    assert several.accepts(packed("C97ZZZZ"))
    assert not several.accepts(packed("D00"))
    [atc] = slots("MedicationRequest.medication in atc:C10AA* and authoredOn >= 2026")[:1]
    assert atc.claim.unit == "http://www.whocc.no/atc"


def test_senses_have_the_obvious_default_or_none() -> None:
    assert slots("Condition.code = snomed|1")[0].claim.sense == "current"
    assert slots("Condition(current).code = snomed|1") == slots("Condition.code = snomed|1")
    assert slots("Condition(past).code = snomed|1")[0].claim.sense == "past"
    assert slots("Immunization.vaccineCode = cvx|208 and occurrence >= 2026")[0].claim.sense == "given"
    assert slots("Claim(billed-claim).total >= 100 USD")[0].claim.sense == "billed-claim"
    assert slots("FamilyMemberHistory(MTH).condition.code = snomed|1")[0].claim.sense == "MTH"


def test_what_is_written_first_stands_for_what_follows() -> None:
    short = f"{A1C} >= 4 % and interpretation = interpretation|N and {SINCE}"
    long = f"{A1C} >= 4 % and Observation[loinc|4548-4].interpretation = interpretation|N and Observation.{SINCE}"
    assert slots(short) == slots(long)
    assert compile_policy(long).text == short


ACCEPTED_AND_REFUSED = [
    # what compiles; its neighbour that does not; code; column
    (f"{A1C} < 7 % and {SINCE}", f"{A1C} < 7 %", "policy_time_missing", 1),
    (
        "Coverage.type = v3act|EHCPOL and period >= 2026",
        "Coverage.type = v3act|EHCPOL",
        "policy_time_missing",
        1,
    ),
    (
        "Immunization.vaccineCode = cvx|208 and occurrence >= 2026",
        "Immunization.vaccineCode = cvx|208 and expirationDate >= 2026",
        "policy_time_missing",
        1,
    ),
    (
        f"Observation[loinc|1].value >= 2026-05-01 and {SINCE}",
        "Observation[loinc|1].value >= 2026-05-01",
        "policy_time_missing",
        1,
    ),
    ("Condition.code = snomed|1", "Medication.code = snomed|1", "policy_time_missing", 1),
    (f"{A1C} < 7.000001 % and {SINCE}", f"{A1C} < 7.0000001 % and {SINCE}", "policy_bound_too_fine", 35),
    (f"{A1C} < 7 % and {SINCE}", f"{A1C} < 7{'0' * 20} % and {SINCE}", "policy_bound_range", 35),
    (f"{A1C} < 7 % and {SINCE}", f"{A1C} < 7 and {SINCE} and", "policy_syntax", 65),
    (f"{A1C} < 7 % and {SINCE}", f"{A1C} < 7.5 and {SINCE}", "policy_bound_too_fine", 35),
    ("Claim(billed-claim).total >= 1 USD", "Claim(billed-claim).total >= 1", "policy_unit_missing", 30),
    ("Claim(billed-claim).total >= 1 USD", "Claim(billed-claim).total >= 1 dollar", "policy_currency", 30),
    (f"{A1C} < 7 % and {SINCE}", f"{A1C} < 7 % and effective < 7 %", "policy_kind_never", 55),
    ("Condition.code = snomed|1", "Condition.code < 7 %", "policy_kind_never", 18),
    ("Patient.birthDate < 2005-01-01", "Patient.birthDate < 2005-01-01T00:00:00Z", "policy_kind_never", 21),
    ("Patient.gender = gender|female", "Patient.gender = snomed|248152002", "policy_kind_never", 18),
    ("Patient.gender = gender|female", "Patient.gender = gender|f", "policy_code_unknown", 18),
    (
        "Patient.gender in gender{male, female}",
        "Patient.gender in gender{male, female, other, unknown}",
        "policy_vacuous",
        19,
    ),
    ("Patient.birthDate >= 0001-01-02", "Patient.birthDate >= 0001-01-01", "policy_vacuous", 22),
    ("Patient.birthDate <= 9999-12-30", "Patient.birthDate <= 9999-12-31", "policy_vacuous", 22),
    ("Patient.birthDate > 2005", "Patient.birthDate > 9999", "policy_unsatisfiable", 21),
    (
        "Immunization.protocolApplied.doseNumber >= 2 and occurrence >= 2026",
        "Immunization.protocolApplied.doseNumber >= 1 and occurrence >= 2026",
        "policy_vacuous",
        44,
    ),
    ("Condition.code in icd10cm:0*-Y*", "Condition.code in icd10cm:0*-Z*", "policy_vacuous", 19),
    (f"{A1C} between 4 and 7 % and {SINCE}", f"{A1C} between 7 and 4 % and {SINCE}", "policy_unsatisfiable", 41),
    (
        f"{A1C} >= 4 % and value <= 7 % and {SINCE}",
        f"{A1C} >= 7 % and value <= 4 % and {SINCE}",
        "policy_unsatisfiable",
        44,
    ),
    (
        "Patient.birthDate = 2005-01-01 to 2005-01-02",
        "Patient.birthDate = 2005-01-02 to 2005-01-01",
        "policy_unsatisfiable",
        21,
    ),
    (
        f"{A1C} >= 4 % and value <= 7 % and {SINCE}",
        f"{A1C} >= 4 % and value >= 5 % and {SINCE}",
        "policy_slot_redundant",
        44,
    ),
    (
        "Condition.code = snomed|1 and code = snomed|2",
        "Condition.code = snomed|1 and code = snomed|1",
        "policy_slot_twice",
        31,
    ),
    ("Patient.birthDate < 2005", "Patient.birthDate < 2005-02-29", "policy_date", 21),
    ("Condition.onset < 2005-01-01T23:59:59Z", "Condition.onset < 2005-01-01T24:00:00Z", "policy_date", 19),
    ("Condition.onset < 2005-01-01T00:00:00+14:00", "Condition.onset < 2005-01-01T00:00:00+14:01", "policy_date", 19),
    ("Condition.onset < 2005-01-01T00:00:00Z", "Condition.onset < 2005-01-01T00:00:00.5Z", "policy_bound_too_fine", 19),
    ("Condition.code not in snomed{1}", "Condition.code not in icd10cm:C50.*", "policy_negation", 23),
    ("Condition.code != snomed|1", "Condition.onset != 2005-01-01", "policy_negation", 1),
    ("Patient.deceased = false", "Patient.deceased != false", "policy_operator", 1),
    ("Condition.code = snomed|1", "Condition.code < snomed|1", "policy_operator", 1),
    ("Condition.code in icd10cm:C50.*", "Condition.code in snomed:44*", "policy_hierarchy", 19),
    ("Condition.code in icd10cm:C50.*", "Condition.code in icd10cm:C5.0*", "policy_hierarchy", 19),
    ("Condition.code in icd10cm:C50.123*", "Condition.code in icd10cm:C50.1234*", "policy_hierarchy", 19),
    ("Condition.code in icd10cm:C50.*-C51.*", "Condition.code in icd10cm:C51.*-C50.*", "policy_unsatisfiable", 19),
    ("Condition.code in snomed{1}", "Condition.code in snomed{}", "policy_set_size", 19),
    ("Condition.code in snomed{1, 2}", "Condition.code in snomed{1, 1}", "policy_set_twice", 19),
    ("Condition.code in snomed{1}", "Condition.code in @penicillins", "policy_set_unknown", 20),
    ("Condition.code = snomed|1", "Condition.code = snomd|1", "policy_system_unknown", 18),
    ("Condition.code = snomed|1", "Condition.verificationStatus = snomed|1", "policy_element_unknown", 11),
    ("Condition.code = snomed|1", "Condition.code.coding = snomed|1", "policy_element_unknown", 11),
    ("DetectedIssue.identified < 2005", "DetectedIssue.occurrence < 2005", "policy_element_unknown", 15),
    ("Condition.code = snomed|1", "Organization.type = snomed|1", "policy_type_unknown", 1),
    ("Condition.code = snomed|1", "code = snomed|1", "policy_type_missing", 1),
    ("Condition(past).code = snomed|1", "Condition(refuted).code = snomed|1", "policy_sense_unknown", 1),
    ("Patient.birthDate < 2005", "Patient(current).birthDate < 2005", "policy_sense_unknown", 1),
    ("Claim(billed-claim).created < 2005", "Claim.created < 2005", "policy_sense_missing", 1),
    ("Claim(billed-claim).created < 2005", "Claim(billed-order).created < 2005", "policy_sense_unknown", 1),
    ("FamilyMemberHistory(MTH).date < 2005", "FamilyMemberHistory.date < 2005", "policy_sense_missing", 1),
    ("FamilyMemberHistory(MTH).date < 2005", "FamilyMemberHistory(mother).date < 2005", "policy_sense_unknown", 1),
    (
        "Condition(past).code = snomed|1 and Condition(past).onset < 2005",
        "Condition(past).code = snomed|1 and Condition.onset < 2005",
        "policy_two_senses",
        37,
    ),
    (
        "Condition.code = snomed|1 and onset < 2005",
        "Condition.code = snomed|1 and Patient.birthDate < 2005",
        "policy_two_types",
        31,
    ),
    (f"{A1C} < 7 % and {SINCE}", f"Observation.value < 7 % and {SINCE}", "policy_qualifier_missing", 1),
    (f"{A1C} < 7 % and {SINCE}", "Observation[loinc|4548-4].effective >= 2026-05-01", "policy_qualifier_needless", 1),
    ("Condition.code = snomed|1", "Condition.code[snomed|1] = snomed|1", "policy_qualifier_needless", 11),
    (
        f"Observation.component[loinc|8480-6].value < 140 mm[Hg] and {SINCE}",
        f"Observation[loinc|85354-9].component[loinc|8480-6].value < 140 mm[Hg] and {SINCE}",
        "policy_qualifier_needless",
        1,
    ),
    (
        f"Observation.component[loinc|8480-6].value < 140 mm[Hg] and {SINCE}",
        f"Observation.component.value < 140 mm[Hg] and {SINCE}",
        "policy_qualifier_missing",
        1,
    ),
    (
        f"{A1C} between 4 and 7 % and {SINCE} and bodySite = snomed|1",
        f"{A1C} between 4 and 7 % and {SINCE} and effective <= 2027 and bodySite = snomed|1",
        "policy_too_many_slots",
        105,
    ),
    ("Condition.onset < 50 a", "Condition.onset between 40 a and 2005", "policy_bounds_differ", 1),
    ("Condition.onset between 40 and 50 a", "Condition.onset between 40 mo and 50 a", "policy_bounds_differ", 1),
    ("Condition.code = snomed|1", "Condition.code between snomed|1 and snomed|2", "policy_operator", 1),
    ("Condition.code = snomed|1", "Condition.code = snomed|1\u202e", "policy_characters", 26),
    ('Condition.code = snomed|"a b"', 'Condition.code = snomed|" a"', "policy_syntax", 25),
    ('Condition.code = snomed|"a b"', 'Condition.code = snomed|"a\tb"', "policy_syntax", 25),
]


@pytest.mark.parametrize(("accepted", "refused", "code", "column"), ACCEPTED_AND_REFUSED)
def test_each_refusal_beside_what_compiles(accepted: str, refused: str, code: str, column: int) -> None:
    assert isinstance(compile_policy(accepted), Policy)
    error = refusal(refused)
    assert (error.code, error.path) == (code, f"1:{column}"), refused
    line, caret = error.excerpt.split("\n")
    assert caret.endswith("^")
    assert line in refused.replace("\t", " ")


@pytest.mark.parametrize(
    ("tied", "untied"),
    [
        (
            f"Observation.component[loinc|8480-6].value < 140 mm[Hg] and {SINCE} and "
            "component[loinc|8480-6].interpretation = interpretation|N",
            f"Observation.component[loinc|8480-6].value < 140 mm[Hg] and {SINCE} and "
            "component[loinc|8462-4].interpretation = interpretation|N",
        ),
        (
            "FamilyMemberHistory(MTH).condition.onset between 40 and 50 a",
            "FamilyMemberHistory(MTH).condition.onset < 50 a and condition.code = snomed|254837009",
        ),
        (
            f"{A1C} < 7 % and interpretation = interpretation|N and {SINCE}",
            f"Observation[loinc|1].interpretation = interpretation|N and interpretation = interpretation|H and {SINCE}",
        ),
        (
            'QuestionnaireResponse.item["http://q"|1].answer.value between 1 and 5 and authored < 2026',
            'QuestionnaireResponse.item["http://q"|1].answer.value > 1 and item["http://q"|2].answer.value < 5',
        ),
        (
            "Condition.code = snomed|1 and code = icd10cm|C50.9",
            "Condition.bodySite = snomed|1 and bodySite = snomed|2",
        ),
        (
            "Claim(billed-claim).total > 1 USD and item.productOrService = cpt|1",
            "Claim(billed-claim).item.productOrService = cpt|2 and item.productOrService = cpt|1",
        ),
    ],
)
def test_two_repetitions_never_satisfy_two_slots(tied: str, untied: str) -> None:
    """Named attack: two slots taken from two repetitions."""
    compile_policy(tied)
    assert refusal(untied).code == "policy_repetitions"


def test_errors_say_the_line_too() -> None:
    error = refusal("Condition.code = snomed|1 # one of many\n  and onset <")
    assert error.path.startswith("2:")
    assert error.excerpt.startswith("  and onset <\n")
    assert "end" not in error.detail


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"name": "x" * 129}, "policy_name"),
        ({"name": " x"}, "policy_name"),
        ({"name": "a\u202eb"}, "policy_name"),
        ({"version": 0}, "policy_version"),
        ({"version": 1 << 31}, "policy_version"),
    ],
)
def test_names_and_versions_have_limits(options: dict[str, object], code: str) -> None:
    assert compile_policy("Patient.birthDate < 2005", name="x" * 128, version=(1 << 31) - 1).name == "x" * 128
    with pytest.raises(PredicatePolicyError) as caught:
        compile_policy("Patient.birthDate < 2005", **options)  # type: ignore[arg-type]  # what a caller may give
    assert caught.value.code == code
