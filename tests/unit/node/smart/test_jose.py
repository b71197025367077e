"""Key sets and signed texts from outside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from chartseal.errors import AccessError
from chartseal.node.smart.jose import LARGEST_KEY_SET, MOST_KEYS, KeySet, Unverified, moment
from tests.node_clients import ec_key, key_set, rsa_key, signed

EC, RSA = ec_key(), rsa_key()


def refused(text: bytes) -> str:
    with pytest.raises(AccessError) as caught:
        KeySet.loads(text)
    return caught.value.code


def of(*items: Any) -> bytes:
    return json.dumps({"keys": list(items)}).encode()


def public(key: ECKey | RSAKey, **changes: Any) -> dict[str, Any]:
    members = {**key.as_dict(private=False), **changes}
    return {name: value for name, value in members.items() if value is not None}


def test_a_set_has_keys_for_two_algorithms() -> None:
    found = KeySet.loads(key_set(EC, RSA))
    assert set(found.keys) == {"k1", "r1"}
    assert found.find("k1", "ES384") is not None
    assert found.find("r1", "RS384") is not None
    assert found.find("k1", "RS384") is None
    assert found.find("r1", "ES384") is None
    assert found.find("k2", "ES384") is None


@pytest.mark.parametrize(
    "item",
    [
        public(EC, use="enc"),
        public(EC, alg="ES256"),
        public(EC, alg="RS384"),
        public(EC, key_ops=["sign"]),
        public(EC, key_ops=["verify", "deriveKey"]),
        public(EC, kid=None),
        public(EC, kid=""),
        public(EC, kid=7),
        public(EC, kid="k" * 201),
        public(EC, kty="ec"),
        public(EC, kty=["EC"]),
        public(ec_key("k1", "P-256")),
        public(ec_key("k1", "P-521")),
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "k1"},
        {},
    ],
)
def test_keys_for_other_things_are_passed_over(item: dict[str, Any]) -> None:
    found = KeySet.loads(of(item, public(RSA)))
    assert set(found.keys) == {"r1"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"null",
        b"{}",
        b'{"keys":null}',
        b'{"keys":[1]}',
        b'{"keys":[],"keys":[]}',
        of(EC.as_dict(private=True)),
        of(RSA.as_dict(private=True)),
        of({"kty": "oct", "k": "AAAA", "kid": "k1"}),
        of(public(EC), public(ec_key("k1"))),
        of(public(EC), public(rsa_key("k1"))),
        of(public(EC, x=None)),
        of(public(EC, x=7)),
        of(public(EC, x="!")),
        of(public(EC, x="AAAA")),
        of(public(EC, y=EC.as_dict(private=False)["x"])),
        of(public(RSA, n=None)),
        of(public(RSA, n="")),
        of(public(RSA, n="!")),
        of(public(RSA, e="AA")),
        of(public(RSA, e="AQ")),
        of(public(RSA, e="Ag")),
        of(public(RSA, e="AQAAAAE")),
        of(public(RSA, n="_" * 700)),
        of(public(rsa_key(bits=1_024))),
    ],
)
def test_malformed_sets_are_refused_whole(text: bytes) -> None:
    assert refused(text) == "key_set_malformed"


def test_a_set_has_its_limits() -> None:
    fitting = of(*[public(ec_key(f"k{at}")) for at in range(MOST_KEYS)])
    assert len(KeySet.loads(fitting).keys) == MOST_KEYS
    assert refused(of(*[{}] * (MOST_KEYS + 1))) == "limit_exceeded"
    assert len(KeySet.loads(key_set(EC).ljust(LARGEST_KEY_SET)).keys) == 1
    assert refused(key_set(EC).ljust(LARGEST_KEY_SET + 1)) == "limit_exceeded"


def test_a_signature_is_one_keys() -> None:
    unverified = Unverified.read(signed(EC, {"a": 1}, typ="application/JWT"))
    assert (unverified.algorithm, unverified.kid, unverified.type) == ("ES384", "k1", "jwt")
    assert unverified.claims(EC) == unverified.peek() == {"a": 1}
    for other in (ec_key("k1"), RSA, ec_key("k1", "P-256")):
        with pytest.raises(AccessError) as caught:
            unverified.claims(other)
        assert caught.value.code == "jws_signature"


def test_every_flipped_bit_of_a_signature_is_noticed() -> None:
    text = signed(EC, {"a": 1})
    head, content, signature = text.split(".")
    other = {"A": "B"}
    for at in range(0, len(signature), 7):
        flipped = signature[:at] + other.get(signature[at], "A") + signature[at + 1 :]
        with pytest.raises(AccessError):
            Unverified.read(f"{head}.{content}.{flipped}").claims(EC)


def test_an_algorithm_may_be_excluded() -> None:
    text = signed(RSA, {})
    assert Unverified.read(text).algorithm == "RS384"
    with pytest.raises(AccessError) as caught:
        Unverified.read(text, ("ES384",))
    assert caught.value.code == "jws_algorithm"


def test_an_error_shows_nothing_of_the_text() -> None:
    text = signed(EC, {"subject_name": "Ada"})
    assert "Ada" not in repr(Unverified.read(text))
    assert text not in repr(Unverified.read(text))


@pytest.mark.parametrize("value", [None, True, "1", -1, 1e300, float("nan"), float("inf"), 1 << 53, 10**400, [1]])
def test_what_is_no_moment_is_refused(value: Any) -> None:
    with pytest.raises(AccessError) as caught:
        moment({"exp": value}, "exp")
    assert caught.value.code == "jws_malformed"


def test_a_moment_may_be_missing_or_have_a_fraction() -> None:
    assert (moment({}, "exp"), moment({"exp": 5}, "exp"), moment({"exp": 5.9}, "exp")) == (None, 5, 5)
