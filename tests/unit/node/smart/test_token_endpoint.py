"""`POST /auth/token` over HTTP: who gets a token, and every way in which nobody may."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from chartseal.attestation import Address
from chartseal.chain.authority import Grant
from chartseal.consent import Scopes
from chartseal.errors import TokenError
from chartseal.node.caller import Admission
from chartseal.node.smart.accreditations import ChainAccreditations
from chartseal.node.smart.assertions import Assertions
from chartseal.node.smart.clients import Clients, RegisteredClient
from chartseal.node.smart.endpoint import smart_router
from chartseal.node.smart.grants import Grants
from chartseal.node.smart.identity import Statement
from chartseal.node.smart.jose import KeySet
from chartseal.node.smart.replays import Replays
from chartseal.verification.policy import TrustedAuthority
from tests.memory_facts import MemoryFacts, block
from tests.node_clients import (
    ACCOUNT,
    B2B,
    BASE,
    CLIENT_ID,
    ENDPOINT,
    HOSPITAL,
    NOW,
    TOKEN_URL,
    MemoryKeys,
    Site,
    b64,
    claims_of,
    ec_key,
    form_of,
    key_set,
    rsa_key,
    signed,
)

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JWKS = f"{ENDPOINT}/.well-known/jwks.json"


@pytest.fixture
def client(site: Site) -> TestClient:
    return client_of(site)


def client_of(site: Site) -> TestClient:
    app = FastAPI()
    app.include_router(smart_router(site.parts))
    return TestClient(app, base_url="https://a.example")


def error_of(response: httpx.Response) -> str:
    assert response.headers["cache-control"] == "no-store"
    assert set(response.json()) == {"error", "error_description"}
    assert response.status_code == (401 if response.json()["error"] == "invalid_client" else 400)
    return str(response.json()["error"])


def test_an_accredited_client_gets_a_token_for_what_it_may_ask(site: Site, client: TestClient) -> None:
    response = client.post("/auth/token", data=site.form())
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    token = site.tokens.read(answer.pop("access_token"), NOW)
    assert answer == {"token_type": "Bearer", "expires_in": 300, "scope": "system/*.rs"}
    assert token.client_id == CLIENT_ID
    assert token.roles == {"hospital", "laboratory"}
    assert token.b2b.to_json() == {**B2B, "purpose_of_use": ["TREAT"]}
    assert site.called == [JWKS]


def test_rs384_is_taken_from_who_has_such_a_key(site: Site, client: TestClient) -> None:
    key = rsa_key()
    site.served[JWKS] = key_set(site.key, key)
    assert client.post("/auth/token", data=form_of(signed(key, claims_of()))).status_code == 200


def test_a_registered_client_needs_no_accreditation_until_it_is_taken_out(site: Site, client: TestClient) -> None:
    key = rsa_key()
    keys = KeySet.loads(key_set(key))
    site.registered["ehr"] = RegisteredClient("ehr", keys, Scopes.parse("system/Observation.rs"))
    form = form_of(signed(key, claims_of(client_id="ehr")))
    answer = client.post("/auth/token", data=form).json()
    assert answer["scope"] == "system/Observation.rs"
    assert site.tokens.read(answer["access_token"], NOW).roles == frozenset()
    assert site.called == []
    del site.registered["ehr"]
    assert error_of(client.post("/auth/token", data=form_of(signed(key, claims_of(client_id="ehr"))))) == (
        "invalid_client"
    )


# who it is


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("assertion_audience", {"aud": "https://c.example/node/auth/token"}),
        ("assertion_audience", {"aud": BASE}),
        ("assertion_audience", {"aud": TOKEN_URL + "/"}),
        ("assertion_audience", {"aud": [TOKEN_URL, "https://c.example/node/auth/token"]}),
        ("assertion_audience", {"aud": None}),
        ("assertion_malformed", {"sub": "0x" + "c1" * 20}),
        ("assertion_malformed", {"sub": None}),
        ("assertion_malformed", {"iss": None}),
        ("assertion_malformed", {"iss": ["x"]}),
        ("assertion_malformed", {"jti": None}),
        ("assertion_malformed", {"jti": ""}),
        ("assertion_malformed", {"jti": "j" * 257}),
        ("assertion_malformed", {"jti": 7}),
        ("assertion_malformed", {"exp": None}),
        ("assertion_malformed", {"exp": True}),
        ("assertion_malformed", {"exp": "soon"}),
        ("assertion_malformed", {"exp": 10**400}),
        ("assertion_malformed", {"exp": -1}),
    ],
)
def test_an_assertion_that_is_not_for_here_or_lacks_a_part_is_refused(
    site: Site, client: TestClient, code: str, change: dict[str, Any]
) -> None:
    with capture_logs() as said:
        assert error_of(client.post("/auth/token", data=site.form(**change))) == "invalid_client"
    assert [each["code"] for each in said] == [code]
    assert client.post("/auth/token", data=site.form()).status_code == 200


@pytest.mark.parametrize(
    ("code", "begins", "issued", "ends"),
    [
        ("", 0, 0, 300),
        ("", None, None, 330),
        ("assertion_too_long", None, None, 331),
        ("assertion_too_long", None, 0, 301),
        ("", None, -329, -29),
        ("assertion_expired", None, -330, -30),
        ("", 30, 0, 300),
        ("assertion_not_begun", 31, 0, 300),
        ("", None, 30, 300),
        ("assertion_not_begun", None, 31, 300),
        ("assertion_too_long", None, None, 86_400),
    ],
)
def test_an_assertion_counts_for_five_minutes_and_no_longer(
    site: Site,
    client: TestClient,
    code: str,
    begins: int | None,
    issued: int | None,
    ends: int,
) -> None:
    at = int(NOW.timestamp())
    times = {"nbf": begins, "iat": issued, "exp": ends}
    form = site.form(**{name: None if value is None else at + value for name, value in times.items()})
    with capture_logs() as said:
        response = client.post("/auth/token", data=form)
    assert (response.status_code, said[0].get("code", "")) == (401 if code else 200, code)


def test_times_with_a_fraction_are_taken(site: Site, client: TestClient) -> None:
    assert client.post("/auth/token", data=site.form(exp=NOW.timestamp() + 299.5)).status_code == 200


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    return ".".join(b64(part) for part in (json.dumps(header).encode(), json.dumps(claims).encode(), signature))


def with_hmac(key: bytes, kid: str, algorithm: str) -> str:
    """The confusion of old: a public key as the secret of an HMAC."""
    text = unsigned({"alg": algorithm, "kid": kid}, claims_of()).rpartition(".")[0]
    kind = {"HS256": hashlib.sha256, "HS384": hashlib.sha384}[algorithm]
    return f"{text}.{b64(hmac.new(key, text.encode(), kind).digest())}"


def forgeries(site: Site) -> dict[str, str]:
    good, other = site.key, ec_key("k1")
    head, content, signature = signed(good, claims_of()).split(".")
    twice = b64(b'{"alg":"none","alg":"ES384","kid":"k1"}')
    public = good.as_pem(private=False)
    raw = base64.urlsafe_b64decode(content + "==")
    return {
        "none": unsigned({"alg": "none", "kid": "k1"}, claims_of()),
        "none with a signature": unsigned({"alg": "none", "kid": "k1"}, claims_of(), b"x" * 96),
        "None": unsigned({"alg": "None", "kid": "k1"}, claims_of(), b"x"),
        "HS256 by the public key": with_hmac(public, "k1", "HS256"),
        "HS384 by the public key": with_hmac(public, "k1", "HS384"),
        "HS384 by the set": with_hmac(key_set(good), "k1", "HS384"),
        "another's key of that name": signed(other, claims_of()),
        "another algorithm's key": signed(ec_key("k1", "P-256"), claims_of(), alg="ES256"),
        "the name of a key of another kind": signed(rsa_key("k1"), claims_of()),
        "an algorithm that the key is not of": unsigned({"alg": "RS384", "kid": "k1"}, claims_of(), b"x" * 256),
        "an unknown key": signed(ec_key("k2"), claims_of()),
        "a path for a name": signed(good, claims_of(), kid="../../k1"),
        "an empty name": signed(good, claims_of(), kid=""),
        "a long name": signed(good, claims_of(), kid="k" * 201),
        "no name": ".".join([b64(b'{"alg":"ES384"}'), content, signature]),
        "a key in the header": signed(other, claims_of(), jwk=other.as_dict(private=False)),
        "a set's address in the header": signed(other, claims_of(), jku="https://evil.example/jwks.json"),
        "a certificate's address": signed(other, claims_of(), x5u="https://evil.example/c.pem"),
        "a certificate": signed(other, claims_of(), x5c=["MIIB"]),
        "an extension that must be understood": unsigned(
            {"alg": "ES384", "kid": "k1", "crit": ["exp"], "exp": 1}, claims_of(), b"x" * 96
        ),
        "a content that is not encoded": unsigned(
            {"alg": "ES384", "kid": "k1", "b64": False, "crit": ["b64"]}, claims_of(), b"x" * 96
        ),
        "a header with a member twice": f"{twice}.{content}.{signature}",
        "another content": f"{head}.{b64(raw + b' ')}.{signature}",
        "a content with a member twice": signed(good, raw[:-1] + b',"aud":"https://c.example"}'),
        "a content that is a list": signed(good, b"[]"),
        "a content that is no JSON": signed(good, b"{"),
        "a deep content": signed(good, b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
        "a signature of zeros": f"{head}.{content}.{b64(bytes(96))}",
        "a cut signature": f"{head}.{content}.{signature[:-4]}",
        "no signature": f"{head}.{content}.",
        "four parts": f"{head}.{content}.{signature}.{signature}",
        "an access token's kind": signed(good, claims_of(), typ="at+jwt"),
        "a long one": signed(good, claims_of(more="x" * 17_000)),
        "nothing": "x",
        "a JSON form": json.dumps({"payload": content, "protected": head, "signature": signature}),
    }


REFUSED_AS = {
    "none": "jws_malformed",
    "none with a signature": "jws_algorithm",
    "None": "jws_algorithm",
    "HS256 by the public key": "jws_algorithm",
    "HS384 by the public key": "jws_algorithm",
    "HS384 by the set": "jws_algorithm",
    "another's key of that name": "jws_signature",
    "another algorithm's key": "jws_algorithm",
    "the name of a key of another kind": "assertion_key",
    "an algorithm that the key is not of": "assertion_key",
    "an unknown key": "assertion_key",
    "a path for a name": "assertion_key",
    "an empty name": "jws_malformed",
    "a long name": "jws_malformed",
    "no name": "jws_malformed",
    "a key in the header": "jws_malformed",
    "a set's address in the header": "assertion_key",
    "a certificate's address": "jws_malformed",
    "a certificate": "jws_malformed",
    "an extension that must be understood": "jws_malformed",
    "a content that is not encoded": "jws_malformed",
    "a header with a member twice": "jws_malformed",
    "another content": "jws_signature",
    "a content with a member twice": "jws_malformed",
    "a content that is a list": "jws_malformed",
    "a content that is no JSON": "jws_malformed",
    "a deep content": "jws_malformed",
    "a signature of zeros": "jws_signature",
    "a cut signature": "jws_signature",
    "no signature": "jws_malformed",
    "four parts": "jws_malformed",
    "an access token's kind": "assertion_malformed",
    "a long one": "limit_exceeded",
    "nothing": "jws_malformed",
    "a JSON form": "jws_malformed",
}


def test_forged_assertions_are_refused_and_nothing_that_they_name_is_called(site: Site, client: TestClient) -> None:
    answers = set()
    for name, text in forgeries(site).items():
        with capture_logs() as said:
            response = client.post("/auth/token", data=form_of(text))
        assert [each["code"] for each in said] == [REFUSED_AS[name]], name
        assert error_of(response) == "invalid_client", name
        answers.add(response.content)
    assert len(answers) == 1
    assert set(site.called) == {JWKS}
    assert client.post("/auth/token", data=site.form()).status_code == 200


def test_the_clients_own_key_set_may_be_named_in_the_header(site: Site, client: TestClient) -> None:
    assert client.post("/auth/token", data=form_of(signed(site.key, claims_of(), jku=JWKS))).status_code == 200


def test_nobody_learns_which_clients_there_are(site: Site, client: TestClient) -> None:
    stranger, key = "0x" + "c1" * 20, ec_key()
    site.registered["ehr"] = RegisteredClient("ehr", KeySet.loads(key_set(rsa_key())), Scopes.parse("system/*.r"))
    texts = [
        signed(key, claims_of()),  # a client, another's key
        signed(key, claims_of(client_id=stranger)),  # nobody
        signed(key, claims_of(client_id="ehr")),
        signed(key, claims_of(client_id="her")),
        signed(key, claims_of(client_id="0xb1")),
        signed(key, claims_of(client_id="0xB1" + "c1" * 19)),
        signed(key, claims_of(client_id="x" * 300)),
        signed(key, claims_of(client_id="")),
    ]
    answers = [client.post("/auth/token", data=form_of(text)) for text in texts]
    assert {(each.status_code, each.content) for each in answers} == {(401, answers[0].content)}
    headers = [{name: value for name, value in each.headers.items() if name != "date"} for each in answers]
    assert all(each == headers[0] for each in headers)


def test_a_form_that_names_another_client_than_its_assertion_is_refused(site: Site, client: TestClient) -> None:
    other = "0x" + "c1" * 20
    assert error_of(client.post("/auth/token", data={**site.form(), "client_id": other})) == "invalid_client"
    assert client.post("/auth/token", data={**site.form(), "client_id": CLIENT_ID}).status_code == 200


def test_who_is_accredited_no_more_gets_no_token(site: Site, client: TestClient) -> None:
    assert client.post("/auth/token", data=site.form()).status_code == 200
    del site.accreditations.members[HOSPITAL]
    assert error_of(client.post("/auth/token", data=site.form())) == "invalid_client"


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"x" * 70_000,
        b"{",
        b"[]",
        b'{"keys":{}}',
        b'{"keys":[],"keys":[]}',
        json.dumps({"keys": [{"kty": "oct", "kid": "k1", "k": "AAAA"}]}).encode(),
        json.dumps({"keys": [{"kty": "EC"}] * 21}).encode(),
    ],
)
def test_a_client_whose_keys_cannot_be_had_gets_no_token_and_no_hint(
    site: Site, client: TestClient, content: bytes | None
) -> None:
    assert error_of(client.post("/auth/token", data=form_of(signed(ec_key("k9"), claims_of())))) == "invalid_client"
    before = client.post("/auth/token", data=form_of("x")).content
    site.clock.now += timedelta(minutes=6)
    if content is None:
        del site.served[JWKS]
    else:
        site.served[JWKS] = content
    response = client.post("/auth/token", data=site.form())
    assert (error_of(response), response.content) == ("invalid_client", before)
    site.served[JWKS] = key_set(site.key)
    site.clock.now += timedelta(seconds=11)
    assert client.post("/auth/token", data=site.form()).status_code == 200


def test_a_key_that_its_owner_took_out_counts_no_longer_than_five_minutes(site: Site, client: TestClient) -> None:
    assert client.post("/auth/token", data=site.form()).status_code == 200
    site.served[JWKS] = key_set(ec_key("k2"))
    site.clock.now += timedelta(seconds=299)
    assert client.post("/auth/token", data=site.form()).status_code == 200
    site.clock.now += timedelta(seconds=1)
    assert error_of(client.post("/auth/token", data=site.form())) == "invalid_client"


# once


def test_an_assertion_counts_once(site: Site, client: TestClient) -> None:
    form = site.form()
    assert client.post("/auth/token", data=form).status_code == 200
    assert error_of(client.post("/auth/token", data=form)) == "invalid_client"
    same_id = site.form(jti="j-1"), site.form(jti="j-1", iat=int(NOW.timestamp()) - 1)
    assert [client.post("/auth/token", data=each).status_code for each in same_id] == [200, 401]


def test_an_assertion_is_used_up_by_a_refusal_too(site: Site, client: TestClient) -> None:
    form = site.form(extensions=None)
    assert error_of(client.post("/auth/token", data=form)) == "invalid_grant"
    assert error_of(client.post("/auth/token", data=form)) == "invalid_client"


def test_a_forger_cannot_use_up_anothers_id(site: Site, client: TestClient) -> None:
    assert (
        error_of(client.post("/auth/token", data=form_of(signed(ec_key(), claims_of(jti="j-1"))))) == "invalid_client"
    )
    assert client.post("/auth/token", data=site.form(jti="j-1")).status_code == 200


def test_two_clients_may_have_one_id(site: Site, client: TestClient) -> None:
    key = ec_key("e")
    site.registered["ehr"] = RegisteredClient("ehr", KeySet.loads(key_set(key)), Scopes.parse("system/*.rs"))
    assert client.post("/auth/token", data=site.form(jti="j-1")).status_code == 200
    other = form_of(signed(key, claims_of(client_id="ehr", jti="j-1")))
    assert client.post("/auth/token", data=other).status_code == 200


# for whom, and for what


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in B2B.items() if key != name}


@pytest.mark.parametrize(
    "extensions",
    [
        None,
        {},
        [],
        "hl7-b2b",
        {"hl7-b2b": None},
        {"hl7-b2b": json.dumps(B2B)},
        {"hl7-b2b": [B2B]},
        {"hl7-b2b": without("version")},
        {"hl7-b2b": without("organization_id")},
        {"hl7-b2b": without("purpose_of_use")},
        {"hl7-b2b": {**B2B, "version": 1}},
        {"hl7-b2b": {**B2B, "purpose_of_use": "TREAT"}},
        {"hl7-b2b": {**B2B, "purpose_of_use": []}},
        {"hl7-b2b": {**B2B, "purpose_of_use": ["TREAT", "ETREAT"]}},
        {"hl7-b2b": {**B2B, "purpose_of_use": ["https://evil.example#TREAT"]}},
        {"hl7-b2b": {**B2B, "purpose_of_use": ["treat"]}},
        {"hl7-b2b": {**B2B, "purpose_of_use": [None]}},
        {"hl7-b2b": {**B2B, "subject_name": "n" * 257}},
        {"hl7-b2b": {**B2B, "subject_name": "a\nb"}},
        {"hl7-b2b": {**B2B, "subject_id": 7}},
        {"hl7-b2b": {**B2B, **{f"x{at}": 1 for at in range(20)}}},
    ],
)
def test_who_does_not_say_for_whom_and_why_gets_no_token(site: Site, client: TestClient, extensions: Any) -> None:
    assert error_of(client.post("/auth/token", data=site.form(extensions=extensions))) == "invalid_grant"


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("system/Observation.rs", "system/Observation.rs"),
        ("system/Observation.cruds", "system/Observation.rs"),
        ("system/*.*", "system/*.rs"),
        ("system/Patient.read", "system/Patient.rs"),
        ("system/Patient.r system/Patient.rs", "system/Patient.rs"),
        ("openid user/*.rs patient/Observation.r system/Condition.r", "system/Condition.r"),
        (
            "system/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
            "system/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
        ),
        ("system/Observation.cud", None),
        ("system/*.write", None),
        ("user/*.rs", None),
        ("system/Observation.rs?code=x|y", None),
        ("system/Observation.sr", None),
        ("system/*", None),
        (" ", None),
        ("system/*.rs" + " " * 8_192, None),
        ("system/A.rs " * 101, None),
    ],
)
def test_no_more_is_granted_than_may_be(site: Site, client: TestClient, asked: str, granted: str | None) -> None:
    response = client.post("/auth/token", data={**site.form(), "scope": asked})
    if granted is None:
        assert error_of(response) == "invalid_scope"
    else:
        assert response.json()["scope"] == granted
        assert str(site.tokens.read(response.json()["access_token"], NOW).scopes) == granted


# the form


Change = Callable[[dict[str, str]], dict[str, Any]]


@pytest.mark.parametrize(
    ("error", "change"),
    [
        ("invalid_request", lambda form: {"content": urlencode([*form.items(), ("scope", "system/*.rs")])}),
        ("invalid_request", lambda form: {"content": urlencode([*form.items(), ("client_assertion", "x")])}),
        ("invalid_request", lambda form: {"content": urlencode({**form, "client_secret": "s"})}),
        ("invalid_request", lambda form: {"content": urlencode({**form, "assertion": "s"})}),
        ("invalid_request", lambda form: {"content": urlencode({**form, "client_assertion_type": "x"})}),
        ("invalid_request", lambda form: {"content": urlencode({**form, "scope": ""})}),
        ("invalid_request", lambda form: {"content": urlencode({k: v for k, v in form.items() if k != "scope"})}),
        ("invalid_request", lambda form: {"content": urlencode({**form, "more": "x" * 33_000})}),
        ("invalid_request", lambda form: {"content": urlencode({**form, **{f"f{at}": "1" for at in range(20)}})}),
        ("invalid_request", lambda form: {"content": urlencode(form) + "&x=%ff"}),
        ("invalid_request", lambda form: {"content": urlencode(form).encode() + b"&x=\xff"}),
        ("invalid_request", lambda form: {"content": urlencode(form) + "&&"}),
        ("invalid_request", lambda form: {"content": ""}),
        (
            "invalid_request",
            lambda form: {"content": json.dumps(form), "headers": {"Content-Type": "application/json"}},
        ),
        ("invalid_request", lambda form: {"content": urlencode(form), "headers": {}}),
        ("invalid_request", lambda form: {"content": urlencode(form), "headers": {**FORM, "Content-Encoding": "gzip"}}),
        ("invalid_request", lambda form: {"content": urlencode(form), "headers": {**FORM, "Authorization": "Basic x"}}),
        ("invalid_request", lambda form: {"content": urlencode(form), "params": {"scope": "system/*.cruds"}}),
        ("invalid_request", lambda form: {"content": "", "params": form}),
        ("unsupported_grant_type", lambda form: {"content": urlencode({**form, "grant_type": "password"})}),
        ("unsupported_grant_type", lambda form: {"content": urlencode({**form, "grant_type": "CLIENT_CREDENTIALS"})}),
    ],
)
def test_other_forms_are_refused_and_use_up_nothing(site: Site, client: TestClient, error: str, change: Change) -> None:
    form = site.form()
    assert error_of(client.post("/auth/token", **{"headers": FORM, **change(form)})) == error
    assert client.post("/auth/token", data=form).status_code == 200


def test_a_form_is_posted(client: TestClient, site: Site) -> None:
    assert client.get("/auth/token", params=site.form()).status_code == 405


# faults of this node


def test_without_the_chain_there_are_no_tokens(site: Site, client: TestClient) -> None:
    site.accreditations.is_broken = True
    response = client.post("/auth/token", data=site.form())
    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
    assert "node" not in response.text


def test_without_memory_of_assertions_there_are_no_tokens(site: Site, tmp_path: Any) -> None:
    broken = Replays.open(str(tmp_path / "gone.db"))
    with broken._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE node_token_used")
    response = client_of(Site(broken, key=site.key)).post("/auth/token", data=site.form())
    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
    broken.close()


def test_without_a_key_there_are_no_tokens(site: Site, client: TestClient) -> None:
    site.provider.kept.clear()
    site.token_keys._read_at = None
    assert client.post("/auth/token", data=site.form()).status_code == 503


def test_a_log_says_who_and_why_and_no_more(site: Site, client: TestClient) -> None:
    form = site.form()
    with capture_logs() as entries:
        token = client.post("/auth/token", data=form).json()["access_token"]
        client.post("/auth/token", data=form)
    said = json.dumps(entries)
    assert CLIENT_ID in said
    assert "assertion_replayed" in said
    assert not [each for each in ("Ada", "1234567893", token, form["client_assertion"]) if each in said]


# what it says of itself


def test_the_configuration_is_what_is_served(site: Site, client: TestClient) -> None:
    response = client.get("/.well-known/smart-configuration")
    said = response.json()
    assert client.get("/fhir/.well-known/smart-configuration").json() == said
    assert said["token_endpoint"] == TOKEN_URL
    assert "authorization_endpoint" not in said
    assert said["token_endpoint_auth_signing_alg_values_supported"] == ["ES384", "RS384"]
    for scope in said["scopes_supported"]:
        answer = client.post("/auth/token", data={**site.form(), "scope": scope}).json()
        assert answer["scope"] == scope


def test_the_key_set_has_public_keys_of_this_client_alone(site: Site, client: TestClient) -> None:
    first = client.get("/.well-known/jwks.json")
    [key] = first.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    site.client_keys.rotate()
    kids = [each["kid"] for each in client.get("/.well-known/jwks.json").json()["keys"]]
    assert (kids[1], len(kids)) == (key["kid"], 2)
    assert site.token_keys.published()["keys"][0]["kid"] not in kids
    assert KeySet.loads(first.content).find(key["kid"], "ES384") is not None


def test_the_account_vouches_for_the_key_set(replays: Replays) -> None:
    site = Site(replays)
    site.parts = replace(site.parts, account=ACCOUNT)
    content = client_of(site).get("/.well-known/jwks.json").content
    Statement.of_key_set(content).check(HOSPITAL, BASE, KeySet.loads(content), NOW)


def test_an_assertion_counts_once_for_all_processes_of_a_node_and_after_a_restart(place: str) -> None:
    key, provider = ec_key(), MemoryKeys()
    with Replays.open(place) as first, Replays.open(place) as second:
        sites = [Site(each, key=key, provider=provider) for each in (first, second)]
        forms = [sites[0].form(), sites[0].form()]
        assert [client_of(sites[at]).post("/auth/token", data=forms[0]).status_code for at in (0, 1)] == [200, 401]
        assert [client_of(sites[at]).post("/auth/token", data=forms[1]).status_code for at in (1, 0)] == [200, 401]
    with Replays.open(place) as third:
        again = client_of(Site(third, key=key, provider=provider))
        assert [again.post("/auth/token", data=form).status_code for form in forms] == [401, 401]


def test_a_withdrawal_on_chain_ends_tokens_and_gives_none(site: Site) -> None:
    chamber, at = Address(b"\xa1" * 20), int(NOW.timestamp())
    facts = MemoryFacts(block(20, at), block(10, at - 100))
    grant = Grant(issuer=HOSPITAL, name="General", roles=frozenset({"hospital"}), endpoint=ENDPOINT)
    made = facts.accredit(chamber, grant, at - 1_000)
    chain = ChainAccreditations(
        lambda: nullcontext(facts), [TrustedAuthority(chamber, frozenset({"hospital"}))], clock=site.clock.seconds
    )
    clients = Clients(chain, site.key_sets)
    admission = Admission(site.tokens, clients, now=site.clock)
    grants = Grants(Assertions(clients, site.replays, TOKEN_URL), site.tokens)
    site.parts = replace(site.parts, grants=grants)
    client = client_of(site)
    token = client.post("/auth/token", data=site.form()).json()["access_token"]
    assert admission.admit([f"Bearer {token}"], {}).requester.roles == {"hospital"}
    facts.withdraw(made, at, "key-compromise", at)
    facts.head = block(21, at + 1)
    site.clock.now += timedelta(seconds=3)
    with pytest.raises(TokenError) as caught:
        admission.admit([f"Bearer {token}"], {})
    assert caught.value.code == "client_gone"
    assert error_of(client.post("/auth/token", data=site.form())) == "invalid_client"
