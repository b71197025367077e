"""kill -9 at random moments while records move from address to address: each is sealed again once, and then revoked."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import Table, func, select

from chartseal.attestation import Address, Digest
from chartseal.chain.anchors.tables import ANNOUNCEMENT, LEAF
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.vault import Vault
from chartseal.vault.audit import Action, verify_log
from chartseal.vault.database import reading
from chartseal.vault.tables import DELIVERY, KEY, MOVE, RECORD
from tests.anchoring import place as place
from tests.chain import Local
from tests.chain import local as local
from tests.integration.move_child import AT, DEPLOYMENT, KEYS, issuing_in, newest, wallet
from tests.moves import chart_of, conditions, seal_to
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.vault_records import keys_of
from tests.victims import Victims

KILLS = 200
"""In each database."""
RECORDS = 10


def counted(vault: Vault, table: Table) -> int:
    with reading(vault.engine) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def check_whole(vault: Vault) -> bool:
    """Every record is there once wherever it is; returns whether the kill fell into the middle of a move."""
    rows = counted(vault, RECORD)
    assert [counted(vault, each) for each in (KEY, LEAF, ANNOUNCEMENT)] == [rows] * 3
    with reading(vault.engine) as connection:
        moves = connection.execute(select(MOVE)).all()
        verify_log(connection, now=AT)
    assert rows == RECORDS + len(moves)
    assert len({row.successor_id for row in moves}) == len(moves)
    return len(moves) % RECORDS != 0 or any(row.revoked_at is None for row in moves)


@pytest.mark.long
def test_each_record_is_sealed_again_once_and_revoked(
    place: str, local: Local, tmp_path: Path, drill_scale: float
) -> None:
    (tmp_path / DEPLOYMENT).write_text(local.deployment.to_json())
    vault = Vault.create(place, keys_of(KEYS), now=AT)
    seal_to(vault, issuing_in(tmp_path), chart_of(conditions(RECORDS - 1)), tmp_path, wallet=wallet(0))
    victims = Victims("tests.integration.move_child", str(tmp_path), place, local.url)
    kills, midway = max(2, round(KILLS * drill_scale)), 0
    chance, longest = random.Random(), one_move(victims)
    for _ in range(kills):
        before = newest(vault)
        process = victims.start("on")
        time.sleep(chance.uniform(0, longest))
        os.kill(process, signal.SIGKILL)
        assert victims.end() == -signal.SIGKILL
        is_midway = check_whole(vault)
        midway += is_midway
        longest *= 0.95 if is_midway or newest(vault) > before else 1.2  # the machine may be busy with other things
    victims.start("finish")
    assert victims.end() == 0
    victims.close()
    print(f"{kills} kills, {midway} of them in the middle of a move; {newest(vault)} moves of {RECORDS} records")
    assert check_whole(vault) is False
    assert list(vault.verify()) == []
    check_revoked(vault, local)
    vault.close()


def one_move(victims: Victims) -> float:
    """Seconds that a whole move takes, and half as many more."""
    began = time.monotonic()
    victims.start("once")
    assert victims.end() == 0
    return 1.5 * (time.monotonic() - began)


def check_revoked(vault: Vault, local: Local) -> None:
    """What moved is revoked on the chain, what is newest is not, and the log has each revocation once."""
    entries, facts = vault.find(), RpcFacts(local.node, local.deployment)
    moved, last = vault.moved(entries), str(wallet(newest(vault)).sealing_address())
    assert {each.id for each in vault.find(address=last)} == {each.id for each in entries} - moved
    for each in entries:
        attester, uid = each.identity
        assert (facts.revoked_offchain(Address(attester), Digest(uid)) > 0) is (each.id in moved)
    with reading(vault.engine) as connection:
        acts = [each.what for each in vault.audit.find(connection) if each.action is Action.REVOKE]
        waiting = set(connection.scalars(select(DELIVERY.c.record_id)))
    assert len(acts) == len(set(acts)) == len(moved)
    assert waiting == {each.id for each in entries} - moved
