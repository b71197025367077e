"""The vault: sealed records go in encrypted, are found again, and come out for those who say why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from sqlalchemy import Engine, select

from chartseal.chain.anchors import AnchorQueue
from chartseal.errors import ChartsealError, LimitError, VaultError
from chartseal.sealing import SealedLine, SealedRecord
from chartseal.vault.audit import Action, AuditLog
from chartseal.vault.blobs import Blobs, BlobStore, kind_of
from chartseal.vault.blobs.inline import YOUNG
from chartseal.vault.checking import check
from chartseal.vault.database import open_database, reading, trusting_rows, writing
from chartseal.vault.epochs import Epochs
from chartseal.vault.finding import Unread, Wanted, addressed, addresses, beside, find
from chartseal.vault.findings import Finding
from chartseal.vault.keys.provider import ACCOUNTING, INDEX, PSEUDONYMS, KeyProvider
from chartseal.vault.moves import moves
from chartseal.vault.opening import COLUMNS, Entry, Opened, Reason, chunks, give, record_name
from chartseal.vault.settings import Settings, keep_keys, set_blobs, take_keys, use_blobs
from chartseal.vault.storing import MOST_LINES, Order, Stored, of_identities, put
from chartseal.vault.tables import RECORD
from chartseal.vault.terms import Facts, absolute

DELIVERY_DAYS = 90
"""How long a delivery waits for its holder."""


class Vault:
    """One provider's vault. Several processes may use it at once.

    `engine`, `keys`, `blobs`, `audit`, `epochs` and `settings` are what its other parts work with.
    """

    def __init__(self, engine: Engine, keys: KeyProvider, blobs: Blobs, settings: Settings) -> None:
        """Take the parts of an open vault: `create` and `open` give one."""
        self.engine, self.keys, self.blobs, self.settings = engine, keys, blobs, settings
        self.epochs = Epochs(engine, keys)
        self.audit = AuditLog(keys.get(PSEUDONYMS), keys.get(ACCOUNTING))
        self.index = keys.get(INDEX)

    @classmethod
    def create(
        cls,
        place: str,
        keys: KeyProvider,
        *,
        blobs: BlobStore | None = None,
        searchable: bool = True,
        quota: int | None = None,
        base: str = "",
        now: datetime,
    ) -> Vault:
        """Make a vault at a path (SQLite) or URL, its secrets in `keys`.

        Raises:
            VaultError: `vault_exists`, `vault_settings`, `vault_url`, `vault_unavailable`, `disk_full`.
            VaultKeyError: `keys_taken`: another vault has them; they cannot be used, or are read-only and lack some.
        """
        settings = Settings.fresh(searchable=searchable, quota=quota, base=base)
        engine = open_database(place, create=True)
        with writing(engine) as connection:
            if connection.execute(select(RECORD.c.id).limit(1)).first() is not None:
                raise VaultError("there is a vault already", "vault_exists")
            take_keys(connection, keys)
        with writing(engine) as connection:
            for name in {INDEX, ACCOUNTING} - set(keys.names()):
                keys.make(name)
            settings.write(connection, keys.get(PSEUDONYMS))
            set_blobs(connection, kind_of(blobs))
            Epochs(engine, keys).begin(connection, now=now)
            keep_keys(connection, keys)
        return cls(engine, keys, Blobs(blobs), settings)

    @classmethod
    def open(cls, place: str, keys: KeyProvider, *, blobs: BlobStore | None = None) -> Vault:
        """Open a vault that is there.

        Raises:
            VaultError: `vault_missing`, `vault_url`, `vault_version`, `vault_unavailable`; `blobs_missing`,
                `blobs_other`: it keeps large ciphertexts elsewhere.
            VaultKeyError: `keys_other_vault`, `key_missing`, or the keys cannot be used.
            VaultDamageError: `vault_damaged`, `settings_damaged`.
        """
        engine = open_database(place, create=False)
        with reading(engine) as connection:
            settings = Settings.read(connection, keys.get(PSEUDONYMS))
        use_blobs(engine, kind_of(blobs))
        return cls(engine, keys, Blobs(blobs), settings)

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def pseudonym(self, patient: str) -> bytes:
        """What a patient's rows bear: 16 bytes; a relative reference is taken against the vault's base."""
        return self.audit.pseudonym(absolute(patient, self.settings.base).encode())

    def pseudonym_of(self, facts: Facts, told: str | None) -> bytes:
        """What a record's row bears: the pseudonym of the patient that its chart tells, or of the one that it names.

        Where there is neither, that of its sealing address.
        """
        patient = told or facts.patient
        return self.pseudonym_of_address(facts.address) if patient is None else self.pseudonym(patient)

    def pseudonym_of_address(self, address: str) -> bytes:
        """What the rows of records bear that name no patient."""
        return self.audit.pseudonym(b"address\0" + address.encode())

    def put(
        self,
        lines: Sequence[SealedLine],
        *,
        actor: str,
        now: datetime,
        queue: AnchorQueue | None = None,
        delivery_days: int = DELIVERY_DAYS,
        purpose: str = "TREAT",
    ) -> Stored:
        """Keep at most 1,000 records, each with key, terms, delivery, anchor leaf and audit entry, in one transaction.

        What is there already, or was erased, changes nothing.

        Raises:
            LimitError: `batch_too_large`, `record_too_large`.
            VaultError: `line_malformed`, `address_left`, `quota_exceeded`, `blobs_unavailable`, `vault_unavailable`,
                `disk_full`; nothing is kept then.
            QueueError, SignatureError: as the queue says.
        """
        if len(lines) > MOST_LINES:
            raise LimitError(f"a batch has at most {MOST_LINES} records", "batch_too_large")
        return put(self, lines, Order(actor, now, queue, delivery_days, purpose), lambda _: None)

    def find(
        self,
        *,
        patient: str | None = None,
        address: str | None = None,
        resource_type: str | None = None,
        code: str | None = None,
        since: date | None = None,
        until: date | None = None,
    ) -> list[Entry]:
        """Entries of the records that have all of it, in the order of their storing; `code` is `system|code`.

        Raises:
            VaultError: `not_searchable`, `vault_unavailable`.
        """
        wanted = Wanted(patient, address, resource_type, code, since, until)
        with reading(self.engine) as connection:
            return list(find(self, connection, wanted))

    def addressed(self, address: str, unread: Unread | None = None) -> list[Entry]:
        """Entries of the records sealed to an address that are not erased; without an index each record is opened.

        What is opened is given to nobody, and so not entered in the audit chain. Of one that cannot be opened nobody
        knows for whom it is: `unread` is told of it.

        Raises:
            VaultError: `vault_unavailable`, `blobs_unavailable`.
            VaultDamageError: one cannot be opened, and there is no `unread`.
        """
        if self.settings.searchable:
            return self.find(address=address)
        with reading(self.engine) as connection:
            return list(addressed(self, connection, address, unread))

    def addresses(self, entries: Iterable[Entry]) -> set[str]:
        """Sealing addresses of records, erased and damaged ones left out. What is opened for that is given to nobody.

        Raises:
            VaultError: `vault_unavailable`, `blobs_unavailable`.
        """
        with reading(self.engine) as connection:
            return addresses(self, connection, entries)

    def beside(self, entries: Iterable[Entry]) -> list[Entry]:
        """Records that are sealed to the same addresses as these and are not among them, erased ones left out.

        A patient's records may be filed under several names of hers, or under none: this finds the others.

        Raises:
            VaultError: `not_searchable`, `vault_unavailable`, `blobs_unavailable`.
        """
        with reading(self.engine) as connection:
            return beside(self, connection, entries)

    def moved(self, entries: Iterable[Entry]) -> set[int]:
        """Ids of those records that were sealed again for another address, and stay as history.

        Raises:
            VaultError: `vault_unavailable`.
        """
        with reading(self.engine) as connection:
            return {each for chunk in chunks(entries) for each in moves(connection, [entry.id for entry in chunk])}

    def entry(self, attester: bytes, uid: bytes) -> Entry:
        """One record's entry.

        Raises:
            VaultError: `record_unknown`, `vault_unavailable`.
        """
        with reading(self.engine) as connection, trusting_rows(RECORD):
            row = connection.execute(select(*COLUMNS).where(of_identities([(attester, uid)]))).one_or_none()
            entry = None if row is None else Entry.of(row)
        if entry is None:
            raise VaultError("the vault never had such a record", "record_unknown", record_name(attester, uid))
        return entry

    def lines(
        self,
        entries: Iterable[Entry],
        *,
        actor: str,
        now: datetime,
        purpose: str = "TREAT",
        basis: str = "",
        action: Action = Action.READ,
    ) -> Iterator[Opened]:
        """The records, decrypted; each is entered into the audit chain first.

        Raises:
            VaultError: `record_erased`, `record_unknown`, `vault_unavailable`, `blobs_unavailable`.
            VaultKeyError: the epoch's secret cannot be had.
            VaultDamageError: `blob_missing`, `blob_damaged`, `data_key_missing`, `data_key_refused`,
                `ciphertext_refused`; those before it were given, and those after it are not entered.
        """
        reason = Reason(actor, now, purpose, basis, action)
        for each in give(self, entries, reason, stops=True):
            if isinstance(each, ChartsealError):
                raise each
            yield each

    def outcomes(
        self,
        entries: Iterable[Entry],
        *,
        actor: str,
        now: datetime,
        purpose: str = "TREAT",
        basis: str = "",
        action: Action = Action.READ,
    ) -> Iterator[Opened | ChartsealError]:
        """As `lines`, but in place of a record that cannot be had stands why, and the others are given.

        Raises:
            VaultError: `vault_unavailable`, `blobs_unavailable`.
        """
        return give(self, entries, Reason(actor, now, purpose, basis, action))

    def read(
        self, entries: Iterable[Entry], *, actor: str, now: datetime, purpose: str = "TREAT", basis: str = ""
    ) -> Iterator[SealedRecord]:
        """The records, as `lines` gives them.

        Raises:
            VaultError: as `lines`.
            SealedRecordError: what was stored is no sealed record.
        """
        opened = self.lines(entries, actor=actor, now=now, purpose=purpose, basis=basis)
        return (SealedRecord.from_json(each.line) for each in opened)

    def get(self, attester: bytes, uid: bytes, *, actor: str, now: datetime, purpose: str = "TREAT") -> SealedRecord:
        """One record.

        Raises:
            VaultError: as `lines`.
        """
        return next(self.read([self.entry(attester, uid)], actor=actor, now=now, purpose=purpose))

    def verify(self, *, now: datetime | None = None) -> Iterator[Finding]:
        """What is damaged: nothing where all is well. Every ciphertext is decrypted, and every record checked.

        Ciphertexts outside that no row names are told once they are an hour old at `now`, else by the system's clock.

        Raises:
            VaultError: `vault_unavailable`, `blobs_unavailable`.
        """
        return check(self, before=(now or datetime.now(UTC)) - YOUNG)


__all__ = ["DELIVERY_DAYS", "MOST_LINES", "Vault"]
