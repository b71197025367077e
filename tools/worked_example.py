"""Carry one small resource through the whole format: tests/vectors/chartseal_1.json, and the tables of docs/format.md.

All secrets are fixed here, so that the same bytes come out everywhere. The holder's signature and the credential's
alone have randomness in them: the committed ones are kept while they verify.

Run: python tools/worked_example.py
"""

from __future__ import annotations

import hashlib
import hmac
import json
import textwrap
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from chartseal import _core
from chartseal.attestation import Address, LocalSigner, checksum_address, network, to_hex
from chartseal.errors import SignatureError
from chartseal.keys import Wallet, deliver
from chartseal.record import Field, lift, open_along
from chartseal.sealing import Issuing, SealedRecord, seal_fields

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
PROVING_SECRET = (7).to_bytes(32, "little")
PLACE = (0, 5)
NONCE = b"\x88" * 32
BASE = "https://hospital.example/fhir/"
AUDIENCE = "https://pharmacy.example"
NETWORK = "sepolia"
FULL_URL = f"{BASE}Observation/potassium-1"
SEALED_ON = datetime(2026, 5, 4, 15, 45, tzinfo=UTC)
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


class OnePlace:
    """Status lists in which only one place is given."""

    def reserve(self, attester: Address, uids: Sequence[bytes]) -> Sequence[tuple[int, int]]:
        """The place, for one record."""
        return [PLACE]


def seal() -> SealedRecord:
    """The record, sealed with everything fixed that is fresh elsewhere."""
    issuing = Issuing(
        LocalSigner(ISSUER_SECRET),
        network(NETWORK).domain(),
        PERSON_SECRET,
        BASE,
        proving=_core.ProvingKey(PROVING_SECRET),
        places=OnePlace(),
    )
    return seal_fields(
        "Observation",
        read(),
        issuing,
        Wallet(WALLET_ENTROPY).sealing_address().data,
        now=SEALED_ON,
        full_url=FULL_URL,
        seed=SEED,
        ikm=EPHEMERAL_IKM,
    )


def kept_signature(part: str, key: bytes, message: bytes, sign: Callable[[], bytes]) -> bytes:
    """The committed signature of that part while it verifies, else a new one."""
    try:
        kept = bytes.fromhex(json.loads(VECTOR.read_text())["expected"][part]["signature"][2:])
        _core.verify_holder_signature(key, message, kept)
    except (OSError, KeyError, ValueError, SignatureError):
        return sign()
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
    wallet, record = Wallet(WALLET_ENTROPY), seal()
    record.check()
    address = wallet.sealing_address()
    delivery = deliver(address, ikm=EPHEMERAL_IKM)
    package, data, fields = record.package, record.private_data, list(record.fields)
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
            "credential": credential(record),
            "seal": {
                "attester": checksum_address(package.signer),
                "salt": to_hex(package.message.salt),
                "uid": to_hex(package.uid),
                "digest": to_hex(package.digest()),
                "signature": to_hex(package.signature),
            },
            "disclosure": disclose(record, wallet),
        },
    }


def credential(record: SealedRecord) -> dict[str, Any]:
    """What the issuer signs of the record for proofs."""
    found = record.credential
    if found is None:
        raise SystemExit("the record has no credential")
    message = found.message(record.attester, record.claims_root, record.holder)
    signature = kept_signature("credential", found.key, message, lambda: found.signature)
    return {
        "list": found.list,
        "index": found.index,
        "claimId": to_hex(found.claim_id),
        "uses": found.uses,
        "expiry": str(found.expiry),
        "message": to_hex(message),
        "key": to_hex(found.key),
        "signature": to_hex(signature),
    }


def disclose(record: SealedRecord, wallet: Wallet) -> dict[str, Any]:
    """What the chosen field opens, and what the record's subject signs for it."""
    package, data = record.package, record.private_data
    opened = [each.name for each in open_along("Observation", record.fields, [CHOSEN])]
    proof = data.multiproof([index for index, field in enumerate(record.fields) if field.name in opened])
    leaves: list[bytes] = [leaf.leaf_hash() for leaf in proof.leaves]
    signature_hash = _core.keccak256(package.signature)
    digest = _core.disclosure_digest([(package.signer, package.uid, signature_hash, leaves)], [])
    message = _core.holder_message(digest, record.subject, AUDIENCE, NONCE, EXPIRY)

    def sign() -> bytes:
        return wallet.sign_disclosure(record.enc, record.subject, digest, audience=AUDIENCE, nonce=NONCE, expiry=EXPIRY)

    return {
        "opened": opened,
        "proof": [to_hex(sibling) for sibling in proof.siblings],
        "proofFlags": list(proof.flags),
        "leaves": [leaf.name for leaf in proof.leaves],
        "digest": to_hex(digest),
        "message": to_hex(message),
        "signature": to_hex(kept_signature("disclosure", record.subject, message, sign)),
    }


def seal_time() -> int:
    """The beginning of the day, UTC, in Unix seconds."""
    return int(SEALED_ON.timestamp()) // 86_400 * 86_400


def _input(wallet: Wallet) -> dict[str, Any]:
    chosen = network(NETWORK)
    return {
        "resource": text(),
        "words": wallet.words(),
        "issuerSecret": to_hex(ISSUER_SECRET),
        "personSecret": to_hex(PERSON_SECRET),
        "provingSecret": to_hex(PROVING_SECRET),
        "base": BASE,
        "fullUrl": FULL_URL,
        "ephemeralIkm": to_hex(EPHEMERAL_IKM),
        "seed": to_hex(SEED),
        "domain": {
            "name": "EAS Attestation",
            "version": chosen.version,
            "chainId": chosen.chain_id,
            "verifyingContract": checksum_address(chosen.eas),
        },
        "time": seal_time(),
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
    signed = expected["credential"]
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
        ["claimId", signed["claimId"]],
        ["credential's message: list 0, index 5, uses 1, no expiry", signed["message"]],
        ["proving key, packed", signed["key"]],
        ["a credential's signature, packPoint(R) ‖ LE(S)", signed["signature"]],
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
    ("issuer's proving secret, LE", "provingSecret"),
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
