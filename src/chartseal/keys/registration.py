"""A provider registers a sealing address only after its holder signed a challenge with the spend key.

The signed field element is

    F("registration"; bytes32 challenge, bytes address, bytes32 keccak256(origin), uint64 expiry)

with `challenge` 32 fresh random bytes of the provider, `address` the sealing address's 64 bytes, `origin` the
provider's authenticated origin as UTF-8 (the wallet takes it from its connection, never from the request), and
`expiry` in Unix seconds. The signature is EdDSA-Poseidon under S, packPoint(R) ‖ LE(S), 64 bytes. An expired challenge
is refused.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from chartseal import _core
from chartseal.errors import RegistrationError
from chartseal.keys.address import SealingAddress
from chartseal.keys.wallet import Wallet


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a provider asks a holder to sign; used once."""

    value: bytes
    """32 random bytes."""
    origin: str
    """The provider's authenticated origin, such as `https://hospital.example`."""
    expiry: int
    """Unix seconds."""

    @classmethod
    def fresh(cls, origin: str, expires_at: datetime) -> Challenge:
        """A new challenge."""
        return cls(secrets.token_bytes(32), origin, int(expires_at.timestamp()))

    def message(self, address: SealingAddress) -> bytes:
        """The field element that is signed: 32 bytes, big-endian."""
        return _core.registration_message(self.value, address.data, self.origin, self.expiry)

    def sign(self, wallet: Wallet, *, address: int = 0, epoch: int = 0) -> bytes:
        """The holder's answer, 64 bytes."""
        return wallet.sign_message(self.message(wallet.sealing_address(address, epoch)))


def verify_registration(challenge: Challenge, address: SealingAddress, signature: bytes, *, now: datetime) -> None:
    """Check the holder's answer to a challenge that the provider gave and has not yet used.

    Raises:
        RegistrationError: the challenge has expired.
        SignatureError: the address's spend key did not sign it.
    """
    if now.timestamp() > challenge.expiry:
        raise RegistrationError("the registration challenge has expired")
    _core.verify_holder_signature(address.spend_key, challenge.message(address), signature)
