"""Consents as who asks checks them: signed, for the custodian, for us, in force, not withdrawn as far as we know.

Purposes, codes, dates and labels are the custodian's to decide by: a reader sees what it decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from chartseal.attestation import Address
from chartseal.consent import Consent, Withdrawal
from chartseal.consent.vocabulary import resource_types
from chartseal.errors import ConsentError
from chartseal.verification import CheckedConsent


@dataclass(frozen=True)
class GranteesConsents:
    """Who we are, and which withdrawals reached us: a `ConsentCheck`."""

    account: Address | None
    """Ours, 20 bytes."""
    roles: frozenset[str] = frozenset()
    """Those that we are accredited for."""
    withdrawn: frozenset[tuple[bytes, bytes]] = field(default=frozenset())
    """(root, holder) of each withdrawal: a holder withdraws consents of her own alone."""

    @classmethod
    def of(
        cls, account: Address | None, roles: Iterable[str] = (), withdrawals: Iterable[Withdrawal] = ()
    ) -> GranteesConsents:
        """Take withdrawals that their holders signed.

        Raises:
            ConsentError: `withdrawal_invalid`.
        """
        known = list(withdrawals)
        for each in known:
            each.verify()
        return cls(account, frozenset(roles), frozenset((bytes(each.root), each.holder) for each in known))

    def __call__(self, document: bytes, *, custodian: Address, now: datetime) -> CheckedConsent:
        """The consent, if it lets that custodian show records to us now.

        Raises:
            ConsentError: as `Consent.loads` and `Consent.verify`; `consent_other_grantee`, `consent_withdrawn`.
        """
        verified = Consent.loads(document).verify(custodian, now)
        terms = verified.terms
        if not terms.grantee.is_one_of(self.account, self.roles):
            raise ConsentError("the consent is for another than us", "consent_other_grantee")
        if (bytes(verified.root), terms.holder) in self.withdrawn:
            raise ConsentError("the consent was withdrawn", "consent_withdrawn")
        types = (terms.types or resource_types()) - terms.exceptions.types
        return CheckedConsent(verified.root, terms.holder, types)
