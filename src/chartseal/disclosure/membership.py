"""Where an anonymous proof's issuer stands: a leaf under a trust root, and its bit in a status list.

`chartseal.chain.authority.find_membership` makes it of a chain and a status list; it is plain, so that proving needs no
chain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Path: TypeAlias = tuple[tuple[bytes, bytes, bytes], ...]
"""The siblings of a leaf in a tree of arity 4, from the leaf up: field elements, 32 bytes big-endian."""

SMALL_CROWD = 10
"""Below so many issuers a proof tells a good deal of who the issuer is, and a wallet warns."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A credential's issuer under the trust root of an authority, a role and a day. Times are Unix seconds.

    Which of the issuers it is does not leave the wallet, so it is not shown.
    """

    authority: bytes
    """An address: 20 bytes."""
    role: str
    epoch: int
    """Day of the trust root."""
    trust_root: bytes
    """32 bytes."""
    now: int
    """The epoch's start."""
    crowd: int
    """Issuers under the trust root: the proof tells that it was one of these."""
    index: int = field(repr=False)
    """Of the issuer's leaf."""
    not_after: int = field(repr=False)
    path: Path = field(repr=False)
    status_word: bytes = field(repr=False)
    """The word of the status list that has the credential's bit: 32 bytes."""
    status_path: Path = field(repr=False)

    @property
    def is_small(self) -> bool:
        """Whether the crowd is so small that the holder is to be warned."""
        return self.crowd < SMALL_CROWD
