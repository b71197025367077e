"""Health cards: the specification's own, ours, and those of attackers."""

from __future__ import annotations

import base64
import json
import random
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from eth_keyfile import keyfile
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.registry import HeaderParameter

from chartseal.errors import HealthCardError, KeyFileError, KeyFormatError, SharingError, WrongPassphraseError
from chartseal.keys.health_card import HealthCardKey
from chartseal.sharing._encoding import to_base64url
from chartseal.sharing.cards import (
    CardTerms,
    CardTrust,
    TrustedCardIssuer,
    from_numeric,
    issue,
    key_set,
    public_jwk,
    to_numeric,
    verify_card,
    verify_cards,
    write_file,
)
from chartseal.sharing.cards.verifying import LARGEST_CARD, LARGEST_CLAIMS
from chartseal.sharing.fetching import Answer, GuardedFetcher
from chartseal.sharing.qr import card_code, drawn, link_code, on_terminal

VECTOR = json.loads((Path(__file__).parents[2] / "vectors/smart_health_cards.json").read_text())
SPEC_ISSUER = "https://smarthealth.cards/examples/issuer"
SPEC = CardTrust({SPEC_ISSUER: TrustedCardIssuer(SPEC_ISSUER, "", json.dumps(VECTOR["jwks"]).encode())})
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
ISS = "https://clinic.example/cards"
KEY = HealthCardKey(b"\x11" * 32)
TRUST = CardTrust({ISS: TrustedCardIssuer(ISS, "Clinic", key_set([KEY]).encode())})
BUNDLE = {
    "resourceType": "Bundle",
    "type": "searchset",
    "entry": [
        {
            "fullUrl": "https://clinic.example/fhir/Patient/p",
            "resource": {
                "resourceType": "Patient",
                "id": "p",
                "text": {"status": "generated", "div": "<div/>"},
                "meta": {"versionId": "1", "security": [{"system": "s", "code": "R", "display": "x"}]},
                "name": [{"text": "Ada L.", "family": "L"}],
            },
        },
        {
            "fullUrl": "https://clinic.example/fhir/Observation/o",
            "resource": {
                "resourceType": "Observation",
                "id": "o",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3", "display": "K"}], "text": "K+"},
                "subject": {"reference": "Patient/p", "display": "Ada"},
                "valueQuantity": {"value": "LEXEME", "unit": "mmol/L"},
                "note": [{"text": "fasting"}],
            },
        },
    ],
}  # fmt: skip
TEXT = json.dumps(BUNDLE).replace('"LEXEME"', "4.50")
ENTRY = {"fullUrl": "resource:0", "resource": {"resourceType": "Patient"}}
SUBJECT: dict[str, Any] = {
    "fhirVersion": "4.0.1",
    "fhirBundle": {"resourceType": "Bundle", "type": "collection", "entry": [ENTRY]},
}
VC: dict[str, Any] = {"type": ["https://smarthealth.cards#health-card"], "credentialSubject": SUBJECT}
CLAIMS: dict[str, Any] = {"iss": ISS, "nbf": int(NOW.timestamp()) - 10, "vc": VC}
HEADER = {"zip": "DEF", "alg": "ES256", "kid": public_jwk(KEY)["kid"]}


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def signed(claims: Any = CLAIMS, header: Mapping[str, Any] = HEADER, payload: bytes | None = None) -> str:
    """A card by another implementation, whatever it says."""
    data = raw(json.dumps(claims).encode()) if payload is None else payload
    whole = f"{to_base64url(json.dumps(header).encode())}.{to_base64url(data)}"
    private = ec.derive_private_key(int.from_bytes(KEY.secret), ec.SECP256R1())
    r, s = utils.decode_dss_signature(private.sign(whole.encode(), ec.ECDSA(SHA256())))
    return f"{whole}.{to_base64url(r.to_bytes(32) + s.to_bytes(32))}"


def code(card: str, trust: CardTrust = TRUST, now: datetime = NOW) -> str:
    with pytest.raises(SharingError) as refused:
        verify_card(card, trust, now=now)
    return refused.value.code


def test_the_specifications_card_holds_in_every_form() -> None:
    expected, jws_text = VECTOR["expected"], VECTOR["jws"]
    assert to_numeric(jws_text) == VECTOR["numeric"]
    assert from_numeric([VECTOR["numeric"]]) == jws_text
    for form in (jws_text, VECTOR["numeric"], write_file([jws_text]), f"  {VECTOR['numeric']}\n"):
        [card] = verify_cards(form, SPEC, now=NOW)
        assert (card.issuer, list(card.types)) == (expected["iss"], expected["type"])
        assert card.issued_at == datetime.fromtimestamp(expected["nbf"], UTC)
        assert [each["resource"]["resourceType"] for each in card.bundle["entry"]][:2] == ["Patient", "Immunization"]
        assert card.revocation == "no list"
    assert code(jws_text, TRUST) == "card_issuer_untrusted"
    assert code(jws_text, SPEC, datetime(2021, 4, 9, 13, 51, 10, tzinfo=UTC)) == "card_not_yet_valid"


def test_a_card_of_ours_is_minified_and_says_the_same() -> None:
    card = issue(TEXT, KEY, CardTerms(ISS, ("https://smarthealth.cards#laboratory",), rid="r1"), now=NOW)
    [found] = verify_cards(to_numeric(card), TRUST, now=NOW)
    assert (found.issuer_name, found.types[1]) == ("Clinic", "https://smarthealth.cards#laboratory")
    patient, observation = (each["resource"] for each in found.bundle["entry"])
    assert patient == {
        "resourceType": "Patient",
        "name": [{"text": "Ada L.", "family": "L"}],
        "meta": {"security": [{"system": "s", "code": "R"}]},
    }
    assert observation["subject"] == {"reference": "resource:0", "display": "Ada"}
    assert observation["code"] == {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]}
    assert observation["note"] == [{"text": "fasting"}]
    assert observation["valueQuantity"]["value"] == Decimal("4.50")
    assert '"value":4.50,' in found.claims
    assert [each["fullUrl"] for each in found.bundle["entry"]] == ["resource:0", "resource:1"]
    assert json.loads(decoded(card.split(".")[0])) == HEADER


def test_another_implementation_verifies_our_card() -> None:
    head, body, signature = issue(TEXT, KEY, CardTerms(ISS), now=NOW).split(".")
    jwk = json.loads(key_set([KEY]))["keys"][0]
    x, y = (int.from_bytes(decoded(jwk[each])) for each in "xy")
    whole = decoded(signature)
    der = utils.encode_dss_signature(int.from_bytes(whole[:32]), int.from_bytes(whole[32:]))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    public.verify(der, f"{head}.{body}".encode(), ec.ECDSA(SHA256()))
    claims = json.loads(zlib.decompress(decoded(body), -15))
    assert claims["nbf"] == int(NOW.timestamp())
    assert set(jwk) == {"kty", "kid", "use", "alg", "crv", "x", "y"}


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_card_that_fits_no_code_is_refused_unless_it_is_for_a_file() -> None:
    noise = [{"resourceType": "Basic", "language": random.Random(at).randbytes(30).hex()} for at in range(40)]
    large = json.dumps({"resourceType": "Bundle", "entry": [{"resource": each} for each in noise]})
    assert refused(large) == "card_too_large"
    card = issue(large, KEY, CardTerms(ISS), now=NOW, for_qr=False)
    assert len(verify_cards(write_file([card]), TRUST, now=NOW)[0].bundle["entry"]) == 40
    with pytest.raises(HealthCardError):
        card_code(card)


def test_the_largest_card_fits_its_code() -> None:
    text = "eyJ" + "z" * 1_192
    assert card_code(text).version == 22
    assert str(card_code(text).error) == "L"
    with pytest.raises(HealthCardError) as too_large:
        card_code(text + "z")
    assert too_large.value.code == "card_too_large"
    assert drawn(card_code(VECTOR["jws"]), "png").startswith(b"\x89PNG")
    assert drawn(link_code("shlink:/e30"), "svg").startswith(b"<?xml")
    assert "█" in on_terminal(link_code("shlink:/e30")) or "\x1b" in on_terminal(link_code("shlink:/e30"))
    assert link_code("shlink:/e30").error == "M"
    with pytest.raises(SharingError) as overflow:
        link_code("x" * 3_000)
    assert overflow.value.code == "qr_too_large"


def refused(bundle: Any, **terms: Any) -> str:
    text = bundle if isinstance(bundle, str) else json.dumps(bundle)
    with pytest.raises(HealthCardError) as told:
        issue(text, KEY, CardTerms(**{"issuer": ISS, **terms}), now=NOW)
    return told.value.code


def holding(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Condition", **members}}]}


@pytest.mark.parametrize(
    "bundle",
    [
        "[]",
        "x",
        {"resourceType": "Patient"},
        {"resourceType": "Bundle"},
        {"resourceType": "Bundle", "entry": []},
        {"resourceType": "Bundle", "entry": [{}]},
        {"resourceType": "Bundle", "entry": [{"resource": {}}]},
        holding(code={"text": "cough"}),
        holding(code={"coding": [], "text": "cough"}),
        holding(code={"coding": [{"display": "cough"}]}),
        holding(category=[{"text": "x"}]),
        holding(subject={"reference": "Patient/p"}),
        holding(subject={"reference": "#p"}),
        holding(contained=[{"resourceType": "Patient", "id": "p"}]),
        holding(meta={"tag": [{"system": "s", "code": "SUBSETTED"}]}),
        holding(meta=1),
        {"resourceType": "Bundle", "entry": [*holding(id="a", evidence={"reference": "Condition/a"})["entry"],
            *holding(id="a")["entry"]]},
    ],
)  # fmt: skip
def test_a_bundle_that_a_code_could_not_say_is_refused(bundle: Any) -> None:
    assert refused(bundle) == "card_bundle_refused"


def test_their_neighbours_are_issued() -> None:
    coded = {"coding": [{"system": "http://snomed.info/sct", "code": "49727002", "display": "Cough"}], "text": "cough"}
    own = holding(id="a", code=coded, evidence={"reference": "Condition/a"}, note=[{"text": "dry"}])
    claims = verify_card(issue(json.dumps(own), KEY, CardTerms(ISS), now=NOW), TRUST, now=NOW).bundle
    resource = claims["entry"][0]["resource"]
    assert resource["evidence"] == {"reference": "resource:0"}
    assert resource["note"] == [{"text": "dry"}]


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"issuer": "http://clinic.example"}, "card_issuer_malformed"),
        ({"issuer": "https://clinic.example/"}, "card_issuer_malformed"),
        ({"types": ("covid19",)}, "card_terms_refused"),
        ({"rid": "x" * 25}, "card_terms_refused"),
        ({"rid": "a b"}, "card_terms_refused"),
        ({"expires_at": NOW}, "card_terms_refused"),
    ],
)
def test_terms_that_no_card_has_are_refused(terms: dict[str, Any], told: str) -> None:
    assert refused(TEXT, **terms) == told


def test_times_are_to_the_second() -> None:
    end = NOW + timedelta(days=1)
    card = issue(TEXT, KEY, CardTerms(ISS, expires_at=end), now=NOW)
    assert verify_card(card, TRUST, now=end - timedelta(seconds=1)).expires_at == end
    assert code(card, now=end) == "card_expired"
    assert code(card, now=NOW - timedelta(seconds=1)) == "card_not_yet_valid"


# attacks


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES384"},
        {"alg": "RS256"},
        {"zip": "GZIP"},
        {"zip": None},
        {"kid": "../../x"},
        {"kid": None},
        {"jwk": {"kty": "EC"}},
        {"jku": "https://evil.example/jwks.json"},
        {"x5c": ["AA=="]},
        {"x5u": "https://evil.example/x"},
        {"crit": ["b64"], "b64": False},
        {"cty": "x"},
    ],
)
def test_a_header_that_asks_for_anything_else_is_refused(header: dict[str, Any]) -> None:
    assert code(signed(header=HEADER | header)) == "card_malformed"
    assert verify_card(signed(header=HEADER | {"typ": "JWT"}), TRUST, now=NOW).issuer == ISS


def test_an_attackers_key_in_the_header_or_under_the_issuers_id_signs_nothing() -> None:
    theirs = ECKey.generate_key("P-256")
    registry = jws.JWSRegistry({"zip": HeaderParameter("", "str")}, algorithms=["ES256", "HS256", "RS256"])
    payload = raw(json.dumps(CLAIMS).encode())
    assert code(jws.serialize_compact(HEADER, payload, theirs, registry=registry)) == "card_signature"
    injected = HEADER | {"jwk": theirs.as_dict(private=False)}
    assert code(jws.serialize_compact(injected, payload, theirs, registry=registry)) == "card_malformed"
    own = HEADER | {"kid": theirs.thumbprint()}
    assert code(jws.serialize_compact(own, payload, theirs, registry=registry)) == "card_key_unknown"
    secret = OctKey.import_key(key_set([KEY]).encode())
    for algorithm, key in (("HS256", secret), ("RS256", RSAKey.generate_key(2048))):
        confused = jws.serialize_compact(HEADER | {"alg": algorithm}, payload, key, registry=registry)
        assert code(confused) == "card_malformed"


def test_a_bomb_stops_at_the_bound() -> None:
    assert code(signed(payload=raw(b" " * (LARGEST_CLAIMS + 1)))) == "limit_exceeded"
    assert code(signed(payload=raw(b" " * LARGEST_CLAIMS))) == "card_malformed"
    assert code("a" * (LARGEST_CARD + 1)) == "limit_exceeded"
    assert code(signed(payload=raw(json.dumps(CLAIMS).encode()) + b"x")) == "card_malformed"
    assert code(signed(payload=raw(json.dumps(CLAIMS).encode())[:-1])) == "card_malformed"
    assert code(signed(payload=zlib.compress(json.dumps(CLAIMS).encode()))) == "card_malformed"
    assert code(signed(payload=raw(b"[" * 100_000))) == "card_malformed"


def changed(**members: Any) -> dict[str, Any]:
    return {**CLAIMS, **members}


def credential(**members: Any) -> dict[str, Any]:
    return changed(vc={**VC, **members})


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ([], "card_malformed"),
        (changed(iss=None), "card_issuer_malformed"),
        (changed(iss=ISS + "/"), "card_issuer_malformed"),
        (changed(iss="https://clinic.example@evil.example"), "card_issuer_malformed"),
        (changed(iss="https://evil.example"), "card_issuer_untrusted"),
        (changed(nbf=None), "card_malformed"),
        (changed(nbf=True), "card_malformed"),
        (changed(nbf="1"), "card_malformed"),
        (changed(nbf=1e99), "card_malformed"),
        (changed(exp=None), "card_malformed"),
        (changed(exp=0), "card_expired"),
        (changed(vc=None), "card_malformed"),
        (credential(type=[]), "card_malformed"),
        (credential(type="https://smarthealth.cards#health-card"), "card_malformed"),
        (credential(rid="x" * 25), "card_malformed"),
        (credential(credentialSubject=SUBJECT | {"fhirVersion": "5.0.0"}), "card_malformed"),
        (credential(credentialSubject=SUBJECT | {"fhirBundle": {"resourceType": "Patient"}}), "card_malformed"),
    ],
)  # fmt: skip
def test_signed_claims_that_are_no_health_card_are_refused(claims: Any, told: str) -> None:
    assert code(signed(claims)) == told


def asking(answers: Mapping[str, Any], asked: list[str] | None = None) -> Any:
    def fetch(url: str, *, most: int, json_body: Any = None) -> Answer:
        if asked is not None:
            asked.append(url)
        body = answers.get(url)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Answer(404, b"") if body is None else Answer(200, data)

    return fetch


KEYS_URL = f"{ISS}/.well-known/jwks.json"
LIST_URL = f"{ISS}/.well-known/crl/{HEADER['kid']}.json"


def online(answers: Mapping[str, Any], asked: list[str] | None = None) -> CardTrust:
    return CardTrust({ISS: TrustedCardIssuer(ISS)}, asking(answers, asked))


def test_an_issuers_keys_are_asked_for_where_it_publishes_them_and_of_nobody_else() -> None:
    asked: list[str] = []
    trust = online({KEYS_URL: json.loads(key_set([KEY]))}, asked)
    assert verify_card(signed(), trust, now=NOW).kid == HEADER["kid"]
    assert asked == [KEYS_URL]
    assert code(signed(changed(iss="https://evil.example")), trust) == "card_issuer_untrusted"
    assert asked == [KEYS_URL]
    assert code(signed(), online({})) == "keys_unavailable"
    assert code(signed(), CardTrust({ISS: TrustedCardIssuer(ISS)})) == "keys_unavailable"


@pytest.mark.parametrize("iss", ["https://10.0.0.1", "https://169.254.169.254/x", "https://localhost", "https://[::1]"])
def test_an_issuer_in_a_network_of_ours_is_not_asked(iss: str) -> None:
    trust = CardTrust({iss: TrustedCardIssuer(iss)}, GuardedFetcher())
    assert code(signed(changed(iss=iss)), trust) == "url_refused"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kid": "A" * 43}, "card_key_unknown"),
        ({"d": "AA"}, "keys_malformed"),
        ({"use": "enc"}, "keys_malformed"),
        ({"alg": "ES384"}, "keys_malformed"),
        ({"crv": "P-384"}, "keys_malformed"),
        ({"x": to_base64url(bytes(32))}, "keys_malformed"),
        ({"x": 1}, "keys_malformed"),
        ({"crlVersion": "1"}, "keys_malformed"),
        ({each: public_jwk(HealthCardKey(b"\x12" * 32))[each] for each in "xy"}, "keys_malformed"),
    ],
)
def test_a_key_that_is_not_what_its_set_says_is_refused(changes: dict[str, Any], told: str) -> None:
    assert code(signed(), online({KEYS_URL: {"keys": [public_jwk(KEY) | changes]}})) == told


@pytest.mark.parametrize("keys", [b"x", b"[]", b"{}", b'{"keys":{}}', b" " * ((1 << 18) + 1)])
def test_keys_that_are_no_set_are_refused(keys: bytes) -> None:
    assert code(signed(), online({KEYS_URL: keys})) in ("keys_malformed", "limit_exceeded")


REVOCABLE = credential(rid="abc-1")


def listed(*rids: Any, **members: Any) -> dict[str, Any]:
    whole = {"kid": HEADER["kid"], "method": "rid", "ctr": 2, "rids": list(rids), **members}
    return {KEYS_URL: {"keys": [public_jwk(KEY) | {"crlVersion": 2}]}, LIST_URL: whole}


def test_a_revoked_card_is_refused_as_the_list_says() -> None:
    nbf = CLAIMS["nbf"]
    for rids in (["abc-1"], [f"abc-1.{nbf + 1}"], ["other", "abc-1"]):
        assert code(signed(REVOCABLE), online(listed(*rids))) == "card_revoked"
    for rids in ([], ["abc-2"], [f"abc-1.{nbf}"]):
        assert verify_card(signed(REVOCABLE), online(listed(*rids)), now=NOW).revocation == "not revoked"
    assert verify_card(signed(), online(listed("abc-1")), now=NOW).revocation == "no list"


@pytest.mark.parametrize(
    "members",
    [{"ctr": 1}, {"ctr": None}, {"kid": "A" * 43}, {"method": "x"}, {"rids": "abc"}, {"rids": ["a b"]}, {"rids": [1]}],
)
def test_a_list_that_may_hide_a_revocation_is_refused(members: dict[str, Any]) -> None:
    assert code(signed(REVOCABLE), online(listed(**members))) == "revocations_malformed"
    missing = {KEYS_URL: listed()[KEYS_URL]}
    assert code(signed(REVOCABLE), online(missing)) == "revocations_unavailable"


def test_without_a_network_it_says_that_revocation_was_not_checked() -> None:
    keys = json.dumps({"keys": [public_jwk(KEY) | {"crlVersion": 2}]}).encode()
    offline = CardTrust({ISS: TrustedCardIssuer(ISS, "", keys)})
    assert verify_card(signed(REVOCABLE), offline, now=NOW).revocation == "not checked"


def test_codes_of_one_card_are_read_in_any_order_and_no_others() -> None:
    digits = to_numeric(signed()).removeprefix("shc:/")
    third = len(digits) // 6 * 2
    parts = [digits[:third], digits[third : 2 * third], digits[2 * third :]]
    codes = [f"shc:/{at}/3/{part}" for at, part in enumerate(parts, 1)]
    assert verify_cards("\n".join([codes[2], codes[0], codes[1], codes[0]]), TRUST, now=NOW)[0].issuer == ISS
    for wrong, told in (
        (codes[:2], "card_incomplete"),
        ([*codes[:2], codes[2].replace("3/3", "4/3", 1)], "card_malformed"),
        ([*codes[:2], codes[2].replace("3/3", "3/4", 1)], "card_malformed"),
        ([codes[0], codes[0] + "00"], "card_malformed"),
        (["shc:/0/1/56"], "card_malformed"),
        (["shc:/5"], "card_malformed"),
        (["shc:/99"], "card_malformed"),
        (["shc:/\u0665\u0666"], "card_malformed"),
        ([], "card_malformed"),
        (["shc:/56"] * 33, "limit_exceeded"),
        (["shc:/" + "5" * 3_000], "limit_exceeded"),
    ):
        with pytest.raises(HealthCardError) as told_of:
            from_numeric(wrong)
        assert told_of.value.code == told, wrong


def test_mutated_cards_raise_our_errors_alone(drill_scale: float) -> None:
    chance, card = random.Random(22), signed()
    numeric, file = to_numeric(card), write_file([card]).decode()
    for _ in range(max(400, int(20_000 * drill_scale))):
        for text in (card, numeric, file):
            at = chance.randrange(len(text))
            put = "".join(chance.choice('AZaz09-_./\x00é{"') for _ in range(chance.randrange(3)))
            found = text[:at] + put + text[at + chance.randrange(3) :]
            try:
                cards = verify_cards(found, TRUST, now=NOW)
            except SharingError:
                continue
            assert {each.claims for each in cards} == {json.dumps(CLAIMS)}


# files


def test_a_trust_file_names_issuers_and_their_keys(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(key_set([KEY]))
    path = tmp_path / "trust.toml"
    other = '[[issuer]]\niss = "https://b.example"\n'
    path.write_text(f'[[issuer]]\niss = "{ISS}"\nname = "Clinic"\njwks = "keys.json"\n{other}')
    assert verify_card(signed(), CardTrust.load(path), now=NOW).issuer_name == "Clinic"
    issuer = f'[[issuer]]\niss = "{ISS}"\n'
    refusable = ("", "x", "[[issuer]]", '[[issuer]]\niss = "http://a.example"', "issuer = 1", "\xff", issuer + issuer)
    for text in (*refusable, issuer + "x = 1", issuer + 'name = "a\\u0007"', issuer + "jwks = 1"):
        path.write_text(text, "latin-1")
        with pytest.raises(HealthCardError) as told:
            CardTrust.load(path)
        assert told.value.code == "card_trust_invalid", text
    path.write_text(f'[[issuer]]\niss = "{ISS}"\njwks = "missing.json"')
    with pytest.raises(HealthCardError) as told:
        CardTrust.load(path)
    assert told.value.code == "file_unreadable"


def test_a_key_file_opens_by_its_passphrase_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)
    made, path = HealthCardKey.generate(), tmp_path / "card-key.json"
    made.save(path, "correct horse")
    assert path.stat().st_mode & 0o777 == 0o600
    assert HealthCardKey.load(path, "correct horse").public == made.public
    assert made.secret.hex() not in path.read_text()
    with pytest.raises(WrongPassphraseError):
        HealthCardKey.load(path, "battery staple")
    with pytest.raises(KeyFileError):
        made.save(path, "correct horse")
    path.write_text(path.read_text().replace("health-card-key", "proxy-key"))
    with pytest.raises(KeyFileError):
        HealthCardKey.load(path, "correct horse")
    for secret in (bytes(32), b"\xff" * 32, b"\x11" * 31, b"\x11" * 33):
        with pytest.raises(KeyFormatError):
            HealthCardKey(secret)
