"""Reading with a view key: the records of one address out of a mailbox, for a proxy that has no wallet.

    for record in read_mailbox(ViewKey.load(path, passphrase), open_mailbox("https://hospital.example/mailbox")):
        ...

Nothing is kept, and nothing accepted: that is the holder's. A proxy takes the records that it is to show.
"""

from __future__ import annotations

from collections.abc import Iterator

from chartseal.chain.anchors.leaves import ENTRY
from chartseal.chain.anchors.pages import AnnouncementPage
from chartseal.errors import ChartsealError, DeliveryError, WalletStoreError
from chartseal.keys import ViewKey
from chartseal.keys.wallet import Received
from chartseal.sealing import SealedRecord
from chartseal.wallet.scanning import ENC
from chartseal.wallet.sources import Mailbox


def read_mailbox(key: ViewKey, mailbox: Mailbox) -> Iterator[SealedRecord | ChartsealError]:
    """Each record that the mailbox has for the key's address, once; in the place of one that does not hold, why.

    What is not there (any more) is passed over, and so are malformed pages and tags that match by chance.

    Raises:
        WalletStoreError: `mailbox_unavailable`.
    """
    for received in _matching(key, mailbox):
        try:
            ciphertext = mailbox.fetch(received.locator)
            if ciphertext is not None:
                yield _opened(key, received, ciphertext)
        except WalletStoreError as exc:
            if exc.code == "mailbox_unavailable":
                raise
            yield exc
        except ChartsealError as exc:
            yield exc


def _matching(key: ViewKey, mailbox: Mailbox) -> Iterator[Received]:
    seen: set[bytes] = set()
    for page in mailbox.pages():
        if not isinstance(page, AnnouncementPage):
            continue
        for at in key.scan(page.page):
            enc = page.page[at * ENTRY : at * ENTRY + ENC]
            if enc not in seen:
                seen.add(enc)
                yield key.receive(enc)


def _opened(key: ViewKey, received: Received, ciphertext: bytes) -> SealedRecord:
    """The record, once all of it holds.

    Raises:
        DeliveryError: it states another delivery's key, subject or address.
        KeyFormatError, others: as `ViewKey.open` and `SealedRecord.check`.
    """
    record = SealedRecord.from_json(key.open(received.enc, ciphertext))
    if (record.enc, record.subject, record.address) != (received.enc, received.subject, str(key.address)):
        raise DeliveryError("the record states another delivery than the one that it came by")
    record.check()
    return record
