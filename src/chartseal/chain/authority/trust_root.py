"""The trust root of an authority, a role and an epoch: one Poseidon root over the issuers that it stood for.

Anyone computes it from the chain. Wallets and contracts take only the root that the authority attested and that this
gives again. The definition is the format specification's, section "Trust root"; an epoch is a day of UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from chartseal import _core
from chartseal.attestation import ZERO_DIGEST, Address, Digest, Schema
from chartseal.chain.authority.accreditation import Accredited
from chartseal.chain.authority.standing import EXPIRED, NEVER, NOT_BEGUN, REVOKED, WITHDRAWN_FOR_CAUSE, Standing, known
from chartseal.chain.authority.status_root import DEPTH, StatusRoot, latest
from chartseal.chain.facts import Attestation, ChainFacts
from chartseal.chain.schemas import ACCREDITATION, ROLES, STATUS_ROOT, TRUST_ROOT, WITHDRAWAL, role_bits
from chartseal.errors import AuthorityError, FieldEncodingError, KeyFormatError
from chartseal.keys.possession import proves_possession
from chartseal.predicates.hashes import poseidon, tag, to_bytes

EPOCH_SECONDS = 86_400
MOST_LEAVES = 4**DEPTH
_MOST_ASKED_ALONE = 4
_LARGEST_EPOCH = 2**32 - 1
_SCHEMA = Schema.parse(TRUST_ROOT.text)

NEVER_LIVE, KEY_MISSING, KEY_MALFORMED = "never_live", "key_missing", "key_malformed"
POSSESSION_INVALID, KEY_SHARED = "possession_invalid", "key_shared"
STATUS_MISSING, STATUS_MALFORMED = "status_missing", "status_malformed"


@dataclass(frozen=True, slots=True, order=True)
class Leaf:
    """One issuer's key and list; leaves are ordered by (attester, ax, ay, list) as integers."""

    attester: int
    ax: int
    ay: int
    list: int
    not_after: int
    """Unix seconds; the largest uint64 is never."""
    status_root: int

    def hash(self) -> bytes:
        """P(tagIssuer, attester, Ax, Ay, list, notAfter, statusRoot): 32 bytes."""
        parts = (self.attester, self.ax, self.ay, self.list, self.not_after, self.status_root)
        return to_bytes(poseidon(tag("issuer"), *parts))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why an accreditation with the role, or one of its issuer's lists, has no leaf."""

    accreditation: Digest
    issuer: Address
    reason: str
    """`not_begun`, `expired`, `revoked`, `withdrawn_for_cause`, `never_live`, `key_missing`, `key_malformed`,
    `possession_invalid`, `key_shared`, `status_missing`, `status_malformed`, or the code of what refuses it whole."""
    list: int | None = None


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """A computed root and what it stands over."""

    authority: Address
    role: str
    epoch: int
    root: Digest
    leaves: tuple[Leaf, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class AttestedRoot:
    """A trust root as it stands on chain."""

    uid: Digest
    authority: Address
    epoch: int
    role: int
    root: Digest
    attested_at: int
    revoked_at: int


def compute_trust_root(facts: ChainFacts, authority: Address, role: str, epoch: int) -> TrustRoot:
    """Compute the root from the chain, as of the last block before the epoch.

    Raises:
        AuthorityError: `epoch_not_final`, `trust_root_full`, `epoch_unknown`.
        SchemaError: `role_unknown`.
        NodeError, IndexingError: the chain's facts are not to be had.
    """
    require_epoch(epoch)
    role_bits([role])
    if facts.final.timestamp < epoch * EPOCH_SECONDS:
        raise AuthorityError("no block of the epoch is final yet", "epoch_not_final", "epoch")
    standing = Standing(
        facts.attestations(ACCREDITATION, attester=authority),
        facts.attestations(WITHDRAWAL, attester=authority),
        known_before=epoch * EPOCH_SECONDS,
    )
    issuers = {each.issuer for each in standing.accreditations if role in each.roles}
    return trust_root_of(standing, _statuses(facts, issuers), authority, role, epoch)


def _statuses(facts: ChainFacts, issuers: Set[Address]) -> dict[Address, Sequence[Attestation]]:
    """Status roots by issuer. A node goes through the whole chain for each question, so many issuers are one question,
    whose answer strangers can lengthen; of few, each is asked for alone.
    """
    if len(issuers) <= _MOST_ASKED_ALONE:
        return {each: facts.attestations(STATUS_ROOT, attester=each) for each in sorted(issuers)}
    found: dict[Address, list[Attestation]] = {each: [] for each in issuers}
    for each in facts.attestations(STATUS_ROOT):
        if each.attester in found:
            found[each.attester].append(each)
    return dict(found)


def trust_root_of(
    standing: Standing, statuses: Mapping[Address, Sequence[Attestation]], authority: Address, role: str, epoch: int
) -> TrustRoot:
    """Compute the root from what was known before the epoch; `statuses` are status roots by their issuer.

    Raises:
        AuthorityError: `trust_root_full`: more leaves than the tree has.
    """
    before = epoch * EPOCH_SECONDS
    ours = [each for each in standing.accreditations if each.authority == authority]
    shared = _shared_keys(ours)
    left_out = [LeftOut(each.uid, each.issuer, each.code) for each in standing.malformed if each.authority == authority]
    leaves: dict[tuple[int, int, int, int], Leaf] = {}
    for accredited in ours:
        if role not in accredited.roles:
            continue
        reason = _why_not(standing, accredited, before) or _why_not_key(accredited, shared)
        if reason:
            left_out.append(LeftOut(accredited.uid, accredited.issuer, reason))
            continue
        roots = latest(known(statuses.get(accredited.issuer, ()), before))
        if not roots:
            left_out.append(LeftOut(accredited.uid, accredited.issuer, STATUS_MISSING))
        for status in roots.values():
            if not status.is_element:
                left_out.append(LeftOut(accredited.uid, accredited.issuer, STATUS_MALFORMED, status.list))
                continue
            _add(leaves, _leaf(accredited, status, _not_after(standing, accredited)))
    ordered = tuple(sorted(leaves.values()))
    return TrustRoot(authority, role, epoch, root_of(ordered), ordered, tuple(left_out))


def root_of(leaves: Sequence[Leaf]) -> Digest:
    """The tree's root over leaves in their order.

    Raises:
        AuthorityError: `trust_root_full`.
    """
    if len(leaves) > MOST_LEAVES:
        raise AuthorityError(f"a trust root has at most {MOST_LEAVES} leaves", "trust_root_full", "leaves")
    return Digest(_core.poseidon_root([leaf.hash() for leaf in leaves], DEPTH))


def _add(leaves: dict[tuple[int, int, int, int], Leaf], leaf: Leaf) -> None:
    """Of several accreditations of one issuer and key, that with the latest end gives the leaf."""
    place = (leaf.attester, leaf.ax, leaf.ay, leaf.list)
    if place not in leaves or leaves[place].not_after < leaf.not_after:
        leaves[place] = leaf


def _leaf(accredited: Accredited, status: StatusRoot, not_after: int) -> Leaf:
    ax, ay = (int.from_bytes(each) for each in _core.check_point(accredited.proving_key))
    attester, root = int.from_bytes(accredited.issuer), int.from_bytes(status.root)
    return Leaf(attester, ax, ay, status.list, not_after, root)


def _why_not(standing: Standing, accredited: Accredited, before: int) -> str:
    """What ended it other than in the ordinary way, or kept it from beginning; empty if nothing did."""
    if accredited.revoked_at:
        return REVOKED
    if any(each.is_for_cause for each in standing.withdrawals(accredited)):
        return WITHDRAWN_FOR_CAUSE
    if accredited.expires_at and accredited.expires_at <= before:
        return EXPIRED
    if accredited.begins_at >= before:
        return NOT_BEGUN
    # One that ended before it began never let anybody seal, yet a credential dated before its end would pass.
    return NEVER_LIVE if standing.end(accredited).at <= accredited.begins_at else ""


def _why_not_key(accredited: Accredited, shared: frozenset[bytes]) -> str:
    if accredited.proving_key == ZERO_DIGEST:
        return KEY_MISSING
    try:
        _core.check_point(accredited.proving_key)
    except KeyFormatError:
        return KEY_MALFORMED
    if not _is_possessed(accredited):
        return POSSESSION_INVALID
    return KEY_SHARED if accredited.proving_key in shared else ""


def _shared_keys(ours: Iterable[Accredited]) -> frozenset[bytes]:
    """Keys that two issuers proved to hold, whatever the role and whether or not they still stand.

    An accreditation without a valid proof does not count: else copying a key would shut its owner out.
    """
    owners: dict[bytes, set[Address]] = defaultdict(set)
    for each in ours:
        owners[each.proving_key].add(each.issuer)
    contested = {key for key, issuers in owners.items() if len(issuers) > 1 and key != ZERO_DIGEST}
    proven: dict[bytes, set[Address]] = defaultdict(set)
    for each in ours:
        if each.proving_key in contested and _is_possessed(each):
            proven[each.proving_key].add(each.issuer)
    return frozenset(key for key, issuers in proven.items() if len(issuers) > 1)


def _is_possessed(accredited: Accredited) -> bool:
    return proves_possession(accredited.issuer, accredited.proving_key, accredited.possession)


def _not_after(standing: Standing, accredited: Accredited) -> int:
    """The last second before the earliest of expiration and ordinary withdrawal: at the end it is no longer live."""
    ends = [each.ends_at for each in standing.withdrawals(accredited)]
    end = min([accredited.expires_at or NEVER, *ends])
    return end if end == NEVER else end - 1


def require_epoch(epoch: int) -> None:
    """Refuse what is no epoch.

    Raises:
        AuthorityError: `epoch_unknown`.
    """
    if not 0 <= epoch <= _LARGEST_EPOCH:
        raise AuthorityError("an epoch's number has 32 bits", "epoch_unknown", "epoch")


def encode_trust_root(epoch: int, role: str, root: Digest) -> bytes:
    """The attestation's data.

    Raises:
        AuthorityError: `epoch_unknown` or `trust_root_malformed`.
    """
    require_epoch(epoch)
    if role not in ROLES or len(root) != 32:
        raise AuthorityError("a trust root has a role and 32 bytes", "trust_root_malformed", "trustRoot")
    return _SCHEMA.encode([epoch, ROLES.index(role), root])


def read_trust_root(attestation: Attestation) -> AttestedRoot:
    """A trust root from its attestation; of which schema that is, the caller knows.

    Raises:
        AuthorityError: `trust_root_malformed`.
    """
    try:
        epoch, role, root = _SCHEMA.decode(attestation.data)
    except FieldEncodingError as exc:
        raise AuthorityError("a trust root's data is not of its schema", "trust_root_malformed", "data") from exc
    times = (attestation.time, attestation.revocation_time)
    return AttestedRoot(attestation.uid, attestation.attester, epoch, role, Digest(root), *times)


def attested_roots(facts: ChainFacts, authority: Address | None = None) -> Iterator[AttestedRoot]:
    """Trust roots that were attested, revoked ones too, in their order; malformed ones are passed over."""
    for each in facts.attestations(TRUST_ROOT, attester=authority):
        try:
            yield read_trust_root(each)
        except AuthorityError:
            continue
