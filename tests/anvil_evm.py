"""Anvil behind the face of `tests.evm`: precompiles at full speed, where py-evm takes seconds for a pairing.

Every account may send, without a key and for nothing. Calls, and what a transaction is asked beforehand, see the clock
`now`; transactions are mined at the chain's own, which is a little before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from chartseal.attestation import ZERO_ADDRESS, Address, Digest, address_from, from_hex, to_hex
from chartseal.chain.calls import Read, Write
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.local.devnet import CHAIN_ID
from chartseal.chain.rpc import answers
from chartseal.errors import NodeError, RevertError, SendError
from tests.chain import started
from tests.evm import START, Done, EasCalls, RevertedError, named

T = TypeVar("T")
_GAS = hex(20_000_000)
_BEFORE = 600
"""Seconds: what is mined is past at `now`, while the tests last."""


class AnvilEas(EasCalls):
    """A chain of its own with EAS; use it as a context manager."""

    chain_id = CHAIN_ID

    def __init__(self, now: int = START) -> None:
        self.now = now
        options = ("--auto-impersonate", "--gas-price", "0", "--base-fee", "0", "--timestamp", str(now - _BEFORE))
        self.running = started(*options, deploy=False)
        self.put_eas()

    def __enter__(self) -> AnvilEas:
        return self

    def __exit__(self, *_: object) -> None:
        self.running.stop()

    @contextmanager
    def undone(self) -> Iterator[None]:
        mark = self._ask("evm_snapshot")
        try:
            yield
        finally:
            self._ask("evm_revert", mark)

    def deploy(self, name: str, *arguments: Any, value: int = 0) -> Bound:
        return self.deploy_other(Contract.load(name), *arguments, value=value)

    def deploy_other(self, contract: Contract, *arguments: Any, value: int = 0) -> Bound:
        call = {"from": to_hex(named(1)), "data": to_hex(contract.deploy(*arguments).data), "value": hex(value)}
        self._before(call)
        receipt = self._mined(call)
        return contract.at(address_from(receipt["contractAddress"], "contract"))

    def balance(self, account: Address) -> int:
        return int(self._ask("eth_getBalance", to_hex(account), "latest"), 16)

    def call(self, to: Address, data: bytes, sender: Address = ZERO_ADDRESS, value: int = 0) -> Done:
        if value:
            self._ask("anvil_setBalance", to_hex(sender), hex(value))
        call = {"from": to_hex(sender), "to": to_hex(to), "data": to_hex(data), "value": hex(value)}
        output = self._before(call)
        receipt = self._mined(call)
        found = answers.receipt(receipt, Digest(from_hex(receipt["transactionHash"], "hash")))
        assert found is not None
        assert found.succeeded, "what was asked beforehand did not revert"
        return Done(output, found.logs, found.gas_used)

    def outcome(self, data: bytes, to: Address, sender: Address, gas: int) -> str:
        """Of a call with that gas limit: `done`, the reason of its revert, or empty where there is none."""
        call = {"from": to_hex(sender), "to": to_hex(to), "data": to_hex(data), "gas": hex(gas)}
        try:
            self._ask("eth_call", call, "latest", {}, {"time": hex(self.now)})
        except RevertError as error:
            return error.name
        except (SendError, NodeError):  # it ran out in the outermost call: anvil has several words for that
            return ""
        return "done"

    def read(self, read: Read[T], sender: Address = ZERO_ADDRESS) -> T:
        assert read.to is not None
        return read.decode(self._before({"from": to_hex(sender), "to": to_hex(read.to), "data": to_hex(read.data)}))

    def send(self, write: Write[Any], sender: Address, value: int = 0) -> Done:
        assert write.to is not None
        return self.call(write.to, write.data, sender, value or write.value)

    def attest(self, schema: Digest, sender: Address, data: bytes, **members: Any) -> Digest:
        """The uid is the event's: that of the call before is of another moment."""
        event = self.eas.contract.events["Attested"]
        logs = self.send(self.attestation(schema, data, **members), sender).logs
        [made] = [event.decode_log(each) for each in logs if each.topics[0] == event.topic]
        return Digest(made["uid"])

    def _before(self, call: dict[str, str]) -> bytes:
        """What a call would answer at `now`."""
        try:
            answer = self._ask("eth_call", {**call, "gas": _GAS}, "latest", {}, {"time": hex(self.now)})
        except RevertError as error:
            raise RevertedError(error.name) from error
        return from_hex(answer, "answer")

    def _mined(self, call: dict[str, str]) -> Any:
        sent = self._ask("eth_sendTransaction", {**call, "gas": _GAS, "gasPrice": "0x0"})
        for _ in range(500):
            receipt = self._ask("eth_getTransactionReceipt", sent)
            if receipt is not None:
                return receipt
            time.sleep(0.01)
        raise AssertionError("a transaction is not mined")

    def _ask(self, method: str, *params: Any) -> Any:
        return self.running.node.request(method, list(params))
