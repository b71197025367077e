"""What an index holds, listed: typed, ordered as it happened, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, func, literal, select, tuple_, union_all

from chartseal.attestation import Address, Digest
from chartseal.chain.anchors.proofs import AnchoredSeal
from chartseal.chain.authority.accreditation import Accredited
from chartseal.chain.authority.standing import Standing
from chartseal.chain.facts import Attestation
from chartseal.chain.index import rows, tables
from chartseal.chain.index.rows import Anchoring, IndexedAttestation, IndexedRevocation, IndexedTimestamp, Place
from chartseal.chain.index.snapshot import Snapshot
from chartseal.chain.index.store import parts
from chartseal.chain.schemas import ACCREDITATION, WITHDRAWAL, ChainSchema

DEFAULT_LIMIT = 100


class Page(NamedTuple):
    """Which part of a list, and of which time: block times at or after `since` and before `until`."""

    limit: int = DEFAULT_LIMIT
    after: Place | None = None
    """The place of the last row of the page before."""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much an index holds."""

    attestations: int
    revocations: int
    offchain_revocations: int
    timestamps: int
    schemas: int


class Index:
    """An index at one moment; `snapshot` says which, and must stay open meanwhile.

    Every method raises IndexingError `index_behind` where the snapshot has a largest age and is older, and
    `index_unreachable` where the database fails.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Take the moment."""
        self.snapshot = snapshot

    def attestations(
        self,
        page: Page = Page(),  # noqa: B008 (immutable)
        *,
        schema: Digest | ChainSchema | None = None,
        attester: Address | None = None,
        recipient: Address | None = None,
        ref_uid: Digest | None = None,
    ) -> list[IndexedAttestation]:
        """Attestations on chain; of a ChainSchema, those under it whatever its resolver."""
        table = tables.attestations
        query = rows.ATTESTATIONS
        for column, value in ((table.c.attester, attester), (table.c.recipient, recipient), (table.c.ref_uid, ref_uid)):
            if value is not None:
                query = query.where(column == value)
        if isinstance(schema, ChainSchema):
            query = query.where(table.c.schema.in_(_uids_of(schema)))
        elif schema is not None:
            query = query.where(table.c.schema == schema)
        return [
            IndexedAttestation(rows.attestation(row), rows.event(row)) for row in self._rows(_paged(query, table, page))
        ]

    def revocations(
        self,
        page: Page = Page(),  # noqa: B008 (immutable)
        *,
        uid: Digest | None = None,
        revoker: Address | None = None,
    ) -> list[IndexedRevocation]:
        """Revocations, of attestations on chain and of off-chain uids alike."""
        on, off = tables.revocations, tables.offchain_revocations
        both = union_all(
            select(on.c.uid, on.c.attester.label("revoker"), *_event(on), literal(0).label("offchain")),
            select(off.c.data, off.c.revoker, *_event(off), literal(1)),
        ).subquery()
        query = select(both)
        if uid is not None:
            query = query.where(both.c.uid == uid)
        if revoker is not None:
            query = query.where(both.c.revoker == revoker)
        return [
            IndexedRevocation(Digest(row.uid), Address(row.revoker), bool(row.offchain), rows.event(row))
            for row in self._rows(_paged(query, both, page))
        ]

    def timestamps(
        self,
        page: Page = Page(),  # noqa: B008 (immutable)
        *,
        data: Digest | None = None,
    ) -> list[IndexedTimestamp]:
        """What EAS timestamped."""
        table = tables.timestamps
        query = select(table) if data is None else select(table).where(table.c.data == data)
        return [IndexedTimestamp(Digest(row.data), rows.event(row)) for row in self._rows(_paged(query, table, page))]

    def anchors(self, uid: Digest, proofs: Iterable[AnchoredSeal] = ()) -> list[Anchoring]:
        """Timestamps of anchors that hold a seal of that uid, and of the uid itself, in the order of the chain.

        The chain has an anchor's root alone: `proofs` (`chain.anchors.AnchorFile`) lead to it; those of other seals are
        passed over, and so are roots that are not timestamped.
        """
        table, final = tables.timestamps, self.snapshot.final.number
        ways = {each.root: each for each in proofs if each.uid == uid}
        found = []
        for part in parts([uid, *ways]):
            for row in self._rows(select(table).where(table.c.data.in_(part))):
                root, made = Digest(row.data), rows.event(row)
                way = ways.get(root)
                proven = way is None or way.signature_hash is not None
                is_final = made.place.block_number <= final
                found.append(Anchoring(root, way.attester if way else None, proven, is_final, made))
        return sorted(found, key=lambda each: each.event.place)

    def accreditations(
        self, at: datetime, *, authority: Address | None = None, issuer: Address | None = None
    ) -> list[Accredited]:
        """Accreditations that were live at that time by what is known now, in the order in which they were made.

        A withdrawal for cause reaches back as far as the authority says. Without `authority` whoever calls himself one
        is listed: nothing follows from that.
        """
        accreditations = self._all(ACCREDITATION, authority, issuer)
        # By attester alone: a withdrawal counts whomever it names as its recipient.
        standing = Standing(accreditations, self._all(WITHDRAWAL, authority, None))
        moment = int(at.timestamp())
        return [each for each in standing.accreditations if standing.is_live(each, moment)]

    def schema_text(self, uid: Digest) -> bytes | None:
        """The text of a schema that something was attested under."""
        found = self._rows(select(tables.schemas.c.text).where(tables.schemas.c.uid == uid))
        return bytes(found[0].text) if found else None

    def counts(self) -> Counts:
        """How many rows there are of each kind."""
        return Counts(*(self._count(table) for table in (*tables.EVENTS, tables.schemas)))

    def _count(self, table: Any) -> int:
        return int(self._rows(select(func.count().label("n")).select_from(table))[0].n)

    def _all(self, schema: ChainSchema, attester: Address | None, recipient: Address | None) -> Sequence[Attestation]:
        table = tables.attestations
        query = rows.ATTESTATIONS.where(table.c.schema.in_(_uids_of(schema)))
        if attester is not None:
            query = query.where(table.c.attester == attester)
        if recipient is not None:
            query = query.where(table.c.recipient == recipient)
        ordered = query.order_by(table.c.block_number, table.c.log_index)
        return [rows.attestation(row) for row in self._rows(ordered)]

    def _rows(self, query: Any) -> list[Any]:
        self.snapshot.require_fresh()
        return self.snapshot.rows(query)


def _uids_of(schema: ChainSchema) -> Any:
    table = tables.schemas
    return select(table.c.uid).where(table.c.text == schema.text.encode(), table.c.revocable == schema.revocable)


def _event(table: Any) -> tuple[Any, ...]:
    return (table.c.time, table.c.block_number, table.c.log_index, table.c.tx_hash)


def _paged(query: Select[Any], table: Any, page: Page) -> Select[Any]:
    place = tuple_(table.c.block_number, table.c.log_index)
    if page.after is not None:
        query = query.where(place > tuple_(*page.after))
    if page.since is not None:
        query = query.where(table.c.time >= int(page.since.timestamp()))
    if page.until is not None:
        query = query.where(table.c.time < int(page.until.timestamp()))
    return query.order_by(table.c.block_number, table.c.log_index).limit(page.limit)
