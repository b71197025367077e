"""Where a credential's issuer stands under an authority's trust root: what an anonymous proof needs of the chain.

    lists = [StatusList.from_json(path.read_bytes()) for path in paths]
    membership = find_membership(facts, authority, "pharmacy", record.attester, record.credential, lists)

The wallet recomputes the root from the chain, and takes it only if the authority attested the same: a root over this
issuer alone would tell who it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from chartseal import _core
from chartseal.attestation import Address, to_hex
from chartseal.chain.authority.authority import newest_epoch
from chartseal.chain.authority.checking import Check, Outcome, check_trust_root
from chartseal.chain.authority.status_list import StatusList
from chartseal.chain.authority.status_root import DEPTH
from chartseal.chain.authority.trust_root import EPOCH_SECONDS, Leaf, TrustRoot
from chartseal.chain.facts import ChainFacts
from chartseal.disclosure.membership import Membership
from chartseal.errors import KeyFormatError, MembershipError
from chartseal.record import Credential


def find_membership(
    facts: ChainFacts,
    authority: Address,
    role: str,
    attester: Address,
    credential: Credential,
    lists: Iterable[StatusList],
    *,
    epoch: int | None = None,
) -> Membership:
    """The membership of a credential's issuer; `lists` are what it published, older ones too: that whose root the trust
    root has is taken.

    Without an epoch it is the newest for which a root stands, or the one before, which is all that verifiers take.

    Raises:
        MembershipError: `trust_root_missing`, `trust_root_differs`, `issuer_not_in_crowd`, `sealed_after_end`,
            `credential_expired`, `status_list_other`, `status_list_stale`, `credential_revoked`.
        AuthorityError, SchemaError, NodeError, IndexingError: the root cannot be computed.
    """
    root = _agreed(facts, authority, role, epoch)
    at, leaf = _leaf_of(root, attester, credential)
    _require_in_time(leaf, credential, root.epoch * EPOCH_SECONDS)
    status = _list_of(leaf, attester, credential, lists)
    if credential.index in status.revoked:
        raise MembershipError("its issuer has revoked the credential", "credential_revoked")
    path = _core.poseidon_path([each.hash() for each in root.leaves], DEPTH, at)
    return Membership(
        authority=authority,
        role=role,
        epoch=root.epoch,
        trust_root=root.root,
        now=root.epoch * EPOCH_SECONDS,
        crowd=len({each.attester for each in root.leaves}),
        index=at,
        not_after=leaf.not_after,
        path=tuple((a, b, c) for a, b, c in path),
        status_word=status.word(credential.index),
        status_path=status.path(credential.index),
    )


def _agreed(facts: ChainFacts, authority: Address, role: str, epoch: int | None) -> TrustRoot:
    """A root that the authority attested and that comes out the same."""
    newest = newest_epoch(facts)
    wanted = [newest, newest - 1] if epoch is None else [epoch]
    checks: list[Check] = []
    for each in wanted:
        check = check_trust_root(facts, authority, role, each)
        if check.outcome == Outcome.AGREES:
            return check.computed
        checks.append(check)
    differing = next((check for check in checks if check.outcome == Outcome.DIFFERS), None)
    if differing is not None:
        reason = differing.differences[0]
        raise MembershipError(f"the authority's root is not what the chain gives: {reason}", "trust_root_differs")
    raise MembershipError("the authority attested no root of that role that counts now", "trust_root_missing")


def _leaf_of(root: TrustRoot, attester: Address, credential: Credential) -> tuple[int, Leaf]:
    try:
        key = tuple(int.from_bytes(each) for each in _core.check_point(credential.key))
    except KeyFormatError as exc:
        raise MembershipError("the credential's key is refused as a point", "issuer_not_in_crowd") from exc
    wanted = (int.from_bytes(attester), *key, credential.list)
    for at, leaf in enumerate(root.leaves):
        if (leaf.attester, leaf.ax, leaf.ay, leaf.list) == wanted:
            return at, leaf
    left = sorted({each.reason for each in root.left_out if each.issuer == attester})
    why = f", left out as {', '.join(left)}" if left else ""
    raise MembershipError(f"the issuer's key and list are not under the trust root{why}", "issuer_not_in_crowd")


def _require_in_time(leaf: Leaf, credential: Credential, now: int) -> None:
    if credential.sealed_at > leaf.not_after:
        raise MembershipError("it was sealed after its issuer's accreditation ended", "sealed_after_end")
    if credential.expiry < now:
        raise MembershipError("the credential has expired", "credential_expired")


def _list_of(leaf: Leaf, attester: Address, credential: Credential, lists: Iterable[StatusList]) -> StatusList:
    """The list that the leaf has the root of."""
    ours = [each for each in lists if (each.attester, each.number) == (attester, credential.list)]
    if not ours:
        raise MembershipError("there is no status list of that issuer and number", "status_list_other")
    found = next((each for each in ours if int.from_bytes(each.root) == leaf.status_root), None)
    if found is None:
        root = to_hex(leaf.status_root.to_bytes(32))
        raise MembershipError(
            f"the status list is not the one under the trust root, whose root is {root}: get that from its issuer",
            "status_list_stale",
        )
    return found
