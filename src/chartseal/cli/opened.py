"""Tables of what a disclosure opens, and of what a record holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chartseal.attestation import checksum_address, to_hex
from chartseal.disclosure import Row, Selection, UnverifiedDisclosure, UnverifiedRecord, preview
from chartseal.record import Field

_CONTROL = "chartseal."
_SLOTS = "chartseal.slots."
_LONGEST_VALUE = 160
_TECHNICAL = frozenset(
    f"{_CONTROL}{name}" for name in ("format", "fhirVersion", "resourceType", "subject", "claims", "names")
)
"""Control fields that are the same in all records, or random to who reads them."""
_LONGEST_NAME = 4_096
"""Longer names are no record's; counting them would take as long as their square."""


def printable(text: str) -> str:
    """A text for a terminal: control characters shown as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def value_text(value: object) -> str:
    """A value for a terminal, a long one cut."""
    text = printable(to_hex(value) if isinstance(value, bytes) else str(value))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text):,} characters)"


def is_technical(name: str) -> bool:
    """Whether a field says nothing about the patient: counts of fields, format, type, keys and roots."""
    return name in _TECHNICAL or name.startswith(_SLOTS)


def new_table(title: str, *columns: str) -> Table:
    """An empty table whose cells wrap."""
    table = Table(title=Text(title), title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_disclosure(disclosure: UnverifiedDisclosure, console: Console, *, control: bool) -> None:
    """Per record: opened fields, and how many are withheld; nothing here is verified."""
    rows = preview(disclosure)
    for at, record in enumerate(disclosure.records):
        own = [row for row in rows if row.record == at]
        table = new_table(_title(record, own), "field", "value")
        for row in own:
            if control or not is_technical(row.name):
                table.add_row(Text(value_text(row.name)), Text(value_text(row.value.value)))
        console.print(table)
        console.print(Text(f"withheld: {printable(withheld_text(own))}\n"))


def _title(record: UnverifiedRecord, rows: Sequence[Row]) -> str:
    resource_type = rows[0].resource_type if rows else "?"
    signer, uid = checksum_address(record.package.signer), to_hex(record.package.uid)
    by_proxy = ", signed by a proxy" if record.delegation is not None else ""
    return f"{value_text(resource_type)}  sealed by {signer}, uid {uid}{by_proxy}"


def withheld(rows: Iterable[Row]) -> dict[str, int]:
    """Fields that the opened slots count and that are not opened, by container and slot."""
    listed = list(rows)
    counted: dict[str, int] = {}
    for row in listed:
        if row.name.startswith(_SLOTS):
            path = row.name.removeprefix(_SLOTS)
            counted.update((f"{path}.{name}", count) for name, count in _tell_slots(str(row.value.value)))
    shown = Counter(slot for row in listed for slot in _slots_above(row.name) if slot in counted)
    left = {slot: count - shown[slot] for slot, count in counted.items()}
    return {slot: count for slot, count in left.items() if count > 0}


def _tell_slots(text: str) -> list[tuple[str, int]]:
    """(name, count) of slots that need not travel."""
    parts = (item.partition("~") for item in text.split(","))
    return [(name, int(count)) for name, sign, count in parts if sign and count.isdecimal() and len(count) < 10]


def _slots_above(name: str) -> Iterator[str]:
    """Slots that a field may lie in: its element and those above; of a choice, by its base name."""
    if len(name) <= _LONGEST_NAME and not name.startswith(_CONTROL):
        yield from (name[:end] for end in range(1, len(name) + 1) if not name[end : end + 1].islower())


def withheld_text(rows: Iterable[Row]) -> str:
    """The counted withheld fields in words. What no slot counts is not told apart from what is not there."""
    found = withheld(rows)
    if not found:
        return "nothing that slots count (other elements are not told apart from absent ones)"
    return ", ".join(f"{name} ({count})" for name, count in sorted(found.items()))


def print_selection(selection: Selection, console: Console) -> None:
    """What opens and why, before anything is signed."""
    for choice in selection.choices:
        signer = checksum_address(choice.record.package.signer)
        cause = f"  ({choice.cause})" if choice.cause else ""
        table = new_table(f"{choice.record.resource_type}  sealed by {signer}{cause}", "opens", "value", "why")
        values = {each.name: each.value for each in choice.record.fields}
        for opened in choice.opened:
            if not is_technical(opened.name):
                table.add_row(Text(value_text(opened.name)), Text(value_text(values[opened.name])), Text(opened.reason))
        console.print(table)
        technical = sum(is_technical(opened.name) for opened in choice.opened)
        hidden = sum(not each.name.startswith("chartseal.pad[") for each in choice.record.fields) - len(choice.opened)
        told = f"besides {technical} technical fields (format, type, keys, counts of fields); {hidden} fields stay shut"
        console.print(Text(told + "\n"))


def selection_to_json(selection: Selection) -> list[dict[str, object]]:
    """The same for a program, without values."""
    return [
        {
            "resourceType": choice.record.resource_type,
            "cause": choice.cause,
            "opens": [{"name": opened.name, "reason": opened.reason} for opened in choice.opened],
        }
        for choice in selection.choices
    ]


def print_record(resource_type: str, fields: Sequence[Field], title: str, console: Console) -> None:
    """All fields of a sealed record, control fields left out."""
    table = new_table(f"{value_text(resource_type)}  {title}", "field", "value")
    for each in fields:
        if not each.name.startswith(_CONTROL):
            table.add_row(Text(value_text(each.name)), Text(value_text(each.value)))
    console.print(table)
    console.print()
