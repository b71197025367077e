"""Which of an authority's attested trust roots count: that of the newest day, and that of the day before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from chartseal.chain.authority.trust_root import EPOCH_SECONDS, AttestedRoot
from chartseal.chain.schemas import ROLES


def counting(attested: Iterable[AttestedRoot], role: str, at: int, final: int) -> tuple[AttestedRoot, ...]:
    """The roots for a role that count at a time, the newest first; times are Unix seconds.

    Newest is the last day that had begun then and has a root that counts. `final` is the last second of which
    everything is final: a root counts once it is, a revocation and a second root for the same day (then none counts) at
    once. One that was attested before its day began never counts.
    """
    of_epoch: dict[int, list[AttestedRoot]] = defaultdict(list)
    for each in attested:
        if each.role == ROLES.index(role) and not each.revoked_at:
            of_epoch[each.epoch].append(each)
    alone = {epoch: roots[0] for epoch, roots in of_epoch.items() if len(roots) == 1}
    standing = {
        epoch: each
        for epoch, each in alone.items()
        if epoch * EPOCH_SECONDS <= each.attested_at <= final and epoch * EPOCH_SECONDS <= at
    }
    newest = max(standing, default=None)
    return () if newest is None else tuple(standing[each] for each in (newest, newest - 1) if each in standing)
