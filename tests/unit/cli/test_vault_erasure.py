"""`chartseal vault erase|hold|release|retain|receipt`."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chartseal.attestation import LocalSigner, checksum_address
from chartseal.cli import cli
from chartseal.errors import AuditError, ChartsealError, ErasureError, KeyFormatError, LimitError, VaultError
from chartseal.keys import Wallet
from chartseal.vault.audit import Act, Action
from chartseal.vault.audit.entry import decode, encode
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import open_database, writing
from chartseal.vault.erasure.bases import Basis
from chartseal.vault.erasure.receipts import Receipt, SignedReceipt, receipt_digest
from tests.unit.cli.test_vault import BASE, Shell, issuer_file, seal

SECRET = "13" * 32
PROVIDER = checksum_address(LocalSigner(bytes.fromhex(SECRET)).address)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return issuer_file(tmp_path_factory.mktemp("issuer") / "issuer.json")


@pytest.fixture
def shell(tmp_path: Path, issuer: str, request: pytest.FixtureRequest) -> Shell:
    from tests.anchoring import observations

    shell = Shell(tmp_path)
    shell.issuer = issuer
    shell.environment["CHARTSEAL_KEY"] = SECRET
    (tmp_path / "chart.json").write_bytes(observations(4))
    shell.told("vault", "init", "--base", BASE)
    seal(shell, "--vault", shell.path("vault.db"))
    return shell


def records(shell: Shell) -> list[str]:
    return [each["record"] for each in shell.told("vault", "list")["records"]]


def erase(shell: Shell, *more: str, status: int = 0) -> dict[str, object]:
    found: dict[str, object] = shell.told("vault", "erase", "--basis", "patient-request", *more, status=status)
    return found


def test_a_patient_is_erased_and_gets_receipts(shell: Shell) -> None:
    file = shell.path("receipts.ndjson")
    assert erase(shell, "--patient", "Patient/p", "-o", file) == {"erased": 4, "refused": [], "twins": []}
    told = shell.told("vault", "receipt", file, "--provider", PROVIDER)["receipts"]
    assert sorted(each["record"] for each in told) == sorted(records(shell))
    assert {(each["provider"], each["basis"]) for each in told} == {(PROVIDER, "patient-request")}
    assert told[0]["epochs"] == [{"epoch": 1, "destroyedAt": None}]
    assert shell.run("vault", "receipt", file).count("until epoch 1 is destroyed") == 4
    before = Path(file).read_bytes()
    assert erase(shell, "--patient", "Patient/p", "-o", file) == {"erased": 0, "refused": [], "twins": []}
    assert len(Path(file).read_bytes().splitlines()) == len(before.splitlines()) == 4  # the receipts again
    with pytest.raises(VaultError) as caught:
        shell.run("vault", "get", records(shell)[0])
    assert caught.value.code == "record_erased"


@pytest.mark.parametrize(
    "command",
    [
        ("vault", "hold", "--basis", "case-7"),
        ("vault", "retain", "--until", "2020-01-01"),
        ("vault", "export", "chart.ndjson"),
        ("vault", "erase", "--basis", "patient-request"),
    ],
)
def test_what_else_the_patients_addresses_have_is_told(
    shell: Shell, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shell.folder)
    group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True}
    Path(shell.path("chart.json")).write_text(json.dumps(group))
    seal(shell, "--vault", shell.path("vault.db"))  # by itself: whose it is nothing says but its address
    ran = CliRunner(env=shell.environment).invoke(cli, [*command, "--patient", "Patient/p"])
    assert "1 more records are sealed to the same addresses" in ran.stderr
    assert len(shell.told("vault", "list", "--for", shell.address)["records"]) == (1 if "erase" in command else 5)


@pytest.mark.parametrize(
    "command",
    [("erase", "--basis", "patient-request"), ("hold", "--basis", "case-7"), ("retain", "--until", "2100-01-01")],
)
def test_a_patient_of_whom_there_is_nothing_is_told(shell: Shell, command: tuple[str, ...]) -> None:
    with pytest.raises(ErasureError) as caught:
        shell.run("vault", *command, "--patient", "Patient/mistyped")
    assert caught.value.code == "patient_unknown"
    assert shell.told("vault", "release")["holds"] == []


@pytest.mark.parametrize("option", [(), ("--no-search",)])
def test_records_of_several_wallets_under_one_name_are_not_taken_unasked(
    shell: Shell, option: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shell.folder)
    shell.environment["CHARTSEAL_VAULT"] = shell.path("other.db")
    shell.told("vault", "init", "--base", BASE, *option)
    seal(shell, "--vault", shell.path("other.db"))
    shell.address = str(Wallet.generate().sealing_address())
    seal(shell, "--vault", shell.path("other.db"))
    erasing = ("vault", "erase", "--basis", "patient-request", "--patient", "Patient/p")
    for command in (erasing, ("vault", "export", "chart.ndjson", "--patient", "Patient/p")):
        with pytest.raises(ErasureError) as caught:
            shell.run(*command)
        assert caught.value.code == "patient_several"
    assert not (shell.folder / "chart.ndjson").exists()
    assert shell.told("vault", "export", "c.ndjson", "--patient", "Patient/p", "--several-wallets")["records"] == 8
    assert erase(shell, "--for", shell.address)["erased"] == 4
    assert erase(shell, "--patient", "Patient/p")["erased"] == 4


@pytest.mark.parametrize("option", [(), ("--no-search",)])
def test_the_records_of_an_address_are_kept_held_and_erased(shell: Shell, option: tuple[str, ...]) -> None:
    shell.environment["CHARTSEAL_VAULT"] = shell.path("other.db")
    shell.told("vault", "init", *option)
    seal(shell, "--vault", shell.path("other.db"))
    chosen, other = ("--for", shell.address), str(Wallet.generate().sealing_address())
    with pytest.raises(ErasureError) as caught:
        erase(shell, "--for", other)
    assert caught.value.code == "address_unknown"
    assert shell.told("vault", "hold", *chosen, "--basis", "case-7") == {"holds": [1, 2, 3, 4]}
    assert erase(shell, *chosen, status=3)["erased"] == 0
    for number in "1234":
        shell.told("vault", "release", number)
    assert shell.told("vault", "retain", *chosen, "--until", "2030-01-01") == {"records": 4}
    done = shell.told("vault", "erase", "--basis", "court-order", "--override", *chosen)
    assert done == {"erased": 4, "refused": [], "twins": []}


def test_the_same_command_cleans_up_once_all_of_an_address_is_erased(shell: Shell, tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    shell.environment["CHARTSEAL_VAULT"] = shell.path("other.db")
    shell.told("vault", "init", "--blobs", str(tmp_path / "blobs"))
    shell.environment["CHARTSEAL_VAULT_BLOBS"] = str(tmp_path / "blobs")
    seal(shell, "--vault", shell.path("other.db"))
    erase(shell, "--for", shell.address)
    left = hashlib.sha256(b"left").digest()
    with writing(open_database(shell.path("other.db"), create=False)) as connection:
        Blobs(blobs).require_own(connection)
    blobs.put(left, b"left")  # as a run that was broken off leaves it
    for file in (tmp_path / "blobs").rglob(left.hex()):
        os.utime(file, (0, 0))
    with pytest.raises(ErasureError) as caught:
        erase(shell, "--for", shell.address, "--vacuum")
    assert caught.value.code == "address_unknown"
    assert list(blobs.digests()) == []


def test_receipts_of_another_provider_and_altered_ones_are_refused(shell: Shell) -> None:
    file = Path(shell.path("receipts.ndjson"))
    erase(shell, "--record", records(shell)[0], "-o", str(file))
    with pytest.raises(ErasureError) as caught:
        shell.run("vault", "receipt", str(file), "--provider", "0x" + "11" * 20)
    assert caught.value.code == "receipt_other_provider"
    members = json.loads(file.read_bytes())
    members["receipt"] = members["receipt"].replace("patient-request", "court-order")
    file.write_text(json.dumps(members))
    with pytest.raises(ErasureError) as caught:
        shell.run("vault", "receipt", str(file))
    assert caught.value.code == "receipt_unsigned"


def test_what_must_be_kept_is_named_and_the_rest_is_erased(shell: Shell) -> None:
    retained, held, *_ = records(shell)
    until = ("--until", "2100-01-01")
    assert shell.told("vault", "retain", "--record", retained, *until) == {"records": 1}
    assert shell.told("vault", "hold", "--record", held, "--basis", "case-7") == {"holds": [1]}
    done = erase(shell, "--patient", "Patient/p", status=3)
    assert done["erased"] == 2
    assert sorted(each["code"] for each in done["refused"]) == ["record_held", "record_retained"]  # type: ignore[attr-defined]
    [released] = shell.told("vault", "release", "1")["holds"]
    assert released["liftedAt"] is not None
    assert "case-7" in shell.run("vault", "release")
    assert erase(shell, "--record", held)["erased"] == 1
    done = shell.told("vault", "erase", "--basis", "court-order", "--override", "--record", retained, "--vacuum")
    assert done == {"erased": 1, "refused": [], "twins": []}


def test_without_a_key_for_the_receipt_nothing_is_erased(shell: Shell) -> None:
    del shell.environment["CHARTSEAL_KEY"]
    with pytest.raises(KeyFormatError):
        erase(shell, "--patient", "Patient/p", "-o", shell.path("receipts.ndjson"))
    assert {each["state"] for each in shell.told("vault", "list")["records"]} == {"live"}


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--patient", "Patient/p", "--record", "0x" + "1" * 40 + "/0x" + "2" * 64],
        ["--patient", "Patient/p", "--for", "seal1"],
    ],
)
def test_records_or_a_patient_must_be_named(shell: Shell, options: list[str]) -> None:
    shell.run("vault", "erase", "--basis", "duplicate", *options, status=2)


def test_receipts_of_erasure_are_read_within_limits(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(shell.path("receipts.ndjson"))
    erase(shell, "--patient", "Patient/p", "-o", str(file))
    monkeypatch.setattr("chartseal.cli.vault_erasure._MOST_RECEIPTS", 4)
    monkeypatch.setattr("chartseal.cli.vault_erasure._LARGEST_RECEIPTS", file.stat().st_size)
    assert len(shell.told("vault", "receipt", str(file))["receipts"]) == 4
    monkeypatch.setattr("chartseal.cli.vault_erasure._LARGEST_RECEIPTS", file.stat().st_size - 1)
    with pytest.raises(LimitError):
        shell.run("vault", "receipt", str(file))
    monkeypatch.setattr("chartseal.cli.vault_erasure._MOST_RECEIPTS", 3)
    with pytest.raises(LimitError) as caught:
        shell.run("vault", "receipt", str(file))
    assert caught.value.path == "line 4"
    with pytest.raises(LimitError):
        shell.run("vault", "receipt", "/dev/zero")


@pytest.mark.parametrize("command", [("vault", "release"), ("audit", "receipt")])
def test_a_number_that_no_database_has_is_refused(shell: Shell, command: tuple[str, ...]) -> None:
    shell.run(*command, "9" * 20, status=2)
    with pytest.raises(ChartsealError) as caught:
        shell.run(*command, str(2**63 - 1))
    assert caught.value.code in ("hold_unknown", "entry_missing")


_RECORD = ("--record", f"0x{'00' * 20}/0x{'00' * 32}")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (("vault", "init"), ("--base",)),
        (("vault", "list"), ("--patient", "--for", "--type", "--code")),
        (
            ("vault", "export", "out.ndjson"),
            ("--patient", "--for", "--type", "--code", "--basis", "--actor", "--purpose"),
        ),
        (("vault", "redeliver"), ("--patient", "--for", "--type", "--code", "--actor")),
        (("vault", "erase", "--basis", "patient-request"), ("--patient", "--for")),
        (("vault", "erase", "--basis", "patient-request", *_RECORD), ("--actor",)),
        (("vault", "hold", "--basis", "case"), ("--patient", "--for")),
        (("vault", "hold", *_RECORD), ("--basis",)),
        (("vault", "retain", "--until", "2090-01-01"), ("--patient", "--for")),
        (("audit", "list"), ("--patient",)),
        (("audit", "accounting"), ("--patient",)),
        (("audit", "accounting", "--patient", "Patient/p"), ("--actor",)),
        (("audit", "export"), ("--patient", "--actor")),
        (("issuer", "init"), ("--base",)),
        (("node", "init"), ("--base", "--base-url")),
    ],
)
def test_bytes_that_are_no_text_are_refused(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], options: tuple[str, ...]
) -> None:
    monkeypatch.chdir(shell.folder)
    for option in options:
        told = CliRunner(env=shell.environment).invoke(cli, [*command, option, "Zo\udcff"])
        assert (option, told.exit_code) == (option, 2)
        assert f"Invalid value for '{option}'" in told.stderr
    made = {each.name for each in shell.folder.iterdir() if not each.name.startswith("vault.db")}
    assert made == {"chart.json"}


def test_text_in_any_script_is_taken(shell: Shell) -> None:
    assert shell.told("vault", "list", "--patient", "Patient/Zoë-\U0001f9ec", "--code", "ü")["records"] == []


@pytest.mark.parametrize("name", ["erased_at", "stated_at", "epochs"])
def test_a_receipt_has_times_that_are_dates(name: str) -> None:
    signer = LocalSigner(bytes.fromhex(SECRET))
    basis = next(iter(Basis))
    made = Receipt(signer.address, bytes(16), bytes(20), bytes(32), 1, basis, 1, bytes(32), 1, ((1, 0),))
    for at, is_read in ((253_402_300_799, True), (253_402_300_800, False)):
        changes: dict[str, Any] = {name: ((1, at),) if name == "epochs" else at}
        data = replace(made, **changes).to_bytes()
        signed = SignedReceipt(data, signer.sign_digest(receipt_digest(data)))
        if is_read:
            assert signed.read().provider == signer.address
            continue
        with pytest.raises(ErasureError) as caught:
            signed.read()
        assert caught.value.code == "receipt_malformed"


def test_an_entry_has_a_time_that_is_a_date() -> None:
    act = Act("clerk-7", Action.READ, "chart")
    assert decode(encode(act, 2**63 - 1, bytes(16), 253_402_300_799)).at == 253_402_300_799
    for sequence, at in ((1, 253_402_300_800), (2**63, 1)):
        with pytest.raises(AuditError) as caught:
            decode(encode(act, sequence, bytes(16), at))
        assert caught.value.code == "entry_malformed"
