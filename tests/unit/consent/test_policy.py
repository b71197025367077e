"""A site's policy: what it may say, and that a word it does not know is refused."""

from __future__ import annotations

import pytest

from chartseal.consent import BreakGlass, Permit, SitePolicy
from chartseal.consent.policy import EMERGENCY_CODES, EMERGENCY_TYPES, LARGEST_POLICY
from chartseal.errors import SitePolicyError
from tests.consents import ACT, ETH, HIV

WHOLE = f"""
[[permit]]
purposes = ["TREAT", "HPAYMT"]
roles = ["hospital", "clinic"]
[[permit]]
purposes = ["HOPERAT"]
roles = ["insurer"]
types = ["Claim"]
labels = ["{HIV}"]
[break_glass]
roles = ["hospital"]
types = ["Patient"]
codes = ["http://loinc.org|882-1"]
labels = ["{ACT}|42CFRPart2", "{ETH}"]
overrides_exceptions = true
[own_record]
notes = true
"""


def test_every_member() -> None:
    assert SitePolicy.from_toml(WHOLE) == SitePolicy(
        (
            Permit(frozenset({"TREAT", "HPAYMT"}), frozenset({"hospital", "clinic"})),
            Permit(frozenset({"HOPERAT"}), frozenset({"insurer"}), frozenset({"Claim"}), frozenset({HIV})),
        ),
        BreakGlass(
            frozenset({"hospital"}),
            frozenset({"Patient"}),
            frozenset({"http://loinc.org|882-1"}),
            frozenset({ETH, f"{ACT}|42CFRPart2"}),
            True,
        ),
        True,
    )
    assert SitePolicy.from_toml(WHOLE.encode()) == SitePolicy.from_toml(WHOLE)


def test_what_is_not_stated() -> None:
    assert SitePolicy.from_toml("") == SitePolicy((), None, False)
    glass = SitePolicy.from_toml('[break_glass]\nroles = ["hospital"]').break_glass
    assert glass == BreakGlass(frozenset({"hospital"}), EMERGENCY_TYPES, EMERGENCY_CODES, frozenset(), False)


PERMIT = '[[permit]]\npurposes = ["TREAT"]\nroles = ["hospital"]\n'
GLASS = '[break_glass]\nroles = ["hospital"]\n'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("permit", ""),
        ("permit = 1", "permit"),
        ("permit = [1]", "permit[0]"),
        ("other = 1", "other"),
        ("own_record = true", "own_record"),
        ("[own_record]\nnotes = 1", "own_record notes"),
        ("break_glass = 1", "break_glass"),
        ("[break_glass]", "break_glass roles"),
        (GLASS + 'types = ["Patients"]', "break_glass types"),
        (GLASS + 'codes = ["882-1"]', "break_glass codes"),
        (GLASS + f'labels = ["{ACT}|PSYTHPN"]', "break_glass labels"),
        (GLASS + 'overrides_exceptions = "yes"', "break_glass overrides_exceptions"),
        (GLASS + "purposes = []", "break_glass purposes"),
        (PERMIT + PERMIT + "extra = 1", "permit[1] extra"),
        (PERMIT + 'types = "Patient"', "permit[0] types"),
        (PERMIT + "types = [1]", "permit[0] types"),
        (PERMIT + f'labels = ["{ACT}|42CFRPart2"]', "permit[0] labels"),
        (PERMIT + f'labels = ["{ACT}|HIPAAPsyNotes"]', "permit[0] labels"),
        (PERMIT + 'labels = ["HIV"]', "permit[0] labels"),
        ('[[permit]]\npurposes = ["ETREAT"]\nroles = ["hospital"]', "permit[0] purposes"),
        ('[[permit]]\npurposes = []\nroles = ["hospital"]', "permit[0] purposes"),
        ('[[permit]]\nroles = ["hospital"]', "permit[0] purposes"),
        ('[[permit]]\npurposes = ["TREAT"]', "permit[0] roles"),
        ('[[permit]]\npurposes = ["TREAT"]\nroles = []', "permit[0] roles"),
        ('[[permit]]\npurposes = ["TREAT"]\nroles = ["*"]', "permit[0] roles"),
    ],
)
def test_what_no_policy_says(text: str, place: str) -> None:
    with pytest.raises(SitePolicyError) as caught:
        SitePolicy.from_toml(text)
    assert (caught.value.code, caught.value.path) == ("site_policy_malformed", place)


def test_the_largest_policy() -> None:
    assert SitePolicy.from_toml(PERMIT.ljust(LARGEST_POLICY)).permits
    with pytest.raises(SitePolicyError) as caught:
        SitePolicy.from_toml(PERMIT.ljust(LARGEST_POLICY + 1))
    assert caught.value.code == "limit_exceeded"
