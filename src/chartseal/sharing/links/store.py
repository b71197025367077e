"""Shared links in SQLite or PostgreSQL: ciphertexts, terms, and who opened what. It can read none of the files.

Every decision that two openings at once could both win is one conditional UPDATE: a try of a passcode is taken away
before it is judged, and a link for one opening is used up by whoever writes first.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, func, insert, inspect, or_, select, update

from chartseal.chain.database import Kind
from chartseal.errors import ShareLinkError, SharingError
from chartseal.sharing._encoding import from_base64url, to_base64url
from chartseal.sharing.links.files import LARGEST_FILE, SharedFile, encrypt
from chartseal.sharing.links.link import LONGEST_URL, ShareLink
from chartseal.sharing.links.tables import FILE, LINK, LOCATION, OPENING, VERSIONS
from chartseal.sharing.links.terms import Terms, hash_passcode, is_passcode

MOST_FILES = 16
LARGEST_SHARE = 4 * LARGEST_FILE
"""Bytes of all files of a link."""
LONGEST_RECIPIENT = 200
LOCATION_LIFETIME = timedelta(minutes=5)
"""The specification allows an hour."""
MOST_OPENINGS = 1_000
"""Openings of one link that are remembered; later ones open all the same."""
LARGEST_EMBEDDED = 1 << 18
"""Characters of a file that stands in a manifest itself, where the reader sets no bound."""

_NAME_BYTES = 32
_NAME_CHARACTERS = 43
_FILES = "files"
_KIND = Kind("share", SharingError, ("secure_delete = ON",))  # what ended is overwritten, not only unlinked
_BASE = re.compile(
    r"(?:https://[a-z0-9.-]{1,80}|http://(?:127\.0\.0\.1|localhost|\[::1\]))(?::[1-9][0-9]{0,4})?(?:/[A-Za-z0-9._~-]+)*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file of a manifest: its JWE, or where that is for the next minutes."""

    content_type: str
    updated_at: datetime
    embedded: str | None
    location: str | None


@dataclass(frozen=True, slots=True)
class Opening:
    """Somebody opened a link."""

    opened_at: datetime
    recipient: str
    """As they called themselves: nobody checked it."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """How it stands with a link."""

    is_active: bool
    files: int
    attempts_left: int
    openings: tuple[Opening, ...]


class ShareStore:
    """Links and the encrypted files behind them."""

    def __init__(self, engine: Engine, base: str) -> None:
        """Take a database with its tables, and the URL under which its routes are served.

        Raises:
            SharingError: `base_refused`.
        """
        if not _BASE.fullmatch(base) or len(base) + 1 + _NAME_CHARACTERS > LONGEST_URL:
            longest = LONGEST_URL - 1 - _NAME_CHARACTERS
            raise SharingError(f"links are served under an https URL of at most {longest} characters", "base_refused")
        self._engine, self._base = engine, base

    @classmethod
    def open(cls, place: str, *, base: str, create: bool = False) -> ShareStore:
        """The store at an SQLAlchemy URL, or at a path (SQLite), with its tables brought up to date.

        Raises:
            SharingError: `base_refused`, `share_missing`, `share_url`, `share_version`, `share_unavailable`,
                `disk_full`; no message shows the URL, which may hold a password.
            MissingExtraError: PostgreSQL's driver is not installed.
        """
        url = _KIND.url(place)
        if url.drivername == "sqlite" and not create and not Path(str(url.database)).is_file():
            raise _missing()
        engine = _KIND.engine(url)
        try:
            store = cls(engine, base)
            with _KIND.writing(engine) as connection:
                if not create and not inspect(connection).has_table(VERSIONS):
                    raise _missing()
                _KIND.upgrade(connection, "chartseal.sharing.links:migrations")
        except BaseException:
            engine.dispose()
            raise
        return store

    def close(self) -> None:
        """Close the database's connections."""
        self._engine.dispose()

    @property
    def base(self) -> str:
        """The URL under which its routes are served."""
        return self._base

    # for whoever shares

    def share(self, files: Sequence[SharedFile], terms: Terms, *, now: datetime) -> ShareLink:
        """Keep files under a new link, encrypted under a key that is nowhere but in it.

        Raises:
            ShareLinkError: `terms_refused`: ended already, or other than one file behind a direct link;
                `limit_exceeded`; `link_malformed` for a label that a link may not have.
            SharingError: `share_unavailable`, `disk_full`.
        """
        if terms.expires_at is not None and terms.expires_at <= now:
            raise ShareLinkError("the link would have ended already", "terms_refused", "expires_at")
        if terms.is_direct and len(files) != 1:
            raise ShareLinkError("a link to a file itself has one file", "terms_refused", "is_direct")
        name, key = secrets.token_bytes(_NAME_BYTES), ShareLink.make_key()
        link = ShareLink(f"{self._base}/{to_base64url(name)}", key, terms.flags, terms.expires_at, terms.label)
        sealed = _encrypted(files, key)
        salt, hashed = hash_passcode(terms.passcode) if terms.passcode is not None else (None, None)
        with _KIND.writing(self._engine) as connection:
            link_id = connection.execute(
                insert(LINK)
                .values(
                    name_hash=_hash(name),
                    is_direct=terms.is_direct,
                    is_one_time=terms.is_one_time,
                    made_at=_seconds(now),
                    expires_at=_seconds(terms.expires_at) if terms.expires_at else None,
                    passcode_salt=salt,
                    passcode_hash=hashed,
                    attempts_left=terms.attempts,
                )
                .returning(LINK.c.id)
            ).scalar_one()
            _keep_files(connection, link_id, sealed, now)
        return link

    def update(self, link: ShareLink, files: Sequence[SharedFile], *, now: datetime) -> None:
        """Put other files behind a long-term link, under the same key.

        Raises:
            ShareLinkError: `link_inactive`, `terms_refused` for a link that is not for the long term, `limit_exceeded`.
            SharingError: `share_unavailable`, `disk_full`.
        """
        if "L" not in link.flags or (link.is_direct and len(files) != 1):
            raise ShareLinkError("the link's files do not change", "terms_refused")
        sealed = _encrypted(files, link.key)
        with self._changing(link, now) as (connection, link_id):
            _drop_files(connection, FILE.c.link_id == link_id)
            _keep_files(connection, link_id, sealed, now)

    def revoke(self, link: ShareLink, *, now: datetime) -> None:
        """End a link, and delete what was behind it.

        Raises:
            ShareLinkError: `link_inactive`: it is no link of this store, or has ended.
            SharingError: `share_unavailable`, `disk_full`.
        """
        with self._changing(link, now) as (connection, link_id):
            connection.execute(
                update(LINK).where(LINK.c.id == link_id).values(revoked_at=_seconds(now), passcode_hash=None)
            )
            _drop_files(connection, FILE.c.link_id == link_id)

    def prune(self, *, now: datetime) -> int:
        """Delete what is behind links that have ended, and say how many files that were.

        Raises:
            SharingError: `share_unavailable`, `disk_full`.
        """
        with _KIND.writing(self._engine) as connection:
            connection.execute(delete(LOCATION).where(LOCATION.c.expires_at <= _seconds(now)))
            waiting = select(LOCATION.c.file_id)  # of a link for one opening, which was opened
            ended = select(LINK.c.id).where(or_(LINK.c.expires_at <= _seconds(now), LINK.c.used_at.is_not(None)))
            return _drop_files(connection, and_(FILE.c.link_id.in_(ended), FILE.c.id.not_in(waiting)))

    def state(self, link: ShareLink, *, now: datetime) -> LinkState:
        """How it stands with a link, and who opened it, the newest last.

        Raises:
            ShareLinkError: `link_inactive`: it is no link of this store.
            SharingError: `share_unavailable`.
        """
        name_hash = self._name_hash(link)
        with _KIND.reading(self._engine) as connection:
            found = connection.execute(select(LINK).where(LINK.c.name_hash == name_hash)).one_or_none()
            if found is None:
                raise inactive()
            files = connection.execute(select(func.count()).where(FILE.c.link_id == found.id)).scalar_one()
            active = connection.execute(select(LINK.c.id).where(LINK.c.id == found.id, _active(now))).first()
            rows = connection.execute(select(OPENING).where(OPENING.c.link_id == found.id).order_by(OPENING.c.id))
            openings = tuple(Opening(datetime.fromtimestamp(row.opened_at, UTC), row.recipient) for row in rows)
        return LinkState(active is not None, files, found.attempts_left, openings)

    # for whoever opens

    def open_manifest(
        self, name: str, *, recipient: str, passcode: str | None, embedded_most: int | None, now: datetime
    ) -> list[ListedFile]:
        """The files of a link, for somebody who gave its name and, where it has one, its passcode.

        A try of a passcode is counted before it is judged and given back when it was right, so that tries at once
        cannot be more than the link takes.

        Raises:
            ShareLinkError: `link_inactive`: unknown, ended, used, revoked, or out of tries, which look the same;
                `passcode_missing`, `passcode_refused`, with how many tries remain; `recipient_refused`.
            SharingError: `share_unavailable`, `disk_full`.
        """
        check_recipient(recipient)
        link = self._find(name, now, is_direct=False)
        if link.passcode_hash is not None:
            self._try(link, passcode, now)
        with self._opening(link, recipient, now, gives_back=link.passcode_hash is not None) as connection:
            connection.execute(delete(LOCATION).where(LOCATION.c.expires_at <= _seconds(now)))
            rows = connection.execute(select(FILE).where(FILE.c.link_id == link.id).order_by(FILE.c.position)).all()
            most = LARGEST_EMBEDDED if embedded_most is None else min(embedded_most, LARGEST_EMBEDDED)
            return [self._listed(connection, row, most, now) for row in rows]

    def open_direct(self, name: str, *, recipient: str, now: datetime) -> str:
        """The one file of a direct link, as a JWE.

        Raises:
            ShareLinkError: `link_inactive`, `recipient_refused`.
            SharingError: `share_unavailable`, `disk_full`.
        """
        check_recipient(recipient)
        link = self._find(name, now, is_direct=True)
        with self._opening(link, recipient, now, gives_back=False) as connection:
            return str(connection.execute(select(FILE.c.jwe).where(FILE.c.link_id == link.id)).scalar_one())

    def open_location(self, token: str, *, now: datetime) -> str:
        """The file at a location that a manifest gave, as a JWE; the location is used up.

        Raises:
            ShareLinkError: `link_inactive`.
            SharingError: `share_unavailable`, `disk_full`.
        """
        token_hash = _hash(_random_bytes(token))
        with _KIND.writing(self._engine) as connection:
            here = LOCATION.c.token_hash == token_hash
            found = connection.execute(
                select(FILE.c.jwe)
                .join(LOCATION, LOCATION.c.file_id == FILE.c.id)
                .join(LINK, LINK.c.id == FILE.c.link_id)
                .where(here, LOCATION.c.expires_at > _seconds(now), LINK.c.revoked_at.is_(None))
            ).scalar_one_or_none()
            taken = connection.execute(delete(LOCATION).where(here)).rowcount  # two at once: one finds it gone
        if found is None or not taken:
            raise inactive()
        return str(found)

    def _find(self, name: str, now: datetime, *, is_direct: bool) -> Any:
        name_hash = _hash(_random_bytes(name))
        with _KIND.reading(self._engine) as connection:
            found = connection.execute(
                select(LINK).where(LINK.c.name_hash == name_hash, LINK.c.is_direct == is_direct, _active(now))
            ).one_or_none()
        if found is None:
            raise inactive()
        return found

    def _try(self, link: Any, passcode: str | None, now: datetime) -> None:
        if passcode is None:
            raise ShareLinkError("the link asks for a passcode", "passcode_missing", remaining=link.attempts_left)
        with _KIND.writing(self._engine) as connection:
            taken = connection.execute(
                update(LINK).where(LINK.c.id == link.id, _active(now)).values(attempts_left=LINK.c.attempts_left - 1)
            ).rowcount
        if not taken:
            raise inactive()
        if is_passcode(passcode, link.passcode_salt, link.passcode_hash):
            return
        with _KIND.reading(self._engine) as connection:
            remaining = connection.execute(select(LINK.c.attempts_left).where(LINK.c.id == link.id)).scalar_one()
        raise ShareLinkError("the passcode is wrong", "passcode_refused", remaining=remaining)

    @contextmanager
    def _opening(self, link: Any, recipient: str, now: datetime, *, gives_back: bool) -> Iterator[Connection]:
        """A transaction in which a link that still may be opened is; the one that is too late raises, after it gave
        back its try.
        """
        with _KIND.writing(self._engine) as connection:
            if gives_back:
                given = update(LINK).where(LINK.c.id == link.id).values(attempts_left=LINK.c.attempts_left + 1)
                connection.execute(given)
            used = {"used_at": _seconds(now)} if link.is_one_time else {"attempts_left": LINK.c.attempts_left}
            is_open = connection.execute(update(LINK).where(LINK.c.id == link.id, _active(now)).values(used)).rowcount
            if is_open:
                _remember(connection, link.id, recipient, now)
                yield connection
        if not is_open:
            raise inactive()

    def _listed(self, connection: Connection, row: Any, most: int, now: datetime) -> ListedFile:
        updated_at = datetime.fromtimestamp(row.updated_at, UTC)
        if len(row.jwe) <= most:
            return ListedFile(row.content_type, updated_at, row.jwe, None)
        token = secrets.token_bytes(_NAME_BYTES)
        connection.execute(
            insert(LOCATION).values(
                token_hash=_hash(token), file_id=row.id, expires_at=_seconds(now + LOCATION_LIFETIME)
            )
        )
        return ListedFile(row.content_type, updated_at, None, f"{self._base}/{_FILES}/{to_base64url(token)}")

    @contextmanager
    def _changing(self, link: ShareLink, now: datetime) -> Iterator[tuple[Connection, int]]:
        name_hash = self._name_hash(link)
        with _KIND.writing(self._engine) as connection:
            found = connection.execute(
                select(LINK.c.id).where(LINK.c.name_hash == name_hash, _active(now)).with_for_update()
            ).scalar_one_or_none()
            if found is None:
                raise inactive()
            yield connection, found

    def _name_hash(self, link: ShareLink) -> bytes:
        base, _, name = link.url.rpartition("/")
        if base != self._base:
            raise inactive()
        return _hash(_random_bytes(name))


def inactive() -> ShareLinkError:
    """The one answer for every link that does not open."""
    return ShareLinkError("there is no such link, or it has ended", "link_inactive")


def check_recipient(recipient: str) -> None:
    """Refuse a name that would show nothing to whoever shared, or more than a name.

    Raises:
        ShareLinkError: `recipient_refused`.
    """
    if not 0 < len(recipient) <= LONGEST_RECIPIENT or not recipient.isprintable() or not recipient.strip():
        detail = f"who opens a link says so in 1 to {LONGEST_RECIPIENT} characters, which show"
        raise ShareLinkError(detail, "recipient_refused", "recipient")


def _active(now: datetime) -> ColumnElement[bool]:
    """Of a link that may be opened now."""
    return and_(
        LINK.c.revoked_at.is_(None),
        LINK.c.used_at.is_(None),
        LINK.c.attempts_left > 0,
        or_(LINK.c.expires_at.is_(None), LINK.c.expires_at > _seconds(now)),
    )


def _encrypted(files: Sequence[SharedFile], key: bytes) -> list[tuple[str, str]]:
    """(type, JWE) of each."""
    if not 0 < len(files) <= MOST_FILES or sum(len(file.content) for file in files) > LARGEST_SHARE:
        detail = f"a link has 1 to {MOST_FILES} files, of {LARGEST_SHARE} bytes together"
        raise ShareLinkError(detail, "limit_exceeded", "files")
    return [(file.content_type, encrypt(file, key)) for file in files]


def _keep_files(connection: Connection, link_id: int, sealed: Sequence[tuple[str, str]], now: datetime) -> None:
    rows = [
        {"link_id": link_id, "position": at, "content_type": kind, "jwe": text, "updated_at": _seconds(now)}
        for at, (kind, text) in enumerate(sealed)
    ]
    connection.execute(insert(FILE), rows)


def _drop_files(connection: Connection, which: ColumnElement[bool]) -> int:
    files = select(FILE.c.id).where(which)
    connection.execute(delete(LOCATION).where(LOCATION.c.file_id.in_(files)))
    return connection.execute(delete(FILE).where(which)).rowcount


def _remember(connection: Connection, link_id: int, recipient: str, now: datetime) -> None:
    kept = connection.execute(select(func.count()).where(OPENING.c.link_id == link_id)).scalar_one()
    if kept < MOST_OPENINGS:
        row = {"link_id": link_id, "opened_at": _seconds(now), "recipient": recipient}
        connection.execute(insert(OPENING).values(row))


def _random_bytes(text: str) -> bytes:
    """The 32 bytes of a link's or a location's last part."""
    try:
        found = from_base64url(text) if len(text) == _NAME_CHARACTERS else b""
    except ValueError:
        found = b""
    if len(found) != _NAME_BYTES:
        raise inactive()
    return found


def _hash(name: bytes) -> bytes:
    return hashlib.sha256(name).digest()


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _missing() -> SharingError:
    return SharingError("there is no store of links: `chartseal share link` makes one", "share_missing")
