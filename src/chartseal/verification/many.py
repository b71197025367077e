"""Verify many disclosures: the proofs of all at once, errors by member."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeAlias

from chartseal.errors import VerificationError
from chartseal.verification import holder, predicates
from chartseal.verification.chain import ChainView
from chartseal.verification.policy import TrustPolicy
from chartseal.verification.report import VerifiedDisclosure
from chartseal.verification.seals import Setting
from chartseal.verification.steps import Examined, Request, examine
from chartseal.verification.trust_roots import TrustRoots

Outcome: TypeAlias = VerifiedDisclosure | VerificationError


def verify_many(
    requests: Iterable[Request],
    trust: TrustPolicy,
    *,
    now: datetime,
    chain: ChainView | None = None,
    nonces: holder.NonceStore | None = None,
) -> list[Outcome]:
    """What `verify` returns or raises for each, in their order; the chain is asked for trust roots once.

    Raises:
        ChainError: as the chain view raised it: nothing is verified.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    roots = TrustRoots(Setting(trust, now, chain, {}))
    examined: list[Examined | VerificationError] = []
    for request in requests:
        try:
            setting = Setting(trust, now, chain, request.anchors)
            examined.append(examine(request, setting, roots, has_store=nonces is not None))
        except VerificationError as refusal:
            examined.append(refusal)
    refused = _refused([each for each in examined if isinstance(each, Examined)])
    return [_outcome(each, refused, nonces) for each in examined]


def _refused(examined: Sequence[Examined]) -> dict[int, VerificationError]:
    """Those whose proofs do not hold, by the identity of the object; halves of what fails are tried again."""
    try:
        predicates.check_all([proof for each in examined for proof in each.checkable])
    except VerificationError as refusal:
        if len(examined) == 1:
            return {id(examined[0]): refusal}
        middle = len(examined) // 2
        return _refused(examined[:middle]) | _refused(examined[middle:])
    return {}


def _outcome(
    examined: Examined | VerificationError, refused: dict[int, VerificationError], nonces: holder.NonceStore | None
) -> Outcome:
    if isinstance(examined, VerificationError):
        return examined
    if id(examined) in refused:
        return refused[id(examined)]
    try:
        holder.spend_nonce(examined.result.nonce, examined.result.expires_at, nonces)
    except VerificationError as refusal:
        return refusal
    return examined.result
