"""The worked example of docs/format.md, recomputed with other libraries than the code that made it."""

import hashlib
import hmac
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from chartseal import _core
from chartseal.errors import RecordError, SignatureError
from chartseal.keys import Wallet

REPOSITORY = Path(__file__).resolve().parents[2]
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041
BASE = (
    5299619240641551281634865583518297030282874472190772894086521144482721001553,
    16950150798460657717958625567821834550301663161624707787222815936182638968203,
)
Point = tuple[int, int]
Vector = dict[str, Any]


@pytest.fixture(scope="module")
def worked_example() -> ModuleType:
    """The generator, which is no package."""
    spec = importlib.util.spec_from_file_location("worked_example", REPOSITORY / "tools/worked_example.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def vector() -> Vector:
    loaded: Vector = json.loads((REPOSITORY / "tests/vectors/chartseal_1.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def given(vector: Vector) -> Vector:
    found: Vector = vector["input"]
    return found


@pytest.fixture(scope="module")
def expected(vector: Vector) -> Vector:
    found: Vector = vector["expected"]
    return found


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def hkdf(key: bytes, info: bytes, length: int) -> bytes:
    extracted = hmac.digest(bytes(32), key, hashlib.sha256)
    blocks, block = b"", b""
    for counter in range(1, length // 32 + 2):
        block = hmac.digest(extracted, block + info + bytes([counter]), hashlib.sha256)
        blocks += block
    return blocks[:length]


def value_of(field: Vector) -> Any:
    return unhex(field["value"]) if field["type"] == "bytes32" else field["value"]


def f(name: str, types: list[str], values: list[Any]) -> int:
    return int.from_bytes(keccak(encode(["string", *types], [f"chartseal/1/{name}", *values]))[:31])


def add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    product = 168696 * x1 * x2 * y1 * y2 % R
    x = (x1 * y2 + y1 * x2) * pow(1 + product, -1, R) % R
    return x, (y1 * y2 - 168700 * x1 * x2) * pow(1 - product, -1, R) % R


def times(scalar: int, point: Point) -> Point:
    total: Point = (0, 1)
    for bit in bin(scalar)[2:]:
        total = add(total, total)
        total = add(total, point) if bit == "1" else total
    return total


def pack(point: Point) -> bytes:
    return (point[1] | (point[0] > (R - 1) // 2) << 255).to_bytes(32, "little")


def test_the_document_has_the_generated_tables(vector: Vector, worked_example: ModuleType) -> None:
    document = (REPOSITORY / "docs/format.md").read_text()
    assert worked_example.insert(document, worked_example.tables(vector)) == document
    with pytest.raises(SystemExit):
        worked_example.insert(document.replace("<!-- end: values -->", ""), worked_example.tables(vector))


def test_the_code_makes_the_vector(vector: Vector, worked_example: ModuleType) -> None:
    assert worked_example.make() == vector


def test_keys(given: Vector, expected: Vector) -> None:
    seed = hashlib.pbkdf2_hmac("sha512", given["words"].encode(), b"mnemonic", 2048)
    spend = int.from_bytes(hkdf(seed, b"chartseal/1/spend", 64), "little") % ORDER
    public = times(spend, BASE)
    address = Wallet.from_words(given["words"]).sealing_address()
    assert str(address) == expected["address"]
    assert address.spend_key == pack(public)
    inputs = [f("tag/holder", [], []), *public]
    assert _core.poseidon_hash([each.to_bytes(32) for each in inputs]) == unhex(expected["holder"])


def test_salts_leaves_and_root(given: Vector, expected: Vector) -> None:
    nodes = []
    for field in expected["fields"]:
        salt = hkdf(unhex(given["seed"]), b"chartseal/1/field\0" + field["name"].encode(), 32)
        inner = encode([field["type"]], [value_of(field)])
        words = [field["type"], field["name"], inner, salt]
        leaf = keccak(keccak(encode(["string", "string", "bytes", "bytes32"], words)))
        assert (salt, leaf) == (unhex(field["salt"]), unhex(field["leaf"])), field["name"]
        nodes.append(leaf)
    assert len(nodes) % 16 == 0
    nodes.sort(reverse=True)
    tree = [b""] * (len(nodes) - 1) + nodes
    for node in reversed(range(len(nodes) - 1)):
        tree[node] = keccak(b"".join(sorted(tree[2 * node + 1 : 2 * node + 3])))
    assert tree[0] == unhex(expected["root"])


def test_control_fields(given: Vector, expected: Vector) -> None:
    values = {field["name"]: field["value"] for field in expected["fields"]}
    names = sorted(name for name in values if name != "chartseal.names" and not name.startswith("chartseal.pad["))
    assert keccak("\n".join(names).encode()) == unhex(values["chartseal.names"])
    person = hmac.digest(unhex(given["personSecret"]), f"{given['base']}Patient/p1".encode(), hashlib.sha256)
    assert person == unhex(values["chartseal.person"])
    assert values["chartseal.subject"] == expected["delivery"]["subject"]


def test_claims(given: Vector, expected: Vector) -> None:
    leaves = []
    for index, claim in enumerate(expected["claims"]):
        salt = hkdf(unhex(given["seed"]), b"chartseal/1/claim\0" + index.to_bytes(2), 31)
        words = [claim["path"], "", *claim["qualifier"], claim["kind"], claim["unit"], claim["scale"]]
        key = f("claim-key", ["string"] * 6 + ["uint8"], words) if index else f("claim-key/holder", [], [])
        assert (key, int.from_bytes(salt)) == (int(claim["key"], 16), int(claim["salt"], 16))
        inputs = [f("tag/claim", [], []), key, int(claim["value"], 16), int.from_bytes(salt)]
        leaves.append(_core.poseidon_hash([each.to_bytes(32) for each in inputs]))
        assert leaves[-1] == unhex(claim["leaf"])
    level = leaves + [bytes(32)] * (64 - len(leaves))
    while len(level) > 1:
        level = [_core.poseidon_hash(level[at : at + 4]) for at in range(0, len(level), 4)]
    values = {field["name"]: field["value"] for field in expected["fields"]}
    assert level[0] == unhex(values["chartseal.claims"])


def test_credential(given: Vector, expected: Vector) -> None:
    made, values = expected["credential"], {field["name"]: field["value"] for field in expected["fields"]}
    secret, holder = hkdf(unhex(given["personSecret"]), b"chartseal/1/claim-id", 32), unhex(expected["holder"])
    claim_id = hmac.digest(secret, holder + given["fullUrl"].encode(), hashlib.sha256)[:31]
    assert claim_id == unhex(made["claimId"])
    inputs = [
        f("tag/cred", [], []),
        int(expected["seal"]["attester"], 16),
        made["list"],
        made["index"],
        int(values["chartseal.claims"], 16),
        int.from_bytes(holder),
        int.from_bytes(claim_id),
        made["uses"],
        given["time"],
        int(made["expiry"]),
    ]
    message = _core.poseidon_hash([each.to_bytes(32) for each in inputs])
    assert (message, int(made["expiry"])) == (unhex(made["message"]), 2**64 - 1)
    public = times(int.from_bytes(unhex(given["provingSecret"]), "little"), BASE)
    assert pack(public) == unhex(made["key"])
    by_the_equation(unhex(made["key"]), message, unhex(made["signature"]))


def test_seal(given: Vector, expected: Vector) -> None:
    seal, domain = expected["seal"], given["domain"]
    salt = hkdf(unhex(given["seed"]), b"chartseal/1/eas", 32)
    schema = keccak(b"bytes32 privateData" + bytes(20) + b"\x01")
    time, root = given["time"], unhex(expected["root"])
    packed = b"\0\2" + f"0x{schema.hex()}".encode() + bytes(40) + time.to_bytes(8) + bytes(8) + b"\x01" + bytes(32)
    assert keccak(packed + root + salt + bytes(4)) == unhex(seal["uid"])
    members = "uint16 version,bytes32 schema,address recipient,uint64 time,uint64 expirationTime,bool revocable"
    kinds = [each.split() for each in f"{members},bytes32 refUID,bytes data,bytes32 salt".split(",")]
    message = [2, schema, "0x" + "00" * 20, time, 0, True, bytes(32), root, salt]
    signable = encode_typed_data(
        domain,
        {"Attest": [{"name": name, "type": kind} for kind, name in kinds]},
        dict(zip([name for _, name in kinds], message, strict=True)),
    )
    signed = Account.sign_message(signable, given["issuerSecret"])
    assert signed.signature == unhex(seal["signature"])
    assert signed.message_hash == unhex(seal["digest"])
    assert Account.recover_message(signable, signature=signed.signature) == seal["attester"]


def test_disclosure(given: Vector, expected: Vector) -> None:
    shown, seal = expected["disclosure"], expected["seal"]
    by_name = {field["name"]: field for field in expected["fields"]}
    opened = sorted(unhex(by_name[name]["leaf"]) for name in shown["opened"])
    record = (seal["attester"], unhex(seal["uid"]), keccak(unhex(seal["signature"])), opened)
    types = ["string", "(address,bytes32,bytes32,bytes32[])[]", "(bytes32,uint256[])[]"]
    digest = keccak(encode(types, ["chartseal/1/disclosure", [record], []]))
    assert digest == unhex(shown["digest"])
    subject = unhex(expected["delivery"]["subject"])
    words = [digest, subject, keccak(given["audience"].encode()), unhex(given["nonce"]), given["expiry"]]
    assert f("holder-signature", ["bytes32"] * 4 + ["uint64"], words) == int(shown["message"], 16)
    queue = [unhex(by_name[name]["leaf"]) for name in shown["leaves"]]
    siblings = [unhex(each) for each in shown["proof"]]
    for both in shown["proofFlags"]:
        one = queue.pop(0)
        queue.append(keccak(b"".join(sorted([one, queue.pop(0) if both else siblings.pop(0)]))))
    assert queue == [unhex(expected["root"])]
    assert siblings == []


def test_what_is_opened_recounts(expected: Vector) -> None:
    opened = [
        (field["name"], field["type"], value_of(field))
        for field in expected["fields"]
        if field["name"] in expected["disclosure"]["opened"]
    ]
    [container] = _core.recount_slots("Observation", opened)
    assert container[0] == "Observation"
    short = [field for field in opened if field[0] != "Observation.valueQuantity.unit"]
    with pytest.raises(RecordError, match="value"):
        _core.recount_slots("Observation", short)


def test_holder_signature_by_the_equation(expected: Vector) -> None:
    shown, subject = expected["disclosure"], unhex(expected["delivery"]["subject"])
    by_the_equation(subject, unhex(shown["message"]), unhex(shown["signature"]))
    with pytest.raises(SignatureError):
        _core.verify_holder_signature(subject, unhex(expected["holder"]), unhex(shown["signature"]))


def by_the_equation(key: bytes, message: bytes, signature: bytes) -> None:
    _core.verify_holder_signature(key, message, signature)
    ax, ay = (int.from_bytes(each) for each in _core.check_point(key))
    rx, ry = (int.from_bytes(each) for each in _core.check_point(signature[:32]))
    response = int.from_bytes(signature[32:], "little")
    inputs = [rx, ry, ax, ay, int.from_bytes(message)]
    challenge = int.from_bytes(_core.poseidon_hash([each.to_bytes(32) for each in inputs]))
    assert times(response, BASE) == add((rx, ry), times(8 * challenge, (ax, ay)))
    assert response < ORDER
