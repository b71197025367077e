"""The table of errors: every class of the tree has a status, and none of our own faults tells more than its code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chartseal import errors
from chartseal.errors import ChartsealError, CoreError, FhirError, LimitError, ServiceError, VaultError
from chartseal.node import problems

SOURCES = Path(problems.__file__).parents[1]
PLACE = "/srv/hospital/vault.db"


def classes(base: type[ChartsealError] = ChartsealError) -> Iterator[type[ChartsealError]]:
    for each in base.__subclasses__():
        yield each
        yield from classes(each)


def plain(kind: type[ChartsealError]) -> ChartsealError:
    """An error of the class, whatever its own arguments are, as if it named a place of this machine."""
    error = kind.__new__(kind)
    CoreError.__init__(error, PLACE, None, PLACE) if isinstance(error, CoreError) else Exception.__init__(error, PLACE)
    return error


@pytest.mark.parametrize("kind", sorted(set(classes()), key=str))
@pytest.mark.parametrize("path", ["/fhir/Patient/1", "/import"])
def test_every_error_has_an_answer(kind: type[ChartsealError], path: str) -> None:
    error = plain(kind)
    status = problems.status_of(error)
    assert 400 <= status < 600
    answer = problems.answer({"type": "http", "path": path}, error, "id-1")
    told = bytes(answer.body).decode()
    assert answer.status_code == status
    assert f'"{error.code}"' in told
    assert "id-1" in told
    if status >= 500:
        assert "/srv" not in told


def test_the_status_of_a_code_stands_over_that_of_a_class() -> None:
    assert problems.status_of(VaultError("", "vault_busy")) == 503
    assert problems.status_of(VaultError("", "anything_else")) == 500
    assert problems.status_of(LimitError("", "json_too_deep")) == 413
    assert problems.status_of(FhirError("")) == 422
    assert problems.status_of(ServiceError("")) == 400


def test_each_code_of_the_table_is_raised_somewhere() -> None:
    spelled = "".join(path.read_text() for path in SOURCES.rglob("*.py") if path.name != "problems.py")
    made = {f"{name}_{word}" for name in ("vault", "queue") for word in ("busy", "unavailable")}
    missing = [code for code in problems._BY_CODE if f'"{code}"' not in spelled and code not in made]
    assert missing == []


def test_an_outcome_has_codes_of_fhir() -> None:
    codes = "structure login forbidden not-found not-supported timeout conflict deleted too-long processing throttled"
    known = {*codes.split(), "transient", "no-store", "exception", "informational"}
    assert set(problems._ISSUES.values()) <= known
    answer: Any = json.loads(bytes(problems.unexpected({"type": "http", "path": "/fhir"}, "id-1").body))
    assert answer["issue"][0]["code"] == "exception"
    assert re.fullmatch(r"[A-Za-z0-9.-]{1,64}", answer["id"])


def test_only_the_fhir_api_answers_with_outcomes() -> None:
    paths = {"/fhir": True, "/fhir/Patient": True, "/fhirs": False, "/import": False, "/": False}
    for path, is_fhir in paths.items():
        assert problems.is_fhir({"type": "http", "path": path}) is is_fhir
    assert errors.ServiceError.code == "request_malformed"
