"""Scopes: what they open, and what two of them open together."""

from __future__ import annotations

import itertools

import pytest

from chartseal.node.smart.scopes import GrantedScopes, Scope

LAB, VITAL = "http://c.example|laboratory", "http://c.example|vital-signs"
TYPES = ("Observation", "Patient")
CATEGORIES = [frozenset(each) for each in ((), (LAB,), (VITAL,), (LAB, VITAL))]
QUESTIONS = list(itertools.product(TYPES, "cruds", CATEGORIES))
TEXTS = [
    f"system/{kind}.{interactions}{category}"
    for kind in ("*", *TYPES)
    for interactions in ("r", "rs", "cud", "cruds")
    for category in ("", f"?category={LAB}", f"?category={VITAL}")
]


def opened(scopes: GrantedScopes) -> set[tuple[str, str, frozenset[str]]]:
    return {question for question in QUESTIONS if scopes.allows(*question)}


def test_a_scope_opens_its_type_its_interactions_and_its_category() -> None:
    scopes = GrantedScopes.parse(f"system/Observation.rs?category={LAB} system/Patient.r")
    assert opened(scopes) == {
        *(("Observation", each, categories) for each in "rs" for categories in CATEGORIES if LAB in categories),
        *(("Patient", "r", categories) for categories in CATEGORIES),
    }


@pytest.mark.parametrize("interaction", ["", "rs", "x", "R"])
def test_what_is_no_interaction_is_never_open(interaction: str) -> None:
    assert not GrantedScopes.parse("system/*.cruds").allows("Patient", interaction, frozenset())


def test_two_scopes_together_never_open_what_one_does_not() -> None:
    for one, other in itertools.product(TEXTS, repeat=2):
        first, second = GrantedScopes.parse(one), GrantedScopes.parse(other)
        both = first.granted(second)
        exact = opened(first) & opened(second)
        assert opened(both) <= exact
        if not ({LAB, VITAL} <= {each for each in (LAB, VITAL) if each in one or each in other}):
            assert opened(both) == exact
        assert opened(second.granted(first)) == opened(both)
        assert opened(GrantedScopes.parse(str(both))) == opened(both)


def test_what_another_covers_is_left_out() -> None:
    text = f"system/Observation.rs?category={LAB} system/*.r system/Patient.r system/Patient.rs"
    assert str(GrantedScopes.parse(text)) == f"system/*.r system/Observation.rs?category={LAB} system/Patient.rs"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "system/observation.r",
        "system/Observation.",
        "system/Observation",
        "system/Observation.sr",
        "system/Observation.rr",
        "system/Observation.reads",
        "system/Observation.r?category=laboratory",
        "system/Observation.r?category=",
        "system/Observation.r?category=a|b&category=c|d",
        "system/Observation.r?code=a|b",
        "system/Observation.r?category=a|b#x",
        "patient/Observation.r",
        "user/*.cruds",
        "SYSTEM/Observation.r",
        "launch",
        "system/Observation.r\u00a0",
    ],
)
def test_what_is_not_known_is_no_scope(text: str) -> None:
    assert Scope.parse(text) is None
    assert not GrantedScopes.parse(text).scopes


def test_an_encoded_category_is_the_same() -> None:
    assert Scope.parse("system/Observation.r?category=http%3A%2F%2Fc.example%7Claboratory") == Scope.parse(
        f"system/Observation.r?category={LAB}"
    )


def test_a_category_cannot_smuggle_another_scope_into_the_answer() -> None:
    [scope] = GrantedScopes.parse("system/Observation.r?category=a%7Cb%20system/*.cruds").scopes
    assert " " not in str(scope)
    assert Scope.parse(str(scope)) == scope
