"""A successor notice: a holder leaves one sealing address for another, and tells providers so.

The signed field element is

    F("successor"; bytes old, bytes new, uint64 at)

with both addresses' 64 bytes and `at` in Unix seconds. The old address's spend key signs it. Where the new address has
another spend key, as after a lost wallet or when a patient takes over a wallet that somebody kept for her, that key
signs it too: else anybody could send a patient's records to an address of somebody who never asked for them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chartseal import _core, _json
from chartseal.attestation import from_hex, to_hex
from chartseal.errors import AttestationError, KeyFormatError, SuccessorError
from chartseal.keys.address import SealingAddress
from chartseal.keys.wallet import Wallet
from chartseal.predicates.hashes import field_element, to_bytes

FORMAT = "chartseal/1"
KIND = "successor"
LARGEST_NOTICE = 4_096
"""Bytes of JSON."""

_MEMBERS = frozenset({"format", "kind", "old", "new", "at", "signatures"})
_LAST_MOMENT = 253_402_300_799


@dataclass(frozen=True, slots=True)
class SuccessorNotice:
    """That one address follows another; true once `verify_successor` has returned."""

    old: SealingAddress
    new: SealingAddress
    at: int
    """Unix seconds."""
    signatures: tuple[bytes, ...] = field(repr=False)
    """By the old spend key, and by the new one where that is another: 64 bytes each."""

    @classmethod
    def make(
        cls,
        old: SealingAddress,
        wallet: Wallet,
        new: SealingAddress,
        *,
        now: datetime,
        new_wallet: Wallet | None = None,
    ) -> SuccessorNotice:
        """Sign with the old address's wallet, and with the new one's where that is another.

        Raises:
            SuccessorError: `successor_same`, or `successor_unsigned` where the new address's wallet is needed, or a
                wallet is not the address's.
        """
        at = int(now.timestamp())
        message = succession_message(old.data, new.data, at)
        signers = [wallet, *([] if new_wallet is None else [new_wallet])]
        notice = cls(old, new, at, tuple(signer.sign_message(message) for signer in signers))
        if [signer.sealing_address().spend_key for signer in signers] != notice.signers():
            raise SuccessorError("the wallets are not those of the addresses", "successor_unsigned")
        _require_other(notice)
        return notice

    def signers(self) -> list[bytes]:
        """The spend keys that must sign: 32 bytes each."""
        return list(dict.fromkeys([self.old.spend_key, self.new.spend_key]))

    def to_json(self) -> bytes:
        """Compact JSON, without a line end."""
        members = {
            "format": FORMAT,
            "kind": KIND,
            "old": str(self.old),
            "new": str(self.new),
            "at": self.at,
            "signatures": [to_hex(each) for each in self.signatures],
        }
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def loads(cls, text: bytes) -> SuccessorNotice:
        """Read a notice; nothing of it is verified.

        Raises:
            SuccessorError: `successor_malformed`.
        """
        try:
            data = _json.loads(text) if len(text) <= LARGEST_NOTICE else None
        except ValueError as exc:
            raise _malformed() from exc
        if not isinstance(data, dict) or data.keys() != _MEMBERS or (data["format"], data["kind"]) != (FORMAT, KIND):
            raise _malformed()
        at, signatures = data["at"], data["signatures"]
        if type(at) is not int or not 0 <= at <= _LAST_MOMENT or not isinstance(signatures, list):
            raise _malformed()
        try:
            signed = tuple(from_hex(each, "signatures", 64) for each in signatures)
            return cls(_address(data["old"]), _address(data["new"]), at, signed)
        except (AttestationError, KeyFormatError) as exc:
            raise _malformed() from exc


def succession_message(old: bytes, new: bytes, at: int) -> bytes:
    """The field element that is signed for two addresses of 64 bytes: 32 bytes, big-endian."""
    return to_bytes(field_element("successor", "bytes,bytes,uint64", old, new, at))


def verify_successor(
    notice: SuccessorNotice, *, current: SealingAddress, now: datetime, clock_skew: timedelta = timedelta(minutes=5)
) -> SealingAddress:
    """The new address, once everybody who must sign the notice has.

    `current` is the address that the provider seals to now. A notice of any other is refused: whoever has the words of
    an address that was left could else lead the patient away again, and an old notice be shown again.

    Raises:
        SuccessorError: `successor_superseded`, `successor_same`, `successor_unsigned` for too few or too many
            signatures, `successor_future`.
        SignatureError: a spend key did not sign it.
    """
    if notice.old != current:
        raise SuccessorError("the notice is not of the address that is sealed to now", "successor_superseded")
    _require_other(notice)
    if notice.at > (now + clock_skew).astimezone(UTC).timestamp():
        raise SuccessorError("the notice is of a time to come", "successor_future")
    signers = notice.signers()
    if len(signers) != len(notice.signatures):
        raise SuccessorError("both addresses' spend keys sign, each once", "successor_unsigned")
    message = succession_message(notice.old.data, notice.new.data, notice.at)
    for signer, signature in zip(signers, notice.signatures, strict=True):
        _core.verify_holder_signature(signer, message, signature)
    return notice.new


def _require_other(notice: SuccessorNotice) -> None:
    if notice.old == notice.new:
        raise SuccessorError("an address does not follow itself", "successor_same")


def _address(text: Any) -> SealingAddress:
    if not isinstance(text, str):
        raise _malformed()
    return SealingAddress.parse(text)


def _malformed() -> SuccessorError:
    return SuccessorError("not a successor notice", "successor_malformed")
