"""What a node stands on: its vault, the key that seals, the queue, the patients, all opened once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from chartseal.chain.anchors import AnchorQueue
from chartseal.fhir import Reading
from chartseal.keys import IssuerKey
from chartseal.node.patients import PatientsFile
from chartseal.node.settings import Settings
from chartseal.sealing import Issuing, StatusStore
from chartseal.vault import Vault
from chartseal.vault.blobs import open_blobs
from chartseal.vault.database import reading, storing
from chartseal.vault.keys import PSEUDONYMS, KeyProvider, open_keys
from chartseal.vault.tables import META

Clock = Callable[[], datetime]


def now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Provider:
    """One provider's parts. All threads may use them at once."""

    settings: Settings
    vault: Vault
    issuer: IssuerKey
    issuing: Issuing
    queue: AnchorQueue
    patients: PatientsFile
    clock: Clock = now

    @property
    def reading(self) -> Reading:
        """What is let through when FHIR is read."""
        ingest = self.settings.ingest
        return Reading(
            test=ingest.test, modifier_extensions=ingest.modifier_extensions, implicit_rules=ingest.implicit_rules
        )

    @property
    def spool_secret(self) -> bytes:
        """What opens the key of uploads that wait: 32 bytes, as long as the vault's keys are there."""
        return self.vault.keys.get(PSEUDONYMS)

    def check_database(self) -> None:
        """Read one row of the vault.

        Raises:
            VaultError: `vault_unavailable`.
        """
        with reading(self.vault.engine) as connection, storing():
            connection.execute(select(META.c.name).limit(1)).first()

    def check_keys(self) -> None:
        """Get one of the vault's keys where they are kept.

        Raises:
            VaultKeyError: it cannot be had.
        """
        self.vault.keys.get(PSEUDONYMS)

    def check_queue(self) -> None:
        """Find the anchor queue.

        Raises:
            QueueError: `queue_unavailable`.
        """
        with reading(self.vault.engine) as connection:
            self.queue.find(connection)

    def check_patients(self) -> None:
        """Read the map of patients, if it changed.

        Raises:
            SealingError, LimitError: as `PatientsFile.current`.
        """
        self.patients.current()


def vault_keys(settings: Settings, passphrase: str) -> KeyProvider:
    """Where the vault's keys are, opened.

    Raises:
        VaultKeyError, WrongPassphraseError: as `open_keys`.
    """
    return open_keys(settings.keys_place(), lambda: passphrase)


@contextmanager
def open_provider(settings: Settings, *, clock: Clock = now) -> Iterator[Provider]:
    """Open everything that the settings point to, until the block ends.

    Raises:
        NodeSettingsError: a secret cannot be had.
        KeyFileError, WrongPassphraseError: the issuer's key does not open.
        VaultError, VaultKeyError, MissingExtraError: as `Vault.open`.
    """
    passphrase = settings.secret(settings.passphrase, "passphrase")
    issuer = IssuerKey.load(settings.at(settings.issuer.key), passphrase)
    blobs = settings.blobs_place()
    keys = vault_keys(settings, passphrase)
    vault = Vault.open(settings.vault_place(), keys, blobs=None if blobs is None else open_blobs(blobs))
    try:
        issuing = _issuing(settings, issuer)
        patients = PatientsFile(settings.at(settings.ingest.patients))
        yield Provider(settings, vault, issuer, issuing, AnchorQueue(issuing.domain), patients, clock)
    finally:
        vault.close()


def _issuing(settings: Settings, issuer: IssuerKey) -> Issuing:
    chosen = settings.issuer
    status = settings.at(chosen.status) if chosen.status else StatusStore.beside(settings.at(chosen.key))
    return issuer.issuing(validity=timedelta(days=chosen.valid_days), places=StatusStore(status))
