"""One text per meaning, and no text that does harm."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chartseal.errors import PredicatePolicyError
from chartseal.predicates import Policy, compile_policy
from chartseal.predicates.elements import (
    BOOLEAN,
    CODED,
    DAY,
    INSTANT,
    INTEGER,
    MONEY,
    QUANTITY,
    Element,
    codes_of,
    elements_of,
)
from chartseal.predicates.grammar import LONGEST_TEXT

TYPES = (
    ("Observation", ("",)),
    ("Condition", ("", "(past)")),
    ("Patient", ("",)),
    ("Claim", ("(billed-claim)", "(billed-preauthorization)")),
    ("FamilyMemberHistory", ("(MTH)",)),
    ("MedicationRequest", ("",)),
    ("QuestionnaireResponse", ("",)),
    ("Goal", ("",)),
)
POLICIES = [
    "Observation[loinc|4548-4].value < 7 % and effective >= 2026-05-01",
    "Condition.code in icd10cm:C50.* and recordedDate between 2020-01-01 and 2026-12-31",
    "AllergyIntolerance.code not in snomed{294505008, 91936005}",
    'QuestionnaireResponse.item["http://q|1"|"a \\"b\\""].answer.value = true',
]
decimals = st.decimals(-10_000, 10_000, places=3).map(str)
days = st.dates().map(str)
words = st.text('abAB 01|{}[]"\\,#@.*/é', min_size=1, max_size=6).filter(lambda text: text == text.strip())
quoted = words.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
systems = st.sampled_from(["loinc", "snomed", "http://example.org/x", "urn:oid:1.2", '"x"'])
coded = st.builds("{}|{}".format, systems, quoted | st.sampled_from(["4548-4", "a.b", "1"]))
prefixes = st.text("ABCDEF0123456789", min_size=1, max_size=6)


def attempt(text: str) -> Policy | PredicatePolicyError:
    try:
        return compile_policy(text)
    except PredicatePolicyError as error:
        return error


@st.composite
def element_tests(draw: st.DrawFn, element: Element) -> str:
    family = draw(st.sampled_from(sorted(element.families)))
    if family == CODED:
        return draw(coded_tests(element))
    if family == BOOLEAN:
        return f"= {draw(st.sampled_from(['true', 'false']))}"
    one = {
        QUANTITY: st.builds("{} {}".format, decimals, st.sampled_from(["%", "mg/dL", "mm[Hg]", "{1}", '"and"'])),
        MONEY: decimals.map("{} EUR".format),
        INTEGER: st.integers(-(1 << 31), (1 << 31) - 1).map(str),
        DAY: days,
        INSTANT: st.datetimes().map(lambda moment: f"{moment.replace(microsecond=0).isoformat()}Z"),
    }[family]
    forms = ["< {}", "<= {}", "> {}", ">= {}", "= {}", "between {} and {}"]
    if family == DAY:
        forms.append("= {} to {}")
    form = draw(st.sampled_from(forms))
    return form.format(*(draw(one) for _ in range(form.count("{}"))))


@st.composite
def coded_tests(draw: st.DrawFn, element: Element) -> str:
    if element.system:
        one = st.sampled_from([f"gender|{code}" for code in codes_of(element)])
        return f"{draw(st.sampled_from(['=', 'only =', '!=']))} {draw(one)}"
    if draw(st.booleans()):
        return f"{draw(st.sampled_from(['=', 'only =', '!=']))} {draw(coded)}"
    if draw(st.booleans()):
        low, high = sorted(draw(st.tuples(prefixes, prefixes)))
        return f"{draw(st.sampled_from(['in', 'only in']))} icd10cm:{low}*-{high}*"
    codes = ", ".join(draw(st.lists(quoted, min_size=1, max_size=4, unique=True)))
    return f"{draw(st.sampled_from(['in', 'only in', 'not in']))} {draw(systems)}{{{codes}}}"


@st.composite
def texts(draw: st.DrawFn) -> str:
    type_name, senses = draw(st.sampled_from(TYPES))
    sense = draw(st.sampled_from(senses))
    found = []
    for _ in range(draw(st.integers(1, 4))):
        element = draw(st.sampled_from(elements_of(type_name)))
        at = element.qualified_at
        steps = [f"{step.name}{f'[{draw(coded)}]' if index == at else ''}" for index, step in enumerate(element.steps)]
        own = f"[{draw(coded)}]" if at == -1 else ""
        found.append(f"{type_name}{sense}{own}.{'.'.join(steps)} {draw(element_tests(element))}")
    return " and ".join(found)


@settings(max_examples=150, deadline=None)
@given(texts())
def test_the_canonical_text_compiles_to_the_same_slots_and_to_itself(text: str) -> None:
    policy = attempt(text)
    if isinstance(policy, PredicatePolicyError):  # what the strategy writes is read, else this would test too little
        assert policy.code not in {"policy_syntax", "policy_element_unknown", "policy_qualifier_missing"}, text
        return
    again = compile_policy(policy.text)
    assert again.slots == policy.slots
    assert again.text == policy.text
    assert policy.words() != policy.words("verifier")


def test_texts_of_one_meaning_have_one_canonical_text() -> None:
    same = [
        [
            "Observation[loinc|4548-4].value < 7.0 % and effective >= 2026-05-01",
            "Observation[http://loinc.org|4548-4].value<7%and effective >= 2026-05",
            'Observation["http://loinc.org"|"4548-4"] . value <= 6.999999 "%" # a comment\n and effective > 2026-04-30',
            "Observation[loinc|4548-4].value < 7 % and Observation.effective >= 2026-05-01",
        ],
        ["Condition.code in snomed{2, 1}", "Condition(current).code in snomed{1,2}"],
        ["Patient.birthDate between 2004-01-01 and 2004-12-31", "Patient.birthDate = 2004"],
    ]
    for texts_of_one in same[1:]:
        assert len({compile_policy(text).text for text in texts_of_one}) == 1
    first = {compile_policy(text.replace("%and", "% and")).text for text in same[0]}
    assert first == {"Observation[loinc|4548-4].value < 7 % and effective >= 2026-05-01"}


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.text('Observatin[]lc|48.vue<>=7% and(){}@:*"\\-', max_size=60))
@example("Observation" * 1_000)
@example("[" * 10_000)
@example("Condition.code in snomed{" + "1," * 50_000)
@example("Condition.onset < " + "9" * 5_000 + " a")
@example("Condition.onset < 9" + "." + "0" * 100 + "1 a")
@example("\ud800")
@example("x" * (LONGEST_TEXT + 1))
def test_any_text_ends_in_a_typed_error_or_a_policy(text: str) -> None:
    found = attempt(text)
    if isinstance(found, PredicatePolicyError):
        assert found.code.startswith("policy_")
        assert len(found.excerpt) <= 130
    else:
        assert compile_policy(found.text).hash == found.hash


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(POLICIES), st.integers(0, 100), st.sampled_from(["", *' |[](){}<>=%.@"\\#*:-0aA']))
def test_a_changed_text_compiles_to_the_same_hash_only_where_it_means_the_same(text: str, at: int, put: str) -> None:
    changed, policy = attempt(text[:at] + put + text[at + 1 :]), compile_policy(text)
    if isinstance(changed, Policy):
        assert (changed.hash == policy.hash) == (changed.text == policy.text)


def test_a_text_has_a_limit() -> None:
    filled = POLICIES[0] + " " * (LONGEST_TEXT - len(POLICIES[0]))
    assert compile_policy(filled).text == POLICIES[0]
    with pytest.raises(PredicatePolicyError) as caught:
        compile_policy(f"{filled} ")
    assert caught.value.code == "policy_too_long"
