"""The sealed record: the seal, all fields and the seed. Its holder keeps it, and opens parts of it.

As a file it is one JSON object a line; format specification, section "Sealed record". Whoever has it reads everything.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from chartseal import _core, _json
from chartseal.attestation import (
    PRIVATE_DATA_SCHEMA,
    Address,
    Digest,
    PrivateData,
    PrivateValue,
    UnverifiedPackage,
    from_hex,
    packages,
    recover_offchain,
    to_hex,
)
from chartseal.errors import (
    ChartsealError,
    CredentialError,
    LimitError,
    PackageError,
    RootMismatchError,
    SealedRecordError,
)
from chartseal.record import Credential, Event, Field, OpenClaim, open_claims, rebuild
from chartseal.record.credential import CLAIM_ID_SIZE, LARGEST_LIST, LIST_SIZE, MOST_USES, NEVER

FORMAT = "chartseal/1"
KIND = "sealed-record"
LARGEST_RECORD = 64 << 20
"""Bytes that one line may have: several times the largest resource that is read."""

RUN, REJECTS = "run.json", "rejects.ndjson"
"""Files beside sealed records in the folder that a run of sealing writes."""
ANCHORS = "anchors.ndjson"
"""The file of their anchors' proofs, which may lie beside them too."""

_TYPE_NAME = re.compile(r"[A-Z][A-Za-z]{0,63}")
_LAST_MOMENT = 253_402_300_799
"""9999-12-31T23:59:59Z: later times are no dates."""
_MEMBERS = {"format", "kind", "for", "enc", "tag", "seed", "seal", "fields", "detached", "dropped", "credential"}
_OPTIONAL = {"detached", "dropped", "tag", "credential"}
_CREDENTIAL = {"list", "index", "claimId", "uses", "key", "signature"}
TEST_FORMAT = f"{FORMAT}-test"
"""Of a record marked HTEST."""
_INTEGERS = {"int256", "uint256"}


@dataclass(frozen=True)
class SealedRecord:
    """One resource, sealed.

    `fields` are all leaves, pads included; `enc` and `seed` have 32 bytes, `tag` has two, or none in older records.
    `credential` is missing where the issuer had no proving key, and in test records.
    """

    address: str
    enc: bytes = field(repr=False)
    seed: bytes = field(repr=False)
    package: UnverifiedPackage = field(repr=False)
    fields: tuple[Field, ...] = field(repr=False)
    detached: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    dropped: tuple[str, ...] = field(default=(), repr=False)
    tag: bytes = field(default=b"", repr=False)
    credential: Credential | None = field(default=None, repr=False)

    def _control(self, name: str) -> Any:
        for each in self.fields:
            if each.name == name:
                return each.value
        raise SealedRecordError("the record has no such control field", path=name)

    def _word(self, name: str) -> bytes:
        found = self._control(name)
        if not isinstance(found, bytes):
            raise SealedRecordError("expected 32 bytes", path=name)
        return found

    @property
    def resource_type(self) -> str:
        """R4's name of the sealed resource's type."""
        found = self._control("chartseal.resourceType")
        if not isinstance(found, str) or not _TYPE_NAME.fullmatch(found):
            raise SealedRecordError("the record states no resource type", path="chartseal.resourceType")
        return found

    @property
    def subject(self) -> bytes:
        """The one-time holder key, packed: 32 bytes."""
        return self._word("chartseal.subject")

    @property
    def announcement(self) -> bytes | None:
        """What is published of the delivery, enc ‖ tag (34 bytes); None in records that keep no tag."""
        return self.enc + self.tag if self.tag else None

    @property
    def attester(self) -> Address:
        """Who says it sealed the record; `check` proves it."""
        return self.package.signer

    @property
    def uid(self) -> Digest:
        """The seal's uid; its identity is (attester, uid)."""
        return self.package.uid

    @property
    def root(self) -> Digest:
        """The root that the seal states."""
        return Digest(self.package.message.data)

    @cached_property
    def private_data(self) -> PrivateData:
        """All leaves with their salts, in the order of `fields`."""
        salts = _core.field_salts(self.seed, [each.name for each in self.fields])
        rows = zip(self.fields, salts, strict=True)
        return PrivateData(PrivateValue(each.abi_type, each.name, each.value, Digest(salt)) for each, salt in rows)

    @property
    def claims_root(self) -> bytes:
        """`chartseal.claims`: 32 bytes."""
        return self._word("chartseal.claims")

    @cached_property
    def holder(self) -> bytes:
        """The commitment of the holder whom the record was sealed for: 32 bytes, the value of claim 0."""
        return _core.holder_commitment(_core.parse_address(self.address)[:32])

    @cached_property
    def claims(self) -> tuple[OpenClaim, ...]:
        """What can be proved about the record, recomputed from fields and seed; `check` compares it with the seal.

        Raises:
            RecordError, KeyFormatError: as the core says.
        """
        return open_claims(self.fields, self.holder, self.seed)

    @property
    def event(self) -> Event:
        """What a wallet keeps beside the credential's claimId, to tell one event's records from another's."""
        amends, full_url = self._control("chartseal.amends"), self._control("chartseal.fullUrl")
        named = f"{self.resource_type}.id"
        own = next((str(each.value) for each in self.fields if each.name.partition("+")[0] == named), "")
        return Event(self.attester, self.uid, self.resource_type, str(full_url), own, bytes(amends))

    def check(self) -> None:
        """Recompute what a holder can: both trees, slots, names, pads, signature, detached texts, and the credential if
        there is one; before accepting or opening it.

        Whether the subject is one's own, only a wallet tells (`Wallet.is_mine`).

        Raises:
            SealedRecordError: the seal is not one of a record.
            RootMismatchError: the fields do not give the sealed root.
            CredentialError: `credential_malformed`, `credential_on_test`, `credential_times`, `credential_uses`,
                `credential_key`, `credential_signature`.
            RecordError, SignatureError, KeyFormatError: as the core says.
        """
        message = self.package.message
        if message.schema != PRIVATE_DATA_SCHEMA or len(message.data) != 32:
            raise SealedRecordError("the seal is under another schema", path="seal.sig.message.schema")
        recover_offchain(self.package)
        root = _core.check_record(list(self.fields), self.seed, self.holder)
        if root != self.root:
            raise RootMismatchError("the fields do not give the sealed root")
        rebuild(self.resource_type, self.fields, self.detached, partial=True)
        if self.credential is not None:
            self._check_credential(self.credential)

    def _check_credential(self, credential: Credential) -> None:
        if self._control("chartseal.format") == TEST_FORMAT:
            # A proof that does not show the record would not show that it is a test.
            raise CredentialError("a test record has no credential", "credential_on_test", "credential")
        message = self.package.message
        if (credential.sealed_at, credential.expiry) != (message.time, message.expiration_time or NEVER):
            raise CredentialError("its times are not the seal's", "credential_times", "credential")
        if credential.uses != _core.credential_uses(self.resource_type, list(self.fields)):
            raise CredentialError("its uses are not those of the record", "credential_uses", "credential.uses")
        credential.check(self.attester, self.claims_root, self.holder)

    def to_json(self) -> bytes:
        """The record as one line, without its end: the form that sealing writes."""
        shown = (each for each in self.fields if not each.name.startswith("chartseal.pad["))
        members: dict[str, Any] = {
            "format": FORMAT,
            "kind": KIND,
            "for": self.address,
            "enc": to_hex(self.enc),
            **({"tag": to_hex(self.tag)} if self.tag else {}),
            "seed": to_hex(self.seed),
            "seal": packages.to_json(self.package),
            "fields": [[each.name, each.abi_type, _value_to_json(each)] for each in shown],
        }
        if self.detached:
            members["detached"] = dict(self.detached)
        if self.dropped:
            members["dropped"] = list(self.dropped)
        if self.credential is not None:
            members["credential"] = _credential_to_json(self.credential)
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes | str) -> SealedRecord:
        """Read one line. Nothing is checked but its form.

        Raises:
            LimitError: too long.
            SealedRecordError: not a sealed record of this format.
        """
        if len(text) > LARGEST_RECORD:
            raise LimitError("the sealed record is too long", "record_too_large")
        try:
            data = _json.loads(text)
        except ValueError as exc:
            raise SealedRecordError("not JSON") from exc
        if not isinstance(data, dict) or not _MEMBERS - _OPTIONAL <= data.keys() <= _MEMBERS:
            raise SealedRecordError("expected an object with the members of a sealed record")
        if (data["format"], data["kind"]) != (FORMAT, KIND):
            raise SealedRecordError(f"not a {KIND} of {FORMAT}", "sealed_record_kind")
        try:
            package = packages.from_json(data["seal"])
            made = cls(
                address=_text(data["for"], "for"),
                enc=from_hex(data["enc"], "enc", 32),
                tag=from_hex(data["tag"], "tag", 2) if "tag" in data else b"",
                seed=from_hex(data["seed"], "seed", 32),
                package=package,
                fields=_fields_from_json(data["fields"]),
                detached=_detached_from_json(data.get("detached", {})),
                dropped=tuple(_text(item, "dropped") for item in _list(data.get("dropped", []), "dropped")),
                credential=_credential_from_json(data["credential"], package) if "credential" in data else None,
            )
        except PackageError as exc:
            raise SealedRecordError(exc.detail, path=exc.path) from exc
        made._require_form()
        return made

    def _require_form(self) -> None:
        """What everybody who lists records looks at is there, and of its kind."""
        _ = (self.resource_type, self.subject, self.claims_root)
        if self.package.message.time > _LAST_MOMENT:
            raise SealedRecordError("the seal's time is no date", path="seal.sig.message.time")


def _value_to_json(item: Field) -> Any:
    if item.abi_type in _INTEGERS:
        return str(item.value)
    return to_hex(item.value) if isinstance(item.value, bytes) else item.value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise SealedRecordError("expected a text", path=place)
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise SealedRecordError("expected a list", path=place)
    return value


def _fields_from_json(data: Any) -> tuple[Field, ...]:
    fields = [_field_from_json(item, f"fields[{at}]") for at, item in enumerate(_list(data, "fields"))]
    return (*fields, *(Field(*pad) for pad in _core.pad_fields(len(fields))))


def _field_from_json(item: Any, place: str) -> Field:
    if not isinstance(item, list) or len(item) != 3:
        raise SealedRecordError("a field is a list of name, ABI type and value", path=place)
    name, abi_type = _text(item[0], place), _text(item[1], place)
    return Field(name, abi_type, _value_from_json(abi_type, item[2], place))


def _value_from_json(abi_type: str, value: Any, place: str) -> str | bool | int | bytes:
    if abi_type == "string":
        return _text(value, place)
    if abi_type == "bool" and isinstance(value, bool):
        return value
    if abi_type == "bytes32":
        return from_hex(value, place, 32)
    if abi_type in _INTEGERS and isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= 20:
        number = int(value)
        if str(number) == value:
            return number
    raise SealedRecordError("the value does not fit its ABI type", path=place)


def _detached_from_json(data: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(data, dict):
        raise SealedRecordError("expected an object of names and texts", path="detached")
    return tuple((name, _text(text, "detached")) for name, text in data.items())


def _credential_to_json(credential: Credential) -> dict[str, Any]:
    return {
        "list": credential.list,
        "index": credential.index,
        "claimId": to_hex(credential.claim_id),
        "uses": credential.uses,
        "key": to_hex(credential.key),
        "signature": to_hex(credential.signature),
    }


def _credential_from_json(data: Any, package: UnverifiedPackage) -> Credential:
    if not isinstance(data, dict) or data.keys() != _CREDENTIAL:
        raise SealedRecordError("expected an object with the members of a credential", path="credential")
    message = package.message
    return Credential(
        list=_number(data["list"], 0, LARGEST_LIST, "credential.list"),
        index=_number(data["index"], 0, LIST_SIZE - 1, "credential.index"),
        claim_id=from_hex(data["claimId"], "credential.claimId", CLAIM_ID_SIZE),
        uses=_number(data["uses"], 1, MOST_USES, "credential.uses"),
        key=from_hex(data["key"], "credential.key", 32),
        signature=from_hex(data["signature"], "credential.signature", 64),
        sealed_at=message.time,
        expiry=message.expiration_time or NEVER,
    )


def _number(value: Any, least: int, most: int, place: str) -> int:
    if type(value) is not int or not least <= value <= most:
        raise SealedRecordError("expected an integer in its range", path=place)
    return value


def read_records(paths: Iterable[Path | str]) -> Iterator[SealedRecord]:
    """Sealed records of files, of the `*.ndjson` and `*.json` files of folders (in the order of their names), and of
    standard input for `-`.

    Raises:
        SealedRecordError: a line is no sealed record (its file and number are in the path), or a path cannot be read.
        LimitError: a line is too long.
    """
    for path in paths:
        if str(path) == "-":
            yield from read_lines(lines_of(sys.stdin.buffer), "standard input")
        else:
            for file in _files(Path(path)):
                try:
                    with file.open("rb") as stream:
                        yield from read_lines(lines_of(stream), file.name)
                except OSError as exc:
                    raise SealedRecordError(f"cannot be read: {exc.strerror}", "file_unreadable", file.name) from exc


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in {".ndjson", ".json"} and file.is_file())
    return [file for file in found if file.name not in {RUN, REJECTS, ANCHORS} and not file.name.startswith(".")]


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends; of one that is too long, so much that it is refused."""
    return iter(lambda: stream.readline(LARGEST_RECORD + 1), b"")


def read_lines(lines: Iterable[bytes], name: str) -> Iterator[SealedRecord]:
    """Sealed records of lines; `name` is the file's, for errors.

    Raises:
        SealedRecordError, LimitError: as `read_records`.
    """
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            yield SealedRecord.from_json(line)
        except ChartsealError as exc:
            place = f"{name} line {number}"
            if isinstance(exc, SealedRecordError | LimitError):
                raise type(exc)(exc.detail, exc.code, f"{place} {exc.path}".strip()) from exc
            raise SealedRecordError("not a sealed record", path=place) from exc
