"""A disk without room, a real one: what is told, what is left, and that the same call goes on afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chartseal.errors import ChartsealError
from chartseal.keys import Answers, IssuerKey
from chartseal.vault import Vault
from chartseal.vault.audit import verify_log
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import reading
from chartseal.vault.deliveries import OWNER, publish
from chartseal.vault.epochs import rotate
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.tables import ERASED
from chartseal.wallet import CANDIDATE, KEPT, WalletStore, accept, open_mailbox, scan
from tests.charts import NOW
from tests.disks import SmallDisk, mounted, unmount
from tests.disks import small_disk as small_disk
from tests.integration.backup_child import BACKUP, back_up_once, make_identity, reopened, restore
from tests.integration.vault_child import KEYS
from tests.integration.wallet_child import WALLET
from tests.mailboxes import MadeMailbox
from tests.postgres import Server
from tests.postgres import postgres_server as postgres_server
from tests.vault_records import create, keys_of, lines_of, put

ACTOR = "clerk"


@contextmanager
def no_room(*codes: str) -> Iterator[None]:
    with pytest.raises(ChartsealError) as caught:
        yield
    assert caught.value.code in (codes or ("disk_full",))


def whole(vault: Vault, records: int) -> None:
    assert len(vault.find()) == records
    assert list(vault.verify()) == []
    with reading(vault.engine) as connection:
        verify_log(connection, now=NOW)


@pytest.mark.parametrize("leaving", [40_000, 100_000])
@pytest.mark.parametrize("what", ["put", "erase", "rotate"])
def test_a_vault(what: str, leaving: int, small_disk: SmallDisk) -> None:
    vault = create(str(small_disk.folder / "vault.db"), keys_of(KEYS))
    put(vault, lines_of(60))
    lines = lines_of(100)
    acts: dict[str, Callable[[], object]] = {
        "put": lambda: put(vault, lines),
        "erase": lambda: erase(vault, vault.find(), basis=Basis.PATIENT_REQUEST, actor=ACTOR, now=NOW),
        "rotate": lambda: rotate(vault.engine, vault.keys, now=NOW, batch=1_000),
    }
    vault.close()
    small_disk.fill(leaving)
    if leaving < 100_000 or what == "put":
        with no_room():
            acts[what]()
        whole(vault, 60)
        assert not any(each.state == ERASED for each in vault.find())
    small_disk.make_room()
    acts[what]()
    whole(vault, 160 if what == "put" else 60)
    vault.close()


def test_a_vault_on_a_disk_without_a_byte(small_disk: SmallDisk) -> None:
    place = str(small_disk.folder / "vault.db")
    create(place, keys_of(KEYS)).close()
    small_disk.fill()
    with no_room():
        Vault.open(place, keys_of(KEYS))
    with no_room():
        create(str(small_disk.folder / "new.db"), keys_of({}))
    small_disk.make_room()
    whole(Vault.open(place, keys_of(KEYS)), 0)
    create(str(small_disk.folder / "new.db"), keys_of({})).close()


def test_a_folder_of_ciphertexts(small_disk: SmallDisk, tmp_path: Path) -> None:
    vault = create(str(tmp_path / "vault.db"), keys_of(KEYS))
    vault.blobs = Blobs(FolderBlobs(small_disk.folder), inline=100)
    put(vault, lines_of(5))
    before, lines = small_disk.files(), lines_of(50)
    small_disk.fill(50_000)
    with no_room():
        put(vault, lines)
    whole(vault, 5)
    assert not any(each.is_file() for each in (small_disk.folder / "new").iterdir())
    small_disk.make_room()
    assert put(vault, lines).new == 50
    whole(vault, 55)
    assert set(before) <= set(small_disk.files())
    vault.close()


@pytest.fixture
def small_server(postgres_server: Server, tmp_path: Path) -> Iterator[tuple[str, SmallDisk]]:
    """A database in a tablespace on a small disk."""
    disk = mounted(tmp_path / "disk", 24 << 20)
    place = postgres_server.database(disk.folder)
    yield place, disk
    postgres_server.drop(place, disk.folder)
    unmount(disk)


@pytest.mark.parametrize("what", ["put", "erase", "rotate"])
def test_a_server(what: str, small_server: tuple[str, SmallDisk]) -> None:
    place, disk = small_server
    vault = create(place, keys_of(KEYS))
    put(vault, lines_of(150))
    lines = lines_of(150)
    acts: dict[str, Callable[[], object]] = {
        "put": lambda: put(vault, lines),
        "erase": lambda: erase(vault, vault.find(), basis=Basis.PATIENT_REQUEST, actor=ACTOR, now=NOW),
        "rotate": lambda: rotate(vault.engine, vault.keys, now=NOW, batch=1_000),
    }
    disk.fill()
    with no_room():
        acts[what]()
    whole(vault, 150)
    assert len(list(vault.find(patient="Patient/p1"))) >= 50
    disk.make_room()
    acts[what]()
    whole(vault, 300 if what == "put" else 150)
    vault.close()


@pytest.mark.parametrize("leaving", [0, 50_000])
def test_a_backup(leaving: int, small_disk: SmallDisk, tmp_path: Path) -> None:
    vault = create(str(tmp_path / "vault.db"), keys_of(KEYS))
    put(vault, lines_of(60))
    make_identity(tmp_path)
    (small_disk.folder / "identity").symlink_to(tmp_path / "identity")
    small_disk.fill(leaving)
    with no_room():
        back_up_once(vault, small_disk.folder)
    assert small_disk.files() == ["identity"]
    small_disk.make_room()
    assert back_up_once(vault, small_disk.folder).records == 60
    whole(vault, 60)
    restore(small_disk.folder, str(tmp_path / "again.db"), tmp_path / "again")
    whole(reopened(str(tmp_path / "again.db"), tmp_path / "again"), 60)
    vault.close()


def test_a_restore(small_disk: SmallDisk, tmp_path: Path) -> None:
    vault = create(str(tmp_path / "vault.db"), keys_of(KEYS))
    put(vault, lines_of(60))
    make_identity(tmp_path)
    back_up_once(vault, tmp_path)
    vault.close()
    place, outside = str(small_disk.folder / "again.db"), tmp_path / "again"
    for leaving in (0, 400_000):
        small_disk.fill(leaving)
        with no_room():
            restore(tmp_path, place, outside)
        small_disk.make_room()
    assert (tmp_path / BACKUP).exists()
    restore(tmp_path, place, outside)
    whole(reopened(place, outside), 60)


def test_a_mailbox(small_disk: SmallDisk, tmp_path: Path) -> None:
    vault = create(str(tmp_path / "vault.db"), keys_of(KEYS))
    put(vault, lines_of(60))
    mailbox = small_disk.folder / "mailbox"
    for leaving in (0, 100_000):
        small_disk.fill(leaving)
        with no_room():
            publish(vault, mailbox, actor=ACTOR, now=NOW, early=True)
        assert all(len(each) == 64 or each == OWNER for each in small_disk.files())
        small_disk.make_room()
    assert publish(vault, mailbox, actor=ACTOR, now=NOW, early=True).pages == 1
    assert len(list((mailbox / "deliveries").iterdir())) == 60
    whole(vault, 60)
    vault.close()


def fill(answers: Answers) -> None:
    """Spend some uses: small rows that go on for pages."""
    for number in range(200):
        answers.spend(number.to_bytes(32), bytes(32), 1)


@pytest.mark.parametrize("leaving", [40_000, 100_000])
def test_a_wallet(leaving: int, small_disk: SmallDisk, tmp_path: Path) -> None:
    box = MadeMailbox(tmp_path / "mailbox")
    box.deliver(IssuerKey.generate(), WALLET.sealing_address(), range(30))
    records = small_disk.folder / "records"
    WalletStore.open(records, WALLET).close()
    small_disk.fill(leaving)
    with WalletStore.open(records, WALLET) as store:
        with no_room("store_full"):
            scan(store, WALLET, [open_mailbox(box.place)])
        assert store.damaged() == []
        small_disk.make_room()
        scan(store, WALLET, [open_mailbox(box.place)])
        assert store.counts()[CANDIDATE] == 30
        small_disk.fill()
        with no_room("store_full"):
            store.back_up(small_disk.folder / "copy")
        small_disk.make_room()
        store.back_up(small_disk.folder / "copy")
    assert WalletStore.restore(small_disk.folder / "copy", tmp_path / "again", WALLET)[CANDIDATE] == 30


def test_a_wallet_on_a_disk_without_a_byte(small_disk: SmallDisk, tmp_path: Path) -> None:
    box = MadeMailbox(tmp_path / "mailbox")
    box.deliver(IssuerKey.generate(), WALLET.sealing_address(), range(3))
    small_disk.fill()
    with no_room("store_full"):
        WalletStore.open(small_disk.folder / "records", WALLET)
    with no_room("answers_full"):
        Answers.open(small_disk.folder / "answers", WALLET)
    small_disk.make_room()
    with (
        WalletStore.open(small_disk.folder / "records", WALLET) as store,
        Answers.open(small_disk.folder / "answers", WALLET) as answers,
    ):
        small_disk.fill()
        with no_room("answers_full"):
            fill(answers)
        small_disk.make_room()
        fill(answers)
        scan(store, WALLET, [open_mailbox(box.place)])
        accept(store, WALLET, store.records(CANDIDATE), answers)
        assert store.counts()[KEPT] == 3
