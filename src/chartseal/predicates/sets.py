"""Sets of codes: their members as field elements, and the root under which one path shows member or not member."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NoReturn

from chartseal import _core
from chartseal.errors import PredicatePolicyError
from chartseal.predicates.hashes import code_value, poseidon, tag, to_bytes

MOST_MEMBERS = 4_095
LONGEST_CODE = 256
LONGEST_SYSTEM = 512
DEPTH = 6
_LIMIT = 1 << 248


def is_plain(text: str, longest: int) -> bool:
    """Whether a text can stand in a policy: 1 to `longest` visible characters, no space around them."""
    return 0 < len(text) <= longest and text == text.strip() and text.isprintable()


@dataclass(frozen=True)
class CodeSet:
    """Codes of one system; `system` is empty where a policy has to name it."""

    system: str
    codes: tuple[str, ...]


def members(system: str, codes: Iterable[str]) -> tuple[int, ...]:
    """F("code"; system, code) of each, ascending."""
    return tuple(sorted(code_value(system, code) for code in codes))


@lru_cache(maxsize=64)
def set_root(values: tuple[int, ...]) -> bytes:
    """The root, 32 bytes, over neighbours of the values with -1 and 2^248 at the ends, all + 1.

    Raises:
        PredicatePolicyError: `policy_set_size`, `policy_set_values` (not ascending, or not below 2^248).
    """
    if not 1 <= len(values) <= MOST_MEMBERS:
        _refuse(f"a set has 1 to {MOST_MEMBERS} members", "policy_set_size")
    ends = [0, *(value + 1 for value in values), _LIMIT + 1]
    if any(low >= high for low, high in pairwise(ends)):
        _refuse("a set's values ascend, each once and below 2^248", "policy_set_values")
    name = tag("set")
    leaves = [to_bytes(poseidon(name, low, high)) for low, high in pairwise(ends)]
    return _core.poseidon_root(leaves, DEPTH)


def _refuse(detail: str, code: str) -> NoReturn:
    raise PredicatePolicyError(detail, code)
