"""QR codes as commands draw them: PNG, SVG, or on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from chartseal.cli.files import write_private

if TYPE_CHECKING:
    import segno

_ENDINGS = {".png": "png", ".svg": "svg"}


def _checked(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value not in (None, "-"):
        kind_of(str(value))
    return value


def qr_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--qr`, whose value goes to `draw`."""
    told = "As a QR code too: FILE.png, FILE.svg, or - for the terminal."
    return click.option("--qr", metavar="FILE|-", callback=_checked, help=told)(command)


def kind_of(place: str) -> str:
    """`png` or `svg`, by a file's name.

    Raises:
        click.UsageError: neither.
    """
    for ending, kind in _ENDINGS.items():
        if place.lower().endswith(ending):
            return kind
    raise click.UsageError("a QR code is drawn on the terminal (-) or into a file ending in .png or .svg")


def draw(code: segno.QRCode, place: str) -> None:
    """Draw it; a file is its owner's alone, since what is in the code may open records.

    Raises:
        DisclosureFormError: `file_unwritable`.
    """
    from chartseal.sharing.qr import drawn, on_terminal

    if place == "-":
        click.echo(on_terminal(code), nl=False)
    else:
        write_private(place, drawn(code, kind_of(place)))
