"""A site's policy: what its law lets it answer without a consent, and in an emergency. TOML, every member known.

Nothing that is not stated is permitted; an empty policy permits nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chartseal.consent.vocabulary import is_note, is_part_2, resource_types
from chartseal.errors import SitePolicyError
from chartseal.verification.chain import ROLES

LARGEST_POLICY = 1 << 20
"""Bytes of TOML."""
SITE_PURPOSES = frozenset({"TREAT", "HPAYMT", "HOPERAT"})
"""Treatment, payment and operations: what a site may permit without the patient (45 CFR 164.506)."""
LOINC = "http://loinc.org"
BLOOD_GROUPS = frozenset(f"{LOINC}|{code}" for code in ("882-1", "883-9", "10331-7"))
"""ABO and Rh, ABO, Rh: to be shown as not for transfusion."""
EMERGENCY_TYPES = frozenset(
    {
        "AllergyIntolerance",
        "Condition",
        "Device",
        "DeviceUseStatement",
        "Medication",
        "MedicationRequest",
        "MedicationStatement",
        "Patient",
        "RelatedPerson",
    }
)
"""Identity, contacts, allergies, problems, medications, implants."""
EMERGENCY_CODES = BLOOD_GROUPS | frozenset(
    f"{LOINC}|{code}" for code in ("82810-3", "11778-8", "42348-3", "75320-2", "64298-3")
)
"""Of any type: pregnancy status and expected delivery, advance directives and powers of attorney, blood group."""


@dataclass(frozen=True, slots=True)
class Permit:
    """What a site answers to a role for a purpose.

    Raises:
        SitePolicyError: an unknown purpose, role or type, none at all, or a label that no site's policy opens.
    """

    purposes: frozenset[str]
    """Of `SITE_PURPOSES`."""
    roles: frozenset[str]
    types: frozenset[str] = frozenset()
    """Empty for any."""
    labels: frozenset[str] = frozenset()
    """Security labels, "system|code", that the site's law lets it open so."""

    def __post_init__(self) -> None:
        """Refuse what no policy may say."""
        if not self.purposes or not self.purposes <= SITE_PURPOSES:
            raise SitePolicyError(f"a permit has purposes, of {', '.join(sorted(SITE_PURPOSES))}", path="purposes")
        _require_roles(self.roles)
        _require_types(self.types)
        if any(is_part_2(each) for each in self.labels):
            raise SitePolicyError("what a Part 2 programme recorded needs a consent", path="labels")
        _require_labels(self.labels)


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """What a site answers to a clinician who states an emergency.

    Raises:
        SitePolicyError: as `Permit`.
    """

    roles: frozenset[str]
    types: frozenset[str] = EMERGENCY_TYPES
    codes: frozenset[str] = EMERGENCY_CODES
    """Of any other type, records that have one of these as code or category."""
    labels: frozenset[str] = frozenset()
    """Security labels that the site's law lets it open in an emergency (42 CFR 2.51 among them)."""
    overrides_exceptions: bool = False
    """Whether what a patient excepted from a consent is opened (45 CFR 164.522(a)(1)(iii))."""

    def __post_init__(self) -> None:
        """Refuse what no policy may say."""
        _require_roles(self.roles)
        _require_types(self.types)
        _require_labels(self.labels)
        _require_coded(self.codes, "codes")


@dataclass(frozen=True, slots=True)
class SitePolicy:
    """A site's whole policy. The empty one leaves all to consents, and to patients their own records."""

    permits: tuple[Permit, ...] = ()
    break_glass: BreakGlass | None = None
    own_notes: bool = field(default=False)
    """Whether a patient's own app reads psychotherapy notes; 45 CFR 164.524(a)(1)(i) gives no right to."""

    @classmethod
    def from_toml(cls, text: bytes | str) -> SitePolicy:
        """Read `[[permit]]` (purposes, roles, types, labels), `[break_glass]` and `[own_record] notes`.

        Raises:
            SitePolicyError: not such TOML; `path` names where.
        """
        data = _members(_parsed(text), "", {"permit", "break_glass", "own_record"})
        permits = data.get("permit", [])
        if not isinstance(permits, list):
            raise SitePolicyError("expected tables", path="permit")
        glass, own = data.get("break_glass"), data.get("own_record", {})
        return cls(
            tuple(_permit(each, f"permit[{at}]") for at, each in enumerate(permits)),
            None if glass is None else _break_glass(glass),
            _flag(_members(own, "own_record", {"notes"}), "notes", "own_record"),
        )


def _permit(data: Any, place: str) -> Permit:
    table = _members(data, place, {"purposes", "roles", "types", "labels"})
    made: Permit = _placed(place, Permit, {name: _texts(table, name, place) for name in table})
    return made


def _break_glass(data: Any) -> BreakGlass:
    table = _members(data, "break_glass", {"roles", "types", "codes", "labels", "overrides_exceptions"})
    overrides = _flag(table, "overrides_exceptions", "break_glass")
    texts = {name: _texts(table, name, "break_glass") for name in table if name != "overrides_exceptions"}
    made: BreakGlass = _placed("break_glass", BreakGlass, {**texts, "overrides_exceptions": overrides})
    return made


def _placed(place: str, kind: type[Any], members: Mapping[str, Any]) -> Any:
    """Make it, and name the table in what it refuses."""
    missing = {"roles", *({"purposes"} if kind is Permit else ())} - members.keys()
    if missing:
        raise SitePolicyError("is missing", path=f"{place} {min(missing)}")
    try:
        return kind(**members)
    except SitePolicyError as exc:
        raise SitePolicyError(exc.detail, path=f"{place} {exc.path}") from exc


def _parsed(text: bytes | str) -> Mapping[str, Any]:
    if len(text) > LARGEST_POLICY:
        raise SitePolicyError("the policy is too long", "limit_exceeded")
    try:
        return tomllib.loads(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as exc:
        raise SitePolicyError("not TOML") from exc


def _members(data: Any, place: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise SitePolicyError("expected a table", path=place)
    if unknown := data.keys() - known:
        raise SitePolicyError("no such member", path=f"{place} {min(unknown)}".strip())
    return data


def _texts(table: Mapping[str, Any], name: str, place: str) -> frozenset[str]:
    items = table[name]
    if not isinstance(items, list) or any(not isinstance(each, str) for each in items):
        raise SitePolicyError("expected a list of texts", path=f"{place} {name}")
    return frozenset(items)


def _flag(table: Mapping[str, Any], name: str, place: str) -> bool:
    value = table.get(name, False)
    if not isinstance(value, bool):
        raise SitePolicyError("expected true or false", path=f"{place} {name}")
    return value


def _require_roles(roles: frozenset[str]) -> None:
    if not roles or not roles <= frozenset(ROLES):
        raise SitePolicyError(f"expected roles, of {', '.join(ROLES)}", path="roles")


def _require_types(types: frozenset[str]) -> None:
    if not types <= resource_types():
        raise SitePolicyError("not a resource type of R4", path="types")


def _require_labels(labels: frozenset[str]) -> None:
    _require_coded(labels, "labels")
    if any(is_note(each) for each in labels):
        raise SitePolicyError("psychotherapy and counselling notes need a consent of their own", path="labels")


def _require_coded(coded: Iterable[str], name: str) -> None:
    if any(not all(each.rpartition("|")[::2]) for each in coded):
        raise SitePolicyError("expected system|code", path=name)
