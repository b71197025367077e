"""Recomputing an authority's trust roots from the chain, and saying what differs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chartseal.attestation import Address, Digest
from chartseal.chain.authority.trust_root import (
    EPOCH_SECONDS,
    AttestedRoot,
    TrustRoot,
    attested_roots,
    compute_trust_root,
    root_of,
)
from chartseal.chain.facts import ChainFacts
from chartseal.chain.schemas import ROLES

_MOST_TRIED = 256
"""Leaves up to which each is left out by turns."""
_EPOCHS_TRIED = 3


class Outcome(StrEnum):
    """What a check comes to."""

    AGREES = "agrees"
    DIFFERS = "differs"
    MISSING = "missing"
    """The authority attested none that stands."""


@dataclass(frozen=True, slots=True)
class Check:
    """One authority's root of one role and epoch, as attested and as recomputed."""

    outcome: Outcome
    computed: TrustRoot
    attested: tuple[AttestedRoot, ...]
    """Those that stand, oldest first."""
    differences: tuple[str, ...]
    """In words; of issuers by their address."""


def check_trust_root(facts: ChainFacts, authority: Address, role: str, epoch: int) -> Check:
    """Recompute a root and compare it with what the authority attested.

    A root that was attested before its epoch began, or beside another that stands, differs.

    Raises:
        AuthorityError, SchemaError, NodeError, IndexingError: as `trust_root`.
    """
    computed = compute_trust_root(facts, authority, role, epoch)
    attested = tuple(
        each
        for each in attested_roots(facts, authority)
        if (each.epoch, each.role) == (epoch, ROLES.index(role)) and not each.revoked_at
    )
    differences = tuple(_differences(facts, computed, attested))
    outcome = Outcome.DIFFERS if differences else Outcome.AGREES if attested else Outcome.MISSING
    return Check(outcome, computed, attested, differences)


def _differences(facts: ChainFacts, computed: TrustRoot, attested: Sequence[AttestedRoot]) -> Iterable[str]:
    if len(attested) > 1:
        yield f"{len(attested)} roots stand for this role and epoch"
    for each in attested:
        if each.attested_at < computed.epoch * EPOCH_SECONDS:
            yield "a root was attested before its epoch began"
        if each.root != computed.root:
            yield _guess(facts, computed, each.root)


def _guess(facts: ChainFacts, computed: TrustRoot, root: Digest) -> str:
    """What set of leaves the attested root stands over, as far as it is one that is easily tried."""
    for back in range(1, min(_EPOCHS_TRIED, computed.epoch) + 1):
        if compute_trust_root(facts, computed.authority, computed.role, computed.epoch - back).root == root:
            return f"the attested root is that of {back} epoch{'s' if back > 1 else ''} before"
    leaves = computed.leaves
    if len(leaves) <= _MOST_TRIED:
        for at, leaf in enumerate(leaves):
            if root_of(leaves[:at] + leaves[at + 1 :]) == root:
                address = f"0x{leaf.attester:040x}"
                return f"the attested root leaves out list {leaf.list} of {address}"
    return f"the attested root is not over the {len(leaves)} leaves that the chain gives"


def roots_to_check(
    facts: ChainFacts, authority: Address | None, role: str | None, epoch: int | None
) -> list[tuple[Address, str, int]]:
    """(authority, role, epoch) of what was attested and fits; without an epoch, the newest of each authority and role.

    A root of a role that is not known is passed over.
    """
    found: dict[tuple[Address, str], set[int]] = {}
    for each in attested_roots(facts, authority):
        if each.role >= len(ROLES) or each.revoked_at or role not in (None, ROLES[each.role]):
            continue
        if epoch in (None, each.epoch):
            found.setdefault((each.authority, ROLES[each.role]), set()).add(each.epoch)
    return [(who, what, max(epochs)) for (who, what), epochs in found.items()]
