"""Schemas: a Solidity parameter list as text, its uid, and the data attested under it.

Flat schemas encode exactly as eas-sdk's SchemaEncoder. Its defects with arrays inside tuples and fixed arrays of tuples
(`(string a,string[] b)` becomes `string[][]`, `(uint8 a)[2]` becomes `(uint8)[]`) are not followed: here they encode as
Solidity does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chartseal import _core
from chartseal.attestation import abi
from chartseal.attestation.hexes import ZERO_ADDRESS, Address, Digest
from chartseal.errors import FieldEncodingError, SchemaError

_TOKEN = re.compile(r"\s*([(),]|\[[0-9]*\]|[A-Za-z_$][\w$]*)", re.ASCII)
_MODIFIERS = {"calldata", "memory", "storage", "payable"}
_LONGEST = 16_384
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Parameter:
    """One member: its type without names (`(string,string)[]`), its name, and both as the SDK's signature has them."""

    type: str
    name: str
    signature: str

    @property
    def kind(self) -> abi.Kind:
        """The parsed type."""
        return abi.parse_type(self.type)


@dataclass(frozen=True, slots=True)
class Schema:
    """A readable schema. Its uid hashes the text as it stands, spaces included."""

    text: str
    parameters: tuple[Parameter, ...]

    @classmethod
    def parse(cls, text: str) -> Schema:
        """Read `bytes32 patientID,uint64 dateOfTreatment` and the like; an empty text is a schema without members.

        Raises:
            SchemaError: no such list of parameters.
        """
        return cls(text, _parameters(text))

    def uid(self, resolver: Address = ZERO_ADDRESS, revocable: bool = True) -> Digest:
        """The schema's uid under that resolver."""
        return schema_uid(self.text, resolver, revocable)

    def encode(self, values: Sequence[Any]) -> bytes:
        """The data of an attestation. A text for bytes32 that is not hex is taken as up to 31 bytes of UTF-8.

        Raises:
            SchemaError: too many or too few values.
            FieldEncodingError: a value does not fit its type.
        """
        if len(values) != len(self.parameters):
            raise SchemaError("the schema has another number of members", code="schema_data")
        kinds = [parameter.kind for parameter in self.parameters]
        fitted = [_fitted(parameter, value) for parameter, value in zip(self.parameters, values, strict=True)]
        return abi.encode_all(kinds, fitted)

    def decode(self, data: bytes) -> list[Any]:
        """The values of an attestation's data: int, bool, str, bytes (addresses too), lists, tuples.

        Raises:
            FieldEncodingError: the data is not what `encode` gives for some values.
        """
        return abi.decode_all([parameter.kind for parameter in self.parameters], data)

    def to_json(self, values: Sequence[Any]) -> list[dict[str, Any]]:
        """Decoded values as items of name, type and value; integers as decimal text."""
        return [
            {"name": item.name, "type": item.type, "value": abi.to_json(item.kind, value)}
            for item, value in zip(self.parameters, values, strict=True)
        ]


def schema_uid(text: str, resolver: Address = ZERO_ADDRESS, revocable: bool = True) -> Digest:
    """keccak256 of schema text, resolver and revocable, packed, as the SchemaRegistry computes it."""
    return Digest(_core.keccak256(text.encode() + resolver + bytes([revocable])))


def _fitted(parameter: Parameter, value: Any) -> Any:
    if parameter.type == "bytes32" and isinstance(value, str) and not value.startswith("0x"):
        encoded = value.encode()
        if len(encoded) > 31:
            raise FieldEncodingError("a text in bytes32 has at most 31 bytes", path=parameter.name)
        return encoded.ljust(32, b"\0")
    try:
        return abi.normalise(parameter.kind, value)
    except FieldEncodingError as exc:
        raise FieldEncodingError(exc.detail, code=exc.code, path=parameter.name) from exc


@lru_cache(maxsize=1_024)
def _parameters(text: str) -> tuple[Parameter, ...]:
    if len(text) > _LONGEST:
        raise SchemaError("the schema is too long")
    tokens = _Tokens(text)
    parameters = tuple(tokens.parameters()) if tokens.here else ()
    if tokens.here:
        raise SchemaError("the schema has more after its last member")
    for parameter in parameters:
        _ = parameter.kind
    return parameters


class _Tokens:
    """Reads parameters from tokens, one token ahead."""

    def __init__(self, text: str) -> None:
        self._rest = self._split(text)
        self._depth = 0
        self.here = next(self._rest, "")

    @staticmethod
    def _split(text: str) -> Iterator[str]:
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if not found:
                raise SchemaError("the schema has a character that no type or name has")
            yield found[1]
            at = found.end()

    def _take(self) -> str:
        taken, self.here = self.here, next(self._rest, "")
        return taken

    def parameters(self) -> list[Parameter]:
        """One or more, up to the end or a closing parenthesis."""
        found = [self._parameter()]
        while self.here == ",":
            self._take()
            found.append(self._parameter())
        return found

    def _parameter(self) -> Parameter:
        kind, named = self._type()
        while self.here.startswith("["):
            suffix = self._take()
            kind, named = kind + suffix, named + suffix
        while self.here in _MODIFIERS:
            if self._take() == "payable" and kind != "address":
                raise SchemaError("only an address is payable")
        name = self._take() if self.here.isidentifier() or "$" in self.here else ""
        if name == "indexed":
            raise SchemaError("a schema's member is never indexed")
        return Parameter(kind, name, f"{named} {name}" if name else named)

    def _type(self) -> tuple[str, str]:
        if self.here == "tuple":
            self._take()
        if self.here != "(":
            return self._plain()
        self._take()
        self._depth += 1
        inner = self.parameters() if self._depth <= _DEEPEST else []
        if self._take() != ")":
            raise SchemaError("a tuple is not closed, or nested too deep")
        self._depth -= 1
        return f"({','.join(item.type for item in inner)})", f"({','.join(item.signature for item in inner)})"

    def _plain(self) -> tuple[str, str]:
        token = {"ipfsHash": "bytes32"}.get(self.here, self.here)
        self._take()
        try:
            kind = abi.canonical(token)
            abi.parse_type(kind)
        except FieldEncodingError as exc:
            raise SchemaError("the schema has a type that does not exist") from exc
        return kind, kind
