"""Consents kept: verified first, withdrawn for good, by two processes, and unreadable without the keys."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Table, create_engine, inspect, select, text, update

from chartseal.chain.anchors import open_queue
from chartseal.consent import Consent, Exceptions, Grantee, Withdrawal
from chartseal.consent import store as module
from chartseal.consent.store import ConsentStore, upgrade
from chartseal.consent.tables import GIVEN, METADATA, VERSIONS, WITHDRAWN
from chartseal.errors import ChartsealError, ConsentError
from chartseal.keys.contents import ContentKeys
from tests.consents import CUSTODIAN, GRANTEE, HIV, NOW, OTHER, PATIENT, STRANGER, TERMS, signed

KEYS = ContentKeys(b"\5" * 32, b"\6" * 32)
HOLDER, ANOTHER = (each.sealing_address().spend_key for each in (PATIENT, STRANGER))
LATER = NOW + timedelta(seconds=1)


@pytest.fixture
def store(place: str) -> Iterator[ConsentStore]:
    with ConsentStore.open(place, KEYS, custodian=CUSTODIAN) as opened:
        yield opened


def code(call: Callable[[], object]) -> str:
    with pytest.raises(ChartsealError) as caught:
        call()
    return caught.value.code


def added(store: ConsentStore, consent: Consent) -> Consent:
    assert store.add(consent, now=NOW).root == consent.root
    return consent


def row_of(store: ConsentStore, table: Table) -> Any:
    """The only row of a table."""
    with store._engine.begin() as connection:
        return connection.execute(select(table)).one()


def roots(store: ConsentStore, *holders: bytes, seconds: float = 0) -> list[bytes]:
    now = NOW + timedelta(seconds=seconds)
    return [each.root for each in store.in_force(holders or (HOLDER,), now)]


def test_what_is_added_is_in_force(store: ConsentStore) -> None:
    consent = added(store, signed(labels=frozenset({HIV})))
    added(store, signed(STRANGER))
    [found] = store.in_force([HOLDER], NOW)
    assert (found.root, found.terms) == (consent.root, consent.terms)
    assert len(roots(store, HOLDER, ANOTHER)) == 2
    assert roots(store, b"\7" * 32) == []
    assert store.get(consent.root, NOW) == found
    assert store.document(consent.root) == consent.to_json()


def test_a_consent_added_twice_is_one(store: ConsentStore) -> None:
    consent = added(store, signed())
    added(store, consent)
    assert roots(store) == [consent.root]


def test_only_what_is_verified_is_added(store: ConsentStore) -> None:
    consent = signed()
    forged = replace(consent, signature=STRANGER.sign_consent(consent.root, CUSTODIAN))
    assert code(lambda: store.add(forged, now=NOW)) == "consent_invalid"
    assert code(lambda: store.add(consent, custodian=OTHER, now=NOW)) == "consent_other_custodian"
    assert code(lambda: store.add(consent, now=TERMS.ends_at)) == "consent_expired"
    assert roots(store) == []
    assert store.account(consent.root) is None


def test_the_period_is_asked_at_each_query(store: ConsentStore) -> None:
    begins = int(NOW.timestamp()) + 10
    consent = added(store, signed(not_before=begins, expiry=begins + 10))
    assert [len(roots(store, seconds=at)) for at in (9.9, 10, 19.9, 20)] == [0, 1, 1, 0]
    assert store.get(consent.root, NOW) is None


def test_a_withdrawal_counts_at_the_next_query(store: ConsentStore) -> None:
    consent, stays = added(store, signed()), added(store, signed())
    withdrawal = Withdrawal.sign(consent.root, PATIENT)
    assert store.withdraw(withdrawal, now=LATER)
    assert roots(store) == [stays.root]
    assert store.for_grantee(GRANTEE, [], NOW) == store.in_force([HOLDER], NOW)
    assert store.get(consent.root, NOW) is None
    assert store.document(consent.root) is None
    assert store.withdraw(withdrawal, now=LATER)
    assert code(lambda: store.add(consent, now=NOW)) == "consent_withdrawn"


def test_nobody_else_withdraws(store: ConsentStore) -> None:
    consent = added(store, signed())
    theirs = Withdrawal.sign(consent.root, STRANGER)
    assert not store.withdraw(theirs, now=NOW)
    forged = replace(theirs, holder=HOLDER)
    assert code(lambda: store.withdraw(forged, now=NOW)) == "withdrawal_invalid"
    assert roots(store) == [consent.root]


def test_a_withdrawal_that_comes_first_is_kept(store: ConsentStore) -> None:
    consent, other = signed(), signed()
    assert not store.withdraw(Withdrawal.sign(consent.root, PATIENT), now=NOW)
    assert not store.withdraw(Withdrawal.sign(other.root, STRANGER), now=NOW)
    assert code(lambda: store.add(consent, now=NOW)) == "consent_withdrawn"
    added(store, other)
    assert roots(store) == [other.root]


def test_a_consent_that_overtook_its_withdrawal_does_not_count(store: ConsentStore) -> None:
    consent = added(store, signed())
    sealed = row_of(store, GIVEN).document
    store.withdraw(Withdrawal.sign(consent.root, PATIENT), now=NOW)
    with store._engine.begin() as connection:  # as PostgreSQL leaves it when both commit at once
        connection.execute(update(GIVEN).values(document=sealed))
    assert roots(store) == []
    assert store.document(consent.root) is None
    assert (store.erase_ended(NOW), store.erase_ended(NOW)) == (1, 0)


def test_what_accounting_needs_stays(store: ConsentStore) -> None:
    consent = added(store, signed(purposes=frozenset({"TREAT", "HPAYMT"})))
    before = store.account(consent.root)
    assert before is not None
    assert (before.withdrawn_at, before.withdrawal) == (None, None)
    withdrawal = Withdrawal.sign(consent.root, PATIENT)
    store.withdraw(withdrawal, now=LATER)
    after = store.account(consent.root)
    assert after == replace(before, withdrawn_at=int(LATER.timestamp()), withdrawal=withdrawal)
    assert (after.grantee, after.purposes) == (str(Grantee(GRANTEE)), ("HPAYMT", "TREAT"))
    assert (after.not_before, after.expiry, after.added_at) == (TERMS.not_before, TERMS.expiry, int(NOW.timestamp()))


def test_terms_that_have_ended_are_erased(store: ConsentStore) -> None:
    short, long = added(store, signed(expiry=int(NOW.timestamp()) + 5)), added(store, signed())
    assert store.erase_ended(NOW) == 0
    assert store.erase_ended(NOW + timedelta(seconds=5)) == 1
    assert (store.document(short.root), store.document(long.root)) == (None, long.to_json())
    assert store.account(short.root) is not None


def test_consents_of_a_grantee(store: ConsentStore) -> None:
    mine = added(store, signed())
    theirs = added(store, signed(grantee=Grantee(OTHER)))
    hospitals = added(store, signed(STRANGER, grantee=Grantee(role="hospital")))

    def found(account: Any, *roles: str) -> set[bytes]:
        return {each.root for each in store.for_grantee(account, roles, NOW)}

    assert found(GRANTEE) == {mine.root}
    assert found(OTHER, "clinic") == {theirs.root}
    assert found(GRANTEE, "hospital", "clinic") == {mine.root, hospitals.root}
    assert found(None, "hospital") == {hospitals.root}
    assert found(None) == set()


def test_a_grantees_copy_opens_nothing_here(store: ConsentStore) -> None:
    copy, own = signed(custodian=OTHER), added(store, signed())
    assert code(lambda: store.add(copy, now=NOW)) == "consent_other_custodian"
    assert store.add(copy, now=NOW, custodian=OTHER).terms.custodian == OTHER
    assert roots(store) == [own.root]
    assert {each.root for each in store.for_grantee(GRANTEE, [], NOW)} == {copy.root, own.root}
    assert store.document(copy.root) == copy.to_json()
    assert store.withdraw(Withdrawal.sign(copy.root, PATIENT), now=NOW)
    assert store.for_grantee(GRANTEE, [], NOW) == store.in_force([HOLDER], NOW)


def test_limits(store: ConsentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 2)
    first, _ = added(store, signed()), added(store, signed())
    assert code(lambda: store.add(signed(), now=NOW)) == "limit_exceeded"
    added(store, signed(STRANGER))
    store.withdraw(Withdrawal.sign(first.root, PATIENT), now=NOW)
    added(store, signed())
    assert code(lambda: store.in_force([bytes(32)] * (module.MOST_ASKED + 1), NOW)) == "limit_exceeded"
    assert store.in_force([bytes(32)] * module.MOST_ASKED, NOW) == []


def test_other_keys_read_nothing(place: str) -> None:
    with ConsentStore.open(place, KEYS, custodian=CUSTODIAN) as store:
        consent = added(store, signed())
    with ConsentStore.open(place, ContentKeys(b"\5" * 32, b"\7" * 32), custodian=CUSTODIAN) as store:
        assert store.in_force([HOLDER], NOW) == []
        assert code(lambda: store.document(consent.root)) == "register_damaged"
    with ConsentStore.open(place, ContentKeys(b"\4" * 32, b"\6" * 32), custodian=CUSTODIAN) as store:
        assert code(lambda: store.in_force([HOLDER], NOW)) == "register_damaged"


def test_a_row_of_another_consent_is_told(store: ConsentStore) -> None:
    kept, moved = added(store, signed()), added(store, signed(exceptions=Exceptions(labels=frozenset({HIV}))))
    with store._engine.begin() as connection:
        sealed = connection.execute(select(GIVEN.c.document).where(GIVEN.c.root == kept.root)).scalar_one()
        connection.execute(update(GIVEN).where(GIVEN.c.root == moved.root).values(document=sealed))
    assert code(lambda: store.in_force([HOLDER], NOW)) == "register_damaged"


def test_the_file_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "consents.db"
    with ConsentStore.open(str(path), KEYS, custodian=CUSTODIAN) as store:
        consent = added(store, signed(labels=frozenset({HIV})))
        before = [each.read_bytes() for each in tmp_path.iterdir()]
        sealed = row_of(store, GIVEN).document
        store.withdraw(Withdrawal.sign(consent.root, PATIENT), now=NOW)
    assert path.stat().st_mode & 0o777 == 0o600
    after = [each.read_bytes() for each in tmp_path.iterdir()]
    for secret in (b"HIV", HOLDER, GRANTEE, CUSTODIAN, consent.terms.patient.data, b"TREAT", b"hospital"):
        assert not any(secret in each for each in [*before, *after])
    assert any(sealed[:64] in each for each in before)
    assert not any(sealed[:64] in each or sealed[-64:] in each for each in after)


def _work(place: str, documents: list[bytes], withdrawals: list[bytes]) -> None:
    with ConsentStore.open(place, KEYS, custodian=CUSTODIAN) as store:
        for text_ in documents:
            try:
                store.add(Consent.loads(text_), now=NOW)
            except ConsentError as refused:
                if refused.code != "consent_withdrawn":
                    raise
        for text_ in withdrawals:
            store.withdraw(Withdrawal.loads(text_), now=NOW)


def test_two_processes_share_a_store(place: str) -> None:
    consents = [signed() for _ in range(12)]
    documents = [each.to_json() for each in consents]
    withdrawals = [Withdrawal.sign(each.root, PATIENT).to_json() for each in consents[:6]]
    spawning = multiprocessing.get_context("spawn")
    orders = [(documents, []), (documents[::-1], withdrawals), ([], withdrawals[::-1])]
    workers = [spawning.Process(target=_work, args=(place, *order)) for order in orders]
    for each in workers:
        each.start()
    for each in workers:
        each.join(60)
    assert [each.exitcode for each in workers] == [0, 0, 0]
    with ConsentStore.open(place, KEYS, custodian=CUSTODIAN) as store:
        assert roots(store) == sorted(each.root for each in consents[6:])
        store.erase_ended(NOW)
        assert [store.document(each.root) is None for each in consents] == [True] * 6 + [False] * 6


def test_a_withdrawal_elsewhere_is_seen_at_once(place: str) -> None:
    with (
        ConsentStore.open(place, KEYS, custodian=CUSTODIAN) as here,
        ConsentStore.open(place, KEYS, custodian=CUSTODIAN) as there,
    ):
        consent = added(here, signed())
        assert roots(there) == [consent.root]
        here.withdraw(Withdrawal.sign(consent.root, PATIENT), now=NOW)
        assert roots(there) == []


def test_adding_the_same_at_once(store: ConsentStore) -> None:
    consent, refused = signed(), []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        try:
            store.add(consent, now=NOW)
        except ChartsealError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert refused == []
    assert roots(store) == [consent.root]


# the database


def test_tables_are_those_that_migrations_make(place: str) -> None:
    with ConsentStore.open(place, KEYS, custodian=CUSTODIAN) as store, store._engine.begin() as connection:
        assert differences(connection) == []
        config = Config()
        config.set_main_option("script_location", "chartseal.consent:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert not [name for name in inspect(connection).get_table_names() if name in METADATA.tables]


def differences(connection: Connection) -> list[object]:
    def ours(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or ((name or "").startswith("consent_") and name != VERSIONS)

    options = {"compare_type": True, "include_name": ours, "version_table": VERSIONS}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def test_the_tables_stand_beside_others(place: str) -> None:
    engine = open_queue(place)
    with engine.begin() as connection:
        upgrade(connection)
    store = ConsentStore(engine, KEYS, CUSTODIAN)
    consent = added(store, signed())
    assert roots(store) == [consent.root]
    store.close()


def test_a_newer_programs_tables_are_left_alone(place: str) -> None:
    ConsentStore.open(place, KEYS, custodian=CUSTODIAN).close()
    engine = create_engine(place if "://" in place else f"sqlite:///{place}")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSIONS} SET version_num = '9999'"))
    engine.dispose()
    assert code(lambda: ConsentStore.open(place, KEYS, custodian=CUSTODIAN)) == "register_version"


@pytest.mark.parametrize("url", ["mysql://app:secret@/x", "sqlite://", "://", "sqlite:///a?b=c"])
def test_other_places_are_refused_unseen(url: str) -> None:
    with pytest.raises(ChartsealError) as caught:
        ConsentStore.open(url, KEYS, custodian=CUSTODIAN)
    assert caught.value.code == "register_url"
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "consents.db").write_bytes(b"not a database" * 100)
    assert (
        code(lambda: ConsentStore.open(str(tmp_path / "consents.db"), KEYS, custodian=CUSTODIAN)) == "register_damaged"
    )


def test_rows_of_withdrawals_are_sealed(store: ConsentStore) -> None:
    consent = signed()
    store.withdraw(Withdrawal.sign(consent.root, PATIENT), now=NOW)
    row = row_of(store, WITHDRAWN)
    assert HOLDER not in row.withdrawal
    assert row.holder != HOLDER
    assert json.loads(KEYS.open(row.withdrawal, KEYS.mark("consent/withdrawal", row.root, row.holder)))["kind"]


def test_strangers_withdraw_so_much_and_patients_always(store: ConsentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNKNOWN", 2)
    consent = added(store, signed())
    for _ in range(2):
        store.withdraw(Withdrawal.sign(signed().root, STRANGER), now=NOW)
    more = Withdrawal.sign(signed().root, STRANGER)
    assert code(lambda: store.withdraw(more, now=NOW)) == "limit_exceeded"
    assert store.withdraw(Withdrawal.sign(consent.root, PATIENT), now=NOW)
    assert roots(store) == []


def test_a_request_gets_the_consents_that_are_for_it(store: ConsentStore) -> None:
    mine, role = added(store, signed()), added(store, signed(grantee=Grantee(role="pharmacy")))
    added(store, signed(grantee=Grantee(OTHER)))
    found = [each.root for each in store.for_request(HOLDER, GRANTEE, ["pharmacy"], NOW)]
    assert sorted(found) == sorted([mine.root, role.root])
    assert [each.root for each in store.for_request(HOLDER, None, ["pharmacy"], NOW)] == [role.root]
    assert store.for_request(ANOTHER, GRANTEE, ["pharmacy"], NOW) == []
