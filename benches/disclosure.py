"""Verifying a whole disclosure, beside the part of it that eas-sdk knows: signatures of the seals and multiproofs.

Ours reads the JSON, recounts slots, checks issuer, times, the holder's signatures and makes FHIR of it besides.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from _charts import EXAMPLES
from _figures import Figure, cpu_seconds, table
from _peer import SDK, Peer

from chartseal.attestation import packages, to_hex
from chartseal.disclosure import UnverifiedDisclosure, present, select
from chartseal.keys import IssuerKey, Wallet
from chartseal.sealing import SealedRecord, seal_chart
from chartseal.verification import TrustedIssuer, TrustPolicy, verify

_CHART = EXAMPLES / "Della_Hettinger_8386e1d9.json.gz"
_AUDIENCE, _NONCE = "https://verifier.example", bytes([0x88]) * 32
_MANY = 50


def _disclosed(records: list[SealedRecord], wallet: Wallet, now: datetime) -> UnverifiedDisclosure:
    return present(
        select(records, ["Observation.valueQuantity.value"]),
        wallet,
        audience=_AUDIENCE,
        nonce=_NONCE,
        expires_at=now + timedelta(minutes=10),
        now=now,
    )


def _peer_seconds(peer: Peer, disclosure: UnverifiedDisclosure) -> float:
    """CPU seconds for the first record's seal and multiproof; the records are all alike."""
    record = disclosure.records[0]
    package, proof, root = packages.to_json(record.package), record.multiproof.to_json(), record.package.message.data
    assert peer.call("verify", pkg=package) is True
    assert peer.call("verifyMultiproof", root=to_hex(root), proof=proof) is True
    seal = peer.cpu_seconds("verify", 200, pkg=package)
    return seal + peer.cpu_seconds("verifyMultiproof", 200, root=to_hex(root), proof=proof)


def figures() -> list[Figure]:
    """One record and fifty, from JSON to facts."""
    now, wallet, key = datetime.now(UTC), Wallet.generate(), IssuerKey.generate(base="https://provider.example/fhir/")
    issuing = key.issuing()
    sealing = seal_chart(_CHART, issuing, wallet.sealing_address().data, now=now)
    records = [
        record
        for record in sealing.records
        if any(each.name == "Observation.valueQuantity.value" for each in record.fields)
    ]
    trust = TrustPolicy(
        issuers=(TrustedIssuer(issuing.signer.address, "Provider"),), domains=frozenset({issuing.domain})
    )
    rows = []
    for count in (1, _MANY):
        disclosure = _disclosed(records[:count], wallet, now)
        text = disclosure.to_json()
        assert len(disclosure.records) == count

        def run(text: bytes | str = text) -> object:
            return verify(text, trust, audience=_AUDIENCE, nonce=_NONCE, now=now)

        ours = cpu_seconds(run, max(10, 200 // count)) / count
        with Peer() as peer:
            theirs = _peer_seconds(peer, disclosure)
        opened = sum(len(record.multiproof.leaves) for record in disclosure.records) / count
        what = "1 record" if count == 1 else f"{count} records, each"
        rows.append(
            Figure(f"verify a disclosure of {what} ({opened:.0f} leaves)", ours, f"{SDK} (seal, proof)", theirs)
        )
    return rows


if __name__ == "__main__":
    print(table(figures()))
