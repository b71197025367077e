"""What authorities attest, against vectors of circomlibjs and ethers (tests/conformance/authority_vectors.cjs)."""

import json
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import Address, Digest, address_from, from_hex
from chartseal.chain.authority import Grant, Leaf, status_root_of
from chartseal.chain.authority.status_root import encode_status_root
from chartseal.chain.authority.trust_root import encode_trust_root, root_of
from chartseal.chain.authority.withdrawal import encode_withdrawal
from chartseal.chain.schemas import SCHEMAS
from chartseal.keys import IssuerCard
from chartseal.keys.possession import possession_message, verify_possession

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("authority.json").read_text())
DATA = VECTORS["data"]


def address(text: str) -> Address:
    return address_from(text, "vector")


def digest(text: str) -> Digest:
    return Digest(from_hex(text, "vector", 32))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_schemas(schema: Any) -> None:
    expected = VECTORS["schemas"][schema.name]
    assert (schema.text, schema.revocable) == (expected["text"], expected["revocable"])
    assert schema.uid() == digest(expected["uid"])


def test_every_schema_has_its_vector() -> None:
    assert {schema.name for schema in SCHEMAS} == set(VECTORS["schemas"])


@pytest.mark.parametrize("vector", VECTORS["possession"], ids=lambda vector: str(vector["input"]["attester"]))
def test_possession(vector: Any) -> None:
    attester, key = address(vector["input"]["attester"]), digest(vector["input"]["provingKey"])
    assert possession_message(attester, key) == digest(vector["expected"]["message"])
    verify_possession(attester, key, from_hex(vector["expected"]["possession"], "vector", 64))


def test_card() -> None:
    given, expected = VECTORS["card"]["input"], VECTORS["card"]["expected"]
    members = {"format": "chartseal/1", "kind": "issuer-card", **given, "signature": expected["signature"]}
    card = IssuerCard.from_json(json.dumps(members))
    assert card.digest() == digest(expected["digest"])
    assert json.loads(card.to_json()) == members


def test_accreditation() -> None:
    given = DATA["accreditation"]["input"]
    grant = Grant(
        issuer=address(VECTORS["possession"][0]["input"]["attester"]),
        name=given["name"],
        roles=frozenset(given["roles"]),
        proving_key=digest(given["provingKey"]),
        possession=from_hex(given["possession"], "vector"),
        transport_key=digest(given["transportKey"]),
        endpoint=given["endpoint"],
        valid_from=given["validFrom"],
        predecessor=address(given["predecessor"]),
    )
    assert grant.encode() == from_hex(DATA["accreditation"]["expected"], "vector")


def test_other_data() -> None:
    given = DATA["withdrawal"]["input"]
    made = encode_withdrawal(digest(given["accreditation"]), given["withdrawnFrom"], given["cause"])
    assert made == from_hex(DATA["withdrawal"]["expected"], "vector")
    given = DATA["status-root"]["input"]
    made = encode_status_root(given["list"], digest(given["statusRoot"]))
    assert made == from_hex(DATA["status-root"]["expected"], "vector")
    given = DATA["trust-root"]["input"]
    made = encode_trust_root(given["epoch"], given["role"], digest(given["trustRoot"]))
    assert made == from_hex(DATA["trust-root"]["expected"], "vector")


@pytest.mark.parametrize("vector", VECTORS["statusRoots"], ids=lambda vector: str(vector["input"]))
def test_status_roots(vector: Any) -> None:
    assert status_root_of(vector["input"]["revoked"]) == digest(vector["expected"])


def test_trust_root() -> None:
    expected = VECTORS["trustRoot"]
    leaves = [
        Leaf(
            int(each["attester"], 16),
            int(each["ax"]),
            int(each["ay"]),
            each["list"],
            int(each["notAfter"]),
            int(each["statusRoot"], 16),
        )
        for each in expected["leaves"]
    ]
    assert leaves == sorted(leaves)
    assert [leaf.hash() for leaf in leaves] == [digest(each["leaf"]) for each in expected["leaves"]]
    assert root_of(leaves) == digest(expected["expected"]["root"])
    assert root_of([]) == digest(expected["expected"]["empty"])
    assert root_of([leaves[1], leaves[0], *leaves[2:]]) != root_of(leaves)


def test_the_leaf_that_two_implementations_agree_on(shared: Path) -> None:
    once = json.loads((shared / "vectors/formats/once.json").read_text())
    issuer, empty = once["issuer"], int(once["statusRoot"]["zero"])
    leaf = Leaf(int(issuer["attester"], 16), int(issuer["Ax"]), int(issuer["Ay"]), 0, 1_830_000_000, empty)
    assert int.from_bytes(leaf.hash()) == int(once["issuerLeaf"])
    assert int.from_bytes(root_of([leaf])) == int(once["trustRoot"])
    assert int.from_bytes(status_root_of([5])) == int(once["statusRoot"]["index5"])
    assert _core.poseidon_root([], 6) == status_root_of([])
