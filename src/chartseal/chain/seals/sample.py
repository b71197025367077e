"""The sample schema of patient, diagnosis, date and evidence, attested so that nobody reads a patient out of it.

    data = sample_of(record).encode()
    SampleAttester(sender, facts).attest(records)
    check_sample(*chain_sample(facts, uid), shown, verified).record

`patientID` is the record's one-time subject, `diagnosis` the salted leaf hash of the diagnosis code's field,
`dateOfTreatment` 1 January of the year, `evidenceHash` the sealed root. On chain it still tells the world the day on
which it was attested: it is never de-identified, and never made by default.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from chartseal.attestation import (
    ZERO_ADDRESS,
    ZERO_DIGEST,
    Address,
    Digest,
    OffchainMessage,
    Schema,
    Signer,
    UnverifiedPackage,
    VerifiedAttestation,
    sign_offchain,
    verify_offchain,
)
from chartseal.chain.calls import Write
from chartseal.chain.contract import Contract
from chartseal.chain.facts import ChainFacts
from chartseal.chain.registry import register
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import SAMPLE
from chartseal.chain.sending.sender import Sender
from chartseal.disclosure.form import UnverifiedDisclosure, UnverifiedRecord
from chartseal.errors import FieldEncodingError, SampleError
from chartseal.sealing import SealedRecord
from chartseal.verification import VerifiedDisclosure, VerifiedRecord

AT_ONCE = 30
"""Attestations in one transaction, of about 400,000 gas each."""

Identity = tuple[Address, Digest]
"""(attester, uid) of a seal."""

_SCHEMA = Schema.parse(SAMPLE.text)
_SYSTEM = secrets.SystemRandom()
_CODE = re.compile(r"(.*\.coding\[[0-9]+\])\.code", re.ASCII)
_YEAR = re.compile(r"[0-9]{4}", re.ASCII)
_ICD = ("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10")

DATES = {
    "Claim": ("billablePeriod.start", "created"),
    "Condition": ("recordedDate",),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod.start"),
    "Encounter": ("period.start",),
    "MedicationRequest": ("authoredOn",),
    "Observation": ("effectiveDateTime", "effectivePeriod.start"),
    "Procedure": ("performedDateTime", "performedPeriod.start"),
}
"""Where the treatment's date stands, by resource type; a record without any is of its seal's year."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is attested under the sample schema."""

    patient_id: bytes = field(repr=False)
    diagnosis: Digest = field(repr=False)
    date_of_treatment: int
    """Unix seconds: 1 January 00:00 UTC."""
    evidence_hash: Digest

    def encode(self) -> bytes:
        """The attestation's data: 128 bytes."""
        return _SCHEMA.encode([self.patient_id, self.diagnosis, self.date_of_treatment, self.evidence_hash])

    @classmethod
    def decode(cls, data: bytes) -> Sample:
        """Read an attestation's data.

        Raises:
            SampleError: `sample_malformed`: not of the schema, or a date finer than a year.
        """
        try:
            patient_id, diagnosis, date, evidence_hash = _SCHEMA.decode(data)
        except FieldEncodingError as exc:
            raise SampleError("the data is not of the sample schema", "sample_malformed", "data") from exc
        found = cls(patient_id, Digest(diagnosis), date, Digest(evidence_hash))
        if date != _new_year(found.year):
            raise SampleError("the date is not the beginning of a year", "sample_malformed", "dateOfTreatment")
        if found.encode() != data:
            raise SampleError("the data has more than its schema", "sample_malformed", "data")
        return found

    @property
    def year(self) -> int:
        """Of treatment.

        Raises:
            SampleError: `sample_malformed`: no year of a calendar.
        """
        try:
            return datetime.fromtimestamp(self.date_of_treatment, UTC).year
        except (ValueError, OverflowError, OSError) as exc:
            raise SampleError("the date is of no year", "sample_malformed", "dateOfTreatment") from exc


def _new_year(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def sample_of(record: SealedRecord, diagnosis_field: str = "") -> Sample:
    """The sample of a sealed record; the diagnosis is the field named, else the record's first ICD-10 code, else its
    first coded one.

    Raises:
        SampleError: `diagnosis_missing`, `diagnosis_ambiguous` or `year_range`.
    """
    at = _diagnosis(record, diagnosis_field)
    year = _year_of(record)
    if not 1970 <= year <= 9999:
        raise SampleError("the schema's date has no years before 1970", "year_range")
    leaf = record.private_data.values[at].leaf_hash()
    return Sample(record.subject, leaf, _new_year(year), record.root)


def _plain(name: str) -> str:
    return name.split("+")[0]


def _diagnosis(record: SealedRecord, wanted: str) -> int:
    """The position of the diagnosis code's field."""
    values = {_plain(each.name): each.value for each in record.fields}
    codes = {_plain(each.name): at for at, each in enumerate(record.fields) if _CODE.fullmatch(_plain(each.name))}
    if wanted:
        if wanted not in codes:
            raise SampleError("the record has no such code", "diagnosis_missing", wanted)
        return codes[wanted]
    own = [name for name in codes if name.startswith(f"{record.resource_type}.code.coding[")]
    for system in (*_ICD, None):
        for name in own:
            if system is None or values.get(f"{name.removesuffix('.code')}.system") == system:
                return codes[name]
    raise SampleError("the record has no coded diagnosis: name its field", "diagnosis_missing", record.resource_type)


def _year_of(record: SealedRecord) -> int:
    values = {_plain(each.name): each.value for each in record.fields}
    for name in DATES.get(record.resource_type, ()):
        if (year := _year(values.get(f"{record.resource_type}.{name}"))) is not None:
            return year
    return datetime.fromtimestamp(record.package.message.time, UTC).year


def _year(value: object) -> int | None:
    found = _YEAR.match(value) if isinstance(value, str) else None
    return int(found[0]) if found else None


def sample_package(record: SealedRecord, signer: Signer, diagnosis_field: str = "") -> UnverifiedPackage:
    """The sample attested off chain, in the seal's domain and with the seal's time.

    Raises:
        SampleError: as `sample_of`; `sample_signer` for another key than the record's attester's.
    """
    if signer.address != record.attester:
        raise SampleError("only the record's attester attests its sample", "sample_signer")
    data, time = sample_of(record, diagnosis_field).encode(), record.package.message.time
    return sign_offchain(OffchainMessage(SAMPLE.uid(), time, data), record.package.domain, signer)


class SampleAttester:
    """Attests samples on chain with one key, in shuffled batches."""

    def __init__(
        self,
        sender: Sender,
        facts: RpcFacts,
        *,
        shuffle: Callable[[list[SealedRecord]], None] = _SYSTEM.shuffle,
    ) -> None:
        """Take who sends, what is known of the chain, and what orders records so that their order tells nothing."""
        self._sender = sender
        self._facts = facts
        self._shuffle = shuffle
        self._eas = Contract.load("eas").at(facts.deployment.eas)

    def attest(self, records: Sequence[SealedRecord], diagnosis_field: str = "") -> dict[Identity, Digest]:
        """Attest all that are not attested yet; uids by the seals' identities.

        Raises:
            SampleError: as `sample_of`; `sample_signer`, or `sample_domain` for a seal of another chain; nothing is
                sent then.
            RevertError, SendError, NodeError: as the sender and the facts.
        """
        data = {self._identity(each): sample_of(each, diagnosis_field).encode() for each in records}
        self._facts.refresh()
        made = {each.data: each.uid for each in self._facts.attestations(SAMPLE, attester=self._sender.address)}
        missing = [each for each in records if data[each.attester, each.uid] not in made]
        self._shuffle(missing)
        if missing:
            register(self._sender, self._facts.deployment, [SAMPLE])
        for at in range(0, len(missing), AT_ONCE):
            part = list(dict.fromkeys(data[each.attester, each.uid] for each in missing[at : at + AT_ONCE]))
            uids: list[Digest] = self._sender.send(self._write(part))
            made.update(zip(part, uids, strict=True))
        self._facts.refresh()
        return {identity: made[each] for identity, each in data.items()}

    def _identity(self, record: SealedRecord) -> Identity:
        if record.attester != self._sender.address:
            raise SampleError("only the record's attester attests its sample", "sample_signer")
        if record.package.domain != self._facts.deployment.domain():
            raise SampleError("the record's seal is for another chain or contract", "sample_domain")
        return record.attester, record.uid

    def _write(self, part: Sequence[bytes]) -> Write[list[Digest]]:
        requests = [(ZERO_ADDRESS, 0, SAMPLE.revocable, ZERO_DIGEST, each, 0) for each in part]
        write = self._eas.write("multiAttest", [(SAMPLE.uid(), requests)])
        return Write(
            write.to,
            write.data,
            lambda receipt: [Digest(event["uid"]) for event in self._eas.events_in(receipt, "Attested")],
        )


class Attested(NamedTuple):
    """A sample, and who attested it."""

    attester: Address
    sample: Sample


def chain_sample(facts: ChainFacts, uid: Digest) -> Attested:
    """A sample on chain, of whatever resolver, that its attester has not revoked in either way; whether its successor
    or an authority has, `FactsView.revocation` tells, for the authorities of a policy.

    Raises:
        SampleError: `sample_unknown`, `sample_revoked`, `sample_malformed`.
        ChainError: as the facts.
    """
    found = facts.attestation(uid)
    made = facts.attestations(SAMPLE, attester=found.attester) if found is not None else []
    if found is None or found.uid not in {each.uid for each in made}:
        raise SampleError("no sample of this uid is on the chain", "sample_unknown")
    revoked = found.revocation_time or facts.revoked_offchain(found.attester, uid)
    if revoked or (found.expiration_time and found.expiration_time <= facts.head.timestamp):
        raise SampleError("the sample is revoked or has expired", "sample_revoked")
    return Attested(found.attester, Sample.decode(found.data))


def package_sample(package: UnverifiedPackage, *, now: datetime) -> tuple[Attested, VerifiedAttestation]:
    """A sample off chain, if its signer signed it; whether that was revoked, a chain tells.

    Raises:
        SampleError: `sample_malformed`.
        SignatureError, SchemaError, ExpiredError, NotYetValidError: as `verify_offchain`.
    """
    seal = verify_offchain(package, now=now, schemas=[SAMPLE.uid()])
    return Attested(seal.attester, Sample.decode(seal.message.data)), seal


@dataclass(frozen=True)
class CheckedSample:
    """A sample and the record that it came from."""

    sample: Sample
    record: VerifiedRecord
    diagnosis: str | None
    """The opened field that it names; None while that is not opened."""
    is_year_shown: bool
    """A date of the record is opened, and of that year."""


def check_sample(
    attester: Address, sample: Sample, shown: UnverifiedDisclosure, verified: VerifiedDisclosure
) -> CheckedSample:
    """Find the record that a sample came from among those of a disclosure, of which `verified` is the result.

    Raises:
        SampleError: `sample_unmatched`: no record of that attester has this root and subject; `diagnosis_other`: the
            diagnosis is another kind of field; `year_differs`.
    """
    for unverified, record in zip(shown.records, verified.records, strict=True):
        seal = record.attestation
        if unverified.identity != (seal.attester, seal.uid):
            raise SampleError("the disclosure is another than was verified", "sample_unmatched")
        if (seal.attester, Digest(seal.message.data)) == (attester, sample.evidence_hash):
            return _matched(sample, unverified, record)
    raise SampleError("no record that is shown has this root and attester", "sample_unmatched")


def _matched(sample: Sample, unverified: UnverifiedRecord, record: VerifiedRecord) -> CheckedSample:
    if record.value("chartseal.subject") != sample.patient_id:
        raise SampleError("the record has another subject", "sample_unmatched")
    leaves = unverified.multiproof.leaves
    name = next((_plain(each.name) for each in leaves if each.leaf_hash() == sample.diagnosis), None)
    if name is not None and not _CODE.fullmatch(name):
        raise SampleError("the diagnosis is no code of the record", "diagnosis_other", name)
    values = {_plain(each.name): each.value for each in record.fields}
    dates = [values.get(f"{record.resource_type}.{each}") for each in DATES.get(record.resource_type, ())]
    years = [year for each in dates if (year := _year(each)) is not None]
    if years and sample.year not in years:
        raise SampleError("the treatment was in another year", "year_differs", "dateOfTreatment")
    return CheckedSample(sample, record, name, bool(years))
