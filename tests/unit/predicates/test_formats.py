"""Policies against the shared vectors, on which two other implementations agree, and against every claim they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chartseal.predicates import Unmet, asked_by, compile_policy, describe_claim, key_of, match
from chartseal.predicates.bounds import day_text, decimal_text, instant_text, packed_texts
from chartseal.predicates.hashes import code_value
from chartseal.predicates.sets import members, set_root
from chartseal.record import Claim

POLICIES = {
    "P1": "Observation[http://loinc.org|4548-4].value < 7.0 % and effective >= 2026-05-01",
    "P2": "Condition.code in icd10cm:C50.*",
    "P3": "AllergyIntolerance.code not in snomed{91936005, 294505008}",
}
SETS = {
    "snomed": ("http://snomed.info/sct", ("91936005", "294505008")),
    "loinc": ("http://loinc.org", ("4548-4", "17856-6", "59261-8")),
}
TIMED = {"Observation", "Immunization", "Encounter", "DiagnosticReport", "Coverage"}
SOLE = {"code": "=", "sole-code": "only ="}


def once(shared: Path) -> dict[str, Any]:
    found = json.loads((shared / "vectors/formats/once.json").read_text())
    assert isinstance(found, dict)
    return found


def test_policy_hashes(shared: Path) -> None:
    expected = once(shared)["policies"]
    assert {name: str(int.from_bytes(compile_policy(text).hash, "big")) for name, text in POLICIES.items()} == expected


def test_set_roots(shared: Path) -> None:
    found = {name: str(int.from_bytes(set_root(members(*each)), "big")) for name, each in SETS.items()}
    assert found == once(shared)["sets"]


def records(shared: Path) -> Iterator[tuple[str, list[Claim]]]:
    """The text and the claims of each record."""
    for line in (shared / "vectors/formats/records.ndjson").read_text().splitlines():
        vector = json.loads(line)
        yield vector["input"], [claim_of(each) for each in vector["expected"]["claims"]]


def claim_of(row: dict[str, Any]) -> Claim:
    names = ("path", "sense", "qualifierSystem", "qualifierCode", "kind", "unit", "scale")
    numbers = (int(row[name]).to_bytes(32, "big") for name in ("key", "value"))
    return Claim._make([*(row[name] for name in names), *numbers])


def codes(resource: Any) -> Iterator[str]:
    """All texts of a resource: some is the code of a claim."""
    if isinstance(resource, dict | list):
        for each in resource.values() if isinstance(resource, dict) else resource:
            yield from codes(each)
    elif isinstance(resource, str):
        yield resource


def asked(claim: Claim, resource: Any) -> str:
    """A policy's text that the claim satisfies, made from how policies ask for claims of its kind."""
    text, value = asked_by(key_of(claim)), int.from_bytes(claim.value, "big")
    if claim.kind.endswith("packed"):
        return text.replace("…", packed_texts(value, 0)[0][:6])
    if claim.kind in SOLE:
        code = next(each for each in codes(resource) if code_value(claim.unit, each) == value)
        return text.replace("!=", "only =").replace("…", f'"{code}"')
    if claim.kind == "instant":
        return text.replace("…", "YYYY").replace("YYYY-MM-DDThh:mm:ssZ", instant_text(value) or "")
    if claim.kind.startswith("day"):
        return text.replace("YYYY-MM-DD", day_text(value))
    return text.replace("…", decimal_text(value) if claim.scale else str(value - (1 << 63)))


def test_a_policy_made_from_any_claim_compiles_to_its_key_and_is_satisfied(shared: Path) -> None:
    kinds = set()
    for text, claims in records(shared):
        resource = json.loads(text)
        times = [asked(claim, resource) for claim in claims if claim.kind.startswith("day")]
        for position, claim in enumerate(claims[1:], 1):
            own, is_time = asked(claim, resource), claim.kind.startswith("day")
            is_timed = not is_time and resource["resourceType"].startswith(("Medication", *TIMED))
            time = times[0] if times else "Immunization.occurrence >= 2000-01-01"
            policy = compile_policy(f"{own} and {time}" if is_timed else own)
            assert policy.slots[0].key == claim.key, own
            assert policy.slots[0].accepts(int.from_bytes(claim.value, "big"))
            assert describe_claim(claim).startswith(("that your ", "whether your "))
            kinds.add(claim.kind)
            found = match(policy, claims)
            if is_timed and not times:  # a vaccination whose date is a text: formats let nobody ask for it
                assert isinstance(found, Unmet)
                assert len(found.reasons) == 1
                continue
            assert isinstance(found, tuple)
            assert claims[found[0]].key == claim.key
            assert found[0] <= position
    assert len(kinds) == 12, "every kind but boolean stands in the vectors"


def test_the_holders_own_claim_is_asked_for_by_no_policy(shared: Path) -> None:
    _, claims = next(records(shared))
    assert asked_by(key_of(claims[0])) == ""
    assert describe_claim(claims[0]) == "that the record is yours"
