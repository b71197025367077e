"""What a transaction may cost: EIP-1559 fees from recent blocks under caps, and gas limits with a margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

from chartseal.chain.calls import Block
from chartseal.chain.rpc import answers
from chartseal.chain.rpc.dialogue import block_query
from chartseal.chain.rpc.jsonrpc import Query
from chartseal.errors import ChainError, NodeError, SendError

GWEI = 10**9
TRANSACTION_GAS_CAP = 2**24
"""Gas of one transaction. Source: EIP-7825."""
_HISTORY = 10
"""Blocks whose tips are looked at."""
_DEFAULT_TIP = GWEI
"""Wei per gas, where neither blocks nor node suggest one."""
_LARGEST_PRICE = 2**128


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """What may be paid, in wei per gas. Chains without EIP-1559 pay their gas price, under the same cap."""

    max_fee_per_gas: int = 500 * GWEI
    """Base fee and tip together."""
    max_priority_fee: int = 50 * GWEI
    base_headroom: int = 2
    """How many times the next block's base fee is offered: 2 holds through six full blocks."""
    percentile: int = 50
    """Of the tips in recent blocks."""


@dataclass(frozen=True, slots=True)
class GasPolicy:
    """How much gas a transaction may use."""

    margin: float = 1.2
    """Times the estimate: state may change until it is mined."""
    cap: int = TRANSACTION_GAS_CAP

    def limit(self, estimate: int, block: Block) -> int:
        """The gas limit to sign.

        Raises:
            SendError: `gas_over_cap`; the estimate is over what one transaction or block may use.
        """
        most = min(self.cap, block.gas_limit or self.cap)
        if estimate > most:
            raise SendError(f"the transaction needs {estimate} gas, over the cap of {most}", "gas_over_cap")
        return min(int(estimate * self.margin), most)


@dataclass(frozen=True, slots=True)
class Fees:
    """What one transaction offers, in wei per gas; `tip` is None for a legacy transaction, which offers a gas price."""

    max_fee: int
    tip: int | None


def queries(policy: FeePolicy) -> list[Query]:
    """What is asked to know fees: the newest block first; the others may be refused."""
    return [
        block_query("latest"),
        Query("eth_feeHistory", [hex(_HISTORY), "latest", [policy.percentile]], _history),
        Query("eth_maxPriorityFeePerGas", [], _price),
        Query("eth_gasPrice", [], _price),
    ]


def offered(outcomes: Sequence[Any], policy: FeePolicy) -> Fees:
    """Fees from what was answered to `queries`.

    Raises:
        SendError: `fees_over_cap`.
        NodeError: the node tells of no price at all.
    """
    block, history, suggested, price = outcomes
    if isinstance(block, ChainError):
        raise block
    if block.base_fee is None:
        if isinstance(price, ChainError):
            raise price
        return Fees(_under(price, price, policy), None)
    base, tips = history if not isinstance(history, ChainError) else (block.base_fee, [])
    tip = median_low(tips) if tips else _DEFAULT_TIP if isinstance(suggested, ChainError) else suggested
    tip = min(tip, policy.max_priority_fee)
    return Fees(_under(base + tip, policy.base_headroom * base + tip, policy), tip)


def _under(least: int, wanted: int, policy: FeePolicy) -> int:
    """As much as is wanted, but not over the cap as long as the least is under it."""
    if least > policy.max_fee_per_gas:
        raise SendError("the chain asks for higher fees than the cap", "fees_over_cap")
    return min(wanted, policy.max_fee_per_gas)


def raised(fees: Fees, fresh: Fees, policy: FeePolicy) -> Fees | None:
    """Fees that replace a transaction: both parts an eighth higher, or what is now usual; None if over the cap.

    Nodes ask for a tenth. The tip may exceed its own cap here, never the cap of both.
    """
    most = max(_eighth_more(fees.max_fee), fresh.max_fee)
    if most > policy.max_fee_per_gas:
        return None
    tip = None if fees.tip is None else min(max(_eighth_more(fees.tip), fresh.tip or 0), most)
    return Fees(most, tip)


def _eighth_more(price: int) -> int:
    return price + price // 8 + 1


def _price(result: Any) -> int:
    price = answers.number(result, "price")
    if price > _LARGEST_PRICE:
        raise NodeError("the node tells a price that cannot be", "node_malformed", "price")
    return price


def _history(result: Any) -> tuple[int, list[int]]:
    """The next block's base fee, and the tips of blocks that hold transactions."""
    try:
        base = _price(result["baseFeePerGas"][-1])
        rewards, used = result.get("reward") or [], result["gasUsedRatio"]
        tips = [_price(tip[0]) for tip, ratio in zip(rewards, used, strict=False) if ratio]
    except (KeyError, IndexError, TypeError, AttributeError):
        raise NodeError("a fee history has not the members of one", "node_malformed", "eth_feeHistory") from None
    return base, [tip for tip in tips if tip]
