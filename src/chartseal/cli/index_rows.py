"""What `chartseal index` lists, as JSON has it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chartseal.attestation import checksum_address, to_hex
from chartseal.chain.authority.accreditation import Accredited
from chartseal.chain.index import Anchoring, Event, IndexedAttestation, IndexedRevocation, IndexedTimestamp


def attestation(row: IndexedAttestation) -> dict[str, Any]:
    """An attestation, everything of it."""
    made = row.attestation
    return {
        **_event(row.event),
        "uid": to_hex(made.uid),
        "schema": to_hex(made.schema),
        "attester": checksum_address(made.attester),
        "recipient": checksum_address(made.recipient),
        "refUID": to_hex(made.ref_uid),
        "expirationTime": made.expiration_time,
        "revocationTime": made.revocation_time,
        "revocable": made.revocable,
        "data": to_hex(made.data),
    }


def revocation(row: IndexedRevocation) -> dict[str, Any]:
    """A revocation, of either kind."""
    kind = "off-chain" if row.is_offchain else "on-chain"
    return {**_event(row.event), "uid": to_hex(row.uid), "revoker": checksum_address(row.revoker), "kind": kind}


def timestamp(row: IndexedTimestamp) -> dict[str, Any]:
    """What was timestamped."""
    return {**_event(row.event), "data": to_hex(row.data)}


def anchoring(row: Anchoring) -> dict[str, Any]:
    """When a seal was anchored."""
    attester = None if row.attester is None else checksum_address(row.attester)
    own = {"root": to_hex(row.root), "attester": attester, "proven": row.is_proven, "final": row.is_final}
    return {**_event(row.event), **own}


def accreditation(row: Accredited) -> dict[str, Any]:
    """An accreditation, without its keys."""
    return {
        "uid": to_hex(row.uid),
        "authority": checksum_address(row.authority),
        "issuer": checksum_address(row.issuer),
        "roles": sorted(row.roles),
        "name": row.name,
        "endpoint": row.endpoint,
        "validFrom": row.valid_from,
        "attestedAt": row.attested_at,
        "expiresAt": row.expires_at,
    }


def _event(event: Event) -> dict[str, Any]:
    place = f"{event.place.block_number}:{event.place.log_index}"
    return {"time": time(event.time), "place": place, "tx": to_hex(event.tx_hash)}


def time(seconds: int) -> str:
    """ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
