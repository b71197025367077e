"""SMART scopes of systems: read, met with what a client may have, written again.

Only `system/` scopes are known here, and of their parameters only `category`; what is not known is not granted.
Version 1 scopes are read as version 2's. Source: SMART App Launch 2.2, "Scopes for requesting FHIR Resources".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

LONGEST_SCOPES = 4_096
"""Characters of a request's scopes."""
MOST_SCOPES = 100

_SCOPE = re.compile(
    r"system/(\*|[A-Z][A-Za-z]{1,63})\.(read|write|\*|(?=[cruds])c?r?u?d?s?)(?:\?category=([^\s&=?#]{1,300}))?",
    re.ASCII,
)
_FIRST_VERSION = {"read": "rs", "write": "cud", "*": "cruds"}
_ANY = "*"


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """One scope."""

    resource_type: str
    """`*` for all."""
    interactions: str
    """Some of c r u d s, in that order."""
    category: str = ""
    """`system|code` that a record must have; empty for any record."""

    @classmethod
    def parse(cls, text: str) -> Scope | None:
        """A scope; None for one that is not known here."""
        found = _SCOPE.fullmatch(text)
        if found is None:
            return None
        category = unquote(found[3] or "")
        if found[3] and "|" not in category:  # without its system a code may be another system's
            return None
        return cls(found[1], _FIRST_VERSION.get(found[2], found[2]), category)

    def allows(self, resource_type: str, interaction: str, categories: frozenset[str]) -> bool:
        """Whether it opens a record of that type and these categories."""
        is_of_type = self.resource_type in (_ANY, resource_type)
        is_so = interaction in set(self.interactions)
        return is_of_type and is_so and (not self.category or self.category in categories)

    def narrowed(self, other: Scope) -> Scope | None:
        """What both allow; None where that is nothing. Of two categories it is nothing, though a record may have both:
        no scope says that.
        """
        types = {self.resource_type, other.resource_type} - {_ANY} or {_ANY}
        categories = {self.category, other.category} - {""} or {""}
        interactions = "".join(each for each in self.interactions if each in other.interactions)
        if len(types) > 1 or len(categories) > 1 or not interactions:
            return None
        return Scope(types.pop(), interactions, categories.pop())

    def covers(self, other: Scope) -> bool:
        """Whether it allows all that the other does."""
        return self.narrowed(other) == other

    def __str__(self) -> str:
        """As version 2 writes it."""
        narrowed = f"?category={quote(self.category, safe=':/|')}" if self.category else ""
        return f"system/{self.resource_type}.{self.interactions}{narrowed}"


@dataclass(frozen=True, slots=True)
class GrantedScopes:
    """Scopes, each record being open where one of them opens it."""

    scopes: tuple[Scope, ...] = ()

    @classmethod
    def parse(cls, text: str) -> GrantedScopes:
        """Those of a text that are known here, without those that another covers; none of one that is too long."""
        names = text.split(" ")
        if len(text) > LONGEST_SCOPES or len(names) > MOST_SCOPES:
            return cls()
        return cls.of(scope for scope in map(Scope.parse, names) if scope is not None)

    @classmethod
    def of(cls, scopes: Iterable[Scope]) -> GrantedScopes:
        """Each once, without those that another covers, in order."""
        kept = sorted(set(scopes))
        return cls(tuple(each for each in kept if not any(other.covers(each) for other in kept if other != each)))

    def allows(self, resource_type: str, interaction: str, categories: frozenset[str]) -> bool:
        """Whether a record of that type and these categories (`system|code`) may be read (r) or found (s)."""
        return any(each.allows(resource_type, interaction, categories) for each in self.scopes)

    def granted(self, allowed: GrantedScopes) -> GrantedScopes:
        """What of these, which a client asks for, lies within what it is allowed."""
        return GrantedScopes.of(self._meets(allowed))

    def _meets(self, other: GrantedScopes) -> Iterator[Scope]:
        for one in self.scopes:
            for another in other.scopes:
                both = one.narrowed(another)
                if both is not None:
                    yield both

    def __str__(self) -> str:
        """As a token answer states them."""
        return " ".join(map(str, self.scopes))
