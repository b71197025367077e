"""Amending: sealed anew before the old seal is revoked, once, by who may."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import ZERO_ADDRESS, Address, Domain, LocalSigner
from chartseal.chain.authority import Grant
from chartseal.chain.rpc.node import Node
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import REVOCATION_REASON
from chartseal.chain.seals.amending import Amended, Amendment
from chartseal.chain.seals.revoking import Revoker
from chartseal.chain.sending.sender import Sender
from chartseal.errors import AmendmentError, ChartsealError, FhirError, NodeError, SendError
from chartseal.keys import Wallet
from chartseal.record import Credential, is_of_event
from chartseal.sealing import Issuing, SealedRecord, StatusStore, read_records, seal_resource
from tests.chain import Local
from tests.chain_actions import Actor, register_schemas

BOARD, ISSUER, NEXT, STRANGER = range(4)
ADDRESS, OTHER = (Wallet(bytes([each]) * 32).sealing_address(0).data for each in (7, 8))


@pytest.fixture(autouse=True)
def _undone(local: Local) -> Iterator[None]:
    mark = local.node.request("evm_snapshot")
    yield
    local.node.request("evm_revert", [mark])


def issuing(local: Local, who: int = ISSUER, domain: Domain | None = None, secret: int = 9) -> Issuing:
    base = "https://issuer.example/fhir/"
    return Issuing(local.keys[who], domain or local.deployment.domain(), bytes([secret]) * 32, base)


def condition(text: str = "asthma", patient: str = "p", **more: Any) -> bytes:
    resource = {"resourceType": "Condition", "subject": {"reference": f"Patient/{patient}"}, "code": {"text": text}}
    return json.dumps({**resource, **more}).encode()


@pytest.fixture
def old(local: Local) -> SealedRecord:
    url = "https://issuer.example/fhir/Condition/1"
    return seal_resource(condition(), issuing(local), ADDRESS, full_url=url)


def amend(
    local: Local,
    old: SealedRecord,
    folder: Path,
    text: bytes,
    *,
    by: Issuing | None = None,
    to: bytes = ADDRESS,
    sender: Sender | None = None,
) -> Amended:
    key, facts = by or issuing(local), RpcFacts(local.node, local.deployment)
    revoker = Revoker(sender or Sender(local.node, key.signer), facts)
    return Amendment(old, key, to, folder).make(text, revoker, facts)


def refused(code: str, *args: Any, **options: Any) -> None:
    with pytest.raises(AmendmentError) as caught:
        amend(*args, **options)
    assert caught.value.code == code


@pytest.fixture
def crediting(local: Local, tmp_path: Path) -> Issuing:
    """An issuer that gives credentials."""
    key = _core.ProvingKey((7).to_bytes(32, "little"))
    return replace(issuing(local), proving=key, places=StatusStore(tmp_path / "key.status.db"))


def credited(record: SealedRecord) -> Credential:
    assert record.credential is not None
    return record.credential


def test_an_amendment_keeps_its_event_and_revokes_the_old_credential(
    local: Local, crediting: Issuing, tmp_path: Path
) -> None:
    store = StatusStore(tmp_path / "key.status.db")
    first = seal_resource(condition(), crediting, ADDRESS)
    facts = RpcFacts(local.node, local.deployment)
    revoker = Revoker(Sender(local.node, crediting.signer), facts, store)
    done = Amendment(first, crediting, ADDRESS, tmp_path / "out").make(condition("mild"), revoker, facts)
    done.record.check()
    assert credited(done.record).claim_id == credited(first).claim_id
    assert credited(done.record).index != credited(first).index
    assert is_of_event(done.record.event, [first.event])
    assert done.outcome.place == (0, credited(first).index)
    assert store.revoked(first.attester, 0) == {credited(first).index}
    again = Amendment(first, crediting, ADDRESS, tmp_path / "out").make(condition("mild"), revoker, facts)
    assert (again.resumed, again.record) == (True, done.record)
    assert store.revoked(first.attester, 0) == {credited(first).index}


def test_another_holder_has_another_event(local: Local, crediting: Issuing, tmp_path: Path) -> None:
    first = seal_resource(condition(), crediting, ADDRESS)
    moved = amend(local, first, tmp_path / "out", condition(), by=crediting, to=OTHER).record
    moved.check()
    assert credited(moved).claim_id != credited(first).claim_id


@pytest.mark.parametrize(("is_counted", "has_credential"), [(True, False), (False, True)])
def test_what_has_no_credential_gets_none_where_uses_are_counted(
    is_counted: bool, has_credential: bool, local: Local, crediting: Issuing, tmp_path: Path
) -> None:
    """It moved from a wallet that spent them, and an amendment would bring them back."""
    text = condition()
    if is_counted:
        medication = {"medicationCodeableConcept": {"text": "drops"}, "status": "active", "intent": "order"}
        text = json.dumps(
            {"resourceType": "MedicationRequest", "subject": {"reference": "Patient/p"}, **medication}
        ).encode()
    first = seal_resource(text, crediting, ADDRESS)
    assert credited(first)
    done = amend(local, replace(first, credential=None), tmp_path / "out", text, by=crediting).record
    done.check()
    assert (done.credential is not None) is has_credential


def test_a_credential_of_the_bringers_own_making_names_no_event(
    local: Local, crediting: Issuing, tmp_path: Path
) -> None:
    """The seal does not cover the credential; a fresh claimId would have all uses again."""
    first = seal_resource(condition(), crediting, ADDRESS)
    forger = _core.ProvingKey((8).to_bytes(32, "little"))
    made = replace(credited(first), claim_id=b"\5" * 31, key=forger.public())
    signed = replace(made, signature=forger.sign(made.message(first.attester, first.claims_root, first.holder)))
    forged = replace(first, credential=signed)
    forged.check()
    refused("credential_differs", local, forged, tmp_path / "out", condition(), by=crediting)
    assert not revoked(local, first)


def revoked(local: Local, old: SealedRecord, by: int = ISSUER) -> int:
    return RpcFacts(local.node, local.deployment).revoked_offchain(local.keys[by].address, old.uid)


def values(record: SealedRecord) -> dict[str, object]:
    return {each.name: each.value for each in record.fields}


def test_the_new_record_says_what_it_replaces_and_the_old_seal_is_revoked(
    local: Local, old: SealedRecord, tmp_path: Path
) -> None:
    done = amend(local, old, tmp_path / "out", condition("asthma, mild"))
    [new] = read_records([tmp_path / "out"])
    assert new == done.record
    new.check()
    assert (values(new)["chartseal.amends"], values(new)["Condition.code.text"]) == (old.uid, "asthma, mild")
    assert values(new)["chartseal.fullUrl"] == values(old)["chartseal.fullUrl"]
    assert new.seed != old.seed
    assert new.subject != old.subject
    assert (done.resumed, done.outcome.already, done.outcome.reason) == (False, False, "amended")
    assert revoked(local, old) == done.outcome.at
    assert not revoked(local, new)
    assert done.path.stat().st_mode & 0o777 == 0o600


class Dying(Sender):
    """The process ends before anything is sent."""

    def send(self, write: Any, *, gas: int | None = None) -> Any:
        raise SendError("not sent", "send_failed")


def test_a_second_run_finishes_without_sealing_twice(local: Local, old: SealedRecord, tmp_path: Path) -> None:
    with pytest.raises(SendError):
        amend(local, old, tmp_path, condition("x"), sender=Dying(local.node, local.keys[ISSUER]))
    [kept] = read_records([tmp_path])
    assert not revoked(local, old)
    done = amend(local, old, tmp_path, condition("x"))
    assert (done.record, done.resumed, done.outcome.already) == (kept, True, False)
    again = amend(local, old, tmp_path, condition("x"))
    assert (again.record, again.resumed, again.outcome.already) == (kept, True, True)
    assert [path.name for path in tmp_path.iterdir()] == [done.path.name]


class Killed(BaseException):
    """The process ends here: nothing that handles errors sees it."""


class Mortal(Sender):
    """Dies before or after the send of that number."""

    def __init__(self, local: Local, at: int, *, after: bool) -> None:
        super().__init__(local.node, local.keys[ISSUER])
        self._at, self._after = at, after

    def send(self, write: Any, *, gas: int | None = None) -> Any:
        self._at -= 1
        if self._at == 0 and not self._after:
            raise Killed
        result = super().send(write, gas=gas)
        if self._at == 0:
            raise Killed
        return result


def die_in(patched: pytest.MonkeyPatch, step: str) -> None:
    """The first fsync is the file's, the second the folder's."""
    name = step.split("-")[0]
    real, dying = getattr(os, name), iter([step != "fsync-folder", True])

    def mortal(*args: Any) -> Any:
        if next(dying):
            raise Killed
        return real(*args)

    patched.setattr(os, name, mortal)


@pytest.mark.parametrize("step", ["fsync", "link", "fsync-folder", (1, False), (1, True), (2, False), (2, True)])
def test_wherever_a_run_ends_the_next_one_finishes_it(
    local: Local, old: SealedRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Any
) -> None:
    register_schemas(local)
    sender = Mortal(local, step[0], after=step[1]) if isinstance(step, tuple) else None
    with monkeypatch.context() as patched:
        if isinstance(step, str):
            die_in(patched, step)
        with pytest.raises(Killed):
            amend(local, old, tmp_path, condition("x"), sender=sender)
    before = list(read_records([tmp_path]))
    assert len(before) == (step not in ("fsync", "link"))
    done = amend(local, old, tmp_path, condition("x"))
    assert [done.record] == list(read_records([tmp_path]))
    assert before in ([], [done.record]), "what was written is what stays"
    assert revoked(local, old) == done.outcome.at
    stated = RpcFacts(local.node, local.deployment).attestations(REVOCATION_REASON)
    assert [each.data[:32] for each in stated] == [old.uid]


def test_another_amendment_is_not_taken_for_this_one(local: Local, old: SealedRecord, tmp_path: Path) -> None:
    done = amend(local, old, tmp_path, condition("x"))
    refused("amendment_differs", local, old, tmp_path, condition("y"))
    refused("amendment_differs", local, old, tmp_path, condition("x"), to=OTHER)
    refused("already_revoked", local, old, tmp_path / "elsewhere", condition("x"))
    assert not (tmp_path / "elsewhere").exists()
    plain = seal_resource(condition("x"), issuing(local), ADDRESS)
    done.path.write_bytes(plain.to_json() + b"\n")
    refused("amendment_differs", local, old, tmp_path, condition("x"))


def test_only_another_version_of_the_same_is_an_amendment(local: Local, old: SealedRecord, tmp_path: Path) -> None:
    allergy = json.dumps(
        {
            "resourceType": "AllergyIntolerance",
            "patient": {"reference": "Patient/p"},
            "clinicalStatus": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
                ]
            },
        }
    ).encode()
    refused("type_differs", local, old, tmp_path, allergy)
    refused("person_differs", local, old, tmp_path, condition(patient="q"))
    with pytest.raises(FhirError):
        amend(local, old, tmp_path, condition(unknown=1))
    assert not list(tmp_path.iterdir())
    assert not revoked(local, old)


def test_only_who_may_amends(local: Local, old: SealedRecord, tmp_path: Path) -> None:
    register_schemas(local)
    board = Actor.of(local, BOARD)

    def accredit(who: int, predecessor: Address) -> None:
        roles = frozenset({"clinic"})
        board.accredit(Grant(issuer=local.keys[who].address, name="A", roles=roles, predecessor=predecessor))

    accredit(ISSUER, ZERO_ADDRESS)
    accredit(NEXT, local.keys[STRANGER].address)
    for who in (BOARD, NEXT, STRANGER):  # the authority revokes, but says nothing in an issuer's name
        refused("amender_refused", local, old, tmp_path, condition("x"), by=issuing(local, who))
    accredit(NEXT, local.keys[ISSUER].address)
    done = amend(local, old, tmp_path, condition("x", "q"), by=issuing(local, NEXT, secret=10))
    assert (done.record.attester, done.outcome.as_) == (local.keys[NEXT].address, "successor")
    assert revoked(local, old, NEXT)
    assert not revoked(local, old)


def test_record_key_and_chain_are_of_one_deployment(local: Local, old: SealedRecord, tmp_path: Path) -> None:
    other = replace(local.deployment.domain(), chain_id=1)
    refused("domain_differs", local, old, tmp_path, condition("x"), by=issuing(local, domain=other))
    elsewhere = seal_resource(condition(), issuing(local, domain=other), ADDRESS)
    refused("domain_differs", local, elsewhere, tmp_path, condition("x"))


def test_an_old_record_that_does_not_hold_is_not_amended(local: Local, old: SealedRecord, tmp_path: Path) -> None:
    stranger = LocalSigner(b"\x55" * 32).address
    for bad in (replace(old, seed=bytes(32)), replace(old, package=replace(old.package, signer=stranger))):
        with pytest.raises(ChartsealError):
            amend(local, bad, tmp_path, condition("x"))
    assert not list(tmp_path.iterdir())


def test_nothing_is_sealed_where_the_chain_cannot_be_asked(local: Local, old: SealedRecord, tmp_path: Path) -> None:
    silent = local._replace(node=Node("http://127.0.0.1:9", attempts=1))
    with pytest.raises(NodeError):
        amend(silent, old, tmp_path, condition("x"))
    assert not list(tmp_path.iterdir())
