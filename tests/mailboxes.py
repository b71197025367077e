"""Providers' mailboxes with made-up records, for wallets to scan."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from chartseal.attestation import Digest
from chartseal.chain.anchors import AnchorTree, AnnouncementPage, announcements_leaf
from chartseal.keys import IssuerKey, SealingAddress, Wallet, deliver
from chartseal.record import read_fields
from chartseal.sealing import SealedRecord
from chartseal.sealing.seal import seal_fields
from chartseal.wallet.sources import ANNOUNCEMENTS, DELIVERIES

TIME = 1_800_000_000


def observation(number: int) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}], "text": "Quicksilverin"},
        "subject": {"reference": "Patient/made-up"},
        "effectiveDateTime": "2031-01-14",
        "valueQuantity": {"value": number, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
    }


def delivered(issuer: IssuerKey, address: SealingAddress, number: int = 1) -> tuple[SealedRecord, bytes, bytes]:
    """A record sealed to an address, its locator and its ciphertext."""
    ikm = secrets.token_bytes(32)
    read = read_fields(json.dumps(observation(number)).encode())
    record = seal_fields(read.resource_type, read.fields, issuer.issuing(), address.data, ikm=ikm)
    delivery = deliver(address, ikm=ikm)
    return record, delivery.locator, delivery.seal(record.to_json())


class MadeMailbox:
    """A mailbox in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder)
        (folder / DELIVERIES).mkdir(parents=True, exist_ok=True)
        (folder / ANNOUNCEMENTS).touch()

    def announce(self, entries: Sequence[bytes]) -> None:
        """One page."""
        page = b"".join(sorted(entries))
        leaf = announcements_leaf(page)
        tree = AnchorTree([leaf, Digest(secrets.token_bytes(32))])
        line = AnnouncementPage(tree.root, TIME, page, tree.proof(leaf)).to_json()
        with (self.folder / ANNOUNCEMENTS).open("ab") as stream:
            stream.write(line + b"\n")

    def put(self, locator: bytes, ciphertext: bytes) -> None:
        (self.folder / DELIVERIES / locator.hex()).write_bytes(ciphertext)

    def deliver(self, issuer: IssuerKey, address: SealingAddress, numbers: Sequence[int]) -> list[SealedRecord]:
        """Records on one page, with as many for others."""
        made = [delivered(issuer, address, number) for number in numbers]
        others = [deliver(Wallet.generate().sealing_address()).announcement for _ in numbers]
        for _, locator, ciphertext in made:
            self.put(locator, ciphertext)
        self.announce([*announcements(made), *others])
        return [record for record, _, _ in made]


def announcements(made: Sequence[tuple[SealedRecord, bytes, bytes]]) -> Iterator[bytes]:
    for record, _, _ in made:
        assert record.announcement is not None
        yield record.announcement
