"""Records on their way from mailboxes into a wallet, and out of it again."""

from __future__ import annotations

import errno
import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartseal._whole_files import give_name
from chartseal.attestation import Address, Digest, Domain
from chartseal.errors import ChartsealError
from chartseal.keys import Answers, IssuerKey, Wallet, deliver
from chartseal.verification import Revocation
from chartseal.wallet import (
    CANDIDATE,
    ERASED,
    KEPT,
    Acceptance,
    OwnAddress,
    Parcel,
    WalletStore,
    accept,
    open_mailbox,
    scan,
    take_in,
)
from chartseal.wallet.scanning import MOST_TRIES
from chartseal.wallet.sources import ANNOUNCEMENTS, DELIVERIES
from tests.mailboxes import MadeMailbox, delivered

WALLET = Wallet(b"\x01" * 32)
OTHER = Wallet(b"\x02" * 32)
ISSUER = IssuerKey.generate(base="https://hospital.example/fhir")
BOTH = [OwnAddress(0, 0), OwnAddress(1, 0)]


@contextmanager
def refusal(code: str) -> Iterator[None]:
    with pytest.raises(ChartsealError) as caught:
        yield
    assert caught.value.code == code


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WalletStore]:
    with WalletStore.open(tmp_path / "records", WALLET) as opened:
        yield opened


@pytest.fixture
def mailbox(tmp_path: Path) -> MadeMailbox:
    return MadeMailbox(tmp_path / "mailbox")


def accepted(store: WalletStore, folder: Path, wallet: Wallet = WALLET) -> list[Acceptance]:
    with Answers.open(folder / "answers", wallet) as answers:
        return accept(store, wallet, list(store.records(CANDIDATE)), answers)


def uids(store: WalletStore, *states: str) -> set[bytes]:
    return {held.record.uid for held in store.records(*(states or (CANDIDATE, KEPT)))}


def test_records_are_found_fetched_and_kept(store: WalletStore, mailbox: MadeMailbox, tmp_path: Path) -> None:
    general = mailbox.deliver(ISSUER, WALLET.sealing_address(), [1, 2])
    confidential = mailbox.deliver(ISSUER, WALLET.sealing_address(1), [3])
    found = scan(store, WALLET, [open_mailbox(mailbox.place)], BOTH)
    assert (found.pages, found.announcements, found.matched, len(found.fetched)) == (2, 6, 3, 3)
    assert uids(store, KEPT) == set()
    assert all(each.is_kept for each in accepted(store, tmp_path))
    assert uids(store, KEPT) == {record.uid for record in [*general, *confidential]}
    again = scan(store, WALLET, [open_mailbox(mailbox.place)], BOTH)
    assert (again.pages, again.matched, again.fetched) == (0, 0, [])


def test_another_address_is_scanned_for_in_old_pages_too(store: WalletStore, mailbox: MadeMailbox) -> None:
    mailbox.deliver(ISSUER, WALLET.sealing_address(0, 3), [1])
    assert not scan(store, WALLET, [open_mailbox(mailbox.place)], BOTH).fetched
    assert len(scan(store, WALLET, [open_mailbox(mailbox.place)], [OwnAddress(0, 3)]).fetched) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_any_order_and_repeats_of_pages_give_the_same_records(
    tmp_path_factory: pytest.TempPathFactory, chance: Random, scans: int
) -> None:
    folder = tmp_path_factory.mktemp("scan")
    boxes = [MadeMailbox(folder / name) for name in "ab"]
    sealed = [
        record for box in boxes for at in range(3) for record in box.deliver(ISSUER, WALLET.sealing_address(), [at])
    ]
    lines = {box: (box.folder / ANNOUNCEMENTS).read_bytes().splitlines(keepends=True) for box in boxes}
    with WalletStore.open(folder / "records", WALLET) as store:
        for _ in range(scans):
            for box in boxes:
                (box.folder / ANNOUNCEMENTS).write_bytes(b"".join(chance.choices(lines[box], k=4)))
            scan(store, WALLET, [open_mailbox(box.place) for box in boxes])
        for box in boxes:
            (box.folder / ANNOUNCEMENTS).write_bytes(b"".join(lines[box]))
        scan(store, WALLET, [open_mailbox(box.place) for box in boxes])
        held = [each.record.uid for each in store.records(CANDIDATE)]
    assert sorted(held) == sorted(record.uid for record in sealed)


def test_what_is_not_there_yet_is_looked_for_again(store: WalletStore, mailbox: MadeMailbox) -> None:
    record, locator, ciphertext = delivered(ISSUER, WALLET.sealing_address())
    assert record.announcement is not None
    mailbox.announce([record.announcement])
    assert scan(store, WALLET, [open_mailbox(mailbox.place)]).missing == 1
    mailbox.put(locator, ciphertext)
    assert len(scan(store, WALLET, [open_mailbox(mailbox.place)]).fetched) == 1


def test_what_never_comes_is_given_up(store: WalletStore, mailbox: MadeMailbox) -> None:
    mailbox.announce([deliver(WALLET.sealing_address()).announcement])
    scans = [scan(store, WALLET, [open_mailbox(mailbox.place)]).missing for _ in range(MOST_TRIES + 2)]
    assert scans == [1] * MOST_TRIES + [0, 0]


def _swap(mailbox: MadeMailbox) -> None:
    first, second = sorted((mailbox.folder / DELIVERIES).iterdir())
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)


def _cut(mailbox: MadeMailbox) -> None:
    for file in (mailbox.folder / DELIVERIES).iterdir():
        file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("harm", [_swap, _cut])
def test_a_ciphertext_that_is_not_the_announced_one_is_refused(
    harm: Callable[[MadeMailbox], None], store: WalletStore, mailbox: MadeMailbox, tmp_path: Path
) -> None:
    mailbox.deliver(ISSUER, WALLET.sealing_address(), [1, 2])
    other = MadeMailbox(tmp_path / "other")
    other.deliver(ISSUER, WALLET.sealing_address(), [3])
    harm(mailbox)
    found = scan(store, WALLET, [open_mailbox(mailbox.place), open_mailbox(other.place)])
    assert (len(found.fetched), dict(found.refused)) == (1, {"ciphertext_refused": 2})


def test_malformed_pages_end_nothing(store: WalletStore, mailbox: MadeMailbox) -> None:
    mailbox.deliver(ISSUER, WALLET.sealing_address(), [1])
    line = (mailbox.folder / ANNOUNCEMENTS).read_bytes()
    bad = [b"{}\n", b"nonsense\n", line.replace(b'"path":["0x', b'"path":["0x00'), line[: len(line) // 2] + b"\n"]
    (mailbox.folder / ANNOUNCEMENTS).write_bytes(b"".join([*bad, line]))
    found = scan(store, WALLET, [open_mailbox(mailbox.place), open_mailbox(mailbox.place + "-gone")])
    assert (len(found.fetched), found.refused.total()) == (1, len(bad))
    assert found.unavailable == [mailbox.place + "-gone"]


def test_a_record_for_another_subject_is_refused_and_burns_nothing(store: WalletStore) -> None:
    record, _, _ = delivered(ISSUER, WALLET.sealing_address())
    other, _, _ = delivered(ISSUER, OTHER.sealing_address())
    with refusal("delivery_refused"):
        take_in(store, WALLET, replace(other, address=record.address, enc=record.enc, tag=record.tag))
    with refusal("address_not_ours"):
        take_in(store, WALLET, other)
    assert take_in(store, WALLET, record).number == 1


def test_a_repeated_key_or_subject_is_refused(store: WalletStore, tmp_path: Path) -> None:
    record, _, _ = delivered(ISSUER, WALLET.sealing_address())
    take_in(store, WALLET, record)
    accepted(store, tmp_path)
    resealed, _, _ = delivered(ISSUER, WALLET.sealing_address(), 2)
    with refusal("record_repeated"):
        take_in(store, WALLET, record)
    with refusal("delivery_refused"):
        take_in(store, WALLET, replace(resealed, enc=record.enc))
    with refusal("record_repeated"):
        store.add(replace(resealed, enc=record.enc), Parcel(record.enc, b"l" * 32, 0, 0, ""))


def test_an_altered_record_is_refused(store: WalletStore) -> None:
    record, _, _ = delivered(ISSUER, WALLET.sealing_address())
    fields = tuple(
        each._replace(value="2031-01-15") if each.name == "Observation.effectiveDateTime" else each
        for each in record.fields
    )
    with refusal("claims_mismatch"):
        take_in(store, WALLET, replace(record, fields=fields))
    take_in(store, WALLET, record)


def test_a_mailbox_hides_nothing_of_another(store: WalletStore, mailbox: MadeMailbox, tmp_path: Path) -> None:
    mailbox.deliver(ISSUER, WALLET.sealing_address(), [1, 2])
    copy = MadeMailbox(tmp_path / "copy")
    (copy.folder / ANNOUNCEMENTS).write_bytes((mailbox.folder / ANNOUNCEMENTS).read_bytes())
    for _ in range(MOST_TRIES + 2):
        scan(store, WALLET, [open_mailbox(copy.place)])
    assert len(scan(store, WALLET, [open_mailbox(copy.place), open_mailbox(mailbox.place + "/")]).fetched) == 2


def test_what_was_given_up_comes_when_it_is_delivered_again(store: WalletStore, mailbox: MadeMailbox) -> None:
    record, locator, ciphertext = delivered(ISSUER, WALLET.sealing_address())
    assert record.announcement is not None
    mailbox.announce([record.announcement])
    for _ in range(MOST_TRIES):
        scan(store, WALLET, [open_mailbox(mailbox.place)])
    mailbox.put(locator, ciphertext)
    assert scan(store, WALLET, [open_mailbox(mailbox.place)]).fetched == []
    assert len(scan(store, WALLET, [open_mailbox(mailbox.place)], again=True).fetched) == 1


def test_an_announcement_may_match_at_two_addresses(store: WalletStore, mailbox: MadeMailbox) -> None:
    record, locator, ciphertext = delivered(ISSUER, WALLET.sealing_address(1))
    mailbox.put(locator, ciphertext)
    for own in BOTH:  # a tag is two bytes
        store.add_parcel(
            Parcel(record.enc, WALLET.receive(record.enc, address=own.address).locator, *own, mailbox.place)
        )
    found = scan(store, WALLET, [open_mailbox(mailbox.place)], BOTH)
    assert (len(found.fetched), found.missing) == (1, 1)
    assert store.counts()["waiting"] == 0


@pytest.mark.parametrize(
    "value", [["chartseal.subject", "uint256", "10000000000"], ["chartseal.subject", "string", "x"]]
)
def test_a_record_of_no_form_ends_no_scan(value: list[str], store: WalletStore, mailbox: MadeMailbox) -> None:
    ikm = b"\x05" * 32
    record, _, _ = delivered(ISSUER, WALLET.sealing_address())
    members = json.loads(record.to_json())
    members["fields"] = [value if row[0] == "chartseal.subject" else row for row in members["fields"]]
    delivery = deliver(WALLET.sealing_address(), ikm=ikm)
    entry, locator = delivery.announcement, delivery.locator
    mailbox.put(locator, delivery.seal(json.dumps(members).encode()))
    mailbox.announce([entry])
    mailbox.deliver(ISSUER, WALLET.sealing_address(), [1])
    found = scan(store, WALLET, [open_mailbox(mailbox.place)])
    assert (len(found.fetched), dict(found.refused)) == (1, {"sealed_record_malformed": 1})


def test_what_was_erased_meanwhile_is_not_kept(tmp_path: Path) -> None:
    record, _, _ = delivered(ISSUER, WALLET.sealing_address())
    with WalletStore.open(tmp_path / "records", WALLET) as one, WalletStore.open(tmp_path / "records", WALLET) as two:
        held = take_in(one, WALLET, record)
        two.erase(held.number)
        with refusal("record_erased"):
            one.keep(held)
        assert list(one.records(KEPT)) == []


def test_nobody_else_makes_a_candidate_a_kept_record(tmp_path: Path) -> None:
    record, _, _ = delivered(ISSUER, WALLET.sealing_address())
    with WalletStore.open(tmp_path / "records", WALLET) as store:
        take_in(store, WALLET, record)
        with sqlite3.connect(tmp_path / "records") as database:
            database.execute("UPDATE record SET state = 2")
        assert list(store.records(KEPT)) == []
        assert store.damaged() == [1]


class _Revoked:
    def revocation(self, domain: Domain, attester: Address, uid: Digest, authorities: frozenset[Address]) -> Revocation:
        raise AssertionError


def test_a_revoked_record_is_refused(store: WalletStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, _, _ = delivered(ISSUER, WALLET.sealing_address())
    take_in(store, WALLET, record)
    for answer, kept in ((object(), False), (None, True)):
        monkeypatch.setattr(_Revoked, "revocation", lambda *_, answer=answer: answer)
        with Answers.open(tmp_path / "answers", WALLET) as answers:
            (done,) = accept(store, WALLET, list(store.records(CANDIDATE)), answers, chain=_Revoked())  # type: ignore[arg-type]
        assert done.is_kept is kept
    assert done.revocation == "not revoked"


def bytes_of(folder: Path, name: str) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.glob(f"{name}*")))


def test_what_is_erased_is_in_no_byte(tmp_path: Path) -> None:
    record, _, _ = delivered(ISSUER, WALLET.sealing_address())
    with WalletStore.open(tmp_path / "records", WALLET) as store:
        held = take_in(store, WALLET, record)
        [entry] = sqlite3.connect(tmp_path / "records").execute("SELECT entry FROM record").fetchone()
        parts = [entry[at : at + 32] for at in range(0, len(entry) - 32, 512)]
        assert all(part in bytes_of(tmp_path, "records") for part in parts[:1])
        assert record.seed not in bytes_of(tmp_path, "records")
        assert b"Quicksilverin" not in bytes_of(tmp_path, "records")
        assert store.erase(held.number)
        assert not any(part in bytes_of(tmp_path, "records") for part in parts)
        assert store.counts()[ERASED] == 1
        with refusal("record_repeated"):
            take_in(store, WALLET, record)


def test_a_copy_holds_what_was_there_and_opens_by_the_words_alone(tmp_path: Path) -> None:
    records = [delivered(ISSUER, WALLET.sealing_address(), number)[0] for number in range(3)]
    with WalletStore.open(tmp_path / "records", WALLET) as store:
        for record in records:
            take_in(store, WALLET, record)
        accepted(store, tmp_path)
        store.back_up(tmp_path / "copy")
        with refusal("backup_exists"):
            store.back_up(tmp_path / "copy")
        take_in(store, WALLET, delivered(ISSUER, WALLET.sealing_address(), 9)[0])
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    restored = Wallet.from_words(WALLET.words())
    assert WalletStore.restore(tmp_path / "copy", tmp_path / "again", restored)[KEPT] == 3
    with WalletStore.open(tmp_path / "again", restored) as store:
        assert uids(store, KEPT) == {record.uid for record in records}
    with refusal("store_exists"):
        WalletStore.restore(tmp_path / "copy", tmp_path / "again", restored)
    with refusal("store_other_wallet"):
        WalletStore.restore(tmp_path / "copy", tmp_path / "others", OTHER)
    assert not (tmp_path / "others").exists()


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_copy_is_made_where_files_have_one_name_each(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise OSError(number, "Operation not permitted")

    monkeypatch.setattr(os, "link", refusing)
    with WalletStore.open(tmp_path / "records", WALLET) as store:
        take_in(store, WALLET, delivered(ISSUER, WALLET.sealing_address(), 1)[0])
        store.back_up(tmp_path / "copy")
        with refusal("backup_exists"):
            store.back_up(tmp_path / "copy")
        with pytest.raises(FileExistsError):
            give_name(tmp_path / "records", tmp_path / "copy")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy", "records"]
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    assert sum(WalletStore.restore(tmp_path / "copy", tmp_path / "again", WALLET).values()) == 1
    ISSUER.save(tmp_path / "issuer.json", "p")
    assert IssuerKey.load(tmp_path / "issuer.json", "p").address == ISSUER.address


def test_another_wallets_or_programs_file_is_refused(tmp_path: Path) -> None:
    WalletStore.open(tmp_path / "records", WALLET).close()
    with refusal("store_other_wallet"):
        WalletStore.open(tmp_path / "records", OTHER)
    sqlite3.connect(tmp_path / "else").execute("CREATE TABLE t (x)").connection.commit()
    with refusal("store_version"):
        WalletStore.open(tmp_path / "else", WALLET)
    (tmp_path / "text").write_text("no database, and long enough to be told as such" * 30)
    with refusal("store_version"):
        WalletStore.open(tmp_path / "text", WALLET)


def test_damage_of_one_record_hides_no_other(tmp_path: Path) -> None:
    records = [delivered(ISSUER, WALLET.sealing_address(), number)[0] for number in range(3)]
    with WalletStore.open(tmp_path / "records", WALLET) as store:
        for record in records:
            take_in(store, WALLET, record)
    with sqlite3.connect(tmp_path / "records") as database:
        [entry] = database.execute("SELECT entry FROM record WHERE number = 2").fetchone()
        altered = entry[:-1] + bytes([entry[-1] ^ 1])
        database.execute("UPDATE record SET entry = ? WHERE number = 2", [altered])
    with WalletStore.open(tmp_path / "records", WALLET) as store:
        found = [held.record.uid for held in store.records(CANDIDATE)]
        assert found == [records[0].uid, records[2].uid]
        assert store.damaged() == [2]
        store.erase(2)
        assert store.damaged() == []


def test_two_processes_take_turns(tmp_path: Path) -> None:
    records = [delivered(ISSUER, WALLET.sealing_address(), number)[0] for number in range(4)]
    with WalletStore.open(tmp_path / "records", WALLET) as one, WalletStore.open(tmp_path / "records", WALLET) as two:
        for at, record in enumerate(records):
            take_in((one, two)[at % 2], WALLET, record)
        assert uids(one) == uids(two) == {record.uid for record in records}


def test_nothing_is_taken_over_from_a_page_alone(store: WalletStore, mailbox: MadeMailbox) -> None:
    mailbox.announce([secrets.token_bytes(34) for _ in range(50)])
    found = scan(store, WALLET, [open_mailbox(mailbox.place)])
    assert (found.announcements, found.fetched) == (50, [])
    assert store.counts() == {CANDIDATE: 0, KEPT: 0, ERASED: 0, "waiting": found.matched}


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_a_copy_is_not_put_beside_what_gone_records_left(ending: str, tmp_path: Path) -> None:
    with WalletStore.open(tmp_path / "records", WALLET) as store:
        take_in(store, WALLET, delivered(ISSUER, WALLET.sealing_address(), 1)[0])
        store.back_up(tmp_path / "copy")
        stale = (tmp_path / "records-wal").read_bytes()
        left = tmp_path / f"again{ending}"
        left.write_bytes(stale)
        with refusal("store_exists"):
            WalletStore.restore(tmp_path / "copy", tmp_path / "again", WALLET)
        with refusal("backup_exists"):
            store.back_up(tmp_path / "again")
    assert left.read_bytes() == stale
    assert not (tmp_path / "again").exists()
    left.unlink()
    assert WalletStore.restore(tmp_path / "copy", tmp_path / "again", WALLET)[CANDIDATE] == 1


def test_a_copy_of_a_later_program_is_not_put_in_place(tmp_path: Path) -> None:
    with WalletStore.open(tmp_path / "records", WALLET) as store:
        store.back_up(tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        copy.execute("PRAGMA user_version = 2")
    with refusal("store_version"):
        WalletStore.restore(tmp_path / "copy", tmp_path / "again", WALLET)
    assert not (tmp_path / "again").exists()
