"""A command that runs on after the one that started it: its first line of output, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chartseal import _json
from chartseal.chain.local.kept import is_locked, running
from chartseal.errors import DeploymentError

_COMMAND = "from chartseal.cli import main; main()"
_LONGEST_LINE = 65_536
_PATIENCE = 30.0
"""Seconds in which a chain writes its state and ends."""


def start(arguments: Sequence[str]) -> dict[str, Any]:
    """Run `chartseal` with these arguments and `--json` in a session of its own; gives the object that it prints first.

    Raises:
        DeploymentError: the command's own error, with its code.
    """
    process = subprocess.Popen(  # noqa: S603 (this very program)
        [sys.executable, "-c", _COMMAND, *arguments, "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101 (a pipe, above)
    with process.stdout:
        line = process.stdout.readline(_LONGEST_LINE)
    try:
        shown: dict[str, Any] = _json.loads(line)
    except ValueError:
        raise DeploymentError("the chain did not start", "chain_not_running") from None
    if "error" in shown:
        raise DeploymentError(shown["error"]["message"], shown["error"]["code"])
    return shown


def end(folder: Path) -> None:
    """End the process that keeps a folder's chain, and wait until the folder is free.

    Raises:
        DeploymentError: `chain_not_running`, or `chain_running` if it does not end.
    """
    try:
        os.kill(running(folder).process_id, signal.SIGTERM)
    except ProcessLookupError:
        raise DeploymentError("no chain runs on this folder", "chain_not_running") from None
    deadline = time.monotonic() + _PATIENCE
    while is_locked(folder):
        if time.monotonic() > deadline:
            raise DeploymentError("the chain does not end", "chain_running")
        time.sleep(0.05)
