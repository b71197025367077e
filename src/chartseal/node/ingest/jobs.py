"""Imports: uploads that are sealed beside the requests, and go on after a restart where they stopped."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from chartseal import _json
from chartseal.errors import ChartsealError, IngestError
from chartseal.node.ingest.intake import Intake, Refusal
from chartseal.node.ingest.spool import Spool, Upload
from chartseal.node.logs import fault, logger
from chartseal.node.metrics import Metrics
from chartseal.node.settings import IngestSettings
from chartseal.sealing import Source
from chartseal.sealing.run import Done
from chartseal.vault.sink import read_rejects

PASSING = frozenset(
    {
        "blobs_unavailable",
        "disk_full",
        "queue_busy",
        "queue_unavailable",
        "sealing_in_progress",
        "status_store_unusable",
        "vault_busy",
        "vault_unavailable",
    }
)
"""Codes of what may be over soon: an import waits for that, and goes on."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
"""Seconds."""


class State(StrEnum):
    """What becomes of an import."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


_ENDED = (State.DONE, State.FAILED)


@dataclass(frozen=True)
class Job:
    """What is kept of an import beside its upload; nothing of what it holds."""

    id: str
    pusher: str
    made_at: int
    """Unix seconds."""
    state: State = State.WAITING
    addresses: str = ""
    """Hex of what tells its patients' addresses from others; empty until they were looked at."""
    run: str = ""
    """Name of its run in the vault."""
    resources: int = 0
    refused: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    """How many refusals bear each code."""
    error: str = ""
    """Code of why it failed."""
    ended_at: int = 0

    def to_json(self) -> bytes:
        """As it stands on the disk."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Job:
        """What `to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: something else.
        """
        members: dict[str, Any] = _json.loads(data)
        return cls(**{**members, "state": State(members["state"])})


class _StoppedError(Exception):
    """The import was cancelled, or the node ends."""


class _Live:
    """A job while the node runs."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.progress = Done(0, 0)
        self.stop = threading.Event()
        """Cancelled, or the node ends."""
        self.is_cancelled = False


class Imports:
    """The imports of one spool."""

    def __init__(self, intake: Intake, spool: Spool, settings: IngestSettings, metrics: Metrics) -> None:
        self._intake, self._spool, self._settings, self._metrics = intake, spool, settings, metrics
        self._lock = threading.Lock()
        self._jobs: dict[str, _Live] = {}
        self._workers: ThreadPoolExecutor | None = None

    @asynccontextmanager
    async def service(self) -> AsyncIterator[None]:
        """Work while the node does."""
        self.start()
        try:
            yield
        finally:
            self.stop()

    def start(self) -> None:
        """Take up what an earlier process left.

        Raises:
            IngestError: `spool_unavailable`.
        """
        self._workers = ThreadPoolExecutor(self._settings.imports_at_once, thread_name_prefix="import")
        for name in self._spool.names():
            try:
                job = Job.from_json(self._spool.read(name))
            except (ValueError, TypeError, KeyError):
                logger().warning("import_damaged")
                self._spool.forget(name)
                continue
            self._jobs[name] = _Live(job)
        self._spool.clear()
        self._forget_old()
        for live in list(self._jobs.values()):
            if live.job.state in _ENDED:
                self._spool.drop(live.job.id)
            else:
                self._workers.submit(self._work, live)
        self._count()

    def stop(self) -> None:
        """End after the batches that are being sealed; the next process goes on."""
        with self._lock:
            lives = list(self._jobs.values())
        for live in lives:
            live.stop.set()
        if self._workers is not None:
            self._workers.shutdown(wait=True, cancel_futures=True)

    def begin(self) -> Upload:
        """A new upload.

        Raises:
            IngestError: `imports_full`: too many wait; `spool_unavailable`, `disk_full`.
        """
        with self._lock:
            open_jobs = sum(live.job.state not in _ENDED for live in self._jobs.values())
        if open_jobs >= self._settings.imports_waiting:
            raise IngestError("too many imports wait", "imports_full")
        return self._spool.begin()

    def add(self, upload: Upload, pusher: str) -> Job:
        """Take a whole upload; from now on it outlives the process.

        Raises:
            IngestError: `spool_unavailable`, `disk_full`; the upload is deleted then.
        """
        upload.keep()
        live = _Live(Job(upload.name, pusher, self._now()))
        try:
            self._spool.write(live.job.id, live.job.to_json())
        except IngestError:
            self._spool.drop(upload.name)
            raise
        with self._lock:
            self._jobs[live.job.id] = live
        assert self._workers is not None  # noqa: S101 (requests come after the service began)
        self._workers.submit(self._work, live)
        self._forget_old()
        self._count()
        return live.job

    def find(self, name: str, pusher: str) -> tuple[Job, Done]:
        """An import of that pusher's, and how far it is.

        Raises:
            IngestError: `import_unknown`.
        """
        live = self._find(name, pusher)
        return live.job, live.progress

    def _find(self, name: str, pusher: str) -> _Live:
        with self._lock:
            live = self._jobs.get(name)
        if live is None or live.job.pusher != pusher:
            raise IngestError("there is no such import", "import_unknown")
        return live

    def cancel(self, name: str, pusher: str) -> None:
        """Stop an import and delete its upload and its result; what was sealed stays.

        Raises:
            IngestError: `import_unknown`, `spool_unavailable`.
        """
        live = self._find(name, pusher)
        with self._lock:
            live.is_cancelled = True
            self._jobs.pop(name, None)
        live.stop.set()
        self._spool.forget(name)
        self._count()

    def refusals(self, name: str, pusher: str) -> Iterator[Refusal]:
        """What an import refused.

        Raises:
            IngestError: `import_unknown`, `import_not_done`.
            VaultError: `vault_unavailable`.
        """
        job = self._find(name, pusher).job
        if job.state not in _ENDED:
            raise IngestError("the import is not done", "import_not_done")
        lines = read_rejects(self._intake.vault, job.run).splitlines() if job.run else []
        return (_refusal(line) for line in lines)

    def _work(self, live: _Live) -> None:
        """Seal an upload to its end, or until the node stops; whatever happens, it is known of the job."""
        wait = _FIRST_WAIT
        while not live.stop.is_set():
            try:
                self._seal(live)
            except _StoppedError:
                break
            except ChartsealError as error:
                if error.code not in PASSING:
                    self._fail(live, error.code)
                    break
                logger().warning("import_waits", code=error.code)
                live.stop.wait(wait)
                wait = min(_LONGEST_WAIT, wait * 2)
            except Exception as error:
                logger().error("import_fault", **fault(error))
                self._fail(live, "internal_error")
                break
            else:
                break

    def _seal(self, live: _Live) -> None:
        name = live.job.id

        def interrupt() -> None:
            if live.stop.is_set():
                raise _StoppedError

        source = Source(None, opener=lambda: self._spool.opened(name, interrupt), ndjson=True)
        if not live.job.addresses:
            self._keep(live, addresses=self._intake.digest_of(source).hex())
        self._keep(live, state=State.RUNNING)

        def progress(done: Done) -> None:
            live.progress = done
            interrupt()

        def told(run: str) -> None:
            interrupt()
            self._keep(live, run=run)

        summary = self._intake.take(source, live.job.pusher, bytes.fromhex(live.job.addresses), progress, told)
        # Of a run that was done already nothing is told while it goes on.
        resources = max(live.progress.total, summary.resumed_at)
        self._end(live, State.DONE, resources=resources, refused=summary.refused, codes=dict(summary.codes))

    def _fail(self, live: _Live, code: str) -> None:
        """End without having sealed all; where not even that can be kept, the next process tries again."""
        try:
            self._end(live, State.FAILED, error=code)
        except (_StoppedError, IngestError) as error:
            logger().warning("import_end_unkept", code=getattr(error, "code", "stopped"))

    def _end(self, live: _Live, state: State, **changes: Any) -> None:
        """Keep how it ended, then delete the upload.

        Raises:
            _StoppedError: it was cancelled.
            IngestError: `spool_unavailable`, `disk_full`.
        """
        self._keep(live, state=state, ended_at=self._now(), **changes)
        self._spool.drop(live.job.id)
        self._count()

    def _keep(self, live: _Live, **changes: Any) -> None:
        """Change what is known of a job, here and on the disk, unless it was cancelled."""
        with self._lock:
            if live.is_cancelled:
                raise _StoppedError
            job = replace(live.job, **changes)
            if job != live.job:
                self._spool.write(job.id, job.to_json())
                live.job = job

    def _forget_old(self) -> None:
        """Results whose time is over."""
        before = self._now() - int(timedelta(hours=self._settings.keep_results_hours).total_seconds())
        with self._lock:
            old = [each for each, live in self._jobs.items() if live.job.state in _ENDED and live.job.ended_at < before]
            for name in old:
                del self._jobs[name]
        for name in old:
            self._spool.forget(name)

    def _count(self) -> None:
        with self._lock:
            states = [live.job.state for live in self._jobs.values()]
        for state in State:
            self._metrics.imports.labels(state.value).set(states.count(state))

    def _now(self) -> int:
        return int(self._intake.clock().timestamp())


def _refusal(line: bytes) -> Refusal:
    members = _json.loads(line)
    return Refusal(members["place"], members["code"], members["path"], members["message"])


def time_of(seconds: int) -> str:
    """Unix seconds as FHIR's instant."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
