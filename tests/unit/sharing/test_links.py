"""Links and the files behind them: the specification's own examples, and what is refused."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwe
from joserfc.jwk import OctKey, RSAKey

from chartseal.errors import ShareLinkError
from chartseal.sharing._encoding import from_base64url, inflate, to_base64url
from chartseal.sharing.links import SharedFile, ShareLink, card_file, decrypt, disclosure_file, encrypt, fhir_file
from chartseal.sharing.links.files import CARD, FHIR, LARGEST_FILE

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/smart_health_links.json").read_text())
KEY = bytes(range(32))
URL = "https://share.example/s/" + "A" * 43
PATIENT = b'{"resourceType":"Patient","active":true}'


def uri(**members: Any) -> str:
    whole = {"url": URL, "key": to_base64url(KEY), **members}
    return "shlink:/" + to_base64url(json.dumps(whole).encode())


def code(text: str) -> str:
    with pytest.raises(ShareLinkError) as refused:
        ShareLink.from_uri(text)
    return refused.value.code


def file_code(text: str, key: bytes = KEY) -> str:
    with pytest.raises(ShareLinkError) as refused:
        decrypt(text, key)
    return refused.value.code


def aes(header: dict[str, Any], plaintext: bytes, key: bytes = KEY) -> str:
    """A JWE by another implementation, whatever its header asks for."""
    encoded, nonce = to_base64url(json.dumps(header).encode()), b"\7" * 12
    sealed = AESGCM(key).encrypt(nonce, plaintext, encoded.encode())
    return ".".join([encoded, "", *map(to_base64url, (nonce, sealed[:-16], sealed[-16:]))])


def raw(data: bytes, level: int = 9) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


HEADER = {"alg": "dir", "enc": "A256GCM", "cty": FHIR}


def test_the_specifications_link_reads_as_it_says() -> None:
    vector = VECTORS["link"]
    link = ShareLink.from_uri(vector["input"])
    assert (link.url, to_base64url(link.key), link.label) == tuple(
        vector["expected"][name] for name in ("url", "key", "label")
    )
    assert link.flags == {"L", "P"}
    assert (link.needs_passcode, link.is_direct, link.expires_at) == (True, False, None)


def test_the_specifications_file_opens_and_not_under_another_key() -> None:
    vector = VECTORS["file"]
    key = from_base64url(vector["key"])
    found = decrypt(vector["input"], key)
    assert found.content_type == CARD
    assert list(json.loads(found.content)) == ["verifiableCredential"]
    assert json.loads(found.content)["verifiableCredential"][0].startswith(vector["expected"])
    assert file_code(vector["input"], bytes(32)) == "file_undecryptable"


def test_a_link_goes_there_and_back() -> None:
    at = datetime(2026, 12, 1, tzinfo=UTC)
    link = ShareLink(URL, KEY, frozenset("L"), at, "Impfungen für Oliver")
    assert ShareLink.from_uri(link.to_uri()) == link
    assert ShareLink.from_uri(link.to_uri("https://viewer.example/x#")) == link
    assert link.to_uri("https://viewer.example/x").startswith("https://viewer.example/x#shlink:/ey")
    assert to_base64url(KEY) not in repr(link)
    assert str(KEY) not in repr(link)


def test_what_a_reader_does_not_know_is_ignored() -> None:
    link = ShareLink.from_uri(uri(flag="LX", extension={"a": 1}, _mine=2, exp=1_796_000_000.5, v=1))
    assert link.flags == {"L"}
    assert link.expires_at == datetime.fromtimestamp(1_796_000_000, UTC)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "link_malformed"),
        ("shlink:/", "link_malformed"),
        ("shlink:/e30", "link_malformed"),
        ("shlink:/W10", "link_malformed"),
        ("https://viewer.example/shlink:/e30", "link_malformed"),
        ("shc:/5676", "link_malformed"),
        (uri() + "=", "link_malformed"),
        (uri(v=2), "link_version"),
        (uri(v=True), "link_version"),
        (uri(flag="PU"), "link_malformed"),
        (uri(flag=1), "link_malformed"),
        (uri(label="x" * 81), "link_malformed"),
        (uri(label="a\nb"), "link_malformed"),
        (uri(key=to_base64url(KEY[:31])), "link_malformed"),
        (uri(key=to_base64url(KEY + b"x")), "link_malformed"),
        (uri(key=to_base64url(KEY)[:-1] + "9"), "link_malformed"),
        (uri(url="ftp://share.example/x"), "link_malformed"),
        (uri(url="https:///x"), "link_malformed"),
        (uri(url="https://[share/x"), "link_malformed"),
        (uri(url="https://share.example/#x"), "link_malformed"),
        (uri(url="https://share.example/" + "x" * 107), "link_malformed"),
        (uri(exp=-1), "link_malformed"),
        (uri(exp=1e300), "link_malformed"),
        (uri(exp=True), "link_malformed"),
        (uri(exp="soon"), "link_malformed"),
        (uri(pad="x" * 4_000), "limit_exceeded"),
    ],
)
def test_another_link_is_refused(text: str, told: str) -> None:
    assert code(text) == told


def test_its_neighbours_are_taken() -> None:
    assert ShareLink.from_uri(uri(label="x" * 80, url="https://share.example/" + "x" * 106)).label == "x" * 80


@pytest.mark.parametrize(
    "viewer", ["http://viewer.example", "viewer", "https://a#b", "https://a b", "https://" + "x" * 600]
)
def test_a_viewer_is_an_https_url(viewer: str) -> None:
    with pytest.raises(ShareLinkError) as refused:
        ShareLink(URL, KEY).to_uri(viewer)
    assert refused.value.code == "viewer_refused"


@pytest.mark.parametrize("content", [PATIENT, PATIENT[:-1] + b',"x":"' + b"a" * 10_000 + b'"}'])
def test_a_file_goes_there_and_back_in_another_implementations_hands_too(content: bytes) -> None:
    sealed = encrypt(fhir_file(content), KEY)
    assert decrypt(sealed, KEY) == fhir_file(content)
    assert encrypt(fhir_file(content), KEY) != sealed
    header, _, nonce, body, tag = sealed.split(".")
    plain = AESGCM(KEY).decrypt(from_base64url(nonce), from_base64url(body) + from_base64url(tag), header.encode())
    deflated = "zip" in json.loads(from_base64url(header))
    assert deflated is (len(content) > 1_000)
    assert (zlib.decompress(plain, -15) if deflated else plain) == content
    assert decrypt(aes(HEADER | {"zip": "DEF"}, raw(content)), KEY).content == content


def test_a_file_larger_than_tokens_are_is_taken() -> None:
    noise = base64.b64encode(random.Random(1).randbytes(600_000))
    large = fhir_file(b'{"resourceType":"Binary","contentType":"text/plain","data":"' + noise + b'"}')
    assert decrypt(encrypt(large, KEY), KEY) == large


def test_a_bomb_stops_at_the_bound() -> None:
    header = HEADER | {"zip": "DEF"}
    assert file_code(aes(header, raw(b" " * (LARGEST_FILE + 1)))) == "limit_exceeded"
    assert len(decrypt(aes(header, raw(b" " * LARGEST_FILE)), KEY).content) == LARGEST_FILE
    nested = raw(raw(b"\0" * (1 << 28)))
    assert len(inflate(nested, LARGEST_FILE)) < LARGEST_FILE
    with pytest.raises(OverflowError):
        inflate(raw(b"\0" * (1 << 28)), LARGEST_FILE)


@pytest.mark.parametrize("data", [b"", raw(PATIENT)[:-1], raw(PATIENT) + b"x", zlib.compress(PATIENT), b"\xff" * 20])
def test_what_is_no_one_whole_stream_is_refused(data: bytes) -> None:
    assert file_code(aes(HEADER | {"zip": "DEF"}, data)) in ("file_undecryptable", "file_malformed")


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "A256KW"},
        {"alg": "PBES2-HS256+A128KW", "p2c": 10_000_000, "p2s": "AA"},
        {"alg": "none"},
        {"enc": "A128GCM"},
        {"enc": "A256CBC-HS512"},
        {"zip": "GZIP"},
        {"cty": None},
        {"jwk": {"kty": "oct", "k": to_base64url(bytes(32))}},
        {"jku": "https://evil.example/jwks.json"},
        {"kid": "other"},
        {"crit": ["x"], "x": 1},
    ],
)
def test_a_header_that_asks_for_anything_else_is_refused(header: dict[str, Any]) -> None:
    assert file_code(aes(HEADER | header, PATIENT)) == "file_malformed"


def test_another_algorithm_by_a_real_key_is_refused() -> None:
    rsa = RSAKey.generate_key(2048)
    sealed = jwe.encrypt_compact(
        {"alg": "RSA-OAEP", "enc": "A256GCM", "cty": FHIR}, PATIENT, rsa, ["RSA-OAEP", "A256GCM"]
    )
    assert file_code(sealed) == "file_malformed"
    wrapped = jwe.encrypt_compact(
        {"alg": "A256KW", "enc": "A256GCM", "cty": FHIR}, PATIENT, OctKey.import_key(KEY), ["A256KW", "A256GCM"]
    )
    assert file_code(wrapped) == "file_malformed"


def test_types_that_no_link_holds_are_refused() -> None:
    assert file_code(aes(HEADER | {"cty": "text/html"}, PATIENT)) == "file_refused"
    assert decrypt(aes(HEADER | {"cty": "application/fhir+json; fhirVersion=4.0"}, PATIENT), KEY).content == PATIENT
    assert file_code(aes(HEADER, b"")) in ("file_malformed", "file_refused")
    made: list[tuple[Callable[[bytes], SharedFile], bytes]] = [
        (fhir_file, b"{}"),
        (fhir_file, b"x"),
        (card_file, b"[]"),
    ]
    for make, text in made:
        with pytest.raises(ShareLinkError) as told:
            make(text)
        assert told.value.code == "file_refused"


def test_a_disclosure_travels_in_a_binary() -> None:
    file = disclosure_file(b"CS1:x")
    assert file.content_type == FHIR
    assert file.disclosure == b"CS1:x"
    assert json.loads(file.content)["resourceType"] == "Binary"
    assert fhir_file(PATIENT).disclosure is None
    assert (
        fhir_file(b'{"resourceType":"Binary","contentType":"application/chartseal+json","data":"?"}').disclosure is None
    )


def test_mutated_links_and_files_raise_our_errors_alone(drill_scale: float) -> None:
    chance = random.Random(20)
    link, sealed = uri(flag="L", label="x", exp=1_796_000_000), encrypt(fhir_file(PATIENT), KEY)
    for _ in range(max(400, int(20_000 * drill_scale))):
        read = mutated(chance, link)
        with contextlib.suppress(ShareLinkError):
            ShareLink.from_uri(read)
        changed = mutated(chance, sealed)
        if changed != sealed:
            assert file_code(changed) in {"file_malformed", "file_undecryptable", "limit_exceeded", "file_refused"}


def mutated(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text))
    kind = chance.randrange(4)
    if kind == 0:
        return text[:at] + chance.choice("AZaz09-_.=\x00é{") + text[at + 1 :]
    if kind == 1:
        return text[:at]
    if kind == 2:
        return text[:at] + text[at + 1 :]
    return text[:at] + text[at : at + chance.randrange(1, 9)] + text[at:]
