"""Who asks, of what record, and what was decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from chartseal.attestation import Address, Digest
from chartseal.consent.scopes import Scopes
from chartseal.consent.vocabulary import Basis, Part, Purpose

Interaction = Literal["r", "s"]
"""Read one by its id, or search: a search's result is decided record by record, as a read is."""


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks, as its token and its accreditation say: nothing here is believed because a request says it."""

    account: Address | None
    """The accredited account; None of who has none."""
    roles: frozenset[str]
    """What it is accredited for now, of `verification.chain.ROLES`."""
    is_accredited: bool
    """Whether an authority that this site trusts stands for the account at this moment."""
    purpose: Purpose
    scopes: Scopes
    person: str = field(repr=False)
    """The individual who asks, as the client states it; empty where it does not."""
    organisation: str
    """The facility, likewise."""
    holder: bytes | None = field(default=None, repr=False)
    """The packed spend key, 32 bytes, of a patient who proved that it is hers: her own app."""


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What the decision asks of a record."""

    holder: bytes = field(repr=False)
    """The packed spend key of the address that it was sealed to: 32 bytes."""
    resource_type: str
    codes: frozenset[str] = field(repr=False)
    """"system|code" of every coding of its code, medication or vaccine."""
    categories: frozenset[str] = field(repr=False)
    """"system|code" of every coding of its category."""
    begins: date | None = field(repr=False)
    """The first day that it may be of (of a bare year its 1 January); None where it has no date."""
    ends: date | None = field(repr=False)
    """The last day that it may be of (of one day that day, of a bare year its 31 December); None where that is open."""
    labels: frozenset[str] = field(repr=False)
    """"system|code" of every coding of meta.security."""
    confidentiality: str | None = field(repr=False)
    """Its code of v3-Confidentiality; of several the strictest."""
    is_labelled: bool
    """Whether it has any security label: somebody has looked at what it tells."""
    mentioned: frozenset[str] = field(default=frozenset(), repr=False)
    """"system|code" of every coding anywhere in it, of what is contained too: exceptions count them, grants do not."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a record may be answered, why, and what of it not.

    `reasons` are for the audit log: said to a requester, they would tell that a record exists.
    """

    is_permitted: bool
    basis: Basis = Basis.NONE
    consent: Digest | None = None
    """The root of the consent that permits, where one does."""
    reasons: tuple[str, ...] = ()
    """Codes, sorted: why it is refused, or why parts are withheld."""
    withheld: frozenset[Part] = frozenset()
    duties: frozenset[str] = frozenset()
    """Codes of what whoever answers must do; see `deciding.DUTIES`."""
