"""A node's own keys: numbered, rotated, the same in every process."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartseal.errors import VaultKeyError
from chartseal.node.smart.jose import Unverified
from chartseal.node.smart.signing_keys import CLIENT_KEYS, TOKEN_KEYS, SigningKeys
from chartseal.vault.keys import EnvironmentKeys, KeystoreFile
from tests.node_clients import MemoryKeys

KNOWN = "hlHhoJgnFtk9-rDLcM9wEWp5eiv6u3QYWXJwElSxaHI"


def test_the_newest_signs_and_the_one_before_still_verifies() -> None:
    provider = MemoryKeys()
    keys = SigningKeys(provider, CLIENT_KEYS)
    with pytest.raises(VaultKeyError) as caught:
        keys.sign("JWT", b"{}")
    assert caught.value.code == "key_missing"
    kids = []
    texts = []
    for _ in range(3):
        kids.append(keys.rotate())
        texts.append(keys.sign("JWT", b'{"a":1}'))
    assert [Unverified.read(text).kid for text in texts] == kids
    assert sorted(provider.kept) == ["nodeclient-2", "nodeclient-3"]
    assert keys.find(kids[0]) is None
    for text in texts[1:]:
        unverified = Unverified.read(text)
        key = keys.find(unverified.kid)
        assert key is not None
        assert unverified.claims(key) == {"a": 1}
    assert [each["kid"] for each in keys.published()["keys"]] == [kids[2], kids[1]]


def test_what_is_published_is_public() -> None:
    keys = SigningKeys(MemoryKeys(), CLIENT_KEYS)
    keys.rotate()
    [published] = keys.published()["keys"]
    assert "d" not in published
    assert (published["alg"], published["use"], published["crv"]) == ("ES384", "sig", "P-384")


def test_purposes_have_different_keys_even_of_one_secret() -> None:
    provider = MemoryKeys()
    provider.kept = {"nodeclient-1": bytes(range(32)), "nodetoken-1": bytes(range(32)), "epoch-1": bytes(32)}
    first, second = (SigningKeys(provider, purpose).published()["keys"] for purpose in (CLIENT_KEYS, TOKEN_KEYS))
    assert len(first) == len(second) == 1
    assert first[0]["kid"] != second[0]["kid"]
    # A secret gives the same key for good: this one is of 2026.
    assert first[0]["kid"] == KNOWN


def test_another_process_sees_a_rotation_within_seconds() -> None:
    provider, now = MemoryKeys(), [0.0]
    first, second = SigningKeys(provider, TOKEN_KEYS), SigningKeys(provider, TOKEN_KEYS, clock=lambda: now[0])
    first.rotate()
    text = second.sign("at+jwt", b"{}")
    new = first.rotate()
    assert second.find(new) is None
    now[0] += 5
    assert second.find(new) is not None
    assert first.find(Unverified.read(text).kid) is not None


def test_the_place_is_not_read_for_each_signature() -> None:
    provider, now = MemoryKeys(), [0.0]
    keys = SigningKeys(provider, TOKEN_KEYS, clock=lambda: now[0])
    keys.rotate()
    keys.sign("JWT", b"{}")
    before = provider.reads
    for _ in range(10):
        keys.sign("JWT", b"{}")
    assert provider.reads == before


def test_who_rotates_at_the_same_time_makes_one_key() -> None:
    provider = MemoryKeys()
    SigningKeys(provider, TOKEN_KEYS).rotate()
    slow = SigningKeys(provider, TOKEN_KEYS)
    names = provider.names()
    other = SigningKeys(provider, TOKEN_KEYS).rotate()
    provider.names = lambda: names  # type: ignore[method-assign]  # it had read them before the other made its key
    slow.rotate()
    del provider.names
    assert sorted(provider.kept) == ["nodetoken-1", "nodetoken-2"]
    assert Unverified.read(SigningKeys(provider, TOKEN_KEYS).sign("JWT", b"{}")).kid == other


def test_keys_in_a_file_are_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "node-keys.json"
    kid = SigningKeys(KeystoreFile(path, "a passphrase"), TOKEN_KEYS).rotate()
    again = SigningKeys(KeystoreFile(path, "a passphrase"), TOKEN_KEYS)
    assert Unverified.read(again.sign("JWT", b"{}")).kid == kid


def test_an_environment_gives_keys_and_takes_none() -> None:
    keys = SigningKeys(EnvironmentKeys("NODE", {"NODE_NODETOKEN_1": "11" * 32}), TOKEN_KEYS)
    assert keys.find(Unverified.read(keys.sign("JWT", b"{}")).kid) is not None
    with pytest.raises(VaultKeyError) as caught:
        keys.rotate()
    assert caught.value.code == "keys_read_only"
