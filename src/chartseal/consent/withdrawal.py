"""The withdrawal of a consent: always taken by its custodian, and good from the next request on.

The key that signed the consent signs F("consent-withdrawal"; bytes32 root). Format specification, section "Consent".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Protocol

from chartseal import _core, _json
from chartseal.attestation import Digest, digest_from, from_hex, to_hex
from chartseal.consent.terms import FORMAT
from chartseal.errors import AttestationError, ConsentError, KeyFormatError, SignatureError
from chartseal.keys import SealingAddress
from chartseal.predicates.hashes import withdrawal_message

KIND = "consent-withdrawal"
LARGEST_WITHDRAWAL = 2_048
"""Bytes of JSON."""

_MEMBERS = frozenset({"format", "kind", "root", "holder", "signature"})


class Withdrawer(Protocol):
    """A wallet: withdraws what it signed."""

    def sealing_address(self, address: int = 0, epoch: int = 0) -> SealingAddress:
        """One of its addresses; they share the spend key."""

    def sign_withdrawal(self, root: bytes) -> bytes:
        """Sign a withdrawal: 64 bytes."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That the consent of one root, signed by one key, counts no more; true once `verify` has returned."""

    root: Digest
    """The consent's: 32 bytes."""
    holder: bytes = field(repr=False)
    """The spend key that signed both, packed: 32 bytes. It withdraws consents of its own alone."""
    signature: bytes = field(repr=False)
    """64 bytes."""

    @classmethod
    def sign(cls, root: Digest, wallet: Withdrawer) -> Withdrawal:
        """Withdraw a consent of this wallet: its root is enough.

        Raises:
            FieldEncodingError: the root has not 32 bytes.
        """
        return cls(root, wallet.sealing_address().spend_key, wallet.sign_withdrawal(root))

    def verify(self) -> None:
        """Check that the holder that it names signed it.

        Raises:
            ConsentError: `withdrawal_invalid`.
        """
        try:
            _core.verify_holder_signature(self.holder, withdrawal_message(self.root), self.signature)
        except (SignatureError, KeyFormatError) as exc:
            raise ConsentError("the patient did not sign the withdrawal", "withdrawal_invalid") from exc

    def to_json(self) -> bytes:
        """Compact JSON, without a line end."""
        members = {
            "format": FORMAT,
            "kind": KIND,
            "root": to_hex(self.root),
            "holder": to_hex(self.holder),
            "signature": to_hex(self.signature),
        }
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def loads(cls, text: bytes) -> Withdrawal:
        """Read a withdrawal; nothing of it is verified.

        Raises:
            ConsentError: `withdrawal_malformed`.
        """
        try:
            data = _json.loads(text) if len(text) <= LARGEST_WITHDRAWAL else None
        except ValueError as exc:
            raise _malformed() from exc
        if not isinstance(data, dict) or data.keys() != _MEMBERS or (data["format"], data["kind"]) != (FORMAT, KIND):
            raise _malformed()
        try:
            root, holder = digest_from(data["root"], "root"), from_hex(data["holder"], "holder", 32)
            return cls(root, holder, from_hex(data["signature"], "signature", 64))
        except AttestationError as exc:
            raise _malformed() from exc


def _malformed() -> ConsentError:
    return ConsentError("not a withdrawal of a consent", "withdrawal_malformed")
