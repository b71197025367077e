"""Made-up histories: the same for a seed, whole FHIR, and truly what they claim to be."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner

from chartseal import fhir
from chartseal.adherence.generator import BEHAVIOURS, Behaviour, History, Supply, event_table, histories
from chartseal.adherence.generator.formulary import AS_NEEDED, LONG_TERM, RXNORM
from chartseal.cli import cli
from chartseal.errors import AdherenceError

EXAMPLES = Path(__file__).parents[3] / "examples/adherence"


def one(*behaviours: Behaviour, seed: int = 3, claims: bool = True) -> History:
    return next(histories(seed, 1, behaviours=behaviours, claims=claims))


def resources(history: History, kind: str) -> list[dict[str, object]]:
    return [each for each in history.resources if each["resourceType"] == kind]


def lateness(supplies: tuple[Supply, ...]) -> list[int]:
    """Days between a supply's end, with what was left before, and the next one."""
    late, end = [], supplies[0].date
    for before, after in pairwise(supplies):
        assert before.days_supply is not None
        end = max(end, before.date) + timedelta(before.days_supply)
        late.append((after.date - end).days)
    return late


def test_the_committed_sample_is_what_its_command_makes(tmp_path: Path) -> None:
    command = next(line for line in (EXAMPLES / "README.md").read_text().splitlines() if line.startswith("$ chartseal"))
    arguments = command.removeprefix("$ chartseal ").replace("examples/adherence", str(tmp_path)).split()
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    (made,) = tmp_path.iterdir()
    assert made.read_bytes() == (EXAMPLES / made.name).read_bytes()
    assert made.stat().st_size < 60_000


def test_another_process_makes_the_same_patients() -> None:
    code = "import sys; from chartseal.adherence.generator import *; print([h.ndjson() for h in histories(5, 3)])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str([each.ndjson() for each in histories(5, 3)])


def test_patients_do_not_depend_on_how_many_follow() -> None:
    assert list(histories(5, 4))[:2] == list(histories(5, 2))
    assert next(histories(6, 1)) != next(histories(5, 1))


def test_every_resource_is_read_whole() -> None:
    for history in histories(1, 150):
        for data, ndjson in ((history.json(), False), (history.ndjson(), True)):
            found = list(fhir.pieces(io.BytesIO(data), ndjson=ndjson))
            assert [type(each) for each in found] == [fhir.Piece] * len(history.resources)


def test_references_lead_to_resources_of_the_history() -> None:
    for history in histories(2, 60):
        ids = {f"{each['resourceType']}/{each['id']}" for each in history.resources}
        assert len(ids) == len(history.resources)
        assert {event.event for event in history.supplies} <= ids
        assert set(_references(list(history.resources))) <= ids


def _references(value: object) -> list[str]:
    if isinstance(value, list):
        return [found for each in value for found in _references(each)]
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [found for each in value.values() for found in _references(each)]
    return []


def test_supplies_are_the_completed_dispenses() -> None:
    for history in histories(4, 80):
        dispenses = {
            f"MedicationDispense/{each['id']}": each
            for each in resources(history, "MedicationDispense")
            if each["status"] == "completed"
        }
        assert list(dispenses) == [each.event for each in history.supplies]
        for supply in history.supplies:
            dispense = dispenses[supply.event]
            assert str(dispense["whenHandedOver"]).startswith(f"{supply.date}T")
            stated = dispense.get("daysSupply")
            assert (stated["value"] if isinstance(stated, dict) else None) == supply.days_supply


def test_all_behaviours_come_about() -> None:
    seen: Counter[str] = Counter()
    for history in histories(7, 300):
        for behaviours in history.behaviours.values():
            seen.update(behaviours)
    assert sorted(seen) == sorted(BEHAVIOURS)
    assert seen["regular"] == max(seen.values())


@pytest.mark.parametrize("seed", range(20))
def test_behaviours_are_what_they_say(seed: int) -> None:
    regular = lateness(one("regular", seed=seed).supplies)
    assert max(regular) <= 3
    assert max(lateness(one("gaps", seed=seed).supplies)) >= 18
    assert 90 <= max(lateness(one("stop_restart", seed=seed).supplies)) <= 150
    assert min(lateness(one("stockpiling", seed=seed).supplies)) <= -30 < min(regular)
    assert len({each.ingredient for each in one("switch", seed=seed).supplies}) == 2
    assert len({each.ingredient for each in one("gaps", seed=seed).supplies}) == 1
    doses = [each.daily_dose for each in one("dose_change", seed=seed).supplies]
    assert doses[-1] == 2 * doses[0]  # type: ignore[operator]  # no dose of a long-term therapy is unknown
    assert one("never_filled", seed=seed).supplies == ()
    assert resources(one("never_filled", seed=seed), "MedicationRequest")
    assert {each.days_supply for each in one("days_supply_missing", seed=seed).supplies} == {None}
    assert {each.ingredient for each in one("as_needed", seed=seed).supplies} == {"ibuprofen"}


@pytest.mark.parametrize("seed", range(20))
def test_a_reversed_claim_is_cancelled_and_its_supply_is_not_collected(seed: int) -> None:
    history = one("reversal", seed=seed)
    (reversal,) = [each for each in resources(history, "ExplanationOfBenefit") if each["status"] == "cancelled"]
    related = reversal["related"][0]  # type: ignore[index]  # a list, by the resource
    (taken_back,) = [
        each for each in resources(history, "ExplanationOfBenefit") if each["identifier"] == [related["reference"]]
    ]
    assert (taken_back["status"], taken_back["item"]) == ("active", reversal["item"])
    (left,) = [each for each in resources(history, "MedicationDispense") if each["status"] == "cancelled"]
    assert "whenHandedOver" not in left
    assert len(resources(history, "MedicationDispense")) == len(history.supplies) + 1
    assert all(each["status"] == "active" for each in resources(one("gaps"), "ExplanationOfBenefit"))


@pytest.mark.parametrize("seed", range(20))
def test_nobody_collects_while_in_hospital(seed: int) -> None:
    history = one("regular", "hospital_stay", seed=seed)
    (stay,) = resources(history, "Encounter")
    period = stay["period"]
    assert isinstance(period, dict)
    start, end = period["start"][:10], period["end"][:10]
    assert not [each for each in history.supplies if start <= f"{each.date}" < end]
    assert history.behaviours == {"statins": ("hospital_stay", "regular")}
    assert resources(one("regular", seed=seed), "Encounter") == []


def test_claims_are_there_when_asked_for() -> None:
    assert len(resources(one("gaps"), "ExplanationOfBenefit")) == len(one("gaps").supplies)
    assert resources(one("gaps", claims=False), "ExplanationOfBenefit") == []


def test_the_class_table_covers_what_is_generated_without_contradiction() -> None:
    rows = list(csv.DictReader((EXAMPLES / "classes.csv").open()))
    assert len({(row["system"], row["code"]) for row in rows}) == len(rows)
    known = {row["code"]: (row["class"], row["ingredient"]) for row in rows if row["system"] == RXNORM}
    products = [product for ingredients in LONG_TERM.values() for pair in ingredients for product in pair]
    for product in [*products, AS_NEEDED]:
        assert known[product.rxnorm] == (product.medication_class, product.ingredient)


@pytest.mark.parametrize(("patients", "days"), [(-1, 365), (1_000_001, 365), (1, 29), (1, 3_661)])
def test_limits_are_refused(patients: int, days: int) -> None:
    with pytest.raises(AdherenceError) as refused:
        histories(1, patients, days=days)
    assert refused.value.code == "limit_exceeded"
    assert list(histories(1, 0, days=30)) == []


def test_settings_that_make_no_history_are_refused() -> None:
    for bad in ({"start": date(1899, 12, 31)}, {"start": date(9990, 1, 1)}, {"behaviours": ("honest",)}):
        with pytest.raises(AdherenceError) as refused:
            histories(1, 1, **bad)
        assert refused.value.code == "settings_invalid"


def test_events_as_columns_are_whole_patients_in_order() -> None:
    events = event_table(7, 500, 12)
    assert events.num_rows == 6_000
    assert events["patient"].to_pylist() == [row // 12 for row in range(6_000)]
    assert events.schema.names == ["patient", "date", "days_supply", "daily_dose", "class", "ingredient"]
    assert events.schema.field("date").type == pa.date32()
    assert pc.min(events["date"]).as_py() >= date(2025, 1, 1)
    assert pc.count_distinct(events["ingredient"]).as_py() == 6
    assert pc.all(pc.equal(events["days_supply"], 30.0)).as_py()


def test_events_as_columns_are_the_same_for_a_seed() -> None:
    events = event_table(7, 40, 12)
    assert events.slice(0, 240) == event_table(7, 20, 12)
    assert events != event_table(8, 40, 12)
    first = events.slice(0, 3).to_pylist()
    assert [(f"{row['date']}", row["ingredient"]) for row in first] == FIRST_OF_SEED_7


FIRST_OF_SEED_7 = [("2025-01-23", "atorvastatin"), ("2025-02-21", "atorvastatin"), ("2025-03-26", "atorvastatin")]


def test_events_as_columns_have_limits() -> None:
    assert event_table(7, 0, 12).num_rows == event_table(7, 12, 0).num_rows == 0
    for seed, patients, events in ((-1, 1, 1), (1 << 32, 1, 1), (1, -1, 1), (1, 1, 10_001), (1, 10**9, 12)):
        with pytest.raises(AdherenceError) as refused:
            event_table(seed, patients, events)
        assert refused.value.code == "limit_exceeded"


def test_the_command_writes_lines_and_the_truth(tmp_path: Path) -> None:
    output, truth = tmp_path / "made.ndjson", tmp_path / "truth.json"
    arguments = ["adherence", "generate", "--seed", "7", "--patients", "3", "-o", str(output), "--truth", str(truth)]
    ran = CliRunner().invoke(cli, [*arguments, "--json"])
    assert ran.exit_code == 0
    said = json.loads(ran.output)
    assert output.read_bytes() == b"".join(each.ndjson() for each in histories(7, 3))
    assert (said["patients"], sum(said["resources"].values())) == (3, len(output.read_bytes().splitlines()))
    assert json.loads(truth.read_text())["made-up-7-1"] == {
        name: list(each) for name, each in next(histories(7, 1)).behaviours.items()
    }
    told = CliRunner().invoke(cli, [*arguments[:-2]]).output
    assert told.startswith("3 patients: ")


def test_the_command_says_what_cannot_be_written(tmp_path: Path) -> None:
    missing = tmp_path / "missing/made.ndjson"
    ran = CliRunner().invoke(cli, ["adherence", "generate", "--seed", "7", "-o", str(missing)])
    assert isinstance(ran.exception, AdherenceError)
    assert ran.exception.code == "file_unwritable"
