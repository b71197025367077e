"""Made-up issuers with keys, and what an authority grants them."""

from __future__ import annotations

from typing import NamedTuple

from chartseal import _core
from chartseal.attestation import Address
from chartseal.chain.authority import Grant
from chartseal.keys.possession import possession_message

AUTHORITY = Address(b"\xaa" * 20)
STRANGER = Address(b"\xbb" * 20)


class MadeIssuer(NamedTuple):
    address: Address
    key: _core.ProvingKey

    @property
    def proving_key(self) -> bytes:
        return self.key.public()

    def possession(self) -> bytes:
        return self.key.sign(possession_message(self.address, self.proving_key))


def issuer(number: int, key: int | None = None) -> MadeIssuer:
    """The issuer of that number; `key` gives it another's proving key."""
    secret = (7_000 + (number if key is None else key)).to_bytes(32, "little")
    return MadeIssuer(Address(_core.keccak256(number.to_bytes(8))[:20]), _core.ProvingKey(secret))


def granted(
    made: MadeIssuer,
    *roles: str,
    proving_key: bytes | None = None,
    possession: bytes | None = None,
    valid_from: int = 0,
    expires_at: int = 0,
    predecessor: Address | None = None,
    endpoint: str = "https://issuer.example/node",
) -> Grant:
    grant = {} if predecessor is None else {"predecessor": predecessor}
    return Grant(
        issuer=made.address,
        name="Issuer of the tests",
        roles=frozenset(roles or ("pharmacy",)),
        proving_key=made.proving_key if proving_key is None else proving_key,
        possession=made.possession() if possession is None else possession,
        transport_key=b"\x7a" * 32,
        endpoint=endpoint,
        valid_from=valid_from,
        expires_at=expires_at,
        **grant,
    )
