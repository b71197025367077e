"""The command as a shell runs it: exit statuses, pipes, and what reaches which stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from chartseal.keys import IssuerKey, Wallet

_MAIN = "import sys; sys.argv[0] = 'chartseal'; from chartseal.cli import main; main()"
PATIENT = b'{"resourceType":"Patient","id":"a"}'
REFUSED = b'{"resourceType":"Observation","id":"o","status":"final","subject":{"reference":"Patient/a"}}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An issuer's key and two charts: one whole, one with a resource that is refused."""
    folder = tmp_path_factory.mktemp("command")
    IssuerKey.generate(base="https://hospital.example/fhir/").save(folder / "issuer.json", "secret")
    (folder / "good.json").write_bytes(PATIENT)
    (folder / "mixed.ndjson").write_bytes(b"\n".join([PATIENT, REFUSED]))
    return folder


@pytest.fixture(scope="module")
def address() -> str:
    return str(Wallet(b"\x07" * 32).sealing_address())


def run(folder: Path, *arguments: str, shell: str = "", given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command in the folder, or a shell line in which it is "$@"."""
    command: Sequence[str] = [sys.executable, "-c", _MAIN, *arguments]
    if shell:
        command = ["bash", "-c", f"set -o pipefail; {shell}", "bash", *command]
    environment = {**os.environ, "CHARTSEAL_PASSPHRASE": "secret", "LANG": "C"}
    return subprocess.run(command, cwd=folder, env=environment, input=given, capture_output=True, check=False)


def seal(source: str, address: str, output: Path, *options: str) -> list[str]:
    return ["seal", source, "--issuer", "issuer.json", "--for", address, "-o", str(output), *options]


def test_the_status_tells_whether_something_was_refused(folder: Path, address: str, tmp_path: Path) -> None:
    assert run(folder, *seal("good.json", address, tmp_path / "good")).returncode == 0
    mixed = run(folder, *seal("mixed.ndjson", address, tmp_path / "mixed", "--json"))
    assert mixed.returncode == 3
    assert json.loads(mixed.stdout)["codes"] == {"element_missing": 1}
    missing = run(folder, *seal("missing.json", address, tmp_path / "missing"))
    assert missing.returncode == 1
    assert missing.stderr.startswith(b"error: input_unreadable: ")
    assert run(folder, "seal", "good.json").returncode == 2
    assert run(folder, "--version").returncode == 0


def test_an_output_that_cannot_be_written_is_one_error(folder: Path, address: str, tmp_path: Path) -> None:
    full = run(folder, *seal("good.json", address, tmp_path / "sealed"), shell='"$@" > /dev/full')
    assert (full.returncode, full.stderr) == (1, b"error: input_output_failed: No space left on device\n")
    closed = run(folder, "show", str(tmp_path / "sealed"), shell='"$@" | true')
    assert closed.returncode in (0, 1)  # 0 where all fits the pipe before its reader ends
    assert closed.stderr == b""


def test_verifying_loads_no_more_than_it_needs() -> None:
    loaded = "import sys, chartseal.cli.verify; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True, text=True)
    modules = set(done.stdout.split())
    assert "chartseal.verification" in modules
    for other in ("chartseal.keys", "chartseal.sealing", "chartseal.fhir", "eth_keyfile", "py_ecc"):
        assert other not in modules
