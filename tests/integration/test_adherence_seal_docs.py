"""The commands and the Python of docs/adherence-seal.md, as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/adherence-seal.md").read_text()


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def run(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "CHARTSEAL_PASSPHRASE"}
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
    made = tmp_path_factory.mktemp("adherence")
    (made / "examples").symlink_to(REPOSITORY / "examples")
    done = run(block("sh"), made)
    assert done.returncode == 0, done.stderr
    assert "12. proofs: checked (one proof)" in done.stderr
    assert re.search(r"from its 6 dispensings; sealed by did:pkh:\S+:0x\w{40}, says the file$", done.stdout.rstrip())
    return made


def test_the_proof_opens_nothing(folder: Path) -> None:
    shown = json.loads((folder / "proved.json").read_text())
    opened = [leaf["name"] for record in shown["records"] for leaf in record["multiproof"]["leaves"]]
    assert shown["proofs"]
    assert all(name.startswith("chartseal.") for name in opened)


def test_a_number_that_its_dispensings_do_not_give(folder: Path) -> None:
    facts = json.loads((folder / "facts.json").read_text())
    [observation] = [each["resource"] for each in facts["entry"] if each["resource"]["resourceType"] == "Observation"]
    observation["valueQuantity"]["value"] = 0.95
    (folder / "forged.json").write_text(json.dumps(facts))
    done = run("chartseal adherence check forged.json --json", folder)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "report_differs"
    assert "pdc: stated 0.95, recomputed 0.855555" in run("chartseal adherence check forged.json", folder).stderr


def test_a_threshold_above_cannot_be_proved(folder: Path) -> None:
    asked = """chartseal policy compile -o high.json 'Observation[urn:chartseal:1:adherence|pdc].value >= 0.855556 {1}
      and component[urn:chartseal:1:adherence|class].value = atc|C10AA and effective = 2025-01-15 to 2025-07-13'
    chartseal prove reported --policy high.json --to https://insurer.example --nonce "$(printf '%064d' 1)" \\
      -w wallet.json --unsafe-development-keys --yes -o high-proof.json"""
    done = run(f'export CHARTSEAL_PASSPHRASE="only for trying out"\n{asked}', folder)
    assert done.returncode == 1
    assert not (folder / "high-proof.json").exists()


def test_python(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    exec(compile(block("python"), "docs/adherence-seal.md", "exec"), {})
    assert capsys.readouterr().out == "154 180 0.855555\n"
