"""One consent decision, which every record of every answer waits for: by consent, by site, by emergency, and refused.

The goal is 50 µs. Twenty consents stand beside the one that matters, as a patient with many providers has them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from _figures import Figure, cpu_seconds, table

from chartseal.attestation import Address, Digest
from chartseal.consent import (
    BreakGlass,
    Exceptions,
    Grantee,
    Permit,
    RecordFacts,
    Requester,
    Scopes,
    SitePolicy,
    Terms,
    VerifiedConsent,
    decide,
)
from chartseal.keys import Wallet

GOAL_SECONDS = 50e-6

_NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
_TIMES = 20_000
_OTHERS = 20
_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_TERMS = Terms(
    Wallet(b"\1" * 32).sealing_address(),
    Address(b"\xa1" * 20),
    Grantee(Address(b"\xb2" * 20)),
    frozenset({"TREAT", "HPAYMT"}),
    0,
    2**34,
    frozenset({"Observation", "Condition", "MedicationRequest"}),
    frozenset({"http://loinc.org|2339-0", "http://loinc.org|4548-4"}),
    date(2020, 1, 1),
    None,
    frozenset({f"{_ACT}|HIV"}),
    Exceptions(frozenset({"Claim"}), frozenset({"http://loinc.org|1-8"}), frozenset({f"{_ACT}|SUD"})),
)
_RECORD = RecordFacts(
    _TERMS.holder,
    "Observation",
    frozenset({"http://loinc.org|2339-0"}),
    frozenset({"http://terminology.hl7.org/CodeSystem/observation-category|laboratory"}),
    date(2026, 5, 4),
    date(2026, 5, 4),
    frozenset({f"{_ACT}|HIV", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R"}),
    "R",
    True,
)
_ASKING = Requester(
    _TERMS.grantee.account,
    frozenset({"hospital"}),
    True,
    "TREAT",
    Scopes.parse("system/Condition.rs system/MedicationRequest.rs system/Observation.rs?category=laboratory"),
    "Dr A. Example",
    "Hospital B",
)
_POLICY = SitePolicy((Permit(frozenset({"TREAT"}), frozenset({"hospital"})),), BreakGlass(frozenset({"hospital"})))


def _consents() -> list[VerifiedConsent]:
    others = [replace(_TERMS, grantee=Grantee(Address(bytes([at + 1]) * 20))) for at in range(_OTHERS)]
    return [VerifiedConsent(Digest(bytes([at]) * 32), each) for at, each in enumerate([*others, _TERMS])]


def figures() -> list[Figure]:
    """A row for each way in which a decision ends."""
    consents = _consents()
    normal = replace(_RECORD, labels=frozenset(), confidentiality=None)
    cases = {
        "by consent": (_ASKING, _RECORD, consents),
        "by site": (_ASKING, normal, consents[:-1]),
        "in an emergency": (
            replace(_ASKING, purpose="ETREAT"),
            replace(normal, resource_type="Condition"),
            consents[:-1],
        ),
        "refused": (replace(_ASKING, purpose="HRESCH"), _RECORD, consents),
    }
    rows = []
    for name, (requester, record, given) in cases.items():
        found = decide(requester, "r", record, given, _POLICY, _NOW)
        if found.is_permitted is (name == "refused"):
            raise SystemExit(f"a decision {name} ended otherwise: {found}")
        seconds = cpu_seconds(
            lambda asked=(requester, "r", record, given, _POLICY, _NOW): decide(*asked),  # type: ignore[misc]  # bound
            _TIMES,
        )
        rows.append(Figure(f"a consent decision {name}", seconds, "the goal", GOAL_SECONDS, 1))
    return rows


if __name__ == "__main__":
    print(table(figures()))
