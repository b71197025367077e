"""Consents as a custodian or a grantee keeps them, in SQLite or PostgreSQL, encrypted.

    with ConsentStore.open("consents.db", keys, custodian=ours) as store:
        store.add(Consent.loads(text), now=now)
        consents = store.in_force([holder], now)

Several processes may share a store. Each query reads what is committed: a withdrawal counts from the next one on.
It needs the extra `chain`, and for PostgreSQL `postgres`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from chartseal import _json
from chartseal.attestation import Address, Digest, to_hex
from chartseal.chain.database import Kind
from chartseal.consent.document import Consent, VerifiedConsent, kept_consent
from chartseal.consent.tables import GIVEN, WITHDRAWN
from chartseal.consent.terms import Grantee
from chartseal.consent.withdrawal import Withdrawal
from chartseal.errors import ChartsealError, ConsentError, ConsentStoreError
from chartseal.keys.contents import ContentKeys

MOST_OF_ONE = 1_000
"""Consents of one patient that are kept in force at once."""
MOST_UNKNOWN = 10_000
"""Withdrawals of consents that are not known here, which strangers can make at will."""
MOST_ASKED = 500
"""Patients whose consents one query gets."""

# What is deleted is overwritten: SQLite would else leave the ciphertext of ended terms in free pages.
_KIND = Kind("register", ConsentStoreError, ("secure_delete = ON",), ConsentStoreError)
_MIGRATIONS = "chartseal.consent:migrations"
_DOCUMENT, _ACCOUNT, _WITHDRAWAL = (f"consent/{each}" for each in ("document", "account", "withdrawal"))


@dataclass(frozen=True, slots=True)
class ConsentAccount:
    """What is kept of a consent when its terms are erased: whose word it was that a disclosure was made by."""

    root: Digest
    grantee: str
    """An account or a role."""
    custodian: str
    purposes: tuple[str, ...]
    not_before: int
    expiry: int
    added_at: int
    withdrawn_at: int | None
    withdrawal: Withdrawal | None = field(repr=False)
    """The patient's signed word."""


class ConsentStore:
    """Consents of one site: those that it answers by, and copies of those by which others answer it.

    Close it, or use it as a context manager.
    """

    def __init__(self, engine: Engine, keys: ContentKeys, custodian: Address) -> None:
        """Use `open`, or give a database whose tables `upgrade` made.

        `keys` are the site's own, for nothing else; `custodian` is its account.
        """
        self._engine, self._keys, self._custodian = engine, keys, custodian

    @classmethod
    def open(cls, place: str, keys: ContentKeys, *, custodian: Address) -> ConsentStore:
        """The store at an SQLAlchemy URL, or at a path (SQLite); it is made where there is none, mode 0600.

        Raises:
            ConsentStoreError: `register_url`, `register_version`, `register_unavailable`, `register_damaged`,
                `disk_full`; no message shows the URL, which may hold a password.
            MissingExtraError: PostgreSQL's driver is not installed.
        """
        engine = _KIND.engine(_KIND.url(place))
        try:
            with _KIND.writing(engine) as connection:
                upgrade(connection)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, keys, custodian)

    def __enter__(self) -> ConsentStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the database back."""
        self._engine.dispose()

    def add(self, consent: Consent, *, now: datetime, custodian: Address | None = None) -> VerifiedConsent:
        """Keep a consent, once it is verified for its custodian: this site, or, of a grantee's copy, the one named.

        One that has not begun is kept for its time. One that is kept already changes nothing.

        Raises:
            ConsentError: as `Consent.check`; `consent_expired`; `consent_withdrawn`; `limit_exceeded`: the patient has
                `MOST_OF_ONE` in force here.
            ConsentStoreError: as `open`; `register_busy`.
        """
        verified = consent.check(self._custodian if custodian is None else custodian)
        if now.timestamp() >= verified.terms.expiry:
            raise ConsentError("the consent has expired", "consent_expired")
        with suppress(_AddedMeanwhileError), _KIND.writing(self._engine) as connection:
            self._add(connection, consent, now)
        return verified

    def _add(self, connection: Connection, consent: Consent, now: datetime) -> None:
        terms, root = consent.terms, consent.root
        holder = self._holder(terms.holder)
        withdrawn = select(WITHDRAWN.c.root).where(WITHDRAWN.c.root == root, WITHDRAWN.c.holder == holder)
        if connection.execute(withdrawn).first() is not None:
            raise ConsentError("the patient has withdrawn the consent", "consent_withdrawn")
        if connection.execute(select(GIVEN.c.root).where(GIVEN.c.root == root)).first() is not None:
            return
        live = select(func.count()).where(GIVEN.c.holder == holder, GIVEN.c.expiry > _seconds(now), _stands())
        if connection.execute(live).scalar_one() >= MOST_OF_ONE:
            raise ConsentError(f"a patient has at most {MOST_OF_ONE} consents here", "limit_exceeded")
        row = {
            "root": root,
            "holder": holder,
            "grantee": self._grantee(terms.grantee),
            "not_before": terms.not_before,
            "expiry": terms.expiry,
            "added_at": _seconds(now),
            "document": self._keys.seal(consent.to_json(), self._mark(_DOCUMENT, root)),
            "account": self._keys.seal(_account(consent), self._mark(_ACCOUNT, root)),
        }
        _insert(connection, GIVEN, row)

    def withdraw(self, withdrawal: Withdrawal, *, now: datetime) -> bool:
        """Take a withdrawal that its holder signed, and erase the terms; returns whether the consent is known here.

        One of a consent that is not known is kept too, and the consent refused when it comes. The same one twice
        changes nothing.

        Raises:
            ConsentError: `withdrawal_invalid`; `limit_exceeded`: it is of no consent that is known here, and
                `MOST_UNKNOWN` such are kept.
            ConsentStoreError: as `open`; `register_busy`.
        """
        withdrawal.verify()
        root, holder = withdrawal.root, self._holder(withdrawal.holder)
        row = {
            "root": root,
            "holder": holder,
            "withdrawn_at": _seconds(now),
            "withdrawal": self._keys.seal(withdrawal.to_json(), self._mark(_WITHDRAWAL, root, holder)),
        }
        with suppress(_AddedMeanwhileError), _KIND.writing(self._engine) as connection:
            known = select(WITHDRAWN.c.root).where(WITHDRAWN.c.root == root, WITHDRAWN.c.holder == holder)
            if connection.execute(known).first() is None:
                self._require_room(connection, root, holder)
                _insert(connection, WITHDRAWN, row)
        with _KIND.writing(self._engine) as connection:  # what came meanwhile is seen by now
            given = and_(GIVEN.c.root == root, GIVEN.c.holder == holder)
            return connection.execute(update(GIVEN).where(given).values(document=None)).rowcount > 0

    def _require_room(self, connection: Connection, root: Digest, holder: bytes) -> None:
        """A withdrawal of a consent that is known is always taken; of others, which anybody can make, so many.

        Raises:
            ConsentError: `limit_exceeded`.
        """
        given = exists().where(GIVEN.c.root == WITHDRAWN.c.root, GIVEN.c.holder == WITHDRAWN.c.holder)
        own = select(GIVEN.c.root).where(GIVEN.c.root == root, GIVEN.c.holder == holder)
        if connection.execute(own).first() is not None:
            return
        unknown = select(func.count()).select_from(WITHDRAWN).where(~given)
        if connection.execute(unknown).scalar_one() >= MOST_UNKNOWN:
            raise ConsentError("too many withdrawals of consents that are not known here", "limit_exceeded")

    def in_force(self, holders: Collection[bytes], now: datetime) -> list[VerifiedConsent]:
        """What this site answers by: consents of patients (packed spend keys, 32 bytes each) that count at that time.

        Copies of consents for other custodians are not among them: they open nothing here.

        Raises:
            ConsentStoreError: as `open`; `limit_exceeded`: more than `MOST_ASKED` patients.
        """
        if len(holders) > MOST_ASKED:
            raise ConsentStoreError(f"one query gets the consents of at most {MOST_ASKED} patients", "limit_exceeded")
        marks = [self._holder(each) for each in holders]
        found = self._read(GIVEN.c.holder.in_(marks), now)
        return [each for each in found if each.terms.custodian == self._custodian]

    def for_request(
        self, holder: bytes, account: Address | None, roles: Iterable[str], now: datetime
    ) -> list[VerifiedConsent]:
        """As `in_force` of one patient, but only those for an account or for one of the roles that it has.

        Raises:
            ConsentStoreError: as `open`.
        """
        mine = and_(GIVEN.c.holder == self._holder(holder), GIVEN.c.grantee.in_(self._meant(account, roles)))
        return [each for each in self._read(mine, now) if each.terms.custodian == self._custodian]

    def _meant(self, account: Address | None, roles: Iterable[str]) -> list[bytes]:
        meant = [Grantee(role=each) for each in roles] + ([] if account is None else [Grantee(account)])
        return [self._grantee(each) for each in meant]

    def for_grantee(self, account: Address | None, roles: Iterable[str], now: datetime) -> list[VerifiedConsent]:
        """The consents for an account, or for one of the roles that it is accredited for, that count at that time,
        whoever their custodian is.

        Raises:
            ConsentStoreError: as `open`.
        """
        return self._read(GIVEN.c.grantee.in_(self._meant(account, roles)), now)

    def get(self, root: Digest, now: datetime) -> VerifiedConsent | None:
        """The consent of that root, if it counts at that time.

        Raises:
            ConsentStoreError: as `open`.
        """
        return next(iter(self._read(GIVEN.c.root == root, now)), None)

    def document(self, root: Digest) -> bytes | None:
        """The signed JSON, while the terms are kept.

        Raises:
            ConsentStoreError: as `open`.
        """
        chosen = select(GIVEN.c.document).where(GIVEN.c.root == root, _stands())
        with _KIND.reading(self._engine) as connection:
            found = connection.execute(chosen).scalar_one_or_none()
        return None if found is None else self._open(found, _DOCUMENT, root)

    def account(self, root: Digest) -> ConsentAccount | None:
        """What accounting needs of a consent that was ever kept, whether it counts or not.

        Raises:
            ConsentStoreError: as `open`.
        """
        same = and_(WITHDRAWN.c.root == GIVEN.c.root, WITHDRAWN.c.holder == GIVEN.c.holder)
        columns = (GIVEN.c.holder, GIVEN.c.added_at, GIVEN.c.account, WITHDRAWN.c.withdrawn_at, WITHDRAWN.c.withdrawal)
        chosen = select(*columns).select_from(GIVEN.outerjoin(WITHDRAWN, same)).where(GIVEN.c.root == root)
        with _KIND.reading(self._engine) as connection:
            found = connection.execute(chosen).one_or_none()
        if found is None:
            return None
        members = _json.loads(self._open(found.account, _ACCOUNT, root))
        sealed = found.withdrawal
        withdrawal = None if sealed is None else self._open(sealed, _WITHDRAWAL, root, found.holder)
        return ConsentAccount(
            root,
            members["grantee"],
            members["custodian"],
            tuple(members["purposes"]),
            members["notBefore"],
            members["expiry"],
            found.added_at,
            found.withdrawn_at,
            None if withdrawal is None else Withdrawal.loads(withdrawal),
        )

    def erase_ended(self, now: datetime) -> int:
        """Erase the terms of consents that have expired, or were withdrawn while they came; returns how many.

        Raises:
            ConsentStoreError: as `open`; `register_busy`.
        """
        ended = and_(GIVEN.c.document.is_not(None), or_(GIVEN.c.expiry <= _seconds(now), ~_stands()))
        with _KIND.writing(self._engine) as connection:
            return connection.execute(update(GIVEN).where(ended).values(document=None)).rowcount

    def _read(self, chosen: ColumnElement[bool], now: datetime) -> list[VerifiedConsent]:
        seconds = _seconds(now)
        in_force = (GIVEN.c.not_before <= seconds, GIVEN.c.expiry > seconds, GIVEN.c.document.is_not(None), _stands())
        query = select(GIVEN.c.root, GIVEN.c.document).where(chosen, *in_force).order_by(GIVEN.c.root)
        with _KIND.reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [self._verified(Digest(row.root), row.document) for row in rows]

    def _verified(self, root: Digest, sealed: bytes) -> VerifiedConsent:
        """What was verified when it was added: that nobody else wrote it, its encryption tells."""
        try:
            kept = kept_consent(self._open(sealed, _DOCUMENT, root))
        except ConsentError as exc:
            raise _damaged() from exc
        if kept.root != root:
            raise _damaged()
        return kept

    def _open(self, sealed: bytes, kind: str, *parts: bytes) -> bytes:
        try:
            return self._keys.open(bytes(sealed), self._mark(kind, *parts))
        except (ValueError, TypeError) as exc:
            raise _damaged() from exc

    def _mark(self, kind: str, *parts: bytes) -> bytes:
        return self._keys.mark(kind, *parts)

    def _holder(self, spend_key: bytes) -> bytes:
        return self._keys.mark("consent/holder", spend_key)

    def _grantee(self, grantee: Grantee) -> bytes:
        return self._keys.mark("consent/grantee", grantee.account or b"", grantee.role.encode())


class _AddedMeanwhileError(ChartsealError):
    """Another process wrote the row first."""


def upgrade(connection: Connection) -> None:
    """Make the tables, or bring them up to date, in the caller's transaction: a vault's database may hold them too.

    Raises:
        ConsentStoreError: `register_unavailable`, or `register_version`: a newer program made them.
    """
    _KIND.upgrade(connection, _MIGRATIONS)


def _insert(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    try:
        connection.execute(insert(table).values(row))
    except IntegrityError:  # in PostgreSQL another process was as fast; the transaction is undone
        raise _AddedMeanwhileError from None


def _stands() -> ColumnElement[bool]:
    """That the consent was not withdrawn by who gave it."""
    same = and_(WITHDRAWN.c.root == GIVEN.c.root, WITHDRAWN.c.holder == GIVEN.c.holder)
    return ~exists().where(same).correlate(GIVEN)


def _account(consent: Consent) -> bytes:
    terms = consent.terms
    members = {
        "grantee": str(terms.grantee),
        "custodian": to_hex(terms.custodian),
        "purposes": sorted(terms.purposes),
        "notBefore": terms.not_before,
        "expiry": terms.expiry,
    }
    return json.dumps(members, separators=(",", ":")).encode()


def _seconds(now: datetime) -> int:
    return int(now.astimezone(UTC).timestamp())


def _damaged() -> ConsentStoreError:
    return ConsentStoreError("a consent is not what was kept, or the keys are others", "register_damaged")
