"""How commands name one record of a vault."""

from __future__ import annotations

import re
from typing import Any

import click

_NAME = re.compile(r"(0x[0-9a-fA-F]{40})[ /](0x[0-9a-fA-F]{64})", re.ASCII)


class Name(click.ParamType[Any]):
    """A record's identity: `0xattester/0xuid`."""

    name = "record"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[bytes, bytes]:
        """Read an identity."""
        if isinstance(value, tuple):
            return value
        found = _NAME.fullmatch(str(value))
        if not found:
            self.fail("expected 0x and the attester's 40 digits, /, 0x and the uid's 64", param, ctx)
        return bytes.fromhex(found[1][2:]), bytes.fromhex(found[2][2:])
