"""AdhereR's parameter sets and results."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.vectors.adherer.arguments import Arguments, Input

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Case:
    """One parameter set, and the files of its results."""

    name: str
    function: str
    args: Mapping[str, Any]
    input: Path
    outputs: Mapping[str, Path]

    def arguments(self) -> Arguments:
        return Arguments(self.args, Input.read(self.input))

    @property
    def patient(self) -> str:
        """What the patients' column is called."""
        return str(self.args["ID.colname"])

    def rows(self, output: str) -> list[dict[str, str]]:
        """The rows; with medication groups (flattened) the patient is the one of that group."""
        with self.outputs[output].open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        group = str(self.args.get("medication.groups.colname", ".MED_GROUP_ID"))
        return [{**row, self.patient: of_group(row[self.patient], row.pop(group, None))} for row in rows]


def ours_of_groups(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of ours, the patient the one of their group."""
    return [{**row, "patient": of_group(row["patient"], row.get("group"))} for row in table.to_pylist()]


def cases(folder: Path, functions: Sequence[str]) -> Iterator[Case]:
    """The parameter sets of some functions in a folder of vectors."""
    parameters = json.loads((folder / "params.json").read_text(encoding="utf-8"))
    for each in parameters["sets"]:
        if each["function"] in functions:
            outputs = {name: folder / output["file"] for name, output in dict(each["outputs"]).items()}
            yield Case(each["id"], each["function"], each["args"], folder / each["input"], outputs)


def of_group(name: str, group: str | None) -> str:
    """A patient (or event) in a medication group, as one key; the name alone where there are no groups."""
    return f"{name}/{group}" if group else name


def number(text: str) -> float | None:
    """A number, None where R has NA or NaN; Inf stays."""
    return None if text in {"NA", "NaN", ""} else float(text)


def same_number(ours: float | None, text: str) -> bool:
    """Equal to 1e-9, or both missing."""
    theirs = number(text)
    if ours is None or theirs is None:
        return ours is None and theirs is None
    return ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


def same_date(ours: date | None, text: str) -> bool:
    """The same day, or both missing; R prints some dates as days since 1970."""
    if ours is None or text in {"NA", ""}:
        return ours is None and text in {"NA", ""}
    return ours == (date.fromisoformat(text) if "-" in text[1:] else EPOCH + timedelta(days=int(float(text))))


def same_flag(ours: bool, text: str) -> bool:
    """R's logical."""
    return ours == {"TRUE": True, "FALSE": False}[text]
