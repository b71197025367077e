"""A vault in both databases: what goes in comes out, once, for those who say why, and not without the keys."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, event, func, insert, select, update

from chartseal import _core
from chartseal.chain.anchors import AnchorQueue
from chartseal.chain.anchors.tables import ANNOUNCEMENT, LEAF
from chartseal.errors import ChartsealError, LimitError, QueueError, VaultDamageError, VaultError, VaultKeyError
from chartseal.keys import SealingAddress
from chartseal.sealing import SealedLine, SealedRecord
from chartseal.vault import MOST_LINES, Entry, Opened, Stored, Vault, contents
from chartseal.vault.audit import Act, Action, record_text, verify_log
from chartseal.vault.blobs import Blobs, FolderBlobs, S3Blobs
from chartseal.vault.database import reading, writing
from chartseal.vault.erasure import Basis, Holds, erase, retain
from chartseal.vault.tables import AUDIT, BLOB, DELIVERY, ERASED, ERASURE, HOLD, KEY, META, RECORD, TERM
from tests.charts import DOMAIN, HOLDER, NOW, SEALED_AT, sealed, texts
from tests.vault_records import BASE, LOINC, create, identity, keys_of, line_of, lines_of, put
from tests.vaults import MemoryKeys


@pytest.fixture
def vault(place: str) -> Iterator[Vault]:
    made = create(place)
    yield made
    made.close()


def counts(vault: Vault) -> list[int]:
    tables = (RECORD, KEY, BLOB, DELIVERY, AUDIT, LEAF, ANNOUNCEMENT)
    with reading(vault.engine) as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def test_what_goes_in_comes_out(vault: Vault) -> None:
    lines = lines_of(5)
    assert put(vault, lines) == Stored(5, 0)
    found = vault.find()
    records = list(vault.read(found, actor="clerk", now=NOW))
    assert [each.to_json() for each in records] == [
        vault.get(*each.identity, actor="c", now=NOW).to_json() for each in found
    ]
    assert {each.to_json() for each in records} == {each.line for each in lines}
    assert {each.ikm for each in vault.lines(found, actor="clerk", now=NOW)} == {each.ikm for each in lines}
    assert list(vault.verify()) == []


def test_one_transaction_keeps_it_all_and_repeats_change_nothing(vault: Vault) -> None:
    lines = lines_of(3)
    put(vault, lines)
    assert counts(vault) == [3, 3, 6, 3, 3, 3, 3]
    assert put(vault, [*lines, lines[0]]) == Stored(0, 3)
    assert put(vault, [*lines, line_of(9)]) == Stored(1, 3)
    assert counts(vault) == [4, 4, 8, 4, 4, 4, 4]


def test_without_queue_and_delivery(vault: Vault) -> None:
    assert put(vault, lines_of(2), queue=None, delivery_days=0) == Stored(2, 0)
    assert counts(vault) == [2, 2, 2, 0, 2, 0, 0]


def test_a_batch_that_fails_leaves_nothing(vault: Vault) -> None:
    other = AnchorQueue(type(DOMAIN)(DOMAIN.version, 1, DOMAIN.contract))
    with pytest.raises(QueueError):
        put(vault, lines_of(3), queue=other)
    assert counts(vault) == [0] * 7


def test_too_large_a_batch_is_refused(vault: Vault) -> None:
    line = line_of(1)
    with pytest.raises(LimitError) as caught:
        put(vault, [line] * (MOST_LINES + 1))
    assert caught.value.code == "batch_too_large"
    assert put(vault, [line] * MOST_LINES) == Stored(1, 0)


@pytest.mark.parametrize("at", [1, 3])
def test_what_of_a_batch_is_no_record_is_named(vault: Vault, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of(3)
    lines[at - 1] = replace(lines[at - 1], line=b"{" * 4_000)
    with pytest.raises(VaultError) as malformed:
        put(vault, lines)
    monkeypatch.setattr("chartseal.vault.storing.LARGEST_RECORD", 3_999)
    with pytest.raises(LimitError) as long:
        put(vault, lines)
    told = [(each.value.code, each.value.path) for each in (malformed, long)]
    assert told == [("line_malformed", f"line {at}"), ("record_too_large", f"line {at}")]
    assert counts(vault) == [0] * 7


@pytest.mark.parametrize("seconds", [253_402_300_800, 2**63 - 1, 2**63, 10**19 - 1])
def test_a_record_of_no_time_is_refused(vault: Vault, seconds: int) -> None:
    stated, other = (b'"time":"%d"' % each for each in (int(SEALED_AT.timestamp()), seconds))
    line = line_of(1)
    assert stated in line.line
    with pytest.raises(VaultError) as caught:
        put(vault, [replace(line, line=line.line.replace(stated, other))])
    assert caught.value.code == "line_malformed"
    assert counts(vault) == [0] * 7


def test_find(vault: Vault) -> None:
    lines = [
        line_of(1, "p1", day="2026-05-04", code="a"),
        line_of(2, "p2", day="2026-06", code="b"),
        line_of(3, "p1", day="2025", code="b"),
    ]
    put(vault, lines)
    by_number = [identity(each) for each in lines]

    def found(**wanted: object) -> list[int]:
        return sorted(by_number.index(each.identity) + 1 for each in vault.find(**wanted))  # type: ignore[arg-type]

    assert found(patient="Patient/p1") == found(patient=f"{BASE}Patient/p1") == [1, 3]
    assert found(code=f"{LOINC}|b") == [2, 3]
    assert found(code=f"{LOINC}|b", patient="Patient/p1") == [3]
    assert found(resource_type="Observation") == [1, 2, 3]
    assert found(resource_type="Patient") == []
    assert found(address=SealedRecord.from_json(line_of(1).line).address) == [1, 2, 3]
    assert found(since=date(2026, 5, 4), until=date(2026, 5, 4)) == [1]
    assert found(since=date(2026, 5, 5)) == [2]
    assert found(since=date(2026, 5, 5), until=date(2026, 5, 4)) == []
    assert found(until=date(2025, 3, 1)) == [3]


@pytest.mark.parametrize("searchable", [True, False])
def test_an_address_is_one_however_it_is_spelled(place: str, searchable: bool) -> None:
    vault = create(place, searchable=searchable)
    lower, line = str(SealingAddress(HOLDER.keys.address())), line_of(2)
    upper = SealedLine(line.line.replace(lower.encode(), lower.upper().encode()), line.ikm, line.address)
    assert upper.line != line.line
    put(vault, [line_of(1), upper])
    for spelled in (lower, lower.upper(), f" {lower}\n"):
        assert [each.id for each in vault.addressed(spelled)] == [1, 2]
    assert vault.addressed(lower[:-1]) == []
    assert list(vault.verify()) == []
    vault.close()


def test_without_full_urls_the_vaults_base_makes_references_absolute(vault: Vault) -> None:
    lines = [line_of(1, has_full_url=False), line_of(2)]
    put(vault, lines)
    names = ["Patient/p1", f"{BASE}Patient/p1", f"{BASE}Patient/p1/_history/3"]
    assert [len(vault.find(patient=each)) for each in names] == [2, 2, 2]
    with reading(vault.engine) as connection:
        assert len(list(vault.audit.find(connection, patient=vault.pseudonym("Patient/p1")))) == 2
    assert list(vault.verify()) == []


@pytest.mark.parametrize("base", [BASE, ""])
def test_a_patients_own_record_is_found_with_the_others(tmp_path: Path, base: str) -> None:
    vault = Vault.create(str(tmp_path / "vault.db"), MemoryKeys(), base=base, now=NOW)
    ikm = bytes(32)
    record = sealed("Patient", texts({"Patient.id": "p1", "Patient.active": "true"}), ikm=ikm)
    put(vault, [SealedLine(record.to_json(), ikm, HOLDER.keys.address()), line_of(1, has_full_url=False)])
    assert len(vault.find(patient="Patient/p1")) == 2


def test_without_an_index_patients_alone_are_found(place: str) -> None:
    vault = create(place, searchable=False)
    put(vault, lines_of(2))
    with reading(vault.engine) as connection:
        assert connection.execute(select(TERM)).all() == []
    assert len(vault.find(patient="Patient/p1")) == 2
    with pytest.raises(VaultError) as caught:
        vault.find(code=f"{LOINC}|2823-3")
    assert caught.value.code == "not_searchable"
    assert list(vault.verify()) == []


def test_every_read_is_audited_before_it_is_given(vault: Vault) -> None:
    put(vault, lines_of(2))
    next(vault.read(vault.find(), actor="clerk-7", now=NOW, purpose="HPAYMT", basis="claim"))
    with reading(vault.engine) as connection:
        entries = list(vault.audit.find(connection, patient=vault.pseudonym("Patient/p1")))
        assert verify_log(connection, now=NOW).entries == 4
    assert [(each.actor, each.action, each.purpose, each.basis) for each in entries] == [
        *[("clerk", "create", "TREAT", "")] * 2,
        *[("clerk-7", "read", "HPAYMT", "claim")] * 2,
    ]


@pytest.mark.parametrize("stops", [True, False])
def test_only_what_is_given_is_entered(vault: Vault, stops: bool) -> None:
    put(vault, lines_of(4), delivery_days=0)
    with writing(vault.engine) as connection:
        second = select(RECORD.c.blob).where(RECORD.c.id == 2).scalar_subquery()
        connection.execute(update(BLOB).where(BLOB.c.hash == second).values(data=b"x"))
    names = [each.name for each in vault.find()]
    reading_them = vault.lines if stops else vault.outcomes
    found: list[Opened | ChartsealError] = []
    with pytest.raises(VaultDamageError) if stops else nullcontext():
        found.extend(each for each in reading_them(vault.find(), actor="clerk-7", now=NOW))
    with reading(vault.engine) as connection:
        entered = [each.what for each in vault.audit.find(connection) if each.action == "read"]
    assert entered == [f"{name} 1" for name in (names[:1] if stops else [names[0], *names[2:]])]
    if not stops:
        assert [getattr(each, "code", "") for each in found] == ["", "blob_damaged", "", ""]


def test_unknown_and_erased(vault: Vault) -> None:
    line = line_of(1)
    with pytest.raises(VaultError) as caught:
        vault.get(*identity(line), actor="c", now=NOW)
    assert caught.value.code == "record_unknown"
    put(vault, [line])
    with writing(vault.engine) as connection:
        connection.execute(update(RECORD).values(state=2, blob=None, patient=None))
    with pytest.raises(VaultError) as caught:
        vault.get(*identity(line), actor="c", now=NOW)
    assert caught.value.code == "record_erased"
    assert put(vault, [line]) == Stored(0, 1)  # erased stays erased


def test_quota(place: str) -> None:
    line, other = line_of(1), line_of(2)
    room = len(line.line) + 32 + 28
    vault = create(place, quota=room)
    put(vault, [line], delivery_days=0)
    with pytest.raises(VaultError) as caught:
        put(vault, [other], delivery_days=0)
    assert caught.value.code == "quota_exceeded"
    assert counts(vault)[0] == 1
    assert put(vault, [line]) == Stored(0, 1)


def test_quota_one_byte_short(place: str) -> None:
    line = line_of(1)
    vault = create(place, quota=len(line.line) + 32 + 27)
    with pytest.raises(VaultError):
        put(vault, [line], delivery_days=0)
    assert counts(vault) == [0] * 7


def test_other_keys_do_not_open_it(place: str) -> None:
    keys = MemoryKeys()
    create(place, keys).close()
    Vault.open(place, keys).close()
    other = keys_of({name: bytes(32) for name in keys.names()})
    with pytest.raises(VaultKeyError) as caught:
        Vault.open(place, other)
    assert caught.value.code == "keys_other_vault"
    with pytest.raises(VaultKeyError) as caught:
        Vault.open(place, MemoryKeys())
    assert caught.value.code == "key_missing"
    wrong_epoch = keys_of({**keys.kept, "epoch-1": b"\x07" * 32})
    vault = Vault.open(place, wrong_epoch)
    put(vault, lines_of(1))
    with pytest.raises(VaultKeyError) as caught:
        list(vault.read(vault.find(), actor="c", now=NOW))
    assert caught.value.code == "key_mismatch"


def test_a_vault_is_made_once(place: str) -> None:
    create(place).close()
    with pytest.raises(VaultError) as caught:
        create(place)
    assert caught.value.code == "vault_exists"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"version": 2}, "ciphertext_refused"),
        ({"uid": b"\x01" * 32}, "data_key_refused"),
        ({"patient": b"\x01" * 16}, "patient_other"),
        ({"sealed_at": 1}, "time_other"),
        ({"stored_at": 1}, "stored_other"),
        ({"size": 1}, "size_other"),
        ({"blob": b"\x01" * 32}, "blob_missing"),
    ],
)
def test_what_is_changed_in_a_row_is_found(vault: Vault, values: dict[str, object], code: str) -> None:
    put(vault, lines_of(3), delivery_days=0)
    with writing(vault.engine) as connection:
        connection.execute(update(RECORD).where(RECORD.c.id == 2).values(**values))
    findings = [each for each in vault.verify() if each.code not in ("blob_unnamed", "record_missing")]
    assert [each.code for each in findings] == [code]
    assert findings[0].place == vault.find()[1].name
    good = [each for each in vault.find() if each.id != 2]
    assert len(list(vault.read(good, actor="c", now=NOW))) == 2


def test_a_row_of_no_known_state_is_found_and_not_taken_for_erased(vault: Vault) -> None:
    put(vault, lines_of(2), delivery_days=0)
    entry = vault.find()[1]
    with writing(vault.engine) as connection:
        connection.execute(update(RECORD).where(RECORD.c.id == entry.id).values(state=3))
    assert [(each.place, each.code) for each in vault.verify()] == [(entry.name, "state_unknown")]
    with pytest.raises(VaultDamageError) as caught:
        vault.get(*entry.identity, actor="c", now=NOW)
    assert caught.value.code == "state_unknown"


@pytest.mark.parametrize("column", ["record_id", "blob"])
def test_another_records_delivery_under_a_record_is_found(vault: Vault, column: str) -> None:
    put(vault, lines_of(2))
    first, second = vault.find()
    with writing(vault.engine) as connection:
        other = select(DELIVERY.c[column]).where(DELIVERY.c.record_id == second.id).scalar_subquery()
        connection.execute(update(DELIVERY).where(DELIVERY.c.record_id == first.id).values({column: other}))
    found = [(each.place, each.code) for each in vault.verify() if each.code == "delivery_other"]
    assert found == [((second if column == "record_id" else first).name, "delivery_other")]


def test_a_deliverys_wrong_size_is_found(vault: Vault) -> None:
    put(vault, lines_of(1))
    with writing(vault.engine) as connection:
        connection.execute(update(DELIVERY).values(size=DELIVERY.c.size + 1))
    assert [each.code for each in vault.verify()] == ["size_other"]


@pytest.mark.parametrize("values", [{"blob": b"x" * 32}, {"patient": b"p" * 16}, {"size": 7}, {"retain_until": 1}])
def test_a_tombstone_that_tells_more_is_found(vault: Vault, values: dict[str, object]) -> None:
    put(vault, lines_of(1))
    [entry] = vault.find()
    erase(vault, [entry], basis=Basis.PATIENT_REQUEST, actor="c", now=NOW)
    assert list(vault.verify()) == []
    with writing(vault.engine) as connection:
        connection.execute(update(RECORD).values(values))
    assert [(each.place, each.code) for each in vault.verify()] == [(entry.name, "erasure_incomplete")]


def test_holds_and_retention_that_went_are_found(vault: Vault) -> None:
    put(vault, lines_of(3), delivery_days=0)
    entries, holds = vault.find(), Holds(vault)
    of_record = holds.place(basis="c1", actor="c", now=NOW, entry=entries[0])
    of_patient = holds.place(basis="c2", actor="c", now=NOW, patient="Patient/p1")
    lifted = holds.place(basis="c3", actor="c", now=NOW, patient="Patient/p1")
    holds.lift(lifted, actor="c", now=NOW)
    retain(vault, entries[:2], NOW + timedelta(days=9), actor="c", now=NOW)
    retain(vault, entries[:1], NOW + timedelta(days=1), actor="c", now=NOW, shorten=True)
    retain(vault, entries[2:], NOW + timedelta(days=1), actor="c", now=NOW)
    assert list(vault.verify()) == []
    with writing(vault.engine) as connection:
        connection.execute(delete(HOLD).where(HOLD.c.id == of_record))
        connection.execute(update(HOLD).where(HOLD.c.id == of_patient).values(lifted_at=1))
        connection.execute(update(HOLD).where(HOLD.c.id == lifted).values(lifted_at=None))
        connection.execute(update(RECORD).where(RECORD.c.id == 1).values(retain_until=None))
        connection.execute(update(RECORD).where(RECORD.c.id == 2).values(retain_until=1))
    found = {(each.place, each.code) for each in vault.verify()}
    assert found == {(f"hold {number}", "hold_other") for number in (of_record, of_patient, lifted)} | {
        (each.name, "retention_other") for each in entries[:2]
    }


def test_a_ciphertext_outside_that_nobody_names_is_found_once_it_is_old(place: str, tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path / "blobs")
    vault = create(place, blobs=store)
    vault.blobs = Blobs(store, inline=100)
    put(vault, lines_of(2))
    data = secrets.token_bytes(200)
    digest = hashlib.sha256(data).digest()
    store.put(digest, data)
    now = datetime.now(UTC)
    assert list(vault.verify()) == list(vault.verify(now=now + timedelta(minutes=59))) == []
    later = now + timedelta(minutes=61)
    assert [(each.place, each.code) for each in vault.verify(now=later)] == [(f"blob {digest.hex()}", "blob_unnamed")]
    vault.blobs.sweep(vault.engine, now=later)
    assert list(vault.verify(now=later)) == []
    vault.close()


def test_what_an_erasure_left_is_found(vault: Vault) -> None:
    put(vault, lines_of(1))
    [entry] = vault.find()
    tables = (KEY, TERM, DELIVERY)
    with reading(vault.engine) as connection:
        rows = {each: [row._asdict() for row in connection.execute(select(each))] for each in tables}
    erase(vault, [entry], basis=Basis.PATIENT_REQUEST, actor="c", now=NOW)
    assert list(vault.verify()) == []
    for table in tables:
        with writing(vault.engine) as connection:
            connection.execute(delete(table))
            connection.execute(insert(table), rows[table])
        found = [each for each in vault.verify() if each.code == "erasure_incomplete"]
        assert [each.place for each in found] == [entry.name]
        with writing(vault.engine) as connection:
            connection.execute(table.delete())


def rows_of(vault: Vault, entry: Entry) -> dict[Table, list[dict[str, Any]]]:
    """A copy of all that the database has of one record."""
    with reading(vault.engine) as connection:
        record = connection.execute(select(RECORD).where(RECORD.c.id == entry.id)).one()
        own = {RECORD: RECORD.c.id == entry.id, BLOB: BLOB.c.hash == record.blob}
        own |= {each: each.c.record_id == entry.id for each in (KEY, TERM)}
        return {each: [row._asdict() for row in connection.execute(select(each).where(own[each]))] for each in own}


def put_back(vault: Vault, rows: dict[Table, list[dict[str, Any]]]) -> None:
    """As a host does that has a copy: the record's rows as they were, and nothing else."""
    [record] = rows[RECORD]
    with writing(vault.engine) as connection:
        for table in (KEY, TERM):
            connection.execute(delete(table).where(table.c.record_id == record["id"]))
        connection.execute(update(RECORD).where(RECORD.c.id == record["id"]).values(record))
        for table in (BLOB, KEY, TERM):
            connection.execute(insert(table), rows[table])


def encrypt_anew(vault: Vault, entry: Entry, version: int) -> None:
    """A record's ciphertext of a later version, entered in the log."""
    [opened] = vault.lines([entry], actor="c", now=NOW)
    with writing(vault.engine) as connection:
        epoch = vault.epochs.current(connection)
        bound = contents.associated(*entry.identity, version), epoch.info(*entry.identity)
        payload = contents.payload(opened.ikm, opened.line)
        [(ciphertext, wrapped)] = _core.encrypt_records([payload], [bound[0]], [bound[1]], epoch.reader)
        old = connection.execute(select(RECORD.c.blob).where(RECORD.c.id == entry.id)).scalar_one()
        vault.blobs.delete(connection, old)
        newer = {"version": version, "blob": vault.blobs.put(connection, ciphertext)}
        connection.execute(update(RECORD).where(RECORD.c.id == entry.id).values(newer))
        connection.execute(update(KEY).where(KEY.c.record_id == entry.id).values(wrapped=wrapped))
        act = Act("c", Action.AMEND, record_text(*entry.identity, version), opened.patient)
        vault.audit.append(connection, [act], now=NOW)


def test_an_older_ciphertext_put_back_is_found(vault: Vault) -> None:
    put(vault, lines_of(3), delivery_days=0)
    entry = vault.find()[1]
    old = rows_of(vault, entry)
    encrypt_anew(vault, entry, 2)
    assert list(vault.verify()) == []
    put_back(vault, old)
    assert len(list(vault.read([entry], actor="c", now=NOW))) == 1  # it fits itself
    found = [(each.place, each.code) for each in vault.verify() if each.code != "blob_unnamed"]
    assert found == [(entry.name, "version_older")]


def test_an_erased_record_put_back_is_found(vault: Vault) -> None:
    put(vault, lines_of(3), delivery_days=0)
    entry = vault.find()[1]
    old = rows_of(vault, entry)
    erase(vault, [entry], basis=Basis.PATIENT_REQUEST, actor="c", now=NOW)
    assert list(vault.verify()) == []
    put_back(vault, old)
    assert len(list(vault.read([entry], actor="c", now=NOW))) == 1
    assert [(each.place, each.code) for each in vault.verify()] == [(entry.name, "record_returned")]


def test_a_record_that_went_without_a_trace_or_by_a_false_tombstone_is_found(vault: Vault) -> None:
    put(vault, lines_of(3), delivery_days=0)
    gone, buried, _ = vault.find()
    with writing(vault.engine) as connection:
        for table in (KEY, TERM):
            connection.execute(delete(table).where(table.c.record_id.in_([gone.id, buried.id])))
        connection.execute(delete(RECORD).where(RECORD.c.id == gone.id))
        connection.execute(update(RECORD).where(RECORD.c.id == buried.id).values(state=ERASED, blob=None, patient=None))
    found = {each.place: each.code for each in vault.verify() if each.code != "blob_unnamed"}
    assert found == {gone.name: "record_missing", buried.name: "erasure_unlogged"}
    with writing(vault.engine) as connection:
        connection.execute(insert(ERASURE).values(record_id=buried.id, erased_at=0, basis="x", sequence=1, epoch=1))
    assert {each.place: each.code for each in vault.verify() if each.code != "blob_unnamed"} == found


@pytest.mark.parametrize("other", [{"erased_at": 1}, {"basis": Basis.COURT_ORDER.value}])
def test_another_time_or_basis_of_an_erasure_than_the_log_has_is_found(vault: Vault, other: dict[str, Any]) -> None:
    put(vault, lines_of(2))
    gone = vault.find()[0]
    erase(vault, [gone], basis=Basis.PATIENT_REQUEST, actor="c", now=NOW)
    assert list(vault.verify()) == []
    with writing(vault.engine) as connection:
        connection.execute(update(ERASURE).values(other))
    assert [(each.place, each.code) for each in vault.verify()] == [(gone.name, "erasure_other")]


def test_damaged_ciphertexts_wraps_terms_and_strays_are_found(vault: Vault) -> None:
    put(vault, lines_of(4))
    with writing(vault.engine) as connection:
        blobs = dict(connection.execute(select(RECORD.c.id, RECORD.c.blob)).all())
        data = connection.execute(select(BLOB.c.data).where(BLOB.c.hash == blobs[1])).scalar_one()
        flipped = data[:50] + bytes([data[50] ^ 1]) + data[51:]
        connection.execute(update(BLOB).where(BLOB.c.hash == blobs[1]).values(data=flipped))
        connection.execute(update(KEY).where(KEY.c.record_id == 2).values(wrapped=bytes(80)))
        connection.execute(insert(TERM).values(term=bytes(16), record_id=3))
        connection.execute(insert(BLOB).values(hash=bytes(32), data=b"x"))
    found = {each.place: each.code for each in vault.verify()}
    names = [each.name for each in vault.find()]
    assert found == {
        names[0]: "blob_damaged",
        names[1]: "data_key_refused",
        names[2]: "terms_other",
        f"blob {'00' * 32}": "blob_unnamed",
    }
    with pytest.raises(VaultDamageError):
        list(vault.read(vault.find()[:1], actor="c", now=NOW))


def test_large_ciphertexts_go_outside(place: str, tmp_path: Path) -> None:
    vault = create(place, blobs=FolderBlobs(tmp_path / "blobs"))
    vault.blobs._inline = 100  # so that records of a test are large
    lines = lines_of(2)
    put(vault, lines)
    with reading(vault.engine) as connection:
        assert connection.execute(select(BLOB)).all() == []
    assert {each.to_json() for each in vault.read(vault.find(), actor="c", now=NOW)} == {each.line for each in lines}
    for path in (tmp_path / "blobs").glob("??/??/*"):
        path.write_bytes(path.read_bytes()[:-1])
    assert [each.code for each in vault.verify()] == ["blob_damaged"] * 4


def test_keys_that_a_vault_has_are_no_others(place: str, tmp_path: Path) -> None:
    keys = MemoryKeys()
    create(place, keys).close()
    for _ in range(2):
        with pytest.raises(VaultKeyError) as caught:
            create(str(tmp_path / "another.db"), keys)
        assert caught.value.code == "keys_taken"
    create(str(tmp_path / "another.db")).close()  # with its own the place is free


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4])
def test_a_vault_whose_making_died_is_made_with_the_same_keys(at: int, place: str, tmp_path: Path) -> None:
    class Dying(MemoryKeys):
        def make(self, name: str) -> bytes:
            secret = super().make(name)
            if len(self.kept) > at:
                raise KeyboardInterrupt
            return secret

    keys = Dying()
    with pytest.raises(KeyboardInterrupt):
        create(place, keys)
    again = keys_of(keys.kept)
    if at == 4:  # all were made, and not committed
        with pytest.raises(VaultKeyError):
            create(str(tmp_path / "another.db"), again)
    vault = create(place, again)
    put(vault, lines_of(1))
    assert again.names() == ["accounting", "epoch-1", "index", "pseudonyms", "vault"]
    assert list(vault.verify()) == []


def test_a_vault_remembers_where_large_ciphertexts_are(place: str, tmp_path: Path) -> None:
    keys, store = MemoryKeys(), FolderBlobs(tmp_path / "blobs")
    create(place, keys).close()
    Vault.open(place, keys).close()
    Vault.open(place, keys, blobs=store).close()  # from now on it has them
    with pytest.raises(VaultError) as caught:
        Vault.open(place, keys)
    assert caught.value.code == "blobs_missing"
    with pytest.raises(VaultError) as caught:
        Vault.open(place, keys, blobs=S3Blobs("s3://bucket?endpoint=http://localhost:1&region=x"))
    assert caught.value.code == "blobs_other"
    vault = Vault.open(place, keys, blobs=store)
    with reading(vault.engine) as connection:
        assert str(tmp_path).encode() not in b"".join(connection.scalars(select(META.c.value)))
    vault.close()


def test_a_new_epoch_takes_new_records_and_old_ones_stay_readable(vault: Vault) -> None:
    put(vault, lines_of(1))
    with writing(vault.engine) as connection:
        vault.epochs.begin(connection, now=NOW)
    put(vault, [line_of(7)])
    with reading(vault.engine) as connection:
        assert [each.epoch for each in connection.execute(select(KEY.c.epoch).order_by(KEY.c.record_id))] == [1, 2]
    assert len(list(vault.read(vault.find(), actor="c", now=NOW + timedelta(days=1)))) == 2


def test_two_at_once_keep_each_record_once(place: str) -> None:
    keys = MemoryKeys()
    create(place, keys).close()
    lines = lines_of(12)
    done: list[Stored] = []

    def work() -> None:
        vault = Vault.open(place, keys)
        for at in range(0, 12, 3):
            done.append(put(vault, lines[at : at + 3]))
        vault.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    vault = Vault.open(place, keys)
    assert sum(each.new for each in done) == 12 == len(vault.find())
    assert counts(vault) == [12, 12, 24, 12, 12, 12, 12]
    with reading(vault.engine) as connection:
        assert verify_log(connection, now=NOW).entries == 12
    assert len(HOLDER.keys.address()) == 64


def test_a_full_disk_leaves_no_batch_by_half(tmp_path: Path) -> None:
    vault = create(str(tmp_path / "vault.db"))
    put(vault, lines_of(2))

    @event.listens_for(vault.engine, "checkout")
    def limit(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 120")

    def fill() -> None:
        for _ in range(50):
            put(vault, lines_of(5))

    with pytest.raises((VaultError, QueueError)) as caught:  # by whichever of the two wrote last
        fill()
    assert caught.value.code == "disk_full"
    rows = len(vault.find())
    assert rows % 5 == 2
    assert counts(vault) == [rows, rows, 2 * rows, rows, rows, rows, rows]
    assert list(vault.verify()) == []
