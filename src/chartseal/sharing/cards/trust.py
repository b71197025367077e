"""Whose cards are believed, and where their keys come from.

[[issuer]]
iss = "https://clinic.example/cards"
name = "Clinic"
jwks = "clinic-keys.json"     # else asked for at <iss>/.well-known/jwks.json
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chartseal.errors import HealthCardError
from chartseal.sharing.cards.keys import LARGEST_KEY_SET, LARGEST_REVOCATIONS
from chartseal.sharing.fetching import Fetcher

LARGEST_TRUST = 1 << 20
MOST_ISSUERS = 10_000
LONGEST_NAME = 200
LONGEST_ISSUER = 500
_OK = 200


@dataclass(frozen=True, slots=True)
class TrustedCardIssuer:
    """One issuer of cards."""

    iss: str
    name: str = ""
    keys: bytes | None = field(default=None, repr=False)
    """Its key set, where it is kept here."""


@dataclass(frozen=True, slots=True)
class CardTrust:
    """The issuers whose cards are believed: a card of another is refused before anything is asked of it."""

    issuers: Mapping[str, TrustedCardIssuer]
    fetch: Fetcher | None = field(default=None, repr=False)
    """What asks issuers; None where nobody is asked."""

    @classmethod
    def load(cls, path: Path, *, fetch: Fetcher | None = None) -> CardTrust:
        """Read a file of issuers; key sets are named from its folder.

        Raises:
            HealthCardError: `card_trust_invalid`, `file_unreadable`, `limit_exceeded`.
        """
        try:
            members = tomllib.loads(_read(path, LARGEST_TRUST).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise _invalid("not TOML") from exc
        listed = members.get("issuer")
        if members.keys() != {"issuer"} or not isinstance(listed, list) or not 0 < len(listed) <= MOST_ISSUERS:
            raise _invalid(f"expected 1 to {MOST_ISSUERS} tables [[issuer]]")
        found: dict[str, TrustedCardIssuer] = {}
        for at, each in enumerate(listed):
            issuer = _issuer(each, path.parent, f"issuer[{at}]")
            if issuer.iss in found:
                raise _invalid("an issuer stands twice", f"issuer[{at}]")
            found[issuer.iss] = issuer
        return cls(found, fetch)

    def issuer(self, iss: str) -> TrustedCardIssuer:
        """The issuer that a card names.

        Raises:
            HealthCardError: `card_issuer_untrusted`.
        """
        if iss not in self.issuers:
            raise HealthCardError("the card's issuer is not one that is trusted here", "card_issuer_untrusted", "iss")
        return self.issuers[iss]

    def keys(self, issuer: TrustedCardIssuer) -> bytes:
        """Its key set's text.

        Raises:
            HealthCardError: `keys_unavailable`.
            SharingError: as `Fetcher`.
        """
        if issuer.keys is not None:
            return issuer.keys
        return self._ask(f"{issuer.iss}/.well-known/jwks.json", LARGEST_KEY_SET, "keys_unavailable")

    def revocations(self, issuer: TrustedCardIssuer, kid: str) -> bytes | None:
        """The text of a key's list of revoked cards; None where nobody is asked.

        Raises:
            HealthCardError: `revocations_unavailable`.
            SharingError: as `Fetcher`.
        """
        if self.fetch is None:
            return None
        place = f"{issuer.iss}/.well-known/crl/{kid}.json"
        return self._ask(place, LARGEST_REVOCATIONS, "revocations_unavailable")

    def _ask(self, url: str, most: int, code: str) -> bytes:
        if self.fetch is None:
            raise HealthCardError("the issuer's keys are not kept here, and it is not asked", code)
        answer = self.fetch(url, most=most)
        if answer.status != _OK:
            raise HealthCardError("the issuer does not give what its cards need", code)
        return answer.body


def check_issuer_url(iss: Any) -> str:
    """An issuer's URL: https, without a `/` at its end, a query or a fragment.

    Raises:
        HealthCardError: `card_issuer_malformed`.
    """
    is_plain = isinstance(iss, str) and iss.isascii() and iss.isprintable() and not set(iss) & set(" ?#@\\")
    if not is_plain or len(iss) > LONGEST_ISSUER or not iss.startswith("https://") or iss.endswith("/"):
        raise HealthCardError("an issuer is an https URL without a / at its end", "card_issuer_malformed", "iss")
    return str(iss)


def _issuer(members: Any, folder: Path, place: str) -> TrustedCardIssuer:
    if not isinstance(members, dict) or not members.keys() <= {"iss", "name", "jwks"}:
        raise _invalid("an issuer has iss, name and jwks", place)
    name, keys = members.get("name", ""), members.get("jwks")
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not name.isprintable():
        raise _invalid(f"a name is a text of at most {LONGEST_NAME} characters, which show", place)
    if keys is not None and not isinstance(keys, str):
        raise _invalid("jwks names a file", place)
    try:
        iss = check_issuer_url(members.get("iss"))
    except HealthCardError as exc:
        raise _invalid(exc.detail, place) from exc
    return TrustedCardIssuer(iss, name, None if keys is None else _read(folder / keys, LARGEST_KEY_SET))


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except (OSError, ValueError) as exc:
        told = exc.strerror if isinstance(exc, OSError) else "not a name"
        raise HealthCardError(f"cannot be read: {told}", "file_unreadable", path.name) from exc
    if len(data) > most:
        raise HealthCardError("the file is too long", "limit_exceeded", path.name)
    return data


def _invalid(detail: str, place: str = "") -> HealthCardError:
    return HealthCardError(detail, "card_trust_invalid", place)
