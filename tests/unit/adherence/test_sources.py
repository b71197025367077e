"""Tables of events from files, databases and FHIR; what they are is told by content."""

from __future__ import annotations

import gzip
import json
import sqlite3
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from chartseal.adherence import Columns, mpr
from chartseal.adherence.sources import is_fhir, kind_of, read_table
from chartseal.adherence.tables import batches
from chartseal.errors import AdherenceError
from tests.supplies import dispense

ROWS = pa.table(
    {
        "patient": ["007", "007", "8"],
        "date": [date(2031, 1, 1), date(2031, 2, 1), date(2031, 1, 5)],
        "days_supply": [30.0, 28.0, 60.0],
    }
)
EXPECTED = mpr(ROWS).to_pylist()


def refusal(place: str | Path, **options: Any) -> str:
    with pytest.raises(AdherenceError) as refused:
        mpr(read_table(place, **options))
    assert "secret" not in str(refused.value)
    return refused.value.code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One table in every form, each under a name that says nothing."""
    relation = duckdb.from_arrow(ROWS)
    (tmp_path / "parts" / "a").mkdir(parents=True)
    relation.write_parquet(str(tmp_path / "parquet"))
    relation.write_parquet(str(tmp_path / "parts" / "a" / "0.parquet"))
    relation.write_csv(str(tmp_path / "csv"))
    lines = [json.dumps(row, default=str) for row in ROWS.to_pylist()]
    (tmp_path / "lines").write_text("\n".join(lines))
    (tmp_path / "list [1]*").write_text("[" + ",".join(lines) + "]")
    for name in ("csv", "lines"):
        (tmp_path / f"{name}.packed").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    return tmp_path


@pytest.mark.parametrize("name", ["parquet", "parts", "csv", "csv.packed", "lines", "lines.packed", "list [1]*"])
def test_a_table_in_every_form(folder: Path, name: str) -> None:
    assert mpr(read_table(folder / name)).to_pylist() == EXPECTED
    assert not is_fhir(folder / name)


@pytest.mark.parametrize("scheme", ["sqlite", "duckdb"])
def test_a_table_of_a_database(tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "events.db"
    rows = [(row["patient"], str(row["date"]), row["days_supply"]) for row in ROWS.to_pylist()]
    connection: Any = sqlite3.connect(path) if scheme == "sqlite" else duckdb.connect(str(path))
    connection.execute('CREATE TABLE "my events" (patient TEXT, date TEXT, days_supply REAL)')
    connection.executemany('INSERT INTO "my events" VALUES (?, ?, ?)', rows)
    connection.commit()
    connection.close()
    assert mpr(read_table(f"{scheme}:///{path}#my events")).to_pylist() == EXPECTED
    assert refusal(f"{scheme}:///{path}#others") == "table_missing"
    assert refusal(f"{scheme}:///{path}") == "table_missing"
    assert refusal(f"{scheme}:///{tmp_path / 'none.db'}#events") == "source_missing"
    assert refusal(path) == "source_unknown"


def test_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("patient,date\n")
    assert refusal(f"sqlite:///{tmp_path / 'text'}#events") == "source_unreadable"
    assert refusal(f"duckdb:///{tmp_path / 'text'}#events") == "source_unreadable"
    assert refusal("postgresql://user:secret@127.0.0.1:1/none#events") == "source_unreadable"


def test_dates_are_never_guessed(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("patient,date,days_supply\n1,04/05/2031,30\n")

    def day(date_format: str) -> date | None:
        (batch,) = batches(read_table(path, date_format=date_format))
        found: date | None = batch.column("date")[0].as_py()
        return found

    assert day("%Y-%m-%d") is None
    assert (day("%d/%m/%Y"), day("%m/%d/%Y")) == (date(2031, 5, 4), date(2031, 4, 5))


def test_ids_and_classes_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("PATIENT_ID,DATE,CATEGORY\n007,2031-01-01,01\n")
    columns = Columns(patient="PATIENT_ID", date="DATE", medication_class="CATEGORY")
    (batch,) = batches(read_table(path, columns=columns), columns)
    assert batch.to_pylist() == [{"patient": "007", "date": date(2031, 1, 1), "class": "01"}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(dispense()),
        json.dumps(dispense()) + "\n" + json.dumps(dispense(id="d2")),
        "\n  " + json.dumps({"id": "d1", **dispense()}, indent=1),
        json.dumps({"entry": [{"resource": dispense()}], "type": "collection", "resourceType": "Bundle"}),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_fhir_is_told_by_its_content(tmp_path: Path, text: str, packed: bool) -> None:
    path = tmp_path / "chart"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert kind_of(path) == "fhir"
    assert "MedicationDispense/d1" in read_table(path)["event"].to_pylist()


def test_a_folder_of_charts(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert refusal(tmp_path) == "source_empty"
    (tmp_path / "one.json").write_text(json.dumps(dispense()))
    assert read_table(tmp_path).num_rows == 1


def test_what_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert refusal(path) == "source_missing"
    assert refusal("https://example.org/events.csv") == "source_missing"
    path.write_bytes(b" \n")
    assert refusal(path) == "source_empty"
    path.write_bytes(b"\x1f\x8b\x08\x00broken")
    assert refusal(path) == "source_unreadable"
    path.write_bytes(b"PAR1 broken")
    assert refusal(path) == "source_unreadable"
    path.write_bytes(b"\x00\x01\x02")
    assert refusal(path) == "source_unknown"
    path.write_bytes(b'{"patient": 1}\n{"patient": ')
    assert refusal(path) == "source_unreadable"
    path.write_bytes(b"one column\n1\n")
    assert refusal(path) == "column_missing"


@pytest.mark.parametrize("name", ["rows.csv", "rows.json"])
def test_one_date_that_is_none_ends_no_others(tmp_path: Path, name: str) -> None:
    listed = [{"patient": "1", "date": "04/05/2031"}, {"patient": "2", "date": "13/05/2031"}]
    csv = "patient,date\n" + "".join(f"{row['patient']},{row['date']}\n" for row in listed)
    (tmp_path / name).write_text(csv if name.endswith("csv") else json.dumps(listed))
    (batch,) = batches(read_table(tmp_path / name, date_format="%m/%d/%Y"))
    assert batch["date"].to_pylist() == [date(2031, 4, 5), None]


def test_dates_of_digits_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("patient,date\n1,04052031\n")
    (batch,) = batches(read_table(path, date_format="%m%d%Y"))
    assert batch["date"].to_pylist() == [date(2031, 4, 5)]


def test_a_heading_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("patient,date,days_supply,days_supply\n1,2031-01-01,30,60\n")
    with pytest.raises(AdherenceError) as caught:
        read_table(path)
    assert caught.value.code == "column_twice"
