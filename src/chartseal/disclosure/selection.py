"""What opens: fields chosen by readable paths or by a code, and with each the reason why it travels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chartseal.attestation import PrivateData, UnverifiedPackage
from chartseal.disclosure.about import CHOSEN, Chart, CodeQuery
from chartseal.disclosure.paths import CONTROL, NameReader, Pattern
from chartseal.disclosure.witness import ProvableClaim, ProvableCredential
from chartseal.errors import SelectionError
from chartseal.record import Field, Opened, open_along

_PAD = "chartseal.pad["


class HeldRecord(Protocol):
    """A sealed record as its holder keeps it: every field, and what the salts come from."""

    @property
    def resource_type(self) -> str:
        """The FHIR resource type."""

    @property
    def fields(self) -> Sequence[Field]:
        """All fields, control fields and pads included."""

    @property
    def detached(self) -> Sequence[tuple[str, str]]:
        """Base64 texts too long for a leaf, by the name of the field that holds their hash."""

    @property
    def package(self) -> UnverifiedPackage:
        """The seal."""

    @property
    def enc(self) -> bytes:
        """What the holder's wallet recomputes the subject's key from: 32 bytes."""

    @property
    def subject(self) -> bytes:
        """The record's one-time holder key, packed: 32 bytes."""

    @property
    def private_data(self) -> PrivateData:
        """All leaves with their salts, in the order of `fields`."""

    @property
    def claims(self) -> Sequence[ProvableClaim]:
        """What can be proved of it: all claims with their salts, in the order of their leaves."""

    @property
    def credential(self) -> ProvableCredential | None:
        """The issuer's signature over the claims, for anonymous proofs; older records have none."""

    def check(self) -> None:
        """Refuse a record whose trees, slots, names, pads or signature do not hold."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What opens of one record, in the order of its fields."""

    record: HeldRecord
    opened: tuple[Opened, ...]
    cause: str = ""
    """Why the record is shown at all, where it was not chosen itself."""

    def travelling(self) -> tuple[Opened, ...]:
        """What opens without having been chosen, with the reasons."""
        return tuple(each for each in self.opened if each.reason != CHOSEN)


@dataclass(frozen=True, slots=True)
class Selection:
    """What opens of all records; records of which nothing was chosen are left out."""

    choices: tuple[Choice, ...]


def select(records: Iterable[HeldRecord], patterns: Iterable[str] = (), *, about: Iterable[str] = ()) -> Selection:
    """Choose fields by readable paths (see `paths`) and records by codes (see `about.CodeQuery`).

    Control fields that are opened by choice (`chartseal.person`, `chartseal.fullUrl`, `chartseal.amends`,
    `chartseal.names`) are named exactly, and open in the records that something else chose. A medication or result
    whose record is among `records` brings what travels in that record.

    Raises:
        SelectionError: a path or code is malformed (`pattern_malformed`), chooses nothing (`pattern_unmatched`), or is
            a pad's name (`pad_chosen`).
    """
    chart = Chart(list(records))
    chosen: list[dict[str, str]] = [{} for _ in chart.records]  # of each record, names with why they were chosen
    control, paths = _parted(list(patterns))
    _choose_by_path(chart, paths, chosen)
    for code in about:
        CodeQuery.parse(code).choose(chart, chosen)
    _choose_control(chart, control, chosen)
    causes = _follow(chart, chosen)
    return Selection(
        tuple(
            Choice(record, tuple(_opened(record, names)), causes.get(at, ""))
            for at, (record, names) in enumerate(zip(chart.records, chosen, strict=True))
            if names
        )
    )


def everything(record: HeldRecord, *, control: Collection[str] = (), without: Iterable[str] = ()) -> Selection:
    """One record with all of its resource open, but for what the paths `without` name (see `paths`; those may name
    nothing). Control fields that are opened by choice stay shut, but those named exactly in `control`.

    Raises:
        SelectionError: a path is malformed (`pattern_malformed`), a control field is a pad (`pad_chosen`) or not there
            (`pattern_unmatched`), nothing is left to open (`nothing_selected`), or what a path names travels with what
            is left (`withheld_travels`): then the record cannot be shown without it.
    """
    shut = _shut(record, [Pattern.parse(text) for text in without])
    names = {each.name: CHOSEN for each in record.fields if not each.name.startswith(CONTROL) and each.name not in shut}
    if not names:
        raise SelectionError("nothing is left to open", "nothing_selected", record.resource_type)
    named, _ = _parted([name if name.startswith(CONTROL) else CONTROL + name for name in control])
    _choose_control(Chart([record]), named, [names])
    opened = tuple(_opened(record, names))
    for each in opened:
        if each.name in shut:
            raise SelectionError("what was to stay shut travels with what opens", "withheld_travels", each.name)
    return Selection((Choice(record, opened),))


def _shut(record: HeldRecord, patterns: Sequence[Pattern]) -> set[str]:
    """The record's fields that these paths name."""
    if not patterns:
        return set()
    reader = NameReader(record.resource_type, record.fields)
    names = [each.name for each in record.fields if not each.name.startswith(CONTROL)]
    return {name for name in names if any(pattern.matches(reader.steps(name)) for pattern in patterns)}


def about_code(records: Iterable[HeldRecord], code: str) -> Selection:
    """Everything about one code, `system|code` or `code`: what exactly, `about.CodeQuery` says.

    Raises:
        SelectionError: malformed, or no record has it.
    """
    return select(records, about=[code])


def _parted(patterns: list[str]) -> tuple[list[str], list[Pattern]]:
    if any(pattern.startswith(_PAD) for pattern in patterns):
        raise SelectionError("pads never open", "pad_chosen", _PAD)
    control = [pattern for pattern in patterns if pattern.startswith(CONTROL)]
    return control, [Pattern.parse(pattern) for pattern in patterns if not pattern.startswith(CONTROL)]


def _choose_by_path(chart: Chart, patterns: Sequence[Pattern], chosen: list[dict[str, str]]) -> None:
    unmatched = {pattern.text for pattern in patterns}
    codes = {pattern.code: CodeQuery.parse(pattern.code) for pattern in patterns if pattern.code}
    for at, (record, names) in enumerate(zip(chart.records, chosen, strict=True)):
        reader = NameReader(record.resource_type, record.fields)
        meant = [each for each in patterns if not each.code or codes[each.code].matches(chart, at)]
        for field in record.fields if meant else ():
            if field.name.startswith(CONTROL):
                continue
            steps = reader.steps(field.name)
            matching = [pattern.text for pattern in meant if pattern.matches(steps)]
            if matching:
                names[field.name] = CHOSEN
                unmatched.difference_update(matching)
    for pattern in patterns:
        if pattern.text in unmatched:
            raise SelectionError("no field of any record is there", path=pattern.text)


def _choose_control(chart: Chart, control: Sequence[str], chosen: list[dict[str, str]]) -> None:
    """Only in records that something else chose: else naming `chartseal.person` would show every record there is."""
    for name in control:
        found = False
        for record, names in zip(chart.records, chosen, strict=True):
            if names and any(field.name == name for field in record.fields):
                names[name], found = CHOSEN, True
        if not found:
            raise SelectionError("no record that is chosen otherwise has this control field", path=name)


def _opened(record: HeldRecord, names: Mapping[str, str]) -> list[Opened]:
    opened = open_along(record.resource_type, record.fields, names)
    return [Opened(name, names.get(name, reason) if reason == CHOSEN else reason) for name, reason in opened]


def _follow(chart: Chart, chosen: list[dict[str, str]]) -> dict[int, str]:
    """Bring what travels in the records that opened medication and result references name; why, by record."""
    causes: dict[int, str] = {}
    waiting = [at for at, names in enumerate(chosen) if names]
    while waiting:
        at = waiting.pop()
        record = chart.records[at]
        for opened in _opened(record, chosen[at]):
            target = chart.target(at, opened.name) if _is_followed(opened.name) else None
            if target is None or target == at:
                continue
            if not chosen[target]:
                causes[target] = f"named by {opened.name}"
            chart.choose_link(chosen, at, target)
            if chart.choose_travelling(chosen, target):
                waiting.append(target)
    return causes


def _is_followed(name: str) -> bool:
    """The reference of a medication, or a result of a report."""
    plain = name.split("+")[0]
    return plain.endswith(".medicationReference.reference") or (
        plain.startswith("DiagnosticReport.result[") and plain.endswith("].reference")
    )
