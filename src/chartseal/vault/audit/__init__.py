"""Who did what with which record: acts go in, a chain of entries comes out that shows every later change.

log = AuditLog(keys.get(PSEUDONYMS), keys.get(ACCOUNTING))
log.append(connection, [Act("clerk-7", Action.READ, record_text(attester, uid, 1))], now=now)
checked = verify_log(connection, now=now)
"""

from chartseal.vault.audit.entry import Act, Action, Entry, record_text
from chartseal.vault.audit.log import AuditLog, Receipt

__all__ = ["Act", "Action", "AuditLog", "Entry", "Receipt", "record_text"]
