"""What the answers ask before anything is shown: one decision for each opened record, and who asks.

`Gate` is bound to one request: who asks, which consents stand at that moment, which policy the site has. It is asked
again for every record of every page.
"""

from __future__ import annotations

from typing import Protocol

from chartseal.consent import Decision, Interaction, RecordFacts, Requester


class Gate(Protocol):
    """Decides for one request: deny by default."""

    def __call__(self, record: RecordFacts, interaction: Interaction) -> Decision:
        """Whether who asks may have this record now."""


class Caller(Protocol):
    """An authenticated caller."""

    @property
    def client_id(self) -> str:
        """What its tokens are given to."""

    @property
    def requester(self) -> Requester:
        """Who asks, and what for."""
