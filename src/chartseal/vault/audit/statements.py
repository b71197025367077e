"""Statements: at the end of each period the provider signs where its audit chain ended, and that is anchored.

Whoever has a statement, or its anchor, can show that what was entered before it is what stands there now.
Source: format specification, section 20.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select

from chartseal import _core, _json
from chartseal.attestation import Address, Digest, abi, address_from, from_hex, to_hex
from chartseal.attestation.signer import Signer
from chartseal.chain.anchors import DAY, AnchorQueue
from chartseal.errors import AuditError, PackageError
from chartseal.vault.audit.entry import first_hash, outline, seconds
from chartseal.vault.audit.log import lock_head, log_id
from chartseal.vault.database import bytes_of, storing
from chartseal.vault.signing import is_signed_by
from chartseal.vault.tables import AUDIT, STATEMENT

LARGEST_STATEMENT = 1_024
"""Bytes."""

_BELOW = 2**63
_KINDS = [abi.parse_type(kind) for kind in ("string", "bytes")]


@dataclass(frozen=True, slots=True)
class Statement:
    """Where a log ended when a period had ended."""

    provider: Address
    """Whose key signs it."""
    log: bytes
    """The vault's id, 16 bytes."""
    period: int
    """Its start, Unix seconds."""
    seconds: int
    """Its length."""
    sequence: int
    """The last entry, 0 if there is none."""
    head: bytes
    """That entry's hash."""

    @property
    def end(self) -> int:
        """When the period ended, Unix seconds."""
        return self.period + self.seconds

    def to_bytes(self) -> bytes:
        """The bytes that are signed and anchored: compact JSON, members in this order."""
        members = {
            "provider": to_hex(self.provider),
            "log": self.log.hex(),
            "period": self.period,
            "seconds": self.seconds,
            "sequence": self.sequence,
            "head": to_hex(self.head),
        }
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Statement:
        """Read one.

        Raises:
            AuditError: `statement_malformed`; also where the same could be written in other bytes.
        """
        try:
            members = _json.loads(data[: LARGEST_STATEMENT + 1])
            found = cls(
                address_from(members["provider"], "provider"),
                bytes.fromhex(members["log"]),
                _number(members["period"]),
                _number(members["seconds"]),
                _number(members["sequence"]),
                from_hex(members["head"], "head", 32),
            )
            is_read = found.to_bytes() == data
        except (ValueError, KeyError, TypeError, PackageError):
            is_read = False
        if not is_read or not found.seconds:
            raise AuditError("not a statement", "statement_malformed", "statement")
        return found


class SignedStatement(NamedTuple):
    """A statement's bytes and signature, as they stand in the vault and in an anchor."""

    statement: bytes
    signature: bytes

    def read(self) -> Statement:
        """The statement, its signature checked.

        Raises:
            AuditError: `statement_malformed`; `statement_unsigned`: the provider that it names did not sign it.
        """
        found = Statement.from_bytes(self.statement)
        if not is_signed_by(found.provider, statement_digest(self.statement), self.signature):
            raise AuditError("not signed by the provider that it names", "statement_unsigned", place(found))
        return found

    def to_json(self) -> bytes:
        """As it is given out: one JSON object."""
        members = {"statement": self.statement.decode(), "signature": to_hex(self.signature)}
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> SignedStatement:
        """Read what `to_json` wrote; nothing is checked yet.

        Raises:
            AuditError: `statement_malformed`.
        """
        try:
            members = _json.loads(data[: 4 * LARGEST_STATEMENT])
            return cls(members["statement"].encode(), from_hex(members["signature"], "signature", 65))
        except (ValueError, KeyError, TypeError, AttributeError, PackageError):
            raise AuditError("not a signed statement", "statement_malformed", "statement") from None


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _BELOW:
        raise ValueError("not a number of a statement")
    return value


def statement_digest(statement: bytes) -> Digest:
    """H("audit-statement"; bytes statement): what the provider signs."""
    return Digest(_core.keccak256(abi.encode_all(_KINDS, ["chartseal/1/audit-statement", statement])))


def place(statement: Statement) -> str:
    """How errors name a statement: by its period's start, Unix seconds."""
    return f"period {statement.period}"


def close_periods(
    connection: Connection, signer: Signer, *, queues: Sequence[AnchorQueue], now: datetime, period: timedelta = DAY
) -> list[SignedStatement]:
    """Sign a statement for each period that has ended and has none, the earliest first, and queue it for its anchors.

    The first period is that of the first entry; a period without entries gets a statement too. All in the caller's
    transaction.

    Raises:
        AuditError: `log_missing`, `head_missing`, `head_malformed`, `entry_malformed`, `statement_malformed`.
        QueueError: `queue_unavailable`.
        VaultError: `vault_unavailable`.
        VaultDamageError: `vault_damaged`.
    """
    with storing():
        lock_head(connection, log_id(connection))
        made = list(_due(connection, signer.address, seconds(now), int(period.total_seconds())))
    signed = [_signed(each, signer) for each in made]
    rows = [{"period": each.period, **both._asdict()} for each, both in zip(made, signed, strict=True)]
    if rows:
        with storing():
            connection.execute(insert(STATEMENT), rows)
    for queue in queues:
        for each in signed:
            queue.add_statement(connection, *each)
    return signed


def _due(connection: Connection, provider: Address, now: int, length: int) -> Iterator[Statement]:
    """Statements of the periods that have ended since the newest one."""
    log = log_id(connection)
    newest = connection.execute(select(STATEMENT.c.statement).order_by(STATEMENT.c.period.desc()).limit(1)).scalar()
    if newest is not None:
        last = Statement.from_bytes(bytes_of(newest, STATEMENT))
    else:
        entry = connection.execute(select(AUDIT.c.entry).order_by(AUDIT.c.sequence).limit(1)).scalar()
        if entry is None:
            return
        first = outline(bytes_of(entry, AUDIT)).at
        last = Statement(provider, log, first // length * length - length, length, 0, first_hash(log))
    while last.end + length <= now:
        sequence, head = _end(connection, last, last.end + length)
        last = Statement(provider, log, last.end, length, sequence, head)
        yield last


def _end(connection: Connection, last: Statement, before: int) -> tuple[int, bytes]:
    """The last entry of a time before one; never one that stands before what was stated already."""
    newer = select(func.max(AUDIT.c.sequence)).where(AUDIT.c.sequence > last.sequence, AUDIT.c.at < before)
    row = connection.execute(select(AUDIT.c.sequence, AUDIT.c.hash).where(AUDIT.c.sequence == newer.scalar_subquery()))
    found: Any = row.one_or_none()
    return (last.sequence, last.head) if found is None else (found.sequence, bytes_of(found.hash, AUDIT))


def _signed(statement: Statement, signer: Signer) -> SignedStatement:
    data = statement.to_bytes()
    return SignedStatement(data, signer.sign_digest(statement_digest(data)))


def read_statements(connection: Connection) -> dict[int, SignedStatement]:
    """All statements of the vault's log by the period that they stand under, the earliest first; none is checked.

    Raises:
        VaultError: `vault_unavailable`.
        VaultDamageError: `vault_damaged`.
    """
    with storing():
        rows = connection.execute(select(STATEMENT).order_by(STATEMENT.c.period))
        return {row.period: SignedStatement(*(bytes_of(each, STATEMENT) for each in row[1:])) for row in rows}
