"""Fees follow recent blocks and stay under the caps; gas limits have a margin and caps."""

from __future__ import annotations

from typing import Any

import pytest

from chartseal.attestation import Digest
from chartseal.chain.calls import Block
from chartseal.chain.sending.fees import GWEI, TRANSACTION_GAS_CAP, FeePolicy, Fees, GasPolicy, offered, queries, raised
from chartseal.errors import NodeError, SendError

REFUSED = NodeError("the node refuses the request", "node_refused")
POLICY = FeePolicy(max_fee_per_gas=100 * GWEI, max_priority_fee=3 * GWEI)


def block(base_fee: int | None = 10 * GWEI, gas_limit: int = 30_000_000) -> Block:
    return Block(1, Digest(bytes(32)), Digest(bytes(32)), 0, base_fee, gas_limit)


def history(base: int, tips: list[int], used: float = 0.5) -> Any:
    count = len(tips)
    answer = {
        "baseFeePerGas": [hex(7)] * count + [hex(base)],
        "gasUsedRatio": [used] * count,
        "reward": [[hex(tip)] for tip in tips],
    }
    return queries(POLICY)[1].read(answer)


def test_twice_the_next_base_fee_and_the_median_tip() -> None:
    read = history(12 * GWEI, [1 * GWEI, 2 * GWEI, 9 * GWEI])
    assert offered([block(), read, 5 * GWEI, REFUSED], POLICY) == Fees(26 * GWEI, 2 * GWEI)


def test_without_tips_the_node_suggests_one() -> None:
    empty = history(12 * GWEI, [9 * GWEI], used=0)
    assert offered([block(), empty, GWEI // 2, REFUSED], POLICY) == Fees(24 * GWEI + GWEI // 2, GWEI // 2)
    assert offered([block(), empty, REFUSED, REFUSED], POLICY) == Fees(25 * GWEI, GWEI)
    assert offered([block(), REFUSED, REFUSED, REFUSED], POLICY) == Fees(21 * GWEI, GWEI)


def test_the_tip_is_capped() -> None:
    assert offered([block(), history(GWEI, [40 * GWEI]), REFUSED, REFUSED], POLICY) == Fees(5 * GWEI, 3 * GWEI)


def test_headroom_gives_way_to_the_cap_and_no_more() -> None:
    at_cap = history(97 * GWEI, [3 * GWEI])
    assert offered([block(), at_cap, REFUSED, REFUSED], POLICY) == Fees(100 * GWEI, 3 * GWEI)
    with pytest.raises(SendError) as caught:
        offered([block(), history(97 * GWEI + 1, [3 * GWEI]), REFUSED, REFUSED], POLICY)
    assert caught.value.code == "fees_over_cap"


def test_chains_without_base_fees_pay_their_gas_price() -> None:
    assert offered([block(None), REFUSED, REFUSED, 7 * GWEI], POLICY) == Fees(7 * GWEI, None)
    with pytest.raises(SendError):
        offered([block(None), REFUSED, REFUSED, 101 * GWEI], POLICY)
    with pytest.raises(NodeError):
        offered([block(None), REFUSED, REFUSED, REFUSED], POLICY)
    with pytest.raises(NodeError):
        offered([REFUSED, history(1, [1]), 1, 1], POLICY)


@pytest.mark.parametrize("answer", [None, {}, {"baseFeePerGas": []}, {"baseFeePerGas": ["0x1"], "reward": [[]]}, []])
def test_a_malformed_history_is_none(answer: Any) -> None:
    with pytest.raises(NodeError) as caught:
        queries(POLICY)[1].read(answer)
    assert caught.value.code == "node_malformed"


def test_replacing_raises_both_parts_by_an_eighth() -> None:
    old = Fees(80 * GWEI, 2 * GWEI)
    higher = raised(old, Fees(20 * GWEI, GWEI), POLICY)
    assert higher == Fees(90 * GWEI + 1, 2 * GWEI + GWEI // 4 + 1)
    assert raised(Fees(95 * GWEI, GWEI), old, POLICY) is None
    assert raised(old, Fees(99 * GWEI, 3 * GWEI), POLICY) == Fees(99 * GWEI, 3 * GWEI)
    assert raised(Fees(8 * GWEI, None), Fees(8 * GWEI, None), POLICY) == Fees(9 * GWEI + 1, None)
    even = raised(Fees(1, 1), Fees(1, 1), POLICY)
    assert even == Fees(2, 2)


def test_gas_has_a_margin_under_the_caps() -> None:
    assert GasPolicy().limit(100_000, block()) == 120_000
    assert GasPolicy().limit(TRANSACTION_GAS_CAP - 1, block()) == TRANSACTION_GAS_CAP
    assert GasPolicy().limit(900_000, block(gas_limit=1_000_000)) == 1_000_000
    assert GasPolicy(margin=1).limit(7, block(gas_limit=0)) == 7
    for policy, estimate in ((GasPolicy(), TRANSACTION_GAS_CAP + 1), (GasPolicy(cap=6), 7)):
        with pytest.raises(SendError) as caught:
            policy.limit(estimate, block())
        assert caught.value.code == "gas_over_cap"
