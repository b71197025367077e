"""A record's unit: one named, typed value, which becomes one leaf."""

from __future__ import annotations

from typing import NamedTuple

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
