"""`chartseal disclose`, `show` and `verify`, from sealed records to facts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chartseal.attestation import checksum_address
from chartseal.cli import cli, main
from chartseal.errors import ChartsealError, FormError, NotCheckedError, PolicyError, VerificationError
from chartseal.keys import Wallet
from chartseal.sealing import seal_fields
from tests.charts import CONTRACT, ISSUER, ISSUING, texts

NONCE = "88" * 32
TO = "https://verifier.example"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wallet, its two sealed records (one at the confidential address), and a policy."""
    folder = tmp_path_factory.mktemp("cli")
    wallet = Wallet(b"\x07" * 32)
    wallet.save(folder / "wallet.json", "secret")
    fields = texts(
        {
            "Condition.clinicalStatus.coding[0].code": "active",
            "Condition.verificationStatus.coding[0].code": "refuted",
            "Condition.code.text": "A\x1b[31mB",
            "Condition.subject.reference": "Patient/p",
            "Condition.note[0].text": "private",
        }
    )
    (folder / "sealed").mkdir()
    lines = [
        seal_fields("Condition", fields, ISSUING, wallet.sealing_address(address).data).to_json() for address in (0, 1)
    ]
    (folder / "sealed" / "all.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    (folder / "trust.toml").write_text(
        f"""[[domain]]
version = "1.4.0"
chain_id = 31337
contract = "{checksum_address(CONTRACT)}"
[[issuer]]
address = "{checksum_address(ISSUER)}"
name = "Example hospital"
"""
    )
    return folder


def run(folder: Path, *arguments: str, given: bytes | None = None) -> Result:
    return CliRunner(env={"CHARTSEAL_PASSPHRASE": "secret"}).invoke(cli, list(arguments), input=given)


def disclose(folder: Path, *options: str) -> Result:
    wallet = ["-w", str(folder / "wallet.json")]
    given = ["disclose", str(folder / "sealed"), "--to", TO, "--nonce", NONCE, *wallet, *options]
    return run(folder, *given)


def verify(folder: Path, path: Path | str, *options: str, given: bytes | None = None) -> Result:
    return run(folder, "verify", str(path), "--trust", str(folder / "trust.toml"), *options, given=given)


OURS = ("--as", TO, "--nonce", NONCE)


@pytest.fixture(scope="module")
def shown(folder: Path) -> Path:
    path = folder / "shown.json"
    done = disclose(folder, "--open", "Condition.code", "--yes", "-o", str(path))
    assert done.exit_code == 0, done.output
    return path


def test_disclose_tells_what_travels_and_why(folder: Path) -> None:
    told = disclose(folder, "--open", "Condition.code", "--preview")
    assert told.exit_code == 0
    assert told.stdout == ""
    for word in ("verificationStatus", "refuted", "chosen", "fields stay"):
        assert word in told.stderr
    assert "private" not in told.stderr
    assert "\x1b" not in told.stderr
    as_json = json.loads(disclose(folder, "--open", "Condition.code", "--preview", "--json").stderr)
    reasons = {each["name"]: each["reason"] for each in as_json["records"][0]["opens"]}
    assert reasons["Condition.code.text"] == "chosen"


def test_disclose_writes_only_when_told(folder: Path) -> None:
    asked = disclose(folder, "--open", "Condition.code", "-o", str(folder / "never.json"))
    assert asked.exit_code == 2
    assert "--yes" in asked.output
    assert not (folder / "never.json").exists()


def test_a_disclosure_is_private_to_its_owner(folder: Path, shown: Path, tmp_path: Path) -> None:
    assert shown.stat().st_mode & 0o777 == 0o600
    older = tmp_path / "older.json"
    older.write_text("{}")
    older.chmod(0o644)
    assert disclose(folder, "--open", "Condition.code", "-y", "-o", str(older)).exit_code == 0
    assert older.stat().st_mode & 0o777 == 0o600
    assert disclose(folder, "--open", "Condition.code", "-y", "-o", "/dev/null").exit_code == 0


def test_a_folder_without_records_is_told(folder: Path, tmp_path: Path) -> None:
    given = ["--to", TO, "--nonce", NONCE, "-w", str(folder / "wallet.json"), "--open", "**", "-y"]
    refused(run(folder, "disclose", str(tmp_path), *given), ChartsealError, "records_missing")


@pytest.mark.parametrize("as_text", [False, True])
def test_verify_gives_facts(as_text: bool, folder: Path) -> None:
    path = folder / f"shown{as_text}"
    assert disclose(folder, "--open", "Condition.code", "-y", "-o", str(path), *["--text"] * as_text).exit_code == 0
    done = verify(folder, path, *OURS)
    assert done.exit_code == 0, done.output
    assert " 8. revocation: not checked" in done.stderr
    assert "11. audience, nonce, expiry: checked" in done.stderr
    bundle = json.loads(done.stdout)
    types = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert types == ["Condition", "Provenance"] * 2
    assert bundle["entry"][0]["resource"]["verificationStatus"]["coding"][0]["code"] == "refuted"


def test_verify_as_json_and_from_standard_input(folder: Path, shown: Path) -> None:
    facts = folder / "facts.json"
    done = verify(folder, "-", *OURS, "--json", "-o", str(facts), given=shown.read_bytes())
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["verified"] is True
    assert [step["number"] for step in told["steps"]] == list(range(1, 13))
    assert told["samePerson"] == "not shown"
    assert told["records"][0]["slots"]["Condition.note"] == {"state": "withheld", "fields": 1, "shown": 0}
    assert told["facts"] == json.loads(facts.read_text())


def refused(done: Result, error: type[ChartsealError], code: str) -> None:
    assert done.exit_code == 1
    assert isinstance(done.exception, error)
    assert done.exception.code == code


def test_verify_refuses_with_the_steps_error(folder: Path, shown: Path) -> None:
    refused(verify(folder, shown), NotCheckedError, "step_not_checked")
    refused(verify(folder, shown, "--as", TO), NotCheckedError, "step_not_checked")
    refused(verify(folder, shown, "--nonce", NONCE), NotCheckedError, "step_not_checked")
    other = verify(folder, shown, "--as", TO, "--nonce", "89" * 32)
    refused(other, VerificationError, "nonce_mismatch")
    assert "refused at step 11" in other.stderr
    late = verify(folder, shown, *OURS, "--now", "2100-01-01T00:00:00Z")
    refused(late, VerificationError, "disclosure_expired")
    altered = shown.read_bytes().replace(b"refuted", b"confirmed")
    refused(verify(folder, "-", *OURS, given=altered), VerificationError, "root_mismatch")
    refused(verify(folder, "-", *OURS, given=b"\xff"), FormError, "disclosure_malformed")
    refused(verify(folder, folder / "nowhere", *OURS), FormError, "file_unreadable")
    done = run(folder, "verify", str(shown), "--trust", str(folder / "nowhere"), *OURS)
    refused(done, PolicyError, "policy_unreadable")


def test_a_policy_may_allow_what_is_not_compared(folder: Path, shown: Path) -> None:
    lenient = folder / "lenient.toml"
    lenient.write_text("required = []\n" + (folder / "trust.toml").read_text())
    done = run(folder, "verify", str(shown), "--trust", str(lenient))
    assert done.exit_code == 0
    assert "11. audience, nonce, expiry: not checked" in done.stderr


def test_show_a_disclosure(folder: Path, shown: Path) -> None:
    told = run(folder, "show", str(shown)).stdout
    assert "not verified" in told
    assert "refuted" in told
    assert "Condition.note (1)" in told
    assert "private" not in told
    assert "\x1b" not in told
    assert "chartseal.subject" not in told
    assert "chartseal.about" in told
    assert "chartseal.subject" in run(folder, "show", str(shown), "--control").stdout
    as_json = json.loads(run(folder, "show", str(shown), "--json").stdout)
    assert as_json["verified"] is False
    assert as_json["records"][0]["withheld"] == {"Condition.note": 1}


def test_no_escape_of_a_name_reaches_the_terminal(folder: Path, shown: Path) -> None:
    altered = json.loads(shown.read_bytes())
    for leaf in altered["records"][0]["multiproof"]["leaves"]:
        if leaf["name"] == "Condition.code.text":
            leaf["name"] = "Condition.\x1b[31m\u202e"
        if leaf["name"] == "chartseal.slots.Condition":
            leaf["value"] = "\x1b[31m~5"
    (folder / "hostile.json").write_text(json.dumps(altered))
    told = run(folder, "show", str(folder / "hostile.json"))
    assert told.exit_code == 0, told.output
    assert "\\x1b[31m" in told.stdout
    assert not {"\x1b", "\u202e"} & set(told.stdout)


def test_show_reads_standard_input(folder: Path, shown: Path) -> None:
    text = folder / "shown.txt"
    assert disclose(folder, "--open", "Condition.code", "-y", "--text", "-o", str(text)).exit_code == 0
    for file, whole in ((shown, "for " + TO), (text, "for " + TO), (folder / "sealed" / "all.ndjson", "private")):
        told = run(folder, "show", "-", given=file.read_bytes())
        assert told.exit_code == 0, told.output
        assert told.stdout == run(folder, "show", str(file)).stdout
        assert whole in told.stdout
    refused(run(folder, "show", "-", given=b"{}"), ChartsealError, "disclosure_malformed")


def test_an_address_beyond_the_first_is_named(folder: Path, tmp_path: Path) -> None:
    address = Wallet(b"\x07" * 32).sealing_address(9, 20_000).data
    record = seal_fields("Condition", texts({"Condition.code.text": "A"}), ISSUING, address)
    (tmp_path / "far.ndjson").write_bytes(record.to_json())
    given = ["disclose", str(tmp_path / "far.ndjson"), "--to", TO, "--nonce", NONCE, "-y", "--open", "*.code"]
    given += ["-w", str(folder / "wallet.json")]
    unknown = run(folder, *given)
    refused(unknown, ChartsealError, "address_not_ours")
    assert str(unknown.exception).startswith(f"Condition 0x{record.uid.hex()}: ")
    assert "--number" in str(unknown.exception)
    assert run(folder, *given, "--number", "9", "--epoch", "20000").exit_code == 0


def test_a_passphrase_that_is_no_text_is_told(folder: Path, tmp_path: Path) -> None:
    made = CliRunner(env={"CHARTSEAL_PASSPHRASE": "\udcff"}).invoke(
        cli, ["wallet", "init", "-o", str(tmp_path / "wallet.json")]
    )
    assert made.exit_code == 2
    assert "not UTF-8" in made.stderr
    assert not list(tmp_path.iterdir())


def test_json_does_not_mix_with_the_facts(folder: Path, shown: Path) -> None:
    mixed = verify(folder, shown, *OURS, "--json", "-o", "-")
    assert (mixed.exit_code, mixed.stdout) == (2, "")


def test_show_sealed_records(folder: Path) -> None:
    told = run(folder, "show", str(folder / "sealed"))
    assert told.exit_code == 0, told.output
    assert "private" in told.stdout
    lines = run(folder, "show", str(folder / "sealed" / "all.ndjson"), "--json").stdout.splitlines()
    assert [json.loads(line)["resourceType"] for line in lines] == ["Condition"] * 2


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--open", "Condition.code", "--expires", "10"],
        ["--open", "Condition.code", "--expires", "36526d"],
        ["--open", "Condition.code", "--nonce", "88"],
    ],
)
def test_misuse_is_told(options: list[str], folder: Path) -> None:
    assert disclose(folder, *options, "--yes").exit_code == 2


def test_another_wallets_records_are_refused(folder: Path) -> None:
    Wallet(b"\x08" * 32).save(folder / "other.json", "secret")
    done = disclose(folder, "--open", "Condition.code", "-y", "-w", str(folder / "other.json"))
    assert done.exit_code == 1
    assert isinstance(done.exception, ChartsealError)
    assert done.exception.code == "address_not_ours"


def test_verify_loads_no_keys_and_no_sealing() -> None:
    program = """
import sys
import chartseal.cli.verify
loaded = {name for name in sys.modules if name.startswith(("chartseal.keys", "chartseal.sealing"))}
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_message_brings_no_escape_to_the_terminal(
    folder: Path, shown: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = json.loads(shown.read_bytes())
    given["records"][0]["detached"] = {"\x1b[31m": "SGVsbG8h" * 200}
    hostile = folder / "hostile.json"
    hostile.write_text(json.dumps(given))
    policy = str(folder / "trust.toml")
    monkeypatch.setattr(sys, "argv", ["chartseal", "verify", str(hostile), "--trust", policy, *OURS])
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().err
    assert "\\x1b[31m" in told
    assert "\x1b" not in told
