"""A run of sealing: an input of any size to a folder of sealed records, or a chart to records in memory."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from chartseal.attestation import to_hex
from chartseal.errors import CoreError
from chartseal.fhir import Reading
from chartseal.fhir.reading import DEFAULT_READING
from chartseal.sealing.batch import Sealer, batched_items
from chartseal.sealing.folder import run_folder
from chartseal.sealing.lookahead import ahead
from chartseal.sealing.plan import Addresses, OnePatient, Plan
from chartseal.sealing.seal import Issuing
from chartseal.sealing.sealed import FORMAT, SealedRecord
from chartseal.sealing.sink import Output, Sink
from chartseal.sealing.source import Source


@dataclass(frozen=True)
class Done:
    """How far a run is: `items` of the `total` that the input has."""

    items: int
    total: int


@dataclass
class Summary:
    """What a run did: records sealed now; places refused, those before it was resumed too, as its folder lists them."""

    sealed: int = 0
    resumed_at: int = 0
    """Items of the input that an earlier run had done."""
    codes: Counter[str] = field(default_factory=Counter)
    """How many refusals bear each code."""

    @property
    def refused(self) -> int:
        """How many places are refused."""
        return self.codes.total()

    def add(self, sealed: int, codes: Sequence[str]) -> None:
        """Count one batch."""
        self.sealed += sealed
        self.codes.update(codes)


def seal_run(
    source: Source,
    issuing: Issuing,
    addresses: Addresses,
    output: Path | Output,
    *,
    reading: Reading = DEFAULT_READING,
    now: datetime | None = None,
    progress: Callable[[Done], None] = lambda _: None,
) -> Summary:
    """Seal every resource of the input for its own patient into the folder or other output; refused ones are listed
    there.

    Raises:
        SealingError: `patient_ambiguous`, `input_unreadable`, or the folder holds another run (`sealing_other_run`), is
            in use (`sealing_in_progress`) or cannot be written (`output_unwritable`).
    """
    identity = _identity(source, issuing, addresses, reading)
    with run_folder(output, identity) if isinstance(output, Path) else output.begin(identity) as run:
        plan = Plan.survey(source.items, issuing.base, addresses)
        batch = Sealer(plan, issuing, reading, now or datetime.now(UTC))
        return _fill(run, source, batch, progress)


def _fill(run: Sink, source: Source, batch: Sealer, progress: Callable[[Done], None]) -> Summary:
    """Seal what is not there yet; reading, sealing and writing overlap."""
    summary = Summary(resumed_at=run.done, codes=run.refused)
    done = run.done
    groups = batched_items(islice(source.items(), run.done, None), batch.plan)
    with ThreadPoolExecutor(max_workers=1) as writer:
        written: Future[None] | None = None
        for work in ahead(map(batch.plan_work, groups)):
            lines, refused = batch.seal_lines(work)
            rejects = [(done + at + 1, work.group[at].place, error) for at, error in refused]
            done += len(work.group)
            if written is not None:
                written.result()
            written = writer.submit(run.write, done, lines, rejects)
            summary.add(len(lines), [error.code for _, error in refused])
            progress(Done(done, batch.plan.pieces))
        if written is not None:
            written.result()
    return summary


def _identity(source: Source, issuing: Issuing, addresses: Addresses, reading: Reading) -> dict[str, str]:
    """What a folder's run is of. A run with another address or option must not pass for the rest of an earlier one."""
    settings = [
        to_hex(issuing.domain.separator()),
        issuing.base,
        issuing.validity.total_seconds(),
        issuing.period.total_seconds(),
        reading.test,
        reading.full,
        sorted(reading.modifier_extensions),
        sorted(reading.implicit_rules),
        to_hex(addresses.digest()),
        to_hex(issuing.proving.public()) if issuing.proving is not None and issuing.gives_credentials else "",
    ]
    return {
        "format": FORMAT,
        "kind": "sealing-run",
        "input": source.digest(),
        "attester": to_hex(issuing.signer.address),
        "settings": to_hex(hashlib.sha256(json.dumps(settings).encode()).digest()),
    }


@dataclass(frozen=True)
class Sealing:
    """A chart, sealed in memory: its records, and (place, error) of what was refused."""

    records: tuple[SealedRecord, ...]
    refused: tuple[tuple[str, CoreError], ...]


def seal_chart(
    text: bytes | str | BinaryIO | Path,
    issuing: Issuing,
    addresses: Addresses | bytes,
    *,
    reading: Reading = DEFAULT_READING,
    now: datetime | None = None,
) -> Sealing:
    """Seal a resource, a Bundle or (from a path whose name says so) NDJSON in memory; an address (64 bytes) stands for
    one patient's chart.

    Raises:
        SealingError: `patient_ambiguous`, `input_unreadable`.
    """
    if isinstance(text, Path):
        source = Source(text)
    else:
        data = text.encode() if isinstance(text, str) else text
        source = Source(None, BytesIO(data) if isinstance(data, bytes) else data)
    whose = OnePatient(addresses) if isinstance(addresses, bytes) else addresses
    plan = Plan.survey(source.items, issuing.base, whose)
    batch = Sealer(plan, issuing, reading, now or datetime.now(UTC))
    records: list[SealedRecord] = []
    refused: list[tuple[str, CoreError]] = []
    for work in map(batch.plan_work, batched_items(source.items(), plan)):
        lines, errors = batch.seal(work)
        records += map(SealedRecord.from_json, lines)
        refused += [(work.group[at].place, error) for at, error in errors]
    return Sealing(tuple(records), tuple(refused))
