"""Private data: named, typed, salted values under one root, opened one by one with a multiproof.

In: values of any Solidity type. Out: the root to attest, the full tree's JSON to keep, multiproofs to show.
Sources: eas-sdk 2.10 private-data.ts; OpenZeppelin merkle-tree 1.0.8; EAS documentation, "Private data attestations".
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from chartseal import _core
from chartseal.attestation import abi
from chartseal.attestation.hexes import Digest, digest_from, from_hex, to_hex
from chartseal.errors import FieldEncodingError, PackageError, RootMismatchError

_LEAF_MEMBERS = {"type", "name", "value", "salt"}
_MOST_LEAVES = 100_000


@dataclass(frozen=True, slots=True)
class PrivateValue:
    """One leaf: an ABI type (hashed as spelled), a name, a value and 32 bytes of salt."""

    type: str
    name: str
    value: Any = field(repr=False)
    salt: Digest = field(repr=False)

    def leaf_hash(self) -> Digest:
        """keccak256(keccak256(abi.encode(type, name, abi.encode(value), salt))), the inner types string, string, bytes,
        bytes32. Hashing twice keeps a leaf from being read as an inner node.

        Raises:
            FieldEncodingError: the value does not fit its type.
        """
        return Digest(_core.leaf_hashes([_row(self)])[0])

    def to_json(self) -> dict[str, Any]:
        """As eas-sdk's JSON, integers as decimal text."""
        kind, _ = _route(self.type)
        value = abi.to_json(kind, abi.normalise(kind, self.value))
        return {"type": self.type, "name": self.name, "value": value, "salt": to_hex(self.salt)}

    @classmethod
    def from_json(cls, data: Any, place: str = "") -> PrivateValue:
        """Read one leaf of a proof; its salt must have 32 bytes.

        Raises:
            PackageError: not such an object.
            FieldEncodingError: the value does not fit its type.
        """
        salt = digest_from(_leaf_members(data, place)["salt"], f"{place}.salt")
        return _value_from(data, salt, place)


def _leaf_members(data: Any, place: str) -> dict[str, Any]:
    if not isinstance(data, dict) or data.keys() != _LEAF_MEMBERS:
        raise PackageError("expected an object of type, name, value and salt", path=place)
    if not isinstance(data["type"], str) or not isinstance(data["name"], str):
        raise PackageError("type and name are texts", path=place)
    return data


def _value_from(data: dict[str, Any], salt: Digest, place: str) -> PrivateValue:
    try:
        kind, _ = _route(data["type"])
        return PrivateValue(data["type"], data["name"], abi.normalise(kind, data["value"]), salt)
    except FieldEncodingError as exc:
        raise FieldEncodingError(exc.detail, code=exc.code, path=place) from exc


@lru_cache(maxsize=4_096)
def _route(spelling: str) -> tuple[abi.Kind, bool]:
    """The type, and whether the Rust core encodes it from this spelling."""
    kind = abi.parse_type(spelling)
    return kind, abi.is_scalar(kind) and spelling in {abi.type_text(kind), "uint", "int"}


def _row(item: PrivateValue) -> tuple[str, str, Any, bytes]:
    if item.type == "string" and isinstance(item.value, str):  # nearly every leaf: nothing to convert
        return item.type, item.name, item.value, item.salt
    kind, core = _route(item.type)
    value = abi.normalise(kind, item.value)
    return item.type, item.name, value if core else abi.encode(kind, value), item.salt


class PrivateData:
    """A full tree: its holder knows every value and salt.

    >>> data = PrivateData.salted([("string", "medication", "metformin 500 mg"), ("uint256", "days", 30)])
    >>> data.multiproof([0]).verify(data.root)[0].value
    'metformin 500 mg'
    """

    def __init__(self, values: Iterable[PrivateValue], *, salts_sound: bool | None = None) -> None:
        """Build the tree; `salts_sound` False keeps a mark that an import has set."""
        self.values = tuple(values)
        self._tree = _core.MerkleTree.of_values([_row(value) for value in self.values])
        self._marked = salts_sound is False

    @classmethod
    def salted(
        cls,
        values: Iterable[tuple[str, str, Any]],
        *,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> PrivateData:
        """From (type, name, value), each under a fresh random salt."""
        return cls(PrivateValue(kind, name, value, Digest(token_bytes(32))) for kind, name, value in values)

    @property
    def root(self) -> Digest:
        """What is attested."""
        return Digest(self._tree.root)

    @property
    def nodes(self) -> list[Digest]:
        """All 2n-1 nodes, the root first, leaves descending at the end."""
        return [Digest(node) for node in self._tree.nodes]

    @cached_property
    def salts_sound(self) -> bool:
        """Whether each value has a salt of its own that is not zero: else an opened leaf could give away others."""
        salts = [value.salt for value in self.values]
        return not self._marked and len(set(salts)) == len(salts) and bytes(32) not in salts

    def multiproof(self, indices: Sequence[int]) -> Multiproof:
        """Open the values at these indices.

        Raises:
            FieldEncodingError: none, one twice, one out of range (`proof_…`), or only some of a tree whose imported
                salts are short, zero or repeated (`salts_unsound`).
        """
        if not self.salts_sound and len(set(indices)) != len(self.values):
            raise FieldEncodingError("with these imported salts only all values may be opened", code="salts_unsound")
        if any(index < 0 for index in indices):
            raise FieldEncodingError("an index is out of range", code="proof_index")
        order, siblings, flags = self._tree.multiproof(indices)
        leaves = tuple(self.values[index] for index in order)
        return Multiproof(leaves, tuple(Digest(one) for one in siblings), tuple(flags))

    def to_json(self) -> dict[str, Any]:
        """eas-sdk's `getFullTree()`."""
        return {"root": to_hex(self.root), "values": [value.to_json() for value in self.values]}

    @classmethod
    def from_json(cls, data: Any) -> PrivateData:
        """Read a full tree; short salts are filled as the SDK fills them, and marked.

        Raises:
            PackageError, FieldEncodingError: malformed.
            RootMismatchError: the values do not give the root that it states.
        """
        if not isinstance(data, dict) or data.keys() != {"root", "values"} or not isinstance(data["values"], list):
            raise PackageError("expected an object of root and values")
        if len(data["values"]) > _MOST_LEAVES:
            raise PackageError("too many values")
        salts = [_imported_salt(item, f"values[{at}]") for at, item in enumerate(data["values"])]
        values = [
            _value_from(item, Digest(salt.ljust(32, b"\0")), f"values[{at}]")
            for at, (item, salt) in enumerate(zip(data["values"], salts, strict=True))
        ]
        tree = cls(values, salts_sound=all(len(salt) == 32 for salt in salts))
        if tree.root != digest_from(data["root"], "root"):
            raise RootMismatchError("the values do not give the stated root")
        return tree


def _imported_salt(data: Any, place: str) -> bytes:
    salt = from_hex(_leaf_members(data, place)["salt"], f"{place}.salt")
    if len(salt) > 32:
        raise PackageError("a salt has at most 32 bytes", path=f"{place}.salt")
    return salt


@dataclass(frozen=True, slots=True)
class Multiproof:
    """Some values of a tree, in the proof's order, and what leads from them to the root."""

    leaves: tuple[PrivateValue, ...]
    siblings: tuple[Digest, ...]
    flags: tuple[bool, ...]

    def implied_root(self) -> Digest:
        """The root that these leaves give. It proves nothing until it is compared with an attested one.

        Raises:
            FieldEncodingError: no leaf, a leaf twice, counts that do not fit, or a value that does not fit its type.
        """
        return Digest(_core.implied_root([_row(leaf) for leaf in self.leaves], self.siblings, self.flags))

    def verify(self, root: bytes) -> tuple[PrivateValue, ...]:
        """The opened values, if they are under `root` (32 bytes).

        Raises:
            RootMismatchError: they are not.
            FieldEncodingError: as `implied_root`; the SDK accepts an empty proof of the root, this does not.
        """
        if self.implied_root() != root:
            raise RootMismatchError("the opened leaves do not give the attested root")
        return self.leaves

    def to_json(self) -> dict[str, Any]:
        """eas-sdk's `generateMultiProof()`."""
        return {
            "leaves": [leaf.to_json() for leaf in self.leaves],
            "proof": [to_hex(sibling) for sibling in self.siblings],
            "proofFlags": list(self.flags),
        }

    @classmethod
    def from_json(cls, data: Any) -> Multiproof:
        """Read a proof as eas-sdk writes it.

        Raises:
            PackageError, FieldEncodingError: malformed.
        """
        if not isinstance(data, dict) or data.keys() != {"leaves", "proof", "proofFlags"}:
            raise PackageError("expected an object of leaves, proof and proofFlags")
        lists = (data["leaves"], data["proof"], data["proofFlags"])
        if any(not isinstance(items, list) or len(items) > _MOST_LEAVES for items in lists):
            raise PackageError("leaves, proof and proofFlags are lists, not over-long")
        if any(not isinstance(flag, bool) for flag in data["proofFlags"]):
            raise PackageError("a flag is true or false", path="proofFlags")
        return cls(
            tuple(PrivateValue.from_json(item, f"leaves[{at}]") for at, item in enumerate(data["leaves"])),
            tuple(digest_from(item, f"proof[{at}]") for at, item in enumerate(data["proof"])),
            tuple(data["proofFlags"]),
        )
