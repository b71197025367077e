"""Successor notices: who must sign that one sealing address follows another."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chartseal.errors import ChartsealError, SignatureError, SuccessorError
from chartseal.keys import SealingAddress, SuccessorNotice, Wallet, verify_successor

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
OLD, NEW, THIEF = (Wallet(bytes([number]) * 32) for number in (1, 2, 3))
MOVED = SuccessorNotice.make(OLD.sealing_address(), OLD, OLD.sealing_address(epoch=1), now=NOW)
TAKEN_OVER = SuccessorNotice.make(OLD.sealing_address(), OLD, NEW.sealing_address(), now=NOW, new_wallet=NEW)
ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041


def refused(notice: SuccessorNotice, code: str, now: datetime = NOW) -> None:
    with pytest.raises(ChartsealError) as caught:
        verify_successor(notice, current=notice.old, now=now)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("notice", "new"), [(MOVED, OLD.sealing_address(epoch=1)), (TAKEN_OVER, NEW.sealing_address())]
)
def test_who_must_sign_has_signed(notice: SuccessorNotice, new: SealingAddress) -> None:
    assert verify_successor(notice, current=notice.old, now=NOW) == new
    read = SuccessorNotice.loads(notice.to_json())
    assert read == notice
    assert verify_successor(read, current=OLD.sealing_address(), now=NOW + timedelta(days=1)) == new


def test_the_new_key_must_agree() -> None:
    refused(replace(TAKEN_OVER, signatures=TAKEN_OVER.signatures[:1]), "successor_unsigned")
    refused(replace(TAKEN_OVER, signatures=TAKEN_OVER.signatures[:1] * 2), "signature_invalid")
    refused(replace(TAKEN_OVER, signatures=TAKEN_OVER.signatures[::-1]), "signature_invalid")
    refused(replace(MOVED, signatures=MOVED.signatures * 2), "successor_unsigned")
    with pytest.raises(SuccessorError) as caught:
        SuccessorNotice.make(OLD.sealing_address(), OLD, NEW.sealing_address(), now=NOW)
    assert caught.value.code == "successor_unsigned"


def test_nobody_else_moves_an_address() -> None:
    with pytest.raises(SuccessorError):
        SuccessorNotice.make(OLD.sealing_address(), THIEF, THIEF.sealing_address(), now=NOW)
    with pytest.raises(SuccessorError):
        SuccessorNotice.make(OLD.sealing_address(), THIEF, THIEF.sealing_address(), now=NOW, new_wallet=THIEF)
    own = SuccessorNotice.make(THIEF.sealing_address(), THIEF, THIEF.sealing_address(1), now=NOW)
    refused(replace(own, old=OLD.sealing_address(), signatures=own.signatures * 2), "signature_invalid")
    refused(replace(MOVED, new=THIEF.sealing_address(), signatures=MOVED.signatures * 2), "signature_invalid")


@pytest.mark.parametrize(
    "change", [{"at": int(NOW.timestamp()) - 1}, {"new": OLD.sealing_address(epoch=2)}, {"old": OLD.sealing_address(1)}]
)
def test_other_words_than_were_signed(change: dict[str, Any]) -> None:
    refused(replace(MOVED, **change), "signature_invalid")


def test_an_address_does_not_follow_itself() -> None:
    with pytest.raises(SuccessorError) as caught:
        SuccessorNotice.make(OLD.sealing_address(), OLD, OLD.sealing_address(), now=NOW)
    assert caught.value.code == "successor_same"
    refused(replace(MOVED, new=MOVED.old), "successor_same")


def test_a_notice_of_a_time_to_come() -> None:
    verify_successor(MOVED, current=MOVED.old, now=NOW - timedelta(minutes=5))
    refused(MOVED, "successor_future", NOW - timedelta(minutes=5, seconds=1))


def test_a_signature_has_one_form() -> None:
    [signature] = MOVED.signatures
    longer = signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    with pytest.raises(SignatureError):
        verify_successor(replace(MOVED, signatures=(longer,)), current=TAKEN_OVER.old, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "delegation"},
        {"old": "seal1"},
        {"new": None},
        {"at": True},
        {"at": -1},
        {"at": 253_402_300_800},
        {"signatures": "0x"},
        {"signatures": ["0x00"]},
        {"more": 1},
    ],
    ids=str,
)
def test_what_is_malformed_is_refused(change: dict[str, Any]) -> None:
    data = json.loads(MOVED.to_json())
    with pytest.raises(SuccessorError) as caught:
        SuccessorNotice.loads(json.dumps({**data, **change}).encode())
    assert caught.value.code == "successor_malformed"


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b" " * 5_000])
def test_other_texts_are_refused(text: bytes) -> None:
    with pytest.raises(SuccessorError):
        SuccessorNotice.loads(text)


def test_an_address_that_was_left_is_finished() -> None:
    lured = SuccessorNotice.make(
        OLD.sealing_address(), OLD, THIEF.sealing_address(), now=NOW + timedelta(days=1), new_wallet=THIEF
    )
    with pytest.raises(SuccessorError) as caught:
        verify_successor(lured, current=TAKEN_OVER.new, now=NOW + timedelta(days=2))
    assert caught.value.code == "successor_superseded"
