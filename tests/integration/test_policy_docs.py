"""The commands, policies and refusals of docs/policies.md, as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chartseal.errors import PredicatePolicyError
from chartseal.predicates import Policy, compile_policy

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "policies.md").read_text()
HASHES = re.findall(r"^\| `(.+)` \| `0x([0-9a-f]{64})` \|$", (DOCS / "format.md").read_text(), re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_commands(tmp_path: Path) -> None:
    [block] = blocks("sh")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],
        input=block,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "the holder's HbA1c (LOINC 4548-4) is under 7 %" in done.stdout
    vaccinated = Policy.from_json((tmp_path / "vaccinated.json").read_bytes())
    assert vaccinated.text == "Immunization.vaccineCode in cvx{207, 208} and occurrence >= 2026-05-01"


@pytest.mark.parametrize("text", [line for block in blocks("policy") for line in block.splitlines()])
def test_examples_compile_to_what_they_say(text: str) -> None:
    policy = compile_policy(text)
    assert compile_policy(policy.text) == policy
    assert "?" not in policy.words()


@pytest.mark.parametrize("line", [line for block in blocks("refused") for line in block.splitlines()])
def test_refusals(line: str) -> None:
    code, text = line.split(maxsplit=1)
    if code == "policy_unit_conversion":
        pytest.importorskip("ucumvert", reason="the extra ucum is not installed")
    with pytest.raises(PredicatePolicyError) as caught:
        compile_policy(text)
    assert caught.value.code == code


def test_python(capsys: pytest.CaptureFixture[str]) -> None:
    for block in blocks("python"):
        exec(compile(block, "docs/policies.md", "exec"), {})
    assert capsys.readouterr().out.endswith(" 4\n")


def test_hashes_of_the_format_specification() -> None:
    found = {text.replace("\\|", "|"): hashed for text, hashed in HASHES if " in " in text or " and " in text}
    assert len(found) == 3
    assert {text: compile_policy(text).hash.hex() for text in found} == found
