"""The second opinion, and the machine that lacks it."""

from __future__ import annotations

import sys

import pytest

from chartseal.errors import FhirError, MissingExtraError
from chartseal.fhir import validation


def test_a_good_resource_passes() -> None:
    validation.validate(b'{"resourceType":"Patient","birthDate":"1970-01","name":[{"given":["Ada"]}]}')


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        (b'{"resourceType":"Patient","birthDate":"secret"}', "validation_refused", "Patient.birthDate"),
        (b'{"resourceType":"Patient","name":[{"given":["a",1]}]}', "validation_refused", "Patient.name[0].given[1]"),
        (b'{"resourceType":"Patient","secret":1}', "validation_refused", "Patient"),
        (b'{"resourceType":"secret"}', "validation_refused", "resourceType"),
        (b"[]", "validation_refused", "resourceType"),
        (b'{"secret"', "json_malformed", ""),
        (b"[" * 100_000, "json_malformed", ""),
    ],
)
def test_a_refusal_names_places_and_no_values(text: bytes, code: str, path: str) -> None:
    with pytest.raises(FhirError) as refused:
        validation.validate(text)
    assert (refused.value.code, refused.value.path) == (code, path)
    assert "secret" not in str(refused.value)


def test_many_places_are_counted() -> None:
    names = ",".join('{"given":[1]}' for _ in range(8))
    with pytest.raises(FhirError, match="and 3 more"):
        validation.validate(b'{"resourceType":"Patient","name":[%s]}' % names.encode())


def test_a_machine_without_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    validation._library.cache_clear()
    monkeypatch.setitem(sys.modules, "fhir.resources.R4B", None)
    with pytest.raises(MissingExtraError, match="validate"):
        validation.validate(b'{"resourceType":"Patient"}')
    validation._library.cache_clear()
