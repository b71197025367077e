"""A mailbox: what the vault publishes, the holder reads; what is accepted or too old goes from vault and folder."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Engine, func, insert, select, update

from chartseal.chain.anchors import AnchorQueue, AnnouncementPage
from chartseal.chain.anchors.tables import BATCH, FINAL
from chartseal.errors import VaultDamageError, VaultError
from chartseal.keys import DeliveryReceipt
from chartseal.sealing import SealedLine, SealedRecord
from chartseal.vault import Vault
from chartseal.vault.audit import Action
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import reading, writing
from chartseal.vault.deliveries import accepted, expire, publish, redeliver
from chartseal.vault.moves import Ground, add_moves
from chartseal.vault.opening import decrypt
from chartseal.vault.storing import insert_deliveries
from chartseal.vault.tables import BLOB, DELIVERY, RECORD, SUCCESSION
from tests.charts import DOMAIN, HOLDER, ISSUER, NOW
from tests.vault_records import create, lines_of, put, receive
from tests.vaults import MemoryKeys


@pytest.fixture
def lines() -> list[SealedLine]:
    return lines_of(3)


@pytest.fixture
def vault(place: str, lines: list[SealedLine]) -> Vault:
    made = create(place)
    put(made, lines)
    return made


def files(folder: Path) -> set[bytes]:
    return {bytes.fromhex(each.name) for each in (folder / "deliveries").iterdir()}


def locator(line: SealedLine) -> bytes:
    return HOLDER.keys.receive(SealedRecord.from_json(line.line).enc)[2]


def receipt(line: SealedLine) -> DeliveryReceipt:
    return DeliveryReceipt.of(locator(line), SealedRecord.from_json(line.line).seed)


def pages(folder: Path) -> list[AnnouncementPage]:
    return [AnnouncementPage.from_json(each) for each in (folder / "announcements.ndjson").read_bytes().splitlines()]


def waiting(vault: Vault) -> tuple[int, int]:
    with reading(vault.engine) as connection:
        return tuple(connection.scalar(select(func.count()).select_from(each)) or 0 for each in (DELIVERY, BLOB))  # type: ignore[return-value]


def test_parts_of_a_killed_run_go_an_hour_later(vault: Vault, tmp_path: Path) -> None:
    publish(vault, tmp_path, actor="c", now=NOW)
    parts = [
        folder / f".{name}.part"
        for folder in (tmp_path, tmp_path / "deliveries")
        for name in ("0" * 16, "1" * 16, "other")
    ]
    for part in parts:
        part.write_bytes(b"cut")
        age = timedelta(minutes=59 if part.name.startswith(".1") else 61)
        os.utime(part, ((NOW - age).timestamp(),) * 2)
    publish(vault, tmp_path, actor="c", now=NOW)
    assert [part.name[:2] for part in parts if part.exists()] == [".1", ".o"] * 2


def test_the_holder_reads_what_is_published(vault: Vault, lines: list[SealedLine], tmp_path: Path) -> None:
    assert publish(vault, tmp_path, actor="c", now=NOW, early=True) == (1, 3, 0)
    assert files(tmp_path) == {locator(each) for each in lines}
    for line in lines:
        ciphertext = (tmp_path / "deliveries" / locator(line).hex()).read_bytes()
        assert receive(locator(line), ciphertext, line) == line.line
    (page,) = pages(tmp_path)
    assert set(page.entries) == {SealedRecord.from_json(each.line).announcement for each in lines}
    assert publish(vault, tmp_path, actor="c", now=NOW, early=True) == (1, 0, 0)


def test_a_folder_belongs_to_one_vault(vault: Vault, tmp_path: Path) -> None:
    publish(vault, tmp_path / "mailbox", actor="c", now=NOW)
    before = files(tmp_path / "mailbox")
    other = create(str(tmp_path / "other.db"))
    with pytest.raises(VaultError) as caught:
        publish(other, tmp_path / "mailbox", actor="c", now=NOW)
    assert caught.value.code == "mailbox_other_vault"
    assert files(tmp_path / "mailbox") == before
    assert publish(vault, tmp_path / "mailbox", actor="c", now=NOW).removed == 0
    mark = (tmp_path / "mailbox/.vault").read_bytes()
    assert vault.settings.id.hex().encode() not in mark
    (tmp_path / "mailbox/.vault").unlink()  # as the message says
    assert publish(other, tmp_path / "mailbox", actor="c", now=NOW).removed == 3
    other.close()


def test_announcements_wait_for_a_final_anchor(vault: Vault, tmp_path: Path) -> None:
    assert publish(vault, tmp_path, actor="c", now=NOW) == (0, 3, 0)
    with writing(vault.engine) as connection:
        (root,) = AnchorQueue(DOMAIN).close(connection, now=NOW, period=None)
        connection.execute(update(BATCH).values(state=FINAL, timestamp=1))
    assert publish(vault, tmp_path, actor="c", now=NOW) == (1, 0, 0)
    assert pages(tmp_path)[0].root == root
    assert publish(vault, tmp_path, actor="c", now=NOW, early=True) == (1, 0, 0)


def test_what_is_accepted_goes(vault: Vault, lines: list[SealedLine], tmp_path: Path) -> None:
    publish(vault, tmp_path, actor="c", now=NOW)
    unknown = DeliveryReceipt(bytes(32), bytes(32))
    assert accepted(vault, [receipt(lines[0]), unknown], actor="c", now=NOW) == (1, ())
    assert accepted(vault, [receipt(lines[0])], actor="c", now=NOW) == (0, ())
    assert waiting(vault) == (2, 5)
    assert publish(vault, tmp_path, actor="c", now=NOW).removed == 1
    assert files(tmp_path) == {locator(each) for each in lines[1:]}
    assert len(list(vault.read(vault.find(), actor="c", now=NOW))) == 3


def test_who_did_not_open_a_delivery_cannot_have_it_deleted(vault: Vault, lines: list[SealedLine]) -> None:
    one, other = lines[:2]
    bogus = DeliveryReceipt(locator(one), receipt(other).proof)
    swapped = DeliveryReceipt.of(locator(one), SealedRecord.from_json(other.line).seed)
    for wrong in (bogus, swapped):
        done = accepted(vault, [wrong], actor="c", now=NOW)
        assert (done.deleted, [(at, each.code) for at, each in done.refused]) == (
            0,
            [(locator(one), "delivery_receipt_refused")],
        )
    assert waiting(vault)[0] == 3
    assert accepted(vault, [receipt(one), bogus, receipt(other)], actor="c", now=NOW) == (2, ())


def test_a_receipt_for_a_damaged_record_is_told(vault: Vault, lines: list[SealedLine]) -> None:
    damage(vault, RECORD.c.blob)
    done = accepted(vault, map(receipt, lines), actor="c", now=NOW)
    assert (done.deleted, [each.code for _, each in done.refused]) == (2, ["blob_damaged"])


def test_what_waits_too_long_goes_and_comes_back_the_same(
    vault: Vault, lines: list[SealedLine], tmp_path: Path
) -> None:
    publish(vault, tmp_path, actor="c", now=NOW)
    first = {each.name: each.read_bytes() for each in (tmp_path / "deliveries").iterdir()}
    assert expire(vault, actor="c", now=NOW + timedelta(days=90, seconds=-1)) == 0
    assert expire(vault, actor="c", now=NOW + timedelta(days=90)) == 3
    publish(vault, tmp_path, actor="c", now=NOW)
    assert files(tmp_path) == set()
    assert redeliver(vault, vault.find(), actor="c", now=NOW, days=1) == 3
    assert redeliver(vault, vault.find(), actor="c", now=NOW, days=1) == 3
    publish(vault, tmp_path, actor="c", now=NOW)
    assert {each.name: each.read_bytes() for each in (tmp_path / "deliveries").iterdir()} == first
    assert expire(vault, actor="c", now=NOW + timedelta(days=1)) == 3


def test_what_came_without_its_keying_material_is_not_delivered(place: str) -> None:
    vault = create(place)
    put(vault, [SealedLine(each.line, b"", each.address) for each in lines_of(1)])
    assert waiting(vault) == (0, 1)
    with pytest.raises(VaultError) as caught:
        redeliver(vault, vault.find(), actor="c", now=NOW, days=1)
    assert caught.value.code == "delivery_unknown"


def damage(vault: Vault, column: Column[bytes]) -> bytes:
    """Alter the first ciphertext that a table names; returns its hash."""
    with writing(vault.engine) as connection:
        digest = connection.execute(select(column).order_by(column).limit(1)).scalar_one()
        connection.execute(update(BLOB).where(BLOB.c.hash == digest).values(data=b"x"))
    return bytes(digest)


def delivered(vault: Vault) -> list[str]:
    """What the log says was delivered."""
    with reading(vault.engine) as connection:
        return [each.what for each in vault.audit.find(connection) if each.action == Action.DELIVER]


def test_a_damaged_delivery_is_named_and_the_others_are_given_out_and_entered(vault: Vault, tmp_path: Path) -> None:
    digest = damage(vault, DELIVERY.c.blob)
    with pytest.raises(VaultDamageError) as caught:
        publish(vault, tmp_path, actor="c", now=NOW)
    assert (caught.value.code, caught.value.path) == ("blob_damaged", digest.hex())
    assert len(files(tmp_path)) == 2
    assert [each.code for each in vault.verify()] == ["blob_damaged"]
    with reading(vault.engine) as connection:
        whole = select(RECORD.c.uid).join(DELIVERY).where(DELIVERY.c.blob != digest)
        names = {f"record 0x{ISSUER.hex()} 0x{uid.hex()} 1" for uid in connection.scalars(whole)}
    assert len(delivered(vault)) == 2
    assert set(delivered(vault)) == names


def test_what_is_accepted_while_it_is_published_is_no_damage(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_many = vault.blobs.get_many

    def accepted_meanwhile(connection: Connection, hashes: Sequence[bytes]) -> list[bytes | VaultDamageError]:
        connection.rollback()
        expire(vault, actor="c", now=NOW + timedelta(days=90))
        return get_many(connection, hashes)

    monkeypatch.setattr(vault.blobs, "get_many", accepted_meanwhile)
    assert publish(vault, tmp_path, actor="c", now=NOW).new == 0
    assert (files(tmp_path), delivered(vault)) == (set(), [])


def test_one_record_that_cannot_be_delivered_keeps_no_other_from_it(vault: Vault) -> None:
    put(vault, [SealedLine(each.line, b"", each.address) for each in lines_of(1, "p2")])
    expire(vault, actor="c", now=NOW + timedelta(days=90))
    with pytest.raises(VaultError) as caught:
        redeliver(vault, vault.find(), actor="c", now=NOW, days=1)
    assert caught.value.code == "delivery_unknown"
    assert waiting(vault)[0] == len(delivered(vault)) == 3


def test_what_moves_while_it_is_made_again_is_not_delivered(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    expire(vault, actor="c", now=NOW + timedelta(days=90))

    def meanwhile(*given: Any) -> Any:
        with writing(vault.engine) as connection:
            connection.execute(insert(SUCCESSION).values(old=b"o" * 16, new=b"n" * 16, taken_at=1))
            add_moves(connection, {1: 3, 2: 3}, Ground(b"o" * 16, b"d" * 32))
        return decrypt(*given)

    monkeypatch.setattr("chartseal.vault.deliveries.decrypt", meanwhile)
    assert redeliver(vault, vault.find(), actor="c", now=NOW, days=1) == 1
    with reading(vault.engine) as connection:
        assert connection.scalars(select(DELIVERY.c.record_id)).all() == [3]


def test_what_is_damaged_is_put_right_by_making_it_again(vault: Vault, tmp_path: Path) -> None:
    with writing(vault.engine) as connection:
        first, second, _ = connection.execute(select(DELIVERY).order_by(DELIVERY.c.locator)).all()
        connection.execute(update(BLOB).where(BLOB.c.hash == first.blob).values(data=b"damaged"))
        connection.execute(update(DELIVERY).where(DELIVERY.c.locator == second.locator).values(size=1))
    assert redeliver(vault, vault.find(), actor="c", now=NOW, days=1) == 3
    assert list(vault.verify()) == []
    assert publish(vault, tmp_path / "mailbox", actor="c", now=NOW).new == 3
    with reading(vault.engine) as connection:
        there = connection.execute(select(DELIVERY).order_by(DELIVERY.c.locator)).all()
    assert there[:2] == [first, second]  # and they wait as long as before


def test_a_delivery_made_while_the_last_one_goes_keeps_its_ciphertext(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, store = MemoryKeys(), FolderBlobs(tmp_path / "blobs")
    vault, other = create(place, keys, blobs=store), Vault.open(place, keys, blobs=store)
    vault.blobs, other.blobs = Blobs(store, inline=100), Blobs(store, inline=100)
    put(vault, lines_of(2))
    entries, delete, made, written = vault.find(), vault.blobs.after_commit, insert_deliveries, threading.Event()

    def slowly(*given: Any) -> None:
        made(*given)
        written.set()
        time.sleep(0.5)  # before the transaction ends, so that no row of it is seen

    again = threading.Thread(target=lambda: redeliver(other, entries, actor="d", now=NOW, days=1))

    def meanwhile(engine: Engine) -> int:
        again.start()
        assert written.wait(30)
        return delete(engine)

    monkeypatch.setattr("chartseal.vault.deliveries.insert_deliveries", slowly)
    monkeypatch.setattr(vault.blobs, "after_commit", meanwhile)
    assert expire(vault, actor="c", now=NOW + timedelta(days=90)) == 2
    again.join()
    assert list(vault.verify()) == []
    assert len(list(store.digests())) == 4
    monkeypatch.setattr(vault.blobs, "after_commit", delete)
    assert expire(vault, actor="c", now=NOW + timedelta(days=90)) == 2
    assert len(list(store.digests())) == 2
    vault.close()
    other.close()
