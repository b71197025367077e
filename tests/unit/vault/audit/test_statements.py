"""At the end of each period the provider signs where its log ended."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from sqlalchemy import Engine, select

from chartseal.chain.anchors.tables import STATEMENT_TEXT
from chartseal.errors import AuditError
from chartseal.vault.audit import SignedStatement, Statement, close_periods, read_statements
from chartseal.vault.database import reading, writing
from tests.audit_log import LOG, NOW, a_log, issuer, looked, queue

_DAY = timedelta(days=1)
_MIDNIGHT = int(NOW.timestamp()) // 86_400 * 86_400


def test_each_period_gets_a_statement_once_it_has_ended(engine: Engine) -> None:
    with writing(engine) as connection:
        first, last = a_log().append(connection, [looked(1), looked(2)], now=NOW)
        assert close_periods(connection, issuer(), queues=[queue()], now=NOW) == []
        [signed] = close_periods(connection, issuer(), queues=[queue()], now=NOW + _DAY)
        assert close_periods(connection, issuer(), queues=[queue()], now=NOW + _DAY) == []
    assert signed.read() == Statement(issuer().address, LOG, _MIDNIGHT, 86_400, 2, last.hash)
    assert first.hash != last.hash


def test_missed_and_empty_periods_are_made_up_for_in_order(engine: Engine) -> None:
    with writing(engine) as connection:
        [one] = a_log().append(connection, [looked(1)], now=NOW)
        [two] = a_log().append(connection, [looked(2)], now=NOW + 3 * _DAY)
        made = [each.read() for each in close_periods(connection, issuer(), queues=(), now=NOW + 5 * _DAY)]
    assert [(each.period - _MIDNIGHT) // 86_400 for each in made] == [0, 1, 2, 3, 4]
    assert [each.head for each in made] == [one.hash, one.hash, one.hash, two.hash, two.hash]


def test_a_log_that_has_not_begun_has_nothing_to_state(engine: Engine) -> None:
    with writing(engine) as connection:
        assert close_periods(connection, issuer(), queues=(), now=NOW) == []


def test_statements_wait_for_their_anchor(engine: Engine) -> None:
    with writing(engine) as connection:
        a_log().append(connection, [looked(1)], now=NOW)
        made = close_periods(connection, issuer(), queues=[queue()], now=NOW + 2 * _DAY)
        rows = connection.execute(select(STATEMENT_TEXT.c.statement, STATEMENT_TEXT.c.signature)).all()
    assert [tuple(row) for row in rows] == [tuple(each) for each in made]
    with reading(engine) as connection:
        assert list(read_statements(connection).values()) == made


def test_a_clock_set_back_takes_nothing_out_of_a_statement(engine: Engine) -> None:
    with writing(engine) as connection:
        a_log().append(connection, [looked(1)], now=NOW + 2 * _DAY)
        a_log().append(connection, [looked(2)], now=NOW)
        [stated] = close_periods(connection, issuer(), queues=(), now=NOW + 3 * _DAY)
    assert stated.read().sequence == 2


def test_the_bytes_and_the_signature_are_what_others_make() -> None:
    statement = Statement(issuer().address, LOG, _MIDNIGHT, 86_400, 7, hashlib.sha256(b"head").digest())
    data = statement.to_bytes()
    assert data.decode() == (
        f'{{"provider":"0x{issuer().address.hex()}","log":"{LOG.hex()}","period":{_MIDNIGHT},"seconds":86400,'
        f'"sequence":7,"head":"0x{hashlib.sha256(b"head").hexdigest()}"}}'
    )
    name, padded = b"chartseal/1/audit-statement", len(data) + -len(data) % 32
    words = [(0x40).to_bytes(32), (0x80).to_bytes(32), len(name).to_bytes(32), name.ljust(32, b"\0")]
    encoded = b"".join([*words, len(data).to_bytes(32), data.ljust(padded, b"\0")])
    theirs = Account.unsafe_sign_hash(keccak(encoded), b"\x11" * 32)
    assert SignedStatement(data, bytes(theirs.signature)).read() == statement


def test_a_statement_that_another_signed_is_refused() -> None:
    statement = Statement(issuer().address, LOG, _MIDNIGHT, 86_400, 7, bytes(32)).to_bytes()
    for signature in (issuer().sign_digest(bytes(32)), bytes(65), b""):  # type: ignore[arg-type] # any digest
        with pytest.raises(AuditError) as caught:
            SignedStatement(statement, signature).read()
        assert caught.value.code == "statement_unsigned"


@pytest.mark.parametrize("change", [(b'"period":', b'"period": '), (b'"sequence":7', b'"sequence":-7'), (b"{", b"[")])
def test_what_is_no_statement(change: tuple[bytes, bytes]) -> None:
    statement = Statement(issuer().address, LOG, _MIDNIGHT, 86_400, 7, bytes(32))
    assert Statement.from_bytes(statement.to_bytes()) == statement
    for data in (statement.to_bytes().replace(*change), replace(statement, seconds=0).to_bytes()):
        with pytest.raises(AuditError) as caught:
            Statement.from_bytes(data)
        assert caught.value.code == "statement_malformed"


def test_a_statement_is_given_out_as_json() -> None:
    signed = SignedStatement(b'{"a":1}', bytes(65))
    assert SignedStatement.from_json(signed.to_json()) == signed
    for data in (b"{}", b"[]", b'{"statement":1,"signature":"0x"}', signed.to_json()[:-1]):
        with pytest.raises(AuditError):
            SignedStatement.from_json(data)
