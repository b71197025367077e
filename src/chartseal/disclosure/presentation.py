"""Make the disclosure: multiproofs of what opens, signed by each record's one-time key for one verifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from chartseal import _core
from chartseal.attestation import Multiproof, PrivateValue
from chartseal.disclosure.audience import audience_from
from chartseal.disclosure.binding import NONCE_SIZE, Binding
from chartseal.disclosure.delegation import Delegation, DelegationFile
from chartseal.disclosure.form import (
    MOST_LEAVES,
    MOST_RECORDS,
    UnverifiedDisclosure,
    UnverifiedProof,
    UnverifiedRecord,
)
from chartseal.disclosure.opening import open_choice
from chartseal.disclosure.selection import Choice, HeldRecord, Selection
from chartseal.errors import DelegationError, DisclosureError, SignatureError


class HolderSigner(Protocol):
    """A wallet, which signs under the one-time keys that it recomputes, or a proxy, which signs under its own."""

    def sign_disclosure(
        self,
        enc: bytes,
        subject: bytes,
        digest: bytes,
        *,
        audience: str,
        nonce: bytes,
        expiry: int,
        address: int = 0,
        epoch: int = 0,
    ) -> bytes:
        """Sign a disclosure of one record, whose subject is named: 64 bytes."""


def _general_address(_: HeldRecord) -> tuple[int, int]:
    return 0, 0


def present(
    selection: Selection,
    holder: HolderSigner,
    *,
    audience: str,
    nonce: bytes,
    expires_at: datetime,
    now: datetime | None = None,
    address_of: Callable[[HeldRecord], tuple[int, int]] = _general_address,
    proofs: Sequence[UnverifiedProof] = (),
    binding: Binding | None = None,
    delegation: DelegationFile | None = None,
) -> UnverifiedDisclosure:
    """Open what was selected to one verifier, beside `proofs` that are bound to the same request by `binding`.

    `audience` is the origin or key of the authenticated channel that the request came over, never a text out of the
    request: whoever takes it from the request signs for whom the request names. `nonce` is the verifier's, 32 bytes.
    `address_of` gives a record's (address, epoch) of the wallet. Values that do not open never enter the object. With
    a `delegation`, which must name each record, the signer is its proxy.

    Raises:
        DisclosureError: nothing selected (`nothing_selected`), a record twice (`record_repeated`), one whose salts
            could give away other fields (`salts_unsound`), a nonce of another length (`nonce_malformed`), an expiry
            that is past (`expiry_past`), or too much (`limit_exceeded`).
        DelegationError: `delegation_missing` for a record that it does not name, `delegation_invalid` where its holder
            did not sign it, `proxy_other` for another key than its proxy's, or another time or audience.
        KeyFormatError: `subject_not_ours`, when the wallet does not own a record.
        RecordError: a choice that was not made by `select` leaves out what must travel.
        Others: as `HeldRecord.check`, for a record that does not hold.
    """
    now = now or datetime.now(UTC)
    audience, expiry = checked_request(audience, nonce, expires_at, now)
    if not selection.choices and not proofs:
        raise DisclosureError("nothing is selected", "nothing_selected")
    chosen = sorted(selection.choices, key=lambda choice: _identity(choice.record))
    records = [choice.record for choice in chosen]
    if len({_identity(record) for record in records}) != len(records):
        raise DisclosureError("a record is selected twice", "record_repeated")
    unsigned = tuple(_opened(choice) for choice in chosen)
    if len(unsigned) > MOST_RECORDS or sum(len(record.multiproof.leaves) for record in unsigned) > MOST_LEAVES:
        raise DisclosureError("more than a disclosure may open", "limit_exceeded")
    digest = UnverifiedDisclosure(audience, nonce, expiry, unsigned, tuple(proofs)).digest()
    signing = _Signing(holder, digest, audience, nonce, expiry, now, delegation)
    signed = (signing.signed(*pair, *address_of(pair[0])) for pair in zip(records, unsigned, strict=True))
    return UnverifiedDisclosure(audience, nonce, expiry, tuple(signed), tuple(proofs), binding)


@dataclass(frozen=True)
class _Signing:
    """One disclosure, as the holder of each record, or her proxy, signs it."""

    holder: HolderSigner
    digest: bytes
    audience: str
    nonce: bytes
    expiry: int
    now: datetime
    delegation: DelegationFile | None

    def signed(self, record: HeldRecord, shown: UnverifiedRecord, address: int, epoch: int) -> UnverifiedRecord:
        """The record with its signature, and the delegation where a proxy signs."""
        own = self._delegated(record.subject)
        signature = self.holder.sign_disclosure(
            record.enc,
            record.subject,
            self.digest,
            audience=self.audience,
            nonce=self.nonce,
            expiry=self.expiry,
            address=address,
            epoch=epoch,
        )
        if own is not None:
            self._require_proxy(own, record.subject, signature)
        return replace(shown, signature=signature, delegation=own)

    def _delegated(self, subject: bytes) -> Delegation | None:
        """The delegation of one record, which covers what is asked."""
        if self.delegation is None:
            return None
        own = self.delegation.of(subject)
        own.check(subject, self.audience, self.now)
        return own

    def _require_proxy(self, delegation: Delegation, subject: bytes, signature: bytes) -> None:
        message = _core.holder_message(self.digest, subject, self.audience, self.nonce, self.expiry)
        try:
            _core.verify_holder_signature(delegation.mandate.proxy, message, signature)
        except SignatureError as exc:
            raise DelegationError("the delegation is for another proxy's key", "proxy_other") from exc


def checked_request(audience: str, nonce: bytes, expires_at: datetime, now: datetime | None) -> tuple[str, int]:
    """The audience and the expiry in Unix seconds, of a request that can be answered.

    Raises:
        DisclosureError: `nonce_malformed`, `expiry_past`, or an audience that the format does not have.
    """
    now = now or datetime.now(UTC)
    if expires_at.tzinfo is None or now.tzinfo is None:
        raise ValueError("times must be aware")
    if expires_at <= now:
        raise DisclosureError("the disclosure would have expired already", "expiry_past")
    if len(nonce) != NONCE_SIZE:
        raise DisclosureError("a nonce has 32 bytes", "nonce_malformed")
    return audience_from(audience), int(expires_at.timestamp())


def _identity(record: HeldRecord) -> tuple[bytes, bytes]:
    return record.package.signer, record.package.uid


def _opened(choice: Choice) -> UnverifiedRecord:
    """The record with its multiproof, not signed yet."""
    choice.record.check()
    multiproof, detached = open_choice(choice)
    return UnverifiedRecord(choice.record.package, multiproof, bytes(64), detached)


class Row(NamedTuple):
    """One opened field as a reader of the disclosure sees it; `record` counts from 0."""

    record: int
    resource_type: str
    name: str
    value: PrivateValue


def preview(disclosure: UnverifiedDisclosure) -> list[Row]:
    """What the other side will see, field by field, sorted by name with control fields last; nothing is verified."""
    rows: list[Row] = []
    for at, record in enumerate(disclosure.records):
        leaves = record.multiproof.leaves
        resource_type = _stated_type(record.multiproof)
        ordered = sorted(leaves, key=lambda leaf: (leaf.name.startswith("chartseal."), leaf.name))
        rows.extend(Row(at, resource_type, leaf.name, leaf) for leaf in ordered)
    return rows


def _stated_type(multiproof: Multiproof) -> str:
    stated = (leaf.value for leaf in multiproof.leaves if leaf.name == "chartseal.resourceType")
    return str(next(stated, "?"))
