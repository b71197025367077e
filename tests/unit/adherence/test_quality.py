"""PQA's PDC measures: published claims, each rule beside its neighbour, and a day-by-day reference for stays."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.adherence import Enrolment, QualityMeasure, Window, covered, measures, quality, summary
from chartseal.errors import AdherenceError

Row = tuple[str, str, str | None, float | None, str | None, str | None]
"""Kind, date, end, days supply, class, ingredient."""

YEAR = 2031
BORN: Row = ("born", "1950-03-04", None, None, None, None)


def fill(day: str, days: float | None = 90, ingredient: str | None = "atorvastatin", of: str = "statin") -> Row:
    return ("supply", day, None, days, of, ingredient)


def period(kind: str, start: str, end: str | None = None, why: str | None = None) -> Row:
    return (kind, start, end, None, why, None)


def table(rows: list[Row], patient: str = "p") -> pa.Table:
    kinds, dates, ends, days, classes, ingredients = zip(*rows, strict=True)
    return pa.table(
        {
            "patient": [patient] * len(rows),
            "kind": pa.array(kinds, pa.string()),
            "date": pa.array(map(date.fromisoformat, dates), pa.date32()),
            "end": pa.array([end and date.fromisoformat(end) for end in ends], pa.date32()),
            "days_supply": pa.array(days, pa.float64()),
            "class": pa.array(classes, pa.string()),
            "ingredient": pa.array(ingredients, pa.string()),
        }
    )


def one(rows: list[Row], measure: QualityMeasure | str = "PDC-STA", **options: Any) -> dict[str, Any]:
    (row,) = quality(table([BORN, *rows]), measure, options.pop("year", YEAR), **options).to_pylist()
    assert isinstance(row, dict)
    return row


def why(rows: list[Row], measure: QualityMeasure | str = "PDC-STA", **options: Any) -> tuple[Any, ...]:
    row = one(rows, measure, **options)
    return row["denominator"], row["numerator"], row["why"]


FULL = [fill("2031-01-01", 90), fill("2031-04-01", 275)]

# Claims that PQA publishes beside its measures (pqaalliance.org/assets/Measures/pdc-sta.js.txt; those of pdc-dr and
# pdc-rasa have the same dates): ingredient, fill, days supply; PQA's first and last dose, overlaps shifted, up to the
# end of the year.
SIMVA, ATORVA = "simvastatin", "atorvastatin"
PUBLISHED = [
    [
        (SIMVA, "2018-01-01", 90, "2018-01-01", "2018-03-31"),
        (ATORVA, "2018-04-01", 90, "2018-04-01", "2018-06-29"),
    ],
    [
        (SIMVA, "2018-01-01", 90, "2018-01-01", "2018-03-31"),
        (ATORVA, "2018-01-01", 90, "2018-01-01", "2018-03-31"),
    ],
    [
        (SIMVA, "2018-03-25", 90, "2018-03-25", "2018-06-22"),
        (SIMVA, "2018-07-05", 90, "2018-07-05", "2018-10-02"),
        (SIMVA, "2018-09-25", 90, "2018-10-03", "2018-12-31"),
    ],
    [
        (SIMVA, "2018-01-01", 90, "2018-01-01", "2018-03-31"),
        (SIMVA, "2018-03-25", 90, "2018-04-01", "2018-06-29"),
        (SIMVA, "2018-07-05", 90, "2018-07-05", "2018-10-02"),
        (SIMVA, "2018-10-15", 90, "2018-10-15", "2018-12-31"),
    ],
]


@pytest.mark.parametrize("claims", PUBLISHED)
def test_days_of_published_claims(claims: list[tuple[str, str, int, str, str]]) -> None:
    taken: set[int] = set()
    for _, _, _, first, last in claims:
        taken |= set(range(date.fromisoformat(first).toordinal(), date.fromisoformat(last).toordinal() + 1))
    fills = [fill(day, days, ingredient) for ingredient, day, days, _, _ in claims]
    found = covered(table(fills), Window.between(date(2018, 1, 1), date(2018, 12, 31)), period="from_first_fill")
    spans = [row for row in found.to_pylist() if row["kind"] == "covered"]
    days = {day for row in spans for day in range(row["start"].toordinal(), row["end"].toordinal())}
    assert days == taken
    # Of these, the second has fills on one date.
    row = one(fills, year=2018)
    assert row["covered_days"] == (len(taken) if len({each[1] for each in claims}) > 1 else None)


def test_every_column_of_one_patient() -> None:
    assert one([fill("2031-02-01", 200), fill("2031-06-01", 100)]) == {
        "patient": "p",
        "denominator": True,
        "numerator": True,
        "why": "adherent",
        "exclusion": None,
        "index": date(2031, 2, 1),
        "treatment_days": 334,
        "stay_days": 0,
        "fill_dates": 2,
        "covered_days": 300,
        "pdc": 300 / 334,
        "gap_days_allowed": 66,
    }


def test_eighty_percent_and_a_day_less() -> None:
    # Of 365 days, 292 are 80 %.
    assert why([fill("2031-01-01", 100), fill("2031-04-11", 192)]) == (True, True, "adherent")
    assert why([fill("2031-01-01", 100), fill("2031-04-11", 191)]) == (True, False, "too_few_days_covered")


def test_what_was_left_from_last_year_does_not_count() -> None:
    assert one([fill("2030-12-01", 90), *FULL])["index"] == date(2031, 1, 1)
    assert one([fill("2030-12-01", 360), fill("2031-03-01", 30), fill("2031-05-01", 30)])["covered_days"] == 60
    assert why([fill("2030-12-01", 360)]) == (False, False, "no_fill_in_year")


def test_fills_on_two_dates() -> None:
    assert why([fill("2031-01-01"), fill("2031-01-01", ingredient="simvastatin")])[2] == "too_few_fill_dates"
    assert why([fill("2031-01-01"), fill("2031-01-02", ingredient="simvastatin")])[0] is True


def test_ninety_one_days_of_treatment() -> None:
    assert why([fill("2031-10-02", 30), fill("2031-11-02", 30)])[0] is True
    assert why([fill("2031-10-03", 30), fill("2031-11-02", 30)]) == (False, False, "treatment_period_short")


def test_age_at_the_start_of_the_year() -> None:
    def aged(born: str) -> tuple[Any, ...]:
        (row,) = quality(table([period("born", born), *FULL]), "PDC-STA", YEAR).to_pylist()
        return row["denominator"], row["why"]

    assert aged("2013-01-01") == (True, "adherent")
    assert aged("2013-01-02") == (False, "under_age")
    (unknown,) = quality(table(FULL), "PDC-STA", YEAR).to_pylist()
    assert (unknown["denominator"], unknown["why"]) == (None, "birth_unknown")
    assert why([period("born", "1951-01-01"), *FULL]) == (None, None, "birth_ambiguous")
    ageless = QualityMeasure("all", "All ages", ("statin",), minimum_age=0)
    assert quality(table(FULL), ageless, YEAR)["why"].to_pylist() == ["adherent"]


def test_death_is_the_last_day() -> None:
    assert one([*FULL, period("died", "2031-05-01")])["treatment_days"] == 121
    assert why([*FULL, period("died", "2030-12-31")])[2] == "fill_after_death"
    assert why([*FULL, period("died", "2031-01-01")])[2] == "too_few_fill_dates"


def test_enrolment_ends_treatment_and_a_month_without_does_not() -> None:
    def days(second: str, **options: Any) -> Any:
        rows = [*FULL, period("enrolled", "2031-01-01", "2031-07-01"), period("enrolled", second)]
        return one(rows, **options)["treatment_days"]

    assert days("2031-08-01") == 365
    assert days("2031-08-02") == 181
    assert days("2031-08-01", enrolment=Enrolment(gaps=0)) == 181
    assert days("2031-07-01", enrolment=Enrolment(gaps=0)) == 365


def test_enrolment_at_the_index() -> None:
    assert why([*FULL, period("enrolled", "2031-01-02")])[2] == "not_enrolled"
    assert why([*FULL, period("enrolled", "2031-01-01")])[2] == "adherent"
    assert why(FULL, enrolment=Enrolment(required=True))[2] == "not_enrolled"


def test_exclusions_of_the_year_alone() -> None:
    row = one([*FULL, period("excluded", "2031-12-31", None, "hospice")])
    assert (row["denominator"], row["why"], row["exclusion"]) == (False, "excluded", "hospice")
    assert why([*FULL, period("excluded", "2030-01-01", "2031-01-01", "hospice")])[2] == "adherent"
    pregnant = [*FULL, period("excluded", "2031-03-01", "2031-04-01", "pregnancy")]
    assert why(pregnant)[2] == "adherent"
    assert why(pregnant, measures()["PDC-STA"].also_excluding("pregnancy"))[2] == "excluded"


@pytest.mark.parametrize(
    ("measure", "of", "excluding"),
    [
        ("PDC-DR", "biguanide", "insulin"),
        ("PDC-DR", "A10BA02", "A10AE04"),
        ("PDC-RASA", "ras antagonist", "sacubitril/valsartan"),
        ("PDC-RASA", "C09CA03", "C09DX04"),
    ],
)
def test_one_fill_that_excludes(measure: str, of: str, excluding: str) -> None:
    fills = [fill("2031-01-01", of=of), fill("2031-04-01", 275, of=of)]
    assert why(fills, measure)[2] == "adherent"
    # Its days of supply need not be known.
    row = one([*fills, fill("2031-06-01", None, of=excluding)], measure)
    assert (row["why"], row["exclusion"]) == ("excluded", excluding)
    assert why([*fills, fill("2030-06-01", of=excluding)], measure)[2] == "adherent"


def test_classes_of_others_do_not_count() -> None:
    assert why([fill("2031-01-01", of="C10AB05"), fill("2031-04-01", of="C10BA10")])[2] == "no_fill_in_year"
    assert why([fill("2031-01-01", of="C10AA05"), fill("2031-04-01", 275, of="C10BA02")])[2] == "adherent"
    assert why([*FULL, fill("2031-05-01", None, of="biguanide")])[2] == "adherent"


def test_what_is_not_known_is_not_guessed() -> None:
    assert why([*FULL, fill("2031-05-01", None)]) == (None, None, "days_supply_unknown")
    assert why([*FULL, fill("2030-05-01", None)])[2] == "adherent"
    assert why([*FULL, fill("2031-05-01", -1)])[2] == "days_supply_invalid"


def test_a_combination_is_shifted_for_each_ingredient() -> None:
    combined = [fill("2031-01-01", 30, "lisinopril", "ras antagonist")]
    combined += [fill("2031-01-21", 30, "lisinopril|benazepril", "ras antagonist")]
    combined += [fill("2031-02-15", 30, "benazepril", "ras antagonist")]
    # Lisinopril from 1 January to 1 March; benazepril from 21 January to 19 February, and on to 21 March.
    assert one(combined, "PDC-RASA")["covered_days"] == 31 + 28 + 21


# By hand, in 15 days: a gap after the stay, before it, on both sides.
FIFTEEN = QualityMeasure("short", "Fifteen days", ("statin",), minimum_age=0, minimum_days=0)
PATTERNS = [
    ([(1, 8), (12, 4)], (5, 7), (12, 15), (12, 13)),
    ([(1, 7), (12, 4)], (12, 14), (11, 15), (9, 13)),
    ([(1, 3), (6, 4), (12, 4)], (6, 8), (11, 15), (11, 13)),
]


@pytest.mark.parametrize(("fills", "stay", "plain", "shifted"), PATTERNS)
def test_days_of_a_stay_are_used_after_it(
    fills: list[tuple[int, float]], stay: tuple[int, int], plain: tuple[int, int], shifted: tuple[int, int]
) -> None:
    def day(number: int) -> str:
        return f"2031-01-{number:02}"

    rows = [fill(day(at), days) for at, days in fills]
    rows += [period("stay", day(stay[0]), day(stay[1])), period("died", day(15))]
    for shift_stays, expected in ((False, plain), (True, shifted)):
        row = one(rows, FIFTEEN, shift_stays=shift_stays)
        assert (row["covered_days"], row["treatment_days"] - row["stay_days"]) == expected
        assert row["pdc"] == expected[0] / expected[1]


def test_a_skilled_nursing_stay_counts_as_a_stay_and_overlaps_once() -> None:
    rows = [*FULL, period("stay", "2031-02-01", "2031-02-11"), period("snf", "2031-02-06", "2031-02-21")]
    assert one(rows, shift_stays=True)["stay_days"] == 20
    throughout = [*FULL, period("snf", "2031-01-01")]
    assert why(throughout, shift_stays=True)[2] == "treatment_period_in_stay"


SPANS = st.lists(st.tuples(st.integers(0, 120), st.integers(1, 40)), max_size=4)
FILLS = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 60), st.sampled_from("ab")), min_size=1, max_size=8)


@settings(deadline=None, max_examples=200)
@given(FILLS, SPANS)
def test_beside_a_day_by_day_reference(fills: list[tuple[int, int, str]], stays: list[tuple[int, int]]) -> None:
    start = date(2031, 1, 1)
    away = {day for first, days in stays for day in range(first, first + days)}
    index = min(day for day, _, _ in fills)
    taken = set()
    for name in "ab":
        stock = 0
        for day in range(365):
            stock += sum(days for at, days, ingredient in fills if (at, ingredient) == (day, name))
            if stock and day not in away:
                stock -= 1
                taken.add(day)
    period_days = set(range(index, 365)) - away
    rows = [fill((start + timedelta(day)).isoformat(), days, ingredient) for day, days, ingredient in fills]
    rows += [
        period("stay", (start + timedelta(first)).isoformat(), (start + timedelta(first + days)).isoformat())
        for first, days in stays
    ]
    every = QualityMeasure("every", "Everybody", ("statin",), minimum_age=0, minimum_fill_dates=1, minimum_days=0)
    row = one(rows, every, shift_stays=True)
    assert row["covered_days"] == len(taken & period_days)
    assert row["treatment_days"] - row["stay_days"] == len(period_days)
    assert row["numerator"] == (5 * len(taken) >= 4 * len(period_days))


def test_the_rate_of_a_cohort() -> None:
    cohort = pa.concat_tables(
        [
            table([BORN, *FULL], "a"),
            table([BORN, fill("2031-01-01", 30), fill("2031-03-01", 30)], "b"),
            table([BORN, *FULL, period("excluded", "2031-02-01", None, "esrd")], "c"),
            table([BORN, fill("2031-01-01", None)], "d"),
            table([BORN], "e"),
        ]
    )
    found = summary(quality(cohort.append_column("group", cohort["class"]), "PDC-STA", YEAR))
    assert (found.rate, found.denominator, found.numerator, found.unknown) == (Fraction(1, 2), 2, 1, 1)
    assert found.why == {
        "adherent": 1,
        "too_few_days_covered": 1,
        "excluded": 1,
        "days_supply_unknown": 1,
        "no_fill_in_year": 1,
    }
    assert summary(quality(cohort.slice(0, 0), "PDC-STA", YEAR)).rate is None


def test_what_is_refused() -> None:
    def code(**changed: Any) -> str:
        given: dict[str, Any] = {"events": table(FULL), "measure": "PDC-STA", "year": YEAR} | changed
        with pytest.raises(AdherenceError) as caught:
            quality(given["events"], given["measure"], given["year"])
        return caught.value.code

    assert code(measure="PDC-XYZ") == "measure_unknown"
    assert code(year=1) == "year_invalid"
    assert code(events=table(FULL).drop_columns(["class"])) == "column_missing"
