"""A provider's vault: sealed records kept encrypted, found again, delivered, erased and accounted for.

In: lines of sealed records, with what delivers them. Out: the same records, for those who say why.

    vault = Vault.create("vault.db", open_keys("vault.keys", passphrase), now=now)
    vault.put(lines, actor="sealer", now=now, queue=AnchorQueue(domain))
    records = vault.read(vault.find(code="http://loinc.org|2823-3"), actor="clerk-7", now=now)
"""

from chartseal.vault.findings import Finding
from chartseal.vault.opening import Entry, Opened
from chartseal.vault.sink import VaultOutput
from chartseal.vault.storing import MOST_LINES, Stored
from chartseal.vault.vault import DELIVERY_DAYS, Vault

__all__ = ["DELIVERY_DAYS", "MOST_LINES", "Entry", "Finding", "Opened", "Stored", "Vault", "VaultOutput"]
