"""Peers' key sets by the address that serves them, kept for minutes."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from chartseal.errors import AccessError, PeerError
from chartseal.node.smart.fetching import LARGEST_ANSWER, Answer, Reach, fetch
from chartseal.node.smart.jose import KeySet, VerifyingKey

KEPT = 300.0
"""Seconds for which a set stands: a key that its owner took out counts no longer than that."""
PAUSE = 10.0
"""Seconds, at least, between two calls to one address for keys that are not in its set, and after a fault."""
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


class KeySets:
    """Fetches key sets where `Reach` allows it."""

    def __init__(
        self,
        reach: Reach,
        *,
        call: Callable[[str, Reach], Answer] = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`call` gets a URL."""
        self._reach = reach
        self._call = call
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def find(self, url: str, kid: str, algorithm: str) -> VerifyingKey | None:
        """The key of that name and algorithm in the set at a URL; None where the set has none.

        A set is asked for again when it is old, or lacks the key, as after a rotation.

        Raises:
            PeerError: as `fetch`, `peer_answer`: another status than 200; `peer_keys`: no key set; `peer_waiting`:
                a fault a moment ago.
        """
        entry = self._entry(url)
        with entry.lock:  # one call at a time to one address; others of it wait for the same answer
            now = self._clock()
            is_fresh = now - entry.answered_at < KEPT
            key = entry.keys.find(kid, algorithm) if is_fresh else None
            if key is None and now - (entry.missed_at if is_fresh else entry.asked_at) >= PAUSE:
                entry.asked_at, entry.missed_at = now, now if is_fresh else entry.missed_at
                entry.keys, entry.answered_at = self._asked(url), now
                return entry.keys.find(kid, algorithm)
            if not is_fresh:
                raise PeerError("it was at fault a moment ago", "peer_waiting")
            return key

    def _entry(self, url: str) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(url, _Entry())
            self._entries.move_to_end(url)
            while len(self._entries) > _MOST:
                self._entries.popitem(last=False)
            return entry

    def _asked(self, url: str) -> KeySet:
        answer = self._call(url, self._reach)
        if answer.status != _OK or len(answer.content) > LARGEST_ANSWER:
            raise PeerError("it does not answer with its keys", "peer_answer")
        try:
            return KeySet.loads(answer.content)
        except AccessError as exc:
            raise PeerError("its keys are no key set", "peer_keys", exc.path) from exc
