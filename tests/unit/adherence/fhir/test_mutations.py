"""Whatever a resource holds, reading ends with a table; nothing is raised, and no supply comes out of nothing."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chartseal.adherence.fhir import read_events
from chartseal.verification.facts import Fact
from tests.supplies import TABLET, claim, dispense, dosage, request

RICH = [
    dispense(daysSupply=None, quantity={"value": 30, **TABLET}, dosageInstruction=[dosage(sequence=1)]),
    dispense(authorizingPrescription=[{"reference": "MedicationRequest/r1"}], whenPrepared="2031-04-04"),
    request(dosageInstruction=[dosage({"repeat": {"when": ["MORN"], "dayOfWeek": ["mon"]}})]),
    claim(related=[{"reference": {"value": "1"}}], prescription={"reference": "MedicationRequest/r1"}),
    {**claim(), "status": "cancelled"},
    {"resourceType": "Encounter", "id": "n1", "status": "finished", "class": {"code": "IMP"}, "type": [{"coding": []}]}
    | {"subject": {"reference": "Patient/p1"}, "period": {"start": "2031-01-01", "end": "2031-01-02"}},
    {"resourceType": "Patient", "id": "p1", "deceasedDateTime": "2031-01-01"},
    {"resourceType": "Coverage", "id": "c1", "status": "active", "beneficiary": {"reference": "Patient/p1"}}
    | {"period": {"start": "2031-01-01"}},
]

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["", "d", "9999-12-31", "#", "1e400"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["value", "code", "coding"]), inner),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every member and position, by its path."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [each for name, item in inner for each in ((*path, name), *places(item, (*path, name)))]


@st.composite
def mutated(draw: st.DrawFn) -> list[dict[str, Any]]:
    """All resources, up to three places of them put out of shape."""
    made = copy.deepcopy(RICH)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(made)))
        holder: Any = made
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = draw(ANYTHING)
        made = [each for each in made if isinstance(each, dict)]
    return made


@given(mutated())
def test_resources_out_of_shape(resources: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(each) + "\n" for each in resources)
    facts = [Fact("", json.dumps(each), {}) for each in resources]
    for found in (read_events(lines.encode()), read_events(facts)):
        for row in found.events.to_pylist():
            assert row["patient"]
            assert row["event"]
            if row["kind"] == "supply":
                assert (row["days_supply"] is None) <= (row["reason"] is not None)
                assert (row["days_supply"] is not None) <= (row["fallback"] is not None)


@given(st.permutations(RICH))
def test_the_order_of_resources_does_not_matter(resources: list[dict[str, Any]]) -> None:
    def events(each: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = read_events([Fact("", json.dumps(resource), {}) for resource in each])
        return [row for row in found.events.to_pylist() if row["kind"] != "reversal"]

    unlike = {resource["id"]: resource for resource in RICH}  # one of each id: of two versions the last read counts
    kept = [resource for resource in resources if resource is unlike[resource["id"]]]
    assert events(kept) == events(list(unlike.values()))
