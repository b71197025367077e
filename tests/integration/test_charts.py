"""Whole charts: every resource sealed, checked as its holder would, and rebuilt lexeme for lexeme.

The charts are those of examples/ and, when CHARTSEAL_CHARTS names a folder, all of that folder.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.fhir import Piece, pieces
from chartseal.keys import IssuerKey, Wallet
from chartseal.sealing import SealedRecord, seal_chart

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def charts() -> list[Path]:
    folders = [EXAMPLES, *(Path(folder) for folder in [os.environ.get("CHARTSEAL_CHARTS")] if folder)]
    return [file for folder in folders for file in sorted(folder.iterdir()) if ".json" in file.suffixes]


class Lexeme(str):
    """A number as it is written: never equal to a string."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lexeme) and str(self) == str(other)

    __hash__ = str.__hash__


def tree(text: bytes | str) -> Any:
    """JSON in which members may stand in any order, and numbers are what they were written as."""
    return json.loads(text, parse_int=Lexeme, parse_float=Lexeme)


def rebuilt(record: SealedRecord) -> Any:
    fields = [
        (each.name, each.abi_type, each.value) for each in record.fields if not each.name.startswith("chartseal.")
    ]
    text, unopened = _core.rebuild(record.resource_type, fields, list(record.detached))
    assert not unopened
    return tree(text)


def test_numbers_keep_their_lexemes() -> None:
    assert tree('{"a": 1.0, "b": 2}') == tree('{"b": 2, "a": 1.0}')
    assert tree('{"a": 1.0}') != tree('{"a": 1.00}')
    assert tree('{"a": 1}') != tree('{"a": "1"}')


@pytest.mark.long
@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_a_chart_is_sealed_and_rebuilt(chart: Path) -> None:
    wallet = Wallet.generate()
    with chart.open("rb") as stream:
        resources = list(pieces(stream, ndjson=False))
    sealing = seal_chart(
        chart, IssuerKey.generate(base="https://provider.example/fhir/").issuing(), wallet.sealing_address().data
    )
    assert not sealing.refused
    for resource, record in zip(resources, sealing.records, strict=True):
        assert isinstance(resource, Piece)
        record.check()
        assert wallet.is_mine(record.enc, record.subject)
        assert rebuilt(record) == tree(resource.text), resource.place
