"""Sealing a bulk export end to end, beside `orjson.loads` of the same bytes: nobody seals what is not parsed.

The export holds the sample charts again and again, every time with ids of their own, as NDJSON in a temporary folder.
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
from chartseal.sealing import PatientMap, Source, seal_run

COUNTS = (10_000, 50_000, 200_000)
_BASE = "https://hospital.example/fhir/"
_UUID = re.compile(rb"[0-9a-f]{8}(?=(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def _templates() -> list[bytes]:
    """The charts' lines with references as an export has them: Type/id."""
    types = {str(each["id"]): str(each["resourceType"]) for each in resources()}

    def named(match: re.Match[bytes]) -> bytes:
        return types[match[1].decode()].encode() + b"/" + match[1]

    return [re.sub(rb"urn:uuid:([0-9a-f-]{36})", named, line(each)) for each in resources()]


def _lines(count: int) -> Iterator[bytes]:
    templates = _templates()
    for at in range(count):
        copy, which = divmod(at, len(templates))
        yield _UUID.sub(b"%08x" % copy, templates[which])


def write_export(path: Path, count: int) -> list[str]:
    """Write `count` resources; returns the ids of their patients."""
    patients = []
    with path.open("wb") as stream:
        for text in _lines(count):
            stream.write(text + b"\n")
            if text.startswith(b'{"resourceType":"Patient"'):
                patients.append(json.loads(text)["id"])
    return patients


def seal(export: Path, patients: list[str], output: Path) -> dict[str, float]:
    """Seal the export into `output`: records, seconds of clock and CPU, peak bytes of this process."""
    address = Wallet.generate().sealing_address().data
    issuing = IssuerKey.generate(base=_BASE).issuing()
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


def measure(count: int) -> dict[str, float]:
    """One size, in a process of its own so that its peak is its own."""
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder, "export.ndjson")
        patients = write_export(export, count)
        return {**seal(export, patients, Path(folder, "sealed")), "floor": parse(export), "size": export.stat().st_size}


def _rows(count: int) -> list[Figure]:
    run = subprocess.run([sys.executable, __file__, str(count)], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(run.stdout)
    what = f"seal an export of {count:,} resources"
    per_record = found["cpu"] / found["records"]
    return [
        Figure(f"{what}, a record", per_record, "orjson.loads", found["floor"] / count, is_floor=True),
        Figure(f"{what}: records a second", found["records"] / found["wall"], unit="records/s"),
        Figure(f"{what}: peak memory", found["bytes"] / 1_048_576, unit="MiB"),
    ]


def figures() -> list[Figure]:
    """CPU a record, records a second and peak memory at each size."""
    return [figure for count in COUNTS for figure in _rows(count)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
    else:
        print(table(figures()))
