"""What ties proofs to one request: the context that every proof is made in, and the scope in which a use is spent.

Both are recomputed by whoever checks, from what it knows itself; format specification, section "Presentation".
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chartseal import _core
from chartseal.attestation import ZERO_ADDRESS, Address, address_from, checksum_address, from_hex, to_hex
from chartseal.errors import AttestationError, DisclosureFormError
from chartseal.predicates.hashes import field_element, to_bytes

NONCE_SIZE = 32
LONGEST_PURPOSE = 256
"""Characters of what a use is spent for."""

FIELD_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""BN254's scalar field: public inputs lie below it. Source: EIP-197's group order."""

MOST_USES = (1 << 16) - 1

_MEMBERS = ("holderNonce", "chain", "contract", "payee", "purpose", "period")
_ABOVE_UINT64 = 1 << 64
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Terms:
    """For whom besides the audience a presentation counts, and the use that it spends.

    Off chain `chain`, `contract` and `payee` are zero. `purpose` is empty where no use is spent. `period` numbers the
    stretch of time in which a use counts once, in the verifier's own count; 0 for a limited number of uses.
    """

    chain: int = 0
    """EIP-155's chain id."""
    contract: Address = ZERO_ADDRESS
    """The contract that checks the presentation."""
    payee: Address = ZERO_ADDRESS
    """Whom the contract credits, so that nobody who sees the presentation first can take its place."""
    purpose: str = ""
    period: int = 0

    def __post_init__(self) -> None:
        """Refuse what the format does not have.

        Raises:
            DisclosureFormError: `terms_malformed`.
        """
        if not (0 <= self.chain < _ABOVE_UINT64 and 0 <= self.period < _ABOVE_UINT64):
            raise _malformed("a chain and a period are integers of 64 bits")
        if len(self.contract) != len(ZERO_ADDRESS) or len(self.payee) != len(ZERO_ADDRESS):
            raise _malformed("a contract and a payee are addresses")
        if not self.chain and (self.contract, self.payee) != (ZERO_ADDRESS, ZERO_ADDRESS):
            raise _malformed("a contract and a payee are on a chain")
        if self.chain and self.contract == ZERO_ADDRESS:
            raise _malformed("on a chain a contract checks")
        if len(self.purpose) > LONGEST_PURPOSE or _UNPRINTABLE.search(self.purpose):
            raise _malformed("a purpose is a short text without control characters")
        if self.period and not self.purpose:
            raise _malformed("a period is for a use that is spent")

    @property
    def spends(self) -> bool:
        """Whether a use is spent."""
        return self.purpose != ""


NO_TERMS = Terms()
"""Off chain, and no use is spent."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a presentation's proofs are bound to besides audience, nonce and expiry.

    `holder_nonce` is the wallet's own, fresh for every presentation: else a verifier that gives one nonce twice would
    get one pseudonym twice, and know the holder again.
    """

    holder_nonce: bytes = field(repr=False)
    """32 bytes, not zero."""
    terms: Terms = NO_TERMS

    @classmethod
    def fresh(cls, terms: Terms = NO_TERMS) -> Binding:
        """With a holder nonce from the operating system."""
        return cls(secrets.token_bytes(NONCE_SIZE), terms)

    def context(self, audience: str, nonce: bytes, expiry: int) -> bytes:
        """F("context"; …): 32 bytes. `nonce` is the verifier's, 32 bytes; `expiry` is in Unix seconds."""
        terms = self.terms
        values = (nonce, self.holder_nonce, expiry, terms.chain, terms.contract, terms.payee)
        kinds = "bytes32,bytes32,bytes32,uint64,uint256,address,address"
        return to_bytes(field_element("context", kinds, _core.keccak256(audience.encode()), *values))

    def scope(self, audience: str, context: bytes) -> bytes:
        """F("scope"; …) where a use is spent, else the context itself: 32 bytes."""
        return scope(audience, self.terms) if self.terms.spends else context

    def to_json(self) -> dict[str, Any]:
        """The members in the format's order."""
        terms = self.terms
        return {
            "holderNonce": to_hex(self.holder_nonce),
            "chain": terms.chain,
            "contract": checksum_address(terms.contract),
            "payee": checksum_address(terms.payee),
            "purpose": terms.purpose,
            "period": terms.period,
        }

    @classmethod
    def from_json(cls, data: Any, place: str = "binding") -> Binding:
        """Read a binding.

        Raises:
            DisclosureFormError: malformed, `terms_malformed`, or `holder_nonce_malformed`.
        """
        if not isinstance(data, Mapping) or data.keys() != set(_MEMBERS):
            raise DisclosureFormError("expected an object with exactly the members of a binding", path=place)
        try:
            nonce = from_hex(data["holderNonce"], "holderNonce", NONCE_SIZE)
            contract, payee = (address_from(data[name], name) for name in ("contract", "payee"))
        except AttestationError as exc:
            raise DisclosureFormError(exc.detail, path=f"{place} {exc.path}") from exc
        if nonce == bytes(NONCE_SIZE):
            raise DisclosureFormError("the holder gave no nonce", "holder_nonce_malformed", f"{place} holderNonce")
        numbers = [data["chain"], data["period"]]
        if any(not isinstance(each, int) or isinstance(each, bool) for each in numbers):
            raise DisclosureFormError("expected an integer", "terms_malformed", place)
        if not isinstance(data["purpose"], str):
            raise DisclosureFormError("expected a text", "terms_malformed", place)
        return cls(nonce, Terms(data["chain"], contract, payee, data["purpose"], data["period"]))


def scope(audience: str, terms: Terms) -> bytes:
    """F("scope"; string purpose, bytes32 keccak256(audience), uint256 chain, address contract, uint64 period): the
    space in which each use of a credential has one nullifier. 32 bytes.
    """
    values = (_core.keccak256(audience.encode()), terms.chain, terms.contract, terms.period)
    return to_bytes(field_element("scope", "string,bytes32,uint256,address,uint64", terms.purpose, *values))


def seconds(moment: datetime) -> int:
    """Unix seconds of an aware time, as expiries are written."""
    return int(moment.timestamp())


def _malformed(detail: str) -> DisclosureFormError:
    return DisclosureFormError(detail, "terms_malformed", "binding")
