"""`chartseal consent`: granted, shown, checked, mirrored, withdrawn."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from eth_keyfile import keyfile

from chartseal.cli import cli
from chartseal.consent import Consent, Exceptions, Withdrawal
from chartseal.fhir.validation import validate
from chartseal.keys import Wallet
from tests.consents import ACT, CUSTODIAN, GRANTEE

HERE, THERE = f"0x{CUSTODIAN.hex()}", f"0x{GRANTEE.hex()}"
PATIENT = Wallet(b"\x07" * 32)
GRANT = ("consent", "grant", "--to", THERE, "--custodian", HERE, "--until", "2090-01-01")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A patient's wallet, and a stranger's."""
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)
    monkeypatch.setenv("CHARTSEAL_PASSPHRASE", "p")
    monkeypatch.chdir(tmp_path)
    PATIENT.save(Path("wallet.json"), "p")
    Wallet(b"\x08" * 32).save(Path("stranger.json"), "p")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def done(*arguments: str) -> Result:
    found = run(*arguments)
    assert found.exit_code == 0, found.output
    return found


def code(*arguments: str) -> str:
    found = run(*arguments)
    assert found.exit_code != 0
    return str(getattr(found.exception, "code", ""))


def granted(*options: str) -> Consent:
    done(*GRANT, *options)
    return Consent.loads(Path("consent.json").read_bytes())


def test_every_option_is_signed() -> None:
    consent = granted(
        *("--purpose", "TREAT", "--purpose", "HPAYMT", "--from", "2026-11-01", "--number", "1"),
        *("--types", "Observation,Condition", "--types", "Patient", "--codes", "http://loinc.org|2339-0"),
        *("--since", "1960-01-02", "--through", "2026-12-31", "--sensitivity", "HIV", "--sensitivity", "urn:x|own"),
        *("--except", "type=Claim", "--except", "code=http://loinc.org|1-8", "--except", "label=SUD"),
    )
    terms = consent.check(CUSTODIAN).terms
    assert terms.patient == PATIENT.sealing_address(1)
    assert terms.grantee.account == GRANTEE
    assert terms.purposes == {"TREAT", "HPAYMT"}
    assert (terms.begins_at, terms.ends_at) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC))
    assert terms.types == {"Observation", "Condition", "Patient"}
    assert terms.codes == {"http://loinc.org|2339-0"}
    assert (terms.since, terms.until) == (date(1960, 1, 2), date(2026, 12, 31))
    assert terms.labels == {f"{ACT}|HIV", "urn:x|own"}
    assert terms.exceptions == Exceptions(
        frozenset({"Claim"}), frozenset({"http://loinc.org|1-8"}), frozenset({f"{ACT}|SUD"})
    )
    assert Path("consent.json").stat().st_mode & 0o777 == 0o600


def test_what_is_not_given() -> None:
    terms = granted().verify(CUSTODIAN, datetime.now(UTC)).terms
    assert terms.purposes == {"TREAT"}
    assert (terms.since, terms.until, terms.exceptions) == (None, None, Exceptions())
    assert [terms.types, terms.codes, terms.labels] == [frozenset()] * 3


def test_a_role() -> None:
    told = done("consent", "grant", "--to", "pharmacy", "--custodian", HERE, "--until", "2090-01-01", "--json")
    consent = Consent.loads(Path("consent.json").read_bytes())
    assert (consent.terms.grantee.role, consent.terms.grantee.account) == ("pharmacy", None)
    assert json.loads(told.stderr) == {"root": f"0x{consent.root.hex()}"}


@pytest.mark.parametrize(
    "options",
    [
        ("--to", "friend"),
        ("--to", "0x11"),
        ("--custodian", "hospital"),
        ("--purpose", "treat"),
        ("--until", "soon"),
        ("--since", "2026"),
        ("--sensitivity", "HVI"),
        ("--except", "Claim"),
        ("--except", "label=HVI"),
        ("--except", "kind=x"),
    ],
)
def test_misuse(options: tuple[str, str]) -> None:
    assert run(*GRANT, *options).exit_code == 2
    assert not Path("consent.json").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--types", "Observations"),
        ("--except", "type=Claims"),
        ("--codes", "2339-0"),
        ("--until", "2020-01-01"),
        ("--since", "2026-01-02", "--through", "2026-01-01"),
    ],
)
def test_terms_that_are_refused(options: tuple[str, ...]) -> None:
    assert code(*GRANT, *options) == "consent_malformed"
    assert not Path("consent.json").exists()


def test_a_consent_is_shown() -> None:
    consent = granted("--sensitivity", "HIV", "--except", "type=Claim")
    shown = done("consent", "show", "consent.json").stdout
    assert f"root: 0x{consent.root.hex()}\n" in shown
    assert f"sensitivity: {ACT}|HIV\n" in shown
    assert "except types: Claim\n" in shown
    assert "codes" not in shown
    members = json.loads(done("consent", "show", "consent.json", "--json").stdout)
    assert (members["purposes"], members["codes"], members["until"]) == (["TREAT"], [], "2090-01-01T00:00:00+00:00")
    piped = CliRunner().invoke(cli, ["consent", "show", "-"], input=Path("consent.json").read_bytes())
    assert piped.stdout == shown


def test_a_forged_consent_is_not_shown() -> None:
    members = json.loads(granted().to_json())
    Path("consent.json").write_text(json.dumps({**members, "signature": "0x" + "11" * 64}))
    for command in (("show",), ("fhir", "--patient", "Patient/1"), ("check", "--custodian", HERE)):
        assert code("consent", command[0], "consent.json", *command[1:]) == "consent_invalid"
    Path("consent.json").write_text("{}")
    assert code("consent", "show", "consent.json") == "consent_malformed"
    assert code("consent", "show", "missing.json") == "file_unreadable"


def test_a_check_says_why_not() -> None:
    consent = granted("--from", "2026-11-01")
    check = ("consent", "check", "consent.json", "--custodian")
    assert "in force until 2090-01-01T00:00:00+00:00" in done(*check, HERE, "--at", "2026-12-01T00:00:00Z").stdout
    told = json.loads(done(*check, HERE, "--at", "2026-12-01T00:00:00Z", "--json").stdout)
    assert told == {"root": f"0x{consent.root.hex()}", "until": "2090-01-01T00:00:00+00:00", "withdrawal": "not shown"}
    assert code(*check, THERE) == "consent_other_custodian"
    assert code(*check, HERE, "--at", "2026-10-01T00:00:00Z") == "consent_not_begun"
    assert code(*check, HERE, "--at", "2090-01-01T00:00:00Z") == "consent_expired"


def test_a_withdrawal() -> None:
    consent = granted()
    done("consent", "withdraw", "consent.json")
    withdrawal = Withdrawal.loads(Path("withdrawal.json").read_bytes())
    withdrawal.verify()
    assert withdrawal.root == consent.root
    check = ("consent", "check", "consent.json", "--custodian", HERE, "--withdrawal", "withdrawal.json")
    assert code(*check) == "consent_withdrawn"
    done("consent", "withdraw", "--root", f"0x{consent.root.hex()}", "-o", "again.json", "--json")
    assert Withdrawal.loads(Path("again.json").read_bytes()).root == consent.root
    granted()
    assert code(*check) == "withdrawal_other"
    Path("withdrawal.json").write_text("{}")
    assert code(*check) == "withdrawal_malformed"


def test_only_the_patient_withdraws() -> None:
    granted()
    assert code("consent", "withdraw", "consent.json", "-w", "stranger.json") == "consent_other_patient"
    assert run("consent", "withdraw").exit_code == 2
    assert run("consent", "withdraw", "consent.json", "--root", "0x" + "11" * 32).exit_code == 2
    assert not Path("withdrawal.json").exists()


def test_the_mirror() -> None:
    consent = granted("--except", "label=SUD", "--sensitivity", "HIV")
    whole = done("consent", "fhir", "consent.json", "--patient", "Patient/1").stdout
    validate(whole.encode())
    assert '"SUD"' in whole
    done("consent", "fhir", "consent.json", "--patient", "Patient/1", "--for-grantee", "-o", "shown.json")
    shown = Path("shown.json").read_text()
    validate(shown.encode())
    assert "SUD" not in shown
    assert "sourceAttachment" not in shown
    assert '"HIV"' in shown
    told = done("consent", "fhir", "consent.json", "--patient", "Patient/1", "-o", "x.json", "--json")
    assert json.loads(told.stderr) == {"root": f"0x{consent.root.hex()}"}


def test_the_mirror_for_a_role() -> None:
    done("consent", "grant", "--to", "clinic", "--custodian", HERE, "--until", "2090-01-01")
    shown = json.loads(done("consent", "fhir", "consent.json", "--patient", "Patient/1", "--for-grantee").stdout)
    assert shown["provision"]["provision"][0]["actor"][0]["reference"]["display"] == "whoever is accredited as clinic"
