"""What is pushed, sealed into the vault with its deliveries and its place in the anchor queue.

What is pushed at once is taken whole or not at all, and the same bytes are sealed once, however often they are pushed.
An import takes what it can, and goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from chartseal.chain.anchors import AnchorQueue
from chartseal.errors import IngestError, LimitError, PatientError
from chartseal.fhir import Reading
from chartseal.node.metrics import Metrics
from chartseal.node.patients import PatientsFile
from chartseal.node.provider import Clock, Provider
from chartseal.sealing import Issuing, PatientMap, SealedLine, Source, seal_run
from chartseal.sealing.plan import Plan
from chartseal.sealing.run import Done, Summary
from chartseal.sealing.sink import Output, Rejection, Sink
from chartseal.vault import Vault, VaultOutput

MOST_AT_ONCE = 1_000
"""Resources of one push: they are one batch, which is kept in one transaction."""
MOST_RECORDS = 4_000
"""That one push makes: what is in no patient's compartment is sealed for each whose records refer to it."""
_PUSHED = b"chartseal/node/push"


@dataclass(frozen=True)
class Refusal:
    """Why one place of an input is not sealed."""

    place: str
    code: str
    path: str
    detail: str

    @classmethod
    def of(cls, rejection: Rejection) -> Refusal:
        """What a run refused."""
        _, place, error = rejection
        return cls(place, error.code, error.path, error.detail)


class PushRefusedError(IngestError):
    """Something of a push is refused, and nothing of it was sealed; `refusals` says what, and why."""

    code = "push_refused"

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(f"{len(refusals)} resources are refused, and nothing was sealed")
        self.refusals = tuple(refusals)


@dataclass(frozen=True)
class Pushed:
    """What became of a push: how many records were sealed; none where the same was pushed before."""

    sealed: int

    @property
    def is_new(self) -> bool:
        """Whether anything was sealed now."""
        return self.sealed > 0


@dataclass(frozen=True)
class Intake:
    """Seals into one vault. Several threads may push at once."""

    vault: Vault
    issuing: Issuing
    queue: AnchorQueue
    patients: PatientsFile
    reading: Reading
    delivery_days: int
    clock: Clock
    metrics: Metrics

    @classmethod
    def of(cls, provider: Provider, metrics: Metrics) -> Intake:
        """The intake of a provider."""
        days = provider.settings.ingest.delivery_days
        parts = (provider.vault, provider.issuing, provider.queue, provider.patients, provider.reading)
        return cls(*parts, days, provider.clock, metrics)

    def push(self, data: bytes, actor: str) -> Pushed:
        """Seal one resource or Bundle, all of it or nothing.

        Raises:
            PushRefusedError: something of it is refused.
            LimitError: `push_too_large`: it holds more than 1,000 resources, or makes more than 4,000 records.
            SealingError: `sealing_in_progress`: the same is being pushed already.
            VaultError, QueueError: it cannot be kept.
        """
        source = Source(None, opener=lambda: nullcontext(io.BytesIO(data)), ndjson=False)
        if sum(1 for _ in source.items()) > MOST_AT_ONCE:
            raise LimitError(f"a push has at most {MOST_AT_ONCE} resources", "push_too_large")
        summary = self._seal(source, Recipients(self.patients.current(), _PUSHED), _Whole(self._output(actor)))
        return Pushed(summary.sealed)

    def take(
        self,
        source: Source,
        actor: str,
        addresses: bytes,
        progress: Callable[[Done], None],
        told: Callable[[str], None],
    ) -> Summary:
        """Seal what can be sealed of an import; `addresses` is its `digest_of`; `told` gets the name of its run.

        Raises:
            SealingError, VaultError, QueueError: it cannot go on; the same goes on where it stopped.
        """
        output = _Named(self._output(actor), told)
        return self._seal(source, Recipients(self.patients.current(), addresses), output, progress)

    def digest_of(self, source: Source) -> bytes:
        """What tells the addresses of an input's patients from others, 32 bytes."""
        met, base = _Met(), self.issuing.base
        Plan.survey(source.items, base, met)
        recipients = Recipients(self.patients.current(), b"")
        recipients.patient_of_chart(met.patients, base)
        return recipients.digest_of(met.patients)

    def _output(self, actor: str) -> VaultOutput:
        return VaultOutput(self.vault, actor, self.clock, self.queue, self.delivery_days)

    def _seal(
        self, source: Source, addresses: Recipients, output: Output, progress: Callable[[Done], None] = lambda _: None
    ) -> Summary:
        watched = _Counted(output, self.metrics)
        return seal_run(
            source, self.issuing, addresses, watched, reading=self.reading, now=self.clock(), progress=progress
        )


class Recipients:
    """Addresses of the map, under a digest that says which run theirs is."""

    def __init__(self, known: PatientMap, digest: bytes) -> None:
        self._known, self._digest = known, digest

    def digest(self) -> bytes:
        """The digest that was given."""
        return self._digest

    def patient_of_chart(self, patients: Mapping[str, bool], base: str) -> None:
        """Let the map know of which server its bare ids are."""
        self._known.patient_of_chart(patients, base)

    def address_of(self, patient: str) -> bytes:
        """The patient's address.

        Raises:
            PatientError: the map has none.
        """
        return self._known.address_of(patient)

    def digest_of(self, patients: Iterable[str]) -> bytes:
        """SHA-256 over these patients and their addresses."""
        digest = hashlib.sha256()
        for patient in sorted(patients):
            try:
                address = self._known.address_of(patient)
            except PatientError:
                address = b""
            digest.update(json.dumps([patient, address.hex()]).encode())
        return digest.digest()


class _Met:
    """Notes which patients an input has."""

    def __init__(self) -> None:
        self.patients: dict[str, bool] = {}

    def digest(self) -> bytes:
        return b""

    def patient_of_chart(self, patients: Mapping[str, bool], base: str) -> None:
        self.patients = dict(patients)

    def address_of(self, patient: str) -> bytes:
        raise PatientError("no address is asked for", "patient_unmapped")


@dataclass(frozen=True)
class _Named:
    """An output that tells how its run is named in the vault, before anything is written."""

    output: VaultOutput
    told: Callable[[str], None]

    @contextmanager
    def begin(self, identity: Mapping[str, str]) -> Iterator[Sink]:
        with self.output.begin(identity) as sink:
            self.told(self.output.mark)
            yield sink


@dataclass(frozen=True)
class _Whole:
    """An output that keeps nothing of a run in which anything is refused."""

    output: Output

    @contextmanager
    def begin(self, identity: Mapping[str, str]) -> Iterator[Sink]:
        with self.output.begin(identity) as sink:
            yield _Sink(sink, _require_none_refused)


def _require_none_refused(lines: Sequence[SealedLine], refused: Sequence[Rejection]) -> None:
    if refused:
        raise PushRefusedError([Refusal.of(each) for each in refused])
    if len(lines) > MOST_RECORDS:
        raise LimitError(f"a push makes at most {MOST_RECORDS} records", "push_too_large")


@dataclass(frozen=True)
class _Counted:
    """An output whose batches are counted once they are kept."""

    output: Output
    metrics: Metrics

    @contextmanager
    def begin(self, identity: Mapping[str, str]) -> Iterator[Sink]:
        with self.output.begin(identity) as sink:
            yield _Sink(sink, lambda *_: None, self._count)

    def _count(self, lines: Sequence[SealedLine], refused: Sequence[Rejection]) -> None:
        self.metrics.sealed.inc(len(lines))
        for _, _, error in refused:
            self.metrics.rejected.labels(error.code).inc()


class _Sink:
    """A sink with something done before and after each batch is kept."""

    def __init__(
        self,
        sink: Sink,
        before: Callable[[Sequence[SealedLine], Sequence[Rejection]], None],
        after: Callable[[Sequence[SealedLine], Sequence[Rejection]], None] = lambda *_: None,
    ) -> None:
        self._sink, self._before, self._after = sink, before, after
        self.done, self.refused = sink.done, sink.refused

    def write(self, done: int, lines: Sequence[SealedLine], refused: Sequence[Rejection]) -> None:
        self._before(lines, refused)
        self._sink.write(done, lines, refused)
        self.done = done
        self._after(lines, refused)
