"""The disclosure as an object and as JSON: seals, opened leaves with their multiproofs, holder's signatures.

Reading checks form and limits alone; nothing in an `UnverifiedDisclosure` is true until `chartseal.verification.verify`
has returned. Writing is deterministic: the same disclosure gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from chartseal import _core, _json
from chartseal.attestation import Digest, Multiproof, PrivateValue, UnverifiedPackage, digest_from, from_hex, packages
from chartseal.attestation.hexes import to_hex
from chartseal.disclosure.audience import audience_from
from chartseal.disclosure.binding import Binding
from chartseal.disclosure.delegation import Delegation
from chartseal.errors import AttestationError, DisclosureFormError, FieldEncodingError

FORMAT = "chartseal/1"
KIND = "disclosure"

LARGEST_DISCLOSURE = 1 << 26
"""Bytes of JSON that a disclosure may have."""

MOST_RECORDS = 10_000
MOST_LEAVES = 100_000
"""Opened leaves in all records together."""

MOST_PROOFS = 64
MOST_INPUTS = 64
LARGEST_PROOF = 4_096

ABI_TYPES = frozenset({"string", "bool", "int256", "uint256", "bytes32"})
"""What a field may be, spelled as it is hashed."""

_MEMBERS = frozenset({"format", "kind", "audience", "nonce", "expiry", "records", "proofs"})
_RECORD = frozenset({"seal", "multiproof", "signature"})
_PROOF = frozenset({"key", "inputs", "proof"})
_ABOVE_UINT64 = 1 << 64
_HALF_PAIR = re.compile("[\ud800-\udfff]")


class OpenedRecord(Protocol):
    """One record of which something is opened, whoever stands behind showing it; nothing of it is verified."""

    @property
    def package(self) -> UnverifiedPackage:
        """Its seal."""

    @property
    def multiproof(self) -> Multiproof:
        """What is opened, and what leads from it to the sealed root."""

    @property
    def detached(self) -> tuple[tuple[str, str], ...]:
        """Base64 texts too long for a leaf, by the name of the field that holds their hash."""


class RecordParts(NamedTuple):
    """What a record of a disclosure and of an answer have in common, as read."""

    package: UnverifiedPackage
    multiproof: Multiproof
    detached: tuple[tuple[str, str], ...]


def record_parts(data: Mapping[str, Any], place: str) -> RecordParts:
    """Read `seal`, `multiproof` and, where it stands, `detached`.

    Raises:
        DisclosureFormError: malformed.
    """
    try:
        package = packages.from_json(data["seal"])
        multiproof = Multiproof.from_json(data["multiproof"])
    except (AttestationError, FieldEncodingError) as exc:
        raise DisclosureFormError(exc.detail, exc.code, f"{place} {exc.path}".rstrip()) from exc
    for at, leaf in enumerate(multiproof.leaves):
        _require_field(leaf, f"{place} leaves[{at}]")
    detached = _detached(data["detached"], place) if "detached" in data else ()
    return RecordParts(package, multiproof, detached)


def parts_to_json(record: OpenedRecord) -> dict[str, Any]:
    """`seal` and `multiproof`: what a record's object begins with."""
    return {"seal": packages.to_json(record.package), "multiproof": record.multiproof.to_json()}


@dataclass(frozen=True, slots=True)
class UnverifiedRecord:
    """One record of a disclosure: its seal, what is opened of it, and its holder's signature (64 bytes).

    Where there is a delegation, the signature is the proxy's.
    """

    package: UnverifiedPackage
    multiproof: Multiproof = field(repr=False)
    signature: bytes = field(repr=False)
    detached: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Base64 texts too long for a leaf, by the name of the field that holds their hash."""
    delegation: Delegation | None = field(default=None, repr=False)

    @property
    def identity(self) -> tuple[bytes, bytes]:
        """(attester, uid) as stated: what records ascend by."""
        return self.package.signer, self.package.uid

    def as_digested(self) -> tuple[bytes, bytes, bytes, list[bytes]]:
        """(attester, uid, keccak256 of the seal's signature, leaf hashes), as the disclosure's digest has it.

        Raises:
            FieldEncodingError: a value does not fit its type.
        """
        signature_hash = _core.keccak256(self.package.signature)
        leaves = [(leaf.type, leaf.name, leaf.value, bytes(leaf.salt)) for leaf in self.multiproof.leaves]
        return self.package.signer, self.package.uid, signature_hash, _core.leaf_hashes(leaves)

    def to_json(self) -> dict[str, Any]:
        """The record's members in the format's order."""
        data = {**parts_to_json(self), "signature": to_hex(self.signature)}
        if self.detached:
            data["detached"] = dict(self.detached)
        if self.delegation is not None:
            data["delegation"] = self.delegation.to_json()
        return data

    @classmethod
    def from_json(cls, data: Any, place: str) -> UnverifiedRecord:
        """Read one record.

        Raises:
            DisclosureFormError: malformed.
        """
        data = _object(data, _RECORD, place, optional={"detached", "delegation"})
        package, multiproof, detached = record_parts(data, place)
        try:
            signature = from_hex(data["signature"], "signature", 64)
        except AttestationError as exc:
            raise DisclosureFormError(exc.detail, exc.code, f"{place} {exc.path}".rstrip()) from exc
        place = f"{place} delegation"
        delegation = Delegation.from_json(data["delegation"], place) if "delegation" in data else None
        return cls(package, multiproof, signature, detached, delegation)


@dataclass(frozen=True, slots=True)
class UnverifiedProof:
    """A zero-knowledge proof: hash of its verification key, public inputs (32 bytes, big-endian), and its bytes."""

    key: Digest
    inputs: tuple[Digest, ...]
    proof: bytes = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """The proof's members in the format's order."""
        return {
            "key": to_hex(self.key),
            "inputs": [to_hex(word) for word in self.inputs],
            "proof": to_hex(self.proof),
        }

    @classmethod
    def from_json(cls, data: Any, place: str) -> UnverifiedProof:
        """Read one proof.

        Raises:
            DisclosureFormError: malformed.
        """
        data = _object(data, _PROOF, place)
        inputs = _list(data["inputs"], MOST_INPUTS, f"{place} inputs")
        try:
            words = tuple(digest_from(word, f"inputs[{at}]") for at, word in enumerate(inputs))
            proof = from_hex(data["proof"], "proof")
            key = digest_from(data["key"], "key")
        except AttestationError as exc:
            raise DisclosureFormError(exc.detail, path=f"{place} {exc.path}") from exc
        if len(proof) > LARGEST_PROOF:
            raise DisclosureFormError("the proof is too large", "limit_exceeded", place)
        return cls(key, words, proof)


@dataclass(frozen=True, slots=True)
class UnverifiedDisclosure:
    """What a holder shows to one verifier, as somebody gave it: with proofs, a presentation.

    `nonce` has 32 bytes, `expiry` is in Unix seconds.
    """

    audience: str
    nonce: bytes
    expiry: int
    records: tuple[UnverifiedRecord, ...]
    proofs: tuple[UnverifiedProof, ...] = ()
    binding: Binding | None = None
    """What the proofs are bound to; there is one where there are proofs, and only there."""

    def digest(self) -> Digest:
        """H("disclosure"; records, proofs): what every subject signs, with audience, nonce and expiry.

        Raises:
            FieldEncodingError: a value does not fit its type.
        """
        records = [record.as_digested() for record in self.records]
        proofs: list[tuple[bytes, list[bytes]]] = [(proof.key, list(proof.inputs)) for proof in self.proofs]
        return Digest(_core.disclosure_digest(records, proofs))

    def to_json(self) -> bytes:
        """Compact JSON, members in the format's order, without a line end."""
        members = {
            "format": FORMAT,
            "kind": KIND,
            "audience": self.audience,
            "nonce": to_hex(self.nonce),
            "expiry": self.expiry,
            "records": [record.to_json() for record in self.records],
            "proofs": [proof.to_json() for proof in self.proofs],
            **({"binding": self.binding.to_json()} if self.binding is not None else {}),
        }
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()

    def to_text(self) -> str:
        """The text form for QR codes, `CS1:…`."""
        from chartseal.disclosure import compact

        return compact.to_text(self)

    @classmethod
    def from_text(cls, text: str) -> UnverifiedDisclosure:
        """Read the text form.

        Raises:
            DisclosureFormError: no such text, `limit_exceeded`, or as `from_json`.
        """
        from chartseal.disclosure import compact

        return compact.from_text(text)

    @classmethod
    def loads(cls, text: bytes | str) -> UnverifiedDisclosure:
        """Read a disclosure from JSON text (UTF-8).

        Raises:
            DisclosureFormError: `limit_exceeded`, or not JSON, a member twice, or as `from_json`.
        """
        return cls.from_json(strict_json(text))

    @classmethod
    def from_json(cls, data: Any) -> UnverifiedDisclosure:
        """Read a parsed disclosure.

        Raises:
            DisclosureFormError: a member is missing, unknown or malformed (`disclosure_malformed`, or the code of the
                part), there are too many (`limit_exceeded`), or it is of another format (`format_unknown`).
        """
        data = _object(data, _MEMBERS, "", optional={"binding"})
        if (data["format"], data["kind"]) != (FORMAT, KIND):
            raise DisclosureFormError("not a disclosure of a format that is read here", "format_unknown", "format")
        records = _list(data["records"], MOST_RECORDS, "records")
        proofs = _list(data["proofs"], MOST_PROOFS, "proofs")
        if ("binding" in data) != bool(proofs):
            raise DisclosureFormError("a binding stands where proofs do, and only there", path="binding")
        found = cls(
            audience_from(data["audience"]),
            _nonce(data["nonce"]),
            _expiry(data["expiry"]),
            tuple(UnverifiedRecord.from_json(item, f"records[{at}]") for at, item in enumerate(records)),
            tuple(UnverifiedProof.from_json(item, f"proofs[{at}]") for at, item in enumerate(proofs)),
            Binding.from_json(data["binding"]) if proofs else None,
        )
        if sum(len(record.multiproof.leaves) for record in found.records) > MOST_LEAVES:
            raise DisclosureFormError("too many leaves are opened", "limit_exceeded", "records")
        return found


def strict_json(text: bytes | str) -> Any:
    """Parse JSON: one value, UTF-8, no member twice, no NaN.

    Raises:
        DisclosureFormError: not so, or too long.
    """
    if len(text) > LARGEST_DISCLOSURE:
        raise DisclosureFormError("the disclosure is too long", "limit_exceeded")
    try:
        return _json.loads(text)
    except ValueError as exc:
        raise DisclosureFormError("the disclosure is not JSON") from exc


def _object(data: Any, required: Set[str], place: str, optional: Set[str] = frozenset()) -> dict[str, Any]:
    if not isinstance(data, dict) or not required <= data.keys() <= required | optional:
        raise DisclosureFormError("expected an object with exactly the members that the format gives it", path=place)
    return data


def _list(data: Any, most: int, place: str) -> list[Any]:
    if not isinstance(data, list):
        raise DisclosureFormError("expected a list", path=place)
    if len(data) > most:
        raise DisclosureFormError(f"more than {most} entries", "limit_exceeded", place)
    return data


def _text(value: Any, place: str) -> str:
    """A text that is Unicode: JSON's escapes can write half a surrogate pair."""
    if not isinstance(value, str) or _HALF_PAIR.search(value):
        raise DisclosureFormError("expected a text", path=place)
    return value


def _require_field(leaf: PrivateValue, place: str) -> None:
    """A record's leaf: one of its ABI types, spelled so; EAS knows more types, records do not."""
    if leaf.type not in ABI_TYPES:
        raise DisclosureFormError("no ABI type that a field has", "type_unknown", place)
    _text(leaf.name, place)
    if leaf.type == "string":
        _text(leaf.value, place)


def _detached(data: Any, place: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(data, dict) or not data or len(data) > MOST_LEAVES:
        raise DisclosureFormError("expected an object of texts, not empty", path=f"{place} detached")
    return tuple((_text(name, place), _text(value, place)) for name, value in data.items())


def _nonce(value: Any) -> bytes:
    try:
        return from_hex(value, "nonce", 32)
    except AttestationError as exc:
        raise DisclosureFormError(exc.detail, path="nonce") from exc


def _expiry(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _ABOVE_UINT64:
        raise DisclosureFormError("expected seconds since 1970", path="expiry")
    return value
