"""How writes become mined transactions of one key: nonces, refusals, replacement, and proof of what took a nonce.

A write is never sent under a second nonce unless its first is known to be another's: a node refused it outright, or
the chain holds a transaction of the same account and nonce that is none of ours. Each method is a talk
(`chartseal.chain.rpc.exchange`); Sender and AsyncSender carry them and hold the account's lock while they broadcast.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chartseal.attestation import Digest, Signer, to_hex
from chartseal.chain.calls import Block, Receipt, Write
from chartseal.chain.rpc import answers
from chartseal.chain.rpc.dialogue import Dialogue, block_query, receipt_query
from chartseal.chain.rpc.exchange import Pause, Talk
from chartseal.chain.rpc.jsonrpc import PASSING, Query
from chartseal.chain.sending import fees
from chartseal.chain.sending.fees import FeePolicy, Fees, GasPolicy
from chartseal.chain.sending.transactions import Transaction, transaction_hash
from chartseal.errors import ChainError, NodeError, RevertError, SendError

_FILLER_GAS = 21_000
_CONTENDED = frozenset({"nonce_too_low", "replacement_underpriced", "tx_known"})
"""Refusals of a transaction that was never sent before: another worker of the key was faster."""
_MOST_ROUNDS = 60
"""Nonces that are tried for one write against other workers."""
_LONGEST_ROUND = 0.5
_LONGEST_POLL = 1.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """How long one waits, in seconds, and how much is sent at once."""

    patience: float = 60
    """Until a transaction that is not mined is replaced with higher fees."""
    timeout: float = 900
    """Until one gives up on it: it may still be mined."""
    window: int = 100
    """Transactions of one key that may be under way at once: nodes drop what is far ahead of the chain."""
    confirmations: int = 0
    """Blocks that must follow the one that it is mined in."""


@dataclass(eq=False)
class Draft:
    """One write on its way."""

    write: Write[Any]
    gas: int
    fees: Fees
    start: int
    """A block that was mined before any transaction of it was made."""
    nonce: int | None = None
    raws: dict[Digest, bytes] = field(default_factory=dict, repr=False)
    """All that was ever broadcast for it under its nonce, the newest last."""
    sent_at: float = 0.0
    """When that was, by the monotonic clock."""
    unanswered: bool = False
    """No answer came to the newest of them yet."""
    doubtful: bool = False
    """A node may have taken one of them although its answer was lost."""
    overtaken: bool = False
    """The account has been seen to have used the nonce."""
    receipt: Receipt | None = None
    error: ChainError | None = None

    @property
    def open(self) -> bool:
        """Whether it is neither mined nor given up."""
        return self.receipt is None and self.error is None


@dataclass
class Outbox:
    """The transactions of one key on one chain."""

    dialogue: Dialogue
    signer: Signer
    fee_policy: FeePolicy
    gas_policy: GasPolicy
    policy: SendPolicy
    outstanding: set[int] = field(default_factory=set)
    """Nonces that this process waits for. Shared by all outboxes of the key, changed under its lock."""

    def drafts(self, writes: Sequence[Write[Any]], gas: Sequence[int | None]) -> Talk[list[Draft]]:
        """Estimate what has no gas given, and fees, in one batch. Nothing is sent yet.

        Raises:
            RevertError: for the first write that a contract refuses.
            SendError: `fees_over_cap`, `gas_over_cap`, `funds_short`.
            NodeError: as the node.
        """
        estimated = [write for write, given in zip(writes, gas, strict=True) if given is None]
        asked = fees.queries(self.fee_policy)
        outcomes = yield from self.dialogue.outcomes([*asked, *(self._estimate(write) for write in estimated)])
        offered = fees.offered(outcomes[: len(asked)], self.fee_policy)
        head: Block = outcomes[0]
        estimates = iter(outcomes[len(asked) :])
        found = []
        for at, (write, given) in enumerate(zip(writes, gas, strict=True)):
            estimate = next(estimates) if given is None else given
            if isinstance(estimate, ChainError):
                raise _placed(estimate, at) if len(writes) > 1 else estimate
            limit = self.gas_policy.limit(estimate, head) if given is None else given
            found.append(Draft(write, limit, offered, head.number))
        return found

    def _estimate(self, write: Write[Any]) -> Query:
        return Query("eth_estimateGas", [self._call(write)], lambda result: answers.number(result, "eth_estimateGas"))

    def _call(self, write: Write[Any]) -> dict[str, str]:
        to = {"to": to_hex(write.to)} if write.to else {}
        return {**to, "from": to_hex(self.signer.address), "data": to_hex(write.data), "value": hex(write.value)}

    def broadcast(self, drafts: Sequence[Draft]) -> Talk[None]:
        """Give each the next nonce and send it; the account's lock is held.

        What the node refuses for good gets its error; if later ones are under way, a transaction to oneself takes the
        nonce. An answer that is lost leaves its transaction under way: `watch` finds out.
        """
        todo = list(drafts)
        for attempt in range(_MOST_ROUNDS):
            try:
                nonce = yield from self._next_nonce()
            except NodeError as error:
                _give_up(todo, error)
                return
            todo = yield from self._send_from(nonce, todo)
            if not todo:
                return
            yield Pause(min(0.01 * 2 ** min(attempt, 8), _LONGEST_ROUND))
        _give_up(todo, SendError("other workers of the key take every nonce", "nonce_contended"))

    def _send_from(self, nonce: int, drafts: Sequence[Draft]) -> Talk[list[Draft]]:
        """Send under ascending nonces; those of which another worker took the nonce come back."""
        for at, draft in enumerate(drafts):
            self._sign(draft, nonce + at)
        outcomes = yield from self.dialogue.once_each([_send(draft) for draft in drafts])
        taken = [draft for draft, outcome in zip(drafts, outcomes, strict=True) if not _refused(outcome)]
        self.outstanding |= {draft.nonce for draft in taken if draft.nonce is not None}
        return (yield from self._sort(drafts, outcomes))

    def _sort(self, drafts: Sequence[Draft], outcomes: Sequence[Any]) -> Talk[list[Draft]]:
        """Take note of what the node said; those whose nonce another worker took come back, ready to be sent anew."""
        contended, failed = [], []
        for draft, outcome in zip(drafts, outcomes, strict=True):
            draft.unanswered = isinstance(outcome, NodeError) and not _refused(outcome)
            draft.doubtful |= draft.unanswered and outcome.code != "node_limited"  # a limit holds before all else
            if not _refused(outcome) or draft.doubtful:
                continue
            draft.raws.clear()
            if outcome.code in _CONTENDED:
                contended.append(draft)
            else:
                draft.error = outcome
                failed.append(draft)
        yield from self._fill(failed)
        return contended

    def _next_nonce(self) -> Talk[int]:
        query = Query("eth_getTransactionCount", [to_hex(self.signer.address), "pending"], _count)
        nonce: int = (yield from self.dialogue.ask([query]))[0]
        # A node behind a balancer may not have seen yet what this process sent.
        return max(nonce, max(self.outstanding, default=-1) + 1)

    def _sign(self, draft: Draft, nonce: int) -> None:
        """Make the transaction; its hash is kept before it is sent."""
        draft.nonce = nonce
        raw = self._transaction(draft.write, nonce, draft.gas, draft.fees).signed(self.signer)
        draft.raws[transaction_hash(raw)] = raw
        draft.sent_at = time.monotonic()

    def _transaction(self, write: Write[Any], nonce: int, gas: int, offered: Fees) -> Transaction:
        chain_id = self.dialogue.chain_id or 0
        return Transaction(chain_id, nonce, offered, gas, write.to, write.value, write.data)

    def _fill(self, failed: Sequence[Draft]) -> Talk[None]:
        """Take the nonces of refused transactions, so that later ones can be mined."""
        last = max(self.outstanding, default=-1)
        holes = [draft for draft in failed if draft.nonce is not None and draft.nonce < last]
        write: Write[Any] = Write(self.signer.address, b"", lambda receipt: receipt)
        made = [self._transaction(write, each.nonce or 0, _FILLER_GAS, each.fees).signed(self.signer) for each in holes]
        outcomes = yield from self.dialogue.once_each([_raw(raw) for raw in made])
        for draft, outcome in zip(holes, outcomes, strict=True):
            if isinstance(outcome, ChainError) and outcome.code not in _CONTENDED:
                draft.error = SendError("a refused transaction leaves a gap that cannot be filled", "nonce_gap")

    def watch(self, drafts: Sequence[Draft]) -> Talk[list[Draft]]:
        """Wait until all are mined, refused or given up; or return those that lost their nonce and need another."""
        end, pause = time.monotonic() + self.policy.timeout, 0.01
        while True:
            try:
                lost = yield from self._look([draft for draft in drafts if draft.error is None])
            except NodeError as error:
                if error.code not in PASSING:
                    raise
                lost = []  # what is under way stays so, whatever the node's state
            lost += yield from self._repeat([draft for draft in drafts if draft.open and draft.unanswered])
            waiting = [draft for draft in drafts if draft.open]
            if lost or not waiting:
                return lost
            if time.monotonic() > end:
                _give_up(waiting, SendError("the transaction is not mined in time; it may still be", "not_mined"))
                return []
            yield from self._hasten([each for each in waiting if self._overdue(each)])
            yield Pause(pause)
            pause = min(pause * 1.5, _LONGEST_POLL)

    def _overdue(self, draft: Draft) -> bool:
        return time.monotonic() > draft.sent_at + self.policy.patience

    def _look(self, drafts: Sequence[Draft]) -> Talk[list[Draft]]:
        """Read receipts of all hashes of all; those that lost their nonce come back without one."""
        asked = [(draft, each) for draft in drafts if draft.receipt is None for each in draft.raws]
        me = to_hex(self.signer.address)
        count = Query("eth_getTransactionCount", [me, "latest"], _count)
        used, *receipts = yield from self.dialogue.ask([count, *(receipt_query(each) for _, each in asked)])
        for (draft, _), receipt in zip(asked, receipts, strict=True):
            draft.receipt = draft.receipt or receipt
        young = yield from self._confirm([draft for draft in drafts if draft.receipt is not None])
        return (yield from self._lost([draft for draft in drafts if draft.open and draft not in young], used))

    def _lost(self, drafts: Sequence[Draft], used: int) -> Talk[list[Draft]]:
        """Those whose nonce is used, without a receipt after that was seen, by another's transaction of the chain."""
        lost = []
        for draft in drafts:
            if draft.nonce is None or draft.nonce >= used:
                continue
            if not draft.overtaken:  # nodes answer a batch in any order: the receipt may be there at the next look
                draft.overtaken = True
                continue
            taker = yield from self._taker(draft.nonce, draft.start)
            if taker is not None and taker not in draft.raws:
                draft.raws.clear()
                draft.doubtful = draft.unanswered = draft.overtaken = False
                lost.append(draft)
        return lost

    def _repeat(self, drafts: Sequence[Draft]) -> Talk[list[Draft]]:
        """Send once more, byte for byte, what got no answer; those that lost their nonce come back."""
        drafts = [draft for draft in drafts if draft.raws]
        if not drafts:
            return []
        outcomes = yield from self.dialogue.once_each([_send(draft) for draft in drafts])
        return (yield from self._sort(drafts, outcomes))

    def _confirm(self, mined: Sequence[Draft]) -> Talk[list[Draft]]:
        """Forget receipts of blocks that the chain left, and of those not yet deep enough, which come back."""
        if not mined or not self.policy.confirmations:
            return []
        receipts = [draft.receipt for draft in mined if draft.receipt is not None]
        numbers = sorted({each.block_number for each in receipts})
        [head] = yield from self.dialogue.blocks(["latest"])
        headers = yield from self.dialogue.once_each([block_query(each) for each in numbers])
        standing = {each.hash for each in headers if isinstance(each, Block)}
        young = []
        for draft, receipt in zip(mined, receipts, strict=True):
            if receipt.block_hash not in standing:
                draft.receipt = None
            elif head.number < receipt.block_number + self.policy.confirmations:
                draft.receipt = None
                draft.sent_at = time.monotonic()  # nothing is stuck
                young.append(draft)
        return young

    def _taker(self, nonce: int, start: int) -> Talk[Digest | None]:
        """The hash of the mined transaction of this account and nonce; None where the node cannot tell.

        Source: an account's transaction count at a block's end rises past `nonce` in the block that mined it.
        """
        me = to_hex(self.signer.address)
        try:
            head = (yield from self.dialogue.blocks(["latest"]))[0].number
            low, high = start, head
            while low < high:
                middle = (low + high) // 2
                [used] = yield from self.dialogue.ask([Query("eth_getTransactionCount", [me, hex(middle)], _count)])
                low, high = (low, middle) if used > nonce else (middle + 1, high)
            taker: Digest | None = yield from self.dialogue.once(_transaction_query(low, me, nonce))
        except NodeError:
            return None  # older state is not kept, or the node lags: nothing is known, so nothing is sent anew
        return taker

    def _hasten(self, overdue: Sequence[Draft]) -> Talk[None]:
        """Send with higher fees; as it was where those would be over the cap: it may have been dropped."""
        if not overdue:
            return
        outcomes = yield from self.dialogue.once_each(fees.queries(self.fee_policy))
        for draft in overdue:
            higher = self._higher(draft.fees, outcomes)
            if higher is not None and draft.nonce is not None:
                draft.fees = higher
                self._sign(draft, draft.nonce)
            draft.sent_at = time.monotonic()
        # Whatever the node says to it, receipts and the account's count decide.
        yield from self.dialogue.once_each([_send(draft) for draft in overdue])

    def _higher(self, old: Fees, outcomes: Sequence[Any]) -> Fees | None:
        try:
            fresh = fees.offered(outcomes, self.fee_policy)
        except (SendError, NodeError):
            return None
        return fees.raised(old, fresh, self.fee_policy)

    def concluded(self, draft: Draft) -> Talk[Any]:
        """What the write's receipt says, or the ChainError that it ended in."""
        if draft.receipt is None:
            return draft.error or SendError("the transaction is not mined", "not_mined")
        if not draft.receipt.succeeded:
            return (yield from self._reason(draft.receipt))
        try:
            return draft.write.decode(draft.receipt)
        except ChainError as error:
            return error

    def _reason(self, receipt: Receipt) -> Talk[ChainError]:
        """Why a mined transaction reverted: the same call on the state after its block, else before."""
        try:
            asked = Query("eth_getTransactionByHash", [to_hex(receipt.tx_hash)], _call_of)
            [(call, gas)] = yield from self.dialogue.ask([asked])
            if receipt.gas_used >= gas:
                return RevertError("the transaction ran out of gas", "out_of_gas")
            blocks = (receipt.block_number, receipt.block_number - 1)
            outcomes = yield from self.dialogue.outcomes([Query("eth_call", [call, hex(each)]) for each in blocks])
        except NodeError:
            outcomes = []
        reasons = [each for each in outcomes if isinstance(each, RevertError)]
        return reasons[0] if reasons else RevertError("the transaction was mined and reverted")

    def awaited(self, tx_hash: Digest, confirmations: int) -> Talk[Receipt]:
        """The receipt of a transaction that somebody sent.

        Raises:
            RevertError: it reverted.
            SendError: `not_mined`.
        """
        self.policy = replace(self.policy, confirmations=confirmations)
        write: Write[Receipt] = Write(None, b"", lambda receipt: receipt)
        draft = Draft(write, 0, Fees(0, None), 0, raws={tx_hash: b""}, sent_at=math.inf)
        yield from self.watch([draft])
        outcome = yield from self.concluded(draft)
        if isinstance(outcome, ChainError):
            raise outcome
        receipt: Receipt = outcome
        return receipt


def _give_up(drafts: Sequence[Draft], error: ChainError) -> None:
    for draft in drafts:
        draft.error = error


def _call_of(result: Any) -> tuple[dict[str, Any], int]:
    """A mined transaction's call, and its gas limit."""
    if not isinstance(result, dict):
        raise NodeError("the node does not know the transaction", "node_malformed", "eth_getTransactionByHash")
    call = {"from": result.get("from"), "data": result.get("input"), "value": result.get("value")}
    if result.get("to"):
        call["to"] = result["to"]
    return call, answers.number(result.get("gas"), "transaction.gas")


def _send(draft: Draft) -> Query:
    return _raw(next(reversed(draft.raws.values())))


def _raw(raw: bytes) -> Query:
    return Query("eth_sendRawTransaction", [to_hex(raw)])


def _refused(outcome: Any) -> bool:
    """Whether the node said no. Most NodeErrors are no answer: the transaction may be under way."""
    return isinstance(outcome, ChainError) and (not isinstance(outcome, NodeError) or outcome.code == "node_refused")


def _count(result: Any) -> int:
    return answers.number(result, "eth_getTransactionCount")


def _transaction_query(block: int, account: str, nonce: int) -> Query:
    """Asks a block for the hash of its transaction of that account and nonce."""

    def read(result: Any) -> Digest | None:
        for each in (result or {}).get("transactions", ()):
            if isinstance(each, dict) and str(each.get("from")).lower() == account and each.get("nonce") == hex(nonce):
                return Digest(answers.data(each.get("hash"), "transaction.hash", 32))
        return None

    return Query("eth_getBlockByNumber", [hex(block), True], read)


def _placed(error: ChainError, at: int) -> ChainError:
    """The error of one write among several: its position in front."""
    path = f"write {at}" + (f": {error.path}" if error.path else "")
    if isinstance(error, RevertError):
        return RevertError(error.detail, error.code, path, name=error.name)
    return type(error)(error.detail, error.code, path)
