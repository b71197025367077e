"""Off-chain attestations: signed under EIP-712, in three versions.

In: what is attested and a signer. Out: a package anyone checks without a chain, as JSON or link (`links`).
Source: eas-sdk 2.10 offchain.ts. What its verifier overlooks is refused here: expiry, future times, the schema, a
version that contradicts the types, members that nothing signs, high s, and an empty signer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from chartseal import _core
from chartseal.attestation.hexes import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from chartseal.attestation.networks import OFFCHAIN_NAME, Domain
from chartseal.attestation.signer import LocalSigner, Signer
from chartseal.errors import DomainError, ExpiredError, NotYetValidError, SchemaError, SignatureError

_ABOVE_UINT64 = 2**64


class Form(Enum):
    """What was signed. Two legacy forms exist: newer SDKs sign `Attestation(…)`, older ones signed `Attest(…)`."""

    LEGACY = "legacy"
    LEGACY_ATTEST = "legacy-attest"
    VERSION1 = "version1"
    VERSION2 = "version2"

    @property
    def version(self) -> int:
        """The number in the package."""
        return {"version1": 1, "version2": 2}.get(self.value, 0)

    @property
    def primary_type(self) -> str:
        """The name of the signed struct."""
        return "Attestation" if self is Form.LEGACY else "Attest"


@dataclass(frozen=True, slots=True)
class OffchainMessage:
    """What is attested. Times are Unix seconds in UTC, expiration 0 is never; the salt counts in version 2 only."""

    schema: Digest
    time: int
    data: bytes = field(repr=False)
    recipient: Address = ZERO_ADDRESS
    expiration_time: int = 0
    revocable: bool = True
    ref_uid: Digest = ZERO_DIGEST
    salt: Digest = field(default=ZERO_DIGEST, repr=False)

    def as_core(self) -> tuple[bytes, bytes, int, int, bool, bytes, bytes, bytes]:
        """The tuple that the Rust core takes.

        Raises:
            SchemaError: a time that is no uint64.
        """
        if not (0 <= self.time < _ABOVE_UINT64 and 0 <= self.expiration_time < _ABOVE_UINT64):
            raise SchemaError("a time is an unsigned 64-bit number of seconds", code="time_range")
        return (
            self.schema,
            self.recipient,
            self.time,
            self.expiration_time,
            self.revocable,
            self.ref_uid,
            self.data,
            self.salt,
        )


@dataclass(frozen=True, slots=True)
class UnverifiedPackage:
    """A signed off-chain attestation as somebody gave it; nothing in it is true until `verify` has returned.

    `signature` is r, s, v: 65 bytes.
    """

    form: Form
    domain: Domain
    message: OffchainMessage
    uid: Digest
    signature: bytes
    signer: Address

    def digest(self) -> Digest:
        """The EIP-712 digest that was signed."""
        return Digest(_core.offchain_hashes(self.domain.separator(), self.form.value, self.message.as_core())[1])


@dataclass(frozen=True, slots=True)
class VerifiedAttestation:
    """An attestation whose signature holds: `attester` signed exactly this message under this domain.

    Its identity is (attester, uid): anyone can sign another's message under the same uid.
    """

    attester: Address
    uid: Digest
    form: Form
    domain: Domain
    message: OffchainMessage
    signature: bytes
    by_contract: bool = False
    """The attester is a contract, which took the signature for its own when it was asked (EIP-1271). A key's signature
    cannot be known before it is made; what a contract takes, now or at any other time, is for its owners to choose.
    """

    def require_live(self, now: datetime, clock_skew: timedelta = timedelta(0)) -> None:
        """Refuse one that has expired or lies in the future at `now` (aware).

        Raises:
            ExpiredError: its expiration is at or before now.
            NotYetValidError: its time is after now + clock_skew.
        """
        if now.tzinfo is None:
            raise ValueError("now must be aware")
        if self.message.expiration_time and self.message.expiration_time <= now.timestamp():
            raise ExpiredError("the attestation has expired")
        if self.message.time > now.timestamp() + clock_skew.total_seconds():
            raise NotYetValidError("the attestation's time lies in the future")

    def require_accepted(
        self,
        now: datetime,
        clock_skew: timedelta = timedelta(0),
        schemas: Collection[Digest] | None = None,
        domains: Collection[Domain] | None = None,
    ) -> None:
        """Refuse one that is not live, or of another schema or domain; None accepts any.

        Raises:
            DomainError, SchemaError: not among those given.
            ExpiredError, NotYetValidError: as `require_live`.
        """
        if domains is not None and self.domain not in domains:
            raise DomainError("the attestation is for another chain, contract or version", path="domain")
        if schemas is not None and self.message.schema not in schemas:
            raise SchemaError("the attestation has another schema", path="message.schema")
        self.require_live(now, clock_skew)


def offchain_uid(message: OffchainMessage, form: Form = Form.VERSION2) -> Digest:
    """The uid that the message has in that form; the domain does not enter."""
    return Digest(_core.offchain_hashes(ZERO_DIGEST, form.value, message.as_core())[0])


def sign(
    message: OffchainMessage,
    domain: Domain,
    signer: Signer,
    form: Form = Form.VERSION2,
    *,
    token_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> UnverifiedPackage:
    """Sign one attestation; a zero salt is replaced by random bytes in version 2.

    Raises:
        DomainError: a domain that is not one of off-chain attestations.
        SignatureError: the signer gave something else than its own signature.
    """
    return sign_many([message], domain, signer, form, token_bytes=token_bytes)[0]


def sign_many(
    messages: Sequence[OffchainMessage],
    domain: Domain,
    signer: Signer,
    form: Form = Form.VERSION2,
    *,
    token_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> list[UnverifiedPackage]:
    """Sign each as `sign` does; keys held in memory sign over all cores."""
    _require_offchain(domain)
    messages = [_with_salt(message, form, token_bytes) for message in messages]
    separator, rows = domain.separator(), [message.as_core() for message in messages]
    if isinstance(signer, LocalSigner):
        signed = _core.offchain_sign_many(separator, form.value, rows, signer.key)
    else:
        hashes = [_core.offchain_hashes(separator, form.value, row) for row in rows]
        signed = [(uid, _signature_of(signer, Digest(digest))) for uid, digest in hashes]
    return [
        UnverifiedPackage(form, domain, message, Digest(uid), signature, signer.address)
        for message, (uid, signature) in zip(messages, signed, strict=True)
    ]


def _with_salt(message: OffchainMessage, form: Form, token_bytes: Callable[[int], bytes]) -> OffchainMessage:
    if form is not Form.VERSION2:
        return replace(message, salt=ZERO_DIGEST) if message.salt != ZERO_DIGEST else message
    return message if message.salt != ZERO_DIGEST else replace(message, salt=Digest(token_bytes(32)))


def _signature_of(signer: Signer, digest: Digest) -> bytes:
    """A signature from outside is checked: a device with another key must not go unnoticed."""
    signature = signer.sign_digest(digest)
    if _core.recover_address(digest, signature) != signer.address:
        raise SignatureError("the signer's signature is not by its address")
    return signature


def _require_offchain(domain: Domain) -> None:
    if domain.name != OFFCHAIN_NAME:
        raise DomainError("an off-chain attestation is signed under the name 'EAS Attestation'", path="domain.name")


def recover(package: UnverifiedPackage) -> VerifiedAttestation:
    """Check signature and uid alone, whatever the time, schema or domain.

    Raises:
        SignatureError: `uid_mismatch`, `signature_invalid`, or `signer_mismatch` where another than `signer` signed.
        DomainError: the domain's name is not that of off-chain attestations.
    """
    _require_offchain(package.domain)
    separator = package.domain.separator()
    attester = _core.offchain_recover(
        separator, package.form.value, package.message.as_core(), package.uid, package.signature
    )
    if attester != package.signer or attester == ZERO_ADDRESS:
        raise SignatureError("the signature is not by the stated signer", code="signer_mismatch", path="signer")
    return VerifiedAttestation(
        Address(attester), package.uid, package.form, package.domain, package.message, package.signature
    )


def verify(
    package: UnverifiedPackage,
    *,
    now: datetime,
    clock_skew: timedelta = timedelta(0),
    schemas: Collection[Digest] | None = None,
    domains: Collection[Domain] | None = None,
) -> VerifiedAttestation:
    """Check a package; None for schemas or domains accepts any. Revocation is on a chain and is not looked at.

    Raises:
        SignatureError, DomainError: as `recover`; or a domain that is not among `domains`.
        SchemaError: its schema is not among `schemas`.
        ExpiredError, NotYetValidError: as `VerifiedAttestation.require_live`.
    """
    verified = recover(package)
    verified.require_accepted(now, clock_skew, schemas, domains)
    return verified


def type_table(form: Form) -> list[dict[str, Any]]:
    """The members of the signed struct, as packages carry them."""
    members = [
        ("schema", "bytes32"),
        ("recipient", "address"),
        ("time", "uint64"),
        ("expirationTime", "uint64"),
        ("revocable", "bool"),
        ("refUID", "bytes32"),
        ("data", "bytes"),
    ]
    if form.version >= 1:
        members.insert(0, ("version", "uint16"))
    if form.version >= 2:
        members.append(("salt", "bytes32"))
    return [{"name": name, "type": kind} for name, kind in members]
