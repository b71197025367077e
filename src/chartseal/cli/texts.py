"""Texts as commands take them."""

from __future__ import annotations

from typing import Any

import click


class Text(click.ParamType[Any]):
    """A text that can be written: bytes that are no UTF-8 come as halves of surrogate pairs, which cannot."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take it as it is."""
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("expected text in UTF-8", param, ctx)
        return text
