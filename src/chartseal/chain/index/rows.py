"""Rows of the index as what they stand for, and the statements that find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select

from chartseal.attestation import Address, Digest
from chartseal.chain.facts import Attestation
from chartseal.chain.index.tables import attestations, revocations

ATTESTATIONS: Select[Any] = select(
    *attestations.c, func.coalesce(revocations.c.time, 0).label("revocation_time")
).join_from(attestations, revocations, attestations.c.uid == revocations.c.uid, isouter=True)
"""Attestations with when they were revoked."""


class Place(NamedTuple):
    """Where an event stands on the chain; events are ordered by it."""

    block_number: int
    log_index: int


@dataclass(frozen=True, slots=True)
class Event:
    """When an event happened (Unix seconds, its block's time) and where."""

    time: int
    place: Place
    tx_hash: Digest


@dataclass(frozen=True, slots=True)
class IndexedAttestation:
    """An attestation and where it was made."""

    attestation: Attestation
    event: Event


@dataclass(frozen=True, slots=True)
class IndexedRevocation:
    """Of an attestation on chain, or (`is_offchain`) of an off-chain one's uid, which anybody can revoke as theirs."""

    uid: Digest
    revoker: Address
    is_offchain: bool
    event: Event


@dataclass(frozen=True, slots=True)
class IndexedTimestamp:
    """What EAS timestamped: an anchor's root, or anything else of 32 bytes."""

    data: Digest
    event: Event


@dataclass(frozen=True, slots=True)
class Anchoring:
    """When a seal, or its uid alone, was anchored."""

    root: Digest
    """What was timestamped: an anchor's root, or the uid itself."""
    attester: Address | None
    """The seal's; None where the uid itself was timestamped, whoever's it is."""
    is_proven: bool
    """Whether the way from the seal to the root was checked: not where the proof names no signature."""
    is_final: bool
    event: Event


def attestation(row: Any) -> Attestation:
    """A row of ATTESTATIONS."""
    return Attestation(
        uid=Digest(row.uid),
        schema=Digest(row.schema),
        time=row.time,
        expiration_time=row.expiration_time,
        revocation_time=row.revocation_time,
        ref_uid=Digest(row.ref_uid),
        recipient=Address(row.recipient),
        attester=Address(row.attester),
        revocable=row.revocable,
        data=bytes(row.data),
    )


def event(row: Any) -> Event:
    """The event of any row that has a place."""
    return Event(row.time, Place(row.block_number, row.log_index), Digest(row.tx_hash))
