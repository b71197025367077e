"""Who did what with which record: acts go in, a chain of entries comes out that shows every later change.

log = AuditLog(keys.get(PSEUDONYMS), keys.get(ACCOUNTING))
log.append(connection, [Act("clerk-7", Action.READ, record_text(attester, uid, 1))], now=now)
checked = verify_log(connection, now=now)
"""

from chartseal.vault.audit.checking import Checked, verify_log
from chartseal.vault.audit.entry import Act, Action, Entry, record_text
from chartseal.vault.audit.log import AuditLog, Receipt
from chartseal.vault.audit.receipts import GivenReceipt, give
from chartseal.vault.audit.statements import SignedStatement, Statement, close_periods, read_statements

__all__ = [
    "Act",
    "Action",
    "AuditLog",
    "Checked",
    "Entry",
    "GivenReceipt",
    "Receipt",
    "SignedStatement",
    "Statement",
    "close_periods",
    "give",
    "read_statements",
    "record_text",
    "verify_log",
]
