"""The file of receipts by which providers delete what a wallet has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chartseal.cli.wallets import require_apart
from chartseal.errors import WalletStoreError
from chartseal.keys import DeliveryReceipt
from chartseal.wallet import Held


@contextmanager
def adding(path: Path, own: Iterable[Path]) -> Iterator[Callable[[Held], bool]]:
    """Open the file before anything is kept; what is yielded adds a record's receipt at once, after what is there.

    It says whether there was one to add: what came as a file was not delivered, and has none. `own` are the wallet's
    files, which no receipt may damage.

    Raises:
        WalletStoreError: `output_is_own`, `receipts_unwritable`.
    """
    require_apart(path, own)
    try:
        stream = path.open("ab", buffering=0)  # earlier ones may not have been sent yet
    except OSError as exc:
        raise _unwritable(exc) from exc

    def add(held: Held) -> bool:
        if not held.parcel.source:
            return False
        line = DeliveryReceipt.of(held.parcel.locator, held.record.seed).to_line()
        try:
            if stream.write(line) != len(line):
                raise WalletStoreError("a receipt was written in part: delete its line", "receipts_unwritable")
        except OSError as exc:
            raise _unwritable(exc) from exc
        return True

    with stream:
        yield add


def _unwritable(error: OSError) -> WalletStoreError:
    detail = f"receipts cannot be written: {error.strerror}; `chartseal wallet receipts` makes those of what was kept"
    return WalletStoreError(detail, "receipts_unwritable")
