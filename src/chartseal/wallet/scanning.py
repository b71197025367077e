"""Scanning: a wallet finds what was sealed to it among announcements, and fetches it.

    report = scan(store, wallet, [open_mailbox("https://hospital.example/mailbox")], own_addresses(2))

Nothing is taken over here: what is fetched is a candidate until it is accepted. A mailbox that errs, lies or floods
ends nobody else's scan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chartseal.chain.anchors.leaves import ENTRY
from chartseal.chain.anchors.pages import AnnouncementPage
from chartseal.errors import ChartsealError, DeliveryError, WalletStoreError
from chartseal.keys import Wallet
from chartseal.sealing import SealedRecord
from chartseal.wallet.sources import Mailbox
from chartseal.wallet.store import Held, Parcel, WalletStore

ENC = 32
"""Bytes of an announcement before its tag."""
MOST_TRIES = 30
"""Scans that look for a ciphertext before it is given up: one in 65,536 of other people's announcements matches too."""


class OwnAddress(NamedTuple):
    """One of a wallet's addresses."""

    address: int
    epoch: int


GENERAL = OwnAddress(0, 0)


@dataclass
class Scanned:
    """What a scan did."""

    pages: int = 0
    """Pages that were new to the wallet."""
    announcements: int = 0
    matched: int = 0
    """Announcements that may be the wallet's."""
    fetched: list[Held] = field(default_factory=list)
    missing: int = 0
    """Ciphertexts that are not there, or not yet."""
    refused: Counter[str] = field(default_factory=Counter)
    """What was wrong with pages, ciphertexts and records, by code."""
    unavailable: list[str] = field(default_factory=list)
    """Mailboxes that could not be read."""


def scan(
    store: WalletStore,
    wallet: Wallet,
    mailboxes: Iterable[Mailbox],
    addresses: Sequence[OwnAddress] = (GENERAL,),
    *,
    again: bool = False,
) -> Scanned:
    """Look through the pages that are new at each mailbox, for each address; fetch what matches and what was missing.

    Whatever ends it, another scan goes on from there: a page counts as scanned only once its matches are kept. With
    `again` old pages are looked through too: what was given up, and is delivered after all, then comes.

    Raises:
        WalletStoreError: the store cannot be used.
    """
    found = Scanned()
    open_mailboxes = list(mailboxes)
    for mailbox in open_mailboxes:
        try:
            for page in mailbox.pages():
                if isinstance(page, AnnouncementPage):
                    _scan_page(store, wallet, mailbox, page, _new(store, mailbox, page, addresses, again), found)
                else:
                    found.refused[_code(page)] += 1
        except WalletStoreError as exc:
            _require_foreign(exc)
            found.unavailable.append(mailbox.place)
    by_place = {mailbox.place: mailbox for mailbox in open_mailboxes}
    for parcel in store.parcels():
        if parcel.source in by_place and parcel.source not in found.unavailable:
            _fetch(store, wallet, by_place[parcel.source], parcel, found)
    return found


def _new(
    store: WalletStore, mailbox: Mailbox, page: AnnouncementPage, addresses: Sequence[OwnAddress], again: bool
) -> list[OwnAddress]:
    """The addresses that a page was not scanned for."""
    return [own for own in addresses if again or not store.has_page(mailbox.place, page.page, *own)]


def _scan_page(
    store: WalletStore,
    wallet: Wallet,
    mailbox: Mailbox,
    page: AnnouncementPage,
    addresses: Sequence[OwnAddress],
    found: Scanned,
) -> None:
    if not addresses:
        return
    found.pages += 1
    found.announcements += len(page.entries)
    for own in addresses:
        ours = wallet.scan(page.page, address=own.address, epoch=own.epoch)
        with store.writing():
            for at in ours:
                enc = page.page[at * ENTRY : at * ENTRY + ENC]
                received = wallet.receive(enc, address=own.address, epoch=own.epoch)
                added = store.add_parcel(Parcel(received.enc, received.locator, *own, mailbox.place))
                found.matched += added
            store.add_page(mailbox.place, page.page, *own)


def _fetch(store: WalletStore, wallet: Wallet, mailbox: Mailbox, parcel: Parcel, found: Scanned) -> None:
    try:
        ciphertext = mailbox.fetch(parcel.locator)
    except WalletStoreError as exc:
        _require_foreign(exc)
        found.refused[exc.code] += 1
        return
    if ciphertext is None:
        found.missing += 1
        store.count_try(parcel, MOST_TRIES)
        return
    try:
        found.fetched.append(store.add(_checked(wallet, parcel, ciphertext), parcel))
    except WalletStoreError as exc:
        if exc.code != "record_repeated":
            raise
        found.refused[exc.code] += 1
        store.drop_parcel(parcel)
    except ChartsealError as exc:
        found.refused[exc.code] += 1
        store.count_try(parcel, MOST_TRIES)


def _checked(wallet: Wallet, parcel: Parcel, ciphertext: bytes) -> SealedRecord:
    """The record of a ciphertext. Only one that holds, and is the announced one, may take the place of its key.

    Raises:
        KeyFormatError: `ciphertext_refused`.
        DeliveryError, SealedRecordError, and others as `SealedRecord.check`.
    """
    record = SealedRecord.from_json(wallet.open(parcel.enc, ciphertext, address=parcel.address, epoch=parcel.epoch))
    require_own(wallet, record, parcel)
    return record


def require_own(wallet: Wallet, record: SealedRecord, parcel: Parcel) -> None:
    """The record holds, and is what this wallet recomputes from the announced key.

    Raises:
        DeliveryError: `delivery_refused`, or `address_not_ours`.
        ChartsealError: as `SealedRecord.check`.
    """
    received = wallet.receive(parcel.enc, address=parcel.address, epoch=parcel.epoch)
    if (record.enc, record.subject) != (parcel.enc, received.subject):
        raise DeliveryError("the record's key or subject is not the one that the wallet recomputes")
    if record.tag and record.tag != received.tag:
        raise DeliveryError("the record's tag is not the one that the wallet recomputes")
    if record.address != str(wallet.sealing_address(parcel.address, parcel.epoch)):
        raise DeliveryError("the record was sealed to another address", "address_not_ours")
    record.check()


def _code(error: Exception) -> str:
    return error.code if isinstance(error, ChartsealError) else "page_malformed"


def _require_foreign(error: WalletStoreError) -> None:
    """A fault of the wallet's own file ends the scan; one of a mailbox does not."""
    if error.code not in ("mailbox_unavailable", "delivery_too_large"):
        raise error
