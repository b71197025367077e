"""kill -9 at random moments of a wallet's work: each record is there whole, or erased."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chartseal.keys import IssuerKey
from chartseal.wallet import CANDIDATE, ERASED, KEPT, WalletStore
from tests.integration.wallet_child import ACTS, AGAIN, COPY, STAY, WALLET
from tests.mailboxes import MadeMailbox
from tests.victims import Moments, Victims

KILLS = 200
"""Of each act."""
RECORDS = 24


class Drill:
    """A wallet's folder that is put back as it was before an act, again and again, and killed in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.before = folder / "work", folder / "before"
        self.lines = {
            each.uid: each.to_json()
            for each in MadeMailbox(folder / "mailbox").deliver(
                IssuerKey.generate(), WALLET.sealing_address(), range(RECORDS)
            )
        }
        self.folder.mkdir()

    def prepare(self, *acts: str) -> None:
        """Do what comes before the act, once."""
        for act in acts:
            ACTS[act](self.folder)
        self.folder.rename(self.before)

    def put_back(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.before, self.folder)

    def states(self, name: str = "records") -> dict[str, int]:
        """How many records are in each state; each that is not erased is there once, byte for byte."""
        if not (self.folder / name).exists():
            return dict.fromkeys((CANDIDATE, KEPT, ERASED, "waiting"), 0)
        with WalletStore.open(self.folder / name, WALLET) as store:
            held = list(store.records(CANDIDATE, KEPT))
            assert store.damaged() == []
            assert len({each.record.uid for each in held}) == len(held)
            assert all(self.lines[each.record.uid] == each.record.to_json() for each in held)
            return store.counts()

    def parts(self) -> list[Path]:
        return [each for each in self.folder.iterdir() if ".part" in each.name]


Look = Callable[[Drill], tuple[bool, bool]]
"""Checks that all is whole; whether the act has begun to change something, and whether it is done."""


def look_at_scan(drill: Drill) -> tuple[bool, bool]:
    found = drill.states()
    assert found[CANDIDATE] + found["waiting"] in (0, *range(RECORDS, RECORDS + 3))  # a tag may match by chance
    return found["waiting"] > 0, found[CANDIDATE] == RECORDS


def look_at_acceptance(drill: Drill) -> tuple[bool, bool]:
    found = drill.states()
    assert found[CANDIDATE] + found[KEPT] == RECORDS
    return found[KEPT] > 0, found[KEPT] == RECORDS


def look_at_erasure(drill: Drill) -> tuple[bool, bool]:
    found = drill.states()
    assert found[KEPT] + found[ERASED] == RECORDS
    return found[ERASED] > 0, found[ERASED] == RECORDS - STAY


def look_at_copy(drill: Drill) -> tuple[bool, bool]:
    return look_at_file(drill, COPY)


def look_at_restoring(drill: Drill) -> tuple[bool, bool]:
    return look_at_file(drill, AGAIN)


def look_at_file(drill: Drill, name: str) -> tuple[bool, bool]:
    """A file that is there under its name is whole."""
    parts, is_there = drill.parts(), (drill.folder / name).exists()
    assert drill.states()[KEPT] == RECORDS
    assert drill.states(name)[KEPT] == (RECORDS if is_there else 0)
    for each in parts:
        os.utime(each, (0, time.time() - 3_700))
    return bool(parts), is_there


ACTS_BEFORE: dict[str, tuple[list[str], Look]] = {
    "scan": ([], look_at_scan),
    "accept": (["scan"], look_at_acceptance),
    "erase": (["scan", "accept"], look_at_erasure),
    "copy": (["scan", "accept", "grow"], look_at_copy),
    "restore": (["scan", "accept", "grow", "copy"], look_at_restoring),
}


@pytest.mark.long
@pytest.mark.parametrize("act", ACTS_BEFORE)
def test_a_wallet_that_is_killed_at_any_moment(act: str, tmp_path: Path, drill_scale: float) -> None:
    drill, (before, look) = Drill(tmp_path), ACTS_BEFORE[act]
    drill.prepare(*before)
    victims, moments = Victims("tests.integration.wallet_child", str(drill.folder)), Moments(0.4)
    for _ in range(max(3, round(KILLS * drill_scale))):
        drill.put_back()
        victims.kill(act, moments.next())
        has_begun, is_done = look(drill)
        moments.note(has_begun=has_begun, is_done=is_done)
        ACTS[act](drill.folder)  # the same goes on
        assert look(drill)[1]
        assert is_done or drill.parts() == []
    victims.close()
    print(moments.told(f"wallet, {act}", RECORDS))
    if act == "erase":
        forgotten(drill)


def forgotten(drill: Drill) -> None:
    """What was erased does not come again, and stands in no byte."""
    with closing(sqlite3.connect(drill.before / "records")) as database:
        entries = [entry for (entry,) in database.execute("SELECT entry FROM record WHERE number > ?", [STAY])]
    ACTS["scan"](drill.folder)
    assert look_at_erasure(drill)[1]
    held = b"".join(each.read_bytes() for each in drill.folder.glob("records*"))
    assert not any(entry[:64] in held for entry in entries)
