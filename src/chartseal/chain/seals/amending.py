"""Amend a sealed record: seal anew, saying which seal this replaces, and revoke that one.

    amended = Amendment(old, key.issuing(), address.data, folder).make(text, Revoker(sender, facts), facts)

The new record is on disk before the old seal is revoked, and a second run finds it there: a crash leaves neither a
patient without a valid record nor two that replace one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from chartseal import _core
from chartseal._whole_files import give_name, sync
from chartseal.chain.facts import ChainFacts
from chartseal.chain.seals.revoking import AUTHORITY, Outcome, Revoker, Target, part_of
from chartseal.errors import AmendmentError, SealedRecordError
from chartseal.fhir.reading import DEFAULT_READING, Reading
from chartseal.record import read_fields
from chartseal.sealing import Issuing, SealedRecord, read_records, seal_resource
from chartseal.sealing.reseal import COUNTED

_AMENDED = "amended"
_CONTROL = "chartseal."
_PERSON, _FULL_URL, _AMENDS = f"{_CONTROL}person", f"{_CONTROL}fullUrl", f"{_CONTROL}amends"


@dataclass(frozen=True)
class Amended:
    """An amendment that is done."""

    record: SealedRecord = field(repr=False)
    path: Path
    """Where the new record is."""
    resumed: bool
    """An earlier run had sealed it."""
    outcome: Outcome
    """Of the old seal."""


@dataclass(frozen=True)
class Amendment:
    """What is to be amended, by whom, for which sealing address (64 bytes), and the folder for the new record."""

    old: SealedRecord = field(repr=False)
    issuing: Issuing
    address: bytes = field(repr=False)
    folder: Path
    reading: Reading = DEFAULT_READING

    @property
    def path(self) -> Path:
        """The new record's file: one for each old seal's identity, so that two runs cannot write two."""
        return self.folder / f"amends-{self.old.attester.hex()}-{self.old.uid.hex()}.ndjson"

    def make(
        self,
        text: bytes,
        revoker: Revoker,
        facts: ChainFacts,
        *,
        now: datetime | None = None,
        reason_on_chain: bool = True,
    ) -> Amended:
        """Seal one R4 resource in JSON in the old one's place, then revoke the old seal with reason `amended`.

        Raises:
            AmendmentError: `amender_refused` for another key than the attester's or its live successor's,
                `domain_differs`, `type_differs`, `person_differs`, `credential_differs`; `already_revoked` for an old
                seal that is revoked and has no amendment here; `amendment_differs` where another one is;
                `output_unwritable`.
            FhirError, LimitError, RecordError, …: the old record does not hold, or the new one may not be sealed.
            ChainError: as the facts and the sender.
        """
        self.old.check()
        self._require_ours(facts)
        found = self._written()
        resumed = found is not None
        if found is None:
            self._require_unrevoked(facts)
            found = self._write(self._sealed(text, now))
        self._require_same(found, text)
        outcome = revoker.revoke([Target(self.old.uid, self.old.attester)], _AMENDED, reason_on_chain=reason_on_chain)
        return Amended(found, self.path, resumed, outcome[0])

    def _require_ours(self, facts: ChainFacts) -> None:
        domain = facts.deployment.domain()
        if not self.old.package.domain == self.issuing.domain == domain:
            raise AmendmentError("record, key and chain are not of one deployment of EAS", "domain_differs")
        part = part_of(facts, self.issuing.signer.address, self.old.attester, facts.head.timestamp)
        if part in (None, AUTHORITY):
            raise AmendmentError(
                "only the attester, or a successor that is accredited now, amends a seal", "amender_refused"
            )

    def _require_unrevoked(self, facts: ChainFacts) -> None:
        """An amendment of it may be in another folder."""
        if any(facts.revoked_offchain(by, self.old.uid) for by in (self.old.attester, self.issuing.signer.address)):
            raise AmendmentError(
                "the seal is revoked, and no amendment of it is in the output folder", "already_revoked"
            )

    def _sealed(self, text: bytes, now: datetime | None) -> SealedRecord:
        new = seal_resource(
            text,
            self._sealing(),
            self.address,
            now=now,
            reading=self.reading,
            full_url=str(_control(self.old, _FULL_URL) or ""),
            amends=self.old.uid,
            claim_id=self._claim_id(),
        )
        if new.resource_type != self.old.resource_type:
            raise AmendmentError("the new resource is of another type than the old one", "type_differs")
        persons = [_control(each, _PERSON) for each in (self.old, new)]
        ours = self.issuing.signer.address == self.old.attester  # the value depends on the issuer's own secret
        if ours and bytes(32) not in persons and persons[0] != persons[1]:
            raise AmendmentError(
                "the new resource is another patient's: revoke the old one with reason wrong-patient", "person_differs"
            )
        return new

    def _sealing(self) -> Issuing:
        """The issuer: one that gives no credential where uses are counted and the old record has none.

        It may have moved from another wallet, which spent them: with a fresh claimId they would be there again.
        """
        if self.old.credential is None and self.old.resource_type in COUNTED:
            return replace(self.issuing, proving=None, places=None)
        return self.issuing

    def _claim_id(self) -> bytes | None:
        """The event's, which stays with its holder: what was used of it is used up. Another holder's is another."""
        held, proving = self.old.credential, self.issuing.proving
        if held is None or proving is None or _core.holder_commitment(self.address[:32]) != self.old.holder:
            return None
        if self.old.attester == self.issuing.signer.address and held.key != proving.public():
            # The seal does not cover the credential: whoever brings the record may have made one of a fresh claimId.
            raise AmendmentError("the old record's credential is not by this issuer's key", "credential_differs")
        return held.claim_id

    def _written(self) -> SealedRecord | None:
        """What an earlier run sealed in the old one's place."""
        if not self.path.exists():
            return None
        records = list(read_records([self.path]))
        if len(records) != 1:
            raise SealedRecordError("not one record", path=self.path.name)
        return records[0]

    def _write(self, record: SealedRecord) -> SealedRecord:
        """Keep the record durably; where another run was first, that one's."""
        beside = self.folder / f".{self.path.name}.{secrets.token_hex(8)}"
        with _writing():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with open(beside, "xb", opener=_private) as stream:
                    stream.write(record.to_json() + b"\n")
                    stream.flush()
                    os.fsync(stream.fileno())
                with suppress(FileExistsError):
                    give_name(beside, self.path)
            finally:
                beside.unlink(missing_ok=True)
            sync(self.folder)
        return self._written() or record

    def _require_same(self, found: SealedRecord, text: bytes) -> None:
        """What stands in the folder is this amendment: of this seal, by this key, for this address, of this content."""
        found.check()
        new = read_fields(text, **self.reading.options())
        own = tuple(each for each in found.fields if not each.name.startswith(_CONTROL))
        stated = (_control(found, _AMENDS), found.attester, _core.parse_address(found.address))
        if stated != (self.old.uid, self.issuing.signer.address, self.address) or own != new.fields:
            raise AmendmentError(
                "the output folder holds another amendment of this seal", "amendment_differs", self.path.name
            )


def _control(record: SealedRecord, name: str) -> object:
    return next((each.value for each in record.fields if each.name == name), None)


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise AmendmentError(f"the output folder cannot be written: {exc.strerror}", "output_unwritable") from exc


def _private(path: str, flags: int) -> int:
    """A sealed record holds what the chart holds: for its owner alone."""
    return os.open(path, flags, 0o600)
