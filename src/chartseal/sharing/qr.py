"""QR codes of links and cards: PNG, SVG, or for the terminal."""

from __future__ import annotations

import io
from typing import Any

import segno

from chartseal.errors import SharingError
from chartseal.sharing.cards.numeric import SCHEME, to_numeric

PNG, SVG = "png", "svg"
_LARGEST_VERSION = 22
"""Of a card's code: 105 modules, which scan from 40 mm (spec.smarthealth.cards)."""
_SCALE, _BORDER = 6, 4


def link_code(text: str) -> segno.QRCode:
    """A link's code, at error correction level M as the specification advises.

    Raises:
        SharingError: `qr_too_large`.
    """
    return _made(text, error="M")


def card_code(card: str) -> segno.QRCode:
    """A signed card's code: `shc:/` as bytes, then digits, in one code of at most version 22.

    Raises:
        HealthCardError: `card_too_large`.
        SharingError: `qr_too_large`.
    """
    code = _made([SCHEME, to_numeric(card).removeprefix(SCHEME)], error="L")
    if int(code.version) > _LARGEST_VERSION:
        raise SharingError("the card's code would be too fine to scan", "qr_too_large")
    return code


def _made(content: Any, *, error: str) -> segno.QRCode:
    try:
        return segno.make_qr(content, error=error, boost_error=False)
    except segno.DataOverflowError as exc:
        raise SharingError("it does not fit one QR code", "qr_too_large") from exc


def drawn(code: segno.QRCode, kind: str) -> bytes:
    """The code as `png` or `svg`."""
    stream = io.BytesIO()
    code.save(stream, kind=kind, scale=_SCALE, border=_BORDER)
    return stream.getvalue()


def on_terminal(code: segno.QRCode) -> str:
    """The code in half blocks."""
    stream = io.StringIO()
    code.terminal(stream, compact=True, border=_BORDER)
    return stream.getvalue()
