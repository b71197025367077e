"""JSON from outside, read without surprises."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from chartseal import _core


def loads(text: bytes | str, *, parse_float: Callable[[str], Any] | None = None) -> Any:
    """The value of a JSON text in UTF-8; `parse_float` is `json.loads`'.

    Nesting is bounded before Python's parser sees the text: a dependency raises Python's recursion limit so far that
    deep nesting would end the process. A member that stands twice, NaN and Infinity are refused.

    Raises:
        ValueError: not such a text; the message names no value.
    """
    data = text.encode("utf-8", "strict") if isinstance(text, str) else text
    _core.check_json(data)
    try:
        return json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=parse_float)
    except json.JSONDecodeError as exc:
        raise ValueError("not JSON") from exc


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")
