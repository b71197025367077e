"""Where issuers stand under a trust root, of a chain and status lists: for `chartseal prove --anonymous`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chartseal.attestation import Address
from chartseal.chain.authority import StatusList, find_membership
from chartseal.chain.authority.status_list import LARGEST_FILE
from chartseal.cli.chain_facts import chain_facts
from chartseal.disclosure import HeldRecord, Membership, MembershipOf
from chartseal.errors import PredicateError, StatusListError
from chartseal.sealing import SealedRecord


@contextmanager
def memberships(
    authority: Address, role: str, lists: Sequence[Path], rpc: str | None, deployment: Path | None, index: str | None
) -> Iterator[MembershipOf]:
    """What finds the membership of a record's issuer, as of one block.

    Raises:
        click.UsageError: neither a node nor an index.
        StatusListError: a list cannot be read, or is malformed.
        ChainError: the node, the index or the deployment cannot be used.
    """
    published = [_read(path) for path in lists]
    with chain_facts(rpc, deployment, index) as facts:

        def find(record: HeldRecord) -> Membership:
            assert isinstance(record, SealedRecord)  # noqa: S101 (`read_records` gives no other)
            if record.credential is None:
                raise PredicateError("its issuer gave no credential with it", "credential_missing")
            return find_membership(facts, authority, role, record.attester, record.credential, published)

        yield find


def _read(path: Path) -> StatusList:
    try:
        with path.open("rb") as stream:
            return StatusList.from_json(stream.read(LARGEST_FILE + 1))
    except OSError as exc:
        raise StatusListError(f"cannot be read: {exc.strerror}", "status_list_unreadable", path.name) from exc
