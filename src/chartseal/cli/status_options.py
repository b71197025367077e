"""`--status`: where an issuer's store of status lists is, beside its key file unless it is said."""

from __future__ import annotations

from pathlib import Path

import click

from chartseal.sealing import StatusStore

status_option = click.option(
    "--status",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The issuer's store of status lists; beside its key file (key.status.db) if not given.",
)


def store_of(status: Path | None, key: Path | None) -> StatusStore | None:
    """The store that was named, else the one beside the key file; None without either."""
    if status is not None:
        return StatusStore(status)
    return None if key is None else StatusStore(StatusStore.beside(key))
