"""SMART Health Cards: verified on input, issued on output.

In: what was scanned or sent, whose cards are believed. Out: what each says, whole, once it holds. And the other way
round: a Bundle, an issuer's P-256 key; a signed card, for one QR code or a file.

    [card] = verify_cards("shc:/5676…", CardTrust.load(path, fetch=GuardedFetcher()), now=now)
    card.issuer, card.bundle
    code = to_numeric(issue(bundle, key, CardTerms("https://clinic.example/cards"), now=now))
"""

from chartseal.sharing.cards.issuing import CardTerms, issue, write_file
from chartseal.sharing.cards.keys import key_set, public_jwk
from chartseal.sharing.cards.numeric import from_numeric, to_numeric
from chartseal.sharing.cards.trust import CardTrust, TrustedCardIssuer
from chartseal.sharing.cards.verifying import VerifiedCard, read_cards, verify_card, verify_cards

__all__ = [
    "CardTerms",
    "CardTrust",
    "TrustedCardIssuer",
    "VerifiedCard",
    "from_numeric",
    "issue",
    "key_set",
    "public_jwk",
    "read_cards",
    "to_numeric",
    "verify_card",
    "verify_cards",
    "write_file",
]
