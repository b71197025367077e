"""What the drills of killed backups kill: `write` and `store` never end, `backup` and `restore PLACE` work once.

python -m tests.integration.backup_child FOLDER PLACE
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

from chartseal._whole_files import clear_parts
from chartseal.vault import Vault
from chartseal.vault.backup import BackedUp, back_up, new_identity
from chartseal.vault.backup import restore as restore_backup
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import open_database
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.exporting import PRIVATE, whole
from chartseal.vault.tables import LIVE
from tests.charts import NOW
from tests.integration.vault_child import KEYS
from tests.vault_records import keys_of, lines_of, put
from tests.victims import serve

BATCH, MOST = 3, 60
"""Records of one transaction of the writer, and how many it leaves in the vault."""
INLINE = 1_500
"""Bytes of the largest ciphertext in the database: some stand outside."""
BACKUP, IDENTITY, LINES, BLOBS, AGAIN = "vault.backup", "identity", "lines.ndjson", "blobs", "again"


def with_blobs(vault: Vault, folder: Path) -> Vault:
    """The vault, large ciphertexts in the folder."""
    vault.blobs = Blobs(FolderBlobs(folder), inline=INLINE)
    return vault


def reopened(place: str, folder: Path) -> Vault:
    """The vault, which knows that large ciphertexts are in the folder."""
    return with_blobs(Vault.open(place, keys_of(KEYS), blobs=FolderBlobs(folder)), folder)


def write(vault: Vault, folder: Path, most: int = MOST) -> None:
    """Store batch after batch, each written to the file of lines before, and erase the oldest."""
    with (folder / LINES).open("ab") as stream:
        for number in itertools.count():
            lines = lines_of(BATCH, f"w{number}")
            stream.write(b"".join(each.line + b"\n" for each in lines))
            stream.flush()
            put(vault, lines)
            live = [each for each in vault.find() if each.state == LIVE]
            if len(live) > most:
                erase(vault, live[: BATCH + 1], basis=Basis.SEALED_IN_ERROR, actor="writer", now=NOW)


def store(vault: Vault, folder: Path) -> None:
    """Store batch after batch, and erase nothing."""
    write(vault, folder, sys.maxsize)


def make_identity(folder: Path) -> None:
    """The key that backups are made for."""
    (folder / IDENTITY).write_text("\n".join(new_identity()))


def back_up_once(vault: Vault, folder: Path) -> BackedUp:
    """As the command does."""
    recipient = (folder / IDENTITY).read_text().split()[1]
    clear_parts(folder, time.time())
    with whole(folder / BACKUP, PRIVATE) as stream:
        return back_up(vault.engine, vault.blobs, stream, [recipient], actor="clerk", now=NOW)


def restore(folder: Path, place: str, outside: Path) -> BackedUp:
    """Put the backup there, as the command does."""
    identity = (folder / IDENTITY).read_text().split()[0]
    engine, blobs = open_database(place, create=True), Blobs(FolderBlobs(outside), inline=INLINE)
    try:
        with (folder / BACKUP).open("rb") as stream:
            return restore_backup(engine, blobs, stream, identity, actor="clerk", now=NOW)
    finally:
        engine.dispose()


def main() -> None:
    folder, place = Path(sys.argv[1]), sys.argv[2]

    def work(word: str) -> None:
        act, _, where = word.partition(" ")
        if act == "restore":
            restore(folder, where, folder / AGAIN)
        else:
            {"write": write, "store": store, "backup": back_up_once}[act](reopened(place, folder / BLOBS), folder)

    serve(work)


if __name__ == "__main__":
    main()
