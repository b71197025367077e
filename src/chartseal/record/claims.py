"""What a record affirms, as predicates test it. Rows and reasons: claims.tsv."""

from __future__ import annotations

from collections.abc import Sequence
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
