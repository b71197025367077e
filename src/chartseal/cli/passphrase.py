"""Where a passphrase comes from: a descriptor, the environment, or a prompt."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

_VARIABLE = "CHARTSEAL_PASSPHRASE"
_LONGEST = 4_096


def passphrase_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--passphrase-fd`, whose value goes to `read_passphrase`."""
    help_text = f"Read the passphrase from this descriptor (else {_VARIABLE}, else a prompt)."
    return click.option("--passphrase-fd", type=click.IntRange(min=0), metavar="N", help=help_text)(command)


def read_passphrase(descriptor: int | None, *, confirm: bool = False) -> str:
    """The passphrase; `confirm` asks twice, for a new file.

    Raises:
        click.UsageError: none was given and there is no terminal to ask on, or it is empty or not UTF-8.
    """
    return _checked(_read(descriptor, confirm=confirm))


def words_passphrase_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--words-passphrase` and `--words-passphrase-fd`, whose values go to `read_words_passphrase`."""
    asked = "The words have a passphrase besides (BIP-39): ask for it. Another passphrase is another wallet."
    given = "The words have a passphrase: read it from this descriptor."
    number = click.option("--words-passphrase-fd", type=click.IntRange(min=0), metavar="N", help=given)(command)
    return click.option("--words-passphrase", is_flag=True, help=asked)(number)


def read_words_passphrase(descriptor: int | None, *, confirm: bool) -> str:
    """The passphrase of a wallet's words, which is never the file's own; `confirm` asks twice, for new words.

    Raises:
        click.UsageError: as `read_passphrase`.
    """
    if descriptor is not None:
        return _checked(read_line(descriptor))
    if not sys.stdin.isatty():
        raise click.UsageError("no passphrase of the words: give --words-passphrase-fd")
    prompted = click.prompt("Passphrase of the words", hide_input=True, confirmation_prompt=confirm, err=True)
    return _checked(str(prompted))


def _checked(passphrase: str) -> str:
    if not passphrase:
        raise click.UsageError("the passphrase is empty")
    if any("\ud800" <= char <= "\udfff" for char in passphrase):  # bytes of the environment that are no text
        raise click.UsageError("the passphrase is not UTF-8")
    return passphrase


def _read(descriptor: int | None, *, confirm: bool) -> str:
    if descriptor is not None:
        return read_line(descriptor)
    if _VARIABLE in os.environ:
        return os.environ[_VARIABLE]
    if not sys.stdin.isatty():
        raise click.UsageError(f"no passphrase: give --passphrase-fd or set {_VARIABLE}")
    prompted = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return str(prompted)


def read_line(descriptor: int) -> str:
    """The text of a descriptor, without its line end.

    Raises:
        click.UsageError: not an open descriptor, too long, or not UTF-8.
    """
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read(_LONGEST + 1)
        text = data.decode()
    except (OSError, ValueError) as exc:
        raise click.UsageError(f"descriptor {descriptor} does not give UTF-8 text") from exc
    if len(data) > _LONGEST:
        raise click.UsageError(f"descriptor {descriptor} gives more than {_LONGEST} bytes")
    return text.rstrip("\r\n")
