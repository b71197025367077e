"""The commands of docs/sharing.md, as they stand; the port is one that is free."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/sharing.md").read_text()
LINKS, CARDS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def run(text: str, folder: Path, *program: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHARTSEAL_")}
    return subprocess.run(
        program or ("bash", "-eu", "-o", "pipefail"),
        input=text,
        cwd=folder,
        env={**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.long
def test_a_link_as_the_page_has_it(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = run(f"trap 'kill $(jobs -p) || true' EXIT\n{LINKS.replace('8080', str(port))}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "received/1.json  application/fhir+json\nreceived/2.disclosure  disclosure\n" in done.stdout
    assert re.search(r"^active, 2 files\n\S+  Dr\. Adams, Main Street\nrevoked\n", done.stdout, re.MULTILINE)
    facts = json.loads((tmp_path / "received/1.json").read_text())
    kinds = {each["resource"]["resourceType"] for each in facts["entry"]}
    assert kinds == {"AllergyIntolerance", "Provenance"}
    assert (tmp_path / "received/2.disclosure").read_bytes() == (tmp_path / "shown.json").read_bytes()
    assert "7351" not in done.stdout + done.stderr


@pytest.mark.long
def test_a_card_as_the_page_has_it(tmp_path: Path) -> None:
    done = run(CARDS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Clinic: issued" in done.stderr
    claims = json.loads(done.stdout.splitlines()[-1])
    _, immunization = claims["vc"]["credentialSubject"]["fhirBundle"]["entry"]
    influenza = {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "140"}]}
    assert immunization["resource"]["vaccineCode"] == influenza
    assert immunization["resource"]["patient"] == {"reference": "resource:0"}


def test_the_routes_as_the_page_has_them(tmp_path: Path) -> None:
    [block] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    done = run(str(block), tmp_path, sys.executable, "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['/s/files/{token}', '/s/{name}']\n"
    typed = run("", tmp_path, sys.executable, "-m", "mypy", "--strict", "-c", str(block))
    assert typed.returncode == 0, typed.stdout


def test_the_codes_of_the_page_are_the_programs() -> None:
    sharing = "".join(each.read_text() for each in (REPOSITORY / "src/chartseal/sharing").rglob("*.py"))
    commands = "".join(each.read_text() for each in (REPOSITORY / "src/chartseal/cli").glob("*.py"))
    told = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGE[PAGE.index("## Codes") :]))
    of_the_database = {"share_url", "share_version", "share_unavailable"}  # as chain.database names them
    assert [each for each in told - of_the_database if f'"{each}"' not in sharing + commands] == []
    raised = set(re.findall(r'Error\(\s*(?:f?"[^"]*"|detail|what|told),\s*"([a-z_]+)"', sharing))
    assert len(raised) > 25
    assert raised - {"limit_exceeded", "file_unreadable"} <= told
