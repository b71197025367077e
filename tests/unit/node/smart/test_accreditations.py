"""Who is accredited, out of a chain's facts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chartseal.attestation import Address
from chartseal.chain.authority import Grant
from chartseal.chain.facts import Attestation
from chartseal.errors import NodeError
from chartseal.node.smart.accreditations import LASTING, ChainAccreditations, Member
from chartseal.verification.policy import TrustedAuthority
from tests.memory_facts import MemoryFacts, block

CHAMBER, MINISTRY, STRANGER = (Address(bytes([each]) * 20) for each in (0xA1, 0xA2, 0xA3))
WHO = Address(b"\xb1" * 20)
AT = 10_000


class Chain:
    """A chain that goes on, and one that asks it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.asked = 0
        self.facts = MemoryFacts(block(20, AT), block(10, AT - 100))
        authorities = [
            TrustedAuthority(CHAMBER, frozenset({"pharmacy", "hospital"})),
            TrustedAuthority(MINISTRY, frozenset({"insurer"})),
        ]
        self.known = ChainAccreditations(self._open, authorities, clock=lambda: self.seconds)

    @contextmanager
    def _open(self) -> Iterator[MemoryFacts]:
        self.asked += 1
        yield self.facts

    def accredit(self, authority: Address = CHAMBER, *, at: int = 1_000, **changes: object) -> Attestation:
        grant = Grant(issuer=WHO, name="General", roles=frozenset({"hospital"}), endpoint="https://b.example/node/")
        return self.facts.accredit(authority, replace(grant, **changes), at)  # type: ignore[arg-type]

    def step(self) -> None:
        """A new block, and time for it to be seen."""
        head = self.facts.head
        self.facts.head = block(head.number + 1, head.timestamp + 1)
        self.seconds += LASTING

    def find(self, at: int = AT) -> Member | None:
        return self.known.find(WHO, datetime.fromtimestamp(at, UTC))


@pytest.fixture
def chain() -> Chain:
    return Chain()


def test_who_is_accredited_has_roles_a_name_and_a_node(chain: Chain) -> None:
    assert chain.find() is None
    chain.accredit()
    chain.step()
    assert chain.find() == Member(WHO, frozenset({"hospital"}), "General", "https://b.example/node")


def test_an_authority_gives_the_roles_that_are_taken_from_it(chain: Chain) -> None:
    chain.accredit(roles=frozenset({"pharmacy", "laboratory"}))
    chain.accredit(MINISTRY, roles=frozenset({"insurer", "hospital"}))
    found = chain.find()
    assert found is not None
    assert found.roles == {"pharmacy", "insurer"}


def test_a_role_that_is_not_taken_accredits_nobody(chain: Chain) -> None:
    chain.accredit(MINISTRY, roles=frozenset({"hospital"}))
    assert chain.find() is None


def test_a_strangers_word_counts_for_nothing(chain: Chain) -> None:
    chain.accredit(STRANGER, endpoint="https://evil.example")
    assert chain.find() is None
    chain.accredit()
    chain.step()
    chain.accredit(STRANGER, endpoint="https://evil.example")
    chain.step()
    found = chain.find()
    assert found is not None
    assert found.endpoint == "https://b.example/node"


def test_it_counts_once_final_and_ends_at_once(chain: Chain) -> None:
    made = chain.accredit(at=AT - 50)
    assert chain.find() is None
    chain.facts.final = block(15, AT - 40)
    chain.step()
    assert chain.find() is not None
    chain.facts.withdraw(made, AT, "key-compromise", AT)
    chain.step()
    assert chain.find(AT - 1) is not None
    assert chain.find(AT) is None


def test_it_ends_by_revocation_and_by_itself(chain: Chain) -> None:
    first = chain.accredit()
    chain.accredit(at=1_001, expires_at=AT + 10)
    chain.facts.revoke(first, AT)
    chain.step()
    assert chain.find(AT + 9) is not None
    assert chain.find(AT + 10) is None


def test_the_newest_that_states_a_node_says_where_it_is(chain: Chain) -> None:
    chain.accredit(at=1_000, endpoint="https://old.example")
    chain.accredit(at=1_002, endpoint="", name="Newest")
    chain.accredit(at=1_001, endpoint="https://new.example")
    found = chain.find()
    assert found is not None
    assert found.endpoint == "https://new.example"


def test_an_answer_stands_for_seconds(chain: Chain) -> None:
    made = chain.accredit()
    assert chain.find() is not None
    chain.facts.revoke(made, AT)
    chain.facts.head = block(21, AT + 1)
    chain.seconds += LASTING - 0.1
    assert (chain.find() is None, chain.asked) == (False, 1)
    chain.seconds += 0.2
    assert (chain.find() is None, chain.asked) == (True, 2)


def test_a_clock_that_goes_back_does_not_make_an_answer_last(chain: Chain) -> None:
    chain.seconds = 100.0
    assert chain.find() is None
    chain.accredit()
    chain.step()
    chain.seconds = 50.0
    assert chain.find() is not None


def test_while_the_chain_rests_it_is_read_once(chain: Chain) -> None:
    chain.accredit()
    assert chain.find() is not None
    chain.facts.broken = "attestations"
    chain.seconds += 100
    assert chain.find() is not None


def test_silence_is_no_yes(chain: Chain) -> None:
    chain.accredit()
    assert chain.find() is not None
    chain.facts.broken = "attestations"
    chain.step()
    for _ in range(2):
        with pytest.raises(NodeError):
            chain.find()
    chain.facts.broken = ""
    assert chain.find() is not None
