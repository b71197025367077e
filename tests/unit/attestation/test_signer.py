"""Keys from another library's keystore, a descriptor and the environment, and a key that this process never has."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

import pytest
from eth_account import Account

from chartseal.attestation import (
    PRIVATE_DATA_SCHEMA,
    Address,
    Digest,
    LocalSigner,
    OffchainMessage,
    network,
    recover_offchain,
    sign_offchain,
    signer,
)
from chartseal.errors import KeyFormatError, KeystoreError, SignatureError

SECRET = b"\x11" * 32
ADDRESS = LocalSigner(SECRET).address


def from_pipe(data: bytes) -> LocalSigner:
    readable, writable = os.pipe()
    os.write(writable, data)
    os.close(writable)
    try:
        return signer.from_fd(readable)
    finally:
        os.close(readable)


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_a_keystore_of_another_library_opens(kdf: Literal["scrypt", "pbkdf2"], tmp_path: Path) -> None:
    keystore = Account.encrypt(SECRET, "open", kdf=kdf, iterations=1_024)
    path = tmp_path / "keystore.json"
    path.write_text(json.dumps(keystore))
    assert signer.from_keystore(path, "open").address == ADDRESS
    with pytest.raises(KeystoreError):
        signer.from_keystore(path, "Open")
    path.write_text(json.dumps({**keystore, "address": "00" * 20}))
    with pytest.raises(KeystoreError, match="another key"):
        signer.from_keystore(path, "open")
    path.write_text("[" * 10_000)
    with pytest.raises(KeystoreError):
        signer.from_keystore(path, "open")
    with pytest.raises(KeystoreError):
        signer.from_keystore(tmp_path / "none.json", "open")


def test_a_keystore_that_asks_for_too_much_work_is_refused(tmp_path: Path) -> None:
    keystore = Account.encrypt(SECRET, "open", kdf="scrypt", iterations=1_024)
    keystore["crypto"]["kdfparams"]["n"] = 1 << 40
    (tmp_path / "keystore.json").write_text(json.dumps(keystore))
    with pytest.raises(KeystoreError, match="work factors"):
        signer.from_keystore(tmp_path / "keystore.json", "open")


def test_a_key_from_a_descriptor_or_the_environment() -> None:
    for data in (SECRET, b"11" * 32, b"0x" + b"11" * 32 + b"\n"):
        assert from_pipe(data).address == ADDRESS
    assert signer.from_environment("KEY", {"KEY": "0x" + "11" * 32}).address == ADDRESS
    for data in (b"", SECRET[:31], SECRET + b"\x11", b"zz" * 32, bytes(32)):
        with pytest.raises(KeyFormatError) as refused:
            from_pipe(data)
        assert "11" * 4 not in str(refused.value)
    with pytest.raises(KeyFormatError):
        signer.from_environment("KEY", {})
    assert "1111" not in repr(LocalSigner(SECRET)).lower()


class Device:
    """A KMS or HSM, as the protocol sees it."""

    def __init__(self, secret: bytes, address: Address) -> None:
        self._key, self.address = LocalSigner(secret), address

    def sign_digest(self, digest: Digest) -> bytes:
        return self._key.sign_digest(digest)


def test_a_device_signs_and_one_with_another_key_is_noticed() -> None:
    message = OffchainMessage(PRIVATE_DATA_SCHEMA, time=1, data=bytes(32))
    package = sign_offchain(message, network("base").domain(), Device(SECRET, ADDRESS))
    assert recover_offchain(package).attester == ADDRESS
    with pytest.raises(SignatureError):
        sign_offchain(message, network("base").domain(), Device(b"\x12" * 32, ADDRESS))
