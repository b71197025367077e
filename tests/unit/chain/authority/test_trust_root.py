"""Trust roots of made chains: who stands in one, who does not and why, a second before and at the epoch's start."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal import _core
from chartseal.attestation import Digest
from chartseal.chain.authority import Leaf, TrustRoot, compute_trust_root, status_root_of
from chartseal.chain.authority.status_root import LIST_SIZE
from chartseal.chain.authority.trust_root import EPOCH_SECONDS, MOST_LEAVES, root_of
from chartseal.chain.schemas import STATUS_ROOT
from chartseal.disclosure.binding import FIELD_ORDER
from chartseal.errors import AuthorityError, SchemaError
from tests.issuers import AUTHORITY, STRANGER, MadeIssuer, granted, issuer
from tests.made_chain import MadeChain

EPOCH = 20_000
START = EPOCH * EPOCH_SECONDS
EARLY = START - 1_000
NEVER = 2**64 - 1
EMPTY = status_root_of([])
ISSUER, OTHER = issuer(1), issuer(2)
NO_KEY = bytes(32)


def computed(chain: MadeChain, role: str = "pharmacy", epoch: int = EPOCH) -> TrustRoot:
    return compute_trust_root(chain, AUTHORITY, role, epoch)


def reasons(chain: MadeChain) -> list[str]:
    return [each.reason for each in computed(chain).left_out]


def accredited(
    made: MadeIssuer = ISSUER, at: int = EARLY, *, valid_from: int = 0, expires_at: int = 0
) -> tuple[MadeChain, Digest]:
    """A chain with one issuer, accredited and with a status root."""
    chain = MadeChain()
    uid = chain.accredit(AUTHORITY, granted(made, valid_from=valid_from, expires_at=expires_at), at)
    chain.status(made.address, EMPTY, EARLY)
    return chain, uid


def test_a_leaf_for_each_list() -> None:
    chain, _ = accredited()
    chain.status(ISSUER.address, status_root_of([5]), START - 1, number=3)
    chain.status(OTHER.address, status_root_of([6]), EARLY, number=4)
    ax, ay = (int.from_bytes(each) for each in _core.check_point(ISSUER.proving_key))
    who = int.from_bytes(ISSUER.address)
    expected = [
        Leaf(who, ax, ay, 0, NEVER, int.from_bytes(EMPTY)),
        Leaf(who, ax, ay, 3, NEVER, int.from_bytes(status_root_of([5]))),
    ]
    found = computed(chain)
    assert list(found.leaves) == expected
    assert found.root == root_of(expected)
    assert not found.left_out
    assert not computed(chain, "hospital").leaves
    assert computed(chain, "hospital").root == root_of([])


def test_the_last_status_root_before_the_epoch_counts() -> None:
    chain, _ = accredited()
    chain.status(ISSUER.address, status_root_of([1]), START - 1)
    before = computed(chain)
    chain.status(ISSUER.address, status_root_of([1, 2]), START)
    assert computed(chain) == before
    assert before.leaves[0].status_root == int.from_bytes(status_root_of([1]))


def test_an_issuer_without_a_status_root_is_left_out() -> None:
    chain = MadeChain()
    chain.accredit(AUTHORITY, granted(ISSUER), EARLY)
    assert reasons(chain) == ["status_missing"]
    chain.status(ISSUER.address, EMPTY, START)
    assert reasons(chain) == ["status_missing"]
    chain.attest(STATUS_ROOT, ISSUER.address, b"\x01", EARLY)
    assert reasons(chain) == ["status_missing"]


def test_a_list_whose_last_root_is_no_element_is_left_out() -> None:
    chain, uid = accredited()
    data = (0).to_bytes(32) + (FIELD_ORDER - 1).to_bytes(32)
    chain.attest(STATUS_ROOT, ISSUER.address, data, EARLY)
    assert computed(chain).leaves[0].status_root == FIELD_ORDER - 1
    chain.attest(STATUS_ROOT, ISSUER.address, (0).to_bytes(32) + FIELD_ORDER.to_bytes(32), EARLY)
    found = computed(chain)
    assert not found.leaves
    [left] = found.left_out
    assert (left.accreditation, left.issuer, left.reason, left.list) == (uid, ISSUER.address, "status_malformed", 0)


def test_it_begins_before_the_epoch() -> None:
    assert computed(accredited(at=START - 1)[0]).leaves
    assert computed(accredited(valid_from=START - 1)[0]).leaves
    assert reasons(accredited(valid_from=START)[0]) == ["not_begun"]
    later, _ = accredited(at=START)
    assert not computed(later).leaves
    assert not computed(later).left_out


def test_an_expiration_is_just_after_the_last_that_is_sealed() -> None:
    chain, _ = accredited(expires_at=START + 1)
    assert [leaf.not_after for leaf in computed(chain).leaves] == [START]
    assert reasons(accredited(expires_at=START)[0]) == ["expired"]


def test_a_revoked_one_is_left_out() -> None:
    chain, uid = accredited()
    chain.revoke(uid, START)
    assert computed(chain).leaves
    chain.revoke(uid, START - 1)
    assert reasons(chain) == ["revoked"]


def test_a_withdrawal_for_cause_removes_the_leaf() -> None:
    chain, uid = accredited()
    chain.withdraw(AUTHORITY, uid, START + 5_000, "misconduct", START)
    assert computed(chain).leaves
    chain.withdraw(AUTHORITY, uid, START + 5_000, "misconduct", START - 1)
    assert reasons(chain) == ["withdrawn_for_cause"]


@pytest.mark.parametrize(("since", "at"), [(START - 50, START - 90), (START - 90, START - 50)])
def test_an_ordinary_withdrawal_sets_not_after(since: int, at: int) -> None:
    chain, uid = accredited(expires_at=START + 900)
    chain.withdraw(STRANGER, uid, 0, "ordinary", EARLY)
    assert [leaf.not_after for leaf in computed(chain).leaves] == [START + 899]
    chain.withdraw(AUTHORITY, uid, since, "ordinary", at)
    assert [leaf.not_after for leaf in computed(chain).leaves] == [START - 51]
    chain.withdraw(AUTHORITY, uid, START + 5, "ordinary", EARLY)
    assert [leaf.not_after for leaf in computed(chain).leaves] == [START - 51]


def test_one_that_ended_before_it_began_was_never_live() -> None:
    chain, uid = accredited(valid_from=START - 500)
    chain.withdraw(AUTHORITY, uid, START - 499, "ordinary", EARLY)
    assert computed(chain).leaves
    chain.withdraw(AUTHORITY, uid, START - 500, "ordinary", EARLY)
    assert reasons(chain) == ["never_live"]


def test_renewals_of_one_key_share_a_leaf_with_the_latest_end() -> None:
    chain, _ = accredited(expires_at=START + 10)
    chain.accredit(AUTHORITY, granted(ISSUER, expires_at=START + 30), EARLY)
    chain.accredit(AUTHORITY, granted(ISSUER, expires_at=START + 20), EARLY)
    assert [leaf.not_after for leaf in computed(chain).leaves] == [START + 29]


def test_a_key_needs_form_and_possession() -> None:
    first, second = ISSUER, OTHER
    for grant, reason in [
        (granted(first, proving_key=NO_KEY, possession=b""), "key_missing"),
        (granted(first, proving_key=b"\xff" * 32), "key_malformed"),
        (granted(first, proving_key=b"\x01" + bytes(31)), "key_malformed"),
        (granted(first, possession=b""), "possession_invalid"),
        (granted(first, possession=second.possession()), "possession_invalid"),
        (granted(first, proving_key=second.proving_key, possession=second.possession()), "possession_invalid"),
    ]:
        chain = MadeChain()
        chain.accredit(AUTHORITY, grant, EARLY)
        chain.status(first.address, EMPTY, EARLY)
        assert reasons(chain) == [reason]
        chain.accredit(AUTHORITY, granted(first), EARLY)
        assert len(computed(chain).leaves) == 1


def test_a_copied_key_shuts_nobody_out_but_a_shared_one_both() -> None:
    chain, _ = accredited()
    copy = granted(OTHER, proving_key=ISSUER.proving_key, possession=ISSUER.possession())
    chain.accredit(AUTHORITY, copy, EARLY)
    chain.status(OTHER.address, EMPTY, EARLY)
    assert [leaf.attester for leaf in computed(chain).leaves] == [int.from_bytes(ISSUER.address)]
    assert reasons(chain) == ["possession_invalid"]
    owner_of_both = issuer(2, key=1)
    assert owner_of_both.address == OTHER.address
    elsewhere = chain.accredit(STRANGER, granted(owner_of_both), EARLY)
    assert len(computed(chain).leaves) == 1
    ended = chain.accredit(AUTHORITY, granted(owner_of_both, "imaging"), START - 1)
    chain.revoke(ended, START - 1)
    assert sorted(reasons(chain)) == ["key_shared", "possession_invalid"]
    assert not computed(chain).leaves
    assert elsewhere not in {each.accreditation for each in computed(chain).left_out}


def test_a_malformed_accreditation_is_named() -> None:
    chain, _ = accredited()
    uid = chain.accredit(AUTHORITY, granted(OTHER, endpoint="ftp://issuer.example"), EARLY)
    [left] = computed(chain).left_out
    assert (left.accreditation, left.reason) == (uid, "endpoint_refused")
    assert len(computed(chain).leaves) == 1


def test_another_authority_accredits_nobody_here() -> None:
    chain, _ = accredited()
    chain.accredit(STRANGER, granted(OTHER), EARLY)
    chain.status(OTHER.address, EMPTY, EARLY)
    assert [leaf.attester for leaf in computed(chain).leaves] == [int.from_bytes(ISSUER.address)]


def test_a_block_of_the_epoch_is_final() -> None:
    computed(MadeChain(START))
    with pytest.raises(AuthorityError) as caught:
        computed(MadeChain(START - 1))
    assert caught.value.code == "epoch_not_final"


@pytest.mark.parametrize(
    ("epoch", "role", "code"), [(-1, "pharmacy", "epoch_unknown"), (2**32, "clinic", "epoch_unknown")]
)
def test_an_epoch_has_32_bits(epoch: int, role: str, code: str) -> None:
    with pytest.raises(AuthorityError) as caught:
        computed(MadeChain(), role, epoch)
    assert caught.value.code == code
    with pytest.raises(SchemaError):
        computed(MadeChain(), "barber")


def test_the_tree_has_room_for_4096() -> None:
    leaf = Leaf(1, 2, 3, 0, NEVER, 5)
    root_of([leaf] * MOST_LEAVES)
    with pytest.raises(AuthorityError) as caught:
        root_of([leaf] * (MOST_LEAVES + 1))
    assert caught.value.code == "trust_root_full"


def test_a_status_list_has_its_last_index() -> None:
    assert status_root_of([LIST_SIZE - 1]) != EMPTY
    assert status_root_of([0, 0]) == status_root_of([0])
    for index in (LIST_SIZE, -1):
        with pytest.raises(AuthorityError) as caught:
            status_root_of([index])
        assert caught.value.code == "status_index"


@pytest.mark.parametrize("count", [4, 5, 12])
def test_few_and_many_issuers_are_asked_for_alike(count: int) -> None:
    chain = MadeChain()
    for number in range(count):
        chain.accredit(AUTHORITY, granted(issuer(number)), EARLY)
    for number in range(count + 3):  # three of them strangers
        chain.status(issuer(number).address, status_root_of([99]), EARLY)
        chain.status(issuer(number).address, status_root_of([number]), EARLY, number=1)
    for number in range(count + 3):
        chain.status(issuer(number).address, status_root_of([number]), START - 1)
    found = {(leaf.attester, leaf.list): leaf.status_root for leaf in computed(chain).leaves}
    assert found == {
        (int.from_bytes(issuer(number).address), which): int.from_bytes(status_root_of([number]))
        for number in range(count)
        for which in (0, 1)
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0, 1, 2]))
def test_the_order_of_attesting_does_not_matter(seed: int, dropped: int) -> None:
    chance = random.Random(seed)
    grants = [granted(issuer(number)) for number in range(5)]
    chains = [MadeChain(), MadeChain()]
    for chain in chains:
        for grant in chance.sample(grants, len(grants))[dropped if chain is chains[1] else 0 :]:
            chain.accredit(AUTHORITY, grant, EARLY)
            chain.status(grant.issuer, EMPTY, EARLY)
    first, second = (computed(chain) for chain in chains)
    assert [leaf.attester for leaf in first.leaves] == sorted(int.from_bytes(each.issuer) for each in grants)
    assert (first.root == second.root) == (dropped == 0)
    assert (first.leaves == second.leaves) == (dropped == 0)
