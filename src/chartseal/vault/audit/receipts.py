"""Receipts: what is given to whom an entry is about, so that it cannot be taken out or changed unseen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from chartseal import _json
from chartseal.attestation import from_hex, to_hex
from chartseal.errors import AuditError, PackageError
from chartseal.vault.audit.entry import LARGEST_ENTRY, decode, entry_hash, first_hash
from chartseal.vault.audit.log import log_id
from chartseal.vault.audit.statements import Statement
from chartseal.vault.database import bytes_of, storing
from chartseal.vault.tables import AUDIT

KIND = "audit-receipt"
_LOG_SIZE = 16


@dataclass(frozen=True, slots=True)
class GivenReceipt:
    """An entry with its place in the chain. It names a patient by pseudonym alone."""

    log: bytes
    sequence: int
    previous: bytes
    """The hash before it."""
    hash: bytes
    entry: bytes = field(repr=False)

    def to_json(self) -> bytes:
        """One compact JSON object, members in this order."""
        members = {
            "format": "chartseal/1",
            "kind": KIND,
            "log": self.log.hex(),
            "sequence": self.sequence,
            "previous": to_hex(self.previous),
            "hash": to_hex(self.hash),
            "entry": self.entry.decode(),
        }
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> GivenReceipt:
        """Read one, and check that it holds together.

        Raises:
            AuditError: `receipt_malformed`; `receipt_altered`: its hash is not that of its entry.
        """
        if len(data) > 4 * LARGEST_ENTRY:
            raise AuditError("larger than a receipt is", "receipt_malformed", "receipt")
        try:
            members = _json.loads(data)
            previous, of = (from_hex(members[name], name, 32) for name in ("previous", "hash"))
            found = cls(bytes.fromhex(members["log"]), members["sequence"], previous, of, members["entry"].encode())
            is_read = members["kind"] == KIND and len(found.log) == _LOG_SIZE
        except (ValueError, KeyError, TypeError, AttributeError, PackageError):
            is_read = False
        if not is_read:
            raise AuditError("not a receipt", "receipt_malformed", "receipt")
        if decode(found.entry).sequence != found.sequence or entry_hash(found.previous, found.entry) != found.hash:
            raise AuditError("its hash is not that of its entry", "receipt_altered", f"entry {found.sequence}")
        return found

    def check(self, connection: Connection) -> None:
        """Compare with the log.

        Raises:
            AuditError: `receipt_other_log`; `receipt_contradicts`: the entry is gone, or is another.
            VaultError: `vault_unavailable`.
        """
        self._require_log(log_id(connection))
        with storing():
            found = connection.execute(select(AUDIT.c.hash).where(AUDIT.c.sequence == self.sequence)).scalar()
        if found != self.hash:
            raise AuditError("the log has no such entry there", "receipt_contradicts", f"entry {self.sequence}")

    def is_under(self, statement: Statement) -> bool:
        """Whether a statement covers it. Of the last entry that a statement covers the hash is compared; of earlier
        ones only who has the log can tell.

        Raises:
            AuditError: `receipt_other_log`, `receipt_contradicts`.
        """
        self._require_log(statement.log)
        if statement.sequence == self.sequence and statement.head != self.hash:
            raise AuditError("the statement ends with another entry", "receipt_contradicts", f"entry {self.sequence}")
        return self.sequence <= statement.sequence

    def _require_log(self, log: bytes) -> None:
        if log != self.log:
            raise AuditError("the receipt is of another log", "receipt_other_log", "receipt")


def give(connection: Connection, sequence: int) -> GivenReceipt:
    """The receipt of an entry.

    Raises:
        AuditError: `entry_missing`, `entry_altered`, `entry_malformed`.
        VaultError: `vault_unavailable`.
        VaultDamageError: `vault_damaged`.
    """
    log = log_id(connection)
    near = select(AUDIT.c.sequence, AUDIT.c.hash, AUDIT.c.entry).where(AUDIT.c.sequence.in_([sequence - 1, sequence]))
    with storing():
        rows = {row.sequence: row for row in connection.execute(near)}
    if sequence not in rows or (sequence > 1 and sequence - 1 not in rows):
        raise AuditError("there is no such entry", "entry_missing", f"entry {sequence}")
    previous = bytes_of(rows[sequence - 1].hash, AUDIT) if sequence > 1 else first_hash(log)
    entry, own = (bytes_of(each, AUDIT) for each in (rows[sequence].entry, rows[sequence].hash))
    if entry_hash(previous, entry) != own:  # nobody could read such a receipt
        raise AuditError("does not follow from the one before it", "entry_altered", f"entry {sequence}")
    decode(entry)
    return GivenReceipt(log, sequence, previous, own, entry)
