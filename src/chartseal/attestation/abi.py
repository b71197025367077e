"""Any Solidity type's values: from JSON or Python to what is hashed, and back to JSON.

Scalar types are encoded by the Rust core, arrays and tuples by eth-abi. A spelling is hashed as it is given; names
inside (`(string system,string code)[]`), the word `tuple` and `uint` for `uint256` change the spelling alone.
Source: ethers 6 `ParamType.from` and `AbiCoder`, which eas-sdk 2.10 calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias, cast

from eth_abi import abi as eth_abi
from eth_abi import grammar
from eth_abi.exceptions import ABITypeError, DecodingError, EncodingError, ParseError

from chartseal.attestation.hexes import address_from, checksum_address, from_hex, to_hex
from chartseal.errors import FieldEncodingError, PackageError

Kind: TypeAlias = grammar.BasicType | grammar.TupleType
"""A parsed type: a scalar or a tuple, or arrays of either."""

_NAME_AFTER_TYPE = re.compile(r"(?<=[\w\])]) +[A-Za-z_$][\w$]*(?=[,)]|$)", re.ASCII)
_TUPLE_WORD = re.compile(r"\btuple(?=\()", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_HEX_INTEGER = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)
_LONGEST_TYPE = 4_096
_DEEPEST_TYPE = 32


@lru_cache(maxsize=4_096)
def parse_type(spelling: str) -> Kind:
    """Read one type as ethers does.

    Raises:
        FieldEncodingError: no such type.
    """
    bare = _NAME_AFTER_TYPE.sub("", _TUPLE_WORD.sub("", spelling.lstrip(" "))).replace(", ", ",")
    if len(bare) > _LONGEST_TYPE or bare.count("(") + bare.count("[") > _DEEPEST_TYPE:
        raise FieldEncodingError("the ABI type is too long or too deep", code="abi_type")
    try:
        parsed = cast(Kind, grammar.parse(canonical(bare)))
        parsed.validate()  # type: ignore[no-untyped-call]  # eth-abi leaves it untyped
    except (ABITypeError, ParseError, RecursionError) as exc:
        raise FieldEncodingError("no such ABI type", code="abi_type") from exc
    if not _is_known(parsed):
        raise FieldEncodingError("no such ABI type", code="abi_type")
    return parsed


def _is_known(kind: Kind) -> bool:
    """Whether it is made of types that there are: eth-abi's grammar takes any word, and fails when it encodes."""
    if isinstance(kind, grammar.TupleType):
        return all(_is_known(part) for part in kind.components)
    return kind.base in {"uint", "int", "bool", "string", "bytes", "address"}


def canonical(spelling: str) -> str:
    """`uint` and `int` spelled with their 256 bits."""
    return str(grammar.normalize(spelling))  # type: ignore[no-untyped-call]  # eth-abi leaves it untyped


def type_text(kind: Kind) -> str:
    """The type as Solidity's function selectors spell it: no names, no `tuple`."""
    return str(kind.to_type_str())  # type: ignore[no-untyped-call]  # eth-abi leaves it untyped


def _item(kind: Kind) -> Kind:
    return cast(Kind, kind.item_type)


def is_scalar(kind: Kind) -> bool:
    """Neither an array nor a tuple."""
    return not kind.is_array and isinstance(kind, grammar.BasicType)


def normalise(kind: Kind, value: Any) -> Any:
    """Bring a value, from JSON or from Python, into the one form that is encoded.

    Integers come as int, decimal text or 0x text; bytes and addresses as bytes or 0x text; arrays and tuples as lists.
    A text never becomes a bool (in eas-sdk "false" is true), nor a float an integer.

    Raises:
        FieldEncodingError: the value is not of that kind.
    """
    if kind.is_array:
        return [normalise(_item(kind), item) for item in _sequence(value, kind.arrlist[-1])]
    if isinstance(kind, grammar.TupleType):
        items = _sequence(value, [len(kind.components)])
        return tuple(normalise(part, item) for part, item in zip(kind.components, items, strict=True))
    return _scalar(kind.base, value)


def _sequence(value: Any, size: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple) or (size and len(value) != size[0]):
        raise FieldEncodingError("expected a list, of the length that its ABI type gives")
    return value


def _scalar(base: str, value: Any) -> Any:
    if base == "string" and isinstance(value, str):
        return value
    if base == "bool" and isinstance(value, bool):
        return value
    if base in {"uint", "int"}:
        return _integer(value)
    if base in {"bytes", "address"}:
        return _bytes(base, value)
    raise FieldEncodingError("the value does not fit its ABI type")


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= 80:
        if _DECIMAL.fullmatch(value):
            return int(value)
        if _HEX_INTEGER.fullmatch(value):
            return int(value, 16)
    raise FieldEncodingError("expected an integer")


def _bytes(base: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return address_from(value, "") if base == "address" else from_hex(value, "")
    except PackageError as exc:
        raise FieldEncodingError("the value does not fit its ABI type") from exc


def encode(kind: Kind, value: Any) -> bytes:
    """`abi.encode([kind], [value])` of a normalised value.

    Raises:
        FieldEncodingError: the value does not fit its type.
    """
    return encode_all([kind], [value])


def encode_all(kinds: Sequence[Kind], values: Sequence[Any]) -> bytes:
    """`abi.encode(kinds, values)` of normalised values.

    Raises:
        FieldEncodingError: a value does not fit its type.
    """
    try:
        fitted = [_for_eth_abi(kind, value) for kind, value in zip(kinds, values, strict=True)]
        return eth_abi.encode([type_text(kind) for kind in kinds], fitted)
    except (EncodingError, UnicodeEncodeError) as exc:
        raise FieldEncodingError("the value does not fit its ABI type") from exc


def decode_all(kinds: Sequence[Kind], data: bytes) -> list[Any]:
    """The values of `abi.encode(kinds, values)`; trailing bytes and any other encoding of the values are refused.

    Raises:
        FieldEncodingError: the bytes are not the values' only encoding.
    """
    try:
        decoded = eth_abi.decode([type_text(kind) for kind in kinds], data)
    except (DecodingError, UnicodeDecodeError, OverflowError, RecursionError, MemoryError) as exc:
        raise FieldEncodingError("the data does not fit its ABI types", code="abi_data") from exc
    values = [_from_eth_abi(kind, value) for kind, value in zip(kinds, decoded, strict=True)]
    if encode_all(kinds, values) != data:
        raise FieldEncodingError("the data is not encoded as abi.encode does", code="abi_data")
    return values


def to_json(kind: Kind, value: Any) -> Any:
    """A normalised value as eas-sdk's JSON: integers as decimal text, bytes as hex, addresses with checksum."""
    if kind.is_array:
        return [to_json(_item(kind), item) for item in value]
    if isinstance(kind, grammar.TupleType):
        return [to_json(part, item) for part, item in zip(kind.components, value, strict=True)]
    if kind.base in {"uint", "int"}:
        return str(value)
    if kind.base == "address":
        return checksum_address(value)
    return to_hex(value) if kind.base == "bytes" else value


def _for_eth_abi(kind: Kind, value: Any) -> Any:
    """eth-abi pads short bytesN silently and takes addresses of any length: exact lengths only."""
    if kind.is_array:
        return [_for_eth_abi(_item(kind), item) for item in value]
    if isinstance(kind, grammar.TupleType):
        return tuple(_for_eth_abi(part, item) for part, item in zip(kind.components, value, strict=True))
    size = 20 if kind.base == "address" else kind.sub if kind.base == "bytes" else None
    if size is not None and len(value) != size:
        raise FieldEncodingError("the value does not fit its ABI type")
    return value


def _from_eth_abi(kind: Kind, value: Any) -> Any:
    if kind.is_array:
        return [_from_eth_abi(_item(kind), item) for item in value]
    if isinstance(kind, grammar.TupleType):
        return tuple(_from_eth_abi(part, item) for part, item in zip(kind.components, value, strict=True))
    return bytes.fromhex(value[2:]) if kind.base == "address" else value
