"""What a dispense credit is worth, to whom, and who put the money there."""

from __future__ import annotations

from dataclasses import dataclass

from chartseal.attestation import ZERO_ADDRESS, Address
from chartseal.errors import CreditError

_ABOVE_ROLES = 1 << 128
_ABOVE_AMOUNT = 1 << 128


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one contract; they never change."""

    amount_wei: int
    """For each use."""
    payee_roles: int
    """Role bits of which a payee must have one when it is credited; 0: anybody is."""
    funder: Address
    """Who may take back what nobody was credited."""

    def __post_init__(self) -> None:
        """Refuse what the contract refuses.

        Raises:
            CreditError: `terms_malformed`.
        """
        if not 0 < self.amount_wei < _ABOVE_AMOUNT:
            raise CreditError("a use is worth at least one wei", "terms_malformed", "amount")
        if not 0 <= self.payee_roles < _ABOVE_ROLES:
            raise CreditError("roles are bits 0 to 127", "terms_malformed", "payees")
        if self.funder == ZERO_ADDRESS:
            raise CreditError("somebody must be the funder", "terms_malformed", "funder")
