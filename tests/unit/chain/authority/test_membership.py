"""Where a credential's issuer stands under a trust root, and every reason why it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chartseal import _core
from chartseal.attestation import Address
from chartseal.chain.authority import StatusList, compute_trust_root, find_membership, status_root_of
from chartseal.chain.authority.status_root import DEPTH, LIST_SIZE
from chartseal.chain.authority.trust_root import EPOCH_SECONDS, root_of
from chartseal.chain.calls import Block
from chartseal.disclosure.membership import SMALL_CROWD, Membership
from chartseal.errors import AuthorityError, MembershipError, SchemaError
from chartseal.record import Credential
from chartseal.record.credential import NEVER
from tests.issuers import AUTHORITY, STRANGER, MadeIssuer, granted, issuer
from tests.made_chain import MadeChain

EPOCH = 20_000
START = EPOCH * EPOCH_SECONDS
ISSUER, OTHER = issuer(1), issuer(2)
ROLE = "pharmacy"
REVOKED = frozenset({5, 749, LIST_SIZE - 1})


def status(revoked: frozenset[int] = REVOKED, who: MadeIssuer = ISSUER, number: int = 0) -> StatusList:
    return StatusList(who.address, number, revoked)


def credential(who: MadeIssuer = ISSUER, *, index: int = 6, number: int = 0, **times: int) -> Credential:
    given = {"sealed_at": START - 5_000, "expiry": NEVER, **times}
    return Credential(number, index, b"\x77" * 31, 1, who.proving_key, bytes(64), **given)


def a_chain(*, crowd: int = 1, publish: bool = True, expires_at: int = 0) -> MadeChain:
    """So many issuers, accredited the day before; the authority attests the day's root."""
    chain = MadeChain(final_at=START + 40_000)
    for number in range(1, crowd + 1):
        ends = expires_at if number == 1 else 0
        chain.accredit(AUTHORITY, granted(issuer(number), expires_at=ends), START - 2_000)
        chain.status(issuer(number).address, status_root_of(REVOKED if number == 1 else ()), START - 1_000)
    if publish:
        published(chain)
    return chain


def published(chain: MadeChain, epoch: int = EPOCH) -> None:
    root = compute_trust_root(chain, AUTHORITY, ROLE, epoch).root
    chain.publish(AUTHORITY, epoch, ROLE, root, epoch * EPOCH_SECONDS + 900)


def found(
    chain: MadeChain,
    held: Credential | None = None,
    lists: Sequence[StatusList] = (status(),),
    *,
    who: Address = ISSUER.address,
    authority: Address = AUTHORITY,
    role: str = ROLE,
    epoch: int | None = None,
) -> Membership:
    return find_membership(chain, authority, role, who, held or credential(), lists, epoch=epoch)


def refused(code: str) -> pytest.RaisesExc[MembershipError]:
    return pytest.raises(MembershipError, check=lambda error: error.code == code)


def climbed(leaf: bytes, index: int, path: Sequence[Sequence[bytes]]) -> bytes:
    """The root that a leaf and its path give."""
    for siblings in path:
        digit, index = index % 4, index // 4
        leaf = _core.poseidon_hash([*siblings[:digit], leaf, *siblings[digit:]])
    return leaf


@pytest.mark.parametrize("crowd", [1, 5, 17])
def test_both_paths_lead_to_their_roots(crowd: int) -> None:
    chain = a_chain(crowd=crowd)
    root = compute_trust_root(chain, AUTHORITY, ROLE, EPOCH)
    for index in (0, 249, 250, LIST_SIZE - 251, LIST_SIZE - 2):
        member = found(chain, credential(index=index))
        leaf = root.leaves[member.index]
        assert leaf.attester == int.from_bytes(ISSUER.address)
        assert (member.trust_root, member.now, member.epoch) == (root.root, START, EPOCH)
        assert (member.authority, member.role, member.not_after) == (AUTHORITY, ROLE, NEVER)
        assert len(member.path) == len(member.status_path) == DEPTH
        assert climbed(leaf.hash(), member.index, member.path) == root.root
        assert climbed(member.status_word, index // 250, member.status_path) == status_root_of(REVOKED)
        assert int.from_bytes(member.status_word) >> (index % 250) & 1 == 0
        assert (member.crowd, member.is_small) == (crowd, crowd < SMALL_CROWD)


def test_a_crowd_is_of_issuers_and_not_of_lists() -> None:
    chain = a_chain(crowd=2, publish=False)
    for number in range(1, 30):
        chain.status(OTHER.address, status_root_of([]), START - 500, number=number)
    published(chain)
    assert found(chain).crowd == 2


def test_the_newest_epoch_or_the_one_before() -> None:
    chain = a_chain()
    assert found(chain).epoch == EPOCH
    chain.final = Block(2, chain.final.hash, chain.final.parent, START + EPOCH_SECONDS + 10)
    assert found(chain).epoch == EPOCH  # today's is not attested yet
    published(chain, EPOCH + 1)
    assert found(chain).now == START + EPOCH_SECONDS
    assert found(chain, epoch=EPOCH).now == START
    chain.final = Block(3, chain.final.hash, chain.final.parent, START + 3 * EPOCH_SECONDS)
    with refused("trust_root_missing"):
        found(chain)
    with pytest.raises(AuthorityError) as caught:
        found(chain, epoch=EPOCH + 4)
    assert caught.value.code == "epoch_not_final"


def test_only_a_root_that_the_authority_attested_and_that_comes_out_the_same() -> None:
    with refused("trust_root_missing"):
        found(a_chain(publish=False))
    with refused("trust_root_missing"):
        found(a_chain(), authority=STRANGER)
    with refused("trust_root_missing"):
        found(a_chain(), role="clinic")
    with pytest.raises(SchemaError):
        found(a_chain(), role="nobody")
    chain = a_chain(crowd=3, publish=False)
    alone = compute_trust_root(chain, AUTHORITY, ROLE, EPOCH).leaves[:1]
    chain.publish(AUTHORITY, EPOCH, ROLE, root_of(alone), START + 900)  # a root over one would tell who it is
    with refused("trust_root_differs"):
        found(chain)
    chain = a_chain()
    chain.publish(AUTHORITY, EPOCH, ROLE, status_root_of([1]), START + 901)  # two for one day
    with refused("trust_root_differs"):
        found(chain)
    chain = a_chain(publish=False)
    uid = chain.publish(AUTHORITY, EPOCH, ROLE, compute_trust_root(chain, AUTHORITY, ROLE, EPOCH).root, START + 900)
    chain.revoke(uid, START + 950)
    with refused("trust_root_missing"):
        found(chain)


def test_an_issuer_that_is_not_under_the_root() -> None:
    chain = a_chain()
    strangers = [
        (credential(OTHER), OTHER.address),
        (credential(OTHER), ISSUER.address),  # another's key
        (credential(), OTHER.address),  # another's address
        (credential(number=1), ISSUER.address),  # a list whose root was never attested
        (replace(credential(), key=b"\xff" * 32), ISSUER.address),
        (replace(credential(), key=b"\x01" + bytes(31)), ISSUER.address),  # the identity
    ]
    for held, who in strangers:
        with refused("issuer_not_in_crowd"):
            found(chain, held, who=who)


def test_a_withdrawn_issuer() -> None:
    chain = a_chain(crowd=2, publish=False)
    [accreditation] = [uid for uid, each in chain.made.items() if each.recipient == ISSUER.address]
    chain.withdraw(AUTHORITY, accreditation, START - 900, "key-compromise", START - 900)
    published(chain)
    with pytest.raises(MembershipError, match="withdrawn_for_cause") as caught:
        found(chain)
    assert caught.value.code == "issuer_not_in_crowd"


def test_what_was_sealed_after_the_accreditation_ended() -> None:
    chain = a_chain(expires_at=START + 100)
    assert found(chain, credential(sealed_at=START + 99)).not_after == START + 99
    with refused("sealed_after_end"):
        found(chain, credential(sealed_at=START + 100))


def test_an_expired_credential() -> None:
    assert found(a_chain(), credential(expiry=START)).now == START
    with refused("credential_expired"):
        found(a_chain(), credential(expiry=START - 1))


def test_a_status_list_that_is_not_the_roots() -> None:
    chain = a_chain()
    for lists in ([], [status(who=OTHER)], [status(number=1)]):
        with refused("status_list_other"):
            found(chain, lists=lists)
    for stale in (status(frozenset()), status(REVOKED - {5}), status(REVOKED | {9})):
        with pytest.raises(MembershipError, match=status_root_of(REVOKED).hex()) as caught:
            found(chain, lists=[stale])
        assert caught.value.code == "status_list_stale"
        assert found(chain, lists=[stale, status()]).epoch == EPOCH


def test_a_revocation_counts_from_the_next_days_root() -> None:
    chain = a_chain()
    chain.status(ISSUER.address, status_root_of(REVOKED | {6}), START + 1_000)
    assert found(chain, lists=[status(REVOKED | {6}), status()]).epoch == EPOCH
    chain.final = Block(2, chain.final.hash, chain.final.parent, START + EPOCH_SECONDS + 10)
    published(chain, EPOCH + 1)
    with refused("status_list_stale"):
        found(chain)
    with refused("credential_revoked"):
        found(chain, lists=[status(REVOKED | {6}), status()])


@pytest.mark.parametrize("index", sorted(REVOKED))
def test_a_revoked_credential(index: int) -> None:
    with refused("credential_revoked"):
        found(a_chain(), credential(index=index))


def test_which_issuer_it_is_is_not_shown() -> None:
    member = found(a_chain(crowd=3))
    assert "index" not in repr(member)
    assert "path" not in repr(member)
