"""`chartseal wallet`: keys of a holder, and the records that the wallet keeps."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import click

from chartseal.cli.passphrase import (
    passphrase_option,
    read_line,
    read_passphrase,
    read_words_passphrase,
    words_passphrase_options,
)
from chartseal.errors import KeyFileError, MissingExtraError
from chartseal.keys import Wallet

_PATH = click.Path(dir_okay=False, path_type=Path)
_force = click.option("--force", is_flag=True, help="Overwrite a file of that name.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_QR_ENDINGS = (".png", ".svg")
_COMPARE = (
    "Compare the address with the wallet's: a passphrase that is mistyped is not refused, it is another wallet's."
)

_COMMANDS = {
    # command: module under chartseal.cli and the name in it
    "accept": ("wallet_records", "accept"),
    "backup": ("wallet_records", "backup"),
    "delegate": ("wallet_proxies", "delegate_records"),
    "disclose": ("disclose", "disclose"),
    "erase": ("wallet_records", "erase"),
    "list": ("wallet_records", "list_records"),
    "prove": ("prove", "prove"),
    "proxy": ("wallet_proxies", "proxy"),
    "receipts": ("wallet_records", "receipts"),
    "restore": ("wallet_records", "restore"),
    "scan": ("wallet_records", "scan"),
    "show": ("wallet_records", "show"),
    "successor": ("wallet_proxies", "successor"),
    "view-key": ("wallet_proxies", "view_key"),
}


class _WalletGroup(click.Group):
    """A group whose commands of records are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"chartseal.cli.{module}"), name)
        assert isinstance(command, click.Command)  # noqa: S101 (our own table)
        return command


@click.group(cls=_WalletGroup)
def wallet() -> None:
    """Keys of a holder, whom records are about, and the records that the holder keeps."""


@wallet.command("init")
@click.option("-o", "--output", type=_PATH, default=Path("wallet.json"), show_default=True, help="The file to write.")
@click.option("--words-from", metavar="N|-", help="Restore from 24 words: a descriptor, or - for standard input.")
@words_passphrase_options
@_force
@passphrase_option
@_json
def wallet_init(
    output: Path,
    words_from: str | None,
    words_passphrase: bool,
    words_passphrase_fd: int | None,
    force: bool,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Make a wallet, show its 24 words once, and write it to a file under a passphrase.

    The words may have a passphrase of their own, which no file keeps: then it takes both to restore the wallet. A
    mistyped one is no error and gives another wallet, so compare the address.
    """
    words = _words(words_from) if words_from else None
    guarded = words_passphrase or words_passphrase_fd is not None
    beside = read_words_passphrase(words_passphrase_fd, confirm=words is None) if guarded else ""
    made = Wallet.generate(beside) if words is None else Wallet.from_words(words, beside)
    passphrase = read_passphrase(passphrase_fd, confirm=True)
    if output.exists() and not force:
        raise KeyFileError("a file of that name exists and is kept", "key_file_exists")
    if words is None:  # before there is a file: one whose words nobody saw would be lost with it
        click.echo(_framed(made.words(), guarded=guarded), err=True)
    made.save(output, passphrase, force=force)
    if words is not None and guarded:
        click.echo(_COMPARE, err=True)
    address = str(made.sealing_address())
    members = {"address": address, "file": str(output)}
    click.echo(json.dumps(members) if as_json else f"{address}\nwritten to {output}")


@wallet.command("address")
@click.option("-w", "--wallet", "path", type=_PATH, default=Path("wallet.json"), show_default=True)
@click.option(
    "--number", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="0 general, 1 confidential, …"
)
@click.option("--epoch", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Epoch of the view key.")
@click.option("--qr", metavar="FILE|-", help="As a QR code too: FILE.png, FILE.svg, or - for the terminal.")
@passphrase_option
@_json
def wallet_address(
    path: Path, number: int, epoch: int, qr: str | None, passphrase_fd: int | None, as_json: bool
) -> None:
    """Show a sealing address, to give to a provider."""
    if qr not in (None, "-") and not str(qr).lower().endswith(_QR_ENDINGS):
        raise click.UsageError("--qr takes - or a file ending in .png or .svg")
    address = str(Wallet.load(path, read_passphrase(passphrase_fd)).sealing_address(number, epoch))
    click.echo(json.dumps({"address": address}) if as_json else address)
    if qr is not None:
        _draw(address, qr)


def _draw(address: str, place: str) -> None:
    """The address as a QR code; in capitals, which it allows, since those take less room.

    Raises:
        MissingExtraError: the extra `vault` is not installed.
    """
    try:
        import segno
    except ImportError:
        raise MissingExtraError("a QR code needs the extra `vault`") from None
    code = segno.make_qr(address.upper())
    if place == "-":
        code.terminal(compact=True)
    else:
        code.save(place, scale=6)


def _words(source: str) -> str:
    if source == "-" and sys.stdin.isatty():
        return str(click.prompt("24 words", hide_input=True, err=True))
    if source != "-" and not source.isdecimal():
        raise click.UsageError("--words-from takes a descriptor's number or -")
    return read_line(0 if source == "-" else int(source))


def _framed(words: str, *, guarded: bool) -> str:
    """The words in four numbered columns, with what they are for."""
    numbered = [f"{number:2}. {word:<10}" for number, word in enumerate(words.split(), 1)]
    rows = ["  ".join(numbered[row::6]).rstrip() for row in range(6)]
    told = "Write these words down. They are shown once, and whoever has them has the wallet."
    if guarded:
        told = "Write these words down; they are shown once. It takes them and their passphrase, which no file keeps."
    return "\n".join([told, "", *rows, ""])
