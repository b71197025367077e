"""What verification asks of a chain, answered from facts of one or several deployments: a node's, or an index's.

    verify(disclosure, trust, ..., chain=FactsView([RpcFacts(node, deployment)]))

What speaks for a seal counts once it is final, what speaks against one at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from chartseal.attestation import Address, Digest, Domain
from chartseal.chain.authority import Accredited, Standing
from chartseal.chain.authority.newest import counting
from chartseal.chain.authority.standing import known
from chartseal.chain.authority.trust_root import EPOCH_SECONDS, AttestedRoot, attested_roots
from chartseal.chain.facts import Attestation, ChainFacts, Prefetching, final_until
from chartseal.chain.schemas import ACCREDITATION, REASONS, REVOCATION_REASON, WITHDRAWAL
from chartseal.errors import NodeError
from chartseal.verification import Accreditation, AttestedTrustRoot, Question, Revocation

_LAST_MOMENT = 253_402_300_799
"""9999-12-31T23:59:59Z; what lies after it is no date."""
_REASON_SIZE = 64
_MOST_STANDINGS = 64
_MOST_ANSWERS = 10_000


class FactsView:
    """A `verification.ChainView` over facts; each deployment answers for the seals of its own domain alone."""

    def __init__(self, facts: Sequence[ChainFacts]) -> None:
        """Take the facts of each deployment; the first of one domain stands."""
        self._sources: dict[Domain, _Source] = {}
        for each in facts:
            self._sources.setdefault(each.deployment.domain(), _Source(each))

    def _of(self, domain: Domain) -> _Source:
        try:
            return self._sources[domain]
        except KeyError:
            raise NodeError(
                f"nothing is known of the contract on chain {domain.chain_id} that a seal is for", "chain_unknown"
            ) from None

    def timestamped_at(self, domain: Domain, root: Digest) -> datetime | None:
        """When EAS timestamped an anchor root; None before that is final.

        Raises:
            NodeError: `chain_unknown`; other ChainErrors as the facts.
        """
        facts = self._of(domain).facts
        timestamp = facts.timestamp(root)
        return _moment(timestamp) if 0 < timestamp <= final_until(facts) else None

    def accreditations(
        self, domain: Domain, attester: Address, at: datetime, authorities: frozenset[Address]
    ) -> Sequence[Accreditation]:
        """Those by these authorities that were live then, final ones alone.

        Raises:
            NodeError: `chain_unknown`; other ChainErrors as the facts.
        """
        return self._of(domain).known(authorities).accreditations(attester, int(at.timestamp()))

    def revocation(
        self, domain: Domain, attester: Address, uid: Digest, authorities: frozenset[Address]
    ) -> Revocation | None:
        """The earliest revocation that counts, with the reason that its revoker stated on chain.

        Raises:
            NodeError: `chain_unknown`; other ChainErrors as the facts.
        """
        source = self._of(domain)
        facts = source.facts
        found = [
            *_revoked_on_chain(facts, attester, uid),
            *_revoked_off_chain(facts, source.known(authorities), attester, uid),
        ]
        if not found:
            return None
        first = min(found)
        return Revocation(_moment(first.at), first.by, reasons(facts, first.by).get(uid))

    def is_valid_signature(self, domain: Domain, signer: Address, digest: Digest, signature: bytes) -> bool:
        """Whether the contract at `signer` takes the signature for its own, at the newest block that is known.

        Raises:
            NodeError: `chain_unknown`; other ChainErrors as the facts.
        """
        return self._of(domain).facts.is_valid_signature(signer, digest, signature)

    def trust_roots(
        self, domains: frozenset[Domain] | None, authority: Address, role: str, at: datetime
    ) -> Sequence[AttestedTrustRoot]:
        """Those that count then, the newest first, of each deployment of these domains that is known here.

        Raises:
            ChainError: as the facts.
        """
        return [
            AttestedTrustRoot(authority, role, _moment(each.epoch * EPOCH_SECONDS), each.root)
            for domain, source in self._sources.items()
            if domains is None or domain in domains
            for each in counting(source.roots(authority), role, int(at.timestamp()), final_until(source.facts))
        ]

    def prefetch(self, questions: Sequence[Question], authorities: frozenset[Address]) -> None:
        """Get what will be asked of these seals in few round trips, where the facts can.

        Raises:
            NodeError: `chain_unknown`; other ChainErrors as the facts.
        """
        for domain in dict.fromkeys(question.domain for question in questions):
            source, own = self._of(domain), [each for each in questions if each.domain == domain]
            if isinstance(source.facts, Prefetching):
                known_ = source.known(authorities)
                source.facts.prefetch(
                    timestamps=[each.anchor_root for each in own if each.anchor_root is not None],
                    revoked=[(by, each.uid) for each in own for by in known_.revokers(each.attester)],
                    attestations=[each.uid for each in own],
                )


class _Source:
    """One deployment's facts, with what sets of authorities have attested there."""

    def __init__(self, facts: ChainFacts) -> None:
        self.facts = facts
        self._known: dict[frozenset[Address], _Known] = {}
        self._roots: dict[Address, tuple[Digest, list[AttestedRoot]]] = {}

    def roots(self, authority: Address) -> list[AttestedRoot]:
        """All trust roots that an authority attested, kept as long as the facts are of one block."""
        head, (of, found) = self.facts.head.hash, self._roots.get(authority, (None, []))
        if of != head:
            if len(self._roots) >= _MOST_STANDINGS:
                self._roots.clear()
            found = list(attested_roots(self.facts, authority))
            self._roots[authority] = (head, found)
        return found

    def known(self, authorities: frozenset[Address]) -> _Known:
        """Kept as long as the facts are of one block."""
        head, found = self.facts.head.hash, self._known.get(authorities)
        if found is None or found.head != head:
            if len(self._known) >= _MOST_STANDINGS:
                self._known.clear()
            found = self._known[authorities] = _Known.of(self.facts, head, authorities)
        return found


@dataclass(frozen=True)
class _Known:
    """What some authorities have attested, as of one block."""

    head: Digest
    final: Standing
    """For seals: accreditations that are final, and every withdrawal there is."""
    any: Standing
    """Against seals: every accreditation there is, and withdrawals that are final."""

    @classmethod
    def of(cls, facts: ChainFacts, head: Digest, authorities: frozenset[Address]) -> _Known:
        """Ask for all that these authorities have accredited and withdrawn."""
        ordered = sorted(authorities)
        given = [each for one in ordered for each in facts.attestations(ACCREDITATION, attester=one)]
        ended = [each for one in ordered for each in facts.attestations(WITHDRAWAL, attester=one)]
        final = final_until(facts)
        return cls(
            head,
            final=Standing([each for each in given if each.time <= final], ended),
            any=Standing([_unrevoked_after(each, final) for each in given], known(ended, final + 1)),
        )

    @cached_property
    def _after(self) -> dict[Address, list[Accredited]]:
        after: dict[Address, list[Accredited]] = {}
        for each in self.any.accreditations:
            after.setdefault(each.predecessor, []).append(each)
        return after

    @cached_property
    def _live(self) -> dict[tuple[Address, int], list[Accreditation]]:
        return {}

    def accreditations(self, attester: Address, at: int) -> list[Accreditation]:
        """Final ones that are live at a time: of many seals mostly the same question."""
        found = self._live.get((attester, at))
        if found is None:
            if len(self._live) >= _MOST_ANSWERS:
                self._live.clear()
            live = self.final.live(attester, at)
            found = [Accreditation(each.authority, each.roles, each.name) for each in live]
            self._live[attester, at] = found
        return found

    @cached_property
    def _revokers(self) -> dict[Address, tuple[Address, ...]]:
        return {}

    def revokers(self, attester: Address) -> tuple[Address, ...]:
        """Whose revocations may count, each once: the attester, who accredited it, and who succeeded it."""
        found = self._revokers.get(attester)
        if found is None:
            authorities = [each.authority for each in self.any.of(attester)]
            successors = [each.issuer for each in self._after.get(attester, ())]
            if len(self._revokers) >= _MOST_ANSWERS:
                self._revokers.clear()
            found = self._revokers[attester] = tuple(dict.fromkeys([attester, *authorities, *successors]))
        return found

    def counts(self, by: Address, attester: Address, at: int) -> bool:
        """Whether a revocation at that time counts: a successor's, only while it was accredited as one."""
        if by == attester or any(each.authority == by for each in self.any.of(attester)):
            return True
        return any(each.issuer == by for each in self.any.successors(attester, at))


class _Found(NamedTuple):
    at: int
    by: Address


def _unrevoked_after(attestation: Attestation, final: int) -> Attestation:
    """A successor's accreditation that is being revoked still lets it revoke, until that is final."""
    return replace(attestation, revocation_time=0) if attestation.revocation_time > final else attestation


def _revoked_on_chain(facts: ChainFacts, attester: Address, uid: Digest) -> Iterator[_Found]:
    """Of a seal that is on chain itself: only its attester's own revocation is possible."""
    attestation = facts.attestation(uid)
    if attestation is not None and attestation.attester == attester and attestation.revocation_time:
        yield _Found(attestation.revocation_time, attester)


def _revoked_off_chain(facts: ChainFacts, known_: _Known, attester: Address, uid: Digest) -> Iterator[_Found]:
    for by in known_.revokers(attester):
        at = facts.revoked_offchain(by, uid)
        if at and known_.counts(by, attester, at):
            yield _Found(at, by)


def reasons(facts: ChainFacts, by: Address) -> dict[Digest, str]:
    """The last reason that a revoker stated for each seal; one with a code that is not known is left out.

    Raises:
        ChainError: as the facts.
    """
    stated: dict[Digest, str] = {}
    for each in facts.attestations(REVOCATION_REASON, attester=by):
        uid, code = Digest(each.data[:32]), int.from_bytes(each.data[32:])
        if len(each.data) == _REASON_SIZE and code < len(REASONS):
            stated[uid] = REASONS[code]
        else:
            stated.pop(uid, None)
    return stated


def _moment(seconds: int) -> datetime:
    if seconds > _LAST_MOMENT:
        raise NodeError("a block's time is no date", "node_malformed")
    return datetime.fromtimestamp(seconds, UTC)
