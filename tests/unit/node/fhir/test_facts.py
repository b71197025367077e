"""What a gate learns of a record."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from chartseal.consent import RecordFacts
from tests.charts import HOLDER
from tests.fhir_answers import ACT_CODE, CATEGORY, CONFIDENTIALITY, HIV, Node, concept, keep, observation
from tests.vault_records import LOINC

RESTRICTED = {"system": CONFIDENTIALITY, "code": "R"}


def facts_of(node: Node, **members: Any) -> RecordFacts:
    keep(node.vault, observation("o1", **members))
    node.read("Observation/o1")
    return node.rules.asked[-1][0]


def test_whose_what_and_when(node: Node) -> None:
    component = {"code": concept(LOINC, "8480-6"), "valueInteger": 1}
    facts = facts_of(node, component=[component])
    assert facts.holder == HOLDER.keys.spend_public()
    assert facts.resource_type == "Observation"
    assert facts.codes == {f"{LOINC}|2823-3"}  # what it is about; the component's is not
    assert facts.categories == {f"{CATEGORY}|laboratory"}
    assert (facts.begins, facts.ends) == (date(2026, 5, 4), date(2026, 5, 4))
    assert (facts.labels, facts.confidentiality, facts.is_labelled) == (frozenset(), None, False)


@pytest.mark.parametrize(
    ("period", "begins", "ends"),
    [
        ({"start": "2026-05", "end": "2026-06"}, date(2026, 5, 1), date(2026, 6, 30)),
        ({"start": "2026"}, date(2026, 1, 1), None),
        ({"end": "2026-06-02T23:00:00-04:00"}, None, date(2026, 6, 2)),
    ],
)
def test_periods(node: Node, period: dict[str, str], begins: date | None, ends: date | None) -> None:
    keep(
        node.vault,
        {
            name: value
            for name, value in observation("o1", effectivePeriod=period).items()
            if name != "effectiveDateTime"
        },
    )
    node.read("Observation/o1")
    facts = node.rules.asked[-1][0]
    assert (facts.begins, facts.ends) == (begins, ends)


def test_labels_and_those_without_a_code(node: Node) -> None:
    facts = facts_of(node, meta={"security": [RESTRICTED, HIV]})
    assert facts.labels == {f"{ACT_CODE}|HIV", f"{CONFIDENTIALITY}|R"}
    assert (facts.confidentiality, facts.is_labelled) == ("R", True)
    bare = facts_of(node, meta={"security": [{"display": "keep back"}]})
    assert bare.labels == {"|"}
    assert bare.is_labelled


@pytest.mark.parametrize(
    ("codes", "highest"), [(["N", "V", "R"], "V"), (["U", "N"], "N"), (["V", "X"], "X"), (["L"], "L")]
)
def test_the_highest_confidentiality_counts(node: Node, codes: list[str], highest: str) -> None:
    facts = facts_of(node, meta={"security": [{"system": CONFIDENTIALITY, "code": code} for code in codes]})
    assert facts.confidentiality == highest


def test_codes_anywhere_are_mentioned(node: Node) -> None:
    contained = {"resourceType": "Medication", "id": "m", "code": concept(LOINC, "860975")}
    component = {"code": concept(LOINC, "8480-6"), "valueInteger": 1}
    extension = [{"url": "https://x.example/drug", "valueReference": {"reference": "#m"}}]
    facts = facts_of(node, component=[component], contained=[contained], extension=extension)
    assert facts.codes == {f"{LOINC}|2823-3"}
    assert facts.mentioned >= {f"{LOINC}|{code}" for code in ("2823-3", "8480-6", "860975")}
