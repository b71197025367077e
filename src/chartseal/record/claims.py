"""What a record affirms, as predicates test it. Rows and reasons: claims.tsv."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chartseal import _core
from chartseal.record.fields import Field


class Claim(NamedTuple):
    """One claim; `key` and `value` are field elements, 32 bytes big-endian."""

    path: str
    sense: str
    qualifier_system: str
    qualifier_code: str
    kind: str
    unit: str
    scale: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """One claim as its holder opens it to a prover: a `Claim`, where it stands, and its salt.

    `key`, `value`, `salt` and `leaf` are field elements, 32 bytes big-endian.
    """

    path: str
    sense: str
    qualifier_system: str
    qualifier_code: str
    kind: str
    unit: str
    scale: int
    key: bytes
    value: bytes = field(repr=False)
    index: int
    """Of its leaf, 0 to 63."""
    salt: bytes = field(repr=False)
    leaf: bytes = field(repr=False)
    """P(tagClaim, key, value, salt)."""


def open_claims(fields: Sequence[Field], holder: bytes, seed: bytes) -> tuple[OpenClaim, ...]:
    """Claims of a record with salts from `seed` (32 bytes), in the order of their leaves; claim 0 is the holder's.

    Raises:
        RecordError: `control_missing`.
        FieldEncodingError: `holder` is not below r.
    """
    opened = _core.open_claims(list(fields), holder, seed)
    return tuple(OpenClaim(*claim, index, salt, leaf) for index, (claim, salt, leaf) in enumerate(opened))


def lift(fields: Sequence[Field], holder: bytes) -> tuple[list[Claim], list[str]]:
    """Claims of a record in the order of their leaves, and the elements dropped because there were too many.

    `fields` include control fields; `holder` is the holder's commitment, 32 bytes.

    Raises:
        RecordError: `control_missing`.
        FieldEncodingError: `holder` is not below r.
    """
    claims, dropped = _core.lift_claims(list(fields), holder)
    return [Claim(*claim) for claim in claims], dropped


def claims_root(fields: Sequence[Field], holder: bytes, seed: bytes) -> bytes:
    """The root that `chartseal.claims` must hold, 32 bytes; salts come from `seed`, 32 bytes.

    Raises:
        RecordError: `control_missing`.
        FieldEncodingError: `holder` is not below r.
    """
    return _core.claims_root(list(fields), holder, seed)
