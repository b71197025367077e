"""`chartseal status-list`: revoke credentials, publish which are revoked, and tell whether a file still stands."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from chartseal.attestation import Address, Digest, checksum_address, digest_from, to_hex
from chartseal.chain.authority import StatusList, publish_status_root, standing_root, status_root_of
from chartseal.chain.authority.status_list import LARGEST_FILE
from chartseal.chain.authority.status_root import LIST_SIZE, StatusRoot
from chartseal.chain.authority.trust_root import EPOCH_SECONDS
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.sending.sender import Sender
from chartseal.cli.addresses import Bytes32
from chartseal.cli.chain_facts import Facts, facts_options
from chartseal.cli.chain_options import Chain, Connect, Signing, chain_options, key_options
from chartseal.cli.files import opened, write_public
from chartseal.cli.status_options import status_option, store_of
from chartseal.errors import AuthorityError, StatusListError
from chartseal.keys import IssuerKey
from chartseal.record.credential import LARGEST_LIST
from chartseal.sealing import StatusStore, read_records

_LARGEST_INDICES = 10 * LIST_SIZE
_UID = re.compile("0x[0-9a-fA-F]{64}", re.ASCII)
_INDEX = re.compile("[0-9]{1,7}", re.ASCII)
_PATH = click.Path(dir_okay=False, path_type=Path)

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_list = click.option("--list", "number", type=click.IntRange(0, LARGEST_LIST), help="The list's number.")
_key = click.option(
    "-k", "--key", type=_PATH, default=Path("key.json"), show_default=True, help="The issuer's key file; stays shut."
)


@click.group("status-list")
def status_list() -> None:
    """Lists of an issuer's revoked credentials, for proofs that show neither record nor issuer."""


@dataclass(frozen=True)
class _Published:
    file: Path
    status: StatusList
    uid: Digest | None
    """Of the attestation made now; None where the root stood already, or no chain was asked."""


@status_list.command("publish")
@_list
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("status-lists"),
    show_default=True,
    help="The folder for the files: the newest of a list, and each under its root, which day-old proofs still need.",
)
@status_option
@click.option("--no-chain", is_flag=True, help="Write the files and attest nothing.")
@click.option("--force", is_flag=True, help="Publish though the chain has a root that was not published from here.")
@click.option("--root", type=Bytes32(), help="Attest this root of a list that is kept elsewhere, and write no file.")
@click.option("--revoked", metavar="FILE", help="Likewise the root of these indices, one a line; - for standard input.")
@chain_options
@key_options
@_json
def status_list_publish(
    number: int | None,
    output: Path,
    status: Path | None,
    no_chain: bool,
    force: bool,
    root: Digest | None,
    revoked: str | None,
    connect: Connect,
    signer: Signing,
    as_json: bool,
) -> None:
    """Write an issuer's status lists (all, or --list) to files that anybody may download, and attest their roots."""
    if root is not None and revoked is not None:
        raise click.UsageError("give one of --root and --revoked")
    if root is not None or revoked is not None:
        chosen = root if root is not None else status_root_of(_indices(str(revoked)))
        _attest_root(number or 0, chosen, connect(), signer, as_json)
        return
    store = _store(status)
    if no_chain:
        done = [_Published(*_write(each, output), None) for each in _lists(store, _attester(signer), number)]
    else:
        chain, key = connect(), signer()
        lists = _lists(store, Address(key.address), number)
        _require_ours(chain, store, lists, force)
        done = [_publish(each, output, store, Sender(chain.node, key), chain) for each in lists]
    if as_json:
        click.echo(json.dumps({"lists": [_published_to_json(each) for each in done]}))
        return
    for each in done:
        attested = "its root stands already" if each.uid is None else f"attested as {to_hex(each.uid)}"
        told = "" if no_chain else f", {attested}"
        click.echo(f"list {each.status.number}: {len(each.status.revoked)} revoked, in {each.file}{told}")


def _store(status: Path | None) -> StatusStore:
    found = store_of(status, click.get_current_context().params.get("key"))
    if found is None:
        raise click.UsageError("give --status, or the issuer's key file by --key")
    return found


def _attester(signer: Signing) -> Address:
    """Whose lists they are: the key file says so without its passphrase."""
    path = click.get_current_context().params.get("key")
    return IssuerKey.stated_address(path) if path is not None else Address(signer().address)


def _lists(store: StatusStore, attester: Address, number: int | None) -> list[StatusList]:
    """Those of the store, or the one that is named; an issuer that has none yet has an empty list 0."""
    numbers = [each.number for each in store.lists(attester)] or [0]
    chosen = numbers if number is None else [number]
    return [StatusList(attester, each, store.revoked(attester, each)) for each in chosen]


def _require_ours(chain: Chain, store: StatusStore, lists: Sequence[StatusList], force: bool) -> None:
    """Refuse to take revocations back: what stands on chain was published from this store, or is what it has now.

    Raises:
        StatusListError: `status_list_diverged`.
    """
    facts = RpcFacts(chain.node, chain.deployment)
    for each in lists:
        stands = standing_root(facts, each.attester, each.number)
        if stands is None or stands.root == each.root or force:
            continue
        if not store.knows_root(each.attester, each.number, stands.root):
            raise StatusListError(
                "the root on chain was not published from this store, which may be an older copy: add what it lacks "
                "and open a new list, or give --force",
                "status_list_diverged",
                f"list {each.number}",
            )


def _write(status: StatusList, output: Path) -> tuple[Path, StatusList]:
    """The list's newest file, and one that stays when the list changes: a trust root is of the day before."""
    data = status.to_json()
    write_public(output / f"list-{status.number}-{status.root.hex()[:16]}.json", data)
    newest = output / f"list-{status.number}.json"
    write_public(newest, data)
    return newest, status


def _publish(status: StatusList, output: Path, store: StatusStore, sender: Sender, chain: Chain) -> _Published:
    file, _ = _write(status, output)
    stands = standing_root(RpcFacts(chain.node, chain.deployment), status.attester, status.number)
    uid = None
    if stands is None or stands.root != status.root:
        store.note_root(status.attester, status.number, status.root)  # first: the attestation may outlive this process
        uid = publish_status_root(sender, chain.deployment, status.number, status.root)
    store.set_published(status.attester, status.number, status.root)
    return _Published(file, status, uid)


def _published_to_json(done: _Published) -> dict[str, Any]:
    uid = None if done.uid is None else to_hex(done.uid)
    return {**_to_json(done.status), "file": str(done.file), "uid": uid}


def _to_json(status: StatusList) -> dict[str, Any]:
    return {
        "attester": checksum_address(status.attester),
        "list": status.number,
        "revoked": len(status.revoked),
        "root": to_hex(status.root),
    }


def _attest_root(number: int, root: Digest, chain: Chain, signer: Signing, as_json: bool) -> None:
    uid = publish_status_root(Sender(chain.node, signer()), chain.deployment, number, root)
    members = {"uid": to_hex(uid), "list": number, "root": to_hex(root)}
    click.echo(json.dumps(members) if as_json else f"list {number}: {to_hex(root)} attested as {to_hex(uid)}")


def _indices(path: str) -> list[int]:
    """Indices of a file, one a line.

    Raises:
        AuthorityError: `status_index`: a line is none, or the file is too long.
    """
    with opened(path) as stream:
        text = stream.read(_LARGEST_INDICES + 1)
    lines = text.split()
    if len(text) > _LARGEST_INDICES or not all(each.isdigit() and len(each) < 8 for each in lines):
        raise AuthorityError("expected one index a line", "status_index", Path(path).name)
    return [int(each) for each in lines]


@status_list.command("revoke")
@click.argument("what", nargs=-1, required=True, metavar="FILE|UID|INDEX…")
@_list
@_key
@status_option
@_json
def status_list_revoke(
    what: tuple[str, ...], number: int | None, key: Path, status: Path | None, as_json: bool
) -> None:
    """Revoke credentials in the store: of sealed records (files, folders, -), of seals by uid, or by index (--list 0).

    The seals stay as they are: `chartseal revoke` ends both. Others see it once the list is published.
    """
    attester, store = IssuerKey.stated_address(key), StatusStore(status or StatusStore.beside(key))
    places = [place for each in what for place in _places_of(each, number or 0, attester, store)]
    added = store.revoke(attester, places)
    if as_json:
        rows = [{"list": one, "index": at} for one, at in places]
        click.echo(json.dumps({"revoked": rows, "new": added}))
        return
    click.echo(f"{len(places)} revoked, {added} of them new: `chartseal status-list publish` tells the world")


def _places_of(what: str, number: int, attester: Address, store: StatusStore) -> Sequence[tuple[int, int]]:
    """Places of what was named.

    Raises:
        StatusListError: `credential_unknown`: the store gave that seal none, or it is another issuer's.
    """
    if _INDEX.fullmatch(what):
        return [(number, int(what))]
    if _UID.fullmatch(what):
        seals = [(attester, digest_from(what, "uid"))]
    else:
        seals = [(record.attester, record.uid) for record in read_records([what])]
    found = store.find(attester, [uid for _, uid in seals])
    missing = [uid for by, uid in seals if by != attester or uid not in found]
    if missing:
        raise StatusListError(
            f"{len(missing)} of {len(seals)} seals have no place in this store: theirs are revoked by --list and index",
            "credential_unknown",
        )
    return [found[uid] for _, uid in seals]


@status_list.command("open")
@_list
@_key
@status_option
@_json
def status_list_open(number: int | None, key: Path, status: Path | None, as_json: bool) -> None:
    """Give places in a new list from now on: where the store was lost, or came back from an older copy."""
    attester, store = IssuerKey.stated_address(key), StatusStore(status or StatusStore.beside(key))
    chosen = number if number is not None else max((each.number for each in store.lists(attester)), default=-1) + 1
    store.open_list(attester, chosen)
    click.echo(json.dumps({"list": chosen}) if as_json else f"list {chosen} is open")


@status_list.command("show")
@click.argument("file", required=False)
@_key
@status_option
@_json
def status_list_show(file: str | None, key: Path, status: Path | None, as_json: bool) -> None:
    """Show a published FILE (- for standard input), or the issuer's own lists."""
    if file is not None:
        shown = _read(file)
        text = f"list {shown.number} of {checksum_address(shown.attester)}: {len(shown.revoked)} revoked"
        click.echo(json.dumps(_to_json(shown)) if as_json else f"{text}\n{to_hex(shown.root)}")
        return
    attester, store = IssuerKey.stated_address(key), StatusStore(status or StatusStore.beside(key))
    rows = []
    for state in store.lists(attester):
        root = StatusList(attester, state.number, store.revoked(attester, state.number)).root
        current = state.published == root
        rows.append({"list": state.number, "given": state.given, "revoked": state.revoked, "published": current})
    if as_json:
        click.echo(json.dumps({"attester": checksum_address(attester), "lists": rows}))
        return
    for row in rows or [{"list": 0, "given": 0, "revoked": 0, "published": False}]:
        told = "published" if row["published"] else "to be published"
        click.echo(f"list {row['list']}: {row['given']} credentials, {row['revoked']} revoked, {told}")


def _read(path: str) -> StatusList:
    with opened(path) as stream:
        return StatusList.from_json(stream.read(LARGEST_FILE + 1))


@status_list.command("prove-fresh")
@click.argument("file")
@facts_options
@_json
def status_list_prove_fresh(file: str, facts: Facts, as_json: bool) -> None:
    """Tell whether a published FILE is the list whose root stands on chain now; ends with status 1 where it is not."""
    shown = _read(file)
    with facts() as known:
        stands = standing_root(known, shown.attester, shown.number)
    fresh = stands is not None and stands.root == shown.root
    if as_json:
        click.echo(json.dumps({**_to_json(shown), "fresh": fresh, "standing": _standing_to_json(stands)}))
    else:
        click.echo(_freshness(shown, stands, fresh))
    click.get_current_context().exit(0 if fresh else 1)


def _epoch(stands: StatusRoot) -> int:
    """The first whose trust root takes this one."""
    return stands.attested_at // EPOCH_SECONDS + 1


def _standing_to_json(stands: StatusRoot | None) -> dict[str, Any] | None:
    if stands is None:
        return None
    return {
        "root": to_hex(stands.root),
        "uid": to_hex(stands.uid),
        "at": stands.attested_at,
        "epoch": _epoch(stands),
    }


def _freshness(shown: StatusList, stands: StatusRoot | None, fresh: bool) -> str:
    whose = f"list {shown.number} of {checksum_address(shown.attester)}"
    if stands is None:
        return f"{whose}: no root stands on chain\nfile     {to_hex(shown.root)}"
    when = f"{datetime.fromtimestamp(stands.attested_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    told = "is what stands on chain" if fresh else "is NOT what stands on chain"
    since = f"attested {when} as {to_hex(stands.uid)}, in trust roots from epoch {_epoch(stands)}"
    return f"{whose}: the file {told}\nfile     {to_hex(shown.root)}\nstanding {to_hex(stands.root)}, {since}"
