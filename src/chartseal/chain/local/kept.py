"""A local chain that stays: its state and its deployment lie in a folder, and one process at a time runs it.

with KeptChain(Path("chain")) as chain:
    chain.keep(until=ended)

The folder holds `deployment.json`; `state.json`, the last whole state; `dump.json`, which anvil writes in place, so
that it may be torn after a crash; and `running.json` (URL and process) while the chain runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from chartseal import _json
from chartseal.chain.checks import check_deployment
from chartseal.chain.deployment import Deployment
from chartseal.chain.local.devnet import Devnet, accounts, deploy_eas
from chartseal.chain.registry import register
from chartseal.chain.sending.sender import Sender
from chartseal.errors import DeploymentError

DEFAULT_PORT = 8545
DEPLOYMENT = "deployment.json"
_STATE, _DUMP, _RUNNING, _LOCK = "state.json", "dump.json", "running.json", ".lock"
_LARGEST_STATE = 2**30
_DUMP_SECONDS = 10
_LOOK_SECONDS = 1.0


class Running(NamedTuple):
    """Where the chain of a folder answers, and which process keeps it."""

    url: str
    process_id: int


class KeptChain:
    """A running chain of a folder; use it as a context manager.

    When this process ends, however it ends, anvil writes its state and ends too, and only then is the folder free.
    """

    def __init__(self, folder: Path, *, port: int | None = DEFAULT_PORT, block_time: float | None = None) -> None:
        """Start the folder's chain where it was left, or a new one with EAS and Chartseal's schemas.

        `port` None takes a free one. With `block_time` blocks come in that many seconds, else with each transaction.

        Raises:
            DeploymentError: `chain_running` (another process has the folder), `folder_unwritable`, `state_malformed`,
                `port_taken`, `anvil_missing`, `anvil_failed`, or as `check_deployment`.
        """
        self._folder = folder
        with ExitStack() as begun:
            lock = begun.enter_context(_locked(folder))
            self._seen_at, self._kept = 0, b""
            self._keep_dump()
            options = ["--dump-state", str(folder / _DUMP), "--state-interval", str(_DUMP_SECONDS)]
            if (folder / _STATE).exists():
                options += ["--load-state", str(folder / _STATE)]
            if block_time is not None:
                options += ["--block-time", str(block_time)]
            self.devnet = Devnet(*options, port=port, deploy=False, holding=[lock])
            begun.callback(self._end)
            self.deployment = self._deployed()
            self.registered = register(Sender(self.devnet.node, accounts()[0]), self.deployment)
            """Schemas that were not yet there."""
            _put(folder / _RUNNING, json.dumps({"url": self.url, "pid": os.getpid()}).encode())
            self._begun = begun.pop_all()

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.devnet.url

    def _deployed(self) -> Deployment:
        """As the folder says, checked; deployed where no state was kept."""
        place = self._folder / DEPLOYMENT
        if place.exists() and (self._folder / _STATE).exists():
            deployment = Deployment.load(place)
            check_deployment(self.devnet.node, deployment)
            return deployment
        deployment = deploy_eas(Sender(self.devnet.node, accounts()[0]))
        _put(place, deployment.to_json().encode())
        return deployment

    def keep(self, until: threading.Event) -> None:
        """Wait, keeping each state that anvil dumps, until the event is set.

        Raises:
            DeploymentError: `anvil_failed`, if it ends by itself; `folder_unwritable`.
        """
        while not until.wait(_LOOK_SECONDS):
            if not self.devnet.running:
                raise DeploymentError("anvil ended by itself; the last state that it wrote is kept", "anvil_failed")
            self._keep_dump()

    def stop(self) -> None:
        """End it and keep its last state."""
        self._begun.close()

    def _end(self) -> None:
        (self._folder / _RUNNING).unlink(missing_ok=True)
        self.devnet.stop()
        self._keep_dump()

    def _keep_dump(self) -> None:
        """Put anvil's dump in the kept state's place, if it is new and whole."""
        dump = self._folder / _DUMP
        try:
            at = dump.stat().st_mtime_ns
            if at == self._seen_at:
                return
            with dump.open("rb") as stream:
                data = stream.read(_LARGEST_STATE + 1)
            if len(data) > _LARGEST_STATE:
                raise DeploymentError("the chain's state is over 1 GiB", "state_malformed", _DUMP)
            digest = hashlib.sha256(data).digest()
            if digest != self._kept:  # a resting chain is dumped all the same
                if not _is_whole(data):
                    return
                _put(self._folder / _STATE, data)
                self._kept = digest
            self._seen_at = at
        except FileNotFoundError:
            return
        except OSError as exc:
            raise _unwritable(exc) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def running(folder: Path) -> Running:
    """The chain that runs on a folder.

    Raises:
        DeploymentError: `chain_not_running`.
    """
    try:
        with (folder / _RUNNING).open("rb") as stream:
            stated: Any = _json.loads(stream.read(4096))
        found = Running(str(stated["url"]), int(stated["pid"]))
        if is_locked(folder):  # else it is what a killed process left
            return found
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise DeploymentError("no chain runs on this folder: `chartseal chain up` starts it", "chain_not_running")


def is_locked(folder: Path) -> bool:
    """Whether a process has the folder, or an anvil that is still writing its state."""
    try:
        with (folder / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise _unwritable(exc) from exc
    try:
        _take(lock)
        try:
            yield lock
        finally:
            # Anvil has ended, but the shell that watched over it may hold the lock a moment longer.
            fcntl.flock(lock, fcntl.LOCK_UN)
    finally:
        os.close(lock)


def _take(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise DeploymentError("another process runs the chain of this folder", "chain_running") from exc


def _is_whole(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)  # anvil's own, and large: read for its end alone
    except ValueError:
        return False


def _put(path: Path, data: bytes) -> None:
    """Write beside, sync, then move into place.

    Raises:
        DeploymentError: `folder_unwritable`.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as exc:
        beside.unlink(missing_ok=True)
        raise _unwritable(exc) from exc


def _unwritable(exc: OSError) -> DeploymentError:
    return DeploymentError(f"the chain's folder cannot be used: {exc.strerror}", "folder_unwritable")
