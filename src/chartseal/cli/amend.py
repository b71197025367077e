"""`chartseal amend`: seal a corrected record in another's place, and revoke that one."""

from __future__ import annotations

import json
from pathlib import Path

import click

from chartseal.attestation import Digest, digest_from, to_hex
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.seals.amending import Amended, Amendment
from chartseal.chain.seals.revoking import Revoker
from chartseal.chain.sending.sender import Sender
from chartseal.cli.chain_options import Connect, chain_options
from chartseal.cli.files import read_disclosure
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.revoke import outcome_text, outcome_to_json
from chartseal.cli.status_options import status_option
from chartseal.errors import AmendmentError, KeyFormatError, PackageError
from chartseal.fhir import Reading
from chartseal.keys import IssuerKey, SealingAddress
from chartseal.sealing import SealedRecord, StatusStore, read_records

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("sealed", type=click.Path(allow_dash=True))
@click.option("--with", "new", required=True, metavar="FILE", help="The corrected resource: FHIR R4 JSON.")
@click.option("--uid", help="Which of several records in SEALED.")
@click.option("--issuer", "issuer_path", type=_FILE, required=True, help="The issuer's key file.")
@click.option("--for", "address", required=True, metavar="ADDRESS", help="The patient's sealing address.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder.")
@click.option("--test", is_flag=True, help="Seal a record marked HTEST, as a test record.")
@click.option(
    "--allow-modifier", multiple=True, metavar="URL", help="A modifier extension that the issuer understands."
)
@click.option("--allow-rules", multiple=True, metavar="URL", help="An implicitRules value that the issuer understands.")
@click.option("--no-reason-on-chain", is_flag=True, help="Do not publish that the old seal was amended.")
@status_option
@chain_options
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def amend(
    sealed: str,
    new: str,
    uid: str | None,
    issuer_path: Path,
    address: str,
    output: Path,
    test: bool,
    allow_modifier: tuple[str, ...],
    allow_rules: tuple[str, ...],
    no_reason_on_chain: bool,
    status: Path | None,
    connect: Connect,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Seal a corrected resource in the place of the record in SEALED, then revoke that record's seal as amended.

    The key is the old record's attester's, or its accredited successor's. The new record is written to the output
    folder first; the same command finishes what was cut off, without sealing twice.
    """
    old, text = _the_record(sealed, uid), read_disclosure(new)
    to = _address(address)
    key = IssuerKey.load(issuer_path, read_passphrase(passphrase_fd))
    chain = connect()
    facts = RpcFacts(chain.node, chain.deployment)
    reading = Reading(test=test, modifier_extensions=allow_modifier, implicit_rules=allow_rules)
    store = StatusStore(status or StatusStore.beside(issuer_path))
    amendment = Amendment(old, key.issuing(places=store), to, output, reading)
    revoker = Revoker(Sender(chain.node, key.signer), facts, store)
    _report(amendment.make(text, revoker, facts, reason_on_chain=not no_reason_on_chain), as_json)


def _the_record(path: str, uid: str | None) -> SealedRecord:
    found = [each for each in read_records([path]) if uid is None or each.uid == _uid(uid)]
    if len(found) != 1:
        raise AmendmentError(f"expected one record, and there are {len(found)}: name one by --uid", "record_ambiguous")
    return found[0]


def _uid(text: str) -> Digest:
    try:
        return digest_from(text, "uid")
    except PackageError as exc:
        raise click.UsageError("--uid takes 32 bytes of hex with 0x") from exc


def _address(text: str) -> bytes:
    try:
        return SealingAddress.parse(text).data
    except KeyFormatError as exc:
        raise click.UsageError("--for takes a sealing address (seal1…)") from exc


def _report(done: Amended, as_json: bool) -> None:
    if as_json:
        members = {
            "uid": to_hex(done.record.uid),
            "output": str(done.path),
            "resumed": done.resumed,
            "revoked": outcome_to_json(done.outcome),
        }
        click.echo(json.dumps(members))
        return
    again = ", sealed by an earlier run" if done.resumed else ""
    click.echo(f"{to_hex(done.record.uid)} in {done.path}{again}")
    click.echo(outcome_text(done.outcome))
