"""Places of large ciphertexts belong to one vault: a copy of it, restored elsewhere, takes nothing away there."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from chartseal.errors import VaultError
from chartseal.vault import Vault
from chartseal.vault.backup import back_up, new_identity, restore
from chartseal.vault.blobs import Blobs, BlobStore, FolderBlobs, S3Blobs
from chartseal.vault.database import open_database, writing
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.tables import META, OWNER
from tests.charts import NOW
from tests.s3_server import BUCKET, S3Proxy
from tests.s3_server import s3_proxy as s3_proxy
from tests.s3_server import s3_server as s3_server
from tests.vault_records import create, line_of, lines_of, put
from tests.vaults import MemoryKeys

LATER = datetime.now(UTC) + timedelta(hours=2)


class Outside:
    """A vault of which all ciphertexts stand outside, and its copies."""

    def __init__(self, store_at: Callable[[str], BlobStore], folder: Path) -> None:
        self.keys, self.store_at, self.folder = MemoryKeys(), store_at, folder
        self.identity, self.recipient = new_identity()
        self.vault = _small(create(str(folder / "vault.db"), self.keys, blobs=store_at("one")))
        put(self.vault, lines_of(3), delivery_days=0)

    def opened(self, name: str, at: str) -> Vault:
        return _small(Vault.open(str(self.folder / name), self.keys, blobs=self.store_at(at)))

    def copy_to(self, name: str, store: BlobStore | None) -> None:
        stream = io.BytesIO()
        back_up(self.vault.engine, self.vault.blobs, stream, [self.recipient], actor="clerk", now=NOW)
        stream.seek(0)
        engine = open_database(str(self.folder / name), create=True)
        try:
            restore(engine, Blobs(store, inline=10), stream, self.identity, actor="clerk", now=NOW)
        finally:
            engine.dispose()


def _small(vault: Vault) -> Vault:
    vault.blobs = Blobs(vault.blobs.store, inline=10)
    return vault


@pytest.fixture(params=["folder", "s3"])
def outside(request: pytest.FixtureRequest, tmp_path: Path) -> Outside:
    if request.param == "folder":
        return Outside(lambda at: FolderBlobs(tmp_path / at), tmp_path)
    proxy: S3Proxy = request.getfixturevalue("s3_proxy")
    return Outside(lambda at: S3Blobs(f"s3://{BUCKET}/{at}?endpoint={proxy.url}"), tmp_path)


def refused(act: Callable[[], object]) -> None:
    with pytest.raises(VaultError) as caught:
        act()
    assert caught.value.code == "blobs_other_vault"


def test_a_restored_copy_takes_nothing_from_the_vault_that_it_is_of(outside: Outside) -> None:
    refused(lambda: outside.copy_to("copy.db", outside.store_at("one")))
    outside.copy_to("copy.db", outside.store_at("two"))  # what was refused can be tried elsewhere
    put(outside.vault, [line_of(7)], delivery_days=0)
    own, copy = outside.opened("copy.db", "two"), outside.opened("copy.db", "one")
    refused(lambda: copy.blobs.sweep(copy.engine, now=LATER))
    refused(lambda: put(copy, [line_of(8)], delivery_days=0))
    refused(lambda: erase(copy, copy.find(), basis=Basis.PATIENT_REQUEST, actor="clerk", now=NOW))
    assert list(outside.vault.verify()) == []
    assert own.blobs.sweep(own.engine, now=LATER) == 3
    assert outside.vault.blobs.sweep(outside.vault.engine, now=LATER) == 0


def test_a_copy_that_was_restored_without_a_place_gets_one_of_its_own(outside: Outside) -> None:
    outside.copy_to("copy.db", None)
    copy = outside.opened("copy.db", "one")
    refused(lambda: copy.blobs.sweep(copy.engine, now=LATER))
    own = outside.opened("copy.db", "two")
    put(own, [line_of(8)], delivery_days=0)
    assert [list(each.verify()) for each in (own, outside.vault)] == [[], []]


def test_a_restore_that_died_goes_on_in_its_place(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("chartseal.vault.backup.forget_announced", die)
        with pytest.raises(KeyboardInterrupt):
            outside.copy_to("copy.db", outside.store_at("two"))
    assert len(list(outside.store_at("two").digests())) == 3
    refused(lambda: outside.copy_to("other.db", outside.store_at("two")))
    outside.copy_to("copy.db", outside.store_at("two"))
    assert list(outside.opened("copy.db", "two").verify()) == []


def test_a_restore_refuses_ciphertexts_that_nobody_marked(outside: Outside) -> None:
    unmarked = outside.store_at("two")
    unmarked.put(hashlib.sha256(b"another's").digest(), b"another's")
    refused(lambda: outside.copy_to("copy.db", unmarked))
    assert unmarked.mark() == ""


def test_a_vault_marks_what_it_used_before_places_were_marked(tmp_path: Path) -> None:
    outside = Outside(lambda at: FolderBlobs(tmp_path / at), tmp_path)
    (tmp_path / "one" / ".vault").unlink()
    refused(lambda: put(outside.opened("vault.db", "one"), [line_of(8)], delivery_days=0))  # where did it go?
    with writing(outside.vault.engine) as connection:
        connection.execute(delete(META).where(META.c.name == OWNER))
    vault = outside.opened("vault.db", "one")
    put(vault, [line_of(9)], delivery_days=0)
    assert len(outside.store_at("one").mark()) == 64
    assert list(outside.opened("vault.db", "one").verify()) == []
