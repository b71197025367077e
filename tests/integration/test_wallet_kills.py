"""kill -9 at random moments of scanning, accepting, erasing, backing up: each record is there once, or erased."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from chartseal.keys import IssuerKey
from chartseal.wallet import CANDIDATE, ERASED, KEPT, WalletStore
from tests.integration.wallet_child import WALLET, is_to_go, work
from tests.mailboxes import MadeMailbox
from tests.victims import Victims

KILLS = 200


def uids(store: WalletStore, *states: str) -> list[bytes]:
    return [held.record.uid for held in store.records(*states)]


@pytest.mark.long
def test_a_wallet_that_is_killed_at_any_moment(tmp_path: Path, drill_scale: float) -> None:
    chance, issuer = random.Random(), IssuerKey.generate()
    mailbox = MadeMailbox(tmp_path / "mailbox")
    sealed: list[bytes] = []
    victims, longest = Victims("tests.integration.wallet_child", str(tmp_path)), 0.2
    try:
        for _ in range(max(4, round(KILLS * drill_scale))):
            sealed += [each.uid for each in mailbox.deliver(issuer, WALLET.sealing_address(), range(12))]
            started = victims.start("go")
            time.sleep(chance.uniform(0, longest))
            os.kill(started, signal.SIGKILL)
            victims.end()
            with WalletStore.open(tmp_path / "records", WALLET) as store:
                there = uids(store, CANDIDATE, KEPT)
                assert len(there) == len(set(there))
                assert set(there) <= set(sealed)
                assert store.counts()[ERASED] <= sum(map(is_to_go, sealed))
    finally:
        victims.close()
    work(tmp_path)
    with WalletStore.open(tmp_path / "records", WALLET) as store:
        assert sorted(uids(store, KEPT)) == sorted(uid for uid in sealed if not is_to_go(uid))
        assert uids(store, CANDIDATE) == []
        assert store.counts()[ERASED] == sum(map(is_to_go, sealed))
    shutil.rmtree(tmp_path / "mailbox")
    assert WalletStore.restore(tmp_path / "copy", tmp_path / "again", WALLET)[KEPT] == len(sealed) - sum(
        map(is_to_go, sealed)
    )
