"""The `chartseal` command: one module for each group of commands, loaded when it is called.

Every command takes `--json`, reads standard input where a file is `-`, and ends with a non-zero status and a named
error when something was refused.
"""

from __future__ import annotations

import errno
import importlib
import io
import json
import os
import sys
from contextlib import suppress

import click

from chartseal.errors import ChartsealError, PredicateError

_COMMANDS = {
    # command: module under chartseal.cli that defines it as `command` (its name with - as _)
    "adherence": "adherence",
    "amend": "amend",
    "anchor": "anchor",
    "audit": "audit",
    "authority": "authority",
    "card": "card",
    "ceremony": "ceremony",
    "chain": "chain",
    "consent": "consent",
    "credit": "credit",
    "disclose": "disclose",
    "eas": "eas",
    "index": "index",
    "issuer": "keys",
    "node": "node",
    "policy": "policy",
    "proving-key": "proving_key",
    "prove": "prove",
    "pull": "pull",
    "revoke": "revoke",
    "sample": "sample",
    "seal": "seal",
    "share": "share",
    "show": "show",
    "status-list": "status_list",
    "trust-root": "trust_root",
    "vault": "vault",
    "verify": "verify",
    "wallet": "wallet",
}


class _LazyGroup(click.Group):
    """A group whose commands are imported on first use, so that `chartseal verify` loads no sealing code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = getattr(importlib.import_module(f"chartseal.cli.{module}"), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)  # noqa: S101 (our own table)
        return command


@click.group(cls=_LazyGroup)
@click.version_option(package_name="chartseal")
def cli() -> None:
    """Seal health records, disclose parts of them, verify them anywhere."""


def main() -> None:
    """Run the command; a deliberate error becomes `error: <code>: <message>` (or JSON under --json) and status 1."""
    try:
        _stand_streams()
        # Without standalone mode, a status that a command ends with is not raised but returned.
        sys.exit(cli.main(standalone_mode=False))
    except ChartsealError as error:
        _report(error)
        sys.exit(1)
    except OSError as error:
        _report_fault(error.strerror or "a file cannot be read or written")
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("aborted", err=True)
        sys.exit(130)


def _report_fault(text: str) -> None:
    """What the system refuses; where that is standard output itself, JSON cannot be told there."""
    code = "input_output_failed"
    if "--json" in sys.argv:
        with suppress(OSError):
            click.echo(json.dumps({"error": {"code": code, "message": text}}))
            sys.stdout.flush()
            return
    _abandon_output()
    click.echo(f"error: {code}: {text}", err=True)


def _stand_streams() -> None:
    """Let no file take the number of a standard stream that the caller closed, and no character end a command.

    Raises:
        OSError: standard output is closed: what a command writes would be lost.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 (for the process's life)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise OSError(errno.EBADF, "standard output is closed")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path may hold bytes that are no text, a terminal know ASCII alone
            stream.reconfigure(errors="backslashreplace")


def _abandon_output() -> None:
    """Do not try again, when the interpreter ends, what standard output could not take: it would change the status."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: ChartsealError) -> None:
    if "--json" in sys.argv:
        members = {"code": error.code, "message": str(error), **_reasons(error)}
        # Standard output may lead to a verifier, who is not to learn why a holder proves nothing.
        click.echo(json.dumps({"error": members}), err=isinstance(error, PredicateError))
    else:
        click.echo(f"error: {error.code}: {_printable(str(error))}", err=True)
        for reason in _reasons(error).get("reasons", ()):
            click.echo(f"  {_printable(reason)}", err=True)


def _reasons(error: ChartsealError) -> dict[str, list[str]]:
    """Why each of a holder's records does not do, where that is what was asked."""
    return {"reasons": list(error.reasons)} if isinstance(error, PredicateError) and error.reasons else {}


def _printable(text: str) -> str:
    """A message names places, and a place may come from a hostile file: no escape reaches the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
