"""Acts become entries of one chain; patients and details stay out of it."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
from sqlalchemy import Engine, delete, select, update

from chartseal.errors import AuditError, VaultKeyError
from chartseal.vault.audit import Act, Action, AuditLog
from chartseal.vault.database import reading, writing
from chartseal.vault.tables import AUDIT, DETAIL, META
from tests.audit_log import LOG, NOW, PATIENT, a_log, looked, told


def test_each_entry_hashes_the_one_before(engine: Engine) -> None:
    with writing(engine) as connection:
        first, second = a_log().append(connection, [looked(1), looked(2)], now=NOW)
        [third] = a_log().append(connection, [told(3)], now=NOW)
        rows = connection.execute(select(AUDIT).order_by(AUDIT.c.sequence)).all()
        head = connection.execute(select(META.c.value).where(META.c.name == "audit_head")).scalar_one()
    previous = hashlib.sha256(LOG).digest()
    for row in rows:
        previous = hashlib.sha256(b"chartseal/1/audit\0" + previous + row.entry).digest()
        assert row.hash == previous
    assert [(each.sequence, each.hash) for each in (first, second, third)] == [(row.sequence, row.hash) for row in rows]
    assert head == (3).to_bytes(8) + previous


def test_the_bytes_of_an_entry(engine: Engine) -> None:
    with writing(engine) as connection:
        a_log().append(connection, [looked(1)], now=NOW)
        data = connection.execute(select(AUDIT.c.entry)).scalar_one()
    nonce = json.loads(data)["nonce"]
    assert len(bytes.fromhex(nonce)) == 16
    assert data.decode() == (
        f'{{"v":1,"seq":1,"nonce":"{nonce}","at":1782907200,"actor":"clerk-7","patient":"{PATIENT.hex()}",'
        '"action":"read","what":"record 1","purpose":"TREAT","basis":"","detail":"","keep":0}'
    )


def test_an_entry_and_its_act_commit_together_or_not_at_all(engine: Engine) -> None:
    with engine.connect() as connection:
        a_log().append(connection, [looked(1)], now=NOW)
        connection.rollback()
    with writing(engine) as connection:
        [receipt] = a_log().append(connection, [looked(2)], now=NOW)
    assert receipt.sequence == 1


def test_entries_are_found_by_patient_and_time(engine: Engine) -> None:
    log, other, hour = a_log(), b"\x08" * 16, timedelta(hours=1)
    with writing(engine) as connection:
        log.append(connection, [looked(1), looked(2, other), looked(3, None)], now=NOW)
        log.append(connection, [looked(4)], now=NOW + hour)
    with reading(engine) as connection:
        assert [entry.what for entry in log.find(connection, patient=PATIENT)] == ["record 1", "record 4"]
        assert [entry.what for entry in log.find(connection, since=NOW + hour)] == ["record 4"]
        assert [entry.sequence for entry in log.find(connection, until=NOW + hour)] == [1, 2, 3]
        assert [entry.sequence for entry in log.find(connection)] == [1, 2, 3, 4]


def test_a_detail_is_read_with_its_key_alone(engine: Engine) -> None:
    log = a_log()
    with writing(engine) as connection:
        log.append(connection, [told(1)], now=NOW)
        [entry] = log.find(connection)
        kept = connection.execute(select(DETAIL.c.data)).scalar_one()
        assert b"Lakeside" not in kept
        assert hashlib.sha256(kept).digest() == entry.detail
        assert log.detail(connection, entry) == told(1).detail
        with pytest.raises(AuditError) as caught:
            AuditLog(b"p" * 32, b"b" * 32).detail(connection, entry)
        with pytest.raises(VaultKeyError):
            AuditLog(b"p" * 32, None).detail(connection, entry)
    assert caught.value.code == "detail_refused"


def test_a_detail_goes_after_its_term_and_not_before(engine: Engine) -> None:
    log, term = a_log(), timedelta(days=2_192)
    with writing(engine) as connection:
        log.append(connection, [told(1)], now=NOW)
        [entry] = log.find(connection)
        assert log.expire(connection, now=NOW + term - timedelta(seconds=1)) == 0
        assert log.expire(connection, now=NOW + term) == 1
        assert log.detail(connection, entry) is None


def test_without_the_key_of_details_none_is_entered(engine: Engine) -> None:
    log = AuditLog(b"p" * 32, None)
    with pytest.raises(VaultKeyError) as caught, writing(engine) as connection:
        log.append(connection, [looked(1), told(2)], now=NOW)
    assert caught.value.code == "key_missing"
    with writing(engine) as connection:
        assert [each.sequence for each in log.append(connection, [looked(1)], now=NOW)] == [1]


@pytest.mark.parametrize("table", ["head", "vault"])
def test_a_log_without_its_head_or_vault_takes_nothing(engine: Engine, table: str) -> None:
    name, code = {"head": ("audit_head", "head_missing"), "vault": ("id", "log_missing")}[table]
    with writing(engine) as connection:
        a_log().append(connection, [looked(1)], now=NOW)
        connection.execute(delete(META).where(META.c.name == name))
    with pytest.raises(AuditError) as caught, writing(engine) as connection:
        a_log().append(connection, [looked(2)], now=NOW)
    assert caught.value.code == code


def test_a_malformed_head_is_no_head(engine: Engine) -> None:
    with writing(engine) as connection:
        a_log().append(connection, [looked(1)], now=NOW)
        connection.execute(update(META).where(META.c.name == "audit_head").values(value=b"\0" * 39))
    with pytest.raises(AuditError) as caught, writing(engine) as connection:
        a_log().append(connection, [looked(2)], now=NOW)
    assert caught.value.code == "head_malformed"


@pytest.mark.parametrize(
    ("name", "value"),
    [("actor", "a" * 129), ("what", "line\nend"), ("purpose", "p" * 65), ("basis", "\ud800"), ("patient", b"\0" * 15)],
)
def test_what_an_entry_does_not_hold(name: str, value: object) -> None:
    members = {"actor": "a" * 128, "action": Action.READ, "what": 'quote " and é', "patient": b"\0" * 16}
    Act(**members)  # type: ignore[arg-type] # a neighbour of each that is refused
    with pytest.raises(AuditError) as caught:
        Act(**{**members, name: value})  # type: ignore[arg-type] # on purpose
    assert caught.value.code == "act_malformed"


def test_a_pseudonym_is_the_patients_under_the_key() -> None:
    log, reference = a_log(), b"https://chart.example/Patient/7"
    assert log.pseudonym(reference) == log.pseudonym(reference)
    assert log.pseudonym(reference) != log.pseudonym(reference + b"0")
    assert log.pseudonym(reference) != AuditLog(b"q" * 32, None).pseudonym(reference)
