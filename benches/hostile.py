"""What a hostile input costs before it is refused: 100 MB of `[`, as one text and as a stream."""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import time

from _figures import Figure, table

from chartseal import _core
from chartseal.errors import ChartsealError
from chartseal.fhir import Refused, pieces

SIZE = 100_000_000


_ENTRY = b'{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Observation","note":'
_WAYS = {
    "as one text": (b"", False),
    "as a stream": (b"", False),
    "in a Bundle": (_ENTRY, False),
    "as a line": (b"", True),
}
"""What stands before the brackets, and whether the input is NDJSON."""


def _refusal(way: str, data: bytes, *, ndjson: bool) -> str:
    """The code of the first refusal."""
    try:
        if way == "as one text":
            _core.read_resource(data)
        else:
            found = next(pieces(io.BytesIO(data), ndjson=ndjson))
            if isinstance(found, Refused):
                return str(found.error.code)
    except ChartsealError as refused:
        return refused.code
    raise AssertionError("it was read")


def _peak() -> int:
    """Bytes of this process at its largest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024


def measure(way: str) -> dict[str, object]:
    """Code of the refusal, CPU seconds and how far memory grew beyond the input itself; a process of its own."""
    before_brackets, ndjson = _WAYS[way]
    data = before_brackets + b"[" * SIZE
    before, begun = _peak(), time.process_time()
    code = _refusal(way, data, ndjson=ndjson)
    return {"code": code, "seconds": time.process_time() - begun, "bytes": _peak() - before}


def figures() -> list[Figure]:
    """Seconds and bytes of each way, each in a fresh process."""
    rows = []
    for way in _WAYS:
        run = subprocess.run([sys.executable, __file__, way], capture_output=True, text=True, check=True)
        found = json.loads(run.stdout)
        what = f"refuse {SIZE // 1_000_000} MB of `[` {way} (`{found['code']}`)"
        rows.append(Figure(what, found["seconds"]))
        rows.append(Figure(f"{what}: memory besides the input", found["bytes"] / 1_024, unit="KiB"))
    return rows


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        print(table(figures()))
