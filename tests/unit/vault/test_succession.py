"""Successor notices at a provider: who moves where, once, and what the vault remembers of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from chartseal.errors import ChartsealError, SealingError
from chartseal.keys import SealingAddress, SuccessorNotice, Wallet
from chartseal.keys.successor import succession_message
from chartseal.sealing import MapFile
from chartseal.vault import Vault
from chartseal.vault.audit import Action, Entry, verify_log
from chartseal.vault.database import reading
from chartseal.vault.succession import take, take_without_map
from chartseal.vault.tables import METADATA, SUCCESSION
from tests.charts import HOLDER, NOW
from tests.vault_records import create, lines_of, put

OLD, NEW, THIRD = (Wallet(bytes([number]) * 32) for number in (1, 2, 3))


def notice_of(old: Wallet, new: Wallet, at: int = 0) -> SuccessorNotice:
    now = NOW + timedelta(seconds=at)
    return SuccessorNotice.make(old.sealing_address(), old, new.sealing_address(), now=now, new_wallet=new)


NOTICE = notice_of(OLD, NEW)


@pytest.fixture
def vault(place: str) -> Iterator[Vault]:
    made = create(place)
    yield made
    made.close()


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    path = tmp_path / "map.csv"
    path.write_text(f"p1,{OLD.sealing_address()}\np2,{THIRD.sealing_address()}\n")
    return path


def taken(vault: Vault, notice: SuccessorNotice, patients: Path) -> Any:
    return take(vault, notice, patients, actor="clerk", now=NOW)


def refused(code: str, vault: Vault, notice: SuccessorNotice, patients: Path) -> None:
    before = patients.read_bytes()
    with pytest.raises(ChartsealError) as caught:
        taken(vault, notice, patients)
    assert caught.value.code == code
    assert patients.read_bytes() == before
    assert "seal1" not in str(caught.value)


def log_of(vault: Vault) -> list[Entry]:
    with reading(vault.engine) as connection:
        verify_log(connection, now=NOW)
        return list(vault.audit.find(connection))


def test_a_patient_moves_and_the_log_says_whose_pseudonym(vault: Vault, patients: Path) -> None:
    patients.write_text(patients.read_text() + f"https://hospital.example/fhir/Patient/p3,{OLD.sealing_address()}\n")
    refused("successor_several", vault, NOTICE, patients)
    assert log_of(vault) == []
    found = take(vault, NOTICE, patients, actor="clerk", now=NOW, several=True)
    assert (found.address, found.references, found.again) == (NEW.sealing_address(), 2, False)
    assert MapFile.read(patients).patients(NEW.sealing_address().data) == [
        "p1",
        "https://hospital.example/fhir/Patient/p3",
    ]
    entries = log_of(vault)
    assert [each.action for each in entries] == [Action.MOVE] * 2
    assert [each.patient for each in entries] == [vault.pseudonym(f"Patient/{each}") for each in ("p1", "p3")]
    assert {(each.what, each.basis, each.purpose) for each in entries} == {("sealing address", "successor", "PATRQT")}


def test_one_patient_named_twice_is_entered_once(vault: Vault, patients: Path) -> None:
    address = OLD.sealing_address()
    patients.write_text(f"p1,{address}\nhttps://hospital.example/fhir/Patient/p1,{address}\n")
    assert taken(vault, NOTICE, patients).references == 2
    assert len(log_of(vault)) == 1


def test_several_patients_of_one_wallet_go_to_its_next_epoch(vault: Vault, patients: Path) -> None:
    patients.write_text(f"p1,{NOTICE.old}\np2,{NOTICE.old}\n")
    epoch = SuccessorNotice.make(NOTICE.old, OLD, OLD.sealing_address(epoch=1), now=NOW)
    assert taken(vault, epoch, patients).references == 2


def test_no_table_holds_an_address(vault: Vault, patients: Path) -> None:
    taken(vault, NOTICE, patients)
    parts = [part for each in (NOTICE.old, NOTICE.new) for part in (each.data[:32], each.data[32:], str(each).encode())]
    with reading(vault.engine) as connection:
        for table in METADATA.sorted_tables:
            for row in connection.execute(select(table)):
                values = [value if isinstance(value, bytes) else str(value).encode() for value in row]
                assert not any(part in value for part in parts for value in values), table.name


def test_a_replay_is_superseded(vault: Vault, patients: Path) -> None:
    taken(vault, NOTICE, patients)
    refused("successor_superseded", vault, NOTICE, patients)
    refused("successor_superseded", vault, notice_of(OLD, THIRD, 1), patients)  # whoever kept the old words
    assert len(log_of(vault)) == 1


def test_an_address_that_was_left_is_never_followed_again(vault: Vault, patients: Path) -> None:
    taken(vault, NOTICE, patients)
    refused("successor_superseded", vault, notice_of(NEW, OLD, 1), patients)
    taken(vault, notice_of(NEW, Wallet(b"\4" * 32), 2), patients)
    refused("successor_superseded", vault, NOTICE, patients)
    patients.write_text(f"p9,{OLD.sealing_address()}\n")  # a map of long ago
    refused("successor_superseded", vault, NOTICE, patients)


def test_an_address_that_nobody_has(vault: Vault, patients: Path) -> None:
    other = Wallet(b"\5" * 32)
    refused("successor_unknown", vault, notice_of(other, NEW), patients)
    assert log_of(vault) == []
    only_number_one = SuccessorNotice.make(OLD.sealing_address(1), OLD, OLD.sealing_address(2), now=NOW)
    refused(
        "successor_unknown", vault, only_number_one, patients
    )  # of the confidential address, not of the general one


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signatures": NOTICE.signatures[:1]}, "successor_unsigned"),
        ({"signatures": NOTICE.signatures[::-1]}, "signature_invalid"),
        ({"at": NOTICE.at + 1}, "signature_invalid"),
        ({"at": NOTICE.at + 301}, "successor_future"),
        ({"new": THIRD.sealing_address()}, "signature_invalid"),
    ],
)
def test_what_is_not_signed_changes_nothing(change: Any, code: str, vault: Vault, patients: Path) -> None:
    refused(code, vault, replace(NOTICE, **change), patients)
    assert log_of(vault) == []


def test_a_run_that_was_killed_before_the_map_is_finished(
    vault: Vault, patients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MapFile, "replace", _killed)
        with pytest.raises(KeyboardInterrupt):
            taken(vault, NOTICE, patients)
    assert str(NOTICE.old) in patients.read_text()
    found = taken(vault, NOTICE, patients)
    assert (found.references, found.again) == (1, True)
    assert len(log_of(vault)) == 2


def test_what_a_known_notice_changes_in_the_map_is_entered(vault: Vault, patients: Path) -> None:
    taken(vault, NOTICE, patients)
    patients.write_text(f"p1,{NOTICE.new}\np77,{NOTICE.old}\n")
    assert taken(vault, NOTICE, patients) == (NOTICE.new, 1, True)
    assert log_of(vault)[1].patient == vault.pseudonym("Patient/p77")
    assert len(log_of(vault)) == 2


def test_nobody_waits_while_the_map_is_read(vault: Vault, patients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, read = Vault.open(str(vault.engine.url.render_as_string(hide_password=False)), vault.keys), MapFile.read
    stored: list[int] = []

    def meanwhile(path: Path) -> MapFile:
        stored.append(put(other, lines_of(1)).new)
        return read(path)

    monkeypatch.setattr(MapFile, "read", meanwhile)
    assert taken(vault, NOTICE, patients).references == 1
    assert stored == [1, 1]
    other.close()


def test_a_map_that_another_notice_changes_meanwhile_is_read_again(
    vault: Vault, patients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, fourth = MapFile.read, Wallet(b"\4" * 32)
    texts = iter([None, f"p1,{NOTICE.old}\np2,{fourth.sealing_address()}\n"])

    def meanwhile(path: Path) -> MapFile:
        found = read(path)
        if (text := next(texts, None)) is not None:
            patients.write_text(text)
        return found

    monkeypatch.setattr(MapFile, "read", meanwhile)
    assert taken(vault, NOTICE, patients).references == 1
    assert patients.read_text() == f"p1,{NOTICE.new}\np2,{fourth.sealing_address()}\n"


def _killed(*_: object, **__: object) -> int:
    raise KeyboardInterrupt


def test_a_map_that_cannot_be_written_is_finished_later(
    vault: Vault, patients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("chartseal.sealing.map_file.os.fsync", full)
        with pytest.raises(SealingError) as caught:
            taken(vault, NOTICE, patients)
    assert caught.value.code == "map_unwritable"
    assert taken(vault, NOTICE, patients).references == 1


def test_a_vault_whose_log_cannot_be_written_leaves_the_map(
    vault: Vault, patients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chartseal.vault.audit.log.AuditLog.append", _killed)
    before = patients.read_text()
    with pytest.raises(KeyboardInterrupt):
        taken(vault, NOTICE, patients)
    assert patients.read_text() == before
    with reading(vault.engine) as connection:
        assert connection.execute(select(SUCCESSION)).all() == []


def test_without_a_map_the_vaults_records_say_whose_it_was(vault: Vault) -> None:
    old, new = SealingAddress(HOLDER.keys.address()), NEW.sealing_address()
    notice = SuccessorNotice(old, new, NOTICE.at, ())
    signed = replace(notice, signatures=(HOLDER.keys.sign(_message(notice)), NEW.sign_message(_message(notice))))
    with pytest.raises(ChartsealError) as caught:
        take_without_map(vault, signed, actor="clerk", now=NOW)
    assert caught.value.code == "successor_unknown"
    put(vault, [*lines_of(2), *lines_of(1, "p2")])
    with pytest.raises(ChartsealError) as caught:
        take_without_map(vault, signed, actor="clerk", now=NOW)
    assert caught.value.code == "successor_several"
    assert take_without_map(vault, signed, actor="clerk", now=NOW, several=True) is False
    assert take_without_map(vault, signed, actor="clerk", now=NOW) is True
    moved = [each for each in log_of(vault) if each.action is Action.MOVE]
    assert len(moved) == 2
    assert {each.patient for each in moved} == {vault.pseudonym("Patient/p1"), vault.pseudonym("Patient/p2")}


@pytest.mark.parametrize("searchable", [True, False])
def test_what_records_name_counts_beside_the_map(place: str, tmp_path: Path, searchable: bool) -> None:
    vault, old, new = create(place, searchable=searchable), SealingAddress(HOLDER.keys.address()), NEW.sealing_address()
    notice = SuccessorNotice(old, new, NOTICE.at, ())
    signed = replace(notice, signatures=(HOLDER.keys.sign(_message(notice)), NEW.sign_message(_message(notice))))
    put(vault, [*lines_of(2), *lines_of(1, "p2")])
    path = tmp_path / "map.csv"
    path.write_text(f"p1,{old}\n")
    refused("successor_several", vault, signed, path)
    assert take(vault, signed, path, actor="clerk", now=NOW, several=True).references == 1


def _message(notice: SuccessorNotice) -> bytes:
    return succession_message(notice.old.data, notice.new.data, notice.at)


def test_what_was_left_is_told_by_the_vaults_own_key(vault: Vault, patients: Path, tmp_path: Path) -> None:
    """Two vaults remember one address differently: who has both databases joins nobody."""
    taken(vault, NOTICE, patients)
    with reading(vault.engine) as connection:
        [mark] = connection.scalars(select(SUCCESSION.c.old))
    other = create(str(tmp_path / "other.db"))
    path = tmp_path / "other.csv"
    path.write_text(f"p1,{OLD.sealing_address()}\n")
    taken(other, NOTICE, path)
    with reading(other.engine) as connection:
        assert list(connection.scalars(select(SUCCESSION.c.old))) != [mark]
    other.close()
