"""The commands of docs/wallet.md, as they stand."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/wallet.md").read_text()
BLOCKS: list[str] = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


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
    block = BLOCKS[0]
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


def typed(command: str, folder: Path, answers: Sequence[tuple[str, str]]) -> str:
    """What a command says on a terminal where somebody answers its questions."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "CHARTSEAL_PASSPHRASE": "p", "COLUMNS": "200"}
    arguments = [str(Path(sys.executable).parent / "chartseal"), *shlex.split(command, comments=True)[1:]]
    ours, theirs = pty.openpty()
    started = subprocess.Popen(arguments, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    with started:
        os.close(theirs)
        said, rest = "", list(answers)
        with suppress(OSError):  # the terminal is closed when the command ends
            while piece := os.read(ours, 4_096):
                said += piece.decode()
                if rest and said.endswith(f"{rest[0][0]}: "):
                    os.write(ours, rest.pop(0)[1].encode() + b"\n")
        os.close(ours)
    assert (started.wait(timeout=60), rest) == (0, []), said
    return said


def test_words_with_a_passphrase_come_back_by_both(tmp_path: Path) -> None:
    made, restored = BLOCKS[1].splitlines()
    secret = ("Passphrase of the words", "the other paper")
    said = typed(made, tmp_path / "first", [secret, ("Repeat for confirmation", secret[1])])
    numbered = {int(at): word for at, word in re.findall(r"(\d+)\. ([a-z]+)", said)}
    words = " ".join(numbered[at] for at in range(1, 25))
    [address] = re.findall(r"seal1\w+", said)
    assert secret[1] not in said
    again = typed(restored, tmp_path / "second", [("24 words", words), secret])
    assert re.findall(r"seal1\w+", again) == [address]
    assert "Compare the address" in again
    other = typed(restored, tmp_path / "third", [("24 words", words), (secret[0], "another paper")])
    assert re.findall(r"seal1\w+", other) != [address]
