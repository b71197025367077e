"""A node that answers a pull, made of sealed records and of what a liar changes; served by httpx's mock transport."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from chartseal.attestation import Address, checksum_address
from chartseal.disclosure import Selection, answer_record
from chartseal.disclosure.answers import SIGNATURE_FORMAT
from chartseal.record import rebuild
from chartseal.sealing import SealedRecord
from tests.answering import CONSENT, CUSTODIAN, root_of

BASE = "https://a.example/fhir"


def by_consent(root: bytes) -> list[str]:
    return ["urn:chartseal:basis:consent", f"urn:chartseal:consent:0x{root.hex()}"]


BY_CONSENT = by_consent(root_of(CONSENT))
SITE_POLICY = ["urn:chartseal:basis:site-policy"]


def resource_of(record: SealedRecord, opened: Selection | None = None) -> dict[str, Any]:
    """What an honest node tells of a record."""
    fields, is_cut = list(record.fields), opened is not None
    if opened is not None:
        names = {each.name for each in opened.choices[0].opened}
        fields = [each for each in fields if each.name in names]
    text = rebuild(record.resource_type, fields, record.detached, partial=is_cut).text
    made: dict[str, Any] = json.loads(text, parse_float=_Number)
    return made


class _Number(float):
    """A number that is written as it was read."""

    def __new__(cls, text: str) -> _Number:
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str

    def __repr__(self) -> str:
        return self.text


def provenance_of(
    record: SealedRecord, target: str, *, policy: Sequence[str] = tuple(BY_CONSENT), **changes: Any
) -> dict[str, Any]:
    data = changes.pop("data", None) or answer_record(record, changes.pop("opened", None))
    return {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": "2026-12-31T00:00:00Z",
        "policy": list(policy),
        "agent": [{"who": {"display": "A"}}],
        "signature": [
            {
                "type": [{"code": "1.2.840.10065.1.12.1.14"}],
                "when": "2026-12-31T00:00:00Z",
                "who": {"display": "A"},
                "sigFormat": SIGNATURE_FORMAT,
                "data": base64.b64encode(data).decode(),
            }
        ],
        **changes,
    }


def entries_of(records: Sequence[SealedRecord], **options: Any) -> list[dict[str, Any]]:
    """Each resource under a name of the node's, then its Provenance."""
    made = []
    for at, record in enumerate(records):
        name = f"{record.resource_type}/n{at}"
        resource = {**resource_of(record, options.get("opened")), "id": f"n{at}"}
        made.append({"fullUrl": f"{BASE}/{name}", "resource": resource, "search": {"mode": "match"}})
        made.append({"resource": provenance_of(record, name, **options), "search": {"mode": "include"}})
    return made


@dataclass
class Node:
    """Answers each path with a page; keeps what it was asked."""

    pages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    following: dict[str, str] = field(default_factory=dict)
    custodian: Address = CUSTODIAN
    nonce: str | None = None
    """Another than the request's."""
    asked: list[httpx.Request] = field(default_factory=list)
    before: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
    """What answers in the node's place."""

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        instead = self.before(request)
        if instead is not None:
            return instead
        path = request.url.raw_path.decode().removeprefix("/fhir/")
        if path not in self.pages:
            return httpx.Response(404)
        bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "entry": self.pages[path]}
        if path in self.following:
            bundle["link"] = [{"relation": "self", "url": "x"}, {"relation": "next", "url": self.following[path]}]
        return self.answer(request, json.dumps(bundle).encode())

    def answer(self, request: httpx.Request, body: bytes, **headers: str) -> httpx.Response:
        stated = {
            "Content-Type": "application/fhir+json; charset=utf-8",
            "Chartseal-Nonce": self.nonce or request.headers["Chartseal-Nonce"],
            "Chartseal-Custodian": checksum_address(self.custodian),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return httpx.Response(200, headers=stated, stream=httpx.ByteStream(body))

    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self.handle))
