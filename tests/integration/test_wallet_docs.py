"""The commands of docs/wallet.md, as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/wallet.md").read_text()


def run(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHARTSEAL_")}
    environment = {**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}
    return subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],
        input=text,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    [block] = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    made = tmp_path_factory.mktemp("wallet")
    (made / "examples").symlink_to(REPOSITORY / "examples")
    done = run(str(block), made)
    assert done.returncode == 0, done.stderr
    assert "records kept (revocation: not checked)" in done.stdout
    return made


def test_the_allergy_is_shown(folder: Path) -> None:
    shown = json.loads((folder / "shown.json").read_text())
    assert shown["audience"] == "https://school.example"
    assert "111088007" in (folder / "shown.json").read_text()


def test_the_hospital_delivers_no_more(folder: Path) -> None:
    asked = 'export CHARTSEAL_PASSPHRASE="only for trying out" CHARTSEAL_VAULT=vault.db\n'
    assert run(f"{asked}chartseal vault publish mailbox", folder).returncode == 0
    assert list((folder / "mailbox/deliveries").iterdir()) == []


def test_a_new_device_has_everything_again(folder: Path) -> None:
    script = """
    export CHARTSEAL_PASSPHRASE="only for trying out"
    before=$(chartseal wallet list --json | python -c 'import json,sys; print(json.load(sys.stdin)["counts"]["kept"])')
    mkdir device && cp wallet.json records.copy device && cd device
    chartseal wallet restore records.copy
    after=$(chartseal wallet list --json | python -c 'import json,sys; print(json.load(sys.stdin)["counts"]["kept"])')
    test "$after" -eq "$((before + 1))"
    """
    done = run(script, folder)
    assert done.returncode == 0, done.stderr
