"""A record's unit: one named, typed value, which becomes one leaf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chartseal import _core

Value = str | bool | int | bytes
"""string, bool, int256 or uint256, or bytes32 as 32 bytes."""


class Field(NamedTuple):
    """`abi_type` is `string`, `bool`, `int256`, `uint256` or `bytes32`, spelled so: the spelling is hashed."""

    name: str
    abi_type: str
    value: Value


ALWAYS_OPEN = (
    "chartseal.format",
    "chartseal.fhirVersion",
    "chartseal.resourceType",
    "chartseal.about",
    "chartseal.labels",
    "chartseal.subject",
    "chartseal.claims",
)
"""Control fields that every disclosure opens."""


class Resource(NamedTuple):
    """A checked R4 resource as fields; control fields are not among them."""

    resource_type: str
    fields: tuple[Field, ...]
    """In document order; a primitive's `_` twin stands before it."""
    detached: tuple[tuple[str, str], ...]
    """(name, text) of each base64Binary of more than 1,024 characters, checked against its hash and size."""
    is_test: bool
    """It is marked HTEST."""


def read_fields(
    text: bytes, *, test: bool = False, modifier_extensions: Sequence[str] = (), implicit_rules: Sequence[str] = ()
) -> Resource:
    """Check one R4 resource in JSON and make it fields, values as received.

    `test` lets a resource marked HTEST through; `modifier_extensions` and `implicit_rules` are the URLs that the issuer
    understands: any other is refused, since it may change what the rest means.

    Raises:
        FhirError: the text is not JSON that every reader understands alike, not R4, or not one that may be sealed.
        LimitError: it is larger, deeper or has more values than the reader takes.
    """
    resource_type, fields, detached, is_test = _core.read_resource(
        text, test=test, modifier_extensions=modifier_extensions, implicit_rules=implicit_rules
    )
    return Resource(resource_type, tuple(Field(*field) for field in fields), tuple(detached), is_test)


class Rebuilt(NamedTuple):
    """A resource's JSON, and the array positions of the record that are not in it (`Observation.component[0-2]`)."""

    text: str
    unopened: tuple[str, ...]


def rebuild(
    resource_type: str, fields: Sequence[Field], detached: Sequence[tuple[str, str]] = (), *, partial: bool = False
) -> Rebuilt:
    """The resource of its fields, lexeme for lexeme but for member order and whitespace; control fields are skipped.

    With `partial`, lists close up over what is not opened, the resource is tagged SUBSETTED, and a required element of
    which nothing is opened carries data-absent-reason `masked`.

    Raises:
        RecordError: the fields contradict each other or R4; without `partial`, `position_missing`.
    """
    text, unopened = _core.rebuild(resource_type, fields, detached, partial=partial)
    return Rebuilt(text, tuple(unopened))
