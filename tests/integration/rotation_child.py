"""What the drill of killed rotations kills: one rotation after another, old secrets destroyed.

`go` rotates until it is killed, `finish` once.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from chartseal.vault.audit import Act, Action, AuditLog
from chartseal.vault.database import open_database
from chartseal.vault.epochs import Step, rotate
from chartseal.vault.keys import KeystoreFile
from tests.victims import serve

PASSPHRASE = "passphrase of the drill"


def note(connection: Connection, step: Step) -> None:
    """Enter a step in the audit log, as the command does."""
    act = Act("rotator", Action.ROTATE, f"epoch {step.epoch} {step.what}, {step.keys} keys")
    AuditLog(b"", None).append(connection, [act], now=datetime.now(UTC))


def main() -> None:
    place, keys = sys.argv[1], KeystoreFile(Path(sys.argv[2]), PASSPHRASE)

    def work(word: str) -> None:
        engine = open_database(place, create=False)
        while True:
            rotate(engine, keys, now=datetime.now(UTC), destroy_old=True, batch=7, noted=note)
            if word == "finish":
                return

    serve(work)


if __name__ == "__main__":
    main()
