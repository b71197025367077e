"""Records at rest: beside another implementation of the same suite, and every part that may not be altered."""

from __future__ import annotations

import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from chartseal import _core
from chartseal.errors import KeyFormatError
from chartseal.sealing import SealedRecord, sign_lines
from tests.charts import HOLDER, ISSUING

SECRET = b"\x51" * 32
READER = _core.reader_public(SECRET)
PEER = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
PEER_SECRET = X25519PrivateKey.from_private_bytes(SECRET)
PEER_PUBLIC = X25519PublicKey.from_public_bytes(READER)

ATTESTER, UID = b"\xaa" * 20, b"\xbb" * 32


def info(*, attester: bytes = ATTESTER, uid: bytes = UID, epoch: int = 1, reader: bytes = READER) -> bytes:
    return b"chartseal/1/vault-key\x00" + attester + uid + epoch.to_bytes(4) + reader


def associated(*, attester: bytes = ATTESTER, uid: bytes = UID, version: int = 1, kind: int = 1) -> bytes:
    return b"chartseal/1/vault" + attester + uid + version.to_bytes(4) + bytes([kind])


def refusal(wrapped: bytes, its_info: bytes, ciphertext: bytes, its_associated: bytes, secret: bytes = SECRET) -> str:
    (found,) = _core.decrypt_records(secret, [(wrapped, its_info, ciphertext, its_associated)])
    assert isinstance(found, KeyFormatError)
    return found.code


@pytest.fixture(scope="module")
def encrypted() -> tuple[bytes, bytes]:
    return _core.encrypt_records([b"record"], [associated()], [info()], READER)[0]


def test_records_come_back_each_under_its_own_key() -> None:
    payloads = [secrets.token_bytes(size) for size in (0, 1, 31, 5_000)] + [b"same", b"same"]
    places = [(info(epoch=at), associated(version=at)) for at in range(len(payloads))]
    sealed = _core.encrypt_records(payloads, [one for _, one in places], [one for one, _ in places], READER)
    items = [
        (wrapped, place[0], ciphertext, place[1]) for (ciphertext, wrapped), place in zip(sealed, places, strict=True)
    ]
    assert _core.decrypt_records(SECRET, items) == payloads
    assert all(len(wrapped) == 80 for _, wrapped in sealed)
    assert len({wrapped[:32] for _, wrapped in sealed} | {ciphertext[:12] for ciphertext, _ in sealed}) == 12


def test_a_peer_opens_what_we_encrypt(encrypted: tuple[bytes, bytes]) -> None:
    ciphertext, wrapped = encrypted
    data_key = PEER.decrypt(wrapped, PEER_SECRET, info())
    assert AESGCM(data_key).decrypt(ciphertext[:12], ciphertext[12:], associated()) == b"record"


def test_we_open_what_a_peer_encrypts() -> None:
    data_key, nonce = secrets.token_bytes(32), secrets.token_bytes(12)
    wrapped = PEER.encrypt(data_key, PEER_PUBLIC, info())
    ciphertext = nonce + AESGCM(data_key).encrypt(nonce, b"record", associated())
    assert _core.decrypt_records(SECRET, [(wrapped, info(), ciphertext, associated())]) == [b"record"]


def test_a_wrapped_key_of_another_length_is_refused() -> None:
    data_key, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    wrapped = PEER.encrypt(data_key, PEER_PUBLIC, info())
    ciphertext = nonce + AESGCM(data_key).encrypt(nonce, b"record", associated())
    assert refusal(wrapped, info(), ciphertext, associated()) == "data_key_refused"


def test_public_keys_are_a_peer_s() -> None:
    for _ in range(20):
        secret = secrets.token_bytes(32)
        assert (
            _core.reader_public(secret) == X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        )


@pytest.mark.parametrize(
    "other",
    [info(attester=b"\xab" * 20), info(uid=b"\xbc" * 32), info(epoch=2), info(reader=b"\x09" * 32), b""],
)
def test_another_info_is_refused(encrypted: tuple[bytes, bytes], other: bytes) -> None:
    ciphertext, wrapped = encrypted
    assert refusal(wrapped, other, ciphertext, associated()) == "data_key_refused"


@pytest.mark.parametrize(
    "other",
    [associated(attester=b"\xab" * 20), associated(uid=b"\xbc" * 32), associated(version=2), associated(kind=2), b""],
)
def test_another_place_is_refused(encrypted: tuple[bytes, bytes], other: bytes) -> None:
    ciphertext, wrapped = encrypted
    assert refusal(wrapped, info(), ciphertext, other) == "ciphertext_refused"


def test_one_refused_record_leaves_the_others(encrypted: tuple[bytes, bytes]) -> None:
    ciphertext, wrapped = encrypted
    good = (wrapped, info(), ciphertext, associated())
    found = _core.decrypt_records(SECRET, [good, (b"", info(), ciphertext, associated()), good])
    assert [found[0], found[2]] == [b"record", b"record"]
    assert isinstance(found[1], KeyFormatError)
    assert "record" not in repr(found[1]).replace("key and record", "")


def test_keys_are_wrapped_anew_and_leave_the_old_reader(encrypted: tuple[bytes, bytes]) -> None:
    ciphertext, wrapped = encrypted
    later = secrets.token_bytes(32)
    reader = _core.reader_public(later)
    new_info = info(epoch=2, reader=reader)
    moved, refused = _core.rewrap_keys(SECRET, reader, [(wrapped, info(), new_info), (wrapped, new_info, new_info)])
    assert isinstance(moved, bytes)
    assert isinstance(refused, KeyFormatError)
    assert refused.code == "data_key_refused"
    assert _core.decrypt_records(later, [(moved, new_info, ciphertext, associated())]) == [b"record"]
    assert refusal(moved, new_info, ciphertext, associated()) == "data_key_refused"


@pytest.mark.parametrize("reader", [bytes(32), b"\x01" + bytes(31)])
def test_readers_of_low_order_are_refused(reader: bytes) -> None:
    with pytest.raises(KeyFormatError) as caught:
        _core.encrypt_records([b"record"], [b""], [b""], reader)
    assert caught.value.code == "reader_invalid"


def test_wrong_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="for each record"):
        _core.encrypt_records([b"record"], [], [b""], READER)
    for call in (lambda: _core.encrypt_records([], [], [], b"short"), lambda: _core.decrypt_records(b"short", [])):
        with pytest.raises(KeyFormatError) as caught:
            call()
        assert caught.value.code == "wrong_length"


def test_a_sealed_line_is_delivered_again_byte_for_byte() -> None:
    address = HOLDER.keys.address()
    prepared = [
        _core.prepare_fields(
            "Observation",
            [("Observation.status", "string", "final")],
            _core.SealRecipient(address),
            ISSUING.core,
            detached=[],
            test=False,
            full_url="",
            time=0,
            expiration=0,
            amends=bytes(32),
            entries=[],
        )
        for _ in range(2)
    ]
    lines = sign_lines(prepared, ISSUING)
    items = [(one.address, one.ikm, one.line) for one in lines]
    delivered = _core.seal_deliveries(items)
    assert delivered == _core.seal_deliveries(items)
    assert all(one.ikm.hex() not in repr(one) and repr(one.line) not in repr(one) for one in lines)
    for one, (locator, ciphertext) in zip(lines, delivered, strict=True):
        record = SealedRecord.from_json(one.line)
        assert one.address == address
        assert HOLDER.keys.receive(record.enc)[::2] == (record.subject, locator)
        assert HOLDER.keys.open(record.enc, ciphertext) == one.line
