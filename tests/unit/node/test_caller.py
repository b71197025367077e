"""Who is let in by a token, and for how long that lasts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from chartseal.consent import Scopes
from chartseal.errors import AccessError, NodeError, TokenError
from chartseal.node.caller import Admission, Caller, authenticated, challenge
from chartseal.node.smart.accreditations import Member
from chartseal.node.smart.b2b import B2b
from chartseal.node.smart.clients import RegisteredClient
from chartseal.node.smart.jose import KeySet
from chartseal.node.smart.replays import Replays
from chartseal.node.smart.signing_keys import TOKEN_KEYS, SigningKeys
from chartseal.node.smart.tokens import Tokens
from tests.node_clients import (
    B2B,
    CLIENT_ID,
    ENDPOINT,
    HOSPITAL,
    NOW,
    MemoryKeys,
    Site,
    b64,
    ec_key,
    key_set,
    rsa_key,
    signed,
)

READ_ALL = Scopes.parse("system/*.rs")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Replays.open(str(tmp_path / "tokens.db")) as store:
        yield Site(store)


def admission_of(site: Site) -> Admission:
    return Admission(site.tokens, site.clients, now=site.clock)


def token_of(site: Site, scopes: str = "system/*.rs", client_id: str = CLIENT_ID) -> str:
    client = site.clients.find(client_id, site.clock.now)
    assert client is not None
    return site.tokens.issue(client, Scopes.parse(scopes), B2b.from_json(B2B), site.clock.now).text


def admitted(site: Site, token: str) -> Caller:
    return admission_of(site).admit([f"Bearer {token}"], {})


def code_of(site: Site, token: str) -> str:
    with pytest.raises(TokenError) as caught:
        admitted(site, token)
    return caught.value.code


def test_a_caller_is_who_the_token_is_for(site: Site) -> None:
    caller = admitted(site, token_of(site, "system/Observation.rs"))
    requester = caller.requester
    assert (caller.client_id, caller.expires_at) == (CLIENT_ID, NOW + timedelta(minutes=5))
    assert (requester.account, requester.is_accredited) == (HOSPITAL, True)
    assert requester.roles == {"hospital", "laboratory"}
    assert requester.purpose == "TREAT"
    assert requester.person == "urn:oid:2.16.840.1.113883.4.6#1234567893"
    assert requester.organisation == "https://b.example/org"
    assert requester.scopes.allows("Observation", "r", frozenset())
    assert not requester.scopes.allows("Patient", "r", frozenset())
    assert not requester.scopes.allows("Observation", "d", frozenset())
    assert caller.b2b == B2b.from_json(B2B)
    assert "Ada" not in repr(caller)
    assert "1234567893" not in repr(caller)


def test_a_token_ends_by_itself(site: Site) -> None:
    token = token_of(site)
    site.clock.now += timedelta(seconds=299)
    assert admitted(site, token).client_id == CLIENT_ID
    site.clock.now += timedelta(seconds=1)
    assert code_of(site, token) == "token_expired"


def test_a_token_ends_with_its_clients_accreditation(site: Site) -> None:
    token = token_of(site)
    member = site.accreditations.members.pop(HOSPITAL)
    assert code_of(site, token) == "client_gone"
    site.accreditations.members[HOSPITAL] = member
    assert admitted(site, token).client_id == CLIENT_ID


def test_a_role_that_was_lost_is_lost_at_once_and_one_that_was_won_is_not_had(site: Site) -> None:
    token = token_of(site)
    site.accreditations.members[HOSPITAL] = Member(HOSPITAL, frozenset({"laboratory", "insurer"}), "G", ENDPOINT)
    assert admitted(site, token).requester.roles == {"laboratory"}


def test_a_token_ends_with_its_clients_registration(site: Site) -> None:
    keys = KeySet.loads(key_set(ec_key("e")))
    site.registered["ehr"] = RegisteredClient("ehr", keys, READ_ALL, frozenset({"insurer"}))
    token = token_of(site, client_id="ehr")
    caller = admitted(site, token)
    assert (caller.requester.account, caller.requester.is_accredited) == (None, False)
    assert caller.requester.roles == {"insurer"}
    site.registered["ehr"] = RegisteredClient("ehr", keys, Scopes.parse("system/Patient.r"))
    scopes = admitted(site, token).requester.scopes
    assert scopes.allows("Patient", "r", frozenset())
    assert not scopes.allows("Observation", "r", frozenset())
    del site.registered["ehr"]
    assert code_of(site, token) == "client_gone"


def test_while_nobody_knows_who_stands_nobody_is_let_in(site: Site) -> None:
    token = token_of(site)
    site.accreditations.is_broken = True
    with pytest.raises(NodeError):
        admitted(site, token)


def test_a_token_is_one_nodes(site: Site, tmp_path: Path) -> None:
    with Replays.open(str(tmp_path / "other.db")) as store:
        other = Site(store, key=site.key, base="https://c.example/node")
        shared = Site(store, key=site.key, base="https://c.example/node", provider=site.provider)
        assert code_of(site, token_of(other)) == "token_invalid"
        assert code_of(shared, token_of(site)) == "token_invalid"
        assert admitted(other, token_of(other)).client_id == CLIENT_ID


def test_a_token_outlives_one_rotation_of_its_key_and_not_two(site: Site) -> None:
    token = token_of(site)
    site.token_keys.rotate()
    assert admitted(site, token).client_id == CLIENT_ID
    site.token_keys.rotate()
    assert code_of(site, token) == "token_invalid"


def claims(**changes: Any) -> dict[str, Any]:
    at = int(NOW.timestamp())
    base = "https://a.example/node"
    good = {
        "iss": base,
        "aud": f"{base}/fhir",
        "sub": CLIENT_ID,
        "client_id": CLIENT_ID,
        "jti": "t",
        "iat": at,
        "exp": at + 300,
        "scope": "system/*.rs",
        "roles": ["hospital"],
        "hl7-b2b": B2B,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def ours(site: Site, kind: str = "at+jwt", **changes: Any) -> str:
    return site.token_keys.sign(kind, json.dumps(claims(**changes)).encode())


@pytest.mark.parametrize(
    "change",
    [
        *[{name: None} for name in claims() if name != "sub"],
        {"aud": "https://a.example/node"},
        {"aud": ["https://a.example/node/fhir"]},
        {"iss": "https://a.example"},
        {"exp": int(NOW.timestamp()) + 301},
        {"iat": int(NOW.timestamp()) + 31, "exp": int(NOW.timestamp()) + 32},
        {"exp": True},
        {"scope": ["system/*.rs"]},
        {"client_id": 7},
        {"roles": "hospital"},
        {"hl7-b2b": {}},
    ],
)
def test_a_token_of_ours_has_every_part(site: Site, change: dict[str, Any]) -> None:
    assert admitted(site, ours(site)).client_id == CLIENT_ID
    assert code_of(site, ours(site, **change)) == "token_invalid"


def test_only_the_token_key_makes_tokens(site: Site) -> None:
    good = ours(site)
    head, content, signature = good.split(".")
    other = ec_key(site.token_keys.published()["keys"][0]["kid"])
    assertion = site.client_keys.sign("at+jwt", json.dumps(claims()).encode())
    rs384 = rsa_key(str(other.kid))
    for text in (
        assertion,
        ours(site, "JWT"),
        signed(other, claims(), typ="at+jwt"),
        signed(rs384, claims(), typ="at+jwt"),
        signed(other, claims(), typ="at+jwt", jku="https://evil.example/jwks.json"),
        f"{b64(json.dumps({'alg': 'none', 'kid': other.kid, 'typ': 'at+jwt'}).encode())}.{content}.x",
        f"{head}.{content}.{signature[:-8]}AAAAAAAA",
        f"{head}.{b64(json.dumps(claims(scope='system/*.cruds')).encode())}.{signature}",
        f"{head}.{content}.",
        "x",
        "x" * 20_000,
    ):
        assert code_of(site, text) == "token_invalid"


@pytest.mark.parametrize("minutes", [0, -1, 5.1])
def test_a_token_lives_for_at_most_five_minutes(minutes: float) -> None:
    with pytest.raises(AccessError) as caught:
        Tokens(SigningKeys(MemoryKeys(), TOKEN_KEYS), issuer="i", audience="a", lifetime=timedelta(minutes=minutes))
    assert caught.value.code == "token_setting"


def test_a_request_is_counted_for_whom_its_token_was_given_to(site: Site) -> None:
    token = token_of(site)
    del site.accreditations.members[HOSPITAL]
    admission = admission_of(site)
    assert admission.identify(Headers({"authorization": f"Bearer {token}"})) == CLIENT_ID
    assert admission.identify(Headers({"authorization": f"Bearer {token}x"})) is None
    assert admission.identify(Headers({"authorization": "Bearer ingest-secret"})) is None
    assert admission.identify(Headers({})) is None


# over HTTP


def client_of(site: Site) -> TestClient:
    app = FastAPI()
    admitted = Depends(authenticated(admission_of(site)))

    @app.get("/fhir/Patient")
    def search(caller: Caller = admitted) -> dict[str, str]:
        return {"client": caller.client_id}

    @app.exception_handler(TokenError)
    async def refused(_: Request, error: TokenError) -> JSONResponse:
        return JSONResponse({"code": error.code}, 401, headers={"WWW-Authenticate": challenge(error)})

    return TestClient(app, base_url="https://a.example")


@pytest.mark.parametrize(
    ("code", "says", "headers", "query"),
    [
        ("token_missing", "Bearer", [], ""),
        ("token_in_url", 'Bearer error="invalid_request"', [], "?access_token={}"),
        ("token_in_url", 'Bearer error="invalid_request"', ["Bearer {}"], "?access_token=x"),
        ("token_malformed", 'Bearer error="invalid_request"', ["Bearer {}", "Bearer {}"], ""),
        ("token_malformed", 'Bearer error="invalid_request"', ["Basic {}"], ""),
        ("token_malformed", 'Bearer error="invalid_request"', ["{}"], ""),
        ("token_malformed", 'Bearer error="invalid_request"', ["Bearer"], ""),
        ("token_malformed", 'Bearer error="invalid_request"', ["Bearer {}, Bearer {}"], ""),
        ("token_malformed", 'Bearer error="invalid_request"', [""], ""),
        ("token_invalid", 'Bearer error="invalid_token"', ["Bearer x{}"], ""),
    ],
)
def test_a_token_comes_in_one_header_alone(site: Site, code: str, says: str, headers: list[str], query: str) -> None:
    token = token_of(site)
    client = client_of(site)
    sent = [("Authorization", each.format(token, token)) for each in headers]
    response = client.get("/fhir/Patient" + query.format(token), headers=sent)
    assert (response.status_code, response.json(), response.headers["www-authenticate"]) == (401, {"code": code}, says)
    good = client.get("/fhir/Patient", headers={"Authorization": f"bearer {token}"})
    assert good.json() == {"client": CLIENT_ID}
