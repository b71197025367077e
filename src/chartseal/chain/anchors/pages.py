"""Pages: the announcements of one anchor, sorted, which wallets scan for their own.

As a file, one JSON object a line: root, time (of the anchor), page (hex of 34 bytes each: enc ‖ tag), path. A page
tells nothing but how many records an anchor holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, select

from chartseal import _json
from chartseal.attestation import Digest, digest_from, from_hex, to_hex
from chartseal.chain.anchors.database import storing
from chartseal.chain.anchors.leaves import ENTRY, announcements_leaf, implied_root
from chartseal.chain.anchors.proofs import leaf_proof
from chartseal.chain.anchors.queue import MOST_LEAVES
from chartseal.chain.anchors.tables import ANNOUNCEMENT, BATCH, FINAL
from chartseal.errors import LimitError, PackageError
from chartseal.verification.chain import AnchorProof

LONGEST_LINE = MOST_LEAVES * ENTRY * 2 + 8_192
"""Bytes."""


@dataclass(frozen=True)
class AnnouncementPage:
    """One anchor's announcements."""

    root: Digest
    time: int
    """When EAS timestamped the anchor, as the maker says; Unix seconds."""
    page: bytes = field(repr=False)
    proof: AnchorProof = field(repr=False)

    @property
    def entries(self) -> list[bytes]:
        """Enc ‖ tag, 34 bytes each."""
        return [self.page[at : at + ENTRY] for at in range(0, len(self.page), ENTRY)]

    def to_json(self) -> bytes:
        """One line, without its end."""
        members = {
            "root": to_hex(self.root),
            "time": self.time,
            "page": to_hex(self.page),
            "path": self.proof.to_json(),
        }
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> AnnouncementPage:
        """Read one line.

        Raises:
            LimitError: `limit_exceeded`.
            PackageError: malformed, `page_order` (entries that do not ascend), or `anchor_path`.
        """
        if len(text) > LONGEST_LINE:
            raise LimitError("the page is too long")
        try:
            data = _json.loads(text)
        except ValueError as exc:
            raise PackageError("not JSON") from exc
        if not isinstance(data, dict) or not {"root", "time", "page", "path"} <= data.keys():
            raise PackageError("expected an object with root, time, page and path")
        made = cls(
            digest_from(data["root"], "root"),
            _time(data["time"]),
            from_hex(data["page"], "page"),
            AnchorProof.from_json(data["path"]),
        )
        made.check()
        return made

    def check(self) -> None:
        """The page is whole entries in order, and stands under the root.

        Raises:
            PackageError: `page_order` or `anchor_path`.
        """
        entries = self.entries
        if not self.page or len(self.page) % ENTRY or any(a >= b for a, b in pairwise(entries)):
            raise PackageError("a page is entries of 34 bytes in ascending order", "page_order", "page")
        if implied_root(announcements_leaf(self.page), self.proof) != self.root:
            raise PackageError("the path does not lead from the page to the root", "anchor_path", "path")


def _time(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise PackageError("expected a time in Unix seconds", path="time")
    return value


def read_pages(connection: Connection, *, since: int = 0) -> Iterator[AnnouncementPage]:
    """Pages of final anchors whose time is at least `since` (Unix seconds), in the order of their making.

    Raises:
        QueueError: `queue_unavailable`.
    """
    with storing():
        final = select(BATCH.c.id, BATCH.c.timestamp).where(BATCH.c.state == FINAL, BATCH.c.timestamp >= since)
        for batch in connection.execute(final.order_by(BATCH.c.id)).all():
            page = page_of(connection, batch.id)
            found = leaf_proof(connection, announcements_leaf(page)) if page else None
            if found is not None:
                yield AnnouncementPage(found[0], batch.timestamp, page, found[1])


def page_of(connection: Connection, batch: int) -> bytes:
    """A batch's announcements, sorted and joined."""
    own = select(ANNOUNCEMENT.c.entry).where(ANNOUNCEMENT.c.batch_id == batch)
    return b"".join(sorted(connection.execute(own).scalars()))
