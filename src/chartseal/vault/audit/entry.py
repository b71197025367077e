"""Entries of the audit chain: their members, their bytes, and the hash that ties each to the one before.

Source: format specification, section 20.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from chartseal.errors import AuditError

VERSION = 1
NONCE_SIZE = 16
PATIENT_SIZE = 16
LARGEST_ENTRY = 4_096
"""Bytes of an entry."""

_DOMAIN = b"chartseal/1/audit\0"
_LONGEST = {"actor": 128, "what": 256, "purpose": 64, "basis": 128}
_BELOW = 2**63
_LAST_MOMENT = 253_402_300_799
"""9999-12-31T23:59:59Z: later times are no dates."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_FORM = re.compile(
    rb'\{"v":1,"seq":([1-9]\d{0,18}),"nonce":"[0-9a-f]{32}","at":(0|[1-9]\d{0,18}),"actor":"[^"\\]*(?:\\.[^"\\]*)*"'
    rb',"patient":"([0-9a-f]{32})?","action":"[a-z]+","what":"[^"\\]*(?:\\.[^"\\]*)*","purpose":"[^"\\]*(?:\\.[^"\\]*)*"'
    rb',"basis":"[^"\\]*(?:\\.[^"\\]*)*","detail":"([0-9a-f]{64})?","keep":(0|[1-9]\d{0,18})\}'
)


class Action(StrEnum):
    """What was done."""

    CREATE = "create"
    READ = "read"
    SEARCH = "search"
    DISCLOSE = "disclose"
    DELIVER = "deliver"
    ACCEPT = "accept"
    AMEND = "amend"
    REVOKE = "revoke"
    ERASE = "erase"
    REFUSE = "refuse"
    ROTATE = "rotate"
    BACKUP = "backup"
    RESTORE = "restore"
    EXPORT = "export"
    HOLD = "hold"
    RELEASE = "release"
    EXPIRE = "expire"
    OPEN = "open"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Act:
    """What is to be entered. Everything but `detail` stands in the chain for good and in clear: no names, no values."""

    actor: str
    """Whose account or key did it."""
    action: Action
    what: str
    """To what: a record by `record_text`, a count, an epoch."""
    patient: bytes | None = None
    """The patient's pseudonym, 16 bytes, where it is about one."""
    purpose: str = ""
    """A code of HL7's PurposeOfUse (`TREAT`, `HPAYMT`, …) or of the caller's."""
    basis: str = ""
    """A code of the legal basis, where one was needed."""
    detail: Mapping[str, str] | None = field(default=None, repr=False)
    """What accounting must name: kept encrypted beside the chain, and deleted after its term."""
    keep_until: int | None = None
    """When the detail may go, Unix seconds; else after the log's term."""

    def __post_init__(self) -> None:
        for name, longest in _LONGEST.items():
            text = getattr(self, name)
            if len(text) > longest or not text.isprintable():
                raise AuditError(f"at most {longest} printable characters", "act_malformed", name)
        if self.patient is not None and len(self.patient) != PATIENT_SIZE:
            raise AuditError(f"a pseudonym has {PATIENT_SIZE} bytes", "act_malformed", "patient")
        if self.keep_until is not None and not 0 < self.keep_until < _BELOW:
            raise AuditError("not a time", "act_malformed", "keep_until")


class Outline(NamedTuple):
    """What of an entry stands beside it, or must be found elsewhere."""

    sequence: int
    at: int
    patient: bytes | None
    detail: bytes | None
    """SHA-256 of the encrypted detail."""
    keep: int
    """Until when the detail is kept, Unix seconds; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry, read."""

    sequence: int
    at: int
    """Unix seconds, as the clock stood."""
    actor: str
    patient: bytes | None
    action: Action
    what: str
    purpose: str
    basis: str
    detail: bytes | None
    keep: int
    nonce: bytes


def record_text(attester: bytes, uid: bytes, version: int) -> str:
    """How entries name a record and the version of its ciphertext, which says whether an older one was put back."""
    return f"record 0x{attester.hex()} 0x{uid.hex()} {version}"


def encode(act: Act, sequence: int, nonce: bytes, at: int, detail: bytes | None = None, keep: int = 0) -> bytes:
    """The bytes of an entry: compact JSON, members in this order, UTF-8."""
    members = {
        "v": VERSION,
        "seq": sequence,
        "nonce": nonce.hex(),
        "at": at,
        "actor": act.actor,
        "patient": act.patient.hex() if act.patient else "",
        "action": act.action.value,
        "what": act.what,
        "purpose": act.purpose,
        "basis": act.basis,
        "detail": detail.hex() if detail else "",
        "keep": keep,
    }
    return _ENCODER.encode(members).encode()


def outline(data: bytes) -> Outline:
    """What stands in an entry's bytes, without reading all of it.

    Raises:
        AuditError: `entry_malformed`.
    """
    found = _FORM.fullmatch(data)
    if found is None or len(data) > LARGEST_ENTRY:
        raise AuditError("not an entry", "entry_malformed")
    sequence, at, patient, detail, keep = found.groups()
    if int(at) > _LAST_MOMENT or max(int(sequence), int(keep)) >= _BELOW:
        raise AuditError("not an entry", "entry_malformed")
    return Outline(
        int(sequence),
        int(at),
        bytes.fromhex(patient.decode()) if patient else None,
        bytes.fromhex(detail.decode()) if detail else None,
        int(keep),
    )


def is_filed(data: bytes, sequence: int, at: int, patient: bytes | None) -> bool:
    """Whether what stands beside an entry is what its bytes say; far cheaper than reading them.

    A text's own quotes are escaped, so that none of these parts can stand inside one.
    """
    who = patient.hex().encode() if patient is not None else b""
    try:
        return (
            data.startswith(b'{"v":1,"seq":%d,"nonce":"' % sequence)
            and b'","at":%d,"actor":"' % at in data
            and b'","patient":"%b","action":"' % who in data
        )
    except (TypeError, ValueError, OverflowError):  # no number: in a damaged row of SQLite anything may stand
        return False


def has_detail(data: bytes) -> bool:
    """Whether an entry names a detail, by its last bytes."""
    return not data.endswith(b'","detail":"","keep":0}')


def decode(data: bytes) -> Entry:
    """Read an entry's bytes.

    Raises:
        AuditError: `entry_malformed`.
    """
    sequence, at, patient, detail, keep = outline(data)
    try:
        members = json.loads(data)
        action = Action(members["action"])
    except ValueError as exc:
        raise AuditError("not an entry", "entry_malformed") from exc
    actor, what, purpose, basis = texts = [members[name] for name in _LONGEST]
    if not all(text.isprintable() for text in texts):  # what is shown on a terminal holds no escape
        raise AuditError("not an entry", "entry_malformed")
    nonce = bytes.fromhex(members["nonce"])
    return Entry(sequence, at, actor, patient, action, what, purpose, basis, detail, keep, nonce)


def first_hash(log: bytes) -> bytes:
    """What the first entry of a log has for the hash before it: SHA-256 of the vault's id."""
    return hashlib.sha256(log).digest()


def entry_hash(previous: bytes, data: bytes) -> bytes:
    """SHA-256("chartseal/1/audit" ‖ 00 ‖ previous hash ‖ entry)."""
    return hashlib.sha256(_DOMAIN + previous + data).digest()


def seconds(now: datetime) -> int:
    """A time in Unix seconds; entries have no finer one."""
    return int(now.timestamp())
