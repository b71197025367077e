"""An EVM in this process (titanoboa's) with EAS and our contracts in it, asked by the same calls as a chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

import boa  # type: ignore[import-untyped]  # it has no types
import pytest
from eth_abi.abi import decode, encode

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from chartseal.chain.calls import Log, Read, Write
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.schemas import ChainSchema

T = TypeVar("T")
START = 1_800_000_000
"""Unix seconds at which the clock stands."""


class RevertedError(Exception):
    """A call reverted; `reason` is its text, EAS's error's name, or empty."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Done(NamedTuple):
    """What a transaction did."""

    output: bytes
    logs: tuple[Log, ...]
    gas: int
    """Without the transaction's own 21,000 and its call data."""


def named(number: int) -> Address:
    """An account."""
    return Address(number.to_bytes(20, "big"))


def hexed(address: Address) -> str:
    return "0x" + address.hex()


class Evm:
    """One chain; each has its own state and clock."""

    chain_id = 1

    def __init__(self) -> None:
        self._env = boa.Env()
        self.now = START

    @property
    def now(self) -> int:
        return int(self._env.timestamp)

    @now.setter
    def now(self, seconds: int) -> None:
        self._env.timestamp = seconds

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What happens inside has not happened afterwards."""
        with self._env.anchor():
            yield

    def cool(self) -> None:
        """Make the next call as dear as a transaction of its own, to which nothing is warm; never inside `undone`."""
        self._env.evm.reset_access_counters()

    def balance(self, account: Address) -> int:
        """In wei."""
        return int(self._env.get_balance(hexed(account)))

    def deploy(self, name: str, *arguments: Any, value: int = 0) -> Bound:
        """One of the contracts that come with the package."""
        return self.deploy_other(Contract.load(name), *arguments, value=value)

    def deploy_other(self, contract: Contract, *arguments: Any, value: int = 0) -> Bound:
        sender = named(1)
        self._env.set_balance(hexed(sender), value)
        address = self._env.generate_address()
        computation = self._env.evm.deploy_code(
            sender=boa.util.abi.Address(hexed(sender)),
            origin=boa.util.abi.Address(hexed(sender)),
            target_address=address,
            gas=None,
            value=value,
            bytecode=contract.deploy(*arguments).data,
            gas_price=0,
        )
        _raise(computation)
        return contract.at(Address(bytes.fromhex(str(address)[2:])))

    def call(self, to: Address, data: bytes, sender: Address = ZERO_ADDRESS, value: int = 0) -> Done:
        if value:
            self._env.set_balance(hexed(sender), value)
        computation = self._env.execute_code(to_address=hexed(to), sender=hexed(sender), data=data, value=value)
        _raise(computation)
        logs = tuple(_log(at, *entry[1:]) for at, entry in enumerate(computation.get_raw_log_entries()))
        return Done(bytes(computation.output), logs, int(computation.get_gas_used()))

    def read(self, read: Read[T], sender: Address = ZERO_ADDRESS) -> T:
        assert read.to is not None
        return read.decode(self.call(read.to, read.data, sender).output)

    def send(self, write: Write[Any], sender: Address, value: int = 0) -> Done:
        assert write.to is not None
        return self.call(write.to, write.data, sender, value)


def _raise(computation: Any) -> None:
    if not computation.is_error:
        return
    output = bytes(computation.output)
    if output[:4] == bytes.fromhex("08c379a0"):
        raise RevertedError(decode(["string"], output[4:])[0])
    known = Contract.load("eas").errors.get(output[:4])
    raise RevertedError(known.name if known else output.hex())


def _log(index: int, address: bytes, topics: Sequence[int], data: bytes) -> Log:
    words = tuple(Digest(topic.to_bytes(32, "big")) for topic in topics)
    return Log(Address(bytes(address)), words, bytes(data), 0, ZERO_DIGEST, ZERO_DIGEST, index)


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """The call inside reverts with that reason."""
    with pytest.raises(RevertedError) as caught:
        yield
    assert caught.value.reason == reason


class Calls(Protocol):
    """What an EVM does, wherever it runs."""

    def deploy(self, name: str, *arguments: Any, value: int = 0) -> Bound: ...
    def send(self, write: Write[Any], sender: Address, value: int = 0) -> Done: ...


class EasCalls(Calls):
    """What is done with SchemaRegistry and EAS on it."""

    registry: Bound
    eas: Bound

    def put_eas(self) -> None:
        self.registry = self.deploy("schema_registry")
        self.eas = self.deploy("eas", self.registry.address)

    def register(self, schema: ChainSchema, resolver: Address = ZERO_ADDRESS) -> Digest:
        write = self.registry.write("register", schema.text, resolver, schema.revocable)
        return Digest(self.send(write, named(1)).output)

    def attest(self, schema: Digest, sender: Address, data: bytes, **members: Any) -> Digest:
        """The uid of one attestation."""
        return Digest(self.send(self.attestation(schema, data, **members), sender).output)

    def attestation(self, schema: Digest, data: bytes, **members: Any) -> Write[Any]:
        return self.eas.write("attest", (schema, request(data, **members)), value=members.get("value", 0))

    def attest_many(self, schema: Digest, sender: Address, requests: Sequence[tuple[Any, ...]]) -> list[Digest]:
        done = self.send(self.eas.write("multiAttest", [(schema, requests)]), sender)
        return [Digest(uid) for uid in decode(["bytes32[]"], done.output)[0]]

    def revoke(self, schema: Digest, sender: Address, *uids: Digest) -> Done:
        if len(uids) == 1:
            return self.send(self.eas.write("revoke", (schema, (uids[0], 0))), sender)
        return self.send(self.eas.write("multiRevoke", [(schema, [(uid, 0) for uid in uids])]), sender)


class Eas(Evm, EasCalls):
    """An EVM with SchemaRegistry and EAS."""

    def __init__(self) -> None:
        super().__init__()
        self.put_eas()


def request(
    data: bytes,
    *,
    recipient: Address = ZERO_ADDRESS,
    expiration: int = 0,
    revocable: bool = True,
    ref: Digest = ZERO_DIGEST,
    value: int = 0,
) -> tuple[Any, ...]:
    """EAS's AttestationRequestData."""
    return recipient, expiration, revocable, ref, data, value


def accreditation(
    *,
    name: str = "Test pharmacy",
    roles: int = 4,
    key: bytes = ZERO_DIGEST,
    possession: bytes = b"",
    endpoint: str = "https://pharmacy.example",
    valid_from: int = 0,
    predecessor: Address = ZERO_ADDRESS,
) -> bytes:
    """Data of an accreditation."""
    kinds = ["string", "uint256", "bytes32", "bytes", "bytes32", "string", "uint64", "address"]
    return encode(kinds, [name, roles, key, possession, ZERO_DIGEST, endpoint, valid_from, predecessor])


def withdrawal(uid: Digest, since: int = 0, cause: int = 0) -> bytes:
    """Data of a withdrawal."""
    return encode(["bytes32", "uint64", "uint8"], [uid, since, cause])


def trust_root(epoch: int, role: int, root: bytes) -> bytes:
    """Data of a trust root."""
    return encode(["uint32", "uint8", "bytes32"], [epoch, role, root])
