"""Erasure: records leave a vault for good, unless they must be kept, and a signed receipt says what remains where.

erase(vault, vault.find(patient="Patient/p1"), basis=Basis.PATIENT_REQUEST, actor="clerk-7", now=now)
receipts = give(vault, erased_of(vault, "Patient/p1"), issuer_key, now=now)
"""

from chartseal.vault.erasure.bases import Basis
from chartseal.vault.erasure.erasing import Erasing, erase, vacuum
from chartseal.vault.erasure.holds import Hold, Holds
from chartseal.vault.erasure.receipts import Receipt, SignedReceipt, erased_of, give
from chartseal.vault.erasure.retention import retain

__all__ = [
    "Basis",
    "Erasing",
    "Hold",
    "Holds",
    "Receipt",
    "SignedReceipt",
    "erase",
    "erased_of",
    "give",
    "retain",
    "vacuum",
]
