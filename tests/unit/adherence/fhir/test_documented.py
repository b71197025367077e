"""What docs/adherence-fhir.md says: its code runs, and its numbers are those of the charts."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chartseal.adherence.fhir import FhirEvents, read_events
from chartseal.adherence.fhir.members import day
from chartseal.adherence.fhir.quantities import days

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs/adherence-fhir.md").read_text()
FOLDERS = ("bulk-10", "bulk-derived-10", "synthea-r4", "hl7-r4-examples", "ips")


def test_its_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "adherence-fhir.md", "exec"), {})


def row_of(name: str, found: FhirEvents) -> str:
    """A row of the page's table."""
    told = zip(found.events["kind"].to_pylist(), found.events["days_supply"].to_pylist(), strict=True)
    kinds = Counter(found.events["kind"].to_pylist())
    known = Counter(kind for kind, length in told if length is not None)
    numbers = [kinds["supply"], known["supply"], kinds["prescribed"], known["prescribed"], kinds["not_dispensed"]]
    return " | ".join([f"| {name}", *map(str, numbers), f"{kinds['stay'] + kinds['snf']} |"])


def test_its_numbers_of_our_examples() -> None:
    assert row_of("examples", read_events(sorted((ROOT / "examples").glob("*.json.gz")))) in PAGE


@pytest.mark.parametrize("name", FOLDERS)
def test_its_numbers_of_the_pack(shared: Path, name: str) -> None:
    found = read_events(shared / "data/fhir-pack" / name)
    assert row_of(name, found) in PAGE
    if name == "bulk-10":
        for reason, count in found.counts("reason", "prescribed").items():
            assert re.search(rf"\b{count:,} [^,]*\(`{reason}`\)", PAGE.replace("\n", " "))


def test_every_reason_of_the_pack_is_documented(shared: Path) -> None:
    for name in FOLDERS:
        found = read_events(shared / "data/fhir-pack" / name)
        for reason in {*found.counts("reason", "prescribed"), *found.counts("reason")}:
            assert f"`{reason}`" in PAGE


def durations(value: Any, name: str = "") -> Iterator[Any]:
    """Durations of supply anywhere in a resource."""
    if name in {"daysSupply", "expectedSupplyDuration"}:
        yield value
    inner = (
        value.items() if isinstance(value, dict) else (("", each) for each in value) if isinstance(value, list) else ()
    )
    for key, each in inner:
        yield from durations(each, key)


def test_every_duration_of_the_pack_is_read(shared: Path) -> None:
    with gzip.open(shared / "data/fhir-pack/hl7-r4-examples/examples.ndjson.gz", "rt") as lines:
        found = [each for line in lines for each in durations(json.loads(line, parse_float=Decimal))]
    assert len(found) == 18
    assert Counter(int(days(each, day("2031-01-01"))) for each in found) == {3: 2, 5: 2, 10: 4, 14: 1, 21: 2, 30: 7}
