"""What a clinic calls late, low or too much: thresholds, strict in TOML, for all classes or for one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeAlias

from chartseal.errors import AdherenceError

Kind: TypeAlias = Literal[
    "class_switch",
    "discontinuation",
    "dose_change",
    "gap_days_low",
    "ingredient_switch",
    "late_refill",
    "overuse",
    "pdc_drop",
    "pdc_low",
    "primary_nonadherence",
    "restart",
    "stock_high",
    "supply_unknown",
]
Severity: TypeAlias = Literal["high", "moderate", "low"]
"""As FHIR's DetectedIssue.severity."""

SEVERITIES: Mapping[Kind, Severity] = {
    "class_switch": "low",
    "discontinuation": "high",
    "dose_change": "low",
    "gap_days_low": "moderate",  # high once the threshold is out of reach
    "ingredient_switch": "low",
    "late_refill": "moderate",
    "overuse": "moderate",
    "pdc_drop": "low",
    "pdc_low": "moderate",
    "primary_nonadherence": "moderate",
    "restart": "low",
    "stock_high": "moderate",
    "supply_unknown": "low",
}
"""Every kind, and how grave it is unless a policy says otherwise."""

_LARGEST_POLICY = 1 << 20
_MOST_DAYS = 3_660
_MOST_CLASSES = 1_000
_RATIOS = {"threshold": Fraction(1), "drop": Fraction(1), "overuse_ratio": Fraction(100)}


@dataclass(frozen=True)
class WatchPolicy:
    """Thresholds. Days are days at home: those of a hospital or nursing stay do not count (`supply.HomeDays`).

    `classes` holds whole policies of single classes; severities and kinds are those of the class, too.
    """

    late_refill_days: int = 7
    """Days without supply after which a refill is late."""
    permissible_gap_days: int = 60
    """Days without supply that are no discontinuation: one more is (the same midstream and at the end)."""
    first_fill_days: int = 30
    """Days after a prescription within which it is filled, or never was begun."""
    new_use_days: int = 180
    """A prescription is a new one where the class was not filled for so long before it."""
    stock_days: int = 180
    """Days on hand after a fill, of one ingredient, that are not too many."""
    overuse_ratio: Fraction = Fraction(6, 5)
    """Days supplied by days gone by, from fill to fill, that are not too many."""
    overuse_window_days: int = 180
    """Fills that the ratio looks at: of so many days up to the last, over half of them at least."""
    threshold: Fraction = Fraction(4, 5)
    """PDC that counts as adherent."""
    sliding_days: int = 90
    """Length of the windows of early signs."""
    drop: Fraction = Fraction(1, 5)
    """Fall of the PDC of one window against the one before that is a sign."""
    gap_days_left: int = 14
    """A year's gap days still allowed before its PDC falls under the threshold, fewer than which are a sign."""
    notice_days: int = 30
    """How long news (a restart, a switch, a change of dose) stay active."""
    keep_days: int = 365
    """How long what is over is kept, and after which an unanswered alert lapses."""
    kinds: frozenset[Kind] = frozenset(SEVERITIES)
    """What is watched at all."""
    severity: Mapping[Kind, Severity] = field(default_factory=dict)
    classes: Mapping[str, WatchPolicy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in fields(self):
            _check(each.name, getattr(self, each.name))
        if self.late_refill_days >= self.permissible_gap_days:
            raise AdherenceError("a refill is late before a treatment is over", "policy_invalid", "late_refill_days")

    def of(self, medication_class: str) -> WatchPolicy:
        """The policy of one class."""
        return self.classes.get(medication_class, self)

    def severity_of(self, kind: Kind) -> Severity:
        """How grave a kind of alert is."""
        return self.severity.get(kind, SEVERITIES[kind])

    @classmethod
    def load(cls, path: Path) -> WatchPolicy:
        """A policy from a TOML file.

        Raises:
            AdherenceError: `policy_unreadable`, `policy_invalid`.
        """
        try:
            with path.open("rb") as stream:
                data = stream.read(_LARGEST_POLICY + 1)
            if len(data) > _LARGEST_POLICY:
                raise AdherenceError("the policy is too long", "policy_invalid", path.name)
            return cls.loads(data.decode())
        except OSError as exc:
            raise AdherenceError(f"cannot be read: {exc.strerror}", "policy_unreadable", path.name) from exc
        except UnicodeDecodeError as exc:
            raise AdherenceError("not UTF-8", "policy_invalid", path.name) from exc

    @classmethod
    def loads(cls, text: str) -> WatchPolicy:
        """A policy from TOML: members as above, `[class.NAME]` what differs for one class. Numbers are read exactly.

        Raises:
            AdherenceError: `policy_invalid`, with the member.
        """
        try:
            members = tomllib.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError, ArithmeticError) as exc:
            raise AdherenceError("not TOML", "policy_invalid") from exc
        classes = members.pop("class", {})
        if not isinstance(classes, dict) or len(classes) > _MOST_CLASSES:
            raise AdherenceError(f"expected at most {_MOST_CLASSES} tables", "policy_invalid", "class")
        general = _replaced(cls(), members)
        return replace(general, classes={name: _replaced(general, each) for name, each in classes.items()})

    def to_json(self) -> dict[str, Any]:
        """Every member, in a form that is the same for the same policy."""
        members: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        members |= {name: str(members[name]) for name in _RATIOS}
        members["kinds"] = sorted(self.kinds)
        members["severity"] = dict(sorted(self.severity.items()))
        members["classes"] = {name: each.to_json() for name, each in sorted(self.classes.items())}
        return members


def _replaced(policy: WatchPolicy, members: Any) -> WatchPolicy:
    """The policy with some members set.

    Raises:
        AdherenceError: `policy_invalid`.
    """
    known = {each.name for each in fields(policy)} - {"classes"}
    if not isinstance(members, dict):
        raise AdherenceError("expected a table", "policy_invalid", "class")
    if unknown := sorted(members.keys() - known):
        raise AdherenceError("no such member", "policy_invalid", unknown[0])
    return replace(policy, **{name: _read(name, value) for name, value in members.items()})


def _read(name: str, value: Any) -> Any:
    if name in _RATIOS and isinstance(value, int | Decimal) and not isinstance(value, bool):
        if isinstance(value, Decimal) and (not value.is_finite() or abs(value.as_tuple().exponent) > 9):  # type: ignore[arg-type] # finite: an int
            raise AdherenceError("expected a plain decimal", "policy_invalid", name)
        return Fraction(value)
    if name == "kinds" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return frozenset(value)
    return value


def _check(name: str, value: Any) -> None:
    """Hold a member to its type and range.

    Raises:
        AdherenceError: `policy_invalid`.
    """
    if name == "kinds":
        valid = isinstance(value, frozenset) and value <= SEVERITIES.keys()
    elif name == "severity":
        valid = isinstance(value, Mapping) and value.keys() <= SEVERITIES.keys()
        valid = valid and all(each in ("high", "moderate", "low") for each in value.values())
    elif name == "classes":
        valid = isinstance(value, Mapping) and all(isinstance(each, WatchPolicy) for each in value.values())
    elif name in _RATIOS:
        valid = isinstance(value, Fraction) and 0 < value <= _RATIOS[name]
    else:
        valid = type(value) is int and 1 <= value <= _MOST_DAYS
    if not valid:
        raise AdherenceError("has no value of its kind and range", "policy_invalid", name)
