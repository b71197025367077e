"""Gas of our contracts on a local chain: an opening checked, a record anchored, an issuer accredited."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from _figures import Figure, table
from _private_data import FIELDS, data
from eth_abi.abi import encode

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest, PrivateData
from chartseal.chain.calls import Receipt, Write
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.deploy import deploy
from chartseal.chain.local.devnet import Devnet, accounts
from chartseal.chain.schemas import ACCREDITATION, PRIVATE_DATA, SAMPLE, WITHDRAWAL, ChainSchema
from chartseal.chain.sending.sender import Sender

RECORDS = 1_000
MOST_GAS_OF_THREE = 60_000
MOST_GAS_OF_RECORD = 50
BATCH = 64
OPENED = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)


class Chain:
    """EAS on a local chain, with one key that pays."""

    def __init__(self, devnet: Devnet) -> None:
        assert devnet.deployment
        self.sender = Sender(devnet.node, accounts()[0])
        self.eas = Contract.load("eas").at(devnet.deployment.eas)
        self.registry = Contract.load("schema_registry").at(devnet.deployment.schema_registry)

    def deploy(self, name: str, *arguments: Address | int) -> Bound:
        """One of our contracts, ready to be called."""
        return Contract.load(name).at(deploy(self.sender, name, *arguments).address)

    def register(self, schema: ChainSchema, resolver: Address = ZERO_ADDRESS) -> Digest:
        """A schema's uid, once it is registered."""
        self.sender.send(self.registry.write("register", schema.text, resolver, schema.revocable))
        return schema.uid(resolver)

    def send(self, write: Write[Receipt]) -> Receipt:
        """The receipt of one transaction."""
        return self.sender.send(write)

    def attest(self, schema: Digest, payload: bytes, **members: Any) -> tuple[Digest, int]:
        """The uid of one attestation, and its gas."""
        receipt = self.send(self.eas.write("attest", (schema, _request(payload, **members))))
        [event] = self.eas.events_in(receipt, "Attested")
        return Digest(event["uid"]), receipt.gas_used


def _request(
    payload: bytes, *, recipient: Address = ZERO_ADDRESS, revocable: bool = True, ref: Digest = ZERO_DIGEST
) -> tuple[Any, ...]:
    return recipient, 0, revocable, ref, payload, 0


def base(payload: bytes) -> int:
    """Gas of a transaction before the contract begins: its own 21,000 and its call data (EIP-2028)."""
    zeros = payload.count(0)
    return 21_000 + 4 * zeros + 16 * (len(payload) - zeros)


def opened(chain: Chain, verifier: Bound, uid: Digest, tree: PrivateData, count: int) -> int:
    """Gas above base of checking an opening of so many values, spread over the tree."""
    proof = tree.multiproof([at * FIELDS // count for at in range(count)])
    leaves = [(each.type, each.name, encode([each.type], [each.value]), each.salt) for each in proof.leaves]
    write = verifier.write("verify", uid, leaves, list(proof.siblings), list(proof.flags))
    return chain.send(write).gas_used - base(write.data)


def openings(chain: Chain) -> list[Figure]:
    """One row for each number of leaves; the goal is for three."""
    verifier = chain.deploy("private_data_verifier", chain.eas.address)
    tree = data()
    uid, _ = chain.attest(chain.register(PRIVATE_DATA), tree.root)
    rows = []
    for count in OPENED:
        gas = opened(chain, verifier, uid, tree, count)
        row = Figure(f"opening of {count} of {FIELDS} checked on chain, above base", gas, unit="gas")
        rows.append(replace(row, peer="the most we allow", theirs=MOST_GAS_OF_THREE, goal=1) if count == 3 else row)
    return rows


def anchors(chain: Chain) -> list[Figure]:
    """A timestamp shared by a batch, beside EAS's own way: an attestation of each record."""
    sample = encode(["bytes32", "bytes32", "uint64", "bytes32"], [*[secrets.token_bytes(32)] * 2, 1, bytes([7]) * 32])
    _, attested = chain.attest(chain.register(SAMPLE), sample, recipient=chain.sender.address)
    gas = chain.send(chain.eas.write("timestamp", secrets.token_bytes(32))).gas_used
    return [
        Figure(
            f"chain cost of a record, {RECORDS:,} a batch",
            gas / RECORDS,
            "EAS attest of the sample schema",
            attested,
            goal=round(attested / MOST_GAS_OF_RECORD),
            unit="gas",
        )
    ]


def accreditations(chain: Chain) -> list[Figure]:
    """What an authority pays, and what its gate adds to a record attested on chain."""
    me, issuer = chain.sender.address, Address(b"\x0a" * 20)
    resolver = chain.deploy("accreditation_resolver", chain.eas.address, me)
    schema = chain.register(ACCREDITATION, resolver.address)
    plain = chain.register(ACCREDITATION)
    payload = _accreditation()
    accredited, gas = chain.attest(schema, payload, recipient=issuer)
    _, bare = chain.attest(plain, payload, recipient=issuer)
    withdrawal = chain.register(WITHDRAWAL, resolver.address)
    cause = encode(["bytes32", "uint64", "uint8"], [accredited, 0, 0])
    _, withdrawn = chain.attest(withdrawal, cause, recipient=issuer, ref=accredited, revocable=False)
    _, withdrawn_bare = chain.attest(
        chain.register(WITHDRAWAL), cause, recipient=issuer, ref=accredited, revocable=False
    )
    chain.attest(schema, payload, recipient=me)
    unchecked = "EAS attest without resolver"
    rows = [
        Figure("accredit an issuer", gas, unchecked, bare, is_floor=True, unit="gas"),
        Figure("withdraw an accreditation", withdrawn, unchecked, withdrawn_bare, is_floor=True, unit="gas"),
    ]
    return rows + records(chain, resolver.address)


def _accreditation() -> bytes:
    kinds = ["string", "uint256", "bytes32", "bytes", "bytes32", "string", "uint64", "address"]
    key, possession = secrets.token_bytes(32), secrets.token_bytes(64)
    parts = ["Example Pharmacy", 4, key, possession, key, "https://pharmacy.example/fhir", 1, bytes(20)]
    return encode(kinds, parts)


def records(chain: Chain, accreditations: Address) -> list[Figure]:
    """One record, and a batch, by an accredited issuer."""
    gate = chain.deploy("record_resolver", chain.eas.address, accreditations, 4)
    gated, plain = chain.register(PRIVATE_DATA, gate.address), PRIVATE_DATA.uid()
    _, one = chain.attest(gated, secrets.token_bytes(32))
    _, bare = chain.attest(plain, secrets.token_bytes(32))
    many, many_bare = (
        chain.send(
            chain.eas.write("multiAttest", [(schema, [_request(secrets.token_bytes(32)) for _ in range(BATCH)])])
        ).gas_used
        / BATCH
        for schema in (gated, plain)
    )
    return [
        Figure("attest a record as an accredited issuer", one, "without resolver", bare, is_floor=True, unit="gas"),
        Figure(f"the same, {BATCH} a batch", many, "without resolver", many_bare, is_floor=True, unit="gas"),
    ]


def figures() -> list[Figure]:
    """All of them, on one chain."""
    with Devnet() as devnet:
        chain = Chain(devnet)
        return openings(chain) + anchors(chain) + accreditations(chain)


if __name__ == "__main__":
    print(table(figures()))
