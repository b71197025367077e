"""Processes that use one vault at once: `store remove check …`, each word a process of its own.

They are forks of one that has sealed nothing yet: the threads that seal do not come along.

python -m tests.integration.sharing_child PLACE FOLDER
"""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

from chartseal.errors import VaultError
from chartseal.vault import Vault
from chartseal.vault.audit import verify_log
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import reading
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.tables import LIVE
from tests.charts import NOW
from tests.integration.vault_child import KEYS, opened
from tests.vault_records import create, keys_of, lines_of, put
from tests.victims import serve

BATCHES, BATCH = 8, 5
ALL = BATCHES * BATCH
MOST_GO = ALL // 3
"""Records that each of those that erase takes."""


def with_blobs(place: str, folder: Path) -> Vault:
    """The vault, most ciphertexts outside."""
    vault = opened(place, FolderBlobs(folder))
    vault.blobs = Blobs(FolderBlobs(folder), inline=1_500)
    return vault


def make(place: str, folder: Path) -> None:
    """Make the vault, if nobody was quicker."""
    try:
        create(place, keys_of(KEYS), blobs=FolderBlobs(folder)).close()
    except VaultError as error:
        if error.code != "vault_exists":
            raise


def store(place: str, folder: Path) -> None:
    """Store all batches."""
    vault = with_blobs(place, folder)
    for number in range(BATCHES):
        put(vault, lines_of(BATCH, f"p{number}"))


def remove(place: str, folder: Path) -> None:
    """Erase some of them as they come."""
    vault, done = with_blobs(place, folder), 0
    while done < MOST_GO:
        live = [each for each in vault.find() if each.state == LIVE]
        done += erase(vault, live[:4], basis=Basis.PATIENT_REQUEST, actor="clerk", now=NOW).erased


def check(place: str, folder: Path) -> None:
    """Find nothing wrong, as long as they come."""
    vault = with_blobs(place, folder)
    while len(vault.find()) < ALL:
        found = list(vault.verify())
        assert not found, found
        with reading(vault.engine) as connection:
            verify_log(connection, now=NOW)


ACTS = {"make": make, "store": store, "remove": remove, "check": check}


def main() -> None:
    place, folder = sys.argv[1], Path(sys.argv[2])
    forking = multiprocessing.get_context("fork")

    def work(words: str) -> None:
        processes = [forking.Process(target=ACTS[word], args=(place, folder)) for word in words.split()]
        for each in processes:
            each.start()
        for each in processes:
            each.join()
        if any(each.exitcode for each in processes):
            raise SystemExit(1)

    serve(work)


if __name__ == "__main__":
    main()
