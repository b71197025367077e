"""Tables of classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartseal.adherence.fhir import ClassTable, classes
from chartseal.adherence.fhir.classes import ATC, NDC
from chartseal.adherence.fhir.medications import Coding, Medication
from chartseal.errors import AdherenceError

HEAD = "system,code,class,ingredient\n"


def found(table: str, system: str, *codes: str) -> list[tuple[str, str | None]]:
    lines = [line.split(",") for line in table.split()]
    names = ("system", "code", "class", "ingredient")
    rows = [dict(zip(names, line, strict=False)) for line in lines]
    return list(ClassTable.of(rows).find(Medication(tuple(Coding(system, code) for code in codes))))


def test_atc_stands_for_all_below_it() -> None:
    table = "atc,C09,ras, atc,C09AA,ace, http://www.whocc.no/atc,C09AA02,enalapril_class,enalapril"
    table = table.replace(", ", ",\n")
    assert found(table, ATC, "C09AA02") == [("enalapril_class", "enalapril")]
    assert found(table, ATC, "C09AA03") == [("ace", None)]
    assert found(table, ATC, "C09CA01") == [("ras", None)]
    assert found(table, ATC, "C08CA01") == []
    assert found(table, "urn:example", "C09AA02") == []


def test_an_exact_code_comes_before_a_level_of_another() -> None:
    assert found("atc,C09,ras\nrxnorm,1,other", ATC, "C09AA02") == [("ras", None)]
    medication = Medication((Coding(ATC, "C09AA02"), Coding("http://www.nlm.nih.gov/research/umls/rxnorm", "1")))
    table = ClassTable.of(
        [{"system": "atc", "code": "C09", "class": "ras"}, {"system": "rxnorm", "code": "1", "class": "other"}]
    )
    assert table.find(medication) == (("other", None),)


@pytest.mark.parametrize("code", ["0777-3105-02", "00777-3105-02", "00777310502"])
def test_ndcs_are_compared_as_eleven_digits(code: str) -> None:
    assert found("ndc,0777-3105-02,ssri,fluoxetine", NDC, code) == [("ssri", "fluoxetine")]
    assert found("ndc,0777-3105-02,ssri,fluoxetine", NDC, "0777310502") == []  # which part is short is not told


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "classes.csv"
    path.write_text("\ufeff" + HEAD + "rxnorm,1,statins,a\nrxnorm,1,statins,a\nrxnorm,1,statins,b\n")
    (means,) = ClassTable.read(path).rows.values()
    assert means == (("statins", "a"), ("statins", "b"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("system,code\nrxnorm,1\n", "classes_malformed"),
        (HEAD + "rxnorm,,statins,\n", "classes_malformed"),
        (HEAD + "rxnorm\n", "classes_malformed"),
        (HEAD + "rxnorm,1,\x00\xff,\n", None),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, code: str | None) -> None:
    path = tmp_path / "classes.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(AdherenceError) as refused:
        ClassTable.read(path)
    assert refused.value.code == (code or "classes_unreadable")


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AdherenceError) as refused:
        ClassTable.read(tmp_path / "none.csv")
    assert refused.value.code == "classes_unreadable"
    path = tmp_path / "classes.csv"
    path.write_text(HEAD)
    monkeypatch.setattr(classes, "_LARGEST", 3)
    with pytest.raises(AdherenceError) as refused:
        ClassTable.read(path)
    assert refused.value.code == "classes_too_large"
