"""Seal: fields of checked resources become sealed records, under one issuer's key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from chartseal import _core
from chartseal.attestation import (
    ZERO_DIGEST,
    Address,
    Digest,
    Domain,
    LocalSigner,
    Signer,
    checksum_address,
    packages,
)
from chartseal.attestation.offchain import Form, type_table
from chartseal.errors import SignatureError
from chartseal.fhir.reading import DEFAULT_READING, Reading
from chartseal.record import Field, read_fields
from chartseal.sealing.sealed import SealedRecord

EXPIRING = ("CarePlan", "Consent", "Coverage", "MedicationRequest")
"""Types whose seals carry an expiry that the issuer sets: what they state holds for a time only."""

DEFAULT_VALIDITY = timedelta(days=366)


class Places(Protocol):
    """Gives records their places in the issuer's status lists (`StatusStore`)."""

    def reserve(self, attester: Address, uids: Sequence[bytes]) -> Sequence[tuple[int, int]]:
        """(list, index) for each seal of that attester; one that was ever given is never given to another seal."""


@dataclass(frozen=True)
class Issuing:
    """Who seals and how: a signer, the deployment, the secret behind `chartseal.person` (32 bytes), the FHIR base.

    `validity` is what seals of `EXPIRING` types hold for, from the beginning of their anchor period; `period` is the
    anchor period that a seal's time is cut to, since seconds would link the records of one visit. Records get a
    credential where there are both a proving key and places in status lists: what cannot be revoked is not given.
    """

    signer: Signer
    domain: Domain
    person_secret: bytes = field(repr=False)
    base: str = ""
    validity: timedelta = DEFAULT_VALIDITY
    period: timedelta = timedelta(days=1)
    proving: _core.ProvingKey | None = field(default=None, repr=False, compare=False)
    places: Places | None = field(default=None, repr=False, compare=False)
    core: _core.SealIssuer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        types = {Form.VERSION2.primary_type: type_table(Form.VERSION2)}
        core = _core.SealIssuer(
            separator=self.domain.separator(),
            attester=self.signer.address,
            person_secret=self.person_secret,
            base=self.base,
            domain_json=json.dumps(packages.domain_to_json(self.domain), separators=(",", ":")),
            types_json=json.dumps(types, separators=(",", ":")),
            signer=checksum_address(self.signer.address),
        )
        object.__setattr__(self, "core", core)

    @property
    def gives_credentials(self) -> bool:
        """Whether records get one."""
        return self.proving is not None and self.places is not None

    def sealed_at(self, now: datetime) -> int:
        """The time of seals made `now` (aware): the start of its anchor period, Unix seconds."""
        if now.tzinfo is None:
            raise ValueError("now must be aware")
        length = int(self.period.total_seconds())
        return int(now.timestamp()) // length * length

    def expiration(self, resource_type: str, sealed_at: int) -> int:
        """When a seal of that type ends, Unix seconds; 0 for never."""
        return sealed_at + int(self.validity.total_seconds()) if resource_type in EXPIRING else 0


def sign(prepared: Sequence[_core.UnsignedRecord], issuing: Issuing) -> list[bytes]:
    """Lines of JSON of prepared records, signed, with their credentials; keys in memory sign over all cores.

    Raises:
        SignatureError: the signer gave something else than its own signature.
        StatusListError: no places in a status list are to be had.
    """
    digests = [record.digest for record in prepared]
    signer = issuing.signer
    if isinstance(signer, LocalSigner):
        signatures = signer.key.sign_digests(digests)
    else:
        signatures = [signer.sign_digest(Digest(digest)) for digest in digests]
        signers = _core.recover_addresses(list(zip(digests, signatures, strict=True)))
        if any(address != signer.address for address in signers):
            raise SignatureError("the signer's signature is not by its address")
    if issuing.proving is None or issuing.places is None:
        return _core.finish_records(prepared, signatures, issuing.core)
    takers = [record.uid for record in prepared if record.takes_credential]
    given = iter(issuing.places.reserve(signer.address, takers) if takers else ())
    places = [next(given) if record.takes_credential else None for record in prepared]
    return _core.finish_records(prepared, signatures, issuing.core, issuing.proving, places)


@dataclass(frozen=True, slots=True)
class SealedLine:
    """A sealed record as one line of JSON, without its end, with what its issuer needs to deliver it again."""

    line: bytes = field(repr=False)
    ikm: bytes = field(repr=False)
    """Keying material of its delivery: 32 bytes, secret; empty where it is not known."""
    address: bytes
    """Whom it is sealed to: 64 bytes."""
    patient: str | None = field(default=None, repr=False)
    """The URL of the patient whose it is, where its chart says more of that than the record itself."""


def sign_lines(prepared: Sequence[_core.UnsignedRecord], issuing: Issuing) -> list[SealedLine]:
    """As `sign`, for an issuer that keeps what it seals."""
    lines = sign(prepared, issuing)
    return [SealedLine(line, record.ikm, record.address) for line, record in zip(lines, prepared, strict=True)]


def seal_fields(
    resource_type: str,
    fields: Iterable[Field],
    issuing: Issuing,
    address: bytes,
    *,
    now: datetime | None = None,
    detached: Sequence[tuple[str, str]] = (),
    test: bool = False,
    full_url: str = "",
    amends: Digest = ZERO_DIGEST,
    entries: Sequence[bytes] = (),
    claim_id: bytes | None = None,
    seed: bytes | None = None,
    ikm: bytes | None = None,
) -> SealedRecord:
    """Seal fields that are already shaped, for the sealing address (64 bytes).

    `entries` are the roots of the records of a document Bundle's entries, which it alone has. `claim_id` (31 bytes) is
    that of the credential of the record that this one amends, for the same holder. `seed` and `ikm` (32
    bytes each) are for vectors alone: by default both are fresh.

    Raises:
        RecordError: a field contradicts the resource type.
        KeyFormatError: the address is refused.
    """
    sealed_at = issuing.sealed_at(now or datetime.now(UTC))
    prepared = _core.prepare_fields(
        resource_type,
        list(fields),
        _core.SealRecipient(address),
        issuing.core,
        detached=list(detached),
        test=test,
        full_url=full_url,
        time=sealed_at,
        expiration=issuing.expiration(resource_type, sealed_at),
        amends=amends,
        entries=list(entries),
        claim_id=claim_id,
        seed=seed,
        ikm=ikm,
    )
    return SealedRecord.from_json(sign([prepared], issuing)[0])


def seal_resource(
    text: bytes | str,
    issuing: Issuing,
    address: bytes,
    *,
    now: datetime | None = None,
    reading: Reading = DEFAULT_READING,
    full_url: str = "",
    amends: Digest = ZERO_DIGEST,
    claim_id: bytes | None = None,
) -> SealedRecord:
    """Check one R4 resource in JSON and seal it for the sealing address (64 bytes).

    Whose record it is, the caller says: `seal_chart` and `seal_run` find out and refuse another patient's. `claim_id`
    is as for `seal_fields`.

    Raises:
        FhirError, LimitError: the resource may not be sealed; code and element path say why.
        KeyFormatError: the address is refused.
    """
    data = text.encode() if isinstance(text, str) else text
    reading.second_opinion(data)
    resource = read_fields(data, **reading.options())
    return seal_fields(
        resource.resource_type,
        resource.fields,
        issuing,
        address,
        now=now,
        detached=resource.detached,
        test=resource.is_test,
        full_url=full_url,
        amends=amends,
        claim_id=claim_id,
    )
