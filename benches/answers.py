"""Pulling and verifying the answer of another node, beside `verify` of the same records disclosed by their holder.

Ours makes pages of FHIR out of no socket: what a network adds is its own. An answer has one holder's signature less
for each record, and holds each resource a second time, against which what is verified is compared.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

import httpx
from _charts import EXAMPLES
from _figures import Figure, cpu_seconds, table

from chartseal.attestation import Address, checksum_address
from chartseal.disclosure import Answered, Ground, Selection, UnverifiedAnswer, answer_record, everything, present
from chartseal.disclosure.answers import SIGNATURE_FORMAT
from chartseal.keys import IssuerKey, Wallet
from chartseal.node.pull import Peer, everything_of, pull
from chartseal.record import rebuild
from chartseal.sealing import Issuing, SealedRecord, seal_chart
from chartseal.verification import TrustedIssuer, TrustPolicy, verify, verify_answer

_CHARTS = sorted(EXAMPLES.glob("*.json.gz"))
_AUDIENCE, _NONCE = "https://verifier.example", bytes([0x88]) * 32
_CUSTODIAN, _BASE = Address(b"\xc1" * 20), "https://custodian.example/fhir"
_COUNT, _PAGE = 500, 100


def _sealed(issuing: Issuing, address: bytes, now: datetime) -> Iterator[SealedRecord]:
    """The records of the three charts, sealed again and again."""
    for chart in cycle(_CHARTS):
        yield from seal_chart(chart, issuing, address, now=now).records


def _entries(record: SealedRecord, at: int) -> list[str]:
    """A resource and its Provenance, as a node answers them: JSON texts, numbers as they were sealed."""
    names = {each.name for each in everything(record).choices[0].opened}
    opened = [each for each in record.fields if each.name in names]
    text = rebuild(record.resource_type, opened, record.detached, partial=True).text
    url = f"{_BASE}/{record.resource_type}/{at}"
    signature = {"sigFormat": SIGNATURE_FORMAT, "data": base64.b64encode(answer_record(record)).decode()}
    provenance = {
        "resourceType": "Provenance",
        "target": [{"reference": url}],
        "policy": ["urn:chartseal:basis:site-policy"],
        "signature": [signature],
    }
    return [f'{{"fullUrl":{json.dumps(url)},"resource":{text}}}', json.dumps({"resource": provenance})]


def _node(records: Sequence[SealedRecord]) -> httpx.Client:
    """Answers with the records in pages, which are made beforehand."""
    entries = [",".join(_entries(record, at)) for at, record in enumerate(records)]
    pages = [",".join(entries[at : at + _PAGE]) for at in range(0, len(entries), _PAGE)]

    def handle(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("page", 0))
        link = f'[{{"relation":"next","url":"?page={at + 1}"}}]' if at + 1 < len(pages) else "[]"
        body = f'{{"resourceType":"Bundle","type":"searchset","link":{link},"entry":[{pages[at]}]}}'
        headers = {
            "Content-Type": "application/fhir+json",
            "Chartseal-Nonce": request.headers["Chartseal-Nonce"],
            "Chartseal-Custodian": checksum_address(_CUSTODIAN),
        }
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body.encode()))

    return httpx.Client(transport=httpx.MockTransport(handle))


def figures() -> list[Figure]:
    """An answer of five hundred records: made, verified, pulled."""
    now, wallet, key = datetime.now(UTC), Wallet.generate(), IssuerKey.generate(base="https://provider.example/fhir/")
    issuing = key.issuing()
    records = list(islice(_sealed(issuing, wallet.sealing_address().data, now), _COUNT))
    trust = TrustPolicy(
        issuers=(TrustedIssuer(issuing.signer.address, "Provider"),), domains=frozenset({issuing.domain})
    )
    shown = present(
        Selection(tuple(everything(record).choices[0] for record in records)),
        wallet,
        audience=_AUDIENCE,
        nonce=_NONCE,
        expires_at=now + timedelta(hours=1),
        now=now,
    ).to_json()
    answered = tuple(Answered(answer_record(record), Ground.SITE_POLICY) for record in records)
    answer, peer = UnverifiedAnswer(_CUSTODIAN, _NONCE, answered), Peer(_CUSTODIAN, _BASE)

    def verified() -> int:
        found = verify_answer(answer, trust, channel=_CUSTODIAN, nonce=_NONCE, now=now, consent=None)
        return len(found.records)

    def pulled() -> int:
        found = pull(client, peer, everything_of("p"), trust, now=now)
        assert found.holds_whole
        return len(found.facts)

    def disclosed() -> int:
        return len(verify(shown, trust, audience=_AUDIENCE, nonce=_NONCE, now=now).records)

    def made() -> int:
        return sum(len(answer_record(record)) for record in records)

    with _node(records) as client:
        assert verified() == pulled() == disclosed() == _COUNT
        theirs = cpu_seconds(disclosed, 5) / _COUNT
        rows = (
            (f"verify an answer of {_COUNT} records, each", verified, None),
            (f"pull {_COUNT} records in pages of {_PAGE} and verify them, each", pulled, 0.5),
        )
        peer_name = "verify, the same records disclosed"
        found = [Figure(what, cpu_seconds(run, 5) / _COUNT, peer_name, theirs, goal) for what, run, goal in rows]
    return [*found, Figure("make an answer record", cpu_seconds(made, 5) / _COUNT)]


if __name__ == "__main__":
    print(table(figures()))
