"""Delivering sealed records to an address, and taking each of them in once."""

from __future__ import annotations

from collections.abc import Iterable

from chartseal import _core
from chartseal.errors import DeliveryError, KeyFormatError
from chartseal.keys.address import SealingAddress
from chartseal.keys.wallet import Received, Wallet


def deliver(address: SealingAddress, *, ikm: bytes | None = None) -> _core.Delivery:
    """Start the delivery of one record: its `enc`, `subject`, `tag`, `locator`, and `seal(record)` for the ciphertext.

    `ikm` (32 bytes) fixes the ephemeral key, by RFC 9180's DeriveKeyPair: for vectors, and for resuming the very same
    record. Two records under one `ikm` would share their subject and their key.
    """
    return _core.Delivery(address.data, ikm)


def matches(wallet: Wallet, announcement: bytes, *, address: int = 0, epoch: int = 0) -> bool:
    """Whether an announcement (34 bytes, enc ‖ tag) may be for the wallet; one in 65,536 others matches too.

    Anything malformed is for nobody.
    """
    if len(announcement) != 34:
        return False
    try:
        received = wallet.receive(announcement[:32], address=address, epoch=epoch)
    except KeyFormatError:
        return False
    return received.tag == announcement[32:]


class Inbox:
    """Takes each record in once: a repeated `enc` or subject would let an issuer link or swap records."""

    def __init__(self, wallet: Wallet, accepted: Iterable[Received] = ()) -> None:
        """Begin with the records that the wallet holds."""
        self._wallet = wallet
        self._seen = {part for record in accepted for part in (record.enc, record.subject)}

    def accept(self, enc: bytes, subject: bytes, *, address: int = 0, epoch: int = 0) -> Received:
        """Take in the record that was sealed with `enc` to `subject`.

        Raises:
            DeliveryError: `delivery_refused`: the wallet computes another subject; `delivery_repeated`.
        """
        received = self._wallet.receive(enc, address=address, epoch=epoch)
        if received.subject != subject:
            raise DeliveryError("the record's subject is not the one that the wallet recomputes")
        if not self._seen.isdisjoint((enc, subject)):
            raise DeliveryError("the record's key or subject came before", "delivery_repeated")
        self._seen.update((enc, subject))
        return received
