"""Verified predicates in words, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from chartseal.attestation import checksum_address, to_hex
from chartseal.cli.opened import value_text
from chartseal.verification import IssuedUnder, VerifiedPredicate, VerifiedRecord


def predicate_text(predicate: VerifiedPredicate, records: Sequence[VerifiedRecord]) -> str:
    """What is proved, of what, and by whom it was sealed."""
    lines = [f"proved: {value_text(predicate.words)}"]
    if predicate.record is not None:
        kind = value_text(records[predicate.record].resource_type)
        lines.append(f"  of record {predicate.record + 1} ({kind}), sealed by {_issuer(predicate)}")
        return "\n".join(lines)
    lines.append(f"  of a record that is not shown, sealed by {_issuer(predicate)}")
    if predicate.as_of is not None:
        lines.append(f"  neither revoked nor expired as of {predicate.as_of:%Y-%m-%d %H:%M} UTC")
    if predicate.nullifier is not None:
        lines.append(f"  nullifier {to_hex(predicate.nullifier)}")
    return "\n".join(lines)


def _issuer(predicate: VerifiedPredicate) -> str:
    under = "; ".join(_standing(each) for each in predicate.issued_under)
    if predicate.record is not None:
        name = value_text(predicate.issuer) or "an issuer that is not checked"
        return f"{name} ({under})" if under else name
    return f"one of the issuers of {under}" if under else "an issuer that is not checked"


def _standing(issued_under: IssuedUnder) -> str:
    return f"{', '.join(sorted(issued_under.roles))}, accredited by {checksum_address(issued_under.authority)}"


def predicate_to_json(predicate: VerifiedPredicate) -> dict[str, object]:
    """The members of one predicate; `record` counts from 0."""
    return {
        "policy": predicate.policy.name or None,
        "hash": to_hex(predicate.policy.hash),
        "words": predicate.words,
        "kind": predicate.kind,
        "record": predicate.record,
        "issuer": predicate.issuer or None,
        "issuedUnder": [
            {"authority": checksum_address(each.authority), "roles": sorted(each.roles)}
            for each in predicate.issued_under
        ],
        "nullifier": to_hex(predicate.nullifier) if predicate.nullifier is not None else None,
        "pseudonym": to_hex(predicate.pseudonym) if predicate.pseudonym is not None else None,
        "asOf": predicate.as_of.isoformat() if predicate.as_of is not None else None,
    }
