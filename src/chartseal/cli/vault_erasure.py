"""`chartseal vault erase|hold|release|retain|receipt`: records that must stay, and records that go for good."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from chartseal.attestation import Address, checksum_address, to_hex
from chartseal.attestation.signer import LocalSigner
from chartseal.cli.addresses import Account
from chartseal.cli.chain_options import KEY_VARIABLE, read_signer
from chartseal.cli.files import opened, read_lines, write_private
from chartseal.cli.texts import Text
from chartseal.cli.times import Day
from chartseal.cli.vault_names import Name
from chartseal.cli.vault_options import VaultPlace, actor_option, vault_options
from chartseal.errors import ErasureError, LimitError
from chartseal.keys import SealingAddress
from chartseal.vault import Entry, Vault
from chartseal.vault.erasure import Basis, Hold, Holds, Receipt, SignedReceipt, erased_of, give, vacuum
from chartseal.vault.erasure import erase as erase_records
from chartseal.vault.erasure import retain as retain_records
from chartseal.vault.erasure.receipts import LARGEST_RECEIPT
from chartseal.vault.traces import twins

SOME_REFUSED = 3
"""Exit status when some records had to stay, and the others are erased."""

_MOST_RECEIPTS = 100_000
_LARGEST_RECEIPTS = 256 << 20
"""Lines, and bytes, of one file of receipts of erasure."""

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_FILE = click.Path(dir_okay=False, path_type=Path)
_Identities = tuple[tuple[bytes, bytes], ...]


class _Chosen(NamedTuple):
    """What a command is about: some records, or all of a patient or of a sealing address."""

    records: _Identities
    patient: str | None
    address: str | None


def _records_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--record`, `--patient` and `--for`, one of which must be given; the command gets `chosen`."""

    @click.option("--record", "records", multiple=True, type=Name(), help="As `vault list` shows it, repeatable.")
    @click.option(
        "--patient", type=Text(), metavar="REF", help="All of this patient: URL, or Patient/ID on the vault's base."
    )
    @click.option("--for", "address", type=Text(), metavar="ADDRESS", help="All that are sealed to this address now.")
    @functools.wraps(command)
    def wrapped(*args: Any, records: _Identities, patient: str | None, address: str | None, **options: Any) -> Any:
        if [bool(records), patient is not None, address is not None].count(True) != 1:
            raise click.UsageError("give --record, --patient or --for")
        return command(*args, chosen=_Chosen(records, patient, address), **options)

    return wrapped


def _found(vault: Vault, chosen: _Chosen) -> list[Entry]:
    """The records that a command is about; of a patient or an address those that are not erased.

    Raises:
        ErasureError: `patient_unknown`: the vault has nothing of the patient, and erased nothing; `address_unknown`:
            it has nothing that is sealed to the address.
        KeyFormatError: not a sealing address.
        VaultError: `record_unknown`, `vault_unavailable`; as `Vault.addressed`.
    """
    if chosen.patient is not None:
        return _of_patient(vault, chosen.patient)
    if chosen.address is not None:
        return _of_address(vault, chosen.address)
    return [vault.entry(*each) for each in chosen.records]


def _of_patient(vault: Vault, patient: str) -> list[Entry]:
    found = vault.find(patient=patient)
    if not found and not erased_of(vault, patient):
        raise ErasureError("the vault has no record of such a patient", "patient_unknown")
    tell_beside(vault, found)
    return found


several_wallets = click.option(
    "--several-wallets", is_flag=True, help="The patient's records are of several wallets, all of them hers."
)


def require_one_wallet(vault: Vault, entries: Sequence[Entry]) -> None:
    """Refuse records of several wallets under one patient's name, as two patients have it who were mixed up.

    What was sealed again for another wallet stays as history, and does not count.

    Raises:
        ErasureError: `patient_several`.
        VaultError: `vault_unavailable`, `blobs_unavailable`.
    """
    moved = vault.moved(entries)
    met = vault.addresses(each for each in entries if each.id not in moved)
    count = len({SealingAddress.parse(each).spend_key for each in met})
    if count > 1:
        detail = f"under this name are records of {count} wallets: `vault list --for ADDRESS` shows those of each"
        raise ErasureError(f"{detail}; if all are one patient's, say so with --several-wallets", "patient_several")


def tell_beside(vault: Vault, entries: Sequence[Entry]) -> None:
    """Say how many more records a patient's addresses have, which are filed under another name or none."""
    if vault.settings.searchable and (count := len(vault.beside(entries))):
        told = f"{count} more records are sealed to the same addresses, and filed under another name or none"
        click.echo(f"{told}: `vault list --for ADDRESS` shows them", err=True)


def _of_address(vault: Vault, address: str) -> list[Entry]:
    SealingAddress.parse(address)  # a mistyped address would find nothing
    if not (found := vault.addressed(address)):
        raise ErasureError("the vault has no record that is sealed to the address", "address_unknown")
    return found


@click.command()
@vault_options
@_records_options
@click.option("--basis", required=True, type=click.Choice([each.value for each in Basis]), help="Why.")
@several_wallets
@click.option("--override", is_flag=True, help="Erase what must be kept, where the basis allows it.")
@click.option("-o", "--output", metavar="FILE", help="Write signed receipts, one a line; needs the issuer's key.")
@click.option(
    "-k", "--key", type=click.Path(dir_okay=False, path_type=Path), help=f"Its key file (else {KEY_VARIABLE})."
)
@click.option("--key-passphrase-fd", type=click.IntRange(min=0), metavar="N", help="The key file's passphrase.")
@click.option(
    "--vacuum", "is_vacuumed", is_flag=True, help="Let the database's files forget what was deleted; writers wait."
)
@actor_option
@_json
@click.pass_context
def erase(
    context: click.Context,
    vault: VaultPlace,
    chosen: _Chosen,
    basis: str,
    several_wallets: bool,
    override: bool,
    output: str | None,
    key: Path | None,
    key_passphrase_fd: int | None,
    is_vacuumed: bool,
    actor: str,
    as_json: bool,
) -> None:
    """Erase records for good. Their tombstones stay, and what was erased before gets its receipt again.

    Ends with status 3 if some must be kept; they are named, and the others are erased. Of a record that moved, what it
    became and what it was are other records: those that stay are named.
    """
    if output is not None:
        vault.require_apart(output, key)
    signer = None if output is None else read_signer(key, None, key_passphrase_fd)  # no key, no erasing
    held, now = vault.open(), datetime.now(UTC)
    unknown: ErasureError | None = None
    try:
        entries = _found(held, chosen)
    except ErasureError as exc:  # an earlier run may have been broken off once all were erased: what it left goes
        unknown, entries = exc, []
    if chosen.patient is not None and not several_wallets:
        require_one_wallet(held, entries)
    done = erase_records(held, entries, basis=Basis(basis), actor=actor, now=now, override=override)
    held.blobs.sweep(held.engine, now=now)
    is_clean = vacuum(held) if is_vacuumed else done.is_clean
    if not is_clean:
        click.echo("the log is not empty yet, since somebody reads: run it again later", err=True)
    if unknown is not None:
        raise unknown
    if output is not None and signer is not None:
        _write_receipts(held, entries if chosen.patient is None else erased_of(held, chosen.patient), signer, output)
    _tell_erased(done.erased, done.refused, [each.name for each in twins(held, entries)], as_json=as_json)
    context.exit(SOME_REFUSED if done.refused else 0)


def _write_receipts(vault: Vault, entries: Sequence[Entry], signer: LocalSigner, output: str) -> None:
    given = give(vault, entries, signer, now=datetime.now(UTC))
    write_private(output, b"".join(each.to_json() + b"\n" for each in given))


def _tell_erased(erased: int, refused: Sequence[ErasureError], same: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        stay = [{"record": each.path, "code": each.code} for each in refused]
        click.echo(json.dumps({"erased": erased, "refused": stay, "twins": same}))
        return
    click.echo(f"{erased} records erased")
    for each in refused:
        click.echo(f"{each.code}: {each}", err=True)
    if same:
        click.echo(f"{len(same)} records that moved say the same under another address, and stay:", err=True)
        for name in same:
            click.echo(name, err=True)


@click.command()
@vault_options
@_records_options
@click.option("--basis", type=Text(), metavar="CODE", required=True, help="A code of the case; no name.")
@actor_option
@_json
def hold(vault: VaultPlace, chosen: _Chosen, basis: str, actor: str, as_json: bool) -> None:
    """Place a legal hold on records (by --for on each that is there), or on all of a patient, later ones included."""
    held = vault.open()
    place = functools.partial(Holds(held).place, basis=basis, actor=actor, now=datetime.now(UTC))
    entries = _found(held, chosen)
    whole = chosen.patient
    numbers = [place(patient=whole)] if whole is not None else [place(entry=each) for each in entries]
    _tell(as_json, "\n".join(f"hold {each}" for each in numbers), {"holds": numbers})


@click.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1), required=False)
@vault_options
@actor_option
@_json
def release(number: int | None, vault: VaultPlace, actor: str, as_json: bool) -> None:
    """Lift hold NUMBER; without one, list the holds."""
    holds = Holds(vault.open())
    if number is not None:
        holds.lift(number, actor=actor, now=datetime.now(UTC))
    found = holds.all()
    shown = [each for each in found if number in (None, each.id)]
    _tell(as_json, "\n".join(map(_line, shown)), {"holds": [_members(each) for each in shown]})


def _members(hold: Hold) -> dict[str, Any]:
    return {
        "hold": hold.id,
        "on": "record" if hold.patient is None else "patient",
        "basis": hold.basis,
        "placedAt": _time(hold.placed_at),
        "liftedAt": None if hold.lifted_at is None else _time(hold.lifted_at),
    }


def _line(hold: Hold) -> str:
    members = _members(hold)
    lifted = f", lifted {members['liftedAt']}" if members["liftedAt"] else ""
    return f"hold {hold.id} on a {members['on']}, {hold.basis}, placed {members['placedAt']}{lifted}"


@click.command()
@vault_options
@_records_options
@click.option("--until", required=True, type=Day(), help="Not erased before this date (00:00 UTC) or time.")
@click.option("--shorten", is_flag=True, help="Also where they are kept longer already.")
@actor_option
@_json
def retain(
    vault: VaultPlace,
    chosen: _Chosen,
    until: int,
    shorten: bool,
    actor: str,
    as_json: bool,
) -> None:
    """Keep records until a day: before it only a basis that overrides erases them."""
    held, day = vault.open(), datetime.fromtimestamp(until, UTC)
    entries = _found(held, chosen)
    count = retain_records(held, entries, day, actor=actor, now=datetime.now(UTC), shorten=shorten)
    _tell(as_json, f"{count} records are now kept until {day:%Y-%m-%d}", {"records": count})


@click.command()
@click.argument("source", metavar="FILE")
@click.option("--provider", "providers", multiple=True, type=Account(), help="Whose receipts count, repeatable.")
@_json
def receipt(source: str, providers: tuple[Address, ...], as_json: bool) -> None:
    """Check receipts of erasure, and say what they say. Needs no vault and no keys."""
    found = list(_checked(source, providers))
    told = "\n".join(map(_told, found))
    _tell(as_json, told, {"receipts": [_shown(each) for each in found]})


def _checked(source: str, providers: Sequence[Address]) -> Iterator[Receipt]:
    """The receipts of a file, each with its signature checked.

    Raises:
        ErasureError: `receipt_malformed`, `receipt_unsigned`, `receipt_other_provider`.
        LimitError: `limit_exceeded`.
        DisclosureFormError: `file_unreadable`.
    """
    size = 0
    with opened(source) as stream:
        for number, line in read_lines(stream, longest=2 * LARGEST_RECEIPT, most=_MOST_RECEIPTS):
            size += len(line)
            if size > _LARGEST_RECEIPTS:
                raise LimitError("the file is too long: give it in several", path=f"line {number}")
            found = SignedReceipt.from_json(line).read()
            if providers and found.provider not in providers:
                raise ErasureError("signed by another than you named", "receipt_other_provider", "erasure-receipt")
            yield found


def _shown(receipt: Receipt) -> dict[str, Any]:
    return {
        "provider": checksum_address(receipt.provider),
        "record": f"{to_hex(receipt.attester)}/{to_hex(receipt.uid)}",
        "erasedAt": _time(receipt.erased_at),
        "basis": receipt.basis.value,
        "entry": receipt.entry,
        "statedAt": _time(receipt.stated_at),
        "epochs": [
            {"epoch": number, "destroyedAt": _time(destroyed) if destroyed else None}
            for number, destroyed in receipt.epochs
        ],
    }


def _told(receipt: Receipt) -> str:
    shown = _shown(receipt)
    alive = ", ".join(str(number) for number, destroyed in receipt.epochs if not destroyed)
    backups = f"readable in backups until epoch {alive} is destroyed" if alive else "in no backup readable any more"
    what = f"record {shown['record']} erased {shown['erasedAt']}, {shown['basis']}"
    return f"{what}; {backups} (signed by {shown['provider']})"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tell(as_json: bool, told: str, members: dict[str, Any]) -> None:
    click.echo(json.dumps(members) if as_json else told)
