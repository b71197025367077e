"""Facts from a node: as of one block, of one contract, or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from chartseal import _core
from chartseal.attestation import (
    PRIVATE_DATA_SCHEMA,
    ZERO_ADDRESS,
    ZERO_DIGEST,
    Address,
    Digest,
    OffchainMessage,
    sign_offchain,
)
from chartseal.chain.authority import Grant, status_root_of
from chartseal.chain.authority.status_root import encode_status_root
from chartseal.chain.calls import Write
from chartseal.chain.contract import Contract, Item
from chartseal.chain.facts import Prefetching
from chartseal.chain.rpc.node import Node
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import ACCREDITATION, REVOCATION_REASON, STATUS_ROOT, WITHDRAWAL
from chartseal.chain.view import FactsView
from chartseal.errors import ChainError, DeploymentError, NodeError, SealError
from chartseal.verification import UnsafeTrustAnyone, verify_seals
from tests.chain import Local
from tests.chain_actions import Actor, register_schemas
from tests.rpc_proxy import Fault, RpcProxy, always, seeded
from tests.vyper_contracts import compiled

UID = Digest(b"\x51" * 32)


@pytest.fixture(scope="module", autouse=True)
def _schemas(local: Local) -> None:
    register_schemas(local)


@pytest.fixture
def undone(local: Local) -> Iterator[None]:
    """What a test does on the chain goes with it."""
    mark = local.node.request("evm_snapshot")
    yield
    local.node.request("evm_revert", [mark])


def facts_of(local: Local, finality: int = 0) -> RpcFacts:
    return RpcFacts(local.node, replace(local.deployment, finality=finality), max_age=timedelta(days=1))


def grant(issuer: Address) -> Grant:
    return Grant(issuer=issuer, name="Example", roles=frozenset({"hospital"}))


@pytest.mark.usefixtures("undone")
def test_answers_are_of_the_pinned_block_until_refreshed(local: Local) -> None:
    actor, root = Actor.of(local, 0), Digest(b"\x11" * 32)
    facts = facts_of(local)
    assert (facts.timestamp(root), facts.revoked_offchain(actor.address, UID)) == (0, 0)
    head = facts.head
    stamped, revoked = actor.timestamp(root), actor.revoke_offchain(UID)
    other = Digest(b"\x12" * 32)
    actor.timestamp(other)
    assert (facts.head, facts.timestamp(root), facts.timestamp(other)) == (head, 0, 0)
    facts.refresh()
    assert facts.head.number == head.number + 3
    assert (facts.timestamp(root), facts.revoked_offchain(actor.address, UID)) == (stamped, revoked)
    assert facts.revoked_offchain(Actor.of(local, 1).address, UID) == 0


@pytest.mark.usefixtures("undone")
def test_attestations_by_who_and_for_whom_with_their_revocations(local: Local) -> None:
    board, other, issuer = Actor.of(local, 0), Actor.of(local, 1), Actor.of(local, 2)
    first = board.accredit(grant(issuer.address))
    second = board.accredit(grant(other.address))
    other.accredit(grant(issuer.address))
    withdrawn = board.withdraw(first, issuer.address, 0, "ordinary")
    revoked_at = board.revoke(ACCREDITATION, first)
    facts = facts_of(local)
    found = facts.attestations(ACCREDITATION, attester=board.address)
    assert [(each.uid, each.revocation_time) for each in found] == [(first, revoked_at), (second, 0)]
    assert [each.uid for each in facts.attestations(WITHDRAWAL, attester=board.address)] == [withdrawn]
    by_whom = [each.attester for each in facts.attestations(ACCREDITATION, recipient=issuer.address)]
    assert by_whom == [board.address, other.address]
    [both] = facts.attestations(ACCREDITATION, attester=board.address, recipient=issuer.address)
    assert both == facts.attestation(first)
    assert len(facts.attestations(ACCREDITATION)) == 3
    assert not facts.attestations(REVOCATION_REASON)
    assert facts.attestation(UID) is None


@pytest.mark.usefixtures("undone")
def test_a_schema_counts_by_its_string_and_flag(local: Local) -> None:
    board = Actor.of(local, 0)
    flagged = replace(WITHDRAWAL, revocable=True)
    registry = Contract.load("schema_registry").at(local.deployment.schema_registry)
    board.sender.send(registry.write("register", flagged.text, bytes(20), True))
    board.attest(flagged, bytes(96))
    assert not facts_of(local).attestations(WITHDRAWAL, attester=board.address)
    assert not facts_of(local).attestations(WITHDRAWAL)
    uid = board.attest(WITHDRAWAL, bytes(96))
    assert [each.uid for each in facts_of(local).attestations(WITHDRAWAL, attester=board.address)] == [uid]
    assert [each.uid for each in facts_of(local).attestations(WITHDRAWAL)] == [uid]


@pytest.mark.usefixtures("undone")
def test_a_schema_that_is_no_text_keeps_nothing_back(local: Local) -> None:
    """Anybody can register one, and attest under it for anybody."""
    board, stranger, issuer = Actor.of(local, 0), Actor.of(local, 1), Actor.of(local, 2)
    made = board.accredit(grant(issuer.address))
    registry, resolver = local.deployment.schema_registry, ZERO_ADDRESS
    data = Item("register", ("bytes", "address", "bool")).encode([b"\xff\xfe", resolver, True])[4:]
    selector = Contract.load("schema_registry").functions["register"].selector
    stranger.sender.send(Write(registry, selector + data, lambda receipt: receipt))
    odd = Digest(_core.keccak256(b"\xff\xfe" + resolver + b"\1"))
    stranger.do("attest", (odd, (issuer.address, 0, True, ZERO_DIGEST, b"", 0)))
    facts = facts_of(local)
    assert [each.uid for each in facts.attestations(ACCREDITATION, recipient=issuer.address)] == [made]
    assert [each.uid for each in facts.attestations(ACCREDITATION)] == [made]


@pytest.mark.usefixtures("undone")
def test_a_registry_whose_event_tells_only_the_uid(local: Local) -> None:
    """So it is on mainnet, Optimism and Arbitrum."""
    sender = local.sender()
    registry = sender.send(compiled("OldRegistry").deploy())
    eas = sender.send(Contract.load("eas").deploy(registry))
    old = local._replace(deployment=replace(local.deployment, eas=eas, schema_registry=registry))
    register_schemas(old)
    issuer = Actor.of(old, 1)
    made = issuer.attest(STATUS_ROOT, encode_status_root(0, status_root_of([])))
    assert [each.uid for each in facts_of(old).attestations(STATUS_ROOT)] == [made]


@pytest.mark.usefixtures("undone")
def test_final_lies_below_the_head(local: Local) -> None:
    local.node.request("anvil_mine", ["0x14"])
    facts = facts_of(local, finality=7)
    assert facts.final.number == facts.head.number - 7
    assert facts_of(local, finality=10_000).final.number == 0
    assert facts_of(local).final == facts_of(local).head


@pytest.mark.usefixtures("undone")
def test_many_answers_come_in_few_requests(local: Local) -> None:
    actor = Actor.of(local, 0)
    uids = [Digest(bytes([each]) * 32) for each in range(1, 41)]
    revoked_at = actor.do("multiRevokeOffchain", uids[:20])
    with RpcProxy(local.url) as proxy:
        facts = RpcFacts(Node(proxy.url), local.deployment)
        assert isinstance(facts, Prefetching)
        facts.prefetch(timestamps=uids, revoked=[(actor.address, uid) for uid in uids], attestations=uids)
        before = proxy.seen.total()
        assert [facts.revoked_offchain(actor.address, uid) for uid in uids] == [revoked_at] * 20 + [0] * 20
        assert not any(facts.timestamp(uid) for uid in uids)
        assert not any(facts.attestation(uid) for uid in uids)
        assert proxy.seen.total() == before


def test_facts_that_were_not_refreshed_answer_nothing_whatever_the_chain(local: Local) -> None:
    """A chain that is final at once may rest; a view of it that is kept would never learn of a revocation."""
    now = [1_000.0]
    facts = RpcFacts(local.node, replace(local.deployment, finality=0), clock=lambda: now[0])
    assert facts.revoked_offchain(Address(bytes(20)), UID) == 0
    now[0] += 900
    assert facts.revoked_offchain(Address(bytes(20)), UID) == 0
    now[0] += 1
    with pytest.raises(NodeError) as refused:
        facts.revoked_offchain(Address(bytes(20)), UID)
    assert refused.value.code == "node_behind"
    facts.refresh()
    assert facts.revoked_offchain(Address(bytes(20)), UID) == 0


def test_a_block_that_is_too_old_answers_nothing(local: Local) -> None:
    head = local.node.block()
    now = [head.timestamp + 60.0]
    facts = RpcFacts(local.node, local.deployment, max_age=timedelta(minutes=1), clock=lambda: now[0])
    assert facts.revoked_offchain(Address(bytes(20)), UID) == 0
    now[0] += 1
    for ask in (
        lambda: facts.revoked_offchain(Address(bytes(20)), UID),
        lambda: facts.timestamp(UID),
        lambda: facts.attestation(UID),
        lambda: facts.attestations(ACCREDITATION, attester=Address(b"\1" * 20)),
    ):
        with pytest.raises(NodeError) as refused:
            ask()
        assert refused.value.code == "node_behind"


def test_another_contract_or_chain_answers_nothing(local: Local) -> None:
    other = Address(b"\x77" * 20)
    for change, code in (
        ({"eas": other}, "contract_missing"),
        ({"eas": local.deployment.schema_registry}, "contract_wrong"),
        ({"schema_registry": other}, "contract_missing"),
        ({"schema_registry": local.deployment.eas}, "contract_wrong"),
        ({"version": "1.3.0"}, "contract_wrong"),
        ({"chain_id": 1}, "chain_wrong"),
    ):
        facts = RpcFacts(local.node, replace(local.deployment, **change))
        with pytest.raises(ChainError) as refused:
            facts.revoked_offchain(other, UID)
        assert refused.value.code == code
        assert isinstance(refused.value, DeploymentError | NodeError)


@pytest.mark.parametrize("fault", [Fault.FAILED, Fault.TRUNCATED, Fault.LIMITED, Fault.WRONG_CHAIN, Fault.MISSING])
def test_a_failing_node_is_never_a_no(local: Local, fault: Fault) -> None:
    """Once connected: nothing reads as "not revoked"."""
    with RpcProxy(local.url) as proxy:
        facts = RpcFacts(Node(proxy.url, attempts=1), local.deployment)
        assert facts.revoked_offchain(Address(b"\1" * 20), UID) == 0
        proxy.script = lambda call: fault
        if fault is Fault.WRONG_CHAIN:
            facts = RpcFacts(Node(proxy.url, attempts=1), local.deployment)
        with pytest.raises(ChainError):
            facts.revoked_offchain(Address(b"\2" * 20), UID)
        with pytest.raises(ChainError):
            facts.attestations(ACCREDITATION, attester=Address(b"\1" * 20))


@pytest.mark.usefixtures("undone")
def test_logs_that_a_node_leaves_out_now_and_then_are_missed(local: Local) -> None:
    board = Actor.of(local, 0)
    for at in range(1, 4):
        board.accredit(grant(local.keys[at].address))
    with RpcProxy(local.url, script=always("eth_getLogs", Fault.LOGS_MISSING)) as proxy:
        facts = RpcFacts(Node(proxy.url, attempts=1), local.deployment)
        with pytest.raises(NodeError) as refused:
            facts.attestations(ACCREDITATION, attester=board.address)
        assert refused.value.code == "logs_inconsistent"
    assert len(facts_of(local).attestations(ACCREDITATION, attester=board.address)) == 3


FAULTS = (
    Fault.LIMITED,
    Fault.FAILED,
    Fault.DROPPED,
    Fault.TRUNCATED,
    Fault.NOT_JSON,
    Fault.WRONG_ID,
    Fault.MISSING,
    Fault.BODY_LIMITED,
    Fault.LOGS_TOO_MANY,
    Fault.LOGS_SHUFFLED,
    Fault.LOGS_MISSING,
    Fault.LOGS_DOUBLED,
    Fault.LOGS_FOREIGN,
)


@pytest.mark.usefixtures("undone")
def test_random_faults_never_make_a_no_of_a_yes(local: Local, drill_scale: float) -> None:
    """Revoked by the authority: that takes logs, bodies and state; each run tells it or errs."""
    board, issuer = Actor.of(local, 0), Actor.of(local, 2)
    for each in (issuer, Actor.of(local, 1), Actor.of(local, 3)):
        board.accredit(grant(each.address))
    at, domain, names = board.revoke_offchain(UID), local.deployment.domain(), frozenset({board.address})
    told: Counter[str] = Counter()
    for seed in range(max(12, int(1_000 * drill_scale))):
        rates = dict.fromkeys(FAULTS, 0.02 if seed % 2 else 0.005)
        with RpcProxy(local.url, script=seeded(seed, rates)) as proxy:
            view = FactsView([RpcFacts(Node(proxy.url, attempts=2, timeout=2), local.deployment)])
            try:
                found = view.revocation(domain, issuer.address, UID, names)
            except ChainError as error:
                told[error.code] += 1
                continue
        assert found is not None
        assert (int(found.at.timestamp()), found.by) == (at, board.address)
        told["revoked"] += 1
    assert told["revoked"] > 0
    assert len(told) > 1, "some runs met faults that they could not bear"


def test_a_reorganised_chain_errs_and_is_pinned_anew(local: Local) -> None:
    actor = Actor.of(local, 0)
    mark = local.node.request("evm_snapshot")
    actor.revoke_offchain(UID)
    facts = facts_of(local)
    assert facts.revoked_offchain(actor.address, UID)
    local.node.request("evm_revert", [mark])
    with pytest.raises(NodeError):
        facts.revoked_offchain(Actor.of(local, 1).address, UID)
    with pytest.raises(NodeError):
        facts.attestations(ACCREDITATION, attester=actor.address)
    facts.refresh()
    assert facts.revoked_offchain(actor.address, UID) == 0


@pytest.mark.usefixtures("undone")
def test_a_contract_seals_by_its_owners_key(local: Local) -> None:
    owner, other = local.keys[2], local.keys[3]
    taking = bytes.fromhex("1626ba7e") + bytes(28)
    wallet, refusing = (
        local.sender().send(compiled("Wallet").deploy(owner.address, answer)) for answer in (taking, bytes(32))
    )
    domain, trust = local.deployment.domain(), UnsafeTrustAnyone()
    today = local.node.block().timestamp // 86_400 * 86_400
    message = OffchainMessage(PRIVATE_DATA_SCHEMA, today, bytes(range(32)))
    now, view = local.node.block().time, FactsView([facts_of(local)])
    signed = sign_offchain(message, domain, owner)
    [seal] = verify_seals([replace(signed, signer=wallet)], trust, now=now, chain=view)
    assert (seal.attestation.attester, seal.attestation.uid) == (wallet, signed.uid)
    for package in (
        replace(signed, signer=refusing),
        replace(sign_offchain(message, domain, other), signer=wallet),
        replace(signed, signer=other.address),
        replace(signed, signer=wallet, domain=replace(domain, version="1.3.0")),
    ):
        with pytest.raises((SealError, NodeError)):
            verify_seals([package], trust, now=now, chain=view)


def test_nobodys_signature_is_a_contracts(local: Local) -> None:
    facts = facts_of(local)
    for signer in (Address(b"\x77" * 20), local.deployment.eas, local.keys[0].address, Address(bytes(19) + b"\4")):
        assert not facts.is_valid_signature(signer, ZERO_DIGEST, bytes(65))
