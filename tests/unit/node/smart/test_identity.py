"""An account's word for its node's keys."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import LocalSigner, abi
from chartseal.errors import PeerError
from chartseal.node.smart.identity import LIFE, LONGEST_LIFE, NAME, Statement
from chartseal.node.smart.jose import KeySet
from tests.node_clients import ACCOUNT, HOSPITAL, NOW, b64, ec_key, key_set, rsa_key

URL = "https://b.example/node"
KEYS = KeySet.loads(key_set(ec_key("k1"), rsa_key("r1")))


def code_of(text: Any) -> str:
    with pytest.raises(PeerError) as caught:
        Statement.of_key_set(json.dumps(text).encode())
    return caught.value.code


def is_good(statement: Statement, *, keys: KeySet = KEYS, url: str = URL, **changes: Any) -> bool:
    try:
        statement.check(changes.get("account", HOSPITAL), url, keys, changes.get("now", NOW))
    except PeerError as refusal:
        if refusal.code != "peer_not_account":
            raise
        return False
    return True


def test_a_statement_is_of_one_account_one_place_and_these_keys() -> None:
    statement = Statement.make(ACCOUNT, URL, KEYS, NOW)
    assert Statement.of_key_set(json.dumps({"keys": [], NAME: statement.to_json()}).encode()) == statement
    assert is_good(statement)
    other = LocalSigner(b"\xb2" * 32)
    assert not is_good(statement, account=other.address)
    assert not is_good(Statement.make(other, URL, KEYS, NOW))
    assert not is_good(replace(Statement.make(other, URL, KEYS, NOW), account=HOSPITAL))
    assert not is_good(statement, url=URL + "/")
    assert not is_good(statement, keys=KeySet({"k1": KEYS.keys["k1"]}))
    assert not is_good(statement, keys=KeySet({**KEYS.keys, "k2": ec_key("k2")}))
    assert not is_good(statement, keys=KeySet({**KEYS.keys, "k1": ec_key("k1")}))
    assert not is_good(replace(statement, until=statement.until + 1))
    assert not is_good(replace(statement, signature=bytes(65)))


def test_keys_may_stand_in_any_order() -> None:
    turned = KeySet(dict(sorted(KEYS.keys.items(), reverse=True)))
    assert is_good(Statement.make(ACCOUNT, URL, KEYS, NOW), keys=turned)


def test_a_statement_counts_for_minutes() -> None:
    statement = Statement.make(ACCOUNT, URL, KEYS, NOW)
    assert is_good(statement, now=NOW + LIFE - timedelta(seconds=1))
    assert not is_good(statement, now=NOW + LIFE)
    late = Statement.make(ACCOUNT, URL, KEYS, NOW + LONGEST_LIFE - LIFE)
    assert is_good(late)
    assert not is_good(Statement.make(ACCOUNT, URL, KEYS, NOW + LONGEST_LIFE - LIFE + timedelta(seconds=1)))


def test_the_digest_is_the_documented_one() -> None:
    statement = Statement.make(ACCOUNT, URL, KEYS, NOW)
    kinds = [abi.parse_type(kind) for kind in ("string", "address", "string", "bytes32[]", "uint64")]
    thumbprints = sorted(thumbprint_of(key) for key in KEYS.keys.values())
    encoded = abi.encode_all(kinds, ["chartseal/1/node-keys", HOSPITAL, URL, thumbprints, statement.until])
    assert _core.recover_address(_core.keccak256(encoded), statement.signature) == HOSPITAL


def thumbprint_of(key: Any) -> bytes:
    """RFC 7638 by hand."""
    members = key.as_dict(private=False)
    required = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}[members["kty"]]
    text = json.dumps({name: members[name] for name in required}, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    assert b64(digest) == key.thumbprint()
    return digest


GOOD = Statement.make(ACCOUNT, URL, KEYS, NOW).to_json()


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        "0x",
        {},
        {**GOOD, "more": 1},
        {name: value for name, value in GOOD.items() if name != "until"},
        {**GOOD, "until": str(GOOD["until"])},
        {**GOOD, "until": True},
        {**GOOD, "account": 7},
        {**GOOD, "account": GOOD["account"][:-2]},
        {**GOOD, "signature": GOOD["signature"][:-2]},
        {**GOOD, "signature": None},
    ],
)
def test_malformed_statements_are_refused(found: Any) -> None:
    assert code_of({"keys": [], NAME: found}) == "peer_not_account"


def test_a_set_without_one_is_refused() -> None:
    assert code_of({"keys": []}) == code_of([]) == "peer_not_account"


@pytest.mark.parametrize("until", [-1, 1 << 64, 10**30])
def test_times_that_do_not_fit_are_refused(until: int) -> None:
    assert not is_good(replace(Statement.make(ACCOUNT, URL, KEYS, NOW), until=until))
