"""Reading resources into checked fields, beside fhir.resources' R4B models, on the lines of the sample charts."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from _charts import line, resources
from _figures import Figure, cpu_seconds, table
from fhir.resources.R4B import get_fhir_model_class

from chartseal import _core
from chartseal.errors import ChartsealError

PEER = "fhir.resources 8 R4B"


def _peer_seconds(pairs: list[tuple[Any, bytes]]) -> float:
    """CPU seconds for all lines, models imported beforehand."""
    begun = time.process_time()
    for model, text in pairs:
        model.model_validate_json(text)
    return time.process_time() - begun


def figures() -> list[Figure]:
    """CPU seconds a resource, one by one and as one batch; both read every line."""
    chosen = resources()
    pairs = [(get_fhir_model_class(resource["resourceType"]), line(resource)) for resource in chosen]
    lines = [text for _, text in pairs]
    assert not any(isinstance(read, ChartsealError) for read in _core.read_resources(lines))
    for model, text in {model: (model, text) for model, text in pairs}.values():
        model.model_validate_json(text)
    theirs = _peer_seconds(pairs) / len(lines)
    one = cpu_seconds(lambda: [_core.read_resource(text) for text in lines], 10) / len(lines)
    batch = cpu_seconds(lambda: _core.read_resources(lines), 10) / len(lines)
    size = sum(map(len, lines)) / len(lines) / 1_000
    types = len(Counter(resource["resourceType"] for resource in chosen))
    return [
        Figure(f"read a resource into fields ({size:.1f} KB, {types} types)", one, PEER, theirs, goal=100),
        Figure(f"the same, {len(lines):,} at a time", batch, PEER, theirs, goal=100),
    ]


if __name__ == "__main__":
    print(table(figures()))
