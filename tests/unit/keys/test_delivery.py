"""Addresses, deliveries and registration."""

import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.errors import (
    ChartsealError,
    DeliveryError,
    KeyFormatError,
    RegistrationError,
    SealedRecordError,
    SignatureError,
)
from chartseal.keys import (
    Challenge,
    DeliveryReceipt,
    Inbox,
    IssuerKey,
    SealingAddress,
    Wallet,
    deliver,
    matches,
    verify_registration,
)
from chartseal.sealing import SealedRecord, seal_resource

WALLET = Wallet(b"\x01" * 32)
OTHER = Wallet(b"\x02" * 32)
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=3_000), st.integers(0, 3), st.integers(0, 3))
def test_what_is_delivered_is_found_and_read(record: bytes, address: int, epoch: int) -> None:
    delivery = deliver(WALLET.sealing_address(address, epoch))
    ciphertext = delivery.seal(record)
    received = WALLET.receive(delivery.enc, address=address, epoch=epoch)
    assert (received.subject, received.tag, received.locator) == (delivery.subject, delivery.tag, delivery.locator)
    assert matches(WALLET, delivery.announcement, address=address, epoch=epoch)
    assert WALLET.open(delivery.enc, ciphertext, address=address, epoch=epoch) == record
    assert not OTHER.is_mine(delivery.enc, delivery.subject, address=address, epoch=epoch)


def test_a_delivery_encrypts_once() -> None:
    delivery = deliver(WALLET.sealing_address())
    delivery.seal(b"record")
    with pytest.raises(KeyFormatError) as caught:
        delivery.seal(b"another")
    assert caught.value.code == "delivery_spent"


def test_lengths_are_hidden() -> None:
    lengths = {len(deliver(WALLET.sealing_address()).seal(bytes(size))) for size in range(1_000, 1_020)}
    assert lengths == {1_024 + 16}


def test_an_altered_ciphertext_does_not_open() -> None:
    delivery = deliver(WALLET.sealing_address())
    ciphertext = delivery.seal(b"record")
    for altered in (ciphertext[:-1], bytes([ciphertext[0] ^ 1]) + ciphertext[1:], b""):
        with pytest.raises(KeyFormatError):
            WALLET.open(delivery.enc, altered)


def test_a_repeated_key_or_another_subject_is_not_taken_in() -> None:
    inbox = Inbox(WALLET)
    first, second = (deliver(WALLET.sealing_address()) for _ in range(2))
    received = inbox.accept(first.enc, first.subject)
    for again in (inbox, Inbox(WALLET, [received])):
        with pytest.raises(DeliveryError) as caught:
            again.accept(first.enc, first.subject)
        assert caught.value.code == "delivery_repeated"
    with pytest.raises(DeliveryError) as caught:
        inbox.accept(second.enc, first.subject)
    assert caught.value.code == "delivery_refused"
    inbox.accept(second.enc, second.subject)


@pytest.mark.parametrize("announcement", [b"", bytes(33), bytes(34), bytes(35)])
def test_a_malformed_announcement_is_for_nobody(announcement: bytes) -> None:
    assert not matches(WALLET, announcement)


def test_addresses_come_back_from_text() -> None:
    address = WALLET.sealing_address()
    assert SealingAddress.parse(f" {address}\n") == address
    assert SealingAddress.parse(str(address).upper()) == address


@settings(max_examples=50, deadline=None)
@given(st.integers(5, 117), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_a_mistyped_address_is_refused(position: int, letter: str) -> None:
    text = str(WALLET.sealing_address())
    mistyped = text[:position] + letter + text[position + 1 :]
    if mistyped != text:
        with pytest.raises(KeyFormatError) as caught:
            SealingAddress.parse(mistyped)
        assert caught.value.code == "address_malformed"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=150))
def test_arbitrary_text_is_no_address(text: str) -> None:
    with pytest.raises(KeyFormatError):
        SealingAddress.parse(text)


def test_registration_binds_address_origin_and_time() -> None:
    challenge = Challenge.fresh("https://hospital.example", NOW + timedelta(minutes=5))
    address = WALLET.sealing_address()
    signature = challenge.sign(WALLET)
    verify_registration(challenge, address, signature, now=NOW)
    with pytest.raises(RegistrationError):
        verify_registration(challenge, address, signature, now=NOW + timedelta(minutes=6))
    refused: list[tuple[Challenge, SealingAddress]] = [
        (Challenge(challenge.value, "https://thief.example", challenge.expiry), address),
        (Challenge(bytes(32), challenge.origin, challenge.expiry), address),
        (Challenge(challenge.value, challenge.origin, challenge.expiry + 1), address),
        (challenge, WALLET.sealing_address(1)),
        (challenge, OTHER.sealing_address()),
    ]
    for other_challenge, other_address in refused:
        with pytest.raises(SignatureError):
            verify_registration(other_challenge, other_address, signature, now=NOW)


def test_a_challenge_has_32_bytes() -> None:
    with pytest.raises(ChartsealError):
        Challenge(bytes(31), "https://hospital.example", 1).sign(WALLET)


def test_a_sealed_record_tells_its_announcement() -> None:
    issuer = IssuerKey.generate()
    text = '{"resourceType":"Patient","birthDate":"1980-02-29"}'
    record = seal_resource(text, issuer.issuing(), WALLET.sealing_address().data)
    assert record.announcement is not None
    assert matches(WALLET, record.announcement)
    assert SealedRecord.from_json(record.to_json()) == record
    without = replace(record, tag=b"")
    assert without.announcement is None
    assert SealedRecord.from_json(without.to_json()) == without
    with pytest.raises(SealedRecordError):
        SealedRecord.from_json(replace(record, tag=b"\x01").to_json())


def test_a_receipt_is_hkdf_of_the_seed_and_is_read_as_it_is_written() -> None:
    locator, seed = b"\x33" * 32, b"\x5e" * 32
    receipt = DeliveryReceipt.of(locator, seed)
    # RFC 5869 by hand: extract with a salt of zeros, one block of expand
    key = hmac.digest(bytes(32), seed, "sha256")
    assert receipt.proof == hmac.digest(key, b"chartseal/1/accepted\0" + locator + b"\1", "sha256")
    assert receipt.is_of(seed)
    assert not receipt.is_of(b"\x5f" + seed[1:])
    assert DeliveryReceipt.from_line(receipt.to_line()) == receipt
    assert receipt.proof.hex() not in repr(receipt)


@pytest.mark.parametrize(
    "line", [b"", b"00" * 32, b"00" * 32 + b" " + b"00" * 31, b"0x" + b"00" * 32 + b" " + b"00" * 32]
)
def test_what_is_no_receipt_is_refused(line: bytes) -> None:
    with pytest.raises(DeliveryError) as caught:
        DeliveryReceipt.from_line(line)
    assert caught.value.code == "delivery_receipt_malformed"
