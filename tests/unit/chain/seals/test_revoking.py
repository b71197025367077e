"""Revoking on a real chain: who may, once, and with the reason as a code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import pytest

from chartseal.attestation import ZERO_ADDRESS, Address, Digest
from chartseal.chain.authority import Grant
from chartseal.chain.calls import Write
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import PRIVATE_DATA, REVOCATION_REASON
from chartseal.chain.seals.revoking import Outcome, Revoker, Target
from chartseal.chain.sending.sender import Sender
from chartseal.chain.view import FactsView
from chartseal.errors import AmendmentError
from tests.chain import Local
from tests.chain_actions import Actor, register_schemas

T = TypeVar("T")
BOARD, ISSUER, NEXT, STRANGER = range(4)


@pytest.fixture(autouse=True)
def _undone(local: Local) -> Iterator[None]:
    mark = local.node.request("evm_snapshot")
    yield
    local.node.request("evm_revert", [mark])


def uids(count: int, first: int = 1) -> list[Digest]:
    return [Digest(each.to_bytes(32)) for each in range(first, first + count)]


def revoke(
    local: Local, who: int, targets: Sequence[Target], reason: str = "amended", *, reason_on_chain: bool = True
) -> list[Outcome]:
    revoker = Revoker(local.sender(who), RpcFacts(local.node, local.deployment))
    return revoker.revoke(targets, reason, reason_on_chain=reason_on_chain)


def mine(local: Local, uid: Digest) -> Target:
    return Target(uid, local.keys[ISSUER].address)


def accredit(local: Local, issuer: int, predecessor: Address = ZERO_ADDRESS) -> Digest:
    register_schemas(local)
    address = local.keys[issuer].address
    grant = Grant(issuer=address, name="A", roles=frozenset({"clinic"}), predecessor=predecessor)
    return Actor.of(local, BOARD).accredit(grant)


def test_an_attesters_seals_are_revoked_once_with_the_reason(local: Local) -> None:
    targets = [mine(local, uid) for uid in uids(3)]
    first = revoke(local, ISSUER, targets)
    assert [(each.uid, each.already, each.as_, each.reason) for each in first] == [
        (target.uid, False, "attester", "amended") for target in targets
    ]
    block = local.node.block().number
    again = revoke(local, ISSUER, targets)
    assert [(each.at, each.already) for each in again] == [(each.at, True) for each in first]
    assert local.node.block().number == block, "a second run sends nothing"
    view, domain = FactsView([RpcFacts(local.node, local.deployment)]), local.deployment.domain()
    found = view.revocation(domain, local.keys[ISSUER].address, targets[0].uid, frozenset())
    assert found is not None
    assert (int(found.at.timestamp()), found.by, found.reason) == (first[0].at, local.keys[ISSUER].address, "amended")


def test_what_an_earlier_run_left_is_finished(local: Local) -> None:
    targets = [mine(local, uid) for uid in uids(3)]
    Actor.of(local, ISSUER).revoke_offchain(targets[1].uid)
    done = revoke(local, ISSUER, [*targets, *targets])
    assert [(each.already, each.reason) for each in done] == [(at == 1, "amended") for at in range(3)]
    changed = revoke(local, ISSUER, targets[:1], "wrong-patient")
    assert (changed[0].already, changed[0].reason) == (True, "wrong-patient")


def test_a_reason_stays_unsaid_where_told_so(local: Local) -> None:
    [done] = revoke(local, ISSUER, [mine(local, uids(1)[0])], reason_on_chain=False)
    assert done.reason is None
    assert not RpcFacts(local.node, local.deployment).attestations(REVOCATION_REASON)


def test_more_than_a_transaction_holds(local: Local) -> None:
    targets = [mine(local, uid) for uid in uids(600)]
    done = revoke(local, ISSUER, targets, reason_on_chain=False)
    assert len(done) == 600
    assert len({each.at for each in done}) <= 3
    assert not any(each.already for each in done)


def test_a_stranger_is_refused_before_anything_is_sent(local: Local) -> None:
    own, theirs = Target(uids(1)[0], local.keys[STRANGER].address), mine(local, uids(1, 2)[0])
    block = local.node.block().number
    with pytest.raises(AmendmentError) as refused:
        revoke(local, STRANGER, [own, theirs])
    assert refused.value.code == "revoker_refused"
    assert "1 of 2" in str(refused.value)
    assert local.node.block().number == block
    [done] = revoke(local, STRANGER, [own])
    assert done.as_ == "attester"
    [unknown] = revoke(local, STRANGER, [Target(theirs.uid)])
    assert unknown.as_ is None


def test_an_authority_revokes_for_whom_it_accredited(local: Local) -> None:
    target = mine(local, uids(1)[0])
    with pytest.raises(AmendmentError):
        revoke(local, BOARD, [target])
    given = accredit(local, ISSUER)
    Actor.of(local, BOARD).withdraw(given, local.keys[ISSUER].address, 0, "misconduct")
    [done] = revoke(local, BOARD, [target], "key-compromise")
    assert (done.as_, done.reason) == ("authority", "key-compromise")


def test_a_successor_revokes_while_it_is_accredited(local: Local) -> None:
    first, second = (mine(local, uid) for uid in uids(2))
    accredit(local, NEXT)
    with pytest.raises(AmendmentError):
        revoke(local, NEXT, [first])
    given = accredit(local, NEXT, local.keys[ISSUER].address)
    assert revoke(local, NEXT, [first])[0].as_ == "successor"
    Actor.of(local, BOARD).withdraw(given, local.keys[NEXT].address, 0, "ordinary")
    with pytest.raises(AmendmentError) as refused:
        revoke(local, NEXT, [second])
    assert refused.value.code == "revoker_refused"


def test_a_seal_on_chain_is_revoked_there(local: Local) -> None:
    register_schemas(local)
    issuer = Actor.of(local, ISSUER)
    made = [issuer.attest(PRIVATE_DATA, bytes([each]) * 32) for each in (1, 2)]
    done = revoke(local, ISSUER, [Target(made[0]), Target(uids(1)[0], issuer.address)])
    facts = RpcFacts(local.node, local.deployment)
    body = facts.attestation(made[0])
    assert body is not None
    assert (body.revocation_time, done[0].as_) == (done[0].at, "attester")
    assert not facts.revoked_offchain(issuer.address, made[0])
    assert facts.revoked_offchain(issuer.address, uids(1)[0]) == done[1].at
    with pytest.raises(AmendmentError):
        revoke(local, STRANGER, [Target(made[1])])
    assert revoke(local, ISSUER, [Target(made[0])])[0].already


def test_what_is_not_revocable_is_refused_first(local: Local) -> None:
    register_schemas(local)
    issuer = Actor.of(local, ISSUER)
    fixed = issuer.attest(REVOCATION_REASON, bytes(64))
    other = uids(1)[0]
    with pytest.raises(AmendmentError) as refused:
        revoke(local, ISSUER, [Target(other, issuer.address), Target(fixed)])
    assert refused.value.code == "not_revocable"
    assert not RpcFacts(local.node, local.deployment).revoked_offchain(issuer.address, other)
    with pytest.raises(AmendmentError) as unknown:
        revoke(local, ISSUER, [], "because")
    assert unknown.value.code == "reason_unknown"


class Overtaken(Sender):
    """The key's owner revokes one of a batch elsewhere, just before it is sent."""

    def __init__(self, local: Local, uid: Digest) -> None:
        super().__init__(local.node, local.keys[ISSUER])
        self._other, self._uid, self.sent = Actor.of(local, ISSUER), uid, 0

    def send(self, write: Write[T], *, gas: int | None = None) -> T:
        if not self.sent:
            self._other.revoke_offchain(self._uid)
        self.sent += 1
        return super().send(write, gas=gas)


def test_a_batch_that_was_overtaken_goes_without_what_is_done(local: Local) -> None:
    targets = [mine(local, uid) for uid in uids(3)]
    sender = Overtaken(local, targets[1].uid)
    done = Revoker(sender, RpcFacts(local.node, local.deployment)).revoke(targets, "other", reason_on_chain=False)
    assert sender.sent == 2
    assert all(each.at for each in done)
