"""An issuer's card: what it sends to an authority that is to accredit it, signed by the key that it seals with.

The signature keeps others from slipping in an endpoint or a transport key of their own; it says nothing of who the
issuer is, which is the authority's to find out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from chartseal import _core, _json
from chartseal.attestation import (
    ZERO_ADDRESS,
    Address,
    Digest,
    abi,
    address_from,
    checksum_address,
    from_hex,
    to_hex,
)
from chartseal.errors import AuthorityError, FieldEncodingError, KeyFormatError, PackageError, SignatureError
from chartseal.keys._files import FORMAT
from chartseal.keys.issuer import IssuerKey
from chartseal.keys.possession import verify_possession

KIND = "issuer-card"
LARGEST_CARD = 16_384
LONGEST_NAME = 200
"""Bytes of UTF-8."""
LONGEST_ENDPOINT = 500

# Written out, not asked of the Unicode database: every reader must agree on which accreditations are well formed,
# whatever its version. Controls, and characters that hide or turn around what stands beside them.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\U000e0000-\U000e0fff]"
)
_ENDPOINT = re.compile(
    r"https://(?=[^/:]{1,253}(?:[:/]|$))[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*(?::[1-9][0-9]{0,4})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?",
    re.ASCII,
)
_SIGNED = ("string", "address", "string", "string", "bytes32", "bytes", "bytes32", "address")


@dataclass(frozen=True, slots=True)
class IssuerCard:
    """Who an issuer says it is, and with which keys."""

    address: Address
    name: str
    endpoint: str
    """https URL of its node, or empty."""
    proving_key: bytes
    """Baby Jubjub point, packed: 32 bytes."""
    possession: bytes = field(repr=False)
    """The proving key's signature over the address: 64 bytes."""
    transport_key: bytes
    """X25519 public key: 32 bytes."""
    predecessor: Address = ZERO_ADDRESS
    """The issuer's address before this one, or zero."""
    signature: bytes = field(default=b"", repr=False)
    """Of the address over all of it: 65 bytes r, s, v."""

    @classmethod
    def make(cls, key: IssuerKey, *, name: str, endpoint: str = "", predecessor: Address = ZERO_ADDRESS) -> IssuerCard:
        """An issuer's card, signed.

        Raises:
            AuthorityError: `name_refused`, `endpoint_refused` or `card_malformed`.
            KeyFileError: the key is of an earlier form.
        """
        parts = (key.signer.address, name, endpoint, key.proving_key, key.possession(), key.transport_key, predecessor)
        unsigned = cls(*parts)
        unsigned._check_form()
        return cls(*parts, key.signer.sign_digest(unsigned.digest()))

    def digest(self) -> Digest:
        """H("issuer-card"; address, string name, string endpoint, bytes32 proving key, bytes possession, bytes32
        transport key, address predecessor): what the issuer signs.
        """
        kinds = [abi.parse_type(kind) for kind in _SIGNED]
        parts = (self.address, self.name, self.endpoint, self.proving_key, self.possession, self.transport_key)
        return Digest(_core.keccak256(abi.encode_all(kinds, [f"{FORMAT}/{KIND}", *parts, self.predecessor])))

    def _check_form(self) -> None:
        check_name(self.name)
        check_endpoint(self.endpoint)
        if self.predecessor == self.address:
            raise AuthorityError("an issuer is not its own predecessor", "card_malformed", "predecessor")

    def check(self) -> None:
        """Refuse a card that its address did not sign, or whose proving key it did not show to hold.

        Raises:
            AuthorityError: `name_refused`, `endpoint_refused`, `card_malformed`, `card_signature` or
                `possession_invalid`.
        """
        self._check_form()
        try:
            signer = _core.recover_address(self.digest(), self.signature)
        except (SignatureError, FieldEncodingError) as exc:
            raise AuthorityError("the card's signature is malformed", "card_signature", "signature") from exc
        if signer != self.address:
            raise AuthorityError("the card is not signed by its address", "card_signature", "signature")
        try:
            verify_possession(self.address, self.proving_key, self.possession)
        except (KeyFormatError, SignatureError) as exc:
            raise AuthorityError(exc.detail, "possession_invalid", "possession") from exc

    def to_json(self) -> str:
        """The card's text."""
        members = {
            "format": FORMAT,
            "kind": KIND,
            "address": checksum_address(self.address),
            "name": self.name,
            "endpoint": self.endpoint,
            "provingKey": to_hex(self.proving_key),
            "possession": to_hex(self.possession),
            "transportKey": to_hex(self.transport_key),
            "predecessor": checksum_address(self.predecessor),
            "signature": to_hex(self.signature),
        }
        return json.dumps(members, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: bytes | str) -> IssuerCard:
        """Read a card and check it.

        Raises:
            AuthorityError: `card_malformed`, or as `check`.
        """
        members = _members(text)
        try:
            card = cls(
                address=address_from(members["address"], "address"),
                name=_text(members["name"], "name"),
                endpoint=_text(members["endpoint"], "endpoint"),
                proving_key=from_hex(members["provingKey"], "provingKey", 32),
                possession=from_hex(members["possession"], "possession", 64),
                transport_key=from_hex(members["transportKey"], "transportKey", 32),
                predecessor=address_from(members["predecessor"], "predecessor"),
                signature=from_hex(members["signature"], "signature", 65),
            )
        except PackageError as exc:
            raise AuthorityError(exc.detail, "card_malformed", exc.path) from exc
        card.check()
        return card


_MEMBERS = {
    "format", "kind", "address", "name", "endpoint", "provingKey", "possession", "transportKey", "predecessor",
    "signature",
}  # fmt: skip


def _members(text: bytes | str) -> dict[str, Any]:
    try:
        data = _json.loads(text) if len(text) <= LARGEST_CARD else None
    except ValueError:
        data = None
    if not isinstance(data, dict) or data.keys() != _MEMBERS or (data["format"], data["kind"]) != (FORMAT, KIND):
        raise AuthorityError(f"the file is no {KIND} of {FORMAT}", "card_malformed")
    return data


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise AuthorityError("expected a text", "card_malformed", place)
    return value


def check_name(name: str) -> None:
    """Refuse a name that shows nothing, or not what it is.

    Raises:
        AuthorityError: `name_refused`.
    """
    if not 0 < len(name.encode(errors="surrogatepass")) <= LONGEST_NAME:
        raise AuthorityError(f"a name has 1 to {LONGEST_NAME} bytes", "name_refused", "name")
    if _UNSEEN.search(name) or name != name.strip(" ") or any("\ud800" <= char <= "\udfff" for char in name):
        raise AuthorityError("a name has characters that do not show", "name_refused", "name")


def check_endpoint(endpoint: str) -> None:
    """Refuse an endpoint that is no plain https URL: no user, query or fragment; an empty one is none.

    Raises:
        AuthorityError: `endpoint_refused`.
    """
    if endpoint and (len(endpoint) > LONGEST_ENDPOINT or not _ENDPOINT.fullmatch(endpoint)):
        raise AuthorityError("an endpoint is an https URL of a host and a path", "endpoint_refused", "endpoint")
