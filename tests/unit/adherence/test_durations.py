"""Event durations, each behaviour worked by hand from its description."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from chartseal.adherence.durations import DurationRules, durations
from chartseal.adherence.pdc import pdc
from chartseal.adherence.remainders import supplies
from chartseal.adherence.windows import Window
from chartseal.errors import AdherenceError
from tests.medication_events import day, number, period, prescribed, supply, table


def parts(rules: DurationRules | None, *rows: dict[str, Any]) -> list[tuple[int | None, float | None]]:
    """Start and days of each part."""
    return [(number(row["date"]), row["days_supply"]) for row in durations(table(rows), rules).to_pylist()]


def reasons(*rows: dict[str, Any], rules: DurationRules | None = None) -> list[str | None]:
    found: list[str | None] = durations(table(rows), rules)["reason"].to_pylist()
    return found


def test_days_are_quantity_by_daily_dose() -> None:
    assert parts(None, prescribed(0, 2), supply(0, 60), supply(10, 5)) == [(0, 30), (10, 2.5)]


def test_a_quotient_that_misses_a_whole_day_by_rounding_is_whole() -> None:
    assert 0.3 / 0.1 < 3
    assert parts(None, prescribed(0, 0.1), supply(0, 0.3)) == [(0, 3)]


def test_a_new_dose_cuts_supply_and_holds_for_what_is_left() -> None:
    rows = (prescribed(0, 2), prescribed(20, 4, event="second"), supply(0, 100, event="dispensed"))
    assert parts(None, *rows) == [(0, 20), (20, 15)]  # 100 - 20 * 2 = 60; 60 / 4 = 15
    [first, second] = durations(table(rows)).to_pylist()
    assert (first["ended"], first["leftover"], second["quantity"]) == ("dose_change", 60, 60)
    assert (second["begun"], second["ended"], second["leftover"]) == ("dose_change", "used_up", 0)
    assert (second["event"], second["prescription"]) == ("dispensed", "second")
    assert (number(first["episode_end"]), second["episode_end"]) == (20, None)


def test_without_splitting_supply_is_finished_at_its_first_dose() -> None:
    rules = DurationRules(split_on_dose_change=False)
    assert parts(rules, prescribed(0, 2), prescribed(20, 4), supply(0, 100), supply(30, 100)) == [(0, 50), (30, 25)]


def test_a_renewal_at_the_same_dose_cuts_nothing() -> None:
    assert parts(None, prescribed(0, 2, 20), prescribed(20, 2, 60), supply(0, 100)) == [(0, 50)]


INTERRUPTED = (prescribed(0, 1, 10), prescribed(20, 1), supply(0, 30))


def test_supply_is_taken_through_an_interruption() -> None:
    [row] = durations(table(INTERRUPTED), DurationRules(interruption="continue")).to_pylist()
    assert (row["days_supply"], row["special_days"]) == (30, 10)


def test_supply_is_discarded_where_treatment_is_interrupted() -> None:
    [row] = durations(table(INTERRUPTED), DurationRules(interruption="discard")).to_pylist()
    assert (row["days_supply"], row["leftover"], row["ended"]) == (10, 20, "interruption")


def test_supply_waits_until_treatment_goes_on() -> None:
    [first, second] = durations(table(INTERRUPTED), DurationRules(interruption="carryover")).to_pylist()
    assert (first["days_supply"], number(second["date"]), second["days_supply"]) == (10, 20, 20)
    assert (second["begun"], second["waited_days"]) == ("interruption", 10)


def test_supply_waits_no_longer_than_said() -> None:
    assert parts(DurationRules("carryover", wait_days=10), *INTERRUPTED) == [(0, 10), (20, 20)]
    assert parts(DurationRules("carryover", wait_days=9), *INTERRUPTED) == [(0, 10)]


def test_supply_dispensed_in_an_interruption() -> None:
    rows = (prescribed(0, 2, 10), prescribed(20, 4), supply(15, 40))
    assert parts(DurationRules("continue"), *rows) == [(15, 5), (20, 7.5)]
    assert parts(DurationRules("discard"), *rows) == [(15, 0)]
    assert parts(DurationRules("carryover"), *rows) == [(20, 10)]
    assert reasons(*rows, rules=DurationRules("discard")) == ["discarded"]


def test_supply_after_the_last_prescription_never_begins() -> None:
    rows = (prescribed(0, 2, 10), supply(15, 40))
    assert parts(DurationRules("carryover"), *rows) == [(15, 0)]
    assert reasons(*rows, rules=DurationRules("carryover")) == ["not_resumed"]


STAY = (prescribed(0, 1), supply(0, 30), period("stay", 10, 15))


def test_special_periods_by_method() -> None:
    assert parts(None, *STAY) == [(0, 30)]
    assert parts(DurationRules(special={"stay": "continue"}), *STAY) == [(0, 30)]
    assert parts(DurationRules(special={"stay": "discard"}), *STAY) == [(0, 10)]
    assert parts(DurationRules(special={"stay": "carryover"}), *STAY) == [(0, 10), (15, 20)]
    [row] = durations(table(STAY), DurationRules(special={"stay": "continue"})).to_pylist()
    assert row["special_days"] == 5


def test_a_period_of_another_kind_has_no_effect() -> None:
    assert parts(DurationRules(special={"snf": "discard"}), *STAY) == [(0, 30)]


def test_a_stay_without_an_end_keeps_supply_for_good() -> None:
    rows = (prescribed(0, 1), supply(0, 30), period("stay", 10, None))
    assert parts(DurationRules(special={"stay": "carryover"}), *rows) == [(0, 10)]


def test_of_overlapping_special_periods_the_last_begun_holds() -> None:
    """The scenario of the manual: 60 tablets from 1 January 2000 (day 0), four periods; here by days."""
    periods = (
        period("hospital", 14, 50),
        period("rehab", 24, 35),
        period("holiday", 60, 74),
        period("day care", 64, 69),
    )
    rules = DurationRules(
        special={"hospital": "carryover", "rehab": "continue", "holiday": "continue", "day care": "carryover"}
    )
    # Days 0-13, 24-34, 50-63 make 39; 21 are left from day 69.
    assert parts(rules, prescribed(0, 1), supply(0, 60), *periods) == [(0, 14), (24, 11), (50, 14), (69, 21)]


def test_an_interruption_prevails_over_special_periods() -> None:
    rows = (prescribed(0, 1, 10), prescribed(20, 1), supply(0, 30), period("stay", 5, 15))
    rules = DurationRules("carryover", special={"stay": "continue"})
    assert parts(rules, *rows) == [(0, 10), (20, 20)]


def test_a_prescription_not_renewed_ends_at_the_next_visit() -> None:
    rows = (prescribed(0, 1), prescribed(10, 5, of="B"), prescribed(20, 1), supply(0, 30))
    assert parts(DurationRules("carryover"), *rows) == [(0, 30)]
    assert parts(DurationRules("carryover", renew=True), *rows) == [(0, 10), (20, 20)]


def test_a_first_prescription_counts_from_an_earlier_supply() -> None:
    rows = (supply(0, 30), prescribed(10, 1))
    assert reasons(*rows) == ["prescribed_later"]
    assert parts(DurationRules(backdate=True), *rows) == [(0, 30)]
    assert parts(DurationRules(backdate=True, wait_days=10), *rows) == [(0, 30)]
    assert reasons(*rows, rules=DurationRules(backdate=True, wait_days=9)) == ["prescribed_later"]


def test_a_prescription_for_fixed_days_is_not_backdated() -> None:
    rows = (supply(0, 30), prescribed(10, 1, prescribed_days=30))
    assert reasons(*rows, rules=DurationRules(backdate=True)) == ["prescribed_later"]


def test_days_of_a_prescription_are_its_end() -> None:
    rows = (prescribed(0, 1, prescribed_days=10), supply(0, 30))
    assert parts(DurationRules("discard"), *rows) == [(0, 10)]


def test_supplies_one_after_another() -> None:
    rows = (prescribed(0, 1), supply(0, 30), supply(20, 30), period("stay", 40, 45))
    assert parts(DurationRules(special={"stay": "carryover"}, carry_over=True), *rows) == [(0, 30), (30, 10), (45, 20)]


def test_nothing_is_guessed() -> None:
    assert reasons(supply(0, 30)) == ["no_prescription"]
    assert reasons(supply(0, 30), prescribed(0, 1, of="B")) == ["no_prescription"]
    assert reasons(supply(0, None), prescribed(0, 1)) == ["quantity_unknown"]
    assert reasons(supply(0, -1), prescribed(0, 1)) == ["quantity_invalid"]
    assert reasons(supply(None, 30), prescribed(0, 1)) == ["date_unknown"]
    assert reasons(supply(0, 30), prescribed(None, 1)) == ["prescription_date_unknown"]
    assert reasons(supply(0, 30), prescribed(5, 1, 5)) == ["prescription_invalid"]
    assert reasons(supply(0, 30), prescribed(0, None)) == ["daily_dose_unknown"]
    assert reasons(supply(0, 30), prescribed(0, 0)) == ["daily_dose_invalid"]
    assert reasons(supply(0, 30), prescribed(0, 1), prescribed(0, 2)) == ["prescriptions_contradict"]
    assert reasons(supply(0, 3660), prescribed(0, 1)) == [None]
    assert reasons(supply(0, 3661), prescribed(0, 1)) == ["days_supply_invalid"]
    assert reasons(supply(0, 30, patient=None), prescribed(0, 1, patient=None)) == ["patient_unknown"]


def test_a_dose_that_becomes_unknown_leaves_the_rest_unknown() -> None:
    rows = (prescribed(0, 1), prescribed(10, None), supply(0, 30))
    assert parts(None, *rows) == [(0, 10), (10, None)]
    assert reasons(*rows) == [None, "daily_dose_unknown"]


def test_a_supply_in_very_many_parts_is_refused() -> None:
    stays = [period("stay", 2 * at + 1, 2 * at + 2) for at in range(1_100)]
    found = durations(table([prescribed(0, 1), supply(0, 3_000), *stays]), DurationRules(special={"stay": "carryover"}))
    assert found.num_rows == 1_001
    assert found["reason"].to_pylist()[-1] == "too_many_parts"


def test_what_is_measured_of_a_supply_of_unknown_length_says_so() -> None:
    window = Window.between(day(0), day(29))
    known = durations(table([prescribed(0, 1), supply(0, 15)]))
    assert pdc(supplies(known), window)["pdc"].to_pylist() == [0.5]
    unknown = durations(table([prescribed(0, 1), supply(0, 15), supply(15, None)]))
    assert pdc(supplies(unknown), window)["reason"].to_pylist() == ["days_supply_unknown"]


def test_no_events_are_no_parts() -> None:
    found = durations(table([]))
    assert found.num_rows == 0
    assert {"patient", "date", "days_supply", "reason"} <= set(found.column_names)


@pytest.mark.parametrize(
    "refused", [{"interruption": "stop"}, {"special": {"prescribed": "discard"}}, {"wait_days": -1}]
)
def test_what_cannot_be_settings_is_refused(refused: dict[str, Any]) -> None:
    with pytest.raises(AdherenceError) as caught:
        DurationRules(**refused)
    assert caught.value.code == "settings_invalid"


def test_events_need_quantities() -> None:
    with pytest.raises(AdherenceError) as caught:
        durations(table([supply(0, 1)]).drop_columns(["quantity"]))
    assert caught.value.code == "column_missing"


def test_quantities_are_numbers() -> None:
    rows = table([supply(0, 1)])
    place = rows.schema.get_field_index("quantity")
    with pytest.raises(AdherenceError) as caught:
        durations(rows.set_column(place, "quantity", pa.array(["30 tablets"])))
    assert caught.value.code == "column_type"
