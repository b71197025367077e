"""The README's quickstart, run as it stands."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chartseal.chain.local.devnet import find_anvil
from chartseal.chain.local.kept import is_locked
from chartseal.errors import DeploymentError

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()
CODE = re.compile(r'"([a-z][a-z0-9]*(?:_[a-z0-9]+)+)"')
RAISED = re.compile(r'(?:Fhir|Limit|Patient)Error\(\s*f?"[^"]*",\s*"([a-z0-9_]+)"')
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[^)\s]+)?\)")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    return tmp_path


def environment() -> dict[str, str]:
    """Without a passphrase from outside: the quickstart sets its own."""
    kept = {name: value for name, value in os.environ.items() if name != "CHARTSEAL_PASSPHRASE"}
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}


def run(command: list[str], text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=text, cwd=folder, env=environment(), capture_output=True, text=True, timeout=240
    )


def test_shell_quickstart(folder: Path) -> None:
    block, *_ = blocks("sh")
    done = run(["bash", "-eu", "-o", "pipefail"], block, folder)
    assert done.returncode == 0, done.stderr
    for command in ("issuer init", "wallet init", "wallet address", "seal", "disclose", "show", "verify"):
        assert f"chartseal {command}" in block
    disclosure = json.loads((folder / "shown.json").read_text())
    assert disclosure["kind"] == "disclosure"
    assert disclosure["records"]


def test_a_quickstart_for_another_audience_fails(folder: Path) -> None:
    block, *_ = blocks("sh")
    verifying = block.index("chartseal verify")
    other = block[:verifying] + block[verifying:].replace("--as https://pharmacy.example", "--as https://other.example")
    assert other != block
    done = run(["bash", "-eu", "-o", "pipefail"], other, folder)
    assert done.returncode == 1
    assert "audience" in done.stderr


def test_shell_quickstart_proves(folder: Path) -> None:
    block, _, proving, *_ = blocks("sh")
    done = run(["bash", "-eu", "-o", "pipefail"], f"export CHARTSEAL_CACHE={folder}/cache\n{block}\n{proving}", folder)
    assert done.returncode == 0, done.stderr
    assert "12. proofs: checked" in done.stderr
    assert "measles, mumps and rubella vaccine" in done.stderr
    shown = json.loads((folder / "proved.json").read_text())
    opened = [leaf["name"] for record in shown["records"] for leaf in record["multiproof"]["leaves"]]
    assert shown["proofs"]
    assert all(name.startswith("chartseal.") for name in opened)


def test_shell_quickstart_on_a_chain(folder: Path) -> None:
    try:
        anvil = find_anvil()
    except DeploymentError as error:
        pytest.skip(str(error))
    with socket.socket() as probe:  # the port that the block names may be another's here
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    _, block, *_ = blocks("sh")
    done = run(
        ["bash", "-eu", "-o", "pipefail"], f"export CHARTSEAL_ANVIL={anvil}\n" + block.replace("8555", port), folder
    )
    assert done.returncode == 0, done.stderr
    assert "existed by" in done.stderr
    assert "Example hospital (hospital, accredited by 0x" in done.stderr
    assert "not checked" not in done.stderr
    assert json.loads((folder / "allergies.fhir.json").read_text())["entry"]
    assert not is_locked(folder / "chain")


def test_shell_keeps(folder: Path) -> None:
    block, _, _, keeping, _ = blocks("sh")
    done = run(["bash", "-eu", "-o", "pipefail"], f"{block}\n{keeping}", folder)
    assert done.returncode == 0, done.stderr
    assert "376 records kept (revocation: not checked)" in done.stdout
    assert "376 deliveries deleted" in done.stdout


def test_shell_adherence(folder: Path) -> None:
    *_, block = blocks("sh")
    done = run(["bash", "-eu", "-o", "pipefail"], block, folder)
    assert done.returncode == 0, done.stderr
    assert "302 of 351" in done.stdout
    assert (folder / "timeline.svg").stat().st_size > 1_000


@pytest.mark.parametrize("at", range(len(blocks("python"))))
def test_python_blocks(at: int, folder: Path) -> None:
    done = run([sys.executable, "-"], blocks("python")[at], folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    typed = run([sys.executable, "-m", "mypy", "--strict", "-c", blocks("python")[at]], "", folder)
    assert typed.returncode == 0, typed.stdout


@pytest.mark.parametrize(
    "paper",
    ["README.md", "SECURITY.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (REPOSITORY / "docs").glob("*.md"))],
)
def test_links_lead_somewhere(paper: str) -> None:
    path = REPOSITORY / paper
    for target, _ in LINK.findall(path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_file_and_test_that_a_paper_names_exists() -> None:
    named = re.compile(r"`((?:src|tools|tests|docs|rust|examples|benches)/[A-Za-z0-9_./-]+\.[a-z]+)(?:::(\w+))?`")
    for path in [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *(REPOSITORY / "docs").glob("*.md")]:
        for name, test in named.findall(path.read_text()):
            file = REPOSITORY / name
            assert file.exists(), f"{path.name}: {name}"
            assert not test or re.search(rf"^ *(?:def|fn) {test}\(", file.read_text(), re.MULTILINE), f"{name}: {test}"


def test_the_clinical_rules_list_every_refusal() -> None:
    """Codes of the reader and of sealing, as their sources spell them, and those in the first columns of the tables."""
    sources = (REPOSITORY / "rust/core/src/fhir").rglob("*.rs")
    core = [path for path in sources if "tests" not in path.with_suffix("").parts]
    spelled = {code for path in core for code in CODE.findall(path.read_text().split("#[cfg(test)]")[0])}
    stages = (REPOSITORY / "src/chartseal").glob("[fs]*/*.py")
    spelled |= {code for path in stages for code in RAISED.findall(path.read_text())} - {
        "record_too_large",
        "map_too_large",
    }
    rules = (REPOSITORY / "docs/clinical.md").read_text()
    cells = re.findall(r"^\| (`[a-z0-9_`, ]+`) \|", rules[rules.index("## What is refused") :], re.MULTILINE)
    assert spelled == {code for cell in cells for code in re.findall(r"`([a-z0-9_]+)`", cell)}
