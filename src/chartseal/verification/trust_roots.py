"""Which trust roots count for anonymous proofs: those that a chain has, and those that the policy lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cached_property

from chartseal.attestation import Address, Digest
from chartseal.errors import PredicateProofError
from chartseal.verification.chain import AttestedTrustRoot
from chartseal.verification.report import IssuedUnder
from chartseal.verification.seals import Setting

_LAST_MOMENT = 253_402_300_799


class TrustRoots:
    """The roots of the policy's authorities for the roles that it takes from them, asked for once, when needed."""

    def __init__(self, setting: Setting) -> None:
        """Take the policy, the time, and a chain if there is one."""
        self._setting = setting

    @cached_property
    def _known(self) -> dict[Digest, list[AttestedTrustRoot]]:
        known: dict[Digest, list[AttestedTrustRoot]] = defaultdict(list)
        for each in self._all():
            known[each.root].append(each)
        return dict(known)

    def _all(self) -> Iterator[AttestedTrustRoot]:
        trust, chain = self._setting.trust, self._setting.chain
        at = self._setting.now + trust.clock_skew  # a chain's day may begin before ours does
        yield from trust.trust_roots
        for authority in trust.authorities if chain is not None else ():
            for role in sorted(authority.roles):
                assert chain is not None  # noqa: S101 (the loop is empty without one)
                yield from chain.trust_roots(trust.domains, authority.address, role, at)

    def issued_under(self, root: bytes, now: int, place: str) -> tuple[IssuedUnder, ...]:
        """Whose root it is and for which roles: issuers with equal keys and lists give several roles one root.

        `now` is the proof's public input, Unix seconds.

        Raises:
            PredicateProofError: `trust_root_unknown`, `trust_root_time` where `now` is not the start of its day, or
                `trust_root_stale` for one from the future or older than the policy takes.
            ChainError: as the view.
        """
        if now > _LAST_MOMENT:
            raise PredicateProofError("no day begins then", "trust_root_time", place)
        moment, setting = datetime.fromtimestamp(now, UTC), self._setting
        if setting.trust.trusts_anyone:
            return ()
        found = self._known.get(Digest(root), [])
        if not found:
            raise PredicateProofError(self._why_unknown(), "trust_root_unknown", place)
        fitting = [each for each in found if each.begins_at == moment]
        if not fitting:
            raise PredicateProofError("not of the day that the root is of", "trust_root_time", place)
        age = setting.now - moment
        if not -setting.trust.clock_skew <= age <= setting.trust.largest_root_age:
            raise PredicateProofError("a trust root too old, or of a day to come", "trust_root_stale", place)
        return _by_authority(fitting)

    def _why_unknown(self) -> str:
        if self._setting.chain is None and not self._setting.trust.trust_roots:
            return "no chain is given and the policy lists no trust root, so no issuer is known"
        return "no trust root of the policy's authorities, of the newest day or the one before"


def _by_authority(roots: Iterable[AttestedTrustRoot]) -> tuple[IssuedUnder, ...]:
    roles: dict[Address, set[str]] = defaultdict(set)
    for each in roots:
        roles[each.authority].add(each.role)
    return tuple(IssuedUnder(authority, frozenset(found)) for authority, found in roles.items())
