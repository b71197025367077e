"""What the drill of kills kills: a patient who goes from one address to the next, and her records with her.

python -m tests.integration.move_child FOLDER PLACE URL
"""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

from chartseal.chain.deployment import Deployment
from chartseal.chain.local.devnet import accounts
from chartseal.chain.rpc.node import Node
from chartseal.errors import SuccessorError
from chartseal.keys import SuccessorNotice, Wallet
from chartseal.sealing import Issuing
from chartseal.vault import Vault, moving
from chartseal.vault.moving import Mover
from chartseal.vault.succession import take_without_map
from tests.moves import issuing_of, mover_of
from tests.vault_records import keys_of
from tests.victims import serve

KEYS = {"index": b"\1" * 32, "pseudonyms": b"\2" * 32, "accounting": b"\3" * 32, "epoch-1": b"\4" * 32}
AT = datetime(2026, 11, 30, 9, tzinfo=UTC)
DEPLOYMENT, STATUS = "deployment.json", "key.status.db"
_HOSPITAL = 1


def wallet(number: int) -> Wallet:
    """The patient's wallet of that number."""
    return Wallet(number.to_bytes(31) + b"\7")


def opened(place: str) -> Vault:
    """The vault, its keys known to all who test."""
    return Vault.open(place, keys_of(KEYS))


def issuing_in(folder: Path) -> Issuing:
    """The hospital, with its store of status lists."""
    domain = Deployment.load(folder / DEPLOYMENT).domain()
    return issuing_of(accounts()[_HOSPITAL], domain, folder / STATUS)


def mover_in(folder: Path, vault: Vault, url: str) -> Mover:
    """Who moves with that hospital's key."""
    deployment = Deployment.load(folder / DEPLOYMENT)
    return mover_of(vault, issuing_in(folder), Node(url, chain_id=deployment.chain_id), deployment, folder / STATUS)


def newest(vault: Vault) -> int:
    """The last wallet that anything was sealed to."""
    return next(number for number in count() if not vault.find(address=str(wallet(number + 1).sealing_address())))


def move(mover: Mover, number: int) -> None:
    """From one wallet to the next, wherever an earlier run stopped."""
    old, new = wallet(number), wallet(number + 1)
    addresses = old.sealing_address(), new.sealing_address()
    notice = SuccessorNotice.make(addresses[0], old, addresses[1], now=AT, new_wallet=new)
    take_without_map(mover.vault, notice, actor="clerk", now=AT)
    done = mover.move(notice, now=AT)
    assert done.left == ()


def finish(mover: Mover) -> None:
    """Finish the move to the newest wallet; where the next is begun, this one was finished."""
    number = newest(mover.vault)
    if number:
        with suppress(SuccessorError):  # superseded
            move(mover, number - 1)


def work(word: str) -> None:
    """Move on and on (`on`) or once (`once`), or finish what was begun (`finish`)."""
    folder, place, url = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    moving.AT_ONCE = 3
    vault = opened(place)
    mover = mover_in(folder, vault, url)
    finish(mover)
    for number in islice(count(newest(vault)), {"on": None, "once": 1, "finish": 0}[word]):
        move(mover, number)
    vault.close()


if __name__ == "__main__":
    serve(work)
