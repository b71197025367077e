"""Sealing a bulk export end to end, credentials included, beside `orjson.loads` of the same bytes.

Nobody seals what is not parsed.

The export holds the sample charts again and again, every time with ids of their own, as NDJSON in a temporary folder.
Copies are whole: a practitioner whom nothing refers to is refused.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
from _charts import line, resources
from _figures import Figure, table

from chartseal.keys import IssuerKey, Wallet
from chartseal.sealing import PatientMap, Source, StatusStore, seal_run

COPIES = (6, 28, 110)
"""Of 1,816 resources each: some 10,000, 50,000 and 200,000."""

_BASE = "https://hospital.example/fhir/"
_UUID = re.compile(rb"[0-9a-f]{8}(?=(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def _templates() -> list[bytes]:
    """The charts' lines with references as an export has them: Type/id."""
    types = {str(each["id"]): str(each["resourceType"]) for each in resources()}

    def named(match: re.Match[bytes]) -> bytes:
        return types[match[1].decode()].encode() + b"/" + match[1]

    return [re.sub(rb"urn:uuid:([0-9a-f-]{36})", named, line(each)) for each in resources()]


def _lines(copies: int) -> Iterator[bytes]:
    templates = _templates()
    for copy in range(copies):
        for template in templates:
            yield _UUID.sub(b"%08x" % copy, template)


def write_export(path: Path, copies: int) -> list[str]:
    """Write the charts so often; returns the ids of their patients."""
    patients = []
    with path.open("wb") as stream:
        for text in _lines(copies):
            stream.write(text + b"\n")
            if text.startswith(b'{"resourceType":"Patient"'):
                patients.append(json.loads(text)["id"])
    return patients


def seal(export: Path, patients: list[str], output: Path) -> dict[str, float]:
    """Seal the export into `output`: records, seconds of clock and CPU, peak bytes of this process."""
    address = Wallet.generate().sealing_address().data
    issuing = IssuerKey.generate(base=_BASE).issuing(places=StatusStore(output.with_name("key.status.db")))
    wall, cpu = time.perf_counter(), time.process_time()
    summary = seal_run(Source(export), issuing, PatientMap(dict.fromkeys(patients, address)), output)
    assert summary.refused == 0, summary.codes
    return {
        "records": summary.sealed,
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024,
    }


def parse(export: Path) -> float:
    """CPU seconds of orjson over the same lines."""
    begun = time.process_time()
    with export.open("rb") as stream:
        for text in stream:
            orjson.loads(text)
    return time.process_time() - begun


def measure(copies: int) -> dict[str, float]:
    """One size, in a process of its own so that its peak is its own."""
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder, "export.ndjson")
        patients = write_export(export, copies)
        return {**seal(export, patients, Path(folder, "sealed")), "floor": parse(export), "size": export.stat().st_size}


def _rows(copies: int) -> list[Figure]:
    run = subprocess.run([sys.executable, __file__, str(copies)], stdout=subprocess.PIPE, text=True, check=True)
    found, count = json.loads(run.stdout), copies * len(resources())
    what = f"seal an export of {count:,} resources"
    per_record = found["cpu"] / found["records"]
    return [
        Figure(f"{what}, a record", per_record, "orjson.loads", found["floor"] / count, is_floor=True),
        Figure(f"{what}: records a second", found["records"] / found["wall"], unit="records/s"),
        Figure(f"{what}: peak memory", found["bytes"] / 1_048_576, unit="MiB"),
    ]


def figures() -> list[Figure]:
    """CPU a record, records a second and peak memory at each size."""
    return [figure for copies in COPIES for figure in _rows(copies)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
    else:
        print(table(figures()))
