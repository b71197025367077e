"""What of a record is shown: all, or all but the parts that a decision withholds.

A part is left out with everything that lies in it; what must travel with the rest travels (docs/format.md, slots).
Where the rest could not stand without it, nothing is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

from chartseal.consent import Part
from chartseal.disclosure import Choice, Selection
from chartseal.errors import RecordError
from chartseal.record import open_along, rebuild
from chartseal.sealing import SealedRecord

_INDEX = re.compile(r"\[[0-9]+\]", re.ASCII)
_FREE_TEXTS = frozenset({"comment", "contentString", "processNote"})
"""Elements besides Annotations that hold people's free text and nothing else."""
_ATTACHMENT = frozenset({"contentType", "creation", "data", "hash", "language", "size", "title", "url"})
"""Members of an Attachment: hl7.org/fhir/R4/datatypes.html#Attachment."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A record as it is answered."""

    text: str = field(repr=False)
    """R4 JSON, numbers as they were sealed; tagged SUBSETTED where it is cut."""
    unopened: tuple[str, ...]
    """Positions of lists that are left out."""
    selection: Selection | None = field(repr=False)
    """What opens of a record that is cut; None where all does."""


def show(record: SealedRecord, withheld: Set[Part]) -> Shown | None:
    """The record without what is withheld; None where no part of it can stand so.

    Raises:
        RecordError: its fields contradict each other.
    """
    if record.resource_type == "Binary" and Part.ATTACHMENTS in withheld:
        return None  # it is one
    dropped = _within(record, withheld)
    if not dropped:
        return Shown(rebuild(record.resource_type, record.fields, record.detached).text, (), None)
    # Control fields open along, but those that are opened by choice: they would link the record, or confirm a guess.
    own = [each.name for each in record.fields if not each.name.startswith("chartseal.")]
    chosen = [name for name in own if name not in dropped]
    return _cut(record, chosen, dropped)


def _cut(record: SealedRecord, chosen: Sequence[str], dropped: Set[str]) -> Shown | None:
    if not chosen:
        return None
    try:
        opened = open_along(record.resource_type, record.fields, chosen)
    except RecordError:
        return None
    names = {each.name for each in opened}
    if names & dropped:  # a part that travels with the rest: withheld, the rest would say something else
        return None
    fields = [each for each in record.fields if each.name in names]
    detached = [each for each in record.detached if each[0] in names]
    text, unopened = rebuild(record.resource_type, fields, detached, partial=True)
    return Shown(text, unopened, Selection((Choice(record, tuple(opened)),)))


def _within(record: SealedRecord, withheld: Set[Part]) -> set[str]:
    """Names of the fields that lie in a part which is withheld."""
    found = set()
    parts = set[tuple[str, ...]]()  # what is left out whole: names' steps, indices included
    steps_of = {each.name: _steps(each.name) for each in record.fields if not each.name.startswith("chartseal.")}
    for steps in steps_of.values():
        parts.update(steps[:end] for end in _ends(steps, withheld))
    for name, steps in steps_of.items():
        if any(steps[:end] in parts for end in range(1, len(steps) + 1)):
            found.add(name)
    return found


def _steps(name: str) -> tuple[str, ...]:
    """A name's steps, indices included; what is said about a primitive (its `_` twin) stands with it."""
    return tuple(step.removeprefix("_") for step in name.partition("+")[0].split("."))


def _ends(steps: tuple[str, ...], withheld: Set[Part]) -> Iterator[int]:
    """How many of a name's steps lead to a part that is withheld."""
    bare = [_INDEX.sub("", step) for step in steps]
    for end, step in enumerate(bare[1:], 2):
        below = bare[end] if end < len(bare) else ""
        if Part.NARRATIVE in withheld and step == "text" and below == "div":
            yield end
        if Part.NOTES in withheld and (step in _of_type("Annotation") or step in _FREE_TEXTS):
            yield end
        if Part.ATTACHMENTS in withheld and _is_attachment(step, below):
            yield end


def _is_attachment(step: str, below: str) -> bool:
    """Other elements bear the names of attachments too (Medication.form), but hold none of their members."""
    return below in _ATTACHMENT and (step in _of_type("Attachment") or step.endswith("Attachment"))


@lru_cache(maxsize=2)
def _of_type(datatype: str) -> frozenset[str]:
    """Names of R4's elements that are of this type and no other. Rows: fhir/r4_elements.tsv."""
    rows = files("chartseal.fhir").joinpath("r4_elements.tsv").read_text("utf-8").splitlines()
    parts = (row.split("\t") for row in rows if not row.startswith("#"))
    return frozenset(row[2] for row in parts if row[5] == datatype)
