"""SMART scopes: which resource types, by which interactions, and of which categories a client may ask for.

Version 2 (`system/Observation.rs?category=system|code`); of version 1 `.read`, `.write` and `.*`. What is not
understood is refused: a narrowing that is passed over would widen. Source: SMART App Launch 2.2, scopes.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from urllib.parse import unquote

from chartseal.consent.vocabulary import resource_types
from chartseal.errors import ScopeError

LONGEST_SCOPES = 8_192
"""Characters of all scopes of one request."""
MOST_SCOPES = 256
MOST_CATEGORIES = 16
"""Categories that narrow one scope."""

CONTEXTS = frozenset({"patient", "system", "user"})
LAUNCH_SCOPES = frozenset(
    {"fhirUser", "launch", "launch/encounter", "launch/patient", "offline_access", "online_access", "openid", "profile"}
)
"""Scopes of an app's launch, which open no resource."""

_SCOPE = re.compile(r"(patient|system|user)/(\*|[A-Z][A-Za-z]{0,63})\.([a-z*]{1,5})(?:\?(.+))?", re.ASCII)
_LETTERS = re.compile(r"c?r?u?d?s?", re.ASCII)
_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}
_PLAIN = r"[\x21-\x25\x27-\x2b\x2d-\x5b\x5d-\x7b\x7d\x7e]"
_VALUE = re.compile(rf"{_PLAIN}{{1,255}}(?:\|{_PLAIN}{{0,255}})?|\|{_PLAIN}{{1,255}}", re.ASCII)
"""A FHIR token, without `&`, `,` (FHIR's "or") and escapes."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope of resources."""

    context: str
    resource_type: str
    """A type of R4, or `*`."""
    interactions: str
    """Some of `cruds`, in that order."""
    categories: frozenset[str] = frozenset()
    """FHIR tokens, each of which a resource's categories must meet; none asks for none."""

    def allows(self, resource_type: str, interaction: str, categories: Set[str]) -> bool:
        """Whether it opens an interaction (one of c r u d s) with a resource of these categories ("system|code")."""
        return (
            self.resource_type in ("*", resource_type)
            and interaction in self.interactions
            and all(_meets(token, categories) for token in self.categories)
        )

    def narrowed(self, other: Scope) -> Scope | None:
        """What both allow, or None. The context must be one."""
        interactions = "".join(each for each in self.interactions if each in other.interactions)
        types = {self.resource_type, other.resource_type} - {"*"}
        if self.context != other.context or not interactions or len(types) > 1:
            return None
        return Scope(self.context, next(iter(types), "*"), interactions, self.categories | other.categories)

    def __str__(self) -> str:
        narrowing = "&".join(f"category={each}" for each in sorted(self.categories))
        return f"{self.context}/{self.resource_type}.{self.interactions}{'?' if narrowing else ''}{narrowing}"


@dataclass(frozen=True, slots=True)
class Scopes:
    """All scopes of a request or a token: what any of them allows.

    >>> Scopes.parse("system/Observation.rs").allows("Observation", "r", frozenset())
    True
    """

    scopes: frozenset[Scope] = frozenset()
    launch: frozenset[str] = frozenset()
    """Those of `LAUNCH_SCOPES`."""

    @classmethod
    def parse(cls, text: str) -> Scopes:
        """Read scopes, separated by blanks.

        Raises:
            ScopeError: `scope_refused`: one is not understood; `limit_exceeded`.
        """
        words = frozenset(text.split(" ")) - {""} if len(text) <= LONGEST_SCOPES else frozenset()
        if len(text) > LONGEST_SCOPES or len(words) > MOST_SCOPES:
            raise ScopeError("too many scopes", "limit_exceeded")
        launch = words & LAUNCH_SCOPES
        return cls(frozenset(_scope(word) for word in words - launch), launch)

    def allows(
        self, resource_type: str, interaction: str, categories: frozenset[str], *, contexts: Set[str] = CONTEXTS
    ) -> bool:
        """Whether a scope of one of these contexts opens the interaction (one of c r u d s) with such a resource."""
        return any(
            each.context in contexts and each.allows(resource_type, interaction, categories) for each in self.scopes
        )

    def granted(self, allowed: Scopes) -> Scopes:
        """What of these, which a client asks for, lies within what it is allowed."""
        pairs = (mine.narrowed(other) for mine in self.scopes for other in allowed.scopes)
        found = frozenset(each for each in pairs if each is not None)
        return Scopes(frozenset(each for each in found if not _is_within(each, found)), self.launch & allowed.launch)

    def __str__(self) -> str:
        return " ".join(sorted([*map(str, self.scopes), *self.launch]))


def _scope(word: str) -> Scope:
    found = _SCOPE.fullmatch(word)
    if found is None:
        raise ScopeError("a scope is not one that is understood here")
    context, resource_type, letters, narrowing = found.groups()
    interactions = _VERSION_1.get(letters, letters)
    if not _LETTERS.fullmatch(interactions):
        raise ScopeError("a scope has other interactions than create, read, update, delete and search, in that order")
    if resource_type != "*" and resource_type not in resource_types():
        raise ScopeError("a scope names no resource type of R4")
    if narrowing is not None and letters in _VERSION_1:
        raise ScopeError("a scope of version 1 is not narrowed")
    return Scope(context, resource_type, interactions, _categories(narrowing))


def _categories(narrowing: str | None) -> frozenset[str]:
    parameters = [] if narrowing is None else narrowing.split("&")
    if len(parameters) > MOST_CATEGORIES:
        raise ScopeError("a scope has too many categories", "limit_exceeded")
    return frozenset(_category(each) for each in parameters)


def _category(parameter: str) -> str:
    name, _, value = parameter.partition("=")
    category = unquote(value, errors="replace")
    if name != "category" or not _VALUE.fullmatch(category):
        raise ScopeError("a scope is narrowed by another parameter than one category")
    return category


def _meets(token: str, categories: Set[str]) -> bool:
    """Whether a FHIR token (`code`, `system|code`, `system|`, `|code`) is one of the categories."""
    if "|" not in token:
        return any(each.rpartition("|")[2] == token for each in categories)
    if token.endswith("|"):
        return any(each.startswith(token) for each in categories)
    return token in categories


def _is_within(scope: Scope, others: Set[Scope]) -> bool:
    """Whether another one allows all that this does, and more."""
    return any(
        other != scope
        and other.context == scope.context
        and other.resource_type in ("*", scope.resource_type)
        and set(scope.interactions) <= set(other.interactions)
        and other.categories <= scope.categories
        for other in others
    )
