"""A wallet that scans, accepts, erases and is backed up, until it is killed: what `test_wallet_kills.py` kills."""

from __future__ import annotations

import sys
from pathlib import Path

from chartseal.keys import Answers, Wallet
from chartseal.wallet import CANDIDATE, KEPT, WalletStore, accept, open_mailbox, scan
from tests.victims import serve

WALLET = Wallet(b"\x07" * 32)
ERASED = 5
"""One in so many of the records that are kept is erased, by its uid."""


def is_to_go(uid: bytes) -> bool:
    """Whether a record is one of those that its holder erases."""
    return uid[0] % ERASED == 0


def work(folder: Path) -> None:
    """One round: whatever an earlier one left is done."""
    with WalletStore.open(folder / "records", WALLET) as store, Answers.open(folder / "answers", WALLET) as answers:
        scan(store, WALLET, [open_mailbox(str(folder / "mailbox"))])
        accept(store, WALLET, store.records(CANDIDATE), answers)
        for held in list(store.records(KEPT)):
            if is_to_go(held.record.uid):
                store.erase(held.number)
        (folder / "copy").unlink(missing_ok=True)
        store.back_up(folder / "copy")


if __name__ == "__main__":
    serve(lambda _: work(Path(sys.argv[1])))
