"""What references between resources name: by Bundles' rules, else by type and id."""

from __future__ import annotations

import re

from chartseal import _core

_LITERAL = re.compile(
    r"(?P<root>(?:https?://[^?#]*/)?)(?P<type>[A-Z][A-Za-z]*)/(?P<id>[A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?",
    re.ASCII,
)
"""A reference by type and id. Source: hl7.org/fhir/R4/references.html#literal."""


def is_url(key: str) -> bool:
    """Whether a key is that of a resource on a server, which no other one has."""
    return key.startswith(("http://", "https://"))


def is_person(key: str) -> bool:
    """Whether a key can be a patient's: of that type, or of none."""
    literal = _LITERAL.fullmatch(key)
    return literal is None or literal["type"] == "Patient"


class Links:
    """Resources by key: their URL on a server, else `Type/id`, else what their Bundle calls them."""

    def __init__(self) -> None:
        self._references = _core.References()

    def add(self, full_url: str, resource_type: str, id: str) -> str:  # noqa: A002
        """Note a resource of a Bundle; its key, which may be empty."""
        if full_url:
            self._references.add(full_url, resource_type, id or None)
        if is_url(full_url):
            return full_url.partition("/_history/")[0]
        return f"{resource_type}/{id}" if id else full_url

    def follow(self, reference: str, full_url: str) -> str | None:
        """The key of what `reference` names, in a resource at `full_url`; None: contained, or to be searched for.

        Exporters name entries by urn:uuid and refer to them by type and id, to which Bundles' rules give no meaning; to
        say whose a record is, that is enough.
        """
        found = self._references.resolve(reference, full_url, "")
        if found is not None:
            return found[1] or reference
        literal = _LITERAL.fullmatch(reference)
        if literal is None:
            return reference if reference.startswith(("urn:uuid:", "urn:oid:")) else None
        own = _LITERAL.fullmatch(full_url)
        return f"{literal['root'] or (own['root'] if own else '')}{literal['type']}/{literal['id']}"
