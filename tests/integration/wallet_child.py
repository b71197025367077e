"""A wallet that does one of its works until it is killed: what `test_wallet_kills.py` kills."""

from __future__ import annotations

import sys
from pathlib import Path

from chartseal.keys import Answers, Wallet
from chartseal.wallet import CANDIDATE, KEPT, WalletStore, accept, open_mailbox, scan
from tests.victims import serve

WALLET = Wallet(b"\x07" * 32)
COPY, AGAIN = "copy", "again"
STAY = 3
"""Records that are not erased: the first."""


def scan_all(folder: Path) -> None:
    """Find and fetch what the mailbox has."""
    with WalletStore.open(folder / "records", WALLET) as store:
        scan(store, WALLET, [open_mailbox(str(folder.parent / "mailbox"))], again=True)


def accept_all(folder: Path) -> None:
    """Keep all that came."""
    with WalletStore.open(folder / "records", WALLET) as store, Answers.open(folder / "answers", WALLET) as answers:
        accept(store, WALLET, store.records(CANDIDATE), answers)


def erase_most(folder: Path) -> None:
    """Erase all but some."""
    with WalletStore.open(folder / "records", WALLET) as store:
        for held in list(store.records(KEPT)):
            if held.number > STAY:
                store.erase(held.number)


def copy(folder: Path) -> None:
    """Copy the records, unless there is a copy."""
    with WalletStore.open(folder / "records", WALLET) as store:
        if not (folder / COPY).exists():
            store.back_up(folder / COPY)


def restore(folder: Path) -> None:
    """Put the copy where no records are yet."""
    if not (folder / AGAIN).exists():
        WalletStore.restore(folder / COPY, folder / AGAIN, WALLET)


def grow(folder: Path) -> None:
    """Note many pages, so that a copy of the file takes its time."""
    with WalletStore.open(folder / "records", WALLET) as store, store.writing():
        for number in range(20_000):
            store.add_page("", number.to_bytes(4), 0, 0)


ACTS = {"grow": grow, "scan": scan_all, "accept": accept_all, "erase": erase_most, "copy": copy, "restore": restore}


if __name__ == "__main__":
    serve(lambda act: ACTS[act](Path(sys.argv[1])))
