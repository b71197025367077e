"""What the answers ask before anything is shown: one decision for each opened record, and who asks.

`Gate` is bound to one request: who asks, which consents stand at that moment, which policy the site has. It is asked
again for every record of every page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal, Protocol

from chartseal.attestation import Digest

Interaction = Literal["r", "s"]
"""SMART's letter: `r` read, `s` search."""


class Part(StrEnum):
    """What of a permitted record may still be withheld."""

    NARRATIVE = "narrative"
    NOTES = "notes"
    ATTACHMENTS = "attachments"
    CLAIMS = "claims"


class Basis(StrEnum):
    """Why a record is opened."""

    CONSENT = "consent"
    SITE_POLICY = "site-policy"
    BREAK_GLASS = "break-glass"
    OWN_RECORD = "own-record"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What a decision looks at in a record."""

    holder: bytes
    """The packed spend key of the address that it is sealed to: 32 bytes."""
    resource_type: str
    codes: frozenset[str]
    """`system|code` of its code, medication or vaccine."""
    categories: frozenset[str]
    """`system|code`."""
    begins: date | None
    ends: date | None
    """First and last day of what it tells, as written; None where that is open or not told."""
    labels: frozenset[str]
    """`system|code` of its meta.security."""
    confidentiality: str | None
    """The highest of its Confidentiality codes."""
    is_labelled: bool
    """It bears a label."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a record may be shown, and why."""

    is_permitted: bool
    basis: Basis = Basis.NONE
    consent: Digest | None = None
    """The root of the consent that permits it."""
    reasons: tuple[str, ...] = ()
    """Codes."""
    withheld: frozenset[Part] = frozenset()
    duties: frozenset[str] = frozenset()
    """Codes of what the receiver is told with it: `part2-notice`."""


class Gate(Protocol):
    """Decides for one request: deny by default."""

    def __call__(self, record: RecordFacts, interaction: Interaction) -> Decision:
        """Whether who asks may have this record now."""


class Requester(Protocol):
    """Who asks, as far as the audit log tells it."""

    @property
    def account(self) -> bytes | None:
        """The accredited account, 20 bytes; None for a registered client."""

    @property
    def purpose(self) -> str:
        """A code of HL7's PurposeOfUse."""

    @property
    def person(self) -> str:
        """The individual, as the requester states it."""

    @property
    def organisation(self) -> str:
        """The organisation, as the requester states it."""


class Caller(Protocol):
    """An authenticated caller."""

    @property
    def client_id(self) -> str:
        """What its tokens are given to."""

    @property
    def requester(self) -> Requester:
        """Who asks, and what for."""
