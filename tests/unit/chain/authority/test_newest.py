"""Which trust roots count: the newest day's and the day's before, each rule beside its neighbour."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chartseal.attestation import Digest
from chartseal.chain.authority.newest import counting
from chartseal.chain.authority.trust_root import EPOCH_SECONDS, attested_roots
from chartseal.chain.calls import Block
from chartseal.chain.view import FactsView
from chartseal.verification import AttestedTrustRoot
from tests.issuers import AUTHORITY, STRANGER
from tests.made_chain import MadeChain

TODAY = 20_786
NOON = TODAY * EPOCH_SECONDS + EPOCH_SECONDS // 2
ROLE = "pharmacy"


def root(number: int) -> Digest:
    return Digest(bytes([number]) * 32)


def published(chain: MadeChain, epoch: int, number: int, *, at: int | None = None, role: str = ROLE) -> Digest:
    return chain.publish(AUTHORITY, epoch, role, root(number), epoch * EPOCH_SECONDS + 60 if at is None else at)


@pytest.fixture
def chain() -> MadeChain:
    made = MadeChain(final_at=NOON)
    for back in (3, 2, 1, 0):
        published(made, TODAY - back, back + 1)
    return made


def found(chain: MadeChain, at: int = NOON, final: int = NOON, role: str = ROLE) -> list[int]:
    roots = counting(attested_roots(chain, AUTHORITY), role, at, final)
    return [each.root[0] for each in roots]


def test_the_newest_day_and_the_one_before(chain: MadeChain) -> None:
    assert found(chain) == [1, 2]
    assert found(chain, role="hospital") == []
    published(chain, TODAY, 9, role="hospital")
    assert (found(chain), found(chain, role="hospital")) == ([1, 2], [9])


def test_a_day_counts_once_it_has_begun_and_its_root_is_final(chain: MadeChain) -> None:
    begins = TODAY * EPOCH_SECONDS
    assert found(chain, at=begins) == [1, 2]
    assert found(chain, at=begins - 1) == [2, 3]
    assert found(chain, final=begins + 60) == [1, 2]
    assert found(chain, final=begins + 59) == [2, 3]
    published(chain, TODAY + 1, 9, at=NOON)  # before its day began
    assert found(chain, at=NOON + EPOCH_SECONDS, final=NOON + EPOCH_SECONDS) == [1, 2]


def test_a_day_left_out_has_none_before_it(chain: MadeChain) -> None:
    published(chain, TODAY + 2, 9)
    later = NOON + 2 * EPOCH_SECONDS
    assert found(chain, at=later, final=later) == [9]


def test_a_revoked_root_and_one_of_two_count_no_more_at_once(chain: MadeChain) -> None:
    newest = published(chain, TODAY + 1, 9)
    after = NOON + EPOCH_SECONDS
    assert found(chain, at=after, final=after) == [9, 1]
    chain.revoke(newest, after + 1)
    assert found(chain, at=after, final=after) == [1, 2]
    published(chain, TODAY, 8, at=after + 1)
    assert found(chain, at=after, final=after) == [2, 3]


def test_a_view_answers_for_the_domains_asked(chain: MadeChain) -> None:
    view, domain = FactsView([chain]), chain.deployment.domain()
    moment = datetime.fromtimestamp(NOON, UTC)
    begins = [datetime.fromtimestamp((TODAY - back) * EPOCH_SECONDS, UTC) for back in (0, 1)]
    expected = [AttestedTrustRoot(AUTHORITY, ROLE, at, root(number)) for number, at in enumerate(begins, 1)]
    assert view.trust_roots(frozenset({domain}), AUTHORITY, ROLE, moment) == expected
    assert view.trust_roots(None, AUTHORITY, ROLE, moment) == expected
    assert view.trust_roots(frozenset({replace(domain, chain_id=1)}), AUTHORITY, ROLE, moment) == []
    assert view.trust_roots(None, STRANGER, ROLE, moment) == []


def test_a_view_goes_on_with_its_facts(chain: MadeChain) -> None:
    view = FactsView([chain])
    tomorrow = datetime.fromtimestamp(NOON + EPOCH_SECONDS, UTC)
    assert [each.root for each in view.trust_roots(None, AUTHORITY, ROLE, tomorrow)] == [root(1), root(2)]
    published(chain, TODAY + 1, 9)
    chain.head = chain.final = Block(2, Digest(b"\xb2" * 32), chain.head.hash, NOON + EPOCH_SECONDS)
    assert [each.root for each in view.trust_roots(None, AUTHORITY, ROLE, tomorrow)] == [root(9), root(1)]
