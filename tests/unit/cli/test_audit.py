"""`chartseal audit`: on a vault's database with some acts in it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete

from chartseal.cli import cli
from chartseal.errors import AuditError, VaultError
from chartseal.vault.audit import AuditLog, close_periods
from chartseal.vault.database import open_database, writing
from chartseal.vault.settings import Settings
from chartseal.vault.tables import AUDIT
from tests.audit_log import LOG, begun, issuer, looked, queue, told

_BASE = "https://chart.example/"
_REFERENCE = f"{_BASE}Patient/7"
_SECRETS = {"V_PSEUDONYMS": "70" * 32, "V_ACCOUNTING": "61" * 32, "V_INDEX": "69" * 32}


class Place(NamedTuple):
    """A folder with a vault's database."""

    folder: Path
    log: AuditLog

    def run(self, *arguments: str) -> Result:
        where = {"CHARTSEAL_VAULT": str(self.folder / "vault.db"), "CHARTSEAL_VAULT_KEYS": "env:V"}
        key = {"CHARTSEAL_KEY": "11" * 32}
        return CliRunner(env={**where, **key, **_SECRETS}).invoke(cli, ["audit", *arguments])

    def told(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads(result.stdout)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    engine, log = open_database(str(tmp_path / "vault.db"), create=True), AuditLog(b"p" * 32, b"a" * 32)
    patient, yesterday = log.pseudonym(_REFERENCE.encode()), datetime.now(UTC) - timedelta(days=1)
    acts = [looked(1, patient), looked(2, None), replace(told(3), patient=patient)]
    with writing(engine) as connection:
        Settings(LOG, base=_BASE).write(connection, b"p" * 32)
        log.append(connection, acts, now=yesterday)
        queue().add_announcements(connection, [])
    engine.dispose()
    return Place(tmp_path, log)


def test_what_was_done_to_one_patient(place: Place) -> None:
    entries = place.told("list", "--patient", _REFERENCE, "--since", "2020-01-01")["entries"]
    assert [(each["what"], each["actor"]) for each in entries] == [("record 1", "clerk-7"), ("record 3", "clerk-7")]
    assert place.told("list", "--patient", "https://chart.example/Patient/8")["entries"] == []
    assert place.told("list", "--until", "2020-01-01")["entries"] == []
    assert [each["sequence"] for each in place.told("list", "--action", "disclose")["entries"]] == [3]
    assert "record 1" in place.run("list").stdout


def test_a_relative_reference_is_taken_on_the_vaults_base(place: Place) -> None:
    assert [each["sequence"] for each in place.told("list", "--patient", "Patient/7")["entries"]] == [1, 3]
    output = str(place.folder / "events.ndjson")
    assert place.told("export", "--patient", "Patient/7", "-o", output) == {"resources": 2}
    assert len(place.told("accounting", "--patient", "Patient/7")["disclosures"]) == 1


def test_a_whole_log_and_a_cut_one(place: Place) -> None:
    assert place.told("close") == {"statements": 1, "queues": 1}
    found = place.told("verify", "--provider", f"0x{issuer().address.hex()}", "--anchored")
    assert (found["entries"], found["statements"], found["unstated"]) == (3, 1, 0)
    assert "3  entries" in place.run("verify").stdout
    with writing(open_database(str(place.folder / "vault.db"), create=False)) as connection:
        connection.execute(delete(AUDIT).where(AUDIT.c.sequence == 2))
    error = place.run("verify").exception
    assert isinstance(error, AuditError)
    assert (error.code, error.path) == ("entry_missing", "entry 2")


def test_who_names_no_provider_is_warned(place: Place) -> None:
    assert "--provider" not in place.run("verify").stderr  # nothing is signed yet
    place.told("close")
    assert "--provider" in place.run("verify").stderr
    assert place.run("verify", "--provider", f"0x{issuer().address.hex()}").stderr == ""
    error = place.run("verify", "--provider", "0x" + "77" * 20).exception
    assert isinstance(error, AuditError)
    assert error.code == "statement_foreign"


def test_what_others_kept_is_compared(place: Place) -> None:
    kept, receipt = str(place.folder / "statements"), str(place.folder / "receipt")
    place.told("close")
    place.told("statement", "-o", kept)
    place.told("receipt", "3", "-o", receipt)
    assert place.told("verify", "--statement", kept, "--receipt", receipt)["entries"] == 3
    other = begun(open_database(str(place.folder / "other.db"), create=True))
    with writing(other) as connection:
        place.log.append(connection, [looked(1)], now=datetime.now(UTC) - timedelta(days=1))
        close_periods(connection, issuer(), queues=(), now=datetime.now(UTC))
    error = place.run("verify", "--vault", str(place.folder / "other.db"), "--statement", kept).exception
    assert isinstance(error, AuditError)
    assert error.code == "statement_forked"
    error = place.run("verify", "--vault", str(place.folder / "other.db"), "--receipt", receipt).exception
    assert isinstance(error, AuditError)
    assert error.code == "receipt_contradicts"


def test_accounting_is_shown_and_entered(place: Place) -> None:
    [found] = place.told("accounting", "--patient", _REFERENCE, "--actor", "desk-1")["disclosures"]
    assert (found["recipient"], found["address"], found["purpose"]) == ("Lakeside Registry", "Quay 4", "PUBHLTH")
    assert "Lakeside Registry" in place.run("accounting", "--patient", _REFERENCE, "--actor", "desk-1").stdout
    *_, last = place.told("list", "--patient", _REFERENCE)["entries"]
    assert (last["actor"], last["action"], last["what"]) == ("desk-1", "open", "accounting of disclosures")


def test_an_export_is_fhir_and_entered(place: Place) -> None:
    output = place.folder / "events.ndjson"
    assert place.told("export", "-o", str(output), "--actor", "desk-1") == {"resources": 3}
    assert [json.loads(line)["resourceType"] for line in output.read_bytes().splitlines()] == ["AuditEvent"] * 3
    assert place.told("verify")["entries"] == 4


def test_where_there_is_no_vault(place: Place) -> None:
    error = place.run("verify", "--vault", str(place.folder / "none.db")).exception
    assert isinstance(error, VaultError)
    assert error.code == "vault_missing"
