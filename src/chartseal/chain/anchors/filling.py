"""Filling: sealed records of files into their queues, however often and whatever broke off before."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Engine

from chartseal.attestation import Domain
from chartseal.chain.anchors.database import writing
from chartseal.chain.anchors.queue import AnchorQueue
from chartseal.sealing import SealedRecord

_CHUNK = 1_000


class Filled(NamedTuple):
    """How many records were read, and how many seals of them were new to the queue."""

    records: int
    new: int


def fill(engine: Engine, records: Iterable[SealedRecord]) -> Filled:
    """Add records, each to the queue of its seal's domain, a thousand in one transaction.

    A record is on disk before it is here, so that running this again over the same files mends whatever was missed.

    Raises:
        QueueError, SignatureError: as `AnchorQueue.add`; what was added before stays.
    """
    rest, seen, new = iter(records), 0, 0
    while chunk := list(islice(rest, _CHUNK)):
        groups: dict[Domain, list[SealedRecord]] = {}
        for record in chunk:
            groups.setdefault(record.package.domain, []).append(record)
        with writing(engine) as connection:
            new += sum(AnchorQueue(domain).add(connection, group) for domain, group in groups.items())
        seen += len(chunk)
    return Filled(seen, new)
