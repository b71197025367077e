"""Both ways against the real eas-sdk 2.10: what we make its classes verify, what it makes we read and verify."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from _peer import Peer, PeerError

from chartseal.attestation import (
    CONTRACT_VERSIONS,
    Address,
    Digest,
    Domain,
    Form,
    LocalSigner,
    Multiproof,
    OffchainMessage,
    PrivateData,
    PrivateValue,
    Schema,
    checksum_address,
    digest_from,
    links,
    networks,
    packages,
    schema_uid,
    sign_offchain,
    to_hex,
    verify_offchain,
)
from chartseal.errors import ChartsealError

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FULL_COUNT = 500
SCALARS = [
    "string",
    "bytes",
    "bool",
    "address",
    "uint8",
    "uint64",
    "uint256",
    "int8",
    "int128",
    "int256",
    "bytes4",
    "bytes32",
]
SHAPES = ["{}", "{}", "{}", "{}[]", "{}[2]", "({},string)", "tuple({},uint64)", "({} a,string[] b)[]", "{}[][]"]


@pytest.fixture(scope="module")
def rounds(drill_scale: float) -> range:
    return range(max(20, int(FULL_COUNT * drill_scale)))


def scalar(chance: random.Random, kind: str) -> Any:
    """A random value as JSON has it."""
    if kind == "string":
        return "".join(chance.choices('ab æ山🩺\u0301"\\\n', k=chance.randrange(70)))
    if kind == "bool":
        return chance.random() < 0.5
    if kind == "address":
        return checksum_address(chance.randbytes(20))
    if kind.startswith("bytes"):
        return to_hex(chance.randbytes(int(kind[5:]) if kind[5:] else chance.randrange(100)))
    bits = int(kind.lstrip("uint"))
    low, high = (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return str(chance.choice([low, high, chance.randint(low, high)]))


def shaped(chance: random.Random, shape: str, kind: str) -> Any:
    def one() -> Any:
        return scalar(chance, kind)

    makers: dict[str, Callable[[], Any]] = {
        "{}": one,
        "{}[]": lambda: [one() for _ in range(chance.randrange(4))],
        "{}[2]": lambda: [one(), one()],
        "({},string)": lambda: [one(), scalar(chance, "string")],
        "tuple({},uint64)": lambda: [one(), scalar(chance, "uint64")],
        "({} a,string[] b)[]": lambda: [[one(), [scalar(chance, "string")] * 2] for _ in range(chance.randrange(3))],
        "{}[][]": lambda: [[one()], [], [one(), one()]],
    }
    return makers[shape]()


def random_values(chance: random.Random) -> list[dict[str, Any]]:
    values = []
    for at in range(chance.randrange(1, 20)):
        shape, kind = chance.choice(SHAPES), chance.choice(SCALARS)
        value = shaped(chance, shape, kind)
        values.append(
            {"type": shape.format(kind), "name": f"näme {at}", "value": value, "salt": to_hex(chance.randbytes(32))}
        )
    return values


def random_message(chance: random.Random, form: Form) -> OffchainMessage:
    return OffchainMessage(
        schema=Digest(chance.randbytes(32)),
        time=chance.randrange(1_600_000_000, 1_800_000_000),
        data=chance.randbytes(chance.randrange(100)),
        recipient=Address(chance.choice([bytes(20), chance.randbytes(20)])),
        expiration_time=chance.choice([0, 2**33, 2**40]),
        revocable=chance.random() < 0.5,
        ref_uid=Digest(chance.choice([bytes(32), chance.randbytes(32)])),
        salt=Digest(chance.randbytes(32) if form is Form.VERSION2 else bytes(32)),
    )


def random_domain(chance: random.Random) -> Domain:
    listed = chance.choice(list(networks().values())).domain()
    return chance.choice(
        [listed, Domain(chance.choice(CONTRACT_VERSIONS), chance.randrange(1, 2**53), Address(chance.randbytes(20)))]
    )


@pytest.mark.long
def test_what_we_sign_the_sdk_verifies(peer: Peer, rounds: range) -> None:
    for seed in rounds:
        chance = random.Random(seed)
        form, signer = chance.choice(list(Form)), LocalSigner(chance.randbytes(32))
        package = sign_offchain(random_message(chance, form), random_domain(chance), signer, form)
        assert peer.call("verify", pkg=packages.to_json(package)) is True
        assert peer.call("zip", pkg=packages.to_json(package)) == links.to_base64(package)
        assert peer.call("url", pkg=packages.to_json(package)) == links.to_url(package)
        opened = peer.call("unzip", base64=links.to_base64(package))
        assert packages.to_json(package)["sig"]["uid"] == opened["sig"]["uid"]
        if form is not Form.LEGACY:  # the SDK forgets which legacy struct was signed
            assert peer.call("verify", pkg=opened) is True


@pytest.mark.long
def test_what_the_sdk_signs_we_verify(peer: Peer, rounds: range) -> None:
    for seed in rounds:
        chance = random.Random(seed)
        form = chance.choice([Form.LEGACY, Form.VERSION1, Form.VERSION2])
        secret = chance.randbytes(32)
        ours = sign_offchain(random_message(chance, form), random_domain(chance), LocalSigner(secret), form)
        data = packages.to_json(ours)
        message = {name: value for name, value in data["sig"]["message"].items() if name != "version"}
        request = {"domain": data["sig"]["domain"], "version": form.version, "message": message}
        theirs = peer.call("sign", key=to_hex(secret), **request)
        assert packages.loads(json.dumps(theirs)) == ours
        assert verify_offchain(packages.from_json(theirs), now=NOW).attester == ours.signer
        assert links.from_url(peer.call("url", pkg=theirs)) == ours
        theirs["sig"]["message"]["time"] = str(ours.message.time + 1)
        with pytest.raises(ChartsealError):
            verify_offchain(packages.from_json(theirs), now=NOW)


@pytest.mark.long
def test_private_data_both_ways(peer: Peer, rounds: range) -> None:
    for seed in rounds:
        chance = random.Random(seed)
        values = random_values(chance)
        theirs = peer.call("tree", values=values)
        ours = PrivateData.from_json(theirs)
        assert peer.call("verifyTree", tree=ours.to_json()) == to_hex(ours.root)
        indexes = chance.sample(range(len(values)), chance.randrange(1, len(values) + 1))
        their_proof = peer.call("multiproof", values=values, indexes=indexes)
        our_proof = ours.multiproof(indexes)
        assert Multiproof.from_json(their_proof) == our_proof
        assert our_proof.to_json() == their_proof
        assert our_proof.verify(ours.root)
        assert peer.call("verifyMultiproof", root=to_hex(ours.root), proof=our_proof.to_json()) is True
        changed = PrivateValue("string", "another", "x", our_proof.leaves[0].salt)
        forged = Multiproof((changed, *our_proof.leaves[1:]), our_proof.siblings, our_proof.flags)
        with pytest.raises(ChartsealError):
            forged.verify(ours.root)
        assert peer.call("verifyMultiproof", root=to_hex(ours.root), proof=forged.to_json()) is False


@pytest.mark.long
def test_flat_schemas_both_ways(peer: Peer, rounds: range) -> None:
    for seed in rounds:
        chance = random.Random(seed)
        kinds = [chance.choice(SCALARS) + chance.choice(["", "", "[]"]) for _ in range(chance.randrange(1, 8))]
        text = chance.choice([",", ", "]).join(f"{kind} m{at}" for at, kind in enumerate(kinds))
        values = [
            [scalar(chance, kind[:-2]) for _ in range(3)] if kind.endswith("[]") else scalar(chance, kind)
            for kind in kinds
        ]
        schema = Schema.parse(text)
        params = [{"name": f"m{at}", "type": kind, "value": values[at]} for at, kind in enumerate(kinds)]
        data = peer.call("encode", schema=text, params=params)
        assert to_hex(schema.encode(values)) == data
        items = schema.to_json(schema.decode(schema.encode(values)))
        assert [item["value"] for item in items] == values == peer.call("decode", schema=text, data=data)
        resolver, revocable = Address(chance.randbytes(20)), chance.random() < 0.5
        uid = peer.call("schemaUid", schema=text, resolver=checksum_address(resolver), revocable=revocable)
        assert schema_uid(text, resolver, revocable) == digest_from(uid, "")


def test_the_peer_itself_refuses(peer: Peer) -> None:
    with pytest.raises(PeerError):
        peer.call("tree", values=[])
