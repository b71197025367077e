"""Carry one small resource through the whole format: tests/vectors/chartseal_1.json, and the tables of docs/format.md.

All secrets are fixed here, so that the same bytes come out everywhere. The holder's signature alone has randomness in
it: the committed one is kept while it verifies.

Run: python tools/worked_example.py
"""

from __future__ import annotations

import hashlib
import hmac
import json
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from chartseal import _core
from chartseal.attestation import (
    PRIVATE_DATA_SCHEMA,
    Digest,
    LocalSigner,
    OffchainMessage,
    PrivateData,
    PrivateValue,
    checksum_address,
    network,
    sign_offchain,
    to_hex,
)
from chartseal.errors import SignatureError
from chartseal.keys import SealingAddress, Wallet, deliver
from chartseal.record import Field, claims_root, lift, open_along
from chartseal.record.fields import Value

ROOT = Path(__file__).resolve().parent.parent
VECTOR = ROOT / "tests/vectors/chartseal_1.json"
FORMAT = ROOT / "docs/format.md"

RESOURCE = {
    "resourceType": "Observation",
    "id": "potassium-1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3", "display": "Potassium"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-05-04T09:30:00+02:00",
    "valueQuantity": {"value": "4.10", "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
}
"""The value of valueQuantity is a number in the JSON text: a lexeme, which a Python float would not keep."""

WALLET_ENTROPY = b"\x22" * 32
ISSUER_SECRET = b"\x33" * 32
EPHEMERAL_IKM = b"\x44" * 32
SEED = b"\x55" * 32
PERSON_SECRET = b"\x66" * 32
NONCE = b"\x88" * 32
BASE = "https://hospital.example/fhir/"
AUDIENCE = "https://pharmacy.example"
NETWORK = "sepolia"
SEALED_AT = 1_777_852_800
"""2026-05-04, 00:00 UTC."""
EXPIRY = 1_777_975_200
CHOSEN = "Observation.valueQuantity.value"


def text() -> str:
    """The resource's JSON."""
    return json.dumps(RESOURCE, separators=(",", ":")).replace('"4.10"', "4.10")


def hkdf(info: bytes, length: int) -> bytes:
    """HKDF-SHA256 of the seed, empty salt, at most 32 bytes: one round of RFC 5869's expansion."""
    extracted = hmac.digest(bytes(32), SEED, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)[:length]


def read() -> list[Field]:
    """The resource's fields, in document order."""
    _, fields, _, _ = _core.read_resource(text().encode())
    return [Field(*field) for field in fields]


def shape(fields: list[Field], address: SealingAddress) -> list[Field]:
    """The record's fields: the resource's, then control fields and pads."""
    plain: list[tuple[str, str, Value]] = [*fields]
    holder = address.holder_commitment()
    about = _core.record_about("Observation", plain, [])
    url = _core.patient_url("Observation", plain, "", BASE, [])
    lifted_from = [
        *fields,
        Field("chartseal.format", "string", "chartseal/1"),
        Field("chartseal.resourceType", "string", "Observation"),
        Field("chartseal.about", "string", about),
    ]
    control = _core.compute_control(
        "Observation",
        plain,
        about=about,
        subject=deliver(address, ikm=EPHEMERAL_IKM).subject,
        claims=claims_root(lifted_from, holder, SEED),
        full_url=f"{BASE}Observation/potassium-1",
        person=_core.person_mark(PERSON_SECRET, url or ""),
        amends=bytes(32),
        test=False,
    )
    return [*fields, *(Field(*field) for field in control)]


def salted(fields: Iterable[Field]) -> PrivateData:
    """Each field under its salt."""
    values = [
        PrivateValue(abi_type, name, value, Digest(hkdf(b"chartseal/1/field\0" + name.encode(), 32)))
        for name, abi_type, value in fields
    ]
    return PrivateData(values)


def disclosure_digest(attester: bytes, uid: bytes, signature: bytes, leaves: list[bytes]) -> bytes:
    """H("disclosure"; records, proofs) of one record and no proof."""
    types = ["string", "(address,bytes32,bytes32,bytes32[])[]", "(bytes32,uint256[])[]"]
    record = (attester, uid, _core.keccak256(signature), sorted(leaves))
    return _core.keccak256(encode(types, ["chartseal/1/disclosure", [record], []]))


def holder_signature(wallet: Wallet, enc: bytes, subject: bytes, message: bytes, sign: Any) -> bytes:
    """The committed signature while it verifies, else a new one."""
    try:
        kept = bytes.fromhex(json.loads(VECTOR.read_text())["expected"]["disclosure"]["signature"][2:])
        _core.verify_holder_signature(subject, message, kept)
    except (OSError, KeyError, ValueError, SignatureError):
        return bytes(sign(wallet, enc, subject))
    return kept


def claim_rows(fields: list[Field], holder: bytes) -> list[dict[str, Any]]:
    """Claims with their salts and leaves."""
    tag = _tag("claim")
    rows = []
    for index, claim in enumerate(lift(fields, holder)[0]):
        salt = hkdf(b"chartseal/1/claim\0" + index.to_bytes(2, "big"), 31).rjust(32, b"\0")
        rows.append(
            {
                "path": claim.path,
                "qualifier": [claim.qualifier_system, claim.qualifier_code],
                "kind": claim.kind,
                "unit": claim.unit,
                "scale": claim.scale,
                "key": to_hex(claim.key),
                "value": to_hex(claim.value),
                "salt": to_hex(salt),
                "leaf": to_hex(_core.poseidon_hash([tag, claim.key, claim.value, salt])),
            }
        )
    return rows


def _tag(name: str) -> bytes:
    return b"\0" + _core.keccak256(encode(["string"], [f"chartseal/1/tag/{name}"]))[:31]


def make() -> dict[str, Any]:
    """The vector: source, input, expected."""
    wallet, issuer = Wallet(WALLET_ENTROPY), LocalSigner(ISSUER_SECRET)
    address = wallet.sealing_address()
    delivery = deliver(address, ikm=EPHEMERAL_IKM)
    fields = shape(read(), address)
    data = salted(fields)
    salt = Digest(hkdf(b"chartseal/1/eas", 32))
    message = OffchainMessage(PRIVATE_DATA_SCHEMA, SEALED_AT, data.root, salt=salt)
    package = sign_offchain(message, network(NETWORK).domain(), issuer)
    opened = [each.name for each in open_along("Observation", fields, [CHOSEN])]
    indices = [index for index, field in enumerate(fields) if field.name in opened]
    proof = data.multiproof(indices)
    digest = disclosure_digest(
        issuer.address, package.uid, package.signature, [leaf.leaf_hash() for leaf in proof.leaves]
    )
    signed = _core.holder_message(digest, delivery.subject, AUDIENCE, NONCE, EXPIRY)

    def sign(wallet: Wallet, enc: bytes, subject: bytes) -> bytes:
        return wallet.sign_disclosure(enc, subject, digest, audience=AUDIENCE, nonce=NONCE, expiry=EXPIRY)

    signature = holder_signature(wallet, delivery.enc, delivery.subject, signed, sign)
    return {
        "source": "tools/worked_example.py; tests/vectors/test_worked_example.py recomputes it with other libraries",
        "input": _input(wallet),
        "expected": {
            "address": str(address),
            "holder": to_hex(address.holder_commitment()),
            "delivery": {
                name: to_hex(getattr(delivery, name)) for name in ("enc", "subject", "tag", "locator", "announcement")
            },
            "fields": [{**value.to_json(), "leaf": to_hex(value.leaf_hash())} for value in data.values],
            "claims": claim_rows(fields, address.holder_commitment()),
            "root": to_hex(data.root),
            "seal": {
                "attester": checksum_address(issuer.address),
                "salt": to_hex(salt),
                "uid": to_hex(package.uid),
                "digest": to_hex(package.digest()),
                "signature": to_hex(package.signature),
            },
            "disclosure": {
                "opened": opened,
                "proof": [to_hex(sibling) for sibling in proof.siblings],
                "proofFlags": list(proof.flags),
                "leaves": [leaf.name for leaf in proof.leaves],
                "digest": to_hex(digest),
                "message": to_hex(signed),
                "signature": to_hex(signature),
            },
        },
    }


def _input(wallet: Wallet) -> dict[str, Any]:
    chosen = network(NETWORK)
    return {
        "resource": text(),
        "words": wallet.words(),
        "issuerSecret": to_hex(ISSUER_SECRET),
        "personSecret": to_hex(PERSON_SECRET),
        "base": BASE,
        "fullUrl": f"{BASE}Observation/potassium-1",
        "ephemeralIkm": to_hex(EPHEMERAL_IKM),
        "seed": to_hex(SEED),
        "domain": {
            "name": "EAS Attestation",
            "version": chosen.version,
            "chainId": chosen.chain_id,
            "verifyingContract": checksum_address(chosen.eas),
        },
        "time": SEALED_AT,
        "chosen": [CHOSEN],
        "audience": AUDIENCE,
        "nonce": to_hex(NONCE),
        "expiry": EXPIRY,
    }


def _table(header: list[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _short(digits: str) -> str:
    """Begin and end of 32 bytes in hex; the vector has them whole."""
    return f"`{digits[:10]}…{digits[-4:]}`"


def tables(vector: dict[str, Any]) -> dict[str, str]:
    """The generated parts of docs/format.md by the name of their markers."""
    given, expected = vector["input"], vector["expected"]
    seal, shown, delivery = expected["seal"], expected["disclosure"], expected["delivery"]
    opened = set(shown["opened"])
    fields = [_field_row(field, field["name"] in opened) for field in expected["fields"]]
    claims = [_claim_row(index, claim) for index, claim in enumerate(expected["claims"])]
    inputs = [
        ["resource", f"`{given['resource']}`"],
        ["wallet's words", f"`{given['words']}`"],
        *[[name, f"`{given[key]}`"] for name, key in _INPUTS],
        ["EAS domain", f"`{json.dumps(given['domain'], separators=(',', ':'))}`"],
    ]
    values = [
        ["sealing address", expected["address"]],
        ["holder commitment, claim 0's value", expected["holder"]],
        ["enc", delivery["enc"]],
        ["subject", delivery["subject"]],
        ["view tag", delivery["tag"]],
        ["locator", delivery["locator"]],
        ["root", expected["root"]],
        ["attester", seal["attester"]],
        ["EAS salt", seal["salt"]],
        ["uid", seal["uid"]],
        ["EIP-712 digest", seal["digest"]],
        ["seal's signature, r ‖ s ‖ v", seal["signature"]],
        ["disclosure digest", shown["digest"]],
        ["holder's message M", shown["message"]],
        ["a holder's signature, packPoint(R) ‖ LE(S)", shown["signature"]],
    ]
    return {
        "inputs": _table(["Input", "Value"], inputs),
        "fields": _table(["Field", "Type", "Value", "Salt", "Leaf", "Opened"], fields),
        "claims": _table(["Index", "Kind", "Path", "Qualifier", "Unit", "Scale", "Value"], claims),
        "values": _table(["Result", "Value"], [[name, f"`{value}`"] for name, value in values]),
    }


_INPUTS = [
    ("issuer's secp256k1 secret", "issuerSecret"),
    ("issuer's person secret", "personSecret"),
    ("issuer's base", "base"),
    ("fullUrl", "fullUrl"),
    ("ikm of the ephemeral key (DeriveKeyPair)", "ephemeralIkm"),
    ("seed", "seed"),
    ("seal's time", "time"),
    ("audience", "audience"),
    ("nonce", "nonce"),
    ("expiry", "expiry"),
]


def _field_row(field: dict[str, Any], opened: bool) -> list[str]:
    salt, leaf = _short(field["salt"]), _short(field["leaf"])
    return [f"`{field['name']}`", field["type"], _value(field), salt, leaf, "yes" if opened else ""]


def _claim_row(index: int, claim: dict[str, Any]) -> list[str]:
    path = f"`{claim['path']}`" if claim["path"] else ""
    value = int(claim["value"], 16)
    shown = str(value) if value < 2**64 else _short(claim["value"])
    return [
        str(index),
        claim["kind"],
        path,
        " ".join(claim["qualifier"]).strip(),
        claim["unit"],
        str(claim["scale"]),
        shown,
    ]


def _value(field: dict[str, Any]) -> str:
    value = str(field["value"])
    if field["type"] == "bytes32":
        return _short(value) if int(value, 16) else "zero"
    return f"`{value}`" if value else "(empty)"


def insert(document: str, parts: dict[str, str]) -> str:
    """The document with each part between its markers."""
    for name, part in parts.items():
        begin, end = f"<!-- generated: {name} -->\n", f"\n<!-- end: {name} -->"
        before, found, rest = document.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise SystemExit(textwrap.shorten(f"docs/format.md has no markers for {name}", 80))
        document = f"{before}{begin}{part}{end}{after}"
    return document


def main() -> None:
    """Write both files."""
    vector = make()
    VECTOR.write_text(json.dumps(vector, indent=1, ensure_ascii=False) + "\n")
    FORMAT.write_text(insert(FORMAT.read_text(), tables(vector)))


if __name__ == "__main__":
    main()
