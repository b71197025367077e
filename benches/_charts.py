"""The resources of examples/ as lines of NDJSON: what benches read and seal."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@cache
def resources() -> tuple[dict[str, Any], ...]:
    """Every resource of the three charts, in order."""
    charts = (json.loads(gzip.decompress(file.read_bytes())) for file in sorted(EXAMPLES.glob("*.json.gz")))
    return tuple(entry["resource"] for chart in charts for entry in chart["entry"])


def line(resource: dict[str, Any]) -> bytes:
    """One resource without its end of line. The charts hold no number that Python writes otherwise than it read it."""
    return json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
