"""View keys: what they find among others' announcements, and what they read."""

from __future__ import annotations

import pytest

from chartseal import _core
from chartseal.errors import KeyFormatError

OURS, THEIRS = _core.Wallet(b"\x01" * 64), _core.Wallet(b"\x02" * 64)
KEY = OURS.view_key()


def test_a_scan_finds_what_receiving_finds() -> None:
    deliveries = [_core.Delivery((OURS if at % 5 == 2 else THEIRS).address()) for at in range(60)]
    page = b"".join(delivery.announcement for delivery in deliveries)
    found = KEY.scan(page)
    assert found == [at for at, delivery in enumerate(deliveries) if KEY.receive(delivery.enc)[1] == delivery.tag]
    assert set(range(2, 60, 5)) <= set(found)
    assert OURS.scan(page) == found
    others = set(OURS.scan(page, 0, 1)) | set(OURS.scan(page, 1))
    assert len(others) < 2  # a tag of two bytes matches by chance


def test_a_view_key_finds_and_reads_as_its_wallet_does() -> None:
    key = _core.ViewKey(OURS.view_secret(1, 2), OURS.address(1, 2))
    delivery = _core.Delivery(OURS.address(1, 2))
    assert key.receive(delivery.enc) == OURS.receive(delivery.enc, 1, 2)
    assert key.open(delivery.enc, delivery.seal(b"record")) == b"record"
    assert OURS.view_secret(1, 2).hex() not in repr(key)
    assert not hasattr(key, "sign")


def test_keys_of_low_order_are_nobody_s() -> None:
    announcement = _core.Delivery(OURS.address()).announcement
    low = [bytes(34), b"\x01" + bytes(33)]
    assert KEY.scan(b"".join([*low, announcement])) == [2]
    with pytest.raises(KeyFormatError) as caught:
        KEY.receive(bytes(32))
    assert caught.value.code == "enc_invalid"


def test_malformed_input_is_refused() -> None:
    assert KEY.scan(b"") == []
    with pytest.raises(KeyFormatError) as caught:
        KEY.scan(bytes(33))
    assert caught.value.code == "announcements_malformed"
    with pytest.raises(KeyFormatError) as caught:
        _core.ViewKey(OURS.view_secret(1), OURS.address())
    assert caught.value.code == "view_key_mismatch"
    with pytest.raises(KeyFormatError) as caught:
        _core.ViewKey(b"short", OURS.address())
    assert caught.value.code == "wrong_length"
