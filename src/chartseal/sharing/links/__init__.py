"""SMART Health Links: a link, the encrypted files behind it, the store and routes that serve them, and who opens them.

In: files, how long and how often they may be opened, a passcode. Out: a link to show as a QR code; on the other side
the files again.

    link = ShareStore.open("shares.db", base="https://share.example/s", create=True).share(files, terms, now=now)
    files = open_link(link.to_uri(), recipient="Dr. Adams", passcode="7351", now=now).files
"""

from chartseal.sharing.links.files import SharedFile, card_file, decrypt, disclosure_file, encrypt, fhir_file
from chartseal.sharing.links.link import ShareLink

__all__ = [
    "ShareLink",
    "SharedFile",
    "card_file",
    "decrypt",
    "disclosure_file",
    "encrypt",
    "fhir_file",
]
