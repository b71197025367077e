"""Every byte of a vault, its backups and its blobs: nothing of an erased record stays that anybody could read.

The search first finds what is planted; and the data key in an older copy opens the record until its epoch is destroyed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from sqlalchemy import insert, make_url, select, text

from chartseal import _core
from chartseal.attestation import LocalSigner
from chartseal.errors import VaultDamageError, VaultKeyError
from chartseal.sealing import SealedLine, SealedRecord
from chartseal.vault import Vault, contents
from chartseal.vault.backup import back_up, new_identity, restore
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import open_database, reading, writing
from chartseal.vault.epochs import Epoch, rotate
from chartseal.vault.erasure import Basis, erase, give, vacuum
from chartseal.vault.keys import KeystoreFile
from chartseal.vault.tables import KEY, LIVE, RECORD, TERM
from tests.charts import NOW
from tests.postgres import Server
from tests.vault_records import BASE, create, lines_of, put

SIGNER = LocalSigner(b"\x13" * 32)
PASSPHRASE = "passphrase of the search"
NAMES = ("Olivia Bauch", "Patient/p1", f"{BASE}Patient/p1", "http://loinc.org", "2823-3")


def wraps(vault: Vault) -> list[tuple[Epoch, bytes, bytes, bytes, bytes]]:
    """Epoch, attester, uid, wrapped data key and blob hash of each live record."""
    rows = select(RECORD.c.attester, RECORD.c.uid, RECORD.c.blob, KEY.c.epoch, KEY.c.wrapped).join(KEY)
    with reading(vault.engine) as connection:
        found = connection.execute(rows).all()
        epochs = {each.epoch: Epoch(each.epoch, vault.epochs.current(connection).reader) for each in found}
        return [(epochs[row.epoch], row.attester, row.uid, row.wrapped, row.blob) for row in found]


def data_keys(vault: Vault) -> list[bytes]:
    """Opened by another implementation of HPKE."""
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    found = []
    for epoch, attester, uid, wrapped, _ in wraps(vault):
        secret = X25519PrivateKey.from_private_bytes(vault.epochs.secret(epoch.number))
        found.append(suite.decrypt(wrapped, secret, epoch.info(attester, uid)))
    return found


def needles(lines: list[SealedLine], keys: list[bytes]) -> dict[str, bytes]:
    """What must not be found: values, names, salts, seeds, keying material, data keys; raw and in hex."""
    found = {f"name {each}": each.encode() for each in NAMES}
    for at, line in enumerate(lines):
        record = SealedRecord.from_json(line.line)
        raw = {f"seed {at}": record.seed, f"ikm {at}": line.ikm, f"data key {at}": keys[at]}
        for value in record.private_data.values:
            raw[f"salt {at} {value.name}"] = value.salt
            if isinstance(value.value, str) and len(value.value) > 7 and value.name != "chartseal.format":
                found[f"value {at} {value.name}"] = value.value.encode()
        found.update(raw)
        found.update({f"{name} in hex": each.hex().encode() for name, each in raw.items()})
    return found


def search(folders: list[Path], wanted: dict[str, bytes]) -> set[str]:
    """Names of what stands in any file."""
    files = [each for folder in folders for each in folder.rglob("*") if each.is_file()]
    assert files
    contents = []
    for each in files:
        with suppress(FileNotFoundError):  # a server that is running deletes files of its own
            contents.append(each.read_bytes())
    return {name for name, needle in wanted.items() if any(needle in each for each in contents)}


@pytest.fixture
def postgres() -> Iterator[str]:
    """Of a server of its own: each of its bytes is searched."""
    try:
        server = Server()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    yield server.database()
    server.stop()


@pytest.fixture
def folders(place: str, tmp_path: Path) -> list[Path]:
    """Where the vault's bytes are: SQLite's beside the test's other files, PostgreSQL's in its server's data."""
    found = [tmp_path]
    if "://" in place:
        found.append(Path(str(make_url(place).query["host"])) / "data")
    return found


@pytest.fixture
def vault(place: str, tmp_path: Path) -> Iterator[Vault]:
    keys = KeystoreFile(tmp_path / "vault.keys", PASSPHRASE)
    store = FolderBlobs(tmp_path / "blobs")
    made = create(place, keys, blobs=store)
    made.blobs = Blobs(store, inline=1_500)  # some inside, some outside
    yield made
    made.close()


def flush(vault: Vault) -> None:
    if vault.engine.dialect.name == "postgresql":
        with vault.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("CHECKPOINT"))  # what was deleted leaves the files


def opens(secret: bytes, copy: list[Any], blobs: dict[bytes, bytes]) -> list[bool]:
    """Whether the data keys of a copy open its ciphertexts, with an epoch's secret."""
    items = [
        (wrapped, epoch.info(attester, uid), blobs[digest], contents.associated(attester, uid, 1))
        for epoch, attester, uid, wrapped, digest in copy
    ]
    return [isinstance(each, bytes) for each in _core.decrypt_records(secret, items)]


def test_no_byte_of_an_erased_record_can_be_read(vault: Vault, folders: list[Path], tmp_path: Path) -> None:
    lines = lines_of(4)
    put(vault, lines)
    wanted = needles(sorted(lines, key=lambda each: SealedRecord.from_json(each.line).uid), data_keys(vault))
    assert len(wanted) > 100
    planted = tmp_path / "planted"
    planted.write_bytes(b"\0".join(wanted.values()))
    assert search(folders, wanted) == set(wanted)  # the search finds all of it where it is
    planted.unlink()
    assert search(folders, wanted) == set()  # encrypted at rest, before erasing too

    identity, recipient = new_identity()
    with (tmp_path / "backup").open("wb") as stream:
        back_up(vault.engine, vault.blobs, stream, [recipient], actor="clerk", now=NOW)
    copy, secret = wraps(vault), vault.epochs.secret(1)
    with reading(vault.engine) as connection:
        blobs = {digest: vault.blobs.get(connection, digest) for *_, digest in copy}
    stolen = {f"wrap {at}": each[3] for at, each in enumerate(copy)}
    stolen |= {f"ciphertext {at}": each[1:81] for at, each in enumerate(blobs.values())}
    flush(vault)
    assert {name for name in stolen if "wrap" in name} <= search(folders, stolen)

    assert erase(vault, vault.find(), basis=Basis.PATIENT_REQUEST, actor="clerk", now=NOW).is_clean
    vacuum(vault)
    flush(vault)
    assert search(folders, wanted) == set()
    live = [folders[-1] / "base" if len(folders) > 1 else tmp_path]
    wrapped = {name: each for name, each in stolen.items() if "wrap" in name or len(folders) == 1}
    assert search(live, wrapped) == set()  # PostgreSQL's own log keeps wraps until it is recycled
    assert not list((tmp_path / "blobs").glob("*/*/*"))

    assert opens(secret, copy, blobs) == [True] * 4  # whoever has copy and epoch key still reads
    restored = restored_from(tmp_path, identity, vault)
    assert len(list(restored.read(restored.find(), actor="clerk", now=NOW))) == 4
    restored.close()

    rotate(vault.engine, vault.keys, now=NOW, destroy_old=True)
    with pytest.raises(VaultKeyError) as caught:
        vault.epochs.secret(1)
    assert caught.value.code == "key_destroyed"
    assert opens(vault.epochs.secret(2), copy, blobs) == [False] * 4
    restored = Vault.open(str(tmp_path / "restored.db"), KeystoreFile(tmp_path / "vault.keys", PASSPHRASE))
    with pytest.raises((VaultKeyError, VaultDamageError)):
        list(restored.read(restored.find(), actor="clerk", now=NOW))
    restored.close()
    assert search(folders, {**wanted, "epoch": secret, "epoch in hex": secret.hex().encode()}) == set()
    receipts = [each.read() for each in give(vault, vault.find(), SIGNER, now=NOW)]
    assert [each.is_gone_from_backups for each in receipts] == [True] * 4


def restored_from(folder: Path, identity: str, vault: Vault) -> Vault:
    place = str(folder / "restored.db")
    engine = open_database(place, create=True)
    with (folder / "backup").open("rb") as stream:
        restore(engine, Blobs(None), stream, identity, actor="clerk", now=NOW)
    engine.dispose()
    return Vault.open(place, vault.keys)


def test_pages_that_were_rearranged_keep_no_copy_of_what_was_erased(tmp_path: Path) -> None:
    place, chance = tmp_path / "vault.db", random.Random(7)
    vault = create(str(place))
    made: dict[int, list[bytes]] = {}
    for first in range(1, 1_401, 20):
        made |= _made_up(vault, range(first, first + 20), chance)
    gone = chance.sample(sorted(made), 600)
    for at in range(0, len(gone), 200):
        chosen = set(gone[at : at + 200])
        entries = [each for each in vault.find() if each.id in chosen]
        assert erase(vault, entries, basis=Basis.DUPLICATE, actor="clerk", now=NOW).is_clean
    assert [number for number in gone if made[number][0] in place.read_bytes()] == []
    vacuum(vault)
    data = place.read_bytes()
    assert [number for number in gone if any(each in data for each in made[number])] == []
    assert all(made[number][0] in data for number in made.keys() - set(gone))
    with reading(vault.engine) as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    vault.close()


def _made_up(vault: Vault, numbers: range, chance: random.Random) -> dict[int, list[bytes]]:
    """The rows of records that have no ciphertext; returns the wrapped data key and the terms of each."""
    made = {each: [chance.randbytes(80), *(chance.randbytes(16) for _ in range(8))] for each in numbers}
    row = {"attester": bytes(20), "version": 1, "state": LIVE, "size": 0, "sealed_at": 0, "stored_at": 0}
    terms = sorted((term, each) for each, (_, *terms) in made.items() for term in terms)
    with writing(vault.engine) as connection:
        connection.execute(insert(RECORD), [{"id": each, "uid": chance.randbytes(32), **row} for each in made])
        connection.execute(insert(KEY), [{"record_id": each, "epoch": 1, "wrapped": made[each][0]} for each in made])
        connection.execute(insert(TERM), [{"term": term, "record_id": each} for term, each in terms])
    return made
