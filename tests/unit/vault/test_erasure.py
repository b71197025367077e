"""Erasure in both databases: what goes, what stays, what is refused, and the receipt that says so."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from chartseal.attestation import LocalSigner
from chartseal.errors import ErasureError, VaultError
from chartseal.vault import Stored, Vault
from chartseal.vault.audit import Action, verify_log
from chartseal.vault.backup import back_up, new_identity, restore
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import open_database, reading, writing
from chartseal.vault.deliveries import redeliver
from chartseal.vault.epochs import rotate
from chartseal.vault.erasure import (
    Basis,
    Erasing,
    Holds,
    Receipt,
    SignedReceipt,
    erase,
    erased_of,
    give,
    retain,
    vacuum,
)
from chartseal.vault.erasure.receipts import receipt_digest
from chartseal.vault.tables import BLOB, DELIVERY, ERASED, KEY, LIVE, NO_KEY, RECORD, TERM
from chartseal.verification import TrustedIssuer, TrustPolicy, verify
from tests.charts import AUDIENCE, DOMAIN, ISSUER, NONCE, NOW, open_paths
from tests.vault_records import create, identity, line_of, lines_of, put
from tests.vaults import MemoryKeys

SIGNER = LocalSigner(b"\x13" * 32)
YEAR = timedelta(days=365)


@pytest.fixture
def vault(place: str) -> Iterator[Vault]:
    made = create(place)
    yield made
    made.close()


def go(vault: Vault, basis: Basis = Basis.PATIENT_REQUEST, *, patient: str = "Patient/p1", **options: Any) -> Erasing:
    return erase(vault, vault.find(patient=patient), **{"basis": basis, "actor": "clerk", "now": NOW, **options})


def codes(done: Erasing) -> list[str]:
    return [each.code for each in done.refused]


def counts(vault: Vault) -> list[int]:
    with reading(vault.engine) as connection:
        keys = select(func.count()).where(KEY.c.wrapped != NO_KEY)
        others = (select(func.count()).select_from(table) for table in (TERM, BLOB, DELIVERY))
        return [connection.execute(each).scalar_one() for each in (keys, *others)]


def actions(vault: Vault) -> list[tuple[Action, str]]:
    with reading(vault.engine) as connection:
        return [(each.action, each.basis) for each in vault.audit.find(connection) if each.action != Action.CREATE]


def test_one_patient_goes_and_another_stays(vault: Vault) -> None:
    put(vault, [*lines_of(3, "p1"), line_of(9, "p2")])
    keys, terms, blobs, deliveries = counts(vault)
    done = go(vault)
    assert (done.erased, done.refused, done.is_clean) == (3, (), True)
    assert counts(vault) == [keys // 4, terms // 4, blobs // 4, deliveries // 4]
    assert sorted(each.state for each in vault.find()) == [LIVE, ERASED, ERASED, ERASED]
    assert vault.find(patient="Patient/p1") == []
    assert len(list(vault.read(vault.find(patient="Patient/p2"), actor="c", now=NOW))) == 1
    assert list(vault.verify()) == []
    with reading(vault.engine) as connection:
        assert verify_log(connection, now=NOW).entries == 4 + 3 + 1


def test_the_tombstone_answers_with_the_time(vault: Vault) -> None:
    line = line_of(1)
    put(vault, [line])
    go(vault)
    with pytest.raises(VaultError) as caught:
        vault.get(*identity(line), actor="clerk", now=NOW)
    assert caught.value.code == "record_erased"
    assert f"{NOW:%Y-%m-%dT%H:%M:%SZ}" in str(caught.value)


def test_a_disclosure_made_before_still_verifies(vault: Vault) -> None:
    put(vault, [line_of(1)])
    record = vault.get(*vault.find()[0].identity, actor="clerk", now=NOW)
    disclosure = open_paths([record], "Observation.code")
    assert go(vault).erased == 1
    trust = TrustPolicy(issuers=(TrustedIssuer(ISSUER, "Example hospital"),), domains=frozenset({DOMAIN}))
    verified = verify(disclosure, trust, audience=AUDIENCE, nonce=NONCE, now=NOW)
    assert [each.attestation.uid for each in verified.records] == [record.uid]


def test_what_was_erased_does_not_come_back(vault: Vault) -> None:
    line = line_of(1)
    put(vault, [line])
    entries = vault.find()
    opened = vault.lines(entries, actor="clerk", now=NOW)
    assert go(vault).erased == 1
    assert go(vault).erased == erase(vault, entries, basis=Basis.DUPLICATE, actor="c", now=NOW).erased == 0
    assert put(vault, [line]) == Stored(0, 1)
    with pytest.raises(VaultError, match="erased"):
        redeliver(vault, entries, actor="clerk", now=NOW, days=1)
    with pytest.raises(VaultError, match="erased"):
        next(opened)
    assert counts(vault) == [0, 0, 0, 0]


def test_a_delivery_made_while_its_record_is_erased_is_not_kept(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    put(vault, [line_of(1)], delivery_days=0)
    entries = vault.find()
    opened = list(vault.lines(entries, actor="clerk", now=NOW))
    go(vault)
    monkeypatch.setattr("chartseal.vault.deliveries.decrypt", lambda *_: opened)
    assert redeliver(vault, entries, actor="clerk", now=NOW, days=1) == 0
    assert counts(vault) == [0, 0, 0, 0]


def test_retention_is_kept_until_its_day(vault: Vault) -> None:
    put(vault, lines_of(2))
    one = vault.find()[0]
    assert retain(vault, [one], NOW + YEAR, actor="clerk", now=NOW) == 1
    assert retain(vault, [one], NOW, actor="clerk", now=NOW) == 0
    done = go(vault)
    assert (done.erased, codes(done)) == (1, ["record_retained"])
    assert done.refused[0].path == one.name
    assert codes(go(vault, now=NOW + YEAR - timedelta(seconds=1))) == ["record_retained"]
    assert go(vault, now=NOW + YEAR).erased == 1
    refused, erased = (Action.REFUSE, "patient-request"), (Action.ERASE, "patient-request")
    assert actions(vault)[1:] == [refused, erased, refused, erased]


def test_retention_can_be_shortened_by_who_says_so(vault: Vault) -> None:
    put(vault, lines_of(1))
    retain(vault, vault.find(), NOW + YEAR, actor="clerk", now=NOW)
    assert retain(vault, vault.find(), NOW, actor="clerk", now=NOW, shorten=True) == 1
    assert go(vault).erased == 1


@pytest.mark.parametrize("basis", list(Basis))
def test_only_some_bases_override_retention_and_one_a_hold(vault: Vault, basis: Basis) -> None:
    put(vault, [line_of(1, "p1"), line_of(2, "p2")])
    retain(vault, vault.find(patient="Patient/p1"), NOW + YEAR, actor="clerk", now=NOW)
    Holds(vault).place(patient="Patient/p2", basis="case-7", actor="clerk", now=NOW)
    both = [go(vault, basis, patient=each) for each in ("Patient/p1", "Patient/p2")]
    assert list(map(codes, both)) == [["record_retained"], ["record_held"]]
    overridden = [go(vault, basis, patient=each, override=True).erased for each in ("Patient/p1", "Patient/p2")]
    assert (
        overridden
        == {
            Basis.PATIENT_REQUEST: [0, 0],
            Basis.RETENTION_OVER: [0, 0],
            Basis.COURT_ORDER: [1, 1],
            Basis.SEALED_IN_ERROR: [1, 0],
            Basis.DUPLICATE: [1, 0],
        }[basis]
    )


def test_holds_of_a_record_and_of_a_patient(vault: Vault) -> None:
    put(vault, [line_of(1, "p1"), line_of(2, "p2")])
    holds, first = Holds(vault), vault.find(patient="Patient/p1")[0]
    of_record = holds.place(entry=first, basis="case-7", actor="clerk", now=NOW)
    of_patient = holds.place(patient="Patient/p2", basis="case-8", actor="clerk", now=NOW)
    put(vault, [line_of(3, "p2")])  # a later record is held too
    assert codes(go(vault)) == ["record_held"]
    assert codes(go(vault, patient="Patient/p2")) == ["record_held"] * 2
    for number in (of_record, of_patient, of_patient):
        holds.lift(number, actor="clerk", now=NOW + YEAR)
    assert [each.lifted_at for each in holds.all()] == [int((NOW + YEAR).timestamp())] * 2
    assert [action for action, _ in actions(vault)].count(Action.RELEASE) == 2
    with reading(vault.engine) as connection:  # those on one record are found by its patient, too
        entries = vault.audit.find(connection, patient=vault.pseudonym("Patient/p1"))
        assert [each.action for each in entries].count(Action.HOLD) == 1
        entries = vault.audit.find(connection, patient=vault.pseudonym("Patient/p1"))
        assert [each.action for each in entries].count(Action.RELEASE) == 1
    assert list(vault.verify()) == []
    assert go(vault).erased + go(vault, patient="Patient/p2").erased == 3


def test_there_is_nothing_to_hold_of_an_erased_record(vault: Vault) -> None:
    put(vault, [line_of(1)])
    [before] = vault.find()
    go(vault)
    with pytest.raises(VaultError) as caught:
        Holds(vault).place(entry=before, basis="case-7", actor="clerk", now=NOW)
    assert (caught.value.code, caught.value.path) == ("record_erased", before.name)
    assert Holds(vault).all() == []


def test_who_reads_keeps_the_log_from_being_emptied_and_that_is_told(tmp_path: Path) -> None:
    vault = create(str(tmp_path / "vault.db"))
    put(vault, [line_of(1)])
    go(vault)
    assert vacuum(vault)
    with reading(vault.engine) as connection:
        connection.execute(select(RECORD.c.id)).all()
        assert not vacuum(vault)
    assert vacuum(vault)
    vault.close()


@pytest.mark.parametrize("options", [{}, {"patient": "Patient/p1", "basis": "a name of somebody"}])
def test_malformed_holds_are_refused(vault: Vault, options: dict[str, str]) -> None:
    with pytest.raises(ErasureError) as caught:
        Holds(vault).place(**{"basis": "case-7", "actor": "clerk", "now": NOW, **options})  # type: ignore[arg-type]
    assert caught.value.code == "hold_malformed"
    with pytest.raises(ErasureError) as caught:
        Holds(vault).lift(1, actor="clerk", now=NOW)
    assert caught.value.code == "hold_unknown"


def test_ciphertexts_outside_go_after_the_commit_or_with_the_next_sweep(place: str, tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path / "blobs")
    vault = create(place, blobs=store)
    vault.blobs = Blobs(store, inline=100)
    put(vault, lines_of(2))
    assert len(list(store.digests())) == 4
    first, second = vault.find()
    assert erase(vault, [first], basis=Basis.DUPLICATE, actor="clerk", now=NOW).erased == 1
    assert len(list(store.digests())) == 2
    vault.blobs.after_commit = lambda engine: 0  # type: ignore[method-assign]  # the process died before it
    assert erase(vault, [second], basis=Basis.DUPLICATE, actor="clerk", now=NOW).erased == 1
    assert len(list(store.digests())) == 2
    assert Blobs(store).sweep(vault.engine, now=NOW + YEAR * 10) == 2
    assert list(store.digests()) == []
    vault.close()


def test_many_records_and_dead_rows(vault: Vault) -> None:
    put(vault, lines_of(130))
    assert go(vault).erased == 130
    vacuum(vault)
    assert counts(vault) == [0, 0, 0, 0]
    assert len(erased_of(vault, "Patient/p1")) == 130
    assert erased_of(vault, "Patient/p2") == []


def test_a_receipt_says_what_remains_in_backups(vault: Vault) -> None:
    put(vault, [line_of(1)])
    rotate(vault.engine, vault.keys, now=NOW)
    go(vault)
    rotate(vault.engine, vault.keys, now=NOW)  # whose epoch never had the record's key
    [before] = give(vault, erased_of(vault, "Patient/p1"), SIGNER, now=NOW)
    assert (before.read().epochs, before.read().is_gone_from_backups) == (((1, 0), (2, 0)), False)
    rotate(vault.engine, vault.keys, now=NOW, destroy_old=True)
    [after] = give(vault, vault.find(), SIGNER, now=NOW)
    at = int(NOW.timestamp())
    assert (after.read().epochs, after.read().is_gone_from_backups) == (((1, at), (2, at)), True)
    assert SignedReceipt.from_json(after.to_json()) == after
    with reading(vault.engine) as connection:
        entries = {each.sequence: each for each in vault.audit.find(connection)}
    assert entries[after.read().entry].action == Action.ERASE
    assert (after.read().erased_at, after.read().basis) == (at, Basis.PATIENT_REQUEST)


def test_live_records_get_no_receipt(vault: Vault) -> None:
    put(vault, [line_of(1)])
    assert list(give(vault, vault.find(), SIGNER, now=NOW)) == []


RECEIPT = Receipt(
    SIGNER.address, b"v" * 16, b"a" * 20, b"u" * 32, 7, Basis.DUPLICATE, 3, b"h" * 32, 9, ((1, 8), (2, 0))
)


def signed(receipt: Receipt) -> SignedReceipt:
    data = receipt.to_bytes()
    return SignedReceipt(data, SIGNER.sign_digest(receipt_digest(data)))


def test_receipts_are_what_their_provider_signed() -> None:
    assert SignedReceipt.from_json(signed(RECEIPT).to_json()).read() == RECEIPT
    for other in (replace(RECEIPT, erased_at=8), replace(RECEIPT, epochs=((1, 8), (2, 8)))):
        with pytest.raises(ErasureError) as caught:
            SignedReceipt(other.to_bytes(), signed(RECEIPT).signature).read()
        assert caught.value.code == "receipt_unsigned"


@pytest.mark.parametrize(
    "change",
    [
        {"basis": "other"},
        {"erasedAt": -1},
        {"erasedAt": True},
        {"remains": []},
        {"more": 1},
        {"uid": "0x00"},
        {"epochs": [[1]]},
        {"vault": "zz"},
    ],
)
def test_malformed_receipts_are_refused(change: dict[str, Any]) -> None:
    members = {**json.loads(RECEIPT.to_bytes()), **change}
    with pytest.raises(ErasureError) as caught:
        Receipt.from_bytes(json.dumps(members, separators=(",", ":")).encode())
    assert caught.value.code == "receipt_malformed"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format":"chartseal/1","kind":"other"}', b"\xff"])
def test_what_is_no_receipt_is_refused(data: bytes) -> None:
    with pytest.raises(ErasureError) as caught:
        SignedReceipt.from_json(data)
    assert caught.value.code == "receipt_malformed"


def test_a_batch_that_fails_erases_nothing(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    put(vault, lines_of(2))
    before = counts(vault)
    with writing(vault.engine) as connection:
        connection.execute(update(RECORD).values(retain_until=0))
    monkeypatch.setattr("chartseal.vault.erasure.erasing._bury", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        go(vault)
    assert counts(vault) == before
    assert list(vault.verify()) == []
    assert actions(vault) == []


@pytest.mark.parametrize("is_announced", [False, True])
def test_a_receipt_counts_epochs_that_an_older_backup_does_not_know(
    is_announced: bool, place: str, tmp_path: Path
) -> None:
    """Backup at epoch 1, rotation, backup at epoch 2; the older one is put back, and the record is erased there."""
    keys, (secret, recipient) = MemoryKeys(), new_identity()
    made = create(place, keys)
    put(made, lines_of(2))

    def copied() -> io.BytesIO:
        copy = io.BytesIO()
        back_up(made.engine, made.blobs, copy, [recipient], actor="clerk", now=NOW)
        copy.seek(0)
        return copy

    def put_back(copy: io.BytesIO, name: str) -> Vault:
        engine = open_database(str(tmp_path / name), create=True)
        restore(engine, Blobs(None), copy, secret, actor="clerk", now=NOW)
        engine.dispose()
        return Vault.open(str(tmp_path / name), keys)

    if is_announced:  # and the process died there
        with writing(made.engine) as connection:
            assert made.epochs.announce(connection) == 2
    first = copied()
    rotate(made.engine, keys, now=NOW)
    second = copied()
    made.close()
    again = put_back(first, "again.db")
    victim = again.find()[0]
    erase(again, [victim], basis=Basis.PATIENT_REQUEST, actor="clerk", now=NOW)
    (receipt,) = give(again, [victim], SIGNER, now=NOW)
    assert receipt.read().epochs == ((1, 0), (2, 0))
    done = rotate(again.engine, keys, now=NOW, destroy_old=True)
    assert (done.epoch.number, done.destroyed) == (3, (1, 2))
    (receipt,) = give(again, [victim], SIGNER, now=NOW)
    assert receipt.read().is_gone_from_backups
    other = put_back(second, "other.db")  # of epoch 2, with the keys as they are now
    with pytest.raises(VaultError) as caught:
        other.get(*victim.identity, actor="clerk", now=NOW)
    assert caught.value.code == "key_missing"
    assert list(again.verify()) == []
