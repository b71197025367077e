"""Peers' key sets: kept for minutes, renewed when a key is not there, asked for no more than that."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from chartseal.attestation import LocalSigner
from chartseal.errors import PeerError
from chartseal.node.smart.fetching import Answer, Reach
from chartseal.node.smart.identity import Statement
from chartseal.node.smart.jose import KeySet
from chartseal.node.smart.key_sets import KEPT, PAUSE, KeySets
from tests.node_clients import ACCOUNT, HOSPITAL, NOW, ec_key, key_set

URL = "https://b.example"


class Peer:
    """A server of key sets, and the clock of who asks it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.calls = 0
        self.answer: Callable[[], Answer] = lambda: Answer(200, key_set(ec_key("k1")))
        self.sets = KeySets(Reach(), must_vouch=False, call=self._call, clock=lambda: self.now)

    def _call(self, url: str, _: Reach) -> Answer:
        assert url.endswith(".example/.well-known/jwks.json")
        self.calls += 1
        return self.answer()

    def has(self, kid: str, url: str = URL) -> bool:
        return self.sets.find(HOSPITAL, url, kid, "ES384") is not None

    def code(self) -> str:
        with pytest.raises(PeerError) as caught:
            self.has("k1")
        return caught.value.code


@pytest.fixture
def peer() -> Peer:
    return Peer()


def unreachable() -> Answer:
    raise PeerError("it cannot be reached", "peer_unreachable")


def test_a_set_is_asked_for_once_in_minutes(peer: Peer) -> None:
    assert [peer.has("k1") for _ in range(3)] == [True] * 3
    peer.now += KEPT - 0.1
    assert peer.has("k1")
    assert peer.calls == 1
    peer.now += 0.2
    assert peer.has("k1")
    assert peer.calls == 2


def test_a_new_key_is_found_and_unknown_ones_cost_few_calls(peer: Peer) -> None:
    assert peer.has("k1")
    peer.answer = lambda: Answer(200, key_set(ec_key("k1"), ec_key("k2")))
    assert peer.has("k2")
    assert [peer.has(f"x{at}") for at in range(50)] == [False] * 50
    assert peer.calls == 2
    peer.now += PAUSE - 0.1
    peer.answer = lambda: Answer(200, key_set(ec_key("k3")))
    assert not peer.has("k3")
    peer.now += 0.2
    assert peer.has("k3")
    assert (peer.calls, peer.has("k1")) == (3, False)


def test_while_a_peer_is_down_its_keys_count_until_they_are_old(peer: Peer) -> None:
    assert peer.has("k1")
    peer.answer = unreachable
    with pytest.raises(PeerError):
        peer.has("k2")
    assert peer.has("k1")
    assert not peer.has("k2")
    peer.now += KEPT
    assert peer.code() == "peer_unreachable"


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("peer_unreachable", unreachable),
        ("peer_answer", lambda: Answer(404, key_set(ec_key("k1")))),
        ("peer_answer", lambda: Answer(200, b" " * 65_537)),
        ("peer_keys", lambda: Answer(200, b"<html>")),
    ],
)
def test_after_a_fault_a_peer_is_left_alone_for_a_while(peer: Peer, code: str, answer: Callable[[], Answer]) -> None:
    good, peer.answer = peer.answer, answer
    assert peer.code() == code
    assert [peer.code() for _ in range(5)] == ["peer_waiting"] * 5
    assert peer.calls == 1
    peer.answer = good
    peer.now += PAUSE
    assert peer.has("k1")


def test_many_at_once_wait_for_one_call(peer: Peer) -> None:
    go, good = threading.Event(), peer.answer

    def slow() -> Answer:
        go.wait(5)
        return good()

    peer.answer = slow
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(peer.has("k1"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(5)
    assert (found, peer.calls) == ([True] * 8, 1)


def test_one_slow_peer_holds_up_no_other(peer: Peer) -> None:
    go, good = threading.Event(), peer.answer
    peer.answer = lambda: (go.wait(5), good())[1]
    waiting = threading.Thread(target=lambda: peer.has("k1"))
    waiting.start()
    while peer.calls == 0:
        pass
    peer.answer = good
    assert peer.has("k1", "https://c.example")
    assert waiting.is_alive()
    go.set()
    waiting.join(5)


def test_nobody_waits_long_for_a_slow_peer(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartseal.node.smart.key_sets.WAITING", 0.05)
    go, good = threading.Event(), peer.answer
    peer.answer = lambda: (go.wait(5), good())[1]
    waiting = threading.Thread(target=lambda: peer.has("k1"))
    waiting.start()
    while peer.calls == 0:
        pass
    assert [peer.code() for _ in range(3)] == ["peer_waiting"] * 3
    assert waiting.is_alive()
    go.set()
    waiting.join(5)
    assert (peer.has("k1"), peer.calls) == (True, 1)


def test_no_more_than_a_thousand_are_kept(peer: Peer) -> None:
    for at in range(1_001):
        peer.sets._entry(HOSPITAL, f"https://n{at}.example")
    assert len(peer.sets._entries) == 1_000
    assert (HOSPITAL, "https://n0.example") not in peer.sets._entries


def test_an_account_must_vouch_for_the_keys_of_its_node(peer: Peer) -> None:
    published = key_set(ec_key("k1"))
    keys, text = KeySet.loads(published), json.loads(published)
    peer.sets = KeySets(Reach(), call=peer._call, clock=lambda: peer.now, now=lambda: NOW)
    peer.answer = lambda: Answer(200, json.dumps(text).encode())
    assert peer.code() == "peer_not_account"
    peer.now += PAUSE
    text["chartseal"] = Statement.make(LocalSigner(b"\xb2" * 32), URL, keys, NOW).to_json()
    assert peer.code() == "peer_not_account"
    peer.now += PAUSE
    text["chartseal"] = Statement.make(ACCOUNT, URL, keys, NOW).to_json()
    assert peer.has("k1")
    with pytest.raises(PeerError) as caught:
        peer.has("k1", "https://c.example")
    assert caught.value.code == "peer_not_account"


def test_what_is_required_is_asked_for_once_and_again_after_a_fault(peer: Peer) -> None:
    good, peer.answer = peer.answer, unreachable
    for _ in range(2):
        with pytest.raises(PeerError):
            peer.sets.require(HOSPITAL, URL)
    peer.answer = good
    peer.sets.require(HOSPITAL, URL)
    peer.sets.require(HOSPITAL, URL)
    assert peer.calls == 3
    peer.now += KEPT
    peer.sets.require(HOSPITAL, URL)
    assert peer.calls == 4
