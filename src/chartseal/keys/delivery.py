"""Delivering sealed records to an address, taking each of them in once, and telling the provider that it has come."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from chartseal import _core
from chartseal.errors import DeliveryError, KeyFormatError
from chartseal.keys.address import SealingAddress
from chartseal.keys.wallet import Received, Wallet

_RECEIPT, _RECEIPT_SIZE = b"chartseal/1/accepted\0", 32
LONGEST_LINE = 256
"""Bytes of a receipt's line, with its end: more than any has."""
_LINE = re.compile(rb"([0-9a-f]{64}) ([0-9a-f]{64})\s*")


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


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """That a holder has a delivery: its locator, which a mailbox shows to everybody, and what its content alone tells.

    Source: format specification, section 9.
    """

    locator: bytes
    """32 bytes."""
    proof: bytes = field(repr=False)
    """32 bytes, out of the record's seed: whoever opened the delivery can compute them."""

    @classmethod
    def of(cls, locator: bytes, seed: bytes) -> DeliveryReceipt:
        """The receipt of the record with that seed."""
        from Crypto.Hash import SHA256  # as in wallets: what reads no keys loads none of it
        from Crypto.Protocol.KDF import HKDF

        proof = HKDF(seed, _RECEIPT_SIZE, b"", SHA256, context=_RECEIPT + locator)
        assert isinstance(proof, bytes)  # noqa: S101 (one key was asked for)
        return cls(locator, proof)

    def is_of(self, seed: bytes) -> bool:
        """Whether it is the receipt of the record with that seed."""
        return hmac.compare_digest(self.proof, DeliveryReceipt.of(self.locator, seed).proof)

    def to_line(self) -> bytes:
        """As a provider takes it: both in hex, and a line end."""
        return f"{self.locator.hex()} {self.proof.hex()}\n".encode()

    @classmethod
    def from_line(cls, line: bytes) -> DeliveryReceipt:
        """Read what `to_line` wrote.

        Raises:
            DeliveryError: `delivery_receipt_malformed`.
        """
        found = _LINE.fullmatch(line)
        if found is None:
            raise DeliveryError("expected a locator and its proof, each 64 hex digits", "delivery_receipt_malformed")
        return cls(*(bytes.fromhex(part.decode()) for part in found.groups()))
