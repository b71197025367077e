"""Verify SMART Health Cards: a signature by a trusted issuer's key, its times, its revocation, and what it holds.

Source: spec.smarthealth.cards 1.4; RFC 7515. The card's own issuer answers for what it says: no seal of ours is in it.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.registry import HeaderParameter

from chartseal import _json
from chartseal.errors import HealthCardError
from chartseal.sharing._encoding import from_base64url, inflate
from chartseal.sharing.cards.keys import KEY_ID, CardKey, find_key, is_revoked
from chartseal.sharing.cards.numeric import SCHEME, from_numeric
from chartseal.sharing.cards.trust import CardTrust, TrustedCardIssuer, check_issuer_url

HEALTH_CARD = "https://smarthealth.cards#health-card"
LARGEST_CARD = 1 << 18
"""Characters of a signed card."""
LARGEST_CLAIMS = 1 << 21
"""Bytes that it may inflate to."""
LARGEST_FILE = 1 << 22
MOST_CARDS = 32
"""Cards of one file."""
_LONGEST_HEADER = 512
_LAST_MOMENT = 253_402_300_799
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})", re.ASCII)
_RID = re.compile(r"[A-Za-z0-9_-]{1,24}", re.ASCII)

Revocation = Literal["not revoked", "not checked", "no list"]


@dataclass(frozen=True, slots=True)
class VerifiedCard:
    """A card whose every check has held."""

    issuer: str
    """Its URL."""
    issuer_name: str
    """As our own list has it; may be empty."""
    kid: str
    issued_at: datetime
    expires_at: datetime | None
    types: tuple[str, ...]
    fhir_version: str
    revocation: Revocation
    """`no list`: the issuer's key has none, or the card has no `rid`; `not checked`: nobody was asked for it."""
    claims: str = field(repr=False)
    """What was signed, as it was: JSON, number lexemes included."""

    @property
    def bundle(self) -> dict[str, Any]:
        """Its FHIR Bundle, decimals as Decimal."""
        parsed: dict[str, Any] = json.loads(self.claims, parse_float=Decimal)["vc"]["credentialSubject"]["fhirBundle"]
        return parsed


def verify_cards(data: bytes | str, trust: CardTrust, *, now: datetime) -> tuple[VerifiedCard, ...]:
    """Verify what was scanned or sent: `shc:/…` (a card's codes, one a line), a signed card, or a `.smart-health-card`
    file. Every card must hold.

    Raises:
        HealthCardError: as `read_cards` and `verify_card`.
    """
    return tuple(verify_card(card, trust, now=now) for card in read_cards(data))


def read_cards(data: bytes | str) -> list[str]:
    """The signed cards of an input; nothing of them is verified.

    Raises:
        HealthCardError: `card_malformed`, `card_incomplete`, `limit_exceeded`.
    """
    if len(data) > LARGEST_FILE:
        raise HealthCardError("the file is too long", "limit_exceeded")
    try:
        text = (data.decode() if isinstance(data, bytes) else data).strip()
    except UnicodeDecodeError as exc:
        raise _malformed("not UTF-8") from exc
    if text.startswith(SCHEME):
        return [from_numeric(text.split())]
    return _of_file(text) if text.startswith("{") else [text]


def _of_file(text: str) -> list[str]:
    try:
        members = _json.loads(text)
    except ValueError as exc:
        raise _malformed("not JSON") from exc
    cards = members.get("verifiableCredential")
    if not isinstance(cards, list) or not 0 < len(cards) <= MOST_CARDS:
        raise _malformed(f"a file has 1 to {MOST_CARDS} cards", "verifiableCredential")
    if not all(isinstance(card, str) for card in cards):
        raise _malformed("a card is a text", "verifiableCredential")
    return cards


def verify_card(card: str, trust: CardTrust, *, now: datetime) -> VerifiedCard:
    """Verify one signed card.

    Raises:
        HealthCardError: `card_malformed`, `card_issuer_malformed`, `limit_exceeded`; `card_issuer_untrusted`, before
            anybody is asked anything; `card_key_unknown`, `keys_malformed`, `keys_unavailable`; `card_signature`;
            `card_not_yet_valid`, `card_expired`; `card_revoked`, `revocations_malformed`, `revocations_unavailable`.
        SharingError: as `Fetcher`.
    """
    # fmt: off
    kid, payload = _read(card)                                       # 1. ES256 over DEFLATE, bounded, no key of its own
    claims = _claims(payload)
    issuer = trust.issuer(check_issuer_url(claims.get("iss")))       # 2. an issuer that we trust
    key = find_key(trust.keys(issuer), kid)                          # 3. whose key it is, by its thumbprint
    _check_signature(card, key)                                      # 4. signed by it
    issued_at, expires_at = _check_times(claims, now)                # 5. of this time
    types, fhir_version, rid = _content(claims)                      # 6. a health card with a Bundle
    revocation = _check_revocation(trust, issuer, key, rid, claims)  # 7. not revoked
    # fmt: on
    told = payload.decode()
    return VerifiedCard(issuer.iss, issuer.name, kid, issued_at, expires_at, types, fhir_version, revocation, told)


def _read(card: str) -> tuple[str, bytes]:
    """The id of the key that it names, and what it inflates to."""
    if len(card) > LARGEST_CARD:
        raise HealthCardError("the card is too long", "limit_exceeded")
    parts = _COMPACT.fullmatch(card)
    if parts is None or len(parts[1]) > _LONGEST_HEADER:
        raise _malformed("the card is no compact JWS")
    try:
        decoded = [from_base64url(part) for part in parts.groups()]
        header = _json.loads(decoded[0])
        payload = inflate(decoded[1], LARGEST_CLAIMS)
    except OverflowError as exc:
        raise HealthCardError("the card inflates to more than it may", "limit_exceeded") from exc
    except ValueError as exc:
        raise _malformed("the card is no compact JWS over DEFLATE") from exc
    return _checked_header(header), payload


def _checked_header(header: Any) -> str:
    """The key's id, once the header asks for nothing but what a card has: no other algorithm, no key of its own."""
    is_plain = isinstance(header, dict) and header.keys() <= {"alg", "zip", "kid", "typ"}
    if not is_plain or (header.get("alg"), header.get("zip")) != ("ES256", "DEF"):
        raise _malformed("a card is signed by ES256 over DEFLATE, and brings no key", "header")
    kid = header.get("kid")
    if not isinstance(kid, str) or not KEY_ID.fullmatch(kid):
        raise _malformed("a card names its key by its thumbprint", "kid")
    return kid


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = _json.loads(payload)
    except ValueError as exc:
        raise _malformed("what was signed is not JSON") from exc
    if not isinstance(claims, dict):
        raise _malformed("what was signed is no JSON object")
    return claims


def _check_signature(card: str, key: CardKey) -> None:
    try:
        jws.deserialize_compact(card, key.key, registry=REGISTRY)
    except (JoseError, ValueError, TypeError) as exc:
        raise HealthCardError("the card is not signed by its issuer's key", "card_signature") from exc


def _check_times(claims: dict[str, Any], now: datetime) -> tuple[datetime, datetime | None]:
    issued_at, expires_at = _moment(claims.get("nbf"), "nbf"), None
    if issued_at > now:
        raise HealthCardError("the card is not valid yet", "card_not_yet_valid", "nbf")
    if "exp" in claims:
        expires_at = _moment(claims["exp"], "exp")
        if expires_at <= now:
            raise HealthCardError("the card has expired", "card_expired", "exp")
    return issued_at, expires_at


def _moment(value: Any, place: str) -> datetime:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not 0 <= value <= _LAST_MOMENT:
        raise _malformed("expected seconds since 1970", place)
    return datetime.fromtimestamp(value, UTC)


def _content(claims: dict[str, Any]) -> tuple[tuple[str, ...], str, str | None]:
    """Types, version of FHIR, and the id by which it would be revoked."""
    vc = claims.get("vc")
    subject = vc.get("credentialSubject") if isinstance(vc, dict) else None
    if not isinstance(vc, dict) or not isinstance(subject, dict):
        raise _malformed("the card is no credential", "vc")
    types, rid, version = vc.get("type"), vc.get("rid"), subject.get("fhirVersion")
    if not isinstance(types, list) or not all(isinstance(each, str) for each in types) or HEALTH_CARD not in types:
        raise _malformed("the credential is no health card", "vc.type")
    if rid is not None and (not isinstance(rid, str) or not _RID.fullmatch(rid)):
        raise _malformed("a rid has at most 24 characters of base64url", "vc.rid")
    if not isinstance(version, str) or not version.startswith("4."):
        raise _malformed("the card is not of FHIR R4", "vc.credentialSubject.fhirVersion")
    bundle = subject.get("fhirBundle")
    entries = bundle.get("entry") if isinstance(bundle, dict) and bundle.get("resourceType") == "Bundle" else None
    if not isinstance(entries, list) or not entries or not all(_is_entry(each) for each in entries):
        raise _malformed("the card holds no Bundle of resources", "vc.credentialSubject.fhirBundle")
    return tuple(types), version, rid


def _is_entry(entry: Any) -> bool:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    return isinstance(resource, dict) and isinstance(resource.get("resourceType"), str)


def _check_revocation(
    trust: CardTrust, issuer: TrustedCardIssuer, key: CardKey, rid: str | None, claims: dict[str, Any]
) -> Revocation:
    if key.crl_version is None or rid is None:
        return "no list"
    listed = trust.revocations(issuer, key.kid)
    if listed is None:
        return "not checked"
    if is_revoked(listed, key, rid, claims["nbf"]):
        raise HealthCardError("the issuer revoked the card", "card_revoked", "rid")
    return "not revoked"


class _Registry(jws.JWSRegistry):
    """ES256 over what a card's header has; joserfc's own bound is for tokens."""

    max_payload_length = LARGEST_CARD


REGISTRY = _Registry({"zip": HeaderParameter("Compression", "str")}, algorithms=["ES256"])


def _malformed(detail: str, place: str = "") -> HealthCardError:
    return HealthCardError(detail, "card_malformed", place)
