"""`chartseal seal`: a chart or an export in, a folder of sealed records out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chartseal.cli.files import write_private
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.status_options import status_option
from chartseal.cli.vault_options import VaultPlace, actor_option, blobs_option, keys_option
from chartseal.errors import KeyFormatError
from chartseal.fhir import Reading
from chartseal.keys import IssuerKey, SealingAddress
from chartseal.sealing import Issuing, OnePatient, PatientMap, Source, StatusStore, Summary, read_records, seal_run
from chartseal.sealing.plan import Addresses
from chartseal.sealing.run import Done

if TYPE_CHECKING:
    from chartseal.vault import VaultOutput

SOME_REFUSED = 3
"""Exit status when some resources were refused and the rest was sealed."""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("source", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--issuer", "issuer_path", type=_FILE, required=True, help="The issuer's key file.")
@click.option("--for", "address", metavar="ADDRESS", help="The patient's sealing address: the input is one chart.")
@click.option("--patient", metavar="ID", help="With --for: whose chart it is, where it holds several patients.")
@click.option("--patients", "map_path", type=_FILE, help="CSV of patient id and sealing address: an export of many.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="The folder.")
@click.option("--vault", "vault_place", metavar="FILE|URL", help="In place of a folder: into this vault, encrypted.")
@keys_option
@blobs_option
@click.option(
    "--delivery-days",
    type=click.IntRange(0, 3_650),
    default=90,
    show_default=True,
    help="With --vault: how long deliveries wait for patients; 0 for none.",
)
@click.option("--rejects", type=click.Path(path_type=Path), help="With --vault: list what is refused in this file.")
@actor_option
@click.option(
    "--ndjson/--json-document", "ndjson", default=None, help="What the input is, where its name does not tell."
)
@click.option("--test", is_flag=True, help="Seal records marked HTEST, as test records.")
@click.option(
    "--allow-modifier", multiple=True, metavar="URL", help="A modifier extension that the issuer understands."
)
@click.option("--allow-rules", multiple=True, metavar="URL", help="An implicitRules value that the issuer understands.")
@click.option(
    "--valid-days",
    type=click.IntRange(1),
    default=366,
    show_default=True,
    help="Days for which seals of CarePlan, Consent, Coverage and MedicationRequest hold.",
)
@click.option(
    "--validate",
    type=click.Choice(["sealing", "full"]),
    default="sealing",
    show_default=True,
    help="full: ask a validation library besides (the extra `validate`).",
)
@click.option(
    "--anchor-queue",
    metavar="FILE|URL",
    help="Add the sealed records to this anchor queue too (`chartseal anchor run`; the extra `chain`).",
)
@status_option
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def seal(
    context: click.Context,
    source: Path,
    issuer_path: Path,
    address: str | None,
    patient: str | None,
    map_path: Path | None,
    output: Path | None,
    vault_place: str | None,
    keys_place: str | None,
    blobs_place: str | None,
    delivery_days: int,
    rejects: Path | None,
    actor: str,
    ndjson: bool | None,
    test: bool,
    allow_modifier: tuple[str, ...],
    allow_rules: tuple[str, ...],
    valid_days: int,
    validate: str,
    anchor_queue: str | None,
    status: Path | None,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Seal every resource of SOURCE (a FHIR R4 resource or Bundle, or NDJSON; gzipped or not; - for standard input).

    Refused resources are listed in OUTPUT/rejects.ndjson (or where --rejects says) with place, code and element
    path, the rest is sealed, and the exit status is 3. The same command goes on where an interrupted run stopped.
    """
    if (output is None) == (vault_place is None):
        raise click.UsageError("give -o with a folder, or --vault")
    if vault_place is not None and anchor_queue is not None:
        raise click.UsageError("a vault has its own anchor queue: --anchor-queue goes with -o")
    addresses = _addresses(address, patient, map_path)
    passphrase = read_passphrase(passphrase_fd)
    key = IssuerKey.load(issuer_path, passphrase)
    issuing = key.issuing(
        validity=timedelta(days=valid_days), places=StatusStore(status or StatusStore.beside(issuer_path))
    )
    given = Source(None, sys.stdin.buffer, ndjson=ndjson) if str(source) == "-" else Source(source, ndjson=ndjson)
    reading = Reading(
        test=test, modifier_extensions=allow_modifier, implicit_rules=allow_rules, full=validate == "full"
    )
    place = VaultPlace(vault_place, keys_place, None, blobs_place, passphrase) if vault_place is not None else None
    vaulted = _into_vault(place, issuing, actor, delivery_days) if place is not None else None
    target = vaulted or output
    assert target is not None  # noqa: S101 (one of the two was given)
    with _progress(as_json) as progress:
        summary = seal_run(
            given,
            issuing,
            addresses,
            target,
            reading=reading,
            progress=progress,
        )
    if vaulted is not None and rejects is not None:
        write_private(str(rejects), vaulted.rejects())
    queued = _enqueue(output, anchor_queue) if anchor_queue and output is not None else None
    place_told = str(output) if output is not None else "the vault"
    listed = output / "rejects.ndjson" if output is not None else rejects
    _report(summary, place_told, listed, as_json, queued, with_credentials=issuing.gives_credentials)
    context.exit(SOME_REFUSED if summary.refused else 0)


def _addresses(address: str | None, patient: str | None, map_path: Path | None) -> Addresses:
    if (address is None) == (map_path is None):
        raise click.UsageError("give --for with one patient's address, or --patients with a map of many")
    if map_path is not None:
        if patient is not None:
            raise click.UsageError("--patient goes with --for")
        return PatientMap.read(map_path)
    try:
        return OnePatient(SealingAddress.parse(address or "").data, patient)
    except KeyFormatError as exc:
        raise click.UsageError("--for takes a sealing address (seal1…)") from exc


@contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[Done], None]]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("sealing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("sealing", total=None)
        yield lambda done: bar.update(task, completed=done.items, total=done.total)


def _into_vault(place: VaultPlace, issuing: Issuing, actor: str, delivery_days: int) -> VaultOutput:
    """The vault as where the run goes; its announcements and seals wait in its own anchor queue."""
    from chartseal.chain.anchors import AnchorQueue  # the extra `vault`, which sealing alone does without
    from chartseal.vault import VaultOutput

    return VaultOutput(place.open(), actor, lambda: datetime.now(UTC), AnchorQueue(issuing.domain), delivery_days)


def _enqueue(output: Path, place: str) -> int:
    """How many records of the folder are new in the queue. They are on disk: the same command mends a crash."""
    from chartseal.chain.anchors import fill, open_queue  # the extra `chain`, which sealing alone does without

    return fill(open_queue(place), read_records([output])).new


def _report(
    summary: Summary, output: str, listed: Path | None, as_json: bool, queued: int | None, *, with_credentials: bool
) -> None:
    if as_json:
        click.echo(
            json.dumps(
                {
                    "sealed": summary.sealed,
                    "refused": summary.refused,
                    "codes": dict(sorted(summary.codes.items())),
                    "resumedAt": summary.resumed_at,
                    "output": output,
                    "credentials": with_credentials,
                    **({} if queued is None else {"queued": queued}),
                }
            )
        )
        return
    again = f" (after {summary.resumed_at} done before)" if summary.resumed_at else ""
    click.echo(f"{summary.sealed} records sealed into {output}{again}")
    if not with_credentials:
        click.echo("without credentials: the key file has no proving key (`chartseal issuer upgrade` adds it)")
    if queued is not None:
        click.echo(f"{queued} added to the anchor queue")
    if summary.refused:
        click.echo(f"{summary.refused} refused{f', listed in {listed}' if listed else ''}:", err=True)
        for code, count in summary.codes.most_common():
            click.echo(f"  {count:>7}  {code}", err=True)
