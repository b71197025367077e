"""`chartseal wallet`: from a mailbox to a disclosure, and back out."""

from __future__ import annotations

import json
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chartseal.cli import cli, wallet_records
from chartseal.cli.wallet_records import _named
from chartseal.errors import NodeError, WalletStoreError
from chartseal.keys import IssuerKey, Wallet
from chartseal.wallet import KEPT, Held, Parcel, WalletStore, accept
from chartseal.wallet.sources import DELIVERIES
from tests.mailboxes import MadeMailbox, delivered

ISSUER = IssuerKey.generate()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHARTSEAL_PASSPHRASE", "correct horse")
    monkeypatch.chdir(tmp_path)
    assert run("init", "-o", "wallet.json").exit_code == 0
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["wallet", *arguments])


def told(*arguments: str, status: int = 0) -> dict[str, Any]:
    found = run(*arguments, "--json")
    assert found.exit_code == status, found.output
    members: dict[str, Any] = json.loads(found.stdout)
    return members


def code(*arguments: str) -> str:
    found = run(*arguments)
    return str(getattr(found.exception, "code", ""))


def test_words_are_shown_before_there_is_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> str:
        raise OSError(32, "Broken pipe")

    monkeypatch.setattr("chartseal.cli.wallet._framed", failing)
    assert run("init", "-o", "new.json").exit_code != 0
    assert not Path("new.json").exists()
    assert code("init") == "key_file_exists"  # and no words of a wallet that is not kept are shown


def loaded() -> Wallet:
    return Wallet.load(Path("wallet.json"), "correct horse")


def test_from_a_mailbox_to_a_disclosure_and_out_again(folder: Path) -> None:
    box = MadeMailbox(folder / "mailbox")
    (record,) = box.deliver(ISSUER, loaded().sealing_address(), [7])
    assert told("scan", "mailbox")["matched"] >= 1
    assert told("list")["records"][0]["state"] == "candidate"
    shown = ["--open", "Observation.value", "--to", "https://clinic.example", "--nonce", "11" * 32, "-y"]
    assert code("disclose", *shown) == "records_missing"
    (kept,) = told("accept", "--receipts", "receipts.txt")["records"]
    assert (kept["kept"], kept["revocation"]) == (True, "not checked")
    (locator, _) = (folder / "receipts.txt").read_text().split()
    assert (folder / "mailbox" / "deliveries" / locator).exists()
    assert run("disclose", *shown, "-o", "shown.json").exit_code == 0
    assert json.loads((folder / "shown.json").read_text())["audience"] == "https://clinic.example"
    assert "Quicksilverin" in run("show", "1").output
    assert json.loads(run("show", record.uid.hex()[:8], "--json").stdout)["kind"] == "sealed-record"
    assert told("backup", "-o", "copy")["kept"] == 1
    assert told("erase", "1", "-y") == {"erased": [1], "clean": True}
    assert told("list")["counts"] == {"candidate": 0, "kept": 0, "erased": 1, "waiting": 0}
    assert code("show", "1") == "record_unknown"
    assert told("restore", "copy", "--store", "again")["kept"] == 1
    assert told("list", "--store", "again")["records"][0]["number"] == 1


def test_records_that_come_as_files(folder: Path) -> None:
    first, second = (delivered(ISSUER, loaded().sealing_address(1), number)[0] for number in (1, 2))
    (folder / "record.ndjson").write_bytes(first.to_json() + b"\n")
    assert told("accept", "--file", "record.ndjson")["records"][0]["kept"] is True
    (folder / "record.ndjson").write_bytes(first.to_json() + b"\n" + second.to_json() + b"\n")
    again = told("accept", "--file", "record.ndjson", status=3)
    assert [each["code"] for each in again["refused"]] == ["record_repeated"]
    assert [each["kept"] for each in again["records"]] == [True]


def test_a_refused_record_is_told_and_ends_with_a_status_of_its_own(folder: Path) -> None:
    record, _, _ = delivered(ISSUER, loaded().sealing_address())
    text = record.to_json().replace(b"2031-01-14", b"2031-01-15")
    (folder / "record.ndjson").write_bytes(text + b"\n")
    done = told("accept", "--file", "record.ndjson", status=3)
    assert ([each["code"] for each in done["refused"]], done["records"]) == (["claims_mismatch"], [])


def test_what_is_not_there(folder: Path) -> None:
    found = told("scan", "nowhere", status=3)
    assert found["unavailable"] == ["nowhere"]
    assert code("scan", "ftp://hospital.example") == "mailbox_place"
    assert run("show").exit_code == 2
    assert code("disclose", "--open", "*", "--to", "x", "--nonce", "11" * 32, "-y") == "records_missing"


def test_a_mailbox_is_waited_for_as_long_as_is_said(folder: Path) -> None:
    MadeMailbox(folder / "mailbox").deliver(ISSUER, loaded().sealing_address(), [1])
    assert run("scan", "mailbox", "--patience", "0s").exit_code == 2
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = told("scan", place, "mailbox", "--patience", "1s", status=3)
        run("view-key")
        assert code("proxy", "read", place, "--view-key", "view.json", "--patience", "1s") == "mailbox_unavailable"
    assert time.monotonic() - began < 15  # seconds: one attempt to read takes twenty
    assert (found["unavailable"], len(found["fetched"])) == ([place], 1)


def test_a_mailboxs_folder_may_have_a_name_that_is_no_text(folder: Path) -> None:
    places = ["box\udcfe", "box\udcff"]
    for place in places:
        box = MadeMailbox(folder / place)
        box.deliver(ISSUER, loaded().sealing_address(), [1])
        (box.folder / DELIVERIES).rename(box.folder / "later")
    assert told("scan", *places)["missing"] >= 2
    for place in places:
        (folder / place / "later").rename(folder / place / DELIVERIES)
    found = told("scan", *places)
    assert (found["announcements"], len(found["fetched"])) == (0, 2)
    assert told("scan", "none\udcff", status=3)["unavailable"] == ["none\udcff"]


def test_an_address_as_a_qr_code(folder: Path) -> None:
    address = told("address", "--qr", "address.svg")["address"]
    assert address.startswith("seal1")
    assert b"<svg" in (folder / "address.svg").read_bytes()
    assert run("address", "--qr", "address.png").exit_code == 0
    assert (folder / "address.png").read_bytes().startswith(b"\x89PNG")
    assert run("address", "--qr", "address.gif").exit_code == 2


def test_listing_and_erasing_open_each_record_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MadeMailbox(folder / "mailbox").deliver(ISSUER, loaded().sealing_address(), [1, 2, 3])
    assert len(told("scan", "mailbox")["fetched"]) == 3
    opened, held = list[int](), WalletStore._held

    def counted(store: WalletStore, number: int, mark: bytes, state: str) -> Held | None:
        opened.append(number)
        return held(store, number, mark, state)

    monkeypatch.setattr(WalletStore, "_held", counted)
    assert len(told("list")["records"]) == 3
    assert opened == [1, 2, 3]
    opened.clear()
    assert told("erase", "2", "-y")["erased"] == [2]
    assert opened == [1, 2, 3]


def test_receipts_that_cannot_be_written_keep_nothing(folder: Path) -> None:
    MadeMailbox(folder / "mailbox").deliver(ISSUER, loaded().sealing_address(), [1])
    told("scan", "mailbox")
    assert code("accept", "--receipts", "nowhere/receipts.txt") == "receipts_unwritable"
    assert told("list")["counts"]["kept"] == 0
    (folder / "link").hardlink_to(folder / "wallet.json")
    for own in ("wallet.json", "wallet.json.records", "wallet.json.records-wal", "wallet.json.answers", "link"):
        assert code("accept", "--receipts", own) == "output_is_own"
    assert told("list")["counts"]["kept"] == 0
    assert told("accept", "--receipts", "receipts.txt")["records"][0]["kept"] is True
    assert len((folder / "receipts.txt").read_text().splitlines()) == 1


class FailingView:
    """A chain that knows of one seal, and is then out of reach."""

    def __init__(self) -> None:
        self.asked = 0

    def revocation(self, *_: object) -> None:
        self.asked += 1
        if self.asked > 1:
            raise NodeError("not to be reached")


def test_what_is_kept_has_its_receipt_where_a_later_check_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MadeMailbox(folder / "mailbox").deliver(ISSUER, loaded().sealing_address(), [1, 2])
    told("scan", "mailbox")
    view: Any = FailingView()
    failing = partial(accept, chain=view)
    monkeypatch.setattr(wallet_records, "accept_candidates", lambda *args, **rest: failing(*args, tell=rest["tell"]))
    assert code("accept", "--receipts", "receipts.txt") == "node_unreachable"
    assert told("list")["counts"]["kept"] == 1
    written = (folder / "receipts.txt").read_bytes()
    assert len(written.splitlines()) == 1
    assert told("receipts", "-o", "again.txt") == {"receipts": 1}
    assert (folder / "again.txt").read_bytes() == written
    assert code("receipts", "-o", "wallet.json") == "output_is_own"


def test_what_came_as_a_file_has_no_receipt(folder: Path) -> None:
    record = delivered(ISSUER, loaded().sealing_address())[0]
    (folder / "record.ndjson").write_bytes(record.to_json() + b"\n")
    assert told("accept", "--file", "record.ndjson", "--receipts", "receipts.txt")["records"][0]["kept"] is True
    assert (folder / "receipts.txt").read_bytes() == b""
    assert told("receipts", "-o", "receipts.txt") == {"receipts": 0}


def test_a_uid_may_begin_with_digits_alone(folder: Path) -> None:
    address = loaded().sealing_address()
    made = (delivered(ISSUER, address)[0] for _ in range(10_000))
    record = next(each for each in made if each.uid.hex()[:6].isdecimal())
    (folder / "record.ndjson").write_bytes(record.to_json() + b"\n")
    assert told("accept", "--file", "record.ndjson")["records"][0]["number"] == 1
    prefix = record.uid.hex()[:6]
    assert json.loads(run("show", prefix, "--json").stdout)["kind"] == "sealed-record"
    assert code("show", prefix[:5]) == "record_unknown"
    assert told("erase", prefix, "-y")["erased"] == [1]


def test_a_number_goes_before_the_beginning_of_a_uid(folder: Path) -> None:
    made = (delivered(ISSUER, loaded().sealing_address())[0] for _ in range(10_000))
    record = next(each for each in made if each.uid.hex()[0] != "0" and each.uid.hex()[:6].isdecimal())
    other, digits = delivered(ISSUER, loaded().sealing_address())[0], record.uid.hex()[:6]
    parcel = Parcel(record.enc, bytes(32), 0, 0, "")
    first, second = Held(1, record, KEPT, parcel), Held(int(digits), other, KEPT, parcel)
    assert _named([first, second], digits) is second
    assert _named([first], digits) is first
    with pytest.raises(WalletStoreError) as caught:
        _named([first, Held(2, record, KEPT, parcel)], digits)
    assert caught.value.code == "record_ambiguous"


@pytest.mark.parametrize("name", ["9" * 5_000, "07", "\u0661", "\udcff"])
def test_what_is_no_number_of_a_record_is_unknown(folder: Path, name: str) -> None:
    for command in (["show", name], ["erase", name, "-y"]):
        assert code(*command) == "record_unknown"
