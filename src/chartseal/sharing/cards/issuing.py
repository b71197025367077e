"""Issue SMART Health Cards: an issuer signs a Bundle by its P-256 key, for a QR code where it is small enough, else as
a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jws

from chartseal.errors import HealthCardError
from chartseal.keys.health_card import HealthCardKey
from chartseal.sharing._encoding import deflate
from chartseal.sharing.cards.keys import public_jwk, signing_key
from chartseal.sharing.cards.minified import minified, read_bundle, write
from chartseal.sharing.cards.numeric import to_numeric
from chartseal.sharing.cards.trust import check_issuer_url
from chartseal.sharing.cards.verifying import HEALTH_CARD, LARGEST_CARD, MOST_CARDS, REGISTRY

MOST_TYPES = 8
_TYPE = re.compile(r"https://smarthealth\.cards#[a-z0-9-]{1,40}", re.ASCII)
_RID = re.compile(r"[A-Za-z0-9_-]{1,24}", re.ASCII)
_FHIR_VERSION = "4.0.1"


@dataclass(frozen=True, slots=True)
class CardTerms:
    """What a card says of itself.

    Raises:
        HealthCardError: `card_issuer_malformed`, `card_terms_refused`.
    """

    issuer: str
    """The issuer's URL, below which its keys are served."""
    types: tuple[str, ...] = ()
    """Types besides `#health-card`, such as `https://smarthealth.cards#immunization`."""
    expires_at: datetime | None = None
    """Cards tell what happened, and mostly do not expire."""
    rid: str | None = None
    """By which it can be revoked: at most 24 characters of base64url, that tell nothing of the patient."""

    def __post_init__(self) -> None:
        """Refuse what the specification does not have."""
        check_issuer_url(self.issuer)
        if len(self.types) > MOST_TYPES or not all(_TYPE.fullmatch(each) for each in self.types):
            raise _refused(f"a card has at most {MOST_TYPES} types of https://smarthealth.cards#", "types")
        if self.rid is not None and not _RID.fullmatch(self.rid):
            raise _refused("a rid has at most 24 characters of base64url", "rid")


def issue(bundle: bytes | str, key: HealthCardKey, terms: CardTerms, *, now: datetime, for_qr: bool = True) -> str:
    """Sign a Bundle of FHIR resources as one card: a compact JWS. Numbers stay as they were written.

    For a QR code the Bundle is minified, and the card fits one code; else it is signed as it is, for a file.

    Raises:
        HealthCardError: `card_bundle_refused`, `limit_exceeded`; `card_terms_refused`: it would have expired already;
            `card_too_large`: it does not fit one code.
    """
    if terms.expires_at is not None and terms.expires_at <= now:
        raise _refused("the card would have expired already", "expires_at")
    held = read_bundle(bundle)
    subject = {"fhirVersion": _FHIR_VERSION, "fhirBundle": minified(held) if for_qr else held}
    vc: dict[str, Any] = {"type": [HEALTH_CARD, *terms.types], "credentialSubject": subject}
    if terms.rid is not None:
        vc["rid"] = terms.rid
    claims: dict[str, Any] = {"iss": terms.issuer, "nbf": int(now.timestamp()), "vc": vc}
    if terms.expires_at is not None:
        claims["exp"] = int(terms.expires_at.timestamp())
    header = {"zip": "DEF", "alg": "ES256", "kid": public_jwk(key)["kid"]}
    card = jws.serialize_compact(header, deflate(write(claims).encode()), signing_key(key), registry=REGISTRY)
    if for_qr:
        to_numeric(card)
    elif len(card) > LARGEST_CARD:
        raise HealthCardError("the card is too long", "limit_exceeded")
    return card


def write_file(cards: Sequence[str]) -> bytes:
    """A `.smart-health-card` file of signed cards.

    Raises:
        HealthCardError: `limit_exceeded`: none, or more than a file has.
    """
    if not 0 < len(cards) <= MOST_CARDS:
        raise HealthCardError(f"a file has 1 to {MOST_CARDS} cards", "limit_exceeded")
    return json.dumps({"verifiableCredential": list(cards)}).encode() + b"\n"


def _refused(detail: str, place: str) -> HealthCardError:
    return HealthCardError(detail, "card_terms_refused", place)
