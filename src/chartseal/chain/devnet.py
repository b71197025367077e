"""A local EVM: anvil as a child process, with EAS and SchemaRegistry deployed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from chartseal.attestation import LocalSigner
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.node import Node
from chartseal.chain.sender import Sender
from chartseal.errors import DeploymentError, NodeError

CHAIN_ID = 31_337
_SECRETS = (
    # anvil's first accounts, of the mnemonic "test test … junk", known to everybody.
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
)


def find_anvil() -> str:
    """The anvil program: $CHARTSEAL_ANVIL, the PATH, or a node_modules folder here or above.

    Raises:
        DeploymentError: `anvil_missing`.
    """
    given = os.environ.get("CHARTSEAL_ANVIL") or shutil.which("anvil")
    if given:
        return given
    for folder in [Path.cwd(), *Path.cwd().parents]:
        for place in (folder / "node_modules/.bin/anvil", folder / "tools/anvil/node_modules/.bin/anvil"):
            if place.exists():
                return str(place)
    raise DeploymentError(
        "anvil is not installed: npm install @foundry-rs/anvil-linux-amd64, or set CHARTSEAL_ANVIL", "anvil_missing"
    )


def accounts() -> list[LocalSigner]:
    """The funded accounts; their keys are public."""
    return [LocalSigner(bytes.fromhex(each)) for each in _SECRETS]


class Devnet:
    """A running anvil; use it as a context manager."""

    def __init__(self, *options: str, port: int | None = None, deploy: bool = True) -> None:
        """Start one; further options go to anvil."""
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [find_anvil(), "--port", str(self.port), "--chain-id", str(CHAIN_ID), "--silent", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 (ours)
        self.node = Node(self.url, chain_id=CHAIN_ID)
        try:
            self._await()
            self.deployment = deploy_eas(Sender(self.node, accounts()[0])) if deploy else None
        except BaseException:
            self.stop()
            raise

    def _await(self) -> None:
        probe = Node(self.url, attempts=1, timeout=2)
        for _ in range(200):
            with suppress(NodeError):
                _ = probe.chain_id
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise DeploymentError("anvil did not start", "anvil_failed")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def deploy_eas(sender: Sender) -> Deployment:
    """Deploy SchemaRegistry and EAS."""
    registry = sender.send(Contract.load("schema_registry").deploy())
    eas = sender.send(Contract.load("eas").deploy(registry))
    version = sender.node.read(Contract.load("eas").at(eas).read("version"))
    return Deployment(sender.node.chain_id, version, eas, registry, finality=0, name="local")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
