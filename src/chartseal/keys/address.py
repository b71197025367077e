"""The sealing address that a holder gives to a provider."""

from __future__ import annotations

from dataclasses import dataclass

from chartseal import _core


@dataclass(frozen=True, slots=True)
class SealingAddress:
    """pack(S) ‖ view public key, 64 bytes; as text bech32m with prefix `seal` and no length limit.

    Source: BIP-350 (bech32m); format specification, holder keys.
    """

    data: bytes

    def __post_init__(self) -> None:
        """Refuse what is no address: KeyFormatError, with the core's code."""
        _core.format_address(self.data)

    @classmethod
    def parse(cls, text: str) -> SealingAddress:
        """Read the text form, all lower or all upper case.

        Raises:
            KeyFormatError: `address_malformed`, `view_key_invalid`, or a refusal of the spend key as a point.
        """
        return cls(_core.parse_address(text.strip()))

    def __str__(self) -> str:
        return _core.format_address(self.data)

    @property
    def spend_key(self) -> bytes:
        """S, packed: 32 bytes."""
        return self.data[:32]

    def holder_commitment(self) -> bytes:
        """The value of claim 0 of every record sealed to the address: 32 bytes, big-endian."""
        return _core.holder_commitment(self.spend_key)
