"""An answer is bound to its request: over a real app, pulled from as from any node."""

from __future__ import annotations

import json

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from chartseal.attestation import checksum_address
from chartseal.node.binding import BoundAnswers
from chartseal.node.pull import Peer, everything_of, pull
from chartseal.sealing import SealedRecord
from tests.answering import CONSENT, CUSTODIAN, TRUST, MadeConsents
from tests.answering_nodes import BASE, entries_of
from tests.charts import NOW, sealed, texts

NONCE = "0x" + "5a" * 32


def record() -> SealedRecord:
    return sealed("Condition", texts({"Condition.code.text": "x"}))


def client() -> TestClient:
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries_of([record()])}

    async def answer(request: Request) -> Response:
        if request.path_params["rest"] == "missing":
            return Response(status_code=404)
        return Response(json.dumps(bundle), media_type="application/fhir+json")

    app = Starlette(
        routes=[Route("/fhir/{rest:path}", answer)], middleware=[Middleware(BoundAnswers, custodian=CUSTODIAN)]
    )
    return TestClient(app, base_url="https://a.example")


def test_a_bound_answer_is_pulled() -> None:
    peer = Peer(CUSTODIAN, BASE)
    pulled = pull(
        client(), peer, everything_of("p"), TRUST, now=NOW, consent=MadeConsents(), consents=[CONSENT], token="t"
    )
    assert pulled.holds_whole
    assert len(pulled.facts) == 1


def test_every_answer_repeats_its_nonce_and_names_the_custodian() -> None:
    for path in ("all", "missing"):
        answered = client().get(f"/fhir/{path}", headers={"Chartseal-Nonce": NONCE})
        assert answered.headers["Chartseal-Nonce"] == NONCE
        assert answered.headers["Chartseal-Custodian"] == checksum_address(CUSTODIAN)


@pytest.mark.parametrize("nonce", ["", "0x", NONCE[:-1], NONCE + "0", NONCE[2:], "0x" + "g" * 64, "<script>"])
def test_nothing_else_comes_back(nonce: str) -> None:
    answered = client().get("/fhir/all", headers={"Chartseal-Nonce": nonce})
    assert "Chartseal-Nonce" not in answered.headers
    assert "Chartseal-Custodian" not in answered.headers


def test_a_nonce_that_stands_twice_is_none() -> None:
    headers = [("Chartseal-Nonce", NONCE), ("Chartseal-Nonce", "0x" + "11" * 32)]
    assert "Chartseal-Nonce" not in client().get("/fhir/all", headers=headers).headers
