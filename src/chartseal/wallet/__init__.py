"""A patient's wallet: records found by announcements, checked, kept encrypted, shown and erased.

In: mailboxes, 24 words. Out: records that disclosing and proving take.

    with WalletStore.open(path, wallet) as store:
        scan(store, wallet, [open_mailbox(place)])
        accept(store, wallet, store.records(CANDIDATE), answers)
"""

from chartseal.wallet.accepting import Acceptance, accept, take_in
from chartseal.wallet.reading import read_mailbox
from chartseal.wallet.scanning import GENERAL, OwnAddress, Scanned, scan
from chartseal.wallet.sources import FolderMailbox, Mailbox, WebMailbox, open_mailbox
from chartseal.wallet.store import CANDIDATE, ERASED, KEPT, Held, Parcel, WalletStore

__all__ = [
    "CANDIDATE",
    "ERASED",
    "GENERAL",
    "KEPT",
    "Acceptance",
    "FolderMailbox",
    "Held",
    "Mailbox",
    "OwnAddress",
    "Parcel",
    "Scanned",
    "WalletStore",
    "WebMailbox",
    "accept",
    "open_mailbox",
    "read_mailbox",
    "scan",
    "take_in",
]
