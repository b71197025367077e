"""A policy's file: it says what its text compiles to, or it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.errors import PredicatePolicyError
from chartseal.predicates import LARGEST_POLICY, Policy, compile_policy

ONE = compile_policy("AllergyIntolerance.code not in snomed{91936005, 294505008}", name="no penicillin", version=3)
TWO = compile_policy("Observation[loinc|4548-4].value < 7.0 % and effective >= 2026-05-01")


def members(policy: Policy = ONE) -> dict[str, Any]:
    found = json.loads(policy.to_json())
    assert isinstance(found, dict)
    return found


def code_of(data: Any) -> str:
    with pytest.raises(PredicatePolicyError) as caught:
        Policy.from_json(data if isinstance(data, str | bytes) else json.dumps(data))
    return caught.value.code


def test_what_is_written_is_read() -> None:
    for policy in (ONE, TWO):
        again = Policy.from_json(policy.to_json())
        assert again == policy
        assert (again.text, again.hash, again.circuit_size) == (policy.text, policy.hash, policy.circuit_size)
        assert Policy.from_json(policy.to_json().decode()) == policy
    assert (ONE.circuit_size, TWO.circuit_size) == (1, 4)
    assert list(members()) == ["format", "kind", "name", "version", "text", "slots", "sets", "hash"]
    assert members()["sets"][0]["codes"] == ["294505008", "91936005"]
    assert members(TWO)["sets"] == []


def test_name_and_version_are_not_hashed() -> None:
    assert compile_policy(ONE.text, name="another", version=1).hash == ONE.hash


def changed(path: list[str | int], value: Any) -> dict[str, Any]:
    found = members()
    at: Any = found
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (["format"], "chartseal/2", "policy_file"),
        (["kind"], "disclosure", "policy_file"),
        (["more"], 1, "policy_file"),
        (["name"], None, "policy_file"),
        (["version"], True, "policy_file"),
        (["version"], 1.0, "policy_file"),
        (["version"], 0, "policy_version"),
        (["text"], "AllergyIntolerance.code not in snomed{91936005}", "policy_file_differs"),
        (["text"], "AllergyIntolerance.code not in snomed{91936005, 294505008}", "policy_file_differs"),
        (["text"], "AllergyIntolerance.code not", "policy_syntax"),
        (["hash"], "0x" + "11" * 32, "policy_file_differs"),
        (["slots"], [], "policy_file_differs"),
        (["slots", 0, "op"], "member", "policy_file_differs"),
        (["slots", 0, "lo"], 0, "policy_file_differs"),
        (["slots", 0, "key"], "0x" + "11" * 32, "policy_file_differs"),
        (["slots", 0, "setRoot"], "0x" + "11" * 32, "policy_file_differs"),
        (["slots", 0, "claim", "scale"], False, "policy_file_differs"),
        (["slots", 0, "claim", "sense"], "past", "policy_file_differs"),
        (["sets", 0, "codes"], ["294505008"], "policy_file_differs"),
        (["sets", 0, "codes"], ["91936005", "294505008"], "policy_file_differs"),
        (["sets"], [], "policy_file_differs"),
    ],
)
def test_any_difference_is_refused(path: list[str | int], value: Any, code: str) -> None:
    """Named attacks: policy swap, set swap, a policy whose words or codes are another's than its hash."""
    assert code_of(changed(path, value)) == code


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", "\ud800", b'{"a":1,"a":2}', b"[" * 100_000, b"NaN"])
def test_other_files(data: bytes | str) -> None:
    assert code_of(data) == "policy_file"


def test_a_file_has_a_limit() -> None:
    filled = ONE.to_json().ljust(LARGEST_POLICY)
    assert Policy.from_json(filled) == ONE
    assert code_of(filled + b" ") == "policy_too_long"


def test_a_policy_too_long_for_its_file_is_not_written() -> None:
    codes = ", ".join(f'"{"é" * 200}{number}"' for number in range(1_200))
    policy = compile_policy(f"Condition.code not in snomed{{{codes}}}")
    assert len(policy.to_json()) <= LARGEST_POLICY
    wide = codes.replace("é", "\N{GRINNING FACE}")
    with pytest.raises(PredicatePolicyError) as caught:
        compile_policy(f"Condition.code not in snomed{{{wide}}}").to_json()
    assert caught.value.code == "policy_too_long"


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([ONE, TWO]), st.integers(0, 1 << 12), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_a_name(policy: Policy, at: int, byte: int) -> None:
    raw = bytearray(policy.to_json())
    raw[at % len(raw)] = byte
    try:
        found = Policy.from_json(bytes(raw))
    except PredicatePolicyError:
        return
    assert (found.slots, found.text) == (policy.slots, policy.text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100) | st.text(max_size=100))
def test_any_bytes_are_a_policy_or_a_typed_error(data: bytes | str) -> None:
    with pytest.raises(PredicatePolicyError):
        Policy.from_json(data)
