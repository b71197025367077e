"""What must travel with an opened field, and how a verifier recounts it. Rows and reasons: slots.tsv."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chartseal import _core
from chartseal.record.fields import Field


class Opened(NamedTuple):
    """A field that opens, and why in plain words."""

    name: str
    reason: str


class Slot(NamedTuple):
    """A slot as a verifier sees it; `state` is `absent`, `withheld`, `partly` or `shown`."""

    name: str
    travels: bool
    fields: int
    shown: int
    state: str


class Container(NamedTuple):
    """A resource, contained resource, backbone element or datatype of which something is shown."""

    path: str
    slots: tuple[Slot, ...]


def open_along(resource_type: str, fields: Sequence[Field], chosen: Iterable[str]) -> list[Opened]:
    """Everything that opens when the `chosen` names do: they, what travels with them, slots and control fields.

    Raises:
        RecordError: `field_unknown`, `pad_chosen`, or a name that is no path of the type.
    """
    return [Opened(*opened) for opened in _core.close_over(resource_type, list(fields), list(chosen))]


def recount(resource_type: str, opened: Sequence[Field]) -> list[Container]:
    """Check that everything that travels with the opened fields is there, and say what is absent or withheld.

    Raises:
        RecordError: `slots_missing`, `slots_row`, `slots_partly_shown`, `slots_exceeded`, `twin_incomplete`, …
    """
    found = _core.recount_slots(resource_type, list(opened))
    return [Container(path, tuple(Slot(*slot) for slot in slots)) for path, slots in found]
