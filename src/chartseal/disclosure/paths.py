"""Readable paths that choose fields: `Observation.value`, `Condition.code.coding[0]`, `*.status`, `**.display`.

A path names an element and chooses everything beneath it. A part is an element name, of a choice also its base name
(`value` for `valueQuantity`), with or without an index (`component[1]`; without one, or with `[*]`, any); `*` is any
one part, `**` any number of them, none included. `_` twins count as their primitive. The first part is the resource
type; with a code in brackets, as `Observation[http://loinc.org|4548-4].value` or `Observation[4548-4].value`, it means
records with that code alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

from chartseal.errors import SelectionError
from chartseal.record import Field

CONTROL = "chartseal."
_PART = re.compile(r"(\*\*)|(\*|[A-Za-z][A-Za-z0-9]*)(?:\[([0-9]{1,9}|\*)\])?", re.ASCII)
_CODED = re.compile(
    r"(?P<type>[A-Z][A-Za-z]*|\*)\[(?P<code>[^\]]*[^\]*0-9][^\]]*|[^\]]*\|[^\]]+|[0-9]+)\](?=\.|$)", re.ASCII
)
"""A resource type with a code: a resource is never in a list, so that a number there is a code, too."""
_INDEX = re.compile(r"[0-9]{1,9}\]", re.ASCII)
_LONGEST = 1_024
_MOST_PARTS = 64
_PRIMITIVE = "Element"
"""What a `_` twin is: id and extension."""


class Step(NamedTuple):
    """One part of a field's name: JSON key without underscore, base name where it is a choice's, index `at` or None."""

    key: str
    base: str
    at: int | None


class Part(NamedTuple):
    """One part of a pattern; `at` None is any."""

    key: str
    at: int | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A readable path, parsed."""

    text: str
    parts: tuple[Part, ...]
    code: str = ""
    """`system|code` or a code: the path means records with it alone."""

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a path.

        Raises:
            SelectionError: `pattern_malformed`.
        """
        if not text or len(text) > _LONGEST:
            raise SelectionError("not a path of elements", "pattern_malformed", text[:80])
        coded = _CODED.match(text)
        path = coded["type"] + text[coded.end() :] if coded else text
        if path.count(".") >= _MOST_PARTS:
            raise SelectionError("not a path of elements", "pattern_malformed", text[:80])
        return cls(text, tuple(_part(part, text) for part in path.split(".")), coded["code"] if coded else "")

    def matches(self, steps: Sequence[Step]) -> bool:
        """Whether a field is the element that the pattern names, or lies beneath it."""
        positions = {0}
        for step in steps:
            positions = set(self._advance(positions, step))
            if any(all(part.key == "**" for part in self.parts[at:]) for at in positions):
                return True
        return False

    def _advance(self, positions: set[int], step: Step) -> Iterator[int]:
        """Where the pattern stands after one more step; `**` may take it and stay, or take none."""
        waiting = sorted(positions)
        for at in waiting:
            part = self.parts[at] if at < len(self.parts) else None
            if part is None:
                continue
            if part.key == "**":
                yield at
                if at + 1 not in positions:
                    waiting.append(at + 1)
            elif part.key in ("*", step.key, step.base) and part.at in (None, step.at):
                yield at + 1


def _part(text: str, pattern: str) -> Part:
    found = _PART.fullmatch(text)
    if not found:
        raise SelectionError("not a path of elements", "pattern_malformed", pattern)
    index = found[3]
    return Part(found[1] or found[2], int(index) if index and index != "*" else None)


class _Child(NamedTuple):
    base: str
    target: str


@lru_cache(maxsize=1)
def _children() -> Mapping[str, Mapping[str, _Child]]:
    """Of each R4 type, its children by JSON key: a choice's base name, and what stands there."""
    found: dict[str, dict[str, _Child]] = {}
    text = resources.files("chartseal.fhir").joinpath("r4_elements.tsv").read_text()
    for line in text.splitlines()[1:]:
        _, owner, element, _, _, targets, *_ = line.split("\t")
        name = element.removesuffix("[x]")
        for target in targets.split("|"):
            key = name + target[0].upper() + target[1:] if name != element else name
            found.setdefault(owner, {})[key] = _Child(name, target)
    return found


def _index(text: str) -> int | None:
    """The number before a closing bracket. Records are checked after they were chosen from: others have none here."""
    return int(text[:-1]) if _INDEX.fullmatch(text) else None


class NameReader:
    """Reads the names of one record's fields along R4's element table."""

    def __init__(self, resource_type: str, fields: Sequence[Field]) -> None:
        """Take all the record's fields, since contained resources name their types in fields."""
        self._type = resource_type
        self._contained = {
            field.name.removesuffix(".resourceType"): str(field.value)
            for field in fields
            if field.name.endswith(".resourceType") and not field.name.startswith(CONTROL)
        }

    def steps(self, name: str) -> tuple[Step, ...]:
        """The steps of a resource field's name, the resource type first; `+n` is no part of it."""
        steps, owner, path = [Step(self._type, self._type, None)], self._type, self._type
        for part in name.split("+")[0].split(".")[1:]:
            key, _, index = part.removeprefix("_").partition("[")
            path = f"{path}.{part}"
            child = _children().get(owner, {}).get(key, _Child(key, _PRIMITIVE))
            owner = self._contained.get(path, "") if child.target == "Resource" else child.target
            if owner[:1].islower():
                owner = _PRIMITIVE
            steps.append(Step(key, child.base, _index(index)))
        return tuple(steps)
