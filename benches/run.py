"""Run the benches and print one table; `--write` puts it into docs/benchmarks.md.

python benches/run.py [NAME …] [--write]
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from _figures import Figure, table

NAMES = (
    "tree",
    "seal_signature",
    "multiproof",
    "disclosure",
    "consent",
    "answers",
    "keys",
    "reading",
    "hostile",
    "contracts",
    "proof_gas",
    "delegated",
    "indexing",
    "auditing",
    "erasing",
    "reverify",
    "scanning",
    "watching",
    "sealing",
    "storing",
    "proving",
    "browser",
    "adherence",
    "adherence_spark",
    "adherence_million",
)
"""One module each, with `figures()`; the slowest last."""

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- benches/run.py begins -->", "<!-- benches/run.py ends -->"


def machine() -> str:
    """Processor, cores, system and Python."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = named[0] if named else platform.processor() or platform.machine()
    system = f"{platform.system()} {platform.machine()}"
    return f"{processor}, {os.cpu_count()} cores, {system}, Python {platform.python_version()}"


def write(text: str) -> None:
    """Replace what stands between the markers of the document.

    Raises:
        ValueError: it has not one of each.
    """
    whole = DOCUMENT.read_text()
    if whole.count(_BEGIN) != 1 or whole.count(_END) != 1:
        raise ValueError(f"{DOCUMENT.name} has not one {_BEGIN} and one {_END}")
    before, rest = whole.split(_BEGIN)
    DOCUMENT.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{rest.split(_END)[1]}")


def main() -> None:
    """Run what is named, all by default; progress goes to standard error."""
    parser = argparse.ArgumentParser(description="Measure Chartseal beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--write", action="store_true", help="rewrite the table in docs/benchmarks.md")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    found: list[Figure] = []
    for name in given.names or NAMES:
        print(f"{name} …", file=sys.stderr, flush=True)
        found += importlib.import_module(name).figures()
    text = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}.\n\n{table(found)}"
    print(text)
    if given.write:
        write(text)


if __name__ == "__main__":
    main()
