"""Sets of codes: from lists and from expansions of ValueSets; their limits; conversions of units."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.errors import MissingExtraError, PredicatePolicyError
from chartseal.predicates import CodeSet, compile_policy, read_set, set_names
from chartseal.predicates.sets import MOST_MEMBERS, set_root
from chartseal.predicates.units import _Tables

CVX = "http://hl7.org/fhir/sid/cvx"


def value_set(*contains: Any, **more: Any) -> bytes:
    return json.dumps({"resourceType": "ValueSet", "expansion": {"contains": list(contains), **more}}).encode()


def entry(code: str, system: str = CVX, **more: Any) -> dict[str, Any]:
    return {"system": system, "code": code, **more}


def code_of(data: bytes) -> str:
    with pytest.raises(PredicatePolicyError) as caught:
        read_set(data)
    return caught.value.code


def test_lists() -> None:
    assert read_set(b"207\n208\n") == CodeSet("", ("207", "208"))
    assert read_set(b"\xef\xbb\xbf# vaccines\r\nsystem: cvx\r\n\r\n 207 \r\n208") == CodeSet(CVX, ("207", "208"))
    assert read_set(b"system: http://x.example/y\n207").system == "http://x.example/y"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "policy_set_size"),
        (b"# nothing\n", "policy_set_size"),
        (b"\xff", "policy_set_file"),
        (b"a\nb\na", "policy_set_twice"),
        (b"a\x00b", "policy_set_file"),
        (b"a" * 257, "policy_set_file"),
        (b"\n".join(b"%d" % i for i in range(MOST_MEMBERS + 1)), "policy_set_size"),
        (b" " * (16 << 20) + b"a", "policy_set_file"),
    ],
)
def test_refused_lists(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_an_expansion_nested_abstract_and_inactive() -> None:
    data = value_set(
        {"display": "a group", "abstract": True, "contains": [entry("207"), entry("208", contains=[entry("211")])]},
        entry("99", abstract=True),
        entry("210", inactive=True),
        entry("207"),
        total=5,
    )
    assert read_set(data) == CodeSet(CVX, ("207", "208", "211", "210"))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (value_set(), "policy_set_size"),
        (value_set(entry("1"), entry("2", "http://snomed.info/sct")), "policy_set_system"),
        (value_set(entry("1"), total=2), "policy_set_incomplete"),
        (value_set(entry("1"), offset=1), "policy_set_incomplete"),
        (
            value_set(entry("1"), extension=[{"url": "http://hl7.org/fhir/StructureDefinition/valueset-unclosed"}]),
            "policy_set_incomplete",
        ),
        (value_set({"display": "no code"}), "policy_set_file"),
        (value_set({"code": "1"}), "policy_set_file"),
        (value_set({"system": CVX, "code": 1}), "policy_set_file"),
        (value_set(entry("1", abstract="false")), "policy_set_file"),
        (value_set("1"), "policy_set_file"),
        (value_set(entry("1", contains={})), "policy_set_file"),
        (value_set(entry("1"), total="1"), "policy_set_file"),
        (b'{"resourceType":"ValueSet"}', "policy_set_file"),
        (b'{"resourceType":"CodeSystem"}', "policy_set_file"),
        (b"{", "policy_set_file"),
        (value_set(*(entry(str(i)) for i in range(MOST_MEMBERS + 1))), "policy_set_size"),
    ],
)
def test_refused_expansions(data: bytes, code: str) -> None:
    assert read_set(value_set(entry("1"))) == CodeSet(CVX, ("1",))
    assert code_of(data) == code


trees = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["contains", "code", "system", "abstract"]), inner),
)
expansions = trees.map(lambda tree: json.dumps({"resourceType": "ValueSet", "expansion": tree}).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | expansions)
def test_any_file_is_a_set_or_a_typed_error(data: bytes) -> None:
    with suppress(PredicatePolicyError):
        assert read_set(data).codes


def test_named_sets_become_part_of_the_text() -> None:
    text = "Immunization.vaccineCode in @covid and occurrence >= 2026"
    assert set_names(text) == ("covid",)
    policy = compile_policy(text, sets={"covid": CodeSet(CVX, ("208", "207"))})
    assert policy.text == "Immunization.vaccineCode in cvx{207, 208} and occurrence >= 2026-01-01"
    unnamed = {"covid": CodeSet("", ("207", "208"))}
    assert compile_policy(text.replace("@covid", "cvx@covid"), sets=unnamed) == policy
    for wrong, sets in [(text, unnamed), (text.replace("@", "snomed@"), {"covid": CodeSet(CVX, ("207",))})]:
        with pytest.raises(PredicatePolicyError) as caught:
            compile_policy(wrong, sets=sets)
        assert caught.value.code == "policy_set_system"


@pytest.mark.parametrize("code", ["", " a", "a\u202e", "a\n", "a" * 257])
def test_named_sets_hold_what_can_stand_in_a_text(code: str) -> None:
    assert compile_policy("Condition.code in @s", sets={"s": CodeSet(CVX, ("a" * 256, "a b"))}).text
    with pytest.raises(PredicatePolicyError) as caught:
        compile_policy("Condition.code in @s", sets={"s": CodeSet(CVX, ("b", code))})
    assert caught.value.code == "policy_set_codes"


def test_a_set_is_as_large_as_its_tree() -> None:
    codes = ", ".join(map(str, range(MOST_MEMBERS)))
    [slot] = compile_policy(f"Condition.code in snomed{{{codes}}}").slots
    assert len(slot.members) == MOST_MEMBERS
    assert list(slot.members) == sorted(set(slot.members))
    with pytest.raises(PredicatePolicyError) as caught:
        compile_policy(f"Condition.code in snomed{{{codes}, x}}")
    assert caught.value.code == "policy_set_size"


@pytest.mark.parametrize("values", [(), (2, 1), (1, 1), (1 << 248,), (-1,)])
def test_roots_of_ascending_values_alone(values: tuple[int, ...]) -> None:
    """Named attack: set swap. The root is over neighbours: an order or a repetition of its own would open gaps."""
    assert set_root((0, (1 << 248) - 1)) != set_root((0,))
    with pytest.raises(PredicatePolicyError):
        set_root(values)


@pytest.mark.parametrize(
    ("bound", "canonical"),
    [
        ("0.9 g/L as mg/dL", "90 mg/dL"),
        ("5 umol/L as mmol/L", "0.005 mmol/L"),
        ("1 [lb_av] as g", "453.59237 g"),
        ("120 mm[Hg] as kPa", "15.99864 kPa"),
        ("1 [in_i] as cm", "2.54 cm"),
        ("2 10*9/L as 10*3/uL", "2 10*3/uL"),
        ("2 wk as d", "14 d"),
        ("2 a as mo", "24 mo"),
        ("60 U/L as ukat/L", "1 ukat/L"),
        ("-1 mV as V", "-0.001 V"),
        ("7 mmol/L as mmol/L", "7 mmol/L"),
    ],
)
def test_exact_conversions(bound: str, canonical: str) -> None:
    pytest.importorskip("ucumvert", reason="the extra ucum is not installed")
    text = "Observation[loinc|1].value <= {} and effective >= 2026-05-01"
    policy = compile_policy(text.format(bound))
    assert policy.text == text.format(canonical)
    assert policy == compile_policy(text.format(canonical))


@pytest.mark.parametrize(
    ("bound", "code"),
    [
        ("53 mmol/mol as %", "policy_unit_conversion"),
        ("6.9 % as mmol/mol", "policy_unit_conversion"),
        ("6.9 % as %", "policy_unit_conversion"),
        ("69 mg/g as %", "policy_unit_conversion"),
        ("1 {score} as 1", "policy_unit_conversion"),
        ("1 [ppm] as %", "policy_unit_conversion"),
        ("1 mmol/L as mg/dL", "policy_unit_conversion"),
        ("1 mol as 10*23", "policy_unit_conversion"),
        ("1 mmol/L as 10*3/uL", "policy_unit_conversion"),
        ("1 meq/L as mmol/L", "policy_unit_conversion"),
        ("1 mosm/L as mmol/L", "policy_unit_conversion"),
        ("1 [IU]/L as m[IU]/L", "policy_unit_conversion"),
        ("37 Cel as K", "policy_unit_conversion"),
        ("98.6 [degF] as Cel", "policy_unit_conversion"),
        ("7.4 [pH] as mol/L", "policy_unit_conversion"),
        ("1 a as d", "policy_unit_conversion"),
        ("1 mo as wk", "policy_unit_conversion"),
        ("1 {cells}/L as {cells}/dL", "policy_unit_conversion"),
        ("1 g{a} as mg", "policy_unit_conversion"),
        ("1 g/L as kg", "policy_unit_conversion"),
        ("1 d as wk", "policy_conversion_inexact"),
        ("1 [lb_av] as kg", "policy_bound_too_fine"),
        ("1 mg/dl as nonsense", "policy_unit_unknown"),
        ("1 m100 as m", "policy_unit_unknown"),
    ],
)
def test_refused_conversions(bound: str, code: str) -> None:
    """Named attack: unit confusion. 69 mmol/mol is not 6.9 %, whatever UCUM says of both."""
    pytest.importorskip("ucumvert", reason="the extra ucum is not installed")
    with pytest.raises(PredicatePolicyError) as caught:
        compile_policy(f"Observation[loinc|1].value <= {bound} and effective >= 2026-05-01")
    assert caught.value.code == code


def test_conversions_need_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    _Tables.load.cache_clear()
    monkeypatch.setitem(sys.modules, "ucumvert", None)
    with pytest.raises(MissingExtraError):
        compile_policy("Observation[loinc|1].value < 1 g/L as mg/dL and effective >= 2026")
    assert compile_policy("Observation[loinc|1].value < 100 mg/dL and effective >= 2026")
