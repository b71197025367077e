"""A node as a client of others: it proves who it is by its own key, and gets a token for what it may ask there.

    peers = PeerTokens(account, SigningKeys(keys, CLIENT_KEYS), accreditations, KeySets(Reach()), Reach())
    token = peers.get(hospital, b2b, "system/*.rs")
    httpx.get(f"{token.fhir_url}/Patient", headers={"Authorization": f"Bearer {token.text}"})

A peer is an account: its node is where its accreditation says now, and shows that the account's key vouches for it
before anything is sent there. What a node says of itself may not lead elsewhere. Calls block: not in an event loop.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pybreaker import CircuitBreaker, CircuitBreakerError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from chartseal import _json
from chartseal.attestation import Address, checksum_address
from chartseal.errors import PeerError
from chartseal.node.smart.accreditations import Accreditations, Member
from chartseal.node.smart.b2b import NAME, B2b
from chartseal.node.smart.endpoint import CONFIGURATION_PATH, FHIR_PATH
from chartseal.node.smart.fetching import Answer, Reach, fetch
from chartseal.node.smart.grants import ASSERTION_TYPE, GRANT_TYPE
from chartseal.node.smart.key_sets import KeySets
from chartseal.node.smart.signing_keys import SigningKeys

ASSERTION_LIFE = timedelta(minutes=2)
"""Short, and with room for clocks that differ."""
LONGEST_TOKEN = 16_384
"""Characters."""

_ATTEMPTS = 3
_LONGEST_PAUSE = 2.0
_FAULTS_IN_A_ROW = 5
_LEFT_ALONE = 30.0
"""Seconds for which a peer is not called after so many faults."""
_SPARE = timedelta(seconds=30)
"""A token is not used for its last seconds: a request with it may take them."""
_LONGEST_LIFE = 3_600
_MOST_KEPT = 1_000
_PASSING = frozenset({"peer_unreachable", "peer_slow", "peer_busy"})
_BUSY = frozenset({429, 500, 502, 503, 504})
_REFUSED = frozenset({400, 401, 403})
_WORDS = frozenset(
    {
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)

_Post = Callable[[str, Reach, Mapping[str, str] | None], Answer]


def _fetch(url: str, reach: Reach, form: Mapping[str, str] | None) -> Answer:
    return fetch(url, reach, form=form)


@dataclass(frozen=True, slots=True)
class PeerToken:
    """A token for another node."""

    peer: Address
    fhir_url: str
    """Base of its FHIR service, without a slash at its end: the token goes nowhere else."""
    text: str = field(repr=False)
    scopes: str
    """What was granted, which may be less than was asked for."""
    expires_at: datetime


class PeerTokens:
    """Gets tokens from peers, and keeps them while they count. Threads may share one."""

    def __init__(
        self,
        account: Address,
        keys: SigningKeys,
        accreditations: Accreditations,
        key_sets: KeySets,
        reach: Reach,
        *,
        call: _Post = _fetch,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        longest_pause: float = _LONGEST_PAUSE,
        left_alone: float = _LEFT_ALONE,
    ) -> None:
        """`account` is this node's own; `call` gets a URL or posts a form to it."""
        self._client_id = checksum_address(account)
        self._keys = keys
        self._accreditations = accreditations
        self._key_sets = key_sets
        self._reach = reach
        self._call = call
        self._now = now
        self._left_alone = left_alone
        self._pauses = wait_random_exponential(multiplier=0.2, max=longest_pause)
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, B2b, str], PeerToken] = OrderedDict()
        self._breakers: OrderedDict[str, CircuitBreaker] = OrderedDict()

    def get(self, peer: Address, b2b: B2b, scopes: str) -> PeerToken:
        """A token for that account's node, as far as it grants the scopes.

        Passing faults are tried again; after five in a row a peer is left alone for half a minute.

        Raises:
            PeerError: `peer_not_accredited`, `peer_no_node`; `peer_denied`: it gives none, for the reason that is in
                the message; `peer_resting`: it was at fault too often; `peer_elsewhere`: what it says of itself leads
                away from its node; `peer_busy`, `peer_answer`; as `fetch` and `KeySets.find`.
            ChainError: whether it is accredited cannot be known now.
            VaultKeyError: our own key cannot be read.
        """
        now = self._now()
        member = self._member(peer, now)
        place = (member.endpoint, b2b, scopes)
        with self._lock:
            kept = self._kept.get(place)
        if kept is not None and kept.expires_at - now > _SPARE:
            return kept
        token = self._asked(member, b2b, scopes)
        with self._lock:
            self._kept[place] = token
            self._kept.move_to_end(place)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return token

    def forget(self, token: PeerToken) -> None:
        """Use a token no more, as after the peer refused it."""
        with self._lock:
            for place in [place for place, kept in self._kept.items() if kept == token]:
                del self._kept[place]

    def assertion(self, token_url: str, b2b: B2b) -> str:
        """A new assertion for one token endpoint, which counts once.

        Raises:
            VaultKeyError: our own key cannot be read.
        """
        issued_at = int(self._now().timestamp())
        claims: dict[str, Any] = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": token_url,
            "jti": secrets.token_urlsafe(24),
            "iat": issued_at,
            "exp": issued_at + int(ASSERTION_LIFE.total_seconds()),
            "extensions": {NAME: b2b.to_json()},
        }
        return self._keys.sign("JWT", json.dumps(claims, separators=(",", ":")).encode())

    def _member(self, peer: Address, now: datetime) -> Member:
        member = self._accreditations.find(peer, now)
        if member is None:
            raise PeerError("the account is not accredited", "peer_not_accredited")
        if not member.endpoint:
            raise PeerError("the account's accreditation states no node", "peer_no_node")
        return member

    def _asked(self, member: Member, b2b: B2b, scopes: str) -> PeerToken:
        breaker = self._breaker(member.endpoint)
        attempts = Retrying(
            stop=stop_after_attempt(_ATTEMPTS), wait=self._pauses, retry=retry_if_exception(_is_passing), reraise=True
        )
        try:
            token: PeerToken = attempts(breaker.call, partial(self._attempt, member, b2b, scopes))
        except CircuitBreakerError:
            raise PeerError("it was at fault too often, and is left alone for a while", "peer_resting") from None
        return token

    def _breaker(self, endpoint: str) -> CircuitBreaker:
        with self._lock:
            if endpoint not in self._breakers:
                self._breakers[endpoint] = CircuitBreaker(
                    fail_max=_FAULTS_IN_A_ROW,
                    reset_timeout=self._left_alone,
                    exclude=[lambda error: not _is_passing(error)],
                    throw_new_error_on_trip=False,
                )
            self._breakers.move_to_end(endpoint)
            while len(self._breakers) > _MOST_KEPT:
                self._breakers.popitem(last=False)
            return self._breakers[endpoint]

    def _attempt(self, member: Member, b2b: B2b, scopes: str) -> PeerToken:
        """Ask once, with an assertion of its own: whether the one before was used up, nobody knows."""
        asked_at = self._now()
        self._key_sets.require(member.account, member.endpoint)
        url = self._token_url(member)
        form = {
            "grant_type": GRANT_TYPE,
            "scope": scopes,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(url, b2b),
        }
        answer = self._call(url, self._reach, form)
        if answer.status in _REFUSED:
            raise PeerError(f"it gives no token: {_word(answer)}", "peer_denied")
        return _token(member, _members(answer), scopes, asked_at)

    def _token_url(self, member: Member) -> str:
        """Where the peer gives tokens, which is beneath its node: what leads elsewhere is not followed."""
        url = member.endpoint + FHIR_PATH + CONFIGURATION_PATH
        said = _members(self._call(url, self._reach, None))
        found = said.get("token_endpoint")
        is_beneath = isinstance(found, str) and found.startswith(f"{member.endpoint}/") and ".." not in found
        if said.get("issuer") != member.endpoint or not is_beneath:
            raise PeerError("what it says of itself leads away from the node of its account", "peer_elsewhere")
        return str(found)


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, PeerError) and error.code in _PASSING


def _members(answer: Answer) -> dict[str, Any]:
    if answer.status in _BUSY:
        raise PeerError("it cannot answer now", "peer_busy")
    try:
        data = _json.loads(answer.content) if answer.status == 200 else None
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise PeerError("it does not answer as a node", "peer_answer")
    return data


def _word(answer: Answer) -> str:
    """RFC 6749's word for a refusal: only those that are known, since messages show no text of others."""
    try:
        data = _json.loads(answer.content)
    except ValueError:
        data = None
    word = data.get("error") if isinstance(data, dict) else None
    return word if isinstance(word, str) and word in _WORDS else "no reason that is known"


def _token(member: Member, said: Mapping[str, Any], asked: str, asked_at: datetime) -> PeerToken:
    text, kind, life, scopes = (said.get(name) for name in ("access_token", "token_type", "expires_in", "scope"))
    is_token = isinstance(text, str) and 0 < len(text) <= LONGEST_TOKEN and text.isascii() and text.isprintable()
    is_bearer = isinstance(kind, str) and kind.lower() == "bearer"
    is_timed = type(life) is int and 0 < life <= _LONGEST_LIFE
    if scopes is None:  # RFC 6749 section 5.1: then they are those that were asked for
        scopes = asked
    if not (is_token and is_bearer and is_timed and isinstance(scopes, str)) or " " in str(text):
        raise PeerError("its answer is no token", "peer_answer")
    expires_at = asked_at + timedelta(seconds=int(str(life)))
    return PeerToken(member.account, member.endpoint + FHIR_PATH, str(text), scopes, expires_at)
