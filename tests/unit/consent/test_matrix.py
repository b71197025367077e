"""Every combination of role, purpose, type, label, consent, accreditation, policy and interaction, beside tables.

The tables are the oracle: they were written from the rules (docs/consent.md), not from the program. A cell is `.` where
nothing opens a record, C where the consent does, x where it keeps the record shut against everything, S where the site
does, B where an emergency does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import NamedTuple

import pytest

from chartseal.consent import (
    Basis,
    BreakGlass,
    Decision,
    Exceptions,
    Grantee,
    Part,
    Permit,
    RecordFacts,
    SitePolicy,
    VerifiedConsent,
    decide,
)
from chartseal.verification.chain import ROLES
from tests.consents import ACT, ETH, HIV, NOTE, NOW, OTHER, RECORD, REQUESTER, STRANGER, TERMS, verified

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PART_2, RESTRICTED = f"{ACT}|42CFRPart2", f"{CONFIDENTIALITY}|R"
SOON, AGO = (int((NOW + timedelta(hours=hours)).timestamp()) for hours in (1, -1))

LABELS: dict[str, tuple[set[str], str | None]] = {
    "unlabelled": (set(), None),
    "normal": ({f"{CONFIDENTIALITY}|N"}, "N"),
    "HIV": ({HIV, RESTRICTED}, "R"),
    "ETH": ({ETH, RESTRICTED}, "R"),
    "note": ({NOTE}, "V"),
    "part 2": ({PART_2}, "R"),
    "restricted": ({RESTRICTED}, "R"),
}
"""The columns."""

named = frozenset({HIV})
whole = frozenset({HIV, ETH, PART_2, RESTRICTED})
CONSENTS: dict[str, tuple[str, VerifiedConsent | None]] = {
    "none": (".......", None),
    "no label named": ("CC.....", verified()),
    "account": ("CCC....", verified(labels=named)),
    "all labels named": ("CCCC.CC", verified(labels=whole)),
    "notes named": ("....C..", verified(labels=frozenset({NOTE}))),
    "notes and more named": ("....C..", verified(labels=frozenset({NOTE, HIV, PART_2, ETH}))),
    "expired": (".......", verified(labels=whole, expiry=AGO)),
    "not begun": (".......", verified(labels=whole, not_before=SOON)),
    "another grantee": (".......", verified(labels=whole, grantee=Grantee(OTHER))),
    "another patient": (".......", verified(labels=whole, patient=STRANGER.sealing_address())),
    "another's exception": (".......", verified(grantee=Grantee(OTHER), exceptions=Exceptions(labels=named))),
    "expired exception": (".......", verified(expiry=AGO, exceptions=Exceptions(labels=named))),
    "unmet label excepted": ("xCC....", verified(labels=named, exceptions=Exceptions(labels=frozenset({"urn:x|SDV"})))),
    "label excepted": ("xCx....", verified(labels=named, exceptions=Exceptions(labels=named))),
    "excepted for research": ("xCx....", verified(purposes=frozenset({"HRESCH"}), exceptions=Exceptions(labels=named))),
    "type excepted": ("xxxxxxx", verified(labels=whole, exceptions=Exceptions(types=frozenset({"Condition"})))),
    "code excepted": ("xxxxxxx", verified(labels=whole, exceptions=Exceptions(codes=frozenset({"urn:x|1"})))),
}
"""The rows, for the consent's purpose; exceptions hold for every purpose."""
PURPOSE = {"excepted for research": "HRESCH"}
"""Of each other consent it is TREAT."""
BY_ROLE = {"hospital": "CCC...."}
CUT = {"unmet label excepted", "label excepted", "excepted for research"}
"""Consents that except a label: free parts of what is open stay shut."""

POLICY = SitePolicy(
    (
        Permit(frozenset({"TREAT", "HPAYMT"}), frozenset({"hospital", "clinic"})),
        Permit(frozenset({"HOPERAT"}), frozenset({"insurer"}), frozenset({"Condition"}), frozenset({HIV, RESTRICTED})),
    ),
    BreakGlass(frozenset({"hospital", "clinic"}), labels=frozenset({HIV, PART_2})),
)
SITE = {
    ("hospital", "TREAT", "Condition"): "SS.....",
    ("hospital", "TREAT", "Observation"): "SS.....",
    ("hospital", "HPAYMT", "Condition"): "SS.....",
    ("hospital", "HPAYMT", "Observation"): "SS.....",
    ("clinic", "TREAT", "Condition"): "SS.....",
    ("clinic", "TREAT", "Observation"): "SS.....",
    ("clinic", "HPAYMT", "Condition"): "SS.....",
    ("clinic", "HPAYMT", "Observation"): "SS.....",
    ("insurer", "HOPERAT", "Condition"): "SSS...S",
    ("hospital", "ETREAT", "Condition"): "BBB..B.",
    ("clinic", "ETREAT", "Condition"): "BBB..B.",
}
"""What that policy opens by role, purpose and type: nothing else."""

PURPOSES = ("TREAT", "HPAYMT", "HOPERAT", "ETREAT", "PATRQT", "HRESCH")
DUTIES = {
    ("C", "ETH"): {"part2-notice"},
    ("C", "part 2"): {"part2-notice"},
    ("B", "part 2"): {"emergency-notice", "part2-emergency-record"},
}


class Cell(NamedTuple):
    role: str
    purpose: str
    kind: str
    label: str
    state: str
    is_accredited: bool
    has_policy: bool
    interaction: str


def cells(role: str) -> Iterator[Cell]:
    states = [*CONSENTS, "role"]
    kinds, truths = ("Condition", "Observation"), (True, False)
    for each in product([role], PURPOSES, kinds, LABELS, states, truths, truths, ("r", "s", "c", "")):
        yield Cell(*each)


def stated(cell: Cell) -> str:
    """What the tables say: one letter."""
    at = list(LABELS).index(cell.label)
    row = BY_ROLE.get(cell.role, ".......") if cell.state == "role" else CONSENTS[cell.state][0]
    letter = row[at]
    if cell.state == "type excepted" and cell.kind != "Condition":
        letter = CONSENTS["all labels named"][0][at]
    if not cell.is_accredited or cell.interaction not in ("r", "s") or letter == "x":
        return "."
    if letter == "C" and cell.purpose == PURPOSE.get(cell.state, "TREAT"):
        return "C"
    return SITE.get((cell.role, cell.purpose, cell.kind), ".......")[at] if cell.has_policy else "."


def record_of(cell: Cell) -> RecordFacts:
    labels, confidentiality = LABELS[cell.label]
    return replace(
        RECORD,
        resource_type=cell.kind,
        labels=frozenset(labels),
        confidentiality=confidentiality,
        is_labelled=bool(labels),
        codes=frozenset({"urn:x|1"}) if cell.state == "code excepted" else RECORD.codes,
    )


ROLE_CONSENT = replace(verified(), terms=replace(TERMS, grantee=Grantee(role="hospital"), labels=named))


def decided(cell: Cell) -> Decision:
    consent = ROLE_CONSENT if cell.state == "role" else CONSENTS[cell.state][1]
    requester = replace(REQUESTER, roles=frozenset({cell.role}), purpose=cell.purpose, is_accredited=cell.is_accredited)
    policy = POLICY if cell.has_policy else SitePolicy()
    consents = [] if consent is None else [consent]
    return decide(requester, cell.interaction, record_of(cell), consents, policy, NOW)  # type: ignore[arg-type]  # "c" too


@pytest.mark.parametrize("role", ROLES)
def test_the_matrix(role: str) -> None:
    bases = {"C": Basis.CONSENT, "S": Basis.SITE_POLICY, "B": Basis.BREAK_GLASS, ".": Basis.NONE}
    count, wrong, opened = 0, [], dict.fromkeys(bases, 0)
    for cell in cells(role):
        letter, found = stated(cell), decided(cell)
        cut = letter != "." and cell.state in CUT
        duties = frozenset(DUTIES.get((letter, cell.label), {"emergency-notice"} if letter == "B" else set()))
        expected = (letter != ".", bases[letter], frozenset(Part) if cut else frozenset(), duties, letter == "C")
        if (found.is_permitted, found.basis, found.withheld, found.duties, found.consent is not None) != expected:
            wrong.append((cell, letter, found))
        assert found.is_permitted or found.reasons
        count += 1
        opened[letter] += 1
    assert wrong[:3] == []
    assert count == 6 * 2 * 7 * (len(CONSENTS) + 1) * 2 * 2 * 4
    assert opened["C"] > 100
    assert {letter for letter, times in opened.items() if times} == {
        "hospital": {"C", "S", "B", "."},
        "clinic": {"C", "S", "B", "."},
        "insurer": {"C", "S", "."},
    }.get(role, {"C", "."})
