"""Reading a mailbox with a view key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chartseal.errors import ChartsealError, WalletStoreError
from chartseal.keys import IssuerKey, ViewKey, Wallet, deliver
from chartseal.sealing import SealedRecord
from chartseal.wallet import open_mailbox, read_mailbox
from tests.mailboxes import MadeMailbox, announcements, delivered

ISSUER = IssuerKey.generate()
CHILD = Wallet(b"\x07" * 32)
GENERAL, CONFIDENTIAL = CHILD.sealing_address(), CHILD.sealing_address(1)
KEY = ViewKey.of(CHILD)


@pytest.fixture
def box(tmp_path: Path) -> MadeMailbox:
    return MadeMailbox(tmp_path / "mailbox")


def read(box: MadeMailbox, key: ViewKey = KEY) -> list[SealedRecord]:
    found = list(read_mailbox(key, open_mailbox(box.place)))
    assert all(isinstance(each, SealedRecord) for each in found)
    return [each for each in found if isinstance(each, SealedRecord)]


def refusals(box: MadeMailbox) -> list[str]:
    return [each.code for each in read_mailbox(KEY, open_mailbox(box.place)) if isinstance(each, ChartsealError)]


def test_a_view_key_reads_its_address_and_no_other(box: MadeMailbox) -> None:
    general = box.deliver(ISSUER, GENERAL, [1, 2])
    confidential = box.deliver(ISSUER, CONFIDENTIAL, [3])
    later = box.deliver(ISSUER, CHILD.sealing_address(0, 1), [4])
    assert sorted(record.uid for record in read(box)) == sorted(record.uid for record in general)
    assert [record.uid for record in read(box, ViewKey.of(CHILD, 1))] == [confidential[0].uid]
    assert [record.uid for record in read(box, ViewKey.of(CHILD, 0, 1))] == [later[0].uid]


def test_a_record_comes_once_and_what_is_gone_is_passed_over(box: MadeMailbox) -> None:
    made = [delivered(ISSUER, GENERAL, number) for number in (1, 2)]
    box.announce(list(announcements(made)))
    box.announce(list(announcements(made)))
    box.put(*made[0][1:])
    assert [record.uid for record in read(box)] == [made[0][0].uid]


def test_what_does_not_hold_is_told(box: MadeMailbox) -> None:
    record, locator, ciphertext = delivered(ISSUER, GENERAL)
    box.announce(list(announcements([(record, locator, ciphertext)])))
    box.put(locator, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]))
    assert refusals(box) == ["ciphertext_refused"]


def test_another_deliverys_record_is_refused(box: MadeMailbox) -> None:
    record, _, _ = delivered(ISSUER, GENERAL)
    for count in (1, 2):
        other = deliver(GENERAL)
        box.announce([other.announcement])
        taken = record if count == 1 else replace(record, enc=other.enc, tag=other.tag)
        box.put(other.locator, other.seal(taken.to_json()))
        assert refusals(box) == ["delivery_refused"] * count


def test_a_mailbox_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WalletStoreError) as caught:
        list(read_mailbox(KEY, open_mailbox(str(tmp_path / "absent"))))
    assert caught.value.code == "mailbox_unavailable"
