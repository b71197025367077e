"""By what an account vouches for its node: its accredited key signs the address and the keys that the node serves.

An accreditation says where an account's node is; whoever later gets hold of that name or server could serve keys of its
own. So the key set of `/.well-known/jwks.json` carries a statement beside its keys (other readers pass over it):

    "chartseal": {"account": "0x…", "until": 1772600767, "signature": "0x…"}

The signed digest is H("node-keys"; address account, string base URL, bytes32[] thumbprints, uint64 until): the RFC 7638
SHA-256 thumbprints of all keys that the set has for us, ascending; `until` in Unix seconds. It is signed anew at
each answer and counts for minutes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chartseal import _core, _json
from chartseal.attestation import Address, Digest, Signer, abi, address_from, checksum_address, from_hex, to_hex
from chartseal.errors import FieldEncodingError, PackageError, PeerError, SignatureError
from chartseal.node.smart.jose import KeySet

NAME = "chartseal"
"""The statement's member in a key set."""
LIFE = timedelta(minutes=15)
LONGEST_LIFE = timedelta(hours=1)
"""A statement that would count longer is refused."""

_DOMAIN = "chartseal/1/node-keys"
_KINDS = [abi.parse_type(kind) for kind in ("string", "address", "string", "bytes32[]", "uint64")]
_MEMBERS = frozenset({"account", "until", "signature"})


@dataclass(frozen=True, slots=True)
class Statement:
    """What stands in a key set; true once `check` has returned."""

    account: Address
    until: int
    """Unix seconds."""
    signature: bytes = field(repr=False)
    """65 bytes r, s, v."""

    @classmethod
    def make(cls, signer: Signer, base_url: str, keys: KeySet, now: datetime) -> Statement:
        """Vouch for these keys at that base URL, for a quarter of an hour."""
        until = int((now + LIFE).timestamp())
        signature = signer.sign_digest(_digest(signer.address, base_url, keys, until))
        return cls(signer.address, until, signature)

    def check(self, account: Address, base_url: str, keys: KeySet, now: datetime) -> None:
        """Refuse what that account did not sign for that base URL and these keys, or not for now.

        Raises:
            PeerError: `peer_not_account`.
        """
        seconds = now.timestamp()
        if not seconds < self.until <= seconds + LONGEST_LIFE.total_seconds():
            raise _not_account("the statement beside its keys has ended, or counts for too long")
        try:
            signer = _core.recover_address(_digest(account, base_url, keys, self.until), self.signature)
        except (SignatureError, FieldEncodingError) as exc:
            raise _not_account("the statement beside its keys is not signed") from exc
        if self.account != account or signer != account:
            raise _not_account("the account did not vouch for the keys that its node serves")

    def to_json(self) -> dict[str, Any]:
        """The member's value."""
        return {
            "account": checksum_address(self.account),
            "until": self.until,
            "signature": to_hex(self.signature),
        }

    @classmethod
    def of_key_set(cls, text: bytes) -> Statement:
        """The statement in a key set's text, which was read before.

        Raises:
            PeerError: `peer_not_account`: there is none, or it is malformed.
        """
        try:
            data = _json.loads(text)
        except ValueError as exc:
            raise _not_account("its keys are no JSON") from exc
        found = data.get(NAME) if isinstance(data, dict) else None
        if not isinstance(found, Mapping) or found.keys() != _MEMBERS or type(found["until"]) is not int:
            raise _not_account("there is no statement of an account beside its keys")
        try:
            account = address_from(found["account"], "account")
            return cls(account, found["until"], from_hex(found["signature"], "signature", 65))
        except PackageError as exc:
            raise _not_account("the statement beside its keys is malformed") from exc


def _digest(account: Address, base_url: str, keys: KeySet, until: int) -> Digest:
    thumbprints = sorted(base64.urlsafe_b64decode(key.thumbprint() + "=") for key in keys.keys.values())
    return Digest(_core.keccak256(abi.encode_all(_KINDS, [_DOMAIN, account, base_url, thumbprints, until])))


def _not_account(detail: str) -> PeerError:
    return PeerError(detail, "peer_not_account")
