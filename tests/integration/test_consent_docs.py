"""The commands, tables and policy of docs/consent.md, as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chartseal.consent import DUTIES, REASONS, Consent, SitePolicy, Withdrawal
from chartseal.consent.policy import EMERGENCY_TYPES
from chartseal.fhir.validation import validate
from chartseal.keys import IssuerKey

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/consent.md").read_text()
SOURCE = "".join(each.read_text() for each in (REPOSITORY / "src").rglob("*.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    [block] = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    made = tmp_path_factory.mktemp("consent")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHARTSEAL_")}
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],
        input=block,
        cwd=made,
        env={**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "in force until 2090-01-01T00:00:00+00:00" in done.stdout
    return made


def test_the_consent_is_for_who_is_named(folder: Path) -> None:
    here, there = (IssuerKey.load(folder / f"{name}.json", "only for trying out").address for name in ("here", "there"))
    consent = Consent.loads((folder / "consent.json").read_bytes().rstrip())
    custodian = consent.terms.custodian
    terms = consent.verify(custodian, datetime.now(UTC)).terms
    assert (f"0x{custodian.hex()}", str(terms.grantee)) == (here.lower(), there)
    assert terms.types == {"Observation", "Condition"}
    withdrawal = Withdrawal.loads((folder / "withdrawal.json").read_bytes().rstrip())
    withdrawal.verify()
    assert (withdrawal.root, withdrawal.holder) == (consent.root, terms.holder)


def test_the_mirrors_are_fhir_and_the_grantees_is_silent(folder: Path) -> None:
    whole, shown = ((folder / f"{name}.fhir.json").read_bytes() for name in ("consent", "shown"))
    for each in (whole, shown):
        validate(each)
    excepted = json.dumps({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "MH"})
    assert excepted in whole.decode()
    assert excepted not in shown.decode()


def test_the_policy_is_one() -> None:
    [block] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    policy = SitePolicy.from_toml(block)
    assert len(policy.permits) == 1
    assert policy.break_glass is not None


def test_the_tables_are_the_programs() -> None:
    rows = dict(re.findall(r"^\| `([a-z0-9_-]+)` \| ([^|]*) \|$", PAGE, re.MULTILINE))
    assert {code: text for code, text in rows.items() if code in REASONS} == REASONS
    duties = set(re.findall(r"^\| `([a-z0-9-]+)` \| [^|]* \| [^|]* \|$", PAGE, re.MULTILINE))
    assert duties == set(DUTIES)


def test_the_codes_are_the_programs() -> None:
    section = PAGE[PAGE.index("| Code | Why a consent") : PAGE.index("## Scopes")]
    codes = set(re.findall(r"`([a-z]+_[a-z_]+)`", section))
    assert len(codes) > 12
    made = {"register_url", "register_version", "register_busy", "register_damaged"}  # of the database's kind
    assert {each for each in codes - made if f'"{each}"' not in SOURCE} == set()


def test_the_emergency_set_is_the_programs() -> None:
    [line] = [each for each in PAGE.splitlines() if "The emergency set: " in each]
    named = line.partition("The emergency set: ")[2].rstrip(".").split(", ")
    assert set(named) == EMERGENCY_TYPES
