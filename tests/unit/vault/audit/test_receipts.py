"""What somebody was given holds the log to its word."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import Engine, delete, update

from chartseal.errors import AuditError
from chartseal.vault.audit import GivenReceipt, Statement, give
from chartseal.vault.database import reading, writing
from chartseal.vault.tables import AUDIT, META
from tests.audit_log import LOG, filled, issuer


@pytest.fixture
def third(engine: Engine) -> GivenReceipt:
    filled(engine)
    with reading(engine) as connection:
        return give(connection, 3)


def test_a_receipt_is_of_the_log(engine: Engine, third: GivenReceipt) -> None:
    read = GivenReceipt.from_json(third.to_json())
    assert read == third
    with reading(engine) as connection:
        read.check(connection)
        give(connection, 1).check(connection)


def _refused(engine: Engine, receipt: GivenReceipt) -> str:
    with pytest.raises(AuditError) as caught, reading(engine) as connection:
        receipt.check(connection)
    return caught.value.code


def test_a_log_that_lost_or_changed_the_entry(engine: Engine, third: GivenReceipt) -> None:
    with writing(engine) as connection:
        connection.execute(update(AUDIT).where(AUDIT.c.sequence == 3).values(hash=bytes(32)))
    assert _refused(engine, third) == "receipt_contradicts"
    with writing(engine) as connection:
        connection.execute(delete(AUDIT).where(AUDIT.c.sequence == 3))
    assert _refused(engine, third) == "receipt_contradicts"


def test_another_log_says_nothing(engine: Engine, third: GivenReceipt) -> None:
    with writing(engine) as connection:
        connection.execute(update(META).where(META.c.name == "id").values(value=bytes(16)))
    assert _refused(engine, third) == "receipt_other_log"


def test_a_statement_covers_a_receipt_or_contradicts_it(third: GivenReceipt) -> None:
    covering = Statement(issuer().address, LOG, 0, 86_400, 3, third.hash)
    assert third.is_under(covering)
    assert third.is_under(replace(covering, sequence=4, head=bytes(32)))
    assert not third.is_under(replace(covering, sequence=2))
    with pytest.raises(AuditError) as caught:
        third.is_under(replace(covering, head=bytes(32)))
    assert caught.value.code == "receipt_contradicts"


def test_a_receipt_holds_together(third: GivenReceipt) -> None:
    other = third.entry.replace(b"clerk-7", b"clerk-8")
    for changed in (replace(third, entry=other), replace(third, previous=bytes(32)), replace(third, sequence=4)):
        with pytest.raises(AuditError) as caught:
            GivenReceipt.from_json(changed.to_json())
        assert caught.value.code == "receipt_altered"


def test_what_is_no_receipt(third: GivenReceipt) -> None:
    members = json.loads(third.to_json())
    for name, value in (("kind", "disclosure"), ("log", "00"), ("hash", "0x00"), ("entry", 1), ("previous", None)):
        with pytest.raises(AuditError) as caught:
            GivenReceipt.from_json(json.dumps({**members, name: value}).encode())
        assert caught.value.code == "receipt_malformed"
    for data in (b"", b"[]", third.to_json()[:-1], b" " * 20_000):
        with pytest.raises(AuditError) as caught:
            GivenReceipt.from_json(data)
        assert caught.value.code == "receipt_malformed"


def test_no_receipt_of_no_entry(engine: Engine, third: GivenReceipt) -> None:
    assert third.sequence == 3
    for number in (0, 7):
        with pytest.raises(AuditError) as caught, reading(engine) as connection:
            give(connection, number)
        assert caught.value.code == "entry_missing"
