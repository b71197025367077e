"""Whatever is done to a log is found, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, delete, select, update

from chartseal.attestation import LocalSigner
from chartseal.chain.anchors.tables import STATEMENT_TEXT
from chartseal.errors import AuditError
from chartseal.vault.audit import Checked, SignedStatement, close_periods, read_statements, verify_log
from chartseal.vault.audit.entry import entry_hash
from chartseal.vault.audit.log import Head
from chartseal.vault.audit.statements import statement_digest
from chartseal.vault.database import reading, writing
from chartseal.vault.tables import AUDIT, DETAIL, META, STATEMENT
from tests.audit_log import NOW, a_log, filled, issuer, looked

_LATER = NOW + timedelta(days=3)
_DAY = 86_400
_MIDNIGHT = int(NOW.timestamp()) // _DAY * _DAY


def check(engine: Engine, **options: object) -> Checked:
    with reading(engine) as connection:
        return verify_log(connection, now=_LATER, **options)  # type: ignore[arg-type] # each test's own


def refused(engine: Engine, **options: object) -> tuple[str, str]:
    with pytest.raises(AuditError) as caught:
        check(engine, **options)
    return caught.value.code, caught.value.path


def tamper(engine: Engine, *changes: Callable[[Connection], object]) -> None:
    """As somebody who has the database, and cares for none of its rules."""
    with writing(engine) as connection:
        for change in changes:
            change(connection)


def test_a_whole_log(engine: Engine) -> None:
    filled(engine)
    with writing(engine) as connection:
        a_log().append(connection, [looked(9)], now=_LATER)
    found = check(engine, providers={issuer().address}, anchored=True)
    assert found[:1] + found[2:] == (7, 3, 3, (issuer().address,), 1, 0, 3)
    assert Checked._fields[1] == "head"


def test_a_log_that_has_not_begun(engine: Engine) -> None:
    assert check(engine).entries == 0


def _edit(number: int, **values: object) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(update(AUDIT).where(AUDIT.c.sequence == number).values(**values))


def test_an_edited_entry(engine: Engine) -> None:
    filled(engine)
    with reading(engine) as connection:
        entry = connection.execute(select(AUDIT.c.entry).where(AUDIT.c.sequence == 3)).scalar_one()
    tamper(engine, _edit(3, entry=entry.replace(b"clerk-7", b"clerk-8")))
    assert refused(engine) == ("entry_altered", "entry 3")


def test_an_edited_entry_with_its_hash_made_again(engine: Engine) -> None:
    filled(engine)
    with reading(engine) as connection:
        rows = connection.execute(select(AUDIT.c.entry, AUDIT.c.hash).order_by(AUDIT.c.sequence)).all()
    edited = rows[2].entry.replace(b"clerk-7", b"clerk-8")
    tamper(engine, _edit(3, entry=edited, hash=entry_hash(rows[1].hash, edited)))
    assert refused(engine) == ("entry_altered", "entry 4")


def test_a_chain_that_was_made_again_from_an_edit_on(engine: Engine) -> None:
    filled(engine)
    with writing(engine) as connection:
        rows = connection.execute(select(AUDIT).order_by(AUDIT.c.sequence)).all()
        previous = rows[1].hash
        for row in rows[2:]:
            edited = row.entry.replace(b"clerk-7", b"clerk-8")
            previous = entry_hash(previous, edited)
            _edit(row.sequence, entry=edited, hash=previous)(connection)
        head = Head(len(rows), previous).to_bytes()
        connection.execute(update(META).where(META.c.name == "audit_head").values(value=head))
    assert refused(engine) == ("statement_contradicts", f"period {_MIDNIGHT + _DAY}")


@pytest.mark.parametrize("number", [1, 3, 6])
def test_a_deleted_entry(engine: Engine, number: int) -> None:
    filled(engine, each=2)
    tamper(
        engine,
        lambda connection: connection.execute(delete(DETAIL).where(DETAIL.c.sequence == number)),
        lambda connection: connection.execute(delete(AUDIT).where(AUDIT.c.sequence == number)),
    )
    assert refused(engine) == ("log_cut" if number == 6 else "entry_missing", f"entry {number}")


def test_a_tail_that_was_cut_with_its_head(engine: Engine) -> None:
    filled(engine)
    with writing(engine) as connection:
        connection.execute(delete(DETAIL).where(DETAIL.c.sequence > 4))
        connection.execute(delete(AUDIT).where(AUDIT.c.sequence > 4))
        last = connection.execute(select(AUDIT.c.hash).where(AUDIT.c.sequence == 4)).scalar_one()
        head = Head(4, last).to_bytes()
        connection.execute(update(META).where(META.c.name == "audit_head").values(value=head))
    assert refused(engine) == ("log_cut", "entry 5")


def test_a_head_that_is_another(engine: Engine) -> None:
    filled(engine)
    head = Head(6, bytes(32)).to_bytes()
    tamper(
        engine,
        lambda connection: connection.execute(update(META).where(META.c.name == "audit_head").values(value=head)),
    )
    assert refused(engine) == ("head_contradicts", "head")


def test_an_entry_after_the_head(engine: Engine) -> None:
    filled(engine)
    with writing(engine) as connection:
        head = connection.execute(select(META.c.value).where(META.c.name == "audit_head")).scalar_one()
        a_log().append(connection, [looked(9)], now=_LATER)
        connection.execute(update(META).where(META.c.name == "audit_head").values(value=head))
    assert refused(engine) == ("head_contradicts", "entry 7")


def test_entries_without_a_head(engine: Engine) -> None:
    filled(engine)
    tamper(engine, lambda connection: connection.execute(delete(META).where(META.c.name == "audit_head")))
    assert refused(engine) == ("head_missing", "head")


@pytest.mark.parametrize("values", [{"at": 0}, {"patient": None}, {"patient": bytes(16)}])
def test_an_entry_that_would_be_found_elsewhere(engine: Engine, values: dict[str, object]) -> None:
    filled(engine)
    tamper(engine, _edit(2, **values))
    assert refused(engine) == ("entry_misfiled", "entry 2")


def test_details(engine: Engine) -> None:
    filled(engine)
    with reading(engine) as connection:
        kept = connection.execute(select(DETAIL).where(DETAIL.c.sequence == 4)).one()
    of = DETAIL.c.sequence == 4
    flipped = bytes([kept.data[0] ^ 1]) + kept.data[1:]
    tamper(engine, lambda connection: connection.execute(update(DETAIL).where(of).values(data=flipped)))
    assert refused(engine) == ("detail_altered", "entry 4")
    values = {"data": kept.data, "keep_until": kept.keep_until - 1}
    tamper(engine, lambda connection: connection.execute(update(DETAIL).where(of).values(values)))
    assert refused(engine) == ("detail_altered", "entry 4")
    values = {"sequence": 3, "keep_until": kept.keep_until}
    tamper(engine, lambda connection: connection.execute(update(DETAIL).where(of).values(values)))
    assert refused(engine) == ("detail_unknown", "entry 3")
    tamper(engine, lambda connection: connection.execute(delete(DETAIL).where(DETAIL.c.sequence == 3)))
    assert refused(engine) == ("detail_missing", "entry 4")


def test_a_detail_that_went_after_its_term_is_not_missed(engine: Engine) -> None:
    filled(engine)
    after = NOW + timedelta(days=2_192)
    with writing(engine) as connection:
        assert a_log().expire(connection, now=after) == 1
        assert verify_log(connection, now=after).details == 2
    assert refused(engine) == ("detail_missing", "entry 2")


def test_a_statement_that_is_gone(engine: Engine) -> None:
    filled(engine)
    newest, middle = _MIDNIGHT + 2 * _DAY, _MIDNIGHT + _DAY
    for period in (middle, newest):
        with writing(engine) as connection:
            row = connection.execute(select(STATEMENT).where(STATEMENT.c.period == period)).one()
            connection.execute(delete(STATEMENT).where(STATEMENT.c.period == period))
        assert refused(engine) == ("statement_missing", f"period {period}")
        with writing(engine) as connection:
            connection.execute(STATEMENT.insert().values(**row._asdict()))
    assert check(engine).statements == 3


def _signed(engine: Engine, signer: LocalSigner, **values: object) -> SignedStatement:
    """The newest statement, made anew by whoever has the key."""
    with reading(engine) as connection:
        *_, newest = read_statements(connection).values()
    data = replace(newest.read(), **{"provider": signer.address, **values}).to_bytes()  # type: ignore[arg-type]
    return SignedStatement(data, signer.sign_digest(statement_digest(data)))


def _put(engine: Engine, signed: SignedStatement) -> None:
    period = _MIDNIGHT + 2 * _DAY
    tamper(
        engine,
        lambda connection: connection.execute(
            update(STATEMENT).where(STATEMENT.c.period == period).values(**signed._asdict())
        ),
    )


def test_two_statements_for_one_period(engine: Engine) -> None:
    filled(engine)
    forked = _signed(engine, issuer(), sequence=4)
    assert refused(engine, known=[forked]) == ("statement_forked", f"period {_MIDNIGHT + 2 * _DAY}")
    _put(engine, forked)
    assert refused(engine) == ("statement_forked", f"period {_MIDNIGHT + 2 * _DAY}")


def test_a_statement_that_contradicts_the_log(engine: Engine) -> None:
    filled(engine)
    with writing(engine) as connection:
        connection.execute(delete(STATEMENT_TEXT))
    for values, code in (
        ({"head": bytes(32)}, "statement_contradicts"),
        ({"sequence": 5}, "statement_contradicts"),
        ({"sequence": 1}, "statement_contradicts"),
        ({"sequence": 7}, "log_cut"),
        ({"period": _MIDNIGHT + 3 * _DAY}, "statement_misfiled"),
        ({"log": bytes(16)}, "statement_foreign"),
    ):
        _put(engine, signed := _signed(engine, issuer(), **values))
        assert refused(engine)[0] == code
        _put(engine, _signed(engine, issuer(), period=_MIDNIGHT + 2 * _DAY, log=bytes(range(16)), **_true(engine)))
        assert check(engine).statements == 3
        assert signed.read().provider == issuer().address


def _true(engine: Engine) -> dict[str, object]:
    with reading(engine) as connection:
        head = connection.execute(select(AUDIT.c.hash).where(AUDIT.c.sequence == 6)).scalar_one()
    return {"sequence": 6, "head": head}


def test_a_statement_of_somebody_else(engine: Engine) -> None:
    filled(engine)
    with writing(engine) as connection:
        connection.execute(delete(STATEMENT_TEXT))
    stranger = LocalSigner(b"\x22" * 32)
    _put(engine, _signed(engine, stranger))
    assert check(engine).providers == tuple(sorted([issuer().address, stranger.address]))
    assert refused(engine, providers={issuer().address})[0] == "statement_foreign"


def test_a_statement_without_its_signature(engine: Engine) -> None:
    filled(engine)
    signed = _signed(engine, issuer())
    _put(engine, signed._replace(signature=bytes(65)))
    assert refused(engine) == ("statement_unsigned", f"period {_MIDNIGHT + 2 * _DAY}")


def test_a_statement_that_is_in_no_anchor(engine: Engine) -> None:
    filled(engine)
    with writing(engine) as connection:
        close_periods(connection, issuer(), queues=(), now=_LATER + timedelta(days=1))
    assert check(engine).unanchored == 4
    assert refused(engine, anchored=True) == ("statement_unanchored", f"period {_MIDNIGHT + 3 * _DAY}")


def test_a_clock_set_back_shows(engine: Engine) -> None:
    filled(engine)
    with writing(engine) as connection:
        a_log().append(connection, [looked(9)], now=NOW)
    assert check(engine).late == 1


def test_what_a_log_without_vault_says(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(delete(META))
    assert refused(engine)[0] == "log_missing"
