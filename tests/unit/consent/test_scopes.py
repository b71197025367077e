"""SMART scopes: what each allows, what is granted of those asked for, and what is refused."""

from __future__ import annotations

from itertools import product

import pytest

from chartseal.consent import Scopes
from chartseal.consent.scopes import LONGEST_SCOPES, MOST_SCOPES
from chartseal.errors import ScopeError
from tests.consents import CATEGORY

LAB, VITAL = f"{CATEGORY}|laboratory", f"{CATEGORY}|vital-signs"


def allows(text: str, kind: str = "Observation", interaction: str = "r", *categories: str) -> bool:
    return Scopes.parse(text).allows(kind, interaction, frozenset(categories))


@pytest.mark.parametrize(
    ("text", "interactions"),
    [
        ("system/Observation.rs", "rs"),
        ("system/Observation.cruds", "cruds"),
        ("system/*.s", "s"),
        ("system/Observation.read", "rs"),
        ("system/Observation.write", "cud"),
        ("system/Observation.*", "cruds"),
        ("system/*.read", "rs"),
        ("user/Observation.r system/Condition.cud patient/*.s", "rs"),
        ("", ""),
        ("openid fhirUser launch/patient offline_access", ""),
    ],
)
def test_what_a_scope_allows(text: str, interactions: str) -> None:
    assert "".join(each for each in "cruds" if allows(text, interaction=each)) == interactions


def test_a_type_is_itself() -> None:
    assert allows("system/Observation.r")
    assert not allows("system/Condition.r")
    assert not allows("system/ObservationDefinition.r")
    assert not allows("system/Observation.r", interaction="rs ")
    assert not allows("system/Observation.rs", interaction="x")


@pytest.mark.parametrize(
    ("token", "met"),
    [
        (LAB, True),
        (f"{LAB}s", False),
        ("laboratory", True),
        ("lab", False),
        (f"{CATEGORY}|", True),
        ("urn:x|", False),
        ("|laboratory", False),
        (LAB.replace("|", "%7C"), True),
        (LAB.replace(":", "%3A"), True),
    ],
)
def test_a_category_narrows(token: str, met: bool) -> None:
    assert allows(f"system/Observation.rs?category={token}", "Observation", "r", LAB, VITAL) is met
    assert not allows(f"system/Observation.rs?category={token}", "Observation", "r")


def test_a_category_of_no_system() -> None:
    assert allows("system/Observation.r?category=|own", "Observation", "r", "|own")
    assert not allows("system/Observation.r?category=|own", "Observation", "r", "urn:x|own")


def test_categories_of_one_scope_hold_together_and_scopes_apart() -> None:
    both = f"system/Observation.r?category={LAB}&category={VITAL}"
    assert not allows(both, "Observation", "r", LAB)
    assert allows(both, "Observation", "r", LAB, VITAL)
    either = f"system/Observation.r?category={LAB} system/Observation.r?category={VITAL}"
    assert allows(either, "Observation", "r", VITAL)


@pytest.mark.parametrize(
    "text",
    [
        "system/Observation",
        "system/Observation.",
        "system/Observation.sr",
        "system/Observation.rr",
        "system/Observation.reads",
        "system/Observation.READ",
        "system/observation.rs",
        "system/Observations.rs",
        "System/Observation.rs",
        "system/Observation.rs?",
        "system/Observation.rs?code=urn:x|1",
        "system/Observation.rs?category=",
        "system/Observation.rs?category=|",
        "system/Observation.rs?category=a,b",
        "system/Observation.rs?category=a%2Cb",
        "system/Observation.rs?category=a%26code=b",
        "system/Observation.rs?category=a\\\\,b",
        "system/Observation.rs?category=a%20b",
        "system/Observation.rs?category=a|b|c",
        "system/Observation.rs?category:not=a",
        "system/Observation.rs?category=a&",
        "system/Observation.rs?category=%ff",
        "system/Observation.read?category=a",
        "system/Observation.rs\n",
        "system/Observation.rs\tsystem/Condition.rs",
        "practitioner/Observation.rs",
        "system/Observation.rs,system/Condition.rs",
        "\u0455ystem/Observation.rs",
        "admin",
        "openid2",
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    for each in (text, f"system/Patient.r {text}"):
        with pytest.raises(ScopeError) as caught:
            Scopes.parse(each)
        assert caught.value.code == "scope_refused"
        assert text not in str(caught.value)


def test_limits() -> None:
    words = [f"system/Observation.r?category=a{at}" for at in range(MOST_SCOPES)]
    text = " ".join(words[:-1])
    assert len(Scopes.parse(text[:LONGEST_SCOPES].rpartition(" ")[0]).scopes) > 200
    assert Scopes.parse("system/Patient.r".ljust(LONGEST_SCOPES))
    many = " ".join(f"a{at}" for at in range(MOST_SCOPES + 1))
    categories = "&".join(f"category=a{at}" for at in range(17))
    for each in ("system/Patient.r".ljust(LONGEST_SCOPES + 1), many, f"system/Patient.r?{categories}"):
        with pytest.raises(ScopeError) as caught:
            Scopes.parse(each)
        assert caught.value.code == "limit_exceeded"


@pytest.mark.parametrize(
    ("asked", "allowed", "granted"),
    [
        ("system/*.cruds", "system/Observation.rs", "system/Observation.rs"),
        ("system/Observation.r", "system/*.cruds", "system/Observation.r"),
        ("system/Observation.rs", "system/Condition.rs", ""),
        ("user/Observation.rs", "system/Observation.rs", ""),
        ("system/Observation.c", "system/Observation.rs", ""),
        ("system/Observation.read", "system/Observation.s", "system/Observation.s"),
        (f"system/Observation.rs?category={LAB}", "system/*.rs", f"system/Observation.rs?category={LAB}"),
        ("system/*.rs", f"system/Observation.rs?category={LAB}", f"system/Observation.rs?category={LAB}"),
        ("system/*.rs system/Observation.rs", "system/*.rs", "system/*.rs"),
        ("openid launch", "openid system/*.rs", "openid"),
        ("system/*.rs", "", ""),
    ],
)
def test_what_is_granted_lies_within_both(asked: str, allowed: str, granted: str) -> None:
    made = Scopes.parse(asked).granted(Scopes.parse(allowed))
    assert str(made) == granted
    assert Scopes.parse(str(made)) == made


SOME = [
    "system/*.rs",
    "system/Observation.cruds",
    f"system/Observation.rs?category={LAB}",
    f"system/*.s?category={VITAL}",
    f"system/Observation.r?category={LAB}&category={VITAL}",
    "system/Condition.read",
    "user/*.r system/Observation.s",
]


@pytest.mark.parametrize(("asked", "allowed"), list(product(SOME, SOME)))
def test_a_grant_is_the_meeting_of_both(asked: str, allowed: str) -> None:
    mine, theirs = Scopes.parse(asked), Scopes.parse(allowed)
    granted = mine.granted(theirs)
    for kind, interaction, categories, context in product(
        ("Observation", "Condition"), "cruds", ((), (LAB,), (VITAL,), (LAB, VITAL)), ("system", "user", "patient")
    ):
        of = (kind, interaction, frozenset(categories))
        contexts = {context}
        both = mine.allows(*of, contexts=contexts) and theirs.allows(*of, contexts=contexts)
        assert granted.allows(*of, contexts=contexts) is both
