"""A record's fields by their paths without indices, as searches and decisions look at them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chartseal.record import Field

_INDEX = re.compile(r"\[[0-9]+\]", re.ASCII)


class Coding(NamedTuple):
    """A system, empty where none is given, and a code."""

    system: str
    code: str

    @property
    def text(self) -> str:
        """As decisions compare it."""
        return f"{self.system}|{self.code}"


class Element(NamedTuple):
    """One value: the name of what holds it with indices, and the text."""

    owner: str
    text: str


class Elements:
    """Texts of a record's own fields, control fields excepted."""

    def __init__(self, resource_type: str, fields: Sequence[Field]) -> None:
        """Take all fields of a record."""
        self._root = f"{resource_type}."
        self._by_path: dict[str, list[Element]] = {}
        for each in fields:
            if isinstance(each.value, str) and each.name.startswith(self._root):
                name = each.name.partition("+")[0].removeprefix(self._root)
                self._by_path.setdefault(_INDEX.sub("", name), []).append(Element(name.rpartition(".")[0], each.value))

    def at(self, path: str) -> list[Element]:
        """Values at a path below the resource, without indices: `participant.role.coding.code`."""
        return self._by_path.get(path, [])

    def texts(self, path: str) -> list[str]:
        """Their texts."""
        return [each.text for each in self.at(path)]

    def first(self, path: str) -> str:
        """The first of them, or an empty text."""
        return next(iter(self.texts(path)), "")

    def codings(self, path: str) -> list[Coding]:
        """Codings at a path: what has a code."""
        systems = {each.owner: each.text for each in self.at(f"{path}.system")}
        return [Coding(systems.get(each.owner, ""), each.text) for each in self.at(f"{path}.code")]

    def all_codings(self) -> Iterator[Coding]:
        """Codings of CodeableConcepts anywhere, in what is contained too."""
        for path in self._by_path:
            if path.endswith(".coding.code"):
                yield from self.codings(path.removesuffix(".code"))

    def concepts(self, path: str) -> list[Coding]:
        """Codings of the CodeableConcepts at a path."""
        return self.codings(f"{path}.coding")
