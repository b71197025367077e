"""A wallet as commands find it: which of its addresses a record was sealed to, and the records that it keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Any

import click

from chartseal._whole_files import with_companions
from chartseal.attestation import to_hex
from chartseal.cli.files import is_one_of
from chartseal.cli.times import Duration
from chartseal.disclosure import HeldRecord
from chartseal.errors import DisclosureError, WalletStoreError
from chartseal.keys import Wallet
from chartseal.sealing import SealedRecord

_MOST_TRIED = 8

patience_option = click.option(
    "--patience",
    type=Duration(),
    default="10m",
    show_default=True,
    help="How long to wait for what each mailbox at a URL sends, in all.",
)


def memory_of(wallet_path: Path) -> Path:
    """Where a wallet's memory of answers is unless it is said: `wallet.json.answers`."""
    return wallet_path.with_name(f"{wallet_path.name}.answers")


def own_files(wallet_path: Path, *, store: Path | None = None, memory: Path | None = None) -> tuple[Path, ...]:
    """A wallet's file, its records and its memory, with what SQLite keeps beside each; none need be there."""
    records = store or wallet_path.with_name(f"{wallet_path.name}.records")  # as `WalletStore.beside`, of an extra
    return (wallet_path, *with_companions(records), *with_companions(memory or memory_of(wallet_path)))


def require_apart(output: str | Path, own: Iterable[Path | None]) -> None:
    """Let nothing be written over a wallet's own files, or over another file that a command needs.

    Raises:
        WalletStoreError: `output_is_own`.
    """
    if output != "-" and is_one_of(output, filter(None, own)):
        raise WalletStoreError("it would be written over a file of the wallet's own, or over a key", "output_is_own")


def address_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--number` and `--epoch`, for addresses beyond the first few."""
    number = click.option(
        "--number", type=click.IntRange(0, 2**32 - 1), default=0, help="The address of the wallet, where it is above 7."
    )
    epoch = click.option(
        "--epoch", type=click.IntRange(0, 2**32 - 1), default=0, help="Its epoch, where it is above 7."
    )
    return number(epoch(command))


def address_finder(wallet: Wallet, number: int, epoch: int) -> Callable[[HeldRecord], tuple[int, int]]:
    """Which of the wallet's addresses a record was sealed to: the first few of each epoch and the given are tried."""
    tried = product({*range(_MOST_TRIED), number}, {*range(_MOST_TRIED), epoch})
    known = {str(wallet.sealing_address(*each)): each for each in tried}

    def find(record: HeldRecord) -> tuple[int, int]:
        assert isinstance(record, SealedRecord)  # noqa: S101 (`read_records` gives no other)
        if record.address not in known:
            detail = (
                f"a record is sealed to none of the wallet's first {_MOST_TRIED} addresses: try --number and --epoch"
            )
            raise DisclosureError(detail, "address_not_ours", f"{record.resource_type} {to_hex(record.uid)}")
        return known[record.address]

    return find


def kept_records(wallet: Wallet, wallet_path: Path) -> list[SealedRecord]:
    """The records that a wallet keeps beside its file: what it has not accepted is not among them.

    Raises:
        WalletStoreError: there are none (`store_missing`), or they cannot be read.
    """
    from chartseal.wallet import KEPT, WalletStore  # needs the extra `vault`, which records in files do without

    place = WalletStore.beside(wallet_path)
    if not place.exists():
        detail = "no sealed records are named, and the wallet keeps none: `chartseal wallet scan` finds them"
        raise WalletStoreError(detail, "store_missing")
    with WalletStore.open(place, wallet) as store:
        return [held.record for held in store.records(KEPT)]
