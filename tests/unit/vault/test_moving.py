"""Taking over: what was sealed to a custodian's address is sealed again to the patient's own, once, then revoked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from chartseal.attestation import Address, Digest
from chartseal.chain.anchors import AnchorQueue
from chartseal.chain.anchors.tables import ANNOUNCEMENT, LEAF
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.seals import Target
from chartseal.chain.view import FactsView
from chartseal.errors import ChartsealError, MoveError, NodeError, SuccessorError, VaultError
from chartseal.keys import SuccessorNotice, Wallet
from chartseal.sealing import OnePatient, SealedRecord, Source, StatusStore, seal_run
from chartseal.sealing.reseal import is_same
from chartseal.sealing.seal import sign_lines
from chartseal.vault import Vault, VaultOutput, storing
from chartseal.vault.audit import Action, Entry, verify_log
from chartseal.vault.database import reading, writing
from chartseal.vault.deliveries import publish, redeliver
from chartseal.vault.erasure import Basis, erase, retain
from chartseal.vault.moving import Moved, Mover
from chartseal.vault.opening import record_name
from chartseal.vault.storing import put
from chartseal.vault.succession import mark, take_without_map
from chartseal.vault.tables import DELIVERY, KEY, MOVE, RECORD, SUCCESSION
from chartseal.vault.traces import Known, twins
from chartseal.wallet import CANDIDATE, WalletStore, open_mailbox, scan
from tests.chain import Local
from tests.chain import local as local
from tests.moves import (
    AT,
    BASE,
    CUSTODIAN,
    NEW,
    NOTICE,
    OLD,
    PATIENT,
    chart_of,
    conditions,
    document_of,
    issuing_of,
    moved_of,
    mover_of,
    prescription,
    records_at,
    seal_to,
)
from tests.vault_records import create

HOSPITAL, OTHER = 1, 2


@pytest.fixture(autouse=True)
def _undone(local: Local) -> Iterator[None]:
    mark = local.node.request("evm_snapshot")
    yield
    local.node.request("evm_revert", [mark])


@pytest.fixture
def vault(place: str) -> Iterator[Vault]:
    made = create(place)
    yield made
    made.close()


@pytest.fixture
def mover(local: Local, vault: Vault, tmp_path: Path) -> Mover:
    """Of a vault that has a patient and three conditions at the custodian's address."""
    store = tmp_path / "key.status.db"
    issuing = issuing_of(local.keys[HOSPITAL], local.deployment.domain(), store)
    seal_to(vault, issuing, chart_of(conditions(3)), tmp_path)
    return mover_of(vault, issuing, local.node, local.deployment, store)


def codes(done: Moved) -> Counter[str]:
    return Counter(each.code for each in done.left)


def log_of(vault: Vault, *actions: Action) -> list[Entry]:
    with reading(vault.engine) as connection:
        verify_log(connection, now=AT)
        return [each for each in vault.audit.find(connection) if each.action in actions]


def revoked(local: Local, record: SealedRecord) -> bool:
    view = FactsView([RpcFacts(local.node, local.deployment)])
    return view.revocation(record.package.domain, record.attester, record.uid, frozenset()) is not None


def counted(vault: Vault, table: Any) -> int:
    with reading(vault.engine) as connection:
        return len(connection.execute(select(table)).all())


def test_the_patient_has_everything_and_the_custodian_nothing_that_counts(
    local: Local, mover: Mover, vault: Vault, tmp_path: Path
) -> None:
    done = moved_of(mover)
    assert (done.sealed, done.before, len(done.outcomes), done.withdrawn, done.left) == (4, 0, 4, 4, ())
    old, new = records_at(vault, OLD), records_at(vault, NEW)
    assert len(old) == len(new) == 4
    assert all(any(is_same(before, after) for after in new) for before in old)
    assert all(revoked(local, each) for each in old)
    assert not any(revoked(local, each) for each in new)
    store = StatusStore(tmp_path / "key.status.db")
    held = {each.credential.index for each in old if each.credential is not None}
    assert store.revoked(Address(old[0].attester), 0) == held
    assert list(vault.verify()) == []
    publish(vault, tmp_path / "mailbox", actor="clerk", now=AT, early=True)
    with WalletStore.open(tmp_path / "records", PATIENT) as kept:
        scan(kept, PATIENT, [open_mailbox(str(tmp_path / "mailbox"))])
        assert {each.record.uid for each in kept.records(CANDIDATE)} == {each.uid for each in new}
    with WalletStore.open(tmp_path / "custodian", CUSTODIAN) as kept:
        scan(kept, CUSTODIAN, [open_mailbox(str(tmp_path / "mailbox"))])
        assert list(kept.records(CANDIDATE)) == []


def test_what_is_done_is_in_the_log_and_in_the_queue(mover: Mover, vault: Vault) -> None:
    moved_of(mover)
    with reading(vault.engine) as connection:
        rows = connection.execute(select(RECORD).order_by(RECORD.c.id)).all()
    named = [f"record 0x{row.attester.hex()} 0x{row.uid.hex()} 1" for row in rows]
    for action, records in (
        (Action.READ, named[:4]),
        (Action.CREATE, named[4:]),
        (Action.REVOKE, named[:4]),
        (Action.EXPIRE, named[:4]),
    ):
        entries = [each for each in log_of(vault, action) if each.basis == "successor"]
        assert sorted(each.what for each in entries) == sorted(records)
        assert {each.purpose for each in entries} <= {"PATRQT", ""}
        assert all(each.actor == "clerk" for each in entries)
        assert all(each.patient for each in entries)
    assert counted(vault, LEAF) == counted(vault, ANNOUNCEMENT) == counted(vault, KEY) == 8
    assert {each.patient for each in log_of(vault, Action.MOVE)} <= {bytes(row.patient) for row in rows}


def test_a_second_run_does_nothing(mover: Mover, vault: Vault) -> None:
    moved_of(mover)
    before = len(log_of(vault, *Action))
    done = moved_of(mover)
    assert done == Moved(0, 4, (), 0, ())
    assert len(log_of(vault, *Action)) == before


def test_the_old_record_stays_as_history_and_is_delivered_no_more(mover: Mover, vault: Vault) -> None:
    moved_of(mover)
    entries = vault.find()
    old = {each.id for each in vault.find(address=str(OLD))}
    assert vault.moved(entries) == old
    assert redeliver(vault, entries, actor="clerk", now=AT, days=1) == 4
    with reading(vault.engine) as connection:
        assert old.isdisjoint(connection.scalars(select(DELIVERY.c.record_id)))
    [first, *_] = vault.find(address=str(OLD))
    assert vault.get(*first.identity, actor="clerk", now=AT).address == str(OLD)


@pytest.mark.parametrize("step", ["lines", "put", "revoke", "noted", "withdraw"])
def test_a_run_that_is_killed_at_any_step_is_finished(
    step: str, local: Local, mover: Mover, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chartseal.vault.moving.AT_ONCE", 2)
    places = {
        "lines": "chartseal.sealing.reseal.sign_lines",
        "put": "chartseal.vault.storing._store",
        "revoke": "chartseal.chain.sending.sender.Sender.send",
        "noted": "chartseal.vault.moving.set_revoked",
        "withdraw": "chartseal.vault.moving.withdraw",
    }
    with monkeypatch.context() as patch:
        patch.setattr(places[step], _killed)
        with pytest.raises(KeyboardInterrupt):
            moved_of(mover)
    assert list(vault.verify()) == []
    done = moved_of(mover)
    assert done.sealed + done.before == 4
    assert (done.before > 0) is (step in {"revoke", "noted", "withdraw"})
    assert all(each.already for each in done.outcomes) is (step in {"noted", "withdraw"})
    assert len(records_at(vault, NEW)) == 4
    assert all(revoked(local, each) for each in records_at(vault, OLD))
    assert len(log_of(vault, Action.REVOKE)) == 4
    assert counted(vault, DELIVERY) == 4
    assert list(vault.verify()) == []


def test_a_batch_that_was_stored_is_not_sealed_again(
    mover: Mover, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two batches."""
    monkeypatch.setattr("chartseal.vault.moving.AT_ONCE", 3)
    calls: list[int] = []

    def once(*given: Any) -> int:
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        return original(*given)

    original = storing._store
    with monkeypatch.context() as patch:
        patch.setattr(storing, "_store", once)
        with pytest.raises(KeyboardInterrupt):
            moved_of(mover)
    assert len(records_at(vault, NEW)) == 3
    done = moved_of(mover)
    assert (done.sealed, done.before, len(done.outcomes)) == (1, 3, 4)


def test_without_a_chain_nothing_is_sealed(mover: Mover, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise NodeError("the node cannot be reached", "node_unreachable")

    monkeypatch.setattr("chartseal.chain.rpc_facts.RpcFacts.attestations", gone)
    with pytest.raises(NodeError):
        moved_of(mover)
    assert records_at(vault, NEW) == []


def test_what_another_key_sealed_is_left_and_named(local: Local, mover: Mover, vault: Vault, tmp_path: Path) -> None:
    stranger = issuing_of(local.keys[OTHER], local.deployment.domain(), tmp_path / "other.db")
    seal_to(vault, stranger, chart_of(conditions(2, 10)), tmp_path)
    done = moved_of(mover)
    assert (done.sealed, codes(done)) == (4, Counter(attester_other=3))
    theirs = [each for each in records_at(vault, OLD) if each.attester == stranger.signer.address]
    named = {f"record 0x{each.attester.hex()} 0x{each.uid.hex()}" for each in theirs}
    assert {each.path for each in done.left} == named
    assert not any(revoked(local, each) for each in theirs)
    other = mover_of(vault, stranger, local.node, local.deployment, tmp_path / "other.db")
    again = moved_of(other)  # the other key's own turn
    assert (again.sealed, again.before, codes(again)) == (3, 4, Counter())


def test_a_seal_that_was_revoked_is_not_brought_back(local: Local, mover: Mover, vault: Vault) -> None:
    [first, second, *_] = records_at(vault, OLD)
    mover.revoker.revoke([Target(first.uid, first.attester)], "wrong-patient")
    done = moved_of(mover)
    assert (done.sealed, codes(done)) == (3, Counter(seal_revoked=1))
    assert done.left[0].path.endswith(first.uid.hex())
    assert not any(is_same(first, each) for each in records_at(vault, NEW))
    assert moved_of(mover).left[0].code == "seal_revoked"
    assert any(is_same(second, each) for each in records_at(vault, NEW))


def test_uses_that_may_be_left_keep_a_prescription_where_it_is(mover: Mover, vault: Vault, tmp_path: Path) -> None:
    seal_to(vault, mover.issuing, chart_of([prescription()]), tmp_path)
    done = moved_of(mover)
    assert codes(done) == Counter(uses_unspent=1)
    assert not any(each.resource_type == "MedicationRequest" for each in records_at(vault, NEW))
    done = moved_of(mover, are_uses_spent=True)
    assert (done.sealed, len(done.outcomes), codes(done)) == (1, 1, Counter())
    [new] = [each for each in records_at(vault, NEW) if each.resource_type == "MedicationRequest"]
    [old] = [each for each in records_at(vault, OLD) if each.resource_type == "MedicationRequest"]
    assert new.credential is None
    assert new.package.message.expiration_time == old.package.message.expiration_time > 0


def test_an_expired_prescription_moves_and_does_not_come_to_life(mover: Mover, vault: Vault, tmp_path: Path) -> None:
    short = replace(mover.issuing, validity=timedelta(days=1))
    seal_to(vault, short, chart_of([prescription()]), tmp_path)
    take_without_map(vault, NOTICE, actor="clerk", now=AT)
    later = AT + timedelta(days=30)
    done = mover.move(NOTICE, now=later)
    assert codes(done) == Counter()
    [new] = [each for each in records_at(vault, NEW) if each.resource_type == "MedicationRequest"]
    assert new.package.message.expiration_time < later.timestamp()


def test_erased_records_do_not_come_back(mover: Mover, vault: Vault) -> None:
    [first, *_] = vault.find(address=str(OLD), resource_type="Condition")
    erase(vault, [first], basis=Basis.DUPLICATE, actor="clerk", now=AT)
    assert moved_of(mover).sealed == 3
    [moved, *_] = vault.find(address=str(NEW))
    erase(vault, [moved], basis=Basis.PATIENT_REQUEST, actor="clerk", now=AT)
    again = moved_of(mover)
    assert (again.sealed, again.before, len(records_at(vault, NEW))) == (0, 3, 2)


def test_what_must_be_kept_must_be_kept_in_its_new_form(mover: Mover, vault: Vault) -> None:
    [first, *_] = vault.find(address=str(OLD))
    until = AT + timedelta(days=400)
    retain(vault, [first], until=until, actor="clerk", now=AT)
    moved_of(mover)
    with reading(vault.engine) as connection:
        became = connection.scalar(select(MOVE.c.successor_id).where(MOVE.c.record_id == first.id))
        kept = connection.execute(select(RECORD.c.id).where(RECORD.c.retain_until.is_not(None))).all()
    assert {row.id for row in kept} == {first.id, became}


def test_a_damaged_record_is_named_and_the_others_move(mover: Mover, vault: Vault) -> None:
    [first, *_] = vault.find(address=str(OLD), resource_type="Condition")
    with writing(vault.engine) as connection:
        connection.execute(update(KEY).where(KEY.c.record_id == first.id).values(wrapped=bytes(80)))
    done = moved_of(mover)
    assert [(each.code, each.path) for each in done.left] == [("data_key_refused", first.name)]
    assert done.sealed == 3


def test_somebody_else_who_moves_at_once_is_told(mover: Mover, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    [first, second, *_] = vault.find(address=str(OLD))
    lines = type(vault).lines

    def meanwhile(*given: Any, **options: Any) -> Any:
        with writing(vault.engine) as connection:
            old = connection.scalar(select(SUCCESSION.c.old))
            own = {"succession": old, "domain": bytes(32)}
            connection.execute(insert(MOVE).values(record_id=first.id, successor_id=second.id, **own))
        return lines(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(vault), "lines", meanwhile)
        with pytest.raises(MoveError) as caught:
            moved_of(mover)
    assert caught.value.code == "move_disturbed"
    assert records_at(vault, NEW) == []


def test_a_record_that_is_erased_meanwhile_does_not_come_back(
    mover: Mover, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    [first, *_] = vault.find(address=str(OLD), resource_type="Condition")
    sign = "chartseal.sealing.reseal.sign_lines"

    def meanwhile(*given: Any) -> Any:
        erase(vault, [first], basis=Basis.PATIENT_REQUEST, actor="clerk", now=AT)
        return sign_lines(*given)

    with monkeypatch.context() as patch:
        patch.setattr(sign, meanwhile)
        with pytest.raises(MoveError):
            moved_of(mover)
    assert records_at(vault, NEW) == []
    assert moved_of(mover).sealed == 3


def test_seals_are_revoked_though_their_records_are_erased_before(
    local: Local, mover: Mover, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the old seals are revoked; then the old records are erased, and another key moves its own."""
    old = records_at(vault, OLD)
    with monkeypatch.context() as patch:
        patch.setattr("chartseal.chain.sending.sender.Sender.send", _killed)
        with pytest.raises(KeyboardInterrupt):
            moved_of(mover)
    erase(vault, vault.find(address=str(OLD)), basis=Basis.PATIENT_REQUEST, actor="clerk", now=AT)
    other = issuing_of(local.keys[OTHER], local.deployment.domain(), Path("unused.status.db"))
    assert moved_of(replace(mover, issuing=other)) == Moved(0, 0, (), 0, ())
    done = moved_of(mover)
    assert (done.sealed, len(done.outcomes)) == (0, 4)
    assert all(revoked(local, each) for each in old)


def test_a_record_that_was_erased_before_is_named_while_its_seal_stands(
    local: Local, mover: Mover, vault: Vault
) -> None:
    [first, *_] = vault.find(address=str(OLD), resource_type="Condition")
    erase(vault, [first], basis=Basis.PATIENT_REQUEST, actor="clerk", now=AT)
    done = moved_of(mover)
    assert (done.sealed, done.left, done.erased) == (3, (), (first.name,))
    attester, uid = first.identity
    mover.revoker.revoke([Target(Digest(uid), Address(attester))], "other")
    assert moved_of(mover) == Moved(0, 3, (), 0, ())
    [new, *_] = vault.find(address=str(NEW), resource_type="Condition")
    erase(vault, [new], basis=Basis.PATIENT_REQUEST, actor="clerk", now=AT + timedelta(seconds=1))
    assert moved_of(mover) == Moved(0, 3, (), 0, ())


@pytest.mark.parametrize("name", ["p1", f"{BASE}Patient/p1"])
def test_erased_records_are_named_though_nothing_else_is_left(mover: Mover, vault: Vault, name: str) -> None:
    take_without_map(vault, NOTICE, actor="clerk", now=AT)
    erase(vault, vault.find(), basis=Basis.PATIENT_REQUEST, actor="clerk", now=AT)
    assert len(moved_of(mover, patients=(name,)).erased) == 4
    assert moved_of(mover, patients=("another",)).erased == ()


def test_what_says_the_same_as_a_record_is_found_from_both_ends(mover: Mover, vault: Vault) -> None:
    assert twins(vault, vault.find()) == []
    moved_of(mover)
    third = Wallet(b"\x09" * 32)
    onward = SuccessorNotice.make(NEW, PATIENT, third.sealing_address(), now=AT, new_wallet=third)
    take_without_map(vault, onward, actor="clerk", now=AT)
    mover.move(onward, now=AT)
    old, new, last = (vault.find(address=str(each)) for each in (OLD, NEW, onward.new))
    assert sorted(each.id for each in twins(vault, old)) == [each.id for each in new + last]
    both = twins(vault, last[:1])
    assert [each in old for each in both] == [True, False]
    assert both[1] in new
    erase(vault, new, basis=Basis.PATIENT_REQUEST, actor="clerk", now=AT)
    assert twins(vault, last[:1]) == both[:1]
    assert twins(vault, vault.find()) == []


def test_a_seal_that_was_revoked_meanwhile_is_named_with_what_its_record_became(
    local: Local, mover: Mover, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = next(each for each in records_at(vault, OLD) if each.resource_type == "Condition")

    def meanwhile(*given: Any) -> Any:
        mover.revoker.revoke([Target(wrong.uid, wrong.attester)], "entered-in-error")
        return put(*given)

    monkeypatch.setattr("chartseal.vault.moving.put", meanwhile)
    done = moved_of(mover)
    [became] = [each for each in records_at(vault, NEW) if is_same(wrong, each)]
    [known] = done.revoked_before
    assert known == Known(*(record_name(each.attester, each.uid) for each in (wrong, became)))


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_notice_that_is_superseded_meanwhile_stores_nothing(
    mover: Mover, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = Wallet(b"\x09" * 32)
    onward = SuccessorNotice.make(NEW, PATIENT, third.sealing_address(), now=AT, new_wallet=third)

    def meanwhile(*given: Any) -> Any:
        with writing(vault.engine) as connection:
            marks = {"old": mark(vault, onward.old), "new": mark(vault, onward.new)}
            connection.execute(insert(SUCCESSION).values(**marks, taken_at=0))
        return sign_lines(*given)

    with monkeypatch.context() as patch:
        patch.setattr("chartseal.sealing.reseal.sign_lines", meanwhile)
        with pytest.raises(VaultError) as caught:
            moved_of(mover)
    assert caught.value.code == "address_left"
    assert records_at(vault, NEW) == []


def test_nothing_is_stored_any_more_for_an_address_that_was_left(mover: Mover, vault: Vault, tmp_path: Path) -> None:
    moved_of(mover)
    waiting, before = counted(vault, DELIVERY), counted(vault, RECORD)
    with pytest.raises(VaultError) as caught:
        seal_to(vault, mover.issuing, chart_of(conditions(2, 40)), tmp_path)
    assert caught.value.code == "address_left"
    assert (counted(vault, DELIVERY), counted(vault, RECORD)) == (waiting, before)
    seal_to(vault, mover.issuing, chart_of(conditions(2, 40)), tmp_path, wallet=PATIENT)
    assert len(records_at(vault, NEW)) == 7


def test_which_notices_move_records(local: Local, mover: Mover, vault: Vault) -> None:
    def code(notice: SuccessorNotice, by: Mover = mover) -> str:
        with pytest.raises(ChartsealError) as caught:
            by.move(notice, now=AT)
        return caught.value.code

    assert code(NOTICE) == "successor_untaken"
    epoch = SuccessorNotice.make(OLD, CUSTODIAN, CUSTODIAN.sealing_address(epoch=1), now=AT)
    assert code(epoch) == "successor_same_wallet"
    assert code(replace(NOTICE, signatures=NOTICE.signatures[:1])) == "successor_unsigned"
    elsewhere = replace(mover.issuing.domain, chain_id=5)
    assert code(NOTICE, replace(mover, issuing=replace(mover.issuing, domain=elsewhere))) == "domain_differs"
    moved_of(mover)
    third = Wallet(b"\x09" * 32)
    onward = SuccessorNotice.make(NEW, PATIENT, third.sealing_address(), now=AT, new_wallet=third)
    take_without_map(vault, onward, actor="clerk", now=AT)
    assert mover.move(NOTICE, now=AT) == Moved(0, 4, (), 0, ())
    assert mover.move(onward, now=AT).sealed == 4
    other = Wallet(b"\x0a" * 32)
    lured = SuccessorNotice.make(OLD, CUSTODIAN, other.sealing_address(), now=AT, new_wallet=other)
    assert code(lured) == "successor_superseded"


def test_what_is_left_at_an_earlier_epochs_address_moves_too(local: Local, mover: Mover, vault: Vault) -> None:
    later = CUSTODIAN.sealing_address(epoch=1)
    take_without_map(vault, SuccessorNotice.make(OLD, CUSTODIAN, later, now=AT), actor="clerk", now=AT)
    with pytest.raises(SuccessorError):
        take_without_map(vault, NOTICE, actor="clerk", now=AT)  # it leads elsewhere than the vault was told
    old = records_at(vault, OLD)
    with writing(vault.engine) as connection:
        marks = {"old": mark(vault, later), "new": mark(vault, NEW)}
        connection.execute(insert(SUCCESSION).values(**marks, taken_at=0))
    assert moved_of(mover).sealed == 4
    assert all(revoked(local, each) for each in old)


def test_a_move_that_was_killed_is_finished_though_she_went_on(
    local: Local, mover: Mover, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = records_at(vault, OLD)
    monkeypatch.setattr("chartseal.vault.moving.AT_ONCE", 3)
    with monkeypatch.context() as patch:
        patch.setattr("chartseal.chain.sending.sender.Sender.send", _killed)
        with pytest.raises(KeyboardInterrupt):
            moved_of(mover)
    third = Wallet(b"\x09" * 32)
    onward = SuccessorNotice.make(NEW, PATIENT, third.sealing_address(), now=AT, new_wallet=third)
    take_without_map(vault, onward, actor="clerk", now=AT)
    done = moved_of(mover)
    assert (done.sealed, len(done.outcomes), done.withdrawn, done.left) == (0, 4, 4, ())
    assert all(revoked(local, each) for each in old)


def test_what_did_not_move_before_she_went_on_is_named(mover: Mover, vault: Vault) -> None:
    third = Wallet(b"\x09" * 32)
    with writing(vault.engine) as connection:
        for before, after in ((OLD, NEW), (NEW, third.sealing_address())):
            marks = {"old": mark(vault, before), "new": mark(vault, after)}
            connection.execute(insert(SUCCESSION).values(**marks, taken_at=0))
    assert codes(moved_of(mover)) == Counter(successor_superseded=4)
    whole = SuccessorNotice.make(OLD, CUSTODIAN, third.sealing_address(), now=AT, new_wallet=third)
    assert mover.move(whole, now=AT).sealed == 4


def test_only_the_address_that_the_notice_names(mover: Mover, vault: Vault, tmp_path: Path) -> None:
    """What was sealed to the custodian's confidential address stays there."""
    other = CUSTODIAN.sealing_address(1)
    path = tmp_path / "confidential.json"
    path.write_bytes(chart_of(conditions(1, 20)))
    output = VaultOutput(vault, "sealer", lambda: AT, AnchorQueue(mover.issuing.domain), 90)
    seal_run(Source(path), mover.issuing, OnePatient(other.data), output, now=AT)
    assert moved_of(mover).sealed == 4
    assert len(records_at(vault, other)) == 2
    assert vault.moved(vault.find(address=str(other))) == set()


def test_a_vault_without_an_index_moves_too(local: Local, tmp_path: Path) -> None:
    vault = create(str(tmp_path / "plain.db"), searchable=False)
    store = tmp_path / "plain.status.db"
    issuing = issuing_of(local.keys[HOSPITAL], local.deployment.domain(), store)
    seal_to(vault, issuing, chart_of(conditions(2)), tmp_path)
    done = moved_of(mover_of(vault, issuing, local.node, local.deployment, store))
    assert (done.sealed, len(done.outcomes), len(vault.addressed(str(NEW)))) == (3, 3, 3)
    vault.close()


def test_without_an_index_a_record_that_does_not_open_is_named(local: Local, tmp_path: Path) -> None:
    """Nobody knows whose it is, and it blocks nobody else."""
    vault = create(str(tmp_path / "plain.db"), searchable=False)
    store = tmp_path / "plain.status.db"
    issuing = issuing_of(local.keys[HOSPITAL], local.deployment.domain(), store)
    seal_to(vault, issuing, chart_of(conditions(2)), tmp_path)
    seal_to(vault, issuing, chart_of(conditions(1, 70)), tmp_path, wallet=Wallet(b"\x09" * 32))
    with writing(vault.engine) as connection:
        last = connection.scalar(select(func.max(KEY.c.record_id)))
        connection.execute(update(KEY).where(KEY.c.record_id == last).values(wrapped=b"x" * 80))
    done = moved_of(mover_of(vault, issuing, local.node, local.deployment, store))
    assert (done.sealed, codes(done)) == (3, Counter(data_key_refused=1))
    assert done.left[0].path == vault.find()[4].name
    vault.close()


def test_a_document_moves_after_what_it_holds(
    mover: Mover, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal_to(vault, mover.issuing, document_of(), tmp_path)
    take_without_map(vault, NOTICE, actor="clerk", now=AT, several=True)  # one patient, under two names
    with monkeypatch.context() as patch:
        patch.setattr("chartseal.vault.moving._Run._new_roots", _killed)
        with pytest.raises(KeyboardInterrupt):
            moved_of(mover)
    assert not any(each.resource_type == "Bundle" for each in records_at(vault, NEW))
    done = moved_of(mover)
    assert (done.sealed, done.before, codes(done)) == (1, 6, Counter())
    new = records_at(vault, NEW)
    [whole] = [each for each in new if each.resource_type == "Bundle"]
    held = [each.value for each in whole.fields if each.name.startswith("chartseal.entry[")]
    assert len(held) == 2
    assert set(held) <= {each.root for each in new}
    assert list(vault.verify()) == []


def test_a_document_whose_entry_stays_stays_too(mover: Mover, vault: Vault, tmp_path: Path) -> None:
    seal_to(vault, mover.issuing, document_of(), tmp_path)
    take_without_map(vault, NOTICE, actor="clerk", now=AT, several=True)  # one patient, under two names
    entry = next(each for each in records_at(vault, OLD) if each.resource_type == "Composition")
    mover.revoker.revoke([Target(entry.uid, entry.attester)], "entered-in-error")
    assert codes(moved_of(mover)) == Counter(seal_revoked=1, document_incomplete=1)


def test_large_charts_move_in_batches(
    mover: Mover, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal_to(vault, mover.issuing, chart_of(conditions(20, 100)), tmp_path)
    monkeypatch.setattr("chartseal.vault.moving.AT_ONCE", 7)
    assert moved_of(mover).sealed == 25
    assert len(records_at(vault, NEW)) == 25
