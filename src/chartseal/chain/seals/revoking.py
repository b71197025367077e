"""Revoke seals, off chain and on, and say why: by the attester, its accredited successor, or the authority.

    revoker = Revoker(sender, RpcFacts(node, deployment))
    revoker.revoke([Target(uid, attester)], "entered-in-error")

Whose revocation counts is the verifier's to judge (`view`); who can never count is refused here, before anything is
sent. What is revoked already stays as it is, and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest, Schema
from chartseal.chain.authority import Standing, read_accreditation
from chartseal.chain.calls import Write
from chartseal.chain.contract import Contract
from chartseal.chain.facts import Attestation, ChainFacts
from chartseal.chain.registry import register
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import ACCREDITATION, REASONS, REVOCATION_REASON, WITHDRAWAL
from chartseal.chain.sending.sender import Sender
from chartseal.chain.view import reasons
from chartseal.errors import AmendmentError, AuthorityError, RevertError
from chartseal.sealing import StatusStore
from chartseal.sealing.status_store import Place

T = TypeVar("T")

ATTESTER, SUCCESSOR, AUTHORITY = "attester", "successor", "authority"

REVOKED_AT_ONCE = 250
"""Seals in one transaction: about 7 million gas."""
REASONS_AT_ONCE = 30
"""Reasons in one: each is an attestation of about 250,000 gas."""

_REASON = Schema.parse(REVOCATION_REASON.text)


class Target(NamedTuple):
    """A seal to be revoked; its attester, where that is known."""

    uid: Digest
    attester: Address | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seal, revoked. `at` is the block's time in Unix seconds; `already` where it was before."""

    uid: Digest
    at: int
    already: bool
    as_: str | None
    """What makes the revocation count: `attester`, `successor`, `authority`; None where the attester is not known."""
    reason: str | None
    """As it stands on chain."""
    place: Place | None = None
    """The bit of its credential, which is set in the issuer's own store and counts once the list is published."""


def part_of(facts: ChainFacts, key: Address, attester: Address, at: int) -> str | None:
    """What the key is to an attester at a time (Unix seconds): itself, its accredited successor, an authority that ever
    accredited it; None for a stranger. Whether a verifier trusts that authority is another matter.

    Raises:
        ChainError: as the facts.
    """
    if key == attester:
        return ATTESTER
    if any(_is_accreditation(each) for each in facts.attestations(ACCREDITATION, attester=key, recipient=attester)):
        return AUTHORITY
    return SUCCESSOR if is_successor(facts, key, attester, at) else None


def is_successor(facts: ChainFacts, key: Address, attester: Address, at: int) -> bool:
    """Whether some authority's accreditation that is live then names the attester as the key's predecessor.

    Raises:
        ChainError: as the facts.
    """
    own = facts.attestations(ACCREDITATION, recipient=key)
    ended = [each for by in {one.attester for one in own} for each in facts.attestations(WITHDRAWAL, attester=by)]
    return any(each.issuer == key for each in Standing(own, ended).successors(attester, at))


def _is_accreditation(attestation: Attestation) -> bool:
    try:
        read_accreditation(attestation)
    except AuthorityError:
        return False
    return True


class Revoker:
    """Revokes with one key, on one deployment."""

    def __init__(self, sender: Sender, facts: RpcFacts, status: StatusStore | None = None) -> None:
        """Take who sends, and what is known of the chain, refreshed as things are sent; credentials are revoked besides
        in `status`, the issuer's store.
        """
        self._sender = sender
        self._facts = facts
        self._status = status
        self._eas = Contract.load("eas").at(facts.deployment.eas)

    def revoke(self, targets: Iterable[Target], reason: str, *, reason_on_chain: bool = True) -> list[Outcome]:
        """Revoke all, in few transactions, and state the reason as a code; outcomes in the targets' order, each once.

        A run that was cut off is finished by another. Where no attester is known, nobody can tell whether it counts: it
        is sent.

        Raises:
            AmendmentError: `revoker_refused`, `reason_unknown` or `not_revocable`; nothing is sent then.
            RevertError, SendError, NodeError: as the sender and the facts.
            StatusListError: the store cannot be used; nothing is sent then.
        """
        if reason not in REASONS:
            raise AmendmentError(f"a reason is one of {', '.join(REASONS)}", "reason_unknown")
        wanted = list(dict.fromkeys(targets))
        self._load(wanted)
        parts = {each: self._part(each) for each in wanted}
        strangers = sum(1 for each, part in parts.items() if part is None and self._attester(each) is not None)
        if strangers:
            raise AmendmentError(
                f"{strangers} of {len(wanted)} seals are of attesters that this key is not, did not accredit and does "
                "not succeed by a live accreditation: nobody would count its revocation",
                "revoker_refused",
            )
        places = self._set_bits(wanted)  # first: a run that is cut off later is run again
        before = {each: self._revoked_at(each) for each in wanted}
        self._send([each for each in wanted if not before[each]])
        if reason_on_chain:
            self._state([each.uid for each in wanted], reason)
        self._load(wanted)
        stated = reasons(self._facts, self._sender.address)
        outcomes = [self._outcome(each, before[each], parts[each], stated.get(each.uid)) for each in wanted]
        return [replace(each, place=places.get(target)) for each, target in zip(outcomes, wanted, strict=True)]

    def _set_bits(self, targets: Sequence[Target]) -> dict[Target, Place]:
        """Revoke the credentials of those that have one in the store."""
        found: dict[Target, Place] = {}
        if self._status is None or not self._status.exists:
            return found
        attesters = {each: self._attester(each) or self._sender.address for each in targets}
        for attester in set(attesters.values()):
            known = self._status.find(attester, [each.uid for each in targets])
            ours = {each: known[each.uid] for each in targets if attesters[each] == attester and each.uid in known}
            self._status.revoke(attester, ours.values())
            found.update(ours)
        return found

    def _load(self, targets: Sequence[Target]) -> None:
        """What will be asked of these, as of now."""
        uids = [each.uid for each in targets]
        self._facts.refresh()
        self._facts.prefetch(attestations=uids, revoked=[(self._sender.address, uid) for uid in uids])

    def _attester(self, target: Target) -> Address | None:
        if target.attester is not None:
            return target.attester
        attestation = self._facts.attestation(target.uid)
        return attestation.attester if attestation else None

    def _part(self, target: Target) -> str | None:
        attester = self._attester(target)
        if attester is None:
            return None
        return part_of(self._facts, self._sender.address, attester, self._facts.head.timestamp)

    def _own(self, target: Target) -> Attestation | None:
        """The seal's attestation on chain, where this key made it: EAS revokes that itself."""
        found = self._facts.attestation(target.uid)
        return found if found is not None and found.attester == self._sender.address else None

    def _revoked_at(self, target: Target) -> int:
        own = self._own(target)
        return own.revocation_time if own else self._facts.revoked_offchain(self._sender.address, target.uid)

    def _send(self, targets: Sequence[Target]) -> None:
        on_chain = [own for each in targets if (own := self._own(each)) is not None]
        if any(not each.revocable for each in on_chain):
            raise AmendmentError("an attestation on chain is not revocable", "not_revocable")
        own_uids = {each.uid for each in on_chain}
        off_chain = list(dict.fromkeys(each.uid for each in targets if each.uid not in own_uids))
        self._in_parts(off_chain, lambda part: self._eas.write("multiRevokeOffchain", part), self._still_off_chain)
        self._in_parts(on_chain, self._revocations, self._still_on_chain)

    def _in_parts(
        self, items: Sequence[T], write: Callable[[Sequence[T]], Write[Any]], still: Callable[[Sequence[T]], list[T]]
    ) -> None:
        """Send in batches. One that is refused is sent again without what somebody has revoked in the meantime."""
        for part in _parts(items, REVOKED_AT_ONCE):
            try:
                self._sender.send(write(part))
            except RevertError:
                self._facts.refresh()
                left = still(part)
                if len(left) == len(part):
                    raise
                if left:
                    self._sender.send(write(left))

    def _still_off_chain(self, uids: Sequence[Digest]) -> list[Digest]:
        return [each for each in uids if not self._facts.revoked_offchain(self._sender.address, each)]

    def _still_on_chain(self, attestations: Sequence[Attestation]) -> list[Attestation]:
        now = [self._facts.attestation(each.uid) for each in attestations]
        return [each for each in now if each is not None and not each.revocation_time]

    def _revocations(self, attestations: Sequence[Attestation]) -> Write[Any]:
        schemas = dict.fromkeys(each.schema for each in attestations)
        requests = [(schema, [(each.uid, 0) for each in attestations if each.schema == schema]) for schema in schemas]
        return self._eas.write("multiRevoke", requests)

    def _state(self, uids: Sequence[Digest], reason: str) -> None:
        """Attest the reason of those that have none or another yet."""
        me, code = self._sender.address, REASONS.index(reason)
        stated = reasons(self._facts, me)
        missing = [each for each in dict.fromkeys(uids) if stated.get(each) != reason]
        if not missing:
            return
        register(self._sender, self._facts.deployment, [REVOCATION_REASON])
        for part in _parts(missing, REASONS_AT_ONCE):
            data = [_REASON.encode([each, code]) for each in part]
            requests = [(ZERO_ADDRESS, 0, False, ZERO_DIGEST, each, 0) for each in data]
            self._sender.send(self._eas.write("multiAttest", [(REVOCATION_REASON.uid(), requests)]))

    def _outcome(self, target: Target, before: int, part: str | None, stated: str | None) -> Outcome:
        at = before or self._revoked_at(target)
        if not at:
            raise AmendmentError("a revocation was mined and does not show on chain", "not_revoked")
        return Outcome(target.uid, at, bool(before), part, stated)


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))
