"""What an authority attested, beside what the chain gives."""

from __future__ import annotations

import pytest

from chartseal.attestation import Digest
from chartseal.chain.authority import Check, Outcome, check_trust_root, compute_trust_root, status_root_of
from chartseal.chain.authority.checking import roots_to_check
from chartseal.chain.authority.trust_root import EPOCH_SECONDS, root_of
from chartseal.chain.schemas import TRUST_ROOT
from tests.issuers import AUTHORITY, STRANGER, granted, issuer
from tests.made_chain import MadeChain

EPOCH = 20_000
START = EPOCH * EPOCH_SECONDS


@pytest.fixture
def chain() -> MadeChain:
    """Three issuers; the third one came a day later than the others."""
    made = MadeChain()
    for number in range(3):
        at = START - 10 if number == 2 else START - EPOCH_SECONDS - 10
        made.accredit(AUTHORITY, granted(issuer(number)), at)
        made.status(issuer(number).address, status_root_of([]), at)
    return made


def check(chain: MadeChain) -> Check:
    return check_trust_root(chain, AUTHORITY, "pharmacy", EPOCH)


def test_the_same_root_agrees(chain: MadeChain) -> None:
    assert check(chain).outcome == Outcome.MISSING
    root = compute_trust_root(chain, AUTHORITY, "pharmacy", EPOCH).root
    chain.publish(STRANGER, EPOCH, "pharmacy", root, START)
    chain.publish(AUTHORITY, EPOCH, "clinic", root, START)
    chain.publish(AUTHORITY, EPOCH + 1, "pharmacy", root, START)
    assert check(chain).outcome == Outcome.MISSING
    uid = chain.publish(AUTHORITY, EPOCH, "pharmacy", root, START)
    found = check(chain)
    assert (found.outcome, found.differences) == (Outcome.AGREES, ())
    assert [each.uid for each in found.attested] == [uid]
    chain.revoke(uid, START + 1)
    assert check(chain).outcome == Outcome.MISSING


def test_it_says_what_differs(chain: MadeChain) -> None:
    stale = compute_trust_root(chain, AUTHORITY, "pharmacy", EPOCH - 1)
    leaves = compute_trust_root(chain, AUTHORITY, "pharmacy", EPOCH).leaves
    assert (len(stale.leaves), len(leaves)) == (2, 3)
    dropped = next(at for at, leaf in enumerate(leaves) if leaf in stale.leaves)
    whom = f"0x{leaves[dropped].attester:040x}"
    for root, words in [
        (stale.root, "that of 1 epoch before"),
        (root_of(leaves[:dropped] + leaves[dropped + 1 :]), f"leaves out list 0 of {whom}"),
        (Digest(b"\x01" * 32), "not over the 3 leaves"),
    ]:
        uid = chain.publish(AUTHORITY, EPOCH, "pharmacy", root, START)
        found = check(chain)
        assert found.outcome == Outcome.DIFFERS
        [difference] = found.differences
        assert words in difference
        chain.revoke(uid, START)


def test_two_roots_or_one_too_early_differ(chain: MadeChain) -> None:
    root = compute_trust_root(chain, AUTHORITY, "pharmacy", EPOCH).root
    uid = chain.publish(AUTHORITY, EPOCH, "pharmacy", root, START - 1)
    assert check(chain).differences == ("a root was attested before its epoch began",)
    chain.revoke(uid, START)
    chain.publish(AUTHORITY, EPOCH, "pharmacy", root, START)
    assert check(chain).outcome == Outcome.AGREES
    chain.publish(AUTHORITY, EPOCH, "pharmacy", root, START)
    assert check(chain).differences == ("2 roots stand for this role and epoch",)


def test_what_there_is_to_check(chain: MadeChain) -> None:
    root = root_of([])
    chain.publish(AUTHORITY, EPOCH - 1, "pharmacy", root, START)
    chain.publish(AUTHORITY, EPOCH, "pharmacy", root, START)
    chain.publish(AUTHORITY, EPOCH - 2, "clinic", root, START)
    chain.publish(STRANGER, EPOCH, "clinic", root, START)
    chain.attest(TRUST_ROOT, STRANGER, b"\x01", START)
    chain.attest(TRUST_ROOT, STRANGER, EPOCH.to_bytes(32) + (200).to_bytes(32) + root, START)
    chain.revoke(chain.publish(STRANGER, EPOCH, "imaging", root, START), START)
    assert roots_to_check(chain, None, None, None) == [
        (AUTHORITY, "pharmacy", EPOCH),
        (AUTHORITY, "clinic", EPOCH - 2),
        (STRANGER, "clinic", EPOCH),
    ]
    assert roots_to_check(chain, AUTHORITY, "pharmacy", EPOCH - 1) == [(AUTHORITY, "pharmacy", EPOCH - 1)]
    assert roots_to_check(chain, None, "clinic", EPOCH) == [(STRANGER, "clinic", EPOCH)]
