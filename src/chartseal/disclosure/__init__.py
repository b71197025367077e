"""Disclose: of sealed records, chosen fields with all that must travel along, to one verifier.

In: sealed records, readable paths or a code, a wallet, and the verifier's audience and nonce. Out: a disclosure.

    selection = select(records, ["Condition.code"])
    disclosure = present(selection, wallet, audience=origin, nonce=nonce, expires_at=in_ten_minutes)
    disclosure.to_json()
"""

from chartseal.disclosure.about import CodeQuery
from chartseal.disclosure.form import UnverifiedDisclosure, UnverifiedProof, UnverifiedRecord
from chartseal.disclosure.paths import Pattern
from chartseal.disclosure.presentation import HolderSigner, Row, present, preview
from chartseal.disclosure.selection import Choice, HeldRecord, Selection, about_code, select

__all__ = [
    "Choice",
    "CodeQuery",
    "HeldRecord",
    "HolderSigner",
    "Pattern",
    "Row",
    "Selection",
    "UnverifiedDisclosure",
    "UnverifiedProof",
    "UnverifiedRecord",
    "about_code",
    "present",
    "preview",
    "select",
]
