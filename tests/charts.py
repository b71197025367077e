"""Sealed records for tests: from the vectors, from fields written here, and disclosures made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from chartseal import _core
from chartseal.attestation import Address, Domain, LocalSigner, address_from
from chartseal.disclosure import Choice, HeldRecord, HolderSigner, Selection, UnverifiedDisclosure, present, select
from chartseal.record import Field
from chartseal.sealing import Issuing, SealedRecord, seal_fields

SEALED_AT = datetime.fromtimestamp(1_798_675_200, UTC)
NOW = datetime.fromtimestamp(1_798_700_000, UTC)
EXPIRES_AT = datetime.fromtimestamp(1_798_761_600, UTC)
AUDIENCE = "https://verifier.example"
NONCE = b"\x88" * 32
CONTRACT = address_from("0x5FbDB2315678afecb367f032d93F642f64180aa3", "")
DOMAIN = Domain("1.4.0", 31337, CONTRACT)


def issuing(secret: bytes = b"\x11" * 32) -> Issuing:
    return Issuing(LocalSigner(secret), DOMAIN, b"\x66" * 32, "https://issuer.example/fhir/")


ISSUING = issuing()
ISSUER: Address = ISSUING.signer.address


@dataclass(frozen=True)
class Holder:
    """A wallet from a raw seed, as the vectors have it."""

    keys: _core.Wallet = field(default_factory=lambda: _core.Wallet(b"\x22" * 64))

    def sign_disclosure(
        self,
        enc: bytes,
        subject: bytes,
        digest: bytes,
        *,
        audience: str,
        nonce: bytes,
        expiry: int,
        address: int = 0,
        epoch: int = 0,
    ) -> bytes:
        message = _core.holder_message(digest, subject, audience, nonce, expiry)
        return self.keys.sign_as(enc, subject, message, address, epoch)


HOLDER = Holder()


def field_of(name: str, abi_type: str, value: Any) -> Field:
    if abi_type == "bytes32":
        value = bytes.fromhex(value[2:])
    elif abi_type == "bool":
        value = value in (True, "true")
    elif abi_type != "string":
        value = int(value)
    return Field(name, abi_type, value)


def texts(values: Mapping[str, str]) -> list[Field]:
    return [Field(name, "string", value) for name, value in values.items()]


def sealed(
    resource_type: str,
    fields: Sequence[Field],
    *,
    holder: Holder = HOLDER,
    by: Issuing = ISSUING,
    at: datetime = SEALED_AT,
    **options: Any,
) -> SealedRecord:
    if resource_type == "Bundle":  # a document's own record holds its entries' roots
        options.setdefault("entries", [b"\1" * 32])
    return seal_fields(resource_type, fields, by, holder.keys.address(), now=at, **options)


@lru_cache(maxsize=1)
def vectors(shared: Path) -> dict[str, dict[str, Any]]:
    lines = (shared / "vectors/formats/records.ndjson").read_text().splitlines()
    return {vector["name"]: vector for vector in map(json.loads, lines)}


def resource_fields(vector: dict[str, Any]) -> list[Field]:
    pairs = vector["expected"]["fields"].items()
    return [field_of(name, *pair) for name, pair in pairs if not name.startswith("chartseal.")]


@lru_cache(maxsize=64)
def vector_record(shared: Path, name: str) -> SealedRecord:
    """The record of one vector, sealed as the vectors were: one seed and one enc for all."""
    vector = vectors(shared)[name]
    resource_type = json.loads(vector["input"])["resourceType"]
    return sealed(resource_type, resource_fields(vector), seed=b"\x5e" * 32, ikm=b"\x44" * 32)


@lru_cache(maxsize=64)
def chart(shared: Path, *names: str) -> tuple[SealedRecord, ...]:
    """Records of vectors, each with a seed and a subject of its own."""
    found = []
    for at, name in enumerate(names):
        vector = vectors(shared)[name]
        resource_type = json.loads(vector["input"])["resourceType"]
        keys: dict[str, Any] = {"seed": bytes([at + 1]) * 32, "ikm": bytes([at + 100]) * 32}
        found.append(sealed(resource_type, resource_fields(vector), **keys))
    return tuple(found)


def shown(selection: Selection, holder: HolderSigner = HOLDER, **options: Any) -> UnverifiedDisclosure:
    given: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "expires_at": EXPIRES_AT, "now": NOW, **options}
    return present(selection, holder, **given)


def open_paths(records: Sequence[HeldRecord], *patterns: str) -> UnverifiedDisclosure:
    return shown(select(records, patterns))


def names_of(choice: Choice) -> set[str]:
    return {opened.name for opened in choice.opened}
