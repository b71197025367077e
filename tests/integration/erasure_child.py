"""What the drill of killed erasures kills: erases a vault's records, few at a time.

`PATIENT` erases all of that patient until it is done.
"""

from __future__ import annotations

import sys
from pathlib import Path

from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.erasure import Basis, erase, erasing
from tests.charts import NOW
from tests.integration.vault_child import opened
from tests.victims import serve


def main() -> None:
    place, store = sys.argv[1], FolderBlobs(Path(sys.argv[2]))
    erasing._CHUNK = 2

    def work(patient: str) -> None:
        vault = opened(place, store)
        vault.blobs = Blobs(store, inline=1_500)
        erase(vault, vault.find(patient=patient), basis=Basis.PATIENT_REQUEST, actor="clerk", now=NOW)

    serve(work)


if __name__ == "__main__":
    main()
