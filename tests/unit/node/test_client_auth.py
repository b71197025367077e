"""Tokens from other nodes: over real connections, and from peers that lie, break off or rest."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from chartseal.attestation import Address, LocalSigner, checksum_address
from chartseal.consent import Scopes
from chartseal.errors import NodeError, PeerError, TokenError
from chartseal.node.caller import Admission
from chartseal.node.client_auth import PeerToken, PeerTokens
from chartseal.node.smart.accreditations import Member, Relocated
from chartseal.node.smart.assertions import Assertions
from chartseal.node.smart.b2b import B2b
from chartseal.node.smart.clients import Clients
from chartseal.node.smart.endpoint import SmartParts, smart_configuration, smart_router, token_url
from chartseal.node.smart.fetching import Answer, Reach
from chartseal.node.smart.grants import Grants
from chartseal.node.smart.jose import Unverified
from chartseal.node.smart.key_sets import KeySets
from chartseal.node.smart.replays import Replays
from chartseal.node.smart.signing_keys import CLIENT_KEYS, TOKEN_KEYS, SigningKeys
from chartseal.node.smart.tokens import Tokens
from tests.node_clients import BASE, Clock, MemoryAccreditations, MemoryKeys
from tests.node_servers import serving

SIGNERS = [LocalSigner(bytes([each]) * 32) for each in (0xA1, 0xB1)]
ASKED, ASKING = (each.address for each in SIGNERS)
WHY = B2b(organization_id="https://b.example/org", purpose="TREAT", subject_id="urn:x:1")
LOCAL = Reach(allows_loopback=True)


class Nodes:
    """Two nodes on loopback, of which each knows where the other is."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        listeners = {account: socket.create_server(("127.0.0.1", 0)) for account in (ASKED, ASKING)}
        self.bases = {at: f"http://127.0.0.1:{each.getsockname()[1]}" for at, each in listeners.items()}
        stated = {at: Member(at, frozenset({"hospital"}), "H", "https://h.example") for at in self.bases}
        self.accreditations = MemoryAccreditations(*stated.values())
        self.known = Relocated(self.accreditations, self.bases)
        self.admissions: dict[Address, Admission] = {}
        self.keys: dict[Address, SigningKeys] = {}
        self.key_sets: dict[Address, KeySets] = {}
        for signer in SIGNERS:
            account, base = signer.address, self.bases[signer.address]
            store = stack.enter_context(Replays.open(str(folder / f"{account.hex()}.db")))
            provider = MemoryKeys()
            keys = {purpose: SigningKeys(provider, purpose) for purpose in (CLIENT_KEYS, TOKEN_KEYS)}
            for each in keys.values():
                each.rotate()
            self.key_sets[account] = KeySets(LOCAL)
            clients = Clients(self.known, self.key_sets[account])
            tokens = Tokens(keys[TOKEN_KEYS], issuer=base, audience=f"{base}/fhir")
            grants = Grants(Assertions(clients, store, token_url(base)), tokens)
            app = FastAPI()
            app.include_router(smart_router(SmartParts(grants, keys[CLIENT_KEYS], base, signer)))
            stack.enter_context(serving(app, listeners[account]))
            self.admissions[account], self.keys[account] = Admission(tokens, clients), keys[CLIENT_KEYS]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with ExitStack() as stack:
        yield Nodes(tmp_path, stack)


def test_one_node_is_let_in_by_another_as_whom_it_is(nodes: Nodes) -> None:
    peers = PeerTokens(ASKING, nodes.keys[ASKING], nodes.known, nodes.key_sets[ASKING], LOCAL)
    token = peers.get(ASKED, WHY, "system/*.cruds")
    assert (token.peer, token.fhir_url, token.scopes) == (ASKED, f"{nodes.bases[ASKED]}/fhir", "system/*.rs")
    caller = nodes.admissions[ASKED].admit([f"Bearer {token.text}"], {})
    assert (caller.client_id, caller.requester.account) == (checksum_address(ASKING), ASKING)
    assert (caller.requester.purpose, caller.requester.person) == ("TREAT", "urn:x:1")
    with pytest.raises(TokenError):
        nodes.admissions[ASKING].admit([f"Bearer {token.text}"], {})
    del nodes.accreditations.members[ASKING]
    with pytest.raises(TokenError):
        nodes.admissions[ASKED].admit([f"Bearer {token.text}"], {})


def test_a_node_that_rotates_its_key_goes_on(nodes: Nodes) -> None:
    peers = PeerTokens(ASKING, nodes.keys[ASKING], nodes.known, nodes.key_sets[ASKING], LOCAL)
    first = peers.get(ASKED, WHY, "system/Patient.r")
    assert peers.get(ASKED, WHY, "system/Patient.r") is first
    nodes.keys[ASKING].rotate()
    assert peers.get(ASKED, WHY, "system/Observation.r").scopes == "system/Observation.r"
    nodes.keys[ASKING].rotate()
    with pytest.raises(PeerError) as caught:  # its keys were asked for on that account less than ten seconds ago
        peers.get(ASKED, WHY, "system/Condition.r")
    assert caught.value.code == "peer_denied"


def test_a_server_that_took_a_nodes_place_gets_nothing(nodes: Nodes) -> None:
    """The peer's name leads to another node, whose account vouches for itself alone."""
    moved = Relocated(nodes.accreditations, {**nodes.bases, ASKED: nodes.bases[ASKING]})
    peers = PeerTokens(ASKING, nodes.keys[ASKING], moved, nodes.key_sets[ASKING], LOCAL)
    with pytest.raises(PeerError) as caught:
        peers.get(ASKED, WHY, "system/*.rs")
    assert caught.value.code == "peer_not_account"


def test_a_node_that_says_it_is_another_is_denied(nodes: Nodes) -> None:
    liar = PeerTokens(ASKED, nodes.keys[ASKING], nodes.known, nodes.key_sets[ASKING], LOCAL)
    with pytest.raises(PeerError, match="invalid_client") as caught:
        liar.get(ASKED, WHY, "system/*.rs")
    assert caught.value.code == "peer_denied"


# peers that lie, break off or rest


class Peer:
    """A peer that answers as a test says, and a client of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.keys = SigningKeys(MemoryKeys(), CLIENT_KEYS)
        self.keys.rotate()
        self.accreditations = MemoryAccreditations(Member(ASKED, frozenset({"hospital"}), "H", BASE))
        self.configuration: Any = smart_configuration(BASE, Scopes.parse("system/*.rs"))
        self.key_set = json.dumps(self.keys.published()).encode()
        self.answers: list[Answer | str] = []
        self.answer: Answer | str = said(access_token="t", token_type="Bearer", expires_in=300, scope="system/*.r")
        self.posted: list[Mapping[str, str]] = []
        self.urls: list[str] = []
        self.tokens = self.client()

    def client(self, left_alone: float = 30.0) -> PeerTokens:
        return PeerTokens(
            ASKING,
            self.keys,
            self.accreditations,
            KeySets(Reach(), must_vouch=False, call=lambda url, reach: self._call(url, reach, None)),
            Reach(),
            call=self._call,
            now=self.clock,
            longest_pause=0.0,
            left_alone=left_alone,
        )

    def _call(self, url: str, _: Reach, form: Mapping[str, str] | None) -> Answer:
        self.urls.append(url)
        if url.endswith("/jwks.json"):
            return Answer(200, self.key_set)
        if form is None:
            return said(**self.configuration)
        self.posted.append(form)
        answer = self.answers.pop(0) if self.answers else self.answer
        if isinstance(answer, str):
            raise PeerError("it is at fault", answer)
        return answer

    def get(self, scopes: str = "system/*.rs") -> PeerToken:
        return self.tokens.get(ASKED, WHY, scopes)

    def code(self) -> str:
        with pytest.raises(PeerError) as caught:
            self.get()
        return caught.value.code


def said(status: int = 200, **members: Any) -> Answer:
    return Answer(status, json.dumps(members).encode())


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_an_assertion_is_for_one_endpoint_and_counts_two_minutes(peer: Peer) -> None:
    peer.get()
    [form] = peer.posted
    assert form["scope"] == "system/*.rs"
    unverified = Unverified.read(form["client_assertion"])
    key = peer.keys.find(unverified.kid)
    assert key is not None
    claims = unverified.claims(key)
    assert claims["iss"] == claims["sub"] == checksum_address(ASKING)
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (f"{BASE}/auth/token", 120)
    assert B2b.from_json(claims["extensions"]["hl7-b2b"]) == WHY
    assert peer.urls.pop(0) == f"{BASE}/.well-known/jwks.json"
    assert peer.urls == [f"{BASE}/fhir/.well-known/smart-configuration", f"{BASE}/auth/token"]


def test_a_token_is_kept_while_it_counts_and_for_whom_it_is(peer: Peer) -> None:
    first = peer.get()
    assert (first.scopes, first.expires_at) == ("system/*.r", peer.clock.now + timedelta(minutes=5))
    assert peer.get() == first
    assert len(peer.posted) == 1
    peer.tokens.get(ASKED, replace(WHY, purpose="ETREAT"), "system/*.rs")
    peer.get("system/Patient.r")
    assert len(peer.posted) == 3
    peer.clock.now += timedelta(seconds=270)
    peer.get()
    assert len(peer.posted) == 4
    peer.tokens.forget(peer.get())
    peer.get()
    assert len(peer.posted) == 5


def test_a_kept_token_is_not_used_for_who_is_accredited_no_more(peer: Peer) -> None:
    peer.get()
    peer.accreditations.members[ASKED] = Member(ASKED, frozenset({"hospital"}), "H", "")
    assert peer.code() == "peer_no_node"
    peer.accreditations.members[ASKED] = Member(ASKED, frozenset({"hospital"}), "H", "https://moved.example")
    assert peer.code() == "peer_elsewhere"
    del peer.accreditations.members[ASKED]
    assert peer.code() == "peer_not_accredited"
    peer.accreditations.is_broken = True
    with pytest.raises(NodeError):
        peer.get()
    assert len(peer.posted) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": f"{BASE}.evil.example/auth/token"},
        {"token_endpoint": BASE},
        {"token_endpoint": f"{BASE}/../other/token"},
        {"token_endpoint": ["https://a.example/node/auth/token"]},
        {"token_endpoint": None},
    ],
)
def test_a_peer_cannot_send_its_clients_elsewhere(peer: Peer, change: dict[str, Any]) -> None:
    peer.configuration.update(change)
    assert (peer.code(), peer.posted) == ("peer_elsewhere", [])


def test_passing_faults_are_tried_again_each_with_an_assertion_of_its_own(peer: Peer) -> None:
    peer.answers = ["peer_unreachable", said(503)]
    assert peer.get().text == "t"
    assertions = [form["client_assertion"] for form in peer.posted]
    identifiers = {Unverified.read(text).peek()["jti"] for text in assertions}
    assert len(identifiers) == 3


@pytest.mark.parametrize("fault", ["peer_unreachable", "peer_slow", said(429), said(502)])
def test_a_peer_at_fault_is_left_alone_after_five(peer: Peer, fault: Answer | str) -> None:
    peer.tokens = peer.client(left_alone=0.3)
    peer.answer = fault
    code = fault if isinstance(fault, str) else "peer_busy"
    assert (peer.code(), len(peer.posted)) == (code, 3)
    assert (peer.code(), len(peer.posted)) == ("peer_resting", 5)
    assert (peer.code(), len(peer.posted)) == ("peer_resting", 5)
    peer.answer = said(access_token="t", token_type="Bearer", expires_in=300)
    time.sleep(0.35)
    assert peer.get().scopes == "system/*.rs"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_is_told_by_its_word_and_not_tried_again(peer: Peer, status: int) -> None:
    peer.answer = said(status, error="invalid_scope", error_description="Ada")
    for count in range(1, 8):
        with pytest.raises(PeerError, match="invalid_scope") as caught:
            peer.get()
        assert (caught.value.code, len(peer.posted), "Ada" in str(caught.value)) == ("peer_denied", count, False)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"error":"Ada Example"}', b'{"error":["invalid_scope"]}'])
def test_a_refusal_without_a_known_word_shows_none(peer: Peer, content: bytes) -> None:
    peer.answer = Answer(400, content)
    with pytest.raises(PeerError, match="no reason that is known") as caught:
        peer.get()
    assert "Ada" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        said(404),
        Answer(200, b"<html>"),
        Answer(200, b"[]"),
        Answer(200, b'{"access_token":"a","access_token":"b"}'),
        said(),
        said(access_token="", token_type="Bearer", expires_in=300),
        said(access_token="a b", token_type="Bearer", expires_in=300),
        said(access_token="a\r\nX: y", token_type="Bearer", expires_in=300),
        said(access_token="x" * 16_385, token_type="Bearer", expires_in=300),
        said(access_token="t", token_type="mac", expires_in=300),
        said(access_token="t", token_type="Bearer"),
        said(access_token="t", token_type="Bearer", expires_in=True),
        said(access_token="t", token_type="Bearer", expires_in=0),
        said(access_token="t", token_type="Bearer", expires_in=86_400),
        said(access_token="t", token_type="Bearer", expires_in=300, scope=["x"]),
    ],
)
def test_what_is_no_token_is_none(peer: Peer, answer: Answer) -> None:
    peer.answer = answer
    assert (peer.code(), len(peer.posted)) == ("peer_answer", 1)


def test_a_token_is_not_shown(peer: Peer) -> None:
    peer.answer = said(access_token="the-secret", token_type="bearer", expires_in=300)
    assert "the-secret" not in repr(peer.get())
