"""The key sets that accounts' nodes serve, kept for minutes."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chartseal.attestation import Address
from chartseal.errors import AccessError, PeerError
from chartseal.node.smart.fetching import LARGEST_ANSWER, Answer, Reach, fetch
from chartseal.node.smart.identity import Statement
from chartseal.node.smart.jose import KeySet, VerifyingKey

KEY_SET_PATH = "/.well-known/jwks.json"
"""Under a node's base URL."""
KEPT = 300.0
"""Seconds for which a set stands: a key that its owner took out counts no longer than that."""
PAUSE = 10.0
"""Seconds, at least, between two calls to one node for keys that are not in its set, and after a fault."""
WAITING = 1.0
"""Seconds that others wait for a call that somebody made."""
_MOST = 1_000
_OK = 200


@dataclass(slots=True)
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: KeySet = field(default_factory=lambda: KeySet({}))
    asked_at: float = -math.inf
    """When the address was called last."""
    answered_at: float = -math.inf
    """When it gave the keys."""
    missed_at: float = -math.inf
    """When it was called for a key that the keys lacked."""


@contextmanager
def _only_one(entry: _Entry) -> Iterator[None]:
    """One call at a time to one node. Others for it wait a little for the same answer, and not as long as a slow node
    takes: strangers may name it, again and again.
    """
    if not entry.lock.acquire(timeout=WAITING):
        raise PeerError("it is being asked, and is slow", "peer_waiting")
    try:
        yield
    finally:
        entry.lock.release()


class KeySets:
    """Fetches the key sets of accounts' nodes, where `Reach` allows it."""

    def __init__(
        self,
        reach: Reach,
        *,
        must_vouch: bool = True,
        call: Callable[[str, Reach], Answer] = fetch,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`must_vouch`: whether an account must have signed for the keys; only without it are there peers that serve
        plain key sets. `call` gets a URL.
        """
        self._reach = reach
        self._must_vouch = must_vouch
        self._call = call
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[Address, str], _Entry] = OrderedDict()

    def find(self, account: Address, base_url: str, kid: str, algorithm: str) -> VerifyingKey | None:
        """An account's key of that name and algorithm, as its node at that base URL serves it; None where it has none.

        A set is asked for again when it is old, or lacks the key, as after a rotation.

        Raises:
            PeerError: as `fetch`, `peer_answer`: another status than 200; `peer_keys`: no key set; `peer_not_account`:
                the account did not sign for it; `peer_waiting`: a fault a moment ago, or a call that is slow.
        """
        entry = self._entry(account, base_url)
        with _only_one(entry):
            now = self._clock()
            is_fresh = now - entry.answered_at < KEPT
            key = entry.keys.find(kid, algorithm) if is_fresh else None
            if key is None and now - (entry.missed_at if is_fresh else entry.asked_at) >= PAUSE:
                entry.missed_at = now if is_fresh else entry.missed_at
                self._renew(entry, account, base_url, now)
                return entry.keys.find(kid, algorithm)
            if not is_fresh:
                raise PeerError("it was at fault a moment ago", "peer_waiting")
            return key

    def require(self, account: Address, base_url: str) -> None:
        """Make sure that the node at that base URL is the account's, by its key set. Who calls sees to it that a node
        at fault is not called too often.

        Raises:
            PeerError: as `find`.
        """
        entry = self._entry(account, base_url)
        with entry.lock:
            now = self._clock()
            if now - entry.answered_at >= KEPT:
                self._renew(entry, account, base_url, now)

    def _entry(self, account: Address, base_url: str) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault((account, base_url), _Entry())
            self._entries.move_to_end((account, base_url))
            while len(self._entries) > _MOST:
                self._entries.popitem(last=False)
            return entry

    def _renew(self, entry: _Entry, account: Address, base_url: str, now: float) -> None:
        entry.asked_at = now
        entry.keys, entry.answered_at = self._asked(account, base_url), now

    def _asked(self, account: Address, base_url: str) -> KeySet:
        answer = self._call(base_url + KEY_SET_PATH, self._reach)
        if answer.status != _OK or len(answer.content) > LARGEST_ANSWER:
            raise PeerError("it does not answer with its keys", "peer_answer")
        try:
            keys = KeySet.loads(answer.content)
        except AccessError as exc:
            raise PeerError("its keys are no key set", "peer_keys", exc.path) from exc
        if self._must_vouch:
            Statement.of_key_set(answer.content).check(account, base_url, keys, self._now())
        return keys
