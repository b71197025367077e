"""A local EVM: anvil as a child process, with EAS and SchemaRegistry deployed."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from chartseal.attestation import Address, LocalSigner, to_hex
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender
from chartseal.errors import DeploymentError, NodeError

CHAIN_ID = 31_337
_PATIENCE = 20.0
"""Seconds in which it writes its state and ends."""
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


_WATCHED = 'exec 3<&0; (cat <&3 >/dev/null; kill "$$") & exec "$0" "$@" </dev/null 3<&-'
"""Shell that becomes the program given, and ends it when standard input closes.

The parent alone holds the other end, so that even `kill -9` of it closes the pipe: the kernel does, on every Unix
(PR_SET_PDEATHSIG is Linux' own and follows the thread that started the child). exec keeps the shell's id, `$$`.
"""


def _watched(command: Sequence[str], holding: Sequence[int]) -> subprocess.Popen[bytes]:
    # The shell's own descriptors have one digit: those to be held must not be among them.
    held = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10) for each in holding]
    try:
        return subprocess.Popen(  # noqa: S603 (our own command)
            ["/bin/sh", "-c", _WATCHED, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end it in order
            pass_fds=held,
        )
    finally:
        for each in held:
            os.close(each)


class Devnet:
    """A running anvil that ends with this process, however that ends; use it as a context manager."""

    def __init__(
        self, *options: str, port: int | None = None, deploy: bool = True, holding: Sequence[int] = ()
    ) -> None:
        """Start one; further options go to anvil, and it keeps the descriptors `holding` open as long as it runs.

        Raises:
            DeploymentError: `anvil_missing`, `port_taken`, `anvil_failed`.
        """
        self.port = port or _free_port()
        _require_free(self.port)
        self.url = f"http://127.0.0.1:{self.port}"
        anvil = [find_anvil(), "--port", str(self.port), "--chain-id", str(CHAIN_ID), "--silent", *options]
        self._process = _watched(anvil, holding)
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
            if not self.running:
                break
            with suppress(NodeError):
                _ = probe.chain_id
                return
            time.sleep(0.05)
        raise DeploymentError("anvil did not start", "anvil_failed")

    @property
    def running(self) -> bool:
        """Whether anvil has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it, and wait until it has written its state."""
        assert self._process.stdin is not None  # noqa: S101 (a pipe, above)
        self._process.stdin.close()
        try:
            self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def deploy_eas(sender: Sender, *, name: str = "local", finality: int = 0) -> Deployment:
    """Deploy SchemaRegistry and EAS.

    Raises:
        NodeError, RevertError, SendError: as the sender.
    """
    from_block = sender.node.block().number
    registry = sender.send(Contract.load("schema_registry").deploy())
    eas = sender.send(Contract.load("eas").deploy(registry))
    version = sender.node.read(Contract.load("eas").at(eas).read("version"))
    return Deployment(sender.node.chain_id, version, eas, registry, from_block, finality, name)


def fund(node: Node, address: Address, wei: int) -> None:
    """Give an account that balance, on a local chain.

    Raises:
        DeploymentError: `not_local`; the node is no anvil.
        NodeError: as the node.
    """
    if not str(node.request("web3_clientVersion")).startswith("anvil/"):
        raise DeploymentError("only a local chain gives money away: this node is no anvil", "not_local")
    node.request("anvil_setBalance", [to_hex(address), hex(wei)])


def _require_free(port: int) -> None:
    """Else another's node would answer for ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise DeploymentError("another program listens on this port", "port_taken", str(port)) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
