"""A contract's ABI as functions from arguments to calls: nothing here talks to a chain.

eas = Contract.load("eas").at(deployment.eas)
node.read(eas.read("getTimestamp", root))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.abi import collapse_if_tuple

from chartseal import _core, _json
from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Log, Read, Receipt, Write
from chartseal.errors import FieldEncodingError, NodeError


@dataclass(frozen=True)
class Item:
    """One function, event or error of an ABI, as it is encoded."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    indexed: tuple[bool, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        """Name and types, as they are hashed."""
        return f"{self.name}({','.join(self.inputs)})"

    @cached_property
    def topic(self) -> Digest:
        """keccak256 of the signature: an event's first topic."""
        return Digest(_core.keccak256(self.signature.encode()))

    @property
    def selector(self) -> bytes:
        """The first four bytes of it: a function or an error."""
        return self.topic[:4]

    def encode(self, arguments: Sequence[Any]) -> bytes:
        """Call data.

        Raises:
            FieldEncodingError: the arguments do not fit.
        """
        try:
            return self.selector + abi_encode(self.inputs, arguments)
        except (EncodingError, TypeError, ValueError, OverflowError) as exc:
            raise FieldEncodingError("arguments do not fit the function", path=self.name) from exc

    def decode_result(self, data: bytes) -> tuple[Any, ...]:
        """What a call of it returned.

        Raises:
            NodeError: `node_malformed`; no contract of that kind answers so.
        """
        return _decode(self.outputs, data, self.name)

    def decode_arguments(self, data: bytes) -> tuple[Any, ...]:
        """What it was called, or reverted, with; `data` is without the selector.

        Raises:
            NodeError: `node_malformed`.
        """
        return _decode(self.inputs, data, self.name)

    def decode_log(self, log: Log) -> dict[str, Any]:
        """The event's arguments by name; indexed ones of dynamic types as their hash.

        Raises:
            NodeError: `node_malformed`.
        """
        topics, kinds = iter(log.topics[1:]), zip(self.names, self.inputs, self.indexed, strict=True)
        plain = [kind for kind, indexed in zip(self.inputs, self.indexed, strict=True) if not indexed]
        if not log.topics or log.topics[0] != self.topic or len(log.topics) - 1 != sum(self.indexed):
            raise NodeError("a log is not of the event that it was asked for", "node_malformed", self.name)
        values = iter(_decode(plain, log.data, self.name))
        return {
            name: _decode([kind], next(topics), self.name)[0] if indexed else next(values)
            for name, kind, indexed in kinds
        }


def _decode(kinds: Sequence[str], data: bytes, name: str) -> tuple[Any, ...]:
    try:
        return tuple(_plain(kind, value) for kind, value in zip(kinds, abi_decode(kinds, data), strict=True))
    except (DecodingError, ValueError, OverflowError) as exc:
        raise NodeError("the answer does not fit the contract's ABI", "node_malformed", name) from exc


def _plain(kind: str, value: Any) -> Any:
    """Addresses as 20 bytes, also within tuples and lists."""
    if kind == "address":
        return Address(bytes.fromhex(value[2:]))
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return tuple(_plain(inner, each) for each in value)
    if kind.startswith("("):
        return tuple(_plain(each, part) for each, part in zip(_parts(kind), value, strict=True))
    return value


@lru_cache(maxsize=256)
def _parts(kind: str) -> tuple[str, ...]:
    """Types inside a tuple's parentheses."""
    depth, start, found = 0, 1, []
    for at, char in enumerate(kind):
        depth += (char == "(") - (char == ")")
        if (char == "," and depth == 1) or (char == ")" and depth == 0):
            found.append(kind[start:at])
            start = at + 1
    return tuple(found)


@dataclass(frozen=True)
class Contract:
    """An ABI, with creation code where it is known."""

    functions: Mapping[str, Item]
    events: Mapping[str, Item]
    errors: Mapping[bytes, Item]
    """By selector."""
    constructor: tuple[str, ...] = ()
    bytecode: bytes = field(default=b"", repr=False)

    @classmethod
    def load(cls, name: str) -> Contract:
        """A contract that comes with the package: `eas`, `schema_registry`, `eip712_proxy`, and our own."""
        return _load(name)

    @classmethod
    def of_abi(cls, abi: Sequence[Mapping[str, Any]], bytecode: bytes = b"") -> Contract:
        """From a JSON ABI; of overloaded functions the first stands."""
        functions: dict[str, Item] = {}
        events: dict[str, Item] = {}
        errors: dict[bytes, Item] = {}
        constructor: tuple[str, ...] = ()
        for entry in abi:
            kind = entry.get("type", "function")
            inputs = tuple(collapse_if_tuple(dict(each)) for each in entry.get("inputs", ()))
            if kind == "constructor":
                constructor = inputs
            elif kind == "function":
                outputs = tuple(collapse_if_tuple(dict(each)) for each in entry["outputs"])
                functions.setdefault(entry["name"], Item(entry["name"], inputs, outputs))
            elif kind == "event":
                indexed = tuple(each["indexed"] for each in entry["inputs"])
                names = tuple(each["name"] for each in entry["inputs"])
                events[entry["name"]] = Item(entry["name"], inputs, indexed=indexed, names=names)
            elif kind == "error":
                item = Item(entry["name"], inputs)
                errors[item.selector] = item
        return cls(functions, events, errors, constructor, bytecode)

    def at(self, address: Address) -> Bound:
        """The contract that is deployed there."""
        return Bound(self, address)

    def deploy(self, *arguments: Any) -> Write[Address]:
        """The transaction that deploys one.

        Raises:
            FieldEncodingError: the arguments do not fit the constructor.
        """
        try:
            data = self.bytecode + abi_encode(self.constructor, arguments)
        except (EncodingError, TypeError, ValueError) as exc:
            raise FieldEncodingError("arguments do not fit the constructor") from exc
        return Write(None, data, _deployed)


def _deployed(receipt: Receipt) -> Address:
    if receipt.contract is None:
        raise NodeError("a receipt of a deployment names no contract", "node_malformed")
    return receipt.contract


@lru_cache(maxsize=32)
def _load(name: str) -> Contract:
    text = resources.files("chartseal.chain").joinpath("artifacts", f"{name}.json").read_bytes()
    artifact = _json.loads(text)
    return Contract.of_abi(artifact["abi"], bytes.fromhex(artifact["bytecode"][2:]))


@dataclass(frozen=True)
class Bound:
    """A contract at an address."""

    contract: Contract
    address: Address

    def read(self, name: str, *arguments: Any) -> Read[Any]:
        """A view: its one result, or the tuple of several."""
        item = self.contract.functions[name]

        def decode(data: bytes) -> Any:
            values = item.decode_result(data)
            return values[0] if len(values) == 1 else values

        return Read(self.address, item.encode(arguments), decode)

    def write(self, name: str, *arguments: Any, value: int = 0) -> Write[Receipt]:
        """A transaction whose receipt is its result."""
        return Write(self.address, self.contract.functions[name].encode(arguments), lambda receipt: receipt, value)

    def events_in(self, receipt: Receipt, name: str) -> list[dict[str, Any]]:
        """Arguments of the events of that name that this contract emitted in a transaction, in their order."""
        event = self.contract.events[name]
        return [
            event.decode_log(log)
            for log in receipt.logs
            if log.address == self.address and log.topics and log.topics[0] == event.topic
        ]
