"""Whatever bytes come in, reading answers or refuses with an error of ours, and what is read comes back whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartseal.errors import FhirError, FieldEncodingError, LimitError, RecordError
from chartseal.record import Field, read_fields, rebuild

SEEDS: list[dict[str, Any]] = [
    {
        "resourceType": "Observation",
        "status": "final",
        "contained": [{"resourceType": "Patient", "id": "p", "birthDate": "2000", "_birthDate": {"id": "b"}}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
        "subject": {"reference": "#p"},
        "valueQuantity": {"value": 6.1, "unit": "%"},
        "component": [{"code": {"text": "x"}, "valueInteger": -3}],
    },
    {
        "resourceType": "Patient",
        "active": True,
        "name": [{"given": ["A", None], "_given": [None, {"extension": [{"url": "u", "valueBase64Binary": "AAAA"}]}]}],
        "photo": [{"data": "AAAA" * 300}],
    },
]
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20))
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
)


def reads(text: bytes) -> bool:
    """Whether the text is read; then it also comes back whole."""
    try:
        resource = read_fields(text)
    except (FhirError, LimitError):
        return False
    rebuilt = rebuild(resource.resource_type, resource.fields, resource.detached)
    assert lexemes(rebuilt.text) == lexemes(text)
    return True


def lexemes(text: str | bytes) -> Any:
    """The JSON tree, each number as it is written."""
    return json.loads(text, parse_float=lambda lexeme: ("number", lexeme), parse_int=lambda lexeme: ("number", lexeme))


def places(tree: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Paths of everything in a JSON tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def replaced(tree: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """The tree with another value at `path`."""
    if not path:
        return value
    copy: Any = tree.copy()
    copy[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: str(seed["resourceType"]))
def test_seeds_are_read(seed: dict[str, Any]) -> None:
    assert reads(json.dumps(seed).encode())


@given(st.binary(max_size=200))
def test_any_bytes(text: bytes) -> None:
    assert not reads(text)


@given(st.sampled_from(SEEDS), st.data(), TREES)
def test_any_value_anywhere_in_a_resource(seed: dict[str, Any], data: st.DataObject, value: Any) -> None:
    path = data.draw(st.sampled_from(places(seed)))
    reads(json.dumps(replaced(seed, path, value)).encode("utf-8", "surrogatepass"))


@given(st.sampled_from(SEEDS), st.data())
def test_any_bytes_anywhere_in_a_resource(seed: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(seed).encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    reads(text[:start] + data.draw(st.binary(max_size=6)) + text[end:])


NAMES = st.lists(
    st.sampled_from(
        ["Patient", ".", "[0]", "[999999999]", "name", "given", "_given", "+1", "photo", "data", "size", "é"]
    ),
    max_size=8,
).map("".join)
VALUES = st.one_of(
    st.tuples(st.just("string"), st.text(max_size=8)),
    st.tuples(st.just("bool"), st.booleans()),
    st.tuples(st.just("bytes32"), st.binary(min_size=32, max_size=32)),
    st.tuples(st.just("uint256"), st.integers(0, 2**64 - 1)),
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5), st.booleans())
def test_any_fields_of_a_hostile_disclosure(named: list[tuple[str, tuple[str, Any]]], partial: bool) -> None:
    fields = [Field(name, *value) for name, value in named]
    try:
        rebuilt = rebuild("Patient", fields, partial=partial)
    except (FieldEncodingError, RecordError):
        return
    assert json.loads(rebuilt.text)["resourceType"] == "Patient"


@given(st.sampled_from(SEEDS), st.data())
def test_any_subset_is_a_resource_that_says_so(seed: dict[str, Any], data: st.DataObject) -> None:
    resource = read_fields(json.dumps(seed).encode())
    groups = {field.name.split(".")[1].split("[")[0].lstrip("_") for field in resource.fields} - {"contained"}
    shown = data.draw(st.sets(st.sampled_from(sorted(groups))))
    fields = [field for field in resource.fields if field.name.split(".")[1].split("[")[0].lstrip("_") in shown]
    detached = [text for text in resource.detached if text[0].split(".")[1].split("[")[0] in shown]
    tree = json.loads(rebuild(resource.resource_type, fields, detached, partial=True).text)
    assert tree["meta"]["tag"][-1]["code"] == "SUBSETTED"
    assert shown <= set(tree)
    with pytest.raises(FhirError):
        read_fields(json.dumps(tree).encode())
