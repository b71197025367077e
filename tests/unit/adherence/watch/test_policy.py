"""Policies: read exactly, held to their ranges, strict."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from chartseal.adherence.watch import WatchPolicy
from chartseal.errors import AdherenceError

TEXT = """
late_refill_days = 5
threshold = 0.85
kinds = ["late_refill", "discontinuation"]
severity = { late_refill = "high" }

[class.anticoagulants]
late_refill_days = 2
"""


def test_a_policy_and_what_differs_for_a_class(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(TEXT)
    policy = WatchPolicy.load(path)
    assert policy.threshold == Fraction(17, 20)
    assert policy.severity_of("late_refill") == "high"
    assert policy.kinds == {"late_refill", "discontinuation"}
    assert (policy.of("statins").late_refill_days, policy.of("anticoagulants").late_refill_days) == (5, 2)
    assert policy.of("anticoagulants").threshold == Fraction(17, 20)


def test_an_empty_policy_is_the_default() -> None:
    assert WatchPolicy.loads("") == WatchPolicy()


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("late_refil_days = 5", "late_refil_days"),
        ("late_refill_days = 0", "late_refill_days"),
        ("late_refill_days = 5.0", "late_refill_days"),
        ("late_refill_days = true", "late_refill_days"),
        ("late_refill_days = 60", "late_refill_days"),
        ("permissible_gap_days = 3661", "permissible_gap_days"),
        ("threshold = 1.01", "threshold"),
        ("threshold = 0", "threshold"),
        ("threshold = nan", "threshold"),
        ("threshold = 1e-10", "threshold"),
        ("threshold = 1e999999999", "threshold"),
        ("overuse_ratio = true", "overuse_ratio"),
        ('kinds = ["late"]', "kinds"),
        ('kinds = "late_refill"', "kinds"),
        ('severity = { late_refill = "grave" }', "severity"),
        ("class = 3", "class"),
        ("class = { a = 3 }", "class"),
        ("[class.a]\nclasses = 3", "classes"),
        ("late_refill_days =", None),
        ("[" * 100_000, None),
    ],
)
def test_what_a_policy_is_not(text: str, member: str | None) -> None:
    with pytest.raises(AdherenceError) as caught:
        WatchPolicy.loads(text)
    assert (caught.value.code, caught.value.path) == ("policy_invalid", member or "")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    (tmp_path / "long.toml").write_bytes(b"#" * ((1 << 20) + 1))
    for name, code in (
        ("bytes.toml", "policy_invalid"),
        ("long.toml", "policy_invalid"),
        ("missing.toml", "policy_unreadable"),
    ):
        with pytest.raises(AdherenceError) as caught:
            WatchPolicy.load(tmp_path / name)
        assert caught.value.code == code
