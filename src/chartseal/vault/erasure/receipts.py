"""Receipts of erasure: what was destroyed and what remains where, signed by the issuer. They can be given any time.

Source: format specification, section 21.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from chartseal import _core, _json
from chartseal.attestation import Address, Digest, abi, address_from, from_hex, to_hex
from chartseal.attestation.signer import Signer
from chartseal.errors import ErasureError, PackageError
from chartseal.vault.database import bytes_of, reading, storing, trusting_rows
from chartseal.vault.epochs import kept_epochs
from chartseal.vault.erasure.bases import Basis
from chartseal.vault.opening import COLUMNS, Entry
from chartseal.vault.signing import is_signed_by
from chartseal.vault.tables import AUDIT, EPOCH, ERASURE, RECORD

if TYPE_CHECKING:
    from chartseal.vault.vault import Vault

KIND = "erasure-receipt"
LARGEST_RECEIPT = 65_536
"""Bytes: an epoch takes about 20."""
DESTROYED = ("data-keys", "ciphertext", "terms", "pseudonym", "deliveries")
"""What erasing always destroys in the vault."""
REMAINS = ("tombstone", "audit-entries", "anchor-leaf", "copies-given-out", "backups")
"""What it does not reach: what each is, the documentation of erasure says. Of backups `epochs` tells more."""

_CHUNK = 500
_BELOW = 2**63
_LAST_MOMENT = 253_402_300_799
"""9999-12-31T23:59:59Z: later times are no dates."""
_KINDS = [abi.parse_type(kind) for kind in ("string", "bytes")]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says of one record that it erased."""

    provider: Address
    """Whose key signs it."""
    vault: bytes
    """The vault's id, 16 bytes."""
    attester: bytes
    uid: bytes
    erased_at: int
    basis: Basis
    entry: int
    """Number of the audit entry, and its hash."""
    entry_hash: bytes
    stated_at: int
    """When the receipt was made."""
    epochs: tuple[tuple[int, int], ...]
    """Epochs for which a backup may hold the record's data key, and when the secret of each was destroyed (0: not)."""

    @property
    def is_gone_from_backups(self) -> bool:
        """Whether no backup can be read any more."""
        return all(destroyed for _, destroyed in self.epochs)

    def to_bytes(self) -> bytes:
        """The bytes that are signed: compact JSON, members in this order."""
        members = {
            "provider": to_hex(self.provider),
            "vault": self.vault.hex(),
            "attester": to_hex(self.attester),
            "uid": to_hex(self.uid),
            "erasedAt": self.erased_at,
            "basis": self.basis.value,
            "entry": self.entry,
            "entryHash": to_hex(self.entry_hash),
            "statedAt": self.stated_at,
            "destroyed": DESTROYED,
            "remains": REMAINS,
            "epochs": self.epochs,
        }
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Receipt:
        """Read one.

        Raises:
            ErasureError: `receipt_malformed`; also where the same could be written in other bytes.
        """
        try:
            members = _json.loads(data[: LARGEST_RECEIPT + 1])
            found = cls(
                address_from(members["provider"], "provider"),
                bytes.fromhex(members["vault"]),
                from_hex(members["attester"], "attester", 20),
                from_hex(members["uid"], "uid", 32),
                _moment(members["erasedAt"]),
                Basis(members["basis"]),
                _number(members["entry"]),
                from_hex(members["entryHash"], "entryHash", 32),
                _moment(members["statedAt"]),
                tuple((_number(number), _moment(destroyed)) for number, destroyed in members["epochs"]),
            )
            is_read = found.to_bytes() == data
        except (ValueError, KeyError, TypeError, PackageError):
            is_read = False
        if not is_read:
            raise _malformed()
        return found


class SignedReceipt(NamedTuple):
    """A receipt's bytes and signature."""

    receipt: bytes
    signature: bytes

    def read(self) -> Receipt:
        """The receipt, its signature checked.

        Raises:
            ErasureError: `receipt_malformed`; `receipt_unsigned`: the provider that it names did not sign it.
        """
        found = Receipt.from_bytes(self.receipt)
        if not is_signed_by(found.provider, receipt_digest(self.receipt), self.signature):
            raise ErasureError("not signed by the provider that it names", "receipt_unsigned", KIND)
        return found

    def to_json(self) -> bytes:
        """As it is given out: one compact JSON object."""
        members = {
            "format": "chartseal/1",
            "kind": KIND,
            "receipt": self.receipt.decode(),
            "signature": to_hex(self.signature),
        }
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> SignedReceipt:
        """Read what `to_json` wrote; nothing is checked yet.

        Raises:
            ErasureError: `receipt_malformed`.
        """
        try:
            members = _json.loads(data[: 2 * LARGEST_RECEIPT])
            if members["format"] != "chartseal/1" or members["kind"] != KIND:
                raise _malformed()
            return cls(members["receipt"].encode(), from_hex(members["signature"], "signature", 65))
        except (ValueError, KeyError, TypeError, AttributeError, PackageError):
            raise _malformed() from None


def _malformed() -> ErasureError:
    return ErasureError("not a receipt of erasure", "receipt_malformed", KIND)


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _BELOW:
        raise ValueError("not a number of a receipt")
    return value


def _moment(value: Any) -> int:
    if (at := _number(value)) > _LAST_MOMENT:
        raise ValueError("not a time of a receipt")
    return at


def receipt_digest(receipt: bytes) -> Digest:
    """H("erasure-receipt"; bytes receipt): what the provider signs."""
    return Digest(_core.keccak256(abi.encode_all(_KINDS, ["chartseal/1/erasure-receipt", receipt])))


def give(vault: Vault, entries: Iterable[Entry], signer: Signer, *, now: datetime) -> Iterator[SignedReceipt]:
    """Receipts of those of the records that are erased, in the order of their storing.

    What each says of backups is how it stands now: when an epoch is destroyed, a new receipt says so.

    Raises:
        VaultError: `vault_unavailable`.
        VaultDamageError: `vault_damaged`.
        VaultKeyError: `keys_unavailable`.
    """
    rest, kept = iter(entries), kept_epochs(vault.keys)
    while ids := [each.id for each in islice(rest, _CHUNK)]:
        with reading(vault.engine) as connection, storing():
            rows = connection.execute(_graves().where(RECORD.c.id.in_(ids)).order_by(RECORD.c.id)).all()
            known = connection.execute(select(EPOCH)).all()
        epochs = _epochs(known, kept)
        for row in rows:
            with trusting_rows(ERASURE):
                receipt = _receipt(vault, row, epochs, signer.address, int(now.timestamp())).to_bytes()
            yield SignedReceipt(receipt, signer.sign_digest(receipt_digest(receipt)))


class _Epoch(NamedTuple):
    number: int
    destroyed_at: int | None


def _epochs(known: Iterable[Any], kept: Iterable[int]) -> list[_Epoch]:
    """The vault's, and those whose secrets are there though an older backup, put back, does not know them."""
    alive = {number: _Epoch(number, None) for number in kept}
    return sorted({**alive, **{each.number: _Epoch(each.number, each.destroyed_at) for each in known}}.values())


def _graves() -> Any:
    columns = (RECORD.c.attester, RECORD.c.uid, RECORD.c.stored_at, *ERASURE.c, AUDIT.c.hash)
    return (
        select(*columns)
        .join(ERASURE, ERASURE.c.record_id == RECORD.c.id)
        .join(AUDIT, AUDIT.c.sequence == ERASURE.c.sequence)
    )


def _receipt(vault: Vault, row: Any, epochs: Iterable[_Epoch], provider: Address, stated_at: int) -> Receipt:
    told = tuple(
        (_number(each.number), _number(each.destroyed_at or 0))
        for each in epochs
        if each.number <= row.epoch and (each.destroyed_at is None or each.destroyed_at >= row.stored_at)
    )
    entry = (_number(row.sequence), bytes_of(row.hash, AUDIT))
    identity = (bytes_of(row.attester, RECORD), bytes_of(row.uid, RECORD))
    erased_at = _number(row.erased_at)
    return Receipt(provider, vault.settings.id, *identity, erased_at, Basis(row.basis), *entry, stated_at, told)


def erased_of(vault: Vault, patient: str) -> list[Entry]:
    """All records of a patient that were ever erased, as the audit log still knows them.

    Raises:
        VaultError: `vault_unavailable`.
    """
    return erased_under(vault, vault.pseudonym(patient))


def erased_under(vault: Vault, pseudonym: bytes) -> list[Entry]:
    """As `erased_of`, by the patient's pseudonym.

    Raises:
        VaultError: `vault_unavailable`.
    """
    graves = (
        select(*COLUMNS)
        .join(ERASURE, ERASURE.c.record_id == RECORD.c.id)
        .join(AUDIT, AUDIT.c.sequence == ERASURE.c.sequence)
    )
    with reading(vault.engine) as connection, trusting_rows(RECORD):
        rows = connection.execute(graves.where(AUDIT.c.patient == pseudonym).order_by(RECORD.c.id))
        return [Entry.of(row) for row in rows]
