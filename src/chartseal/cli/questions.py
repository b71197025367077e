"""What is asked of proofs: policies from files, and the terms of one request, for who proves and who verifies."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chartseal.attestation import ZERO_ADDRESS, Address
from chartseal.cli.addresses import Account
from chartseal.disclosure.binding import Terms
from chartseal.errors import PredicatePolicyError

if TYPE_CHECKING:
    from chartseal.predicates import Policy

LARGEST_POLICY = 1 << 20
"""Bytes that a policy's file may have."""

_FILE = click.Path(dir_okay=False, path_type=Path)


def policy_option(**options: Any) -> Callable[..., Any]:
    """`--policy`, a list of files that `chartseal policy compile` wrote."""
    help_text = "A policy, as `chartseal policy compile` writes it; may be given several times."
    return click.option("--policy", "policy_paths", multiple=True, type=_FILE, help=help_text, **options)


def read_policies(paths: tuple[Path, ...]) -> list[Policy]:
    """The policies of files, each compiled again from its text.

    Raises:
        PredicatePolicyError: one cannot be read, or is malformed.
    """
    if not paths:
        return []
    from chartseal.predicates import Policy

    return [Policy.from_json(_read(path)) for path in paths]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_POLICY + 1)
    except OSError as exc:
        raise PredicatePolicyError(f"cannot be read: {exc.strerror}", "policy_unreadable", path.name) from exc
    if len(data) > LARGEST_POLICY:
        raise PredicatePolicyError("the policy is too long", "limit_exceeded", path.name)
    return data


def terms_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `Terms`; the command gets `terms`."""

    @click.option("--spend", "purpose", default="", metavar="PURPOSE", help="Spend a use of the record for this.")
    @click.option("--period", type=click.IntRange(0, 2**64 - 1), default=0, help="In which period the use counts once.")
    @click.option("--chain-id", type=click.IntRange(0, 2**64 - 1), default=0, help="The chain of --contract.")
    @click.option("--contract", type=Account(), default=ZERO_ADDRESS, help="The contract that checks the proofs.")
    @click.option("--payee", type=Account(), default=ZERO_ADDRESS, help="Whom the contract credits.")
    @functools.wraps(command)
    def wrapped(
        *args: Any, purpose: str, period: int, chain_id: int, contract: Address, payee: Address, **options: Any
    ) -> Any:
        return command(*args, terms=Terms(chain_id, contract, payee, purpose, period), **options)

    return wrapped
