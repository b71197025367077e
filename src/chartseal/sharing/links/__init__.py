"""SMART Health Links: a link, the encrypted files behind it, the store and routes that serve them, and who opens them.

In: files, how long and how often they may be opened, a passcode. Out: a link to show as a QR code; on the other side
the files again.

    store = ShareStore.open("shares.db", base="https://share.example/s", create=True)
    link = store.share([fhir_file(text)], Terms(passcode="7351"), now=now)
    files = open_link(link.to_uri(), recipient="Dr. Adams", passcode="7351", now=now).files

`link_routes` (in `links.routes`) serves a store.
"""

from chartseal.sharing.links.files import SharedFile, card_file, decrypt, disclosure_file, encrypt, fhir_file
from chartseal.sharing.links.link import ShareLink
from chartseal.sharing.links.opening import OpenedLink, open_link
from chartseal.sharing.links.store import LinkState, ListedFile, Opening, ShareStore
from chartseal.sharing.links.terms import Terms

__all__ = [
    "LinkState",
    "ListedFile",
    "OpenedLink",
    "Opening",
    "ShareLink",
    "ShareStore",
    "SharedFile",
    "Terms",
    "card_file",
    "decrypt",
    "disclosure_file",
    "encrypt",
    "fhir_file",
    "open_link",
]
