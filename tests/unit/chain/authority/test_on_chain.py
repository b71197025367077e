"""An authority and an issuer on a local chain with EAS."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chartseal.attestation import Address, Digest
from chartseal.chain.authority import (
    Authority,
    Outcome,
    Standing,
    check_trust_root,
    newest_epoch,
    publish_status_root,
    status_root_of,
)
from chartseal.chain.authority.attesting import Attesting
from chartseal.chain.authority.trust_root import EPOCH_SECONDS, encode_trust_root
from chartseal.chain.contract import Contract
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import ACCREDITATION, ROLES, SCHEMAS, TRUST_ROOT, WITHDRAWAL, role_bits
from chartseal.disclosure.binding import FIELD_ORDER
from chartseal.errors import AuthorityError, RevertError
from tests.chain import Local
from tests.issuers import MadeIssuer, granted, issuer

EMPTY = status_root_of([])


@pytest.fixture
def authority(local: Local) -> Authority:
    return Authority(local.sender(0), local.deployment)


def owner(local: Local, at: int) -> MadeIssuer:
    """The issuer whose sealing key is that account's."""
    return MadeIssuer(local.keys[at].address, issuer(at).key)


def facts_of(local: Local) -> RpcFacts:
    return RpcFacts(local.node, local.deployment)


def standing_of(local: Local, by: Authority) -> Standing:
    facts = facts_of(local)
    made = facts.attestations(ACCREDITATION, attester=by.address)
    return Standing(made, facts.attestations(WITHDRAWAL, attester=by.address))


def now(local: Local) -> int:
    return local.node.block().timestamp


def wait_until_tomorrow(local: Local) -> None:
    local.node.request("evm_increaseTime", [EPOCH_SECONDS])
    local.node.request("evm_mine")


def refused(code: str) -> pytest.RaisesExc[AuthorityError]:
    return pytest.RaisesExc(AuthorityError, check=lambda error: error.code == code)


def test_an_issuer_is_accredited_and_withdrawn(local: Local, authority: Authority) -> None:
    made = owner(local, 1)
    until = now(local) + 10_000
    uid = authority.accredit(granted(made, "hospital", "pharmacy", expires_at=until))
    [live] = standing_of(local, authority).live(made.address, now(local))
    assert (live.uid, live.authority, live.expires_at) == (uid, authority.address, until)
    assert live == authority.find(uid)
    since = now(local) + 500
    authority.withdraw(uid, withdrawn_from=since)
    standing = standing_of(local, authority)
    assert standing.live(made.address, since - 1)
    assert not standing.live(made.address, since)
    assert not standing.accreditations[0].revoked_at
    with refused("withdrawal_reaches_back"):
        authority.withdraw(uid, withdrawn_from=now(local) - 1)


def test_a_withdrawal_for_cause_reaches_back_and_revokes(local: Local, authority: Authority) -> None:
    made = owner(local, 2)
    began = now(local)
    uid = authority.accredit(granted(made, valid_from=began))
    local.node.request("evm_increaseTime", [1_000])
    authority.withdraw(uid, cause="key-compromise", withdrawn_from=began + 600)
    standing = standing_of(local, authority)
    [accredited] = standing.of(made.address)
    assert accredited.revoked_at > began + 600
    assert standing.state(accredited, began + 599) == "live"
    assert standing.state(accredited, began + 600) == "withdrawn_for_cause"
    authority.withdraw(uid, cause="key-compromise", withdrawn_from=began + 300)  # once more, earlier
    assert standing_of(local, authority).state(accredited, began + 300) == "withdrawn_for_cause"


def test_a_renewal_says_the_same_for_another_time(local: Local, authority: Authority) -> None:
    made = owner(local, 1)
    first = authority.accredit(granted(made, "clinic", expires_at=now(local) + 100))
    second = authority.renew(first, expires_at=now(local) + 9_000, endpoint="https://elsewhere.example")
    older, newer = authority.find(first), authority.find(second)
    assert newer.expires_at > older.expires_at
    assert (newer.endpoint, older.endpoint) == ("https://elsewhere.example", "https://issuer.example/node")
    assert (newer.proving_key, newer.possession, newer.roles) == (older.proving_key, older.possession, older.roles)


def test_only_what_is_its_own(local: Local, authority: Authority) -> None:
    stranger = Authority(local.sender(3), local.deployment)
    uid = stranger.accredit(granted(owner(local, 1)))
    status = publish_status_root(local.sender(0), local.deployment, 0, EMPTY)
    for what, code in [(uid, "not_ours"), (status, "not_ours"), (Digest(b"\x01" * 32), "attestation_unknown")]:
        with refused(code):
            authority.withdraw(what)
        with refused(code):
            authority.renew(what, expires_at=0)
        with refused(code):
            authority.revoke_trust_root(what)
    stranger.withdraw(uid)


def test_nothing_is_sent_that_readers_would_pass_over(local: Local, authority: Authority) -> None:
    made, before = owner(local, 1), local.node.block().number
    for grant, code in [
        (granted(made, possession=b""), "possession_missing"),
        (granted(made, possession=owner(local, 2).possession()), "possession_invalid"),
        (granted(made, endpoint="http://issuer.example"), "endpoint_refused"),
        (granted(made, expires_at=now(local)), "validity_empty"),
        (granted(made, valid_from=2**40, expires_at=2**40), "validity_empty"),
    ]:
        with refused(code):
            authority.accredit(grant)
    with refused("status_root_malformed"):
        publish_status_root(local.sender(1), local.deployment, 0, Digest(FIELD_ORDER.to_bytes(32)))
    assert local.node.block().number == before


def test_a_trust_root_is_published_once_and_checked(local: Local) -> None:
    authority = Authority(local.sender(3), local.deployment)
    first, second = owner(local, 1), owner(local, 2)
    authority.accredit(granted(first, "laboratory"))
    authority.accredit(granted(second, "laboratory"))
    publish_status_root(local.sender(1), local.deployment, 0, EMPTY)
    publish_status_root(local.sender(2), local.deployment, 0, status_root_of([7]))
    wait_until_tomorrow(local)
    facts = facts_of(local)
    epoch = newest_epoch(facts)
    assert epoch == now(local) // EPOCH_SECONDS
    uid, root = authority.publish_trust_root(facts, "laboratory", epoch)
    assert {leaf.attester.to_bytes(20) for leaf in root.leaves} == {first.address, second.address}
    facts = facts_of(local)
    assert authority.publish_trust_root(facts, "laboratory", epoch) == (uid, root)
    assert check_trust_root(facts, authority.address, "laboratory", epoch).outcome == Outcome.AGREES
    authority.withdraw(authority.accredit(granted(first, "laboratory")), cause="misconduct")
    publish_status_root(local.sender(1), local.deployment, 0, status_root_of([1]))
    facts = facts_of(local)
    assert check_trust_root(facts, authority.address, "laboratory", epoch).computed == root  # the day is over
    wait_until_tomorrow(local)
    assert check_trust_root(facts_of(local), authority.address, "laboratory", epoch).outcome == Outcome.AGREES
    with refused("epoch_not_final"):
        authority.publish_trust_root(facts, "laboratory", epoch + 1)


def test_another_root_that_stands_is_revoked_first(local: Local) -> None:
    authority = Authority(local.sender(2), local.deployment)
    wait_until_tomorrow(local)
    epoch = newest_epoch(facts_of(local))
    wrong = authority.attesting.attest(TRUST_ROOT, encode_trust_root(epoch, "device", Digest(b"\x01" * 32)))
    with refused("trust_root_stands"):
        authority.publish_trust_root(facts_of(local), "device", epoch)
    assert check_trust_root(facts_of(local), authority.address, "device", epoch).outcome == Outcome.DIFFERS
    authority.revoke_trust_root(wrong)
    authority.revoke_trust_root(wrong)  # again is no error
    authority.publish_trust_root(facts_of(local), "device", epoch)
    assert check_trust_root(facts_of(local), authority.address, "device", epoch).outcome == Outcome.AGREES


def test_a_root_waits_for_finality(local: Local) -> None:
    authority = Authority(local.sender(2), local.deployment)
    wait_until_tomorrow(local)
    epoch, young = now(local) // EPOCH_SECONDS, replace(local.deployment, finality=2)
    with refused("epoch_not_final"):
        authority.publish_trust_root(RpcFacts(local.node, young), "imaging", epoch)
    local.node.request("evm_mine")
    local.node.request("evm_mine")
    authority.publish_trust_root(RpcFacts(local.node, young), "imaging", epoch)


def test_schemas_are_registered_once(local: Local) -> None:
    attesting = Attesting(local.sender(1), local.deployment)
    uids = [attesting.registered(schema) for schema in SCHEMAS]
    before = local.node.block().number
    assert [attesting.registered(schema) for schema in SCHEMAS] == uids
    assert local.node.block().number == before
    registry = Contract.load("schema_registry").at(local.deployment.schema_registry)
    for schema, uid in zip(SCHEMAS, uids, strict=True):
        assert local.node.read(registry.read("getSchema", uid)) == (
            uid,
            Address(bytes(20)),
            schema.revocable,
            schema.text,
        )


def test_the_same_under_a_resolver_that_enforces_it(local: Local) -> None:
    key = local.sender(1)
    resolver = key.send(
        Contract.load("accreditation_resolver").deploy(local.deployment.eas, key.address),
    )
    authority = Authority(key, local.deployment, resolver=resolver)
    made, other = owner(local, 2), owner(local, 3)
    uid = authority.accredit(granted(made, "insurer", expires_at=now(local) + 10 * EPOCH_SECONDS))
    renewed = authority.renew(uid, expires_at=now(local) + 20 * EPOCH_SECONDS)
    authority.withdraw(uid)
    wrong = authority.accredit(granted(other, "insurer"))
    authority.withdraw(wrong, cause="accredited-in-error", withdrawn_from=0)
    bound = Contract.load("accreditation_resolver").at(resolver)
    mask = role_bits(["insurer"])
    assert local.node.read(bound.read("isAccredited", made.address, mask))
    assert not local.node.read(bound.read("isAccredited", other.address, mask))
    standing = standing_of(local, authority)
    assert [each.uid for each in standing.live(made.address, now(local))] == [renewed]
    assert not standing.live(other.address, now(local))
    publish_status_root(local.sender(2), local.deployment, 0, EMPTY)
    wait_until_tomorrow(local)
    epoch = newest_epoch(facts_of(local))
    root_uid, root = authority.publish_trust_root(facts_of(local), "insurer", epoch)
    assert [leaf.attester.to_bytes(20) for leaf in root.leaves] == [made.address]
    number = ROLES.index("insurer")
    assert local.node.read(bound.read("trustRoot", epoch, number)) == root.root
    assert check_trust_root(facts_of(local), authority.address, "insurer", epoch).outcome == Outcome.AGREES
    authority.revoke_trust_root(root_uid)
    assert check_trust_root(facts_of(local), authority.address, "insurer", epoch).outcome == Outcome.MISSING
    unseen, _ = Authority(key, local.deployment).publish_trust_root(facts_of(local), "insurer", epoch)
    with pytest.raises(AuthorityError) as caught:  # kept, it would leave contracts without a root
        authority.publish_trust_root(facts_of(local), "insurer", epoch)
    assert caught.value.code == "trust_root_stands"
    authority.revoke_trust_root(unseen)
    authority.publish_trust_root(facts_of(local), "insurer", epoch)
    assert local.node.read(bound.read("trustRoot", epoch, number)) == root.root
    stranger = Authority(local.sender(0), local.deployment, resolver=resolver)
    with pytest.raises(RevertError):
        stranger.accredit(granted(made, "insurer"))
    Authority(key, local.deployment).withdraw(renewed)
    assert not local.node.read(bound.read("isAccredited", made.address, mask)), "the resolver was not told"
    assert not standing_of(local, authority).live(made.address, now(local))
