"""What anonymous proofs prove of seals that nobody sees: the steps' words for it."""

from __future__ import annotations

from dataclasses import dataclass

from chartseal.disclosure.form import UnverifiedDisclosure
from chartseal.disclosure.statements import ANONYMOUS, publics

_ANONYMOUS_INPUTS = len(publics(ANONYMOUS))


@dataclass(frozen=True)
class Inside:
    """How many proofs a disclosure has, and of how many records that are not shown; step 12 checks all of them."""

    proofs: int = 0
    anonymous: int = 0
    records: int = 0

    @classmethod
    def of(cls, disclosure: UnverifiedDisclosure) -> Inside:
        """Count; which proofs are anonymous is told by the number of their public inputs until their keys are known."""
        anonymous = sum(len(proof.inputs) == _ANONYMOUS_INPUTS for proof in disclosure.proofs)
        return cls(len(disclosure.proofs), anonymous, len(disclosure.records))

    @property
    def is_some(self) -> bool:
        """Whether there are anonymous proofs."""
        return self.anonymous > 0

    def _of(self, what: str) -> str:
        return f"{self.anonymous} anonymous: {what}" if self.anonymous else ""

    @property
    def nothing_opened(self) -> str:
        """Of steps 2 to 4."""
        return "" if self.records or not self.proofs else "no record is opened"

    @property
    def signature(self) -> str:
        """Of step 5."""
        return self._of("the issuer's signature of a credential is proved")

    @property
    def issuer(self) -> str:
        """Of step 6."""
        return self._of("an issuer under an authority's trust root is proved")

    @property
    def time(self) -> str:
        """Of step 7."""
        return self._of("not expired when the trust root's day began is proved")

    @property
    def revocation(self) -> str:
        """Of step 8."""
        return self._of("not revoked when the trust root's day began is proved")

    @property
    def anchor(self) -> str:
        """Of step 9, which cannot be checked of them."""
        return self._of("a proof shows no anchor")

    @property
    def holder(self) -> str:
        """Of step 10."""
        return self._of("the holder's secret is proved")

    @property
    def count(self) -> str:
        """Of step 12."""
        return f"{self.proofs} proofs" if self.proofs > 1 else "one proof" if self.proofs else "no proofs"
