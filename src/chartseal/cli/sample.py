"""`chartseal sample`: attest records under the sample schema, and read such an attestation back to its disclosure."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import click

from chartseal import _json
from chartseal.attestation import Address, Digest, Domain, checksum_address, digest_from, packages, to_hex
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.seals.sample import (
    Attested,
    CheckedSample,
    Sample,
    SampleAttester,
    chain_sample,
    check_sample,
    package_sample,
    sample_package,
)
from chartseal.chain.sending.sender import Sender
from chartseal.chain.view import FactsView
from chartseal.cli.chain_options import Connect, Signing, chain_options, key_options
from chartseal.cli.files import read_disclosure, write_private
from chartseal.cli.times import Moment, Nonce
from chartseal.errors import RevokedError, SampleError
from chartseal.sealing import read_records
from chartseal.verification import TrustPolicy, verify
from chartseal.verification.steps import read

_UID = re.compile("0x[0-9a-fA-F]{64}", re.ASCII)


@click.group()
def sample() -> None:
    """Attestations under the schema patientID, diagnosis, dateOfTreatment, evidenceHash."""


@sample.command("attest")
@click.argument("sealed", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option("--diagnosis", default="", metavar="FIELD", help="The diagnosis code's field, where it is not the first.")
@click.option("--off-chain", "output", metavar="FILE", help="Sign packages into this file instead; nothing is sent.")
@chain_options
@key_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def attest(
    sealed: tuple[str, ...], diagnosis: str, output: str | None, connect: Connect, signer: Signing, as_json: bool
) -> None:
    """Attest sealed records (files or folders, - for standard input) with their attester's key, in a shuffled order.

    On chain everybody sees on which day that was done, and how many there are. What is attested already stays as it is.
    """
    records = list(read_records(sealed))
    if output is not None:
        key = signer()
        lines = [json.dumps(packages.to_json(sample_package(each, key, diagnosis))).encode() for each in records]
        write_private(output, b"".join(line + b"\n" for line in lines))
        click.echo(json.dumps({"attested": len(lines)}) if as_json else f"{len(lines)} samples signed", err=not as_json)
        return
    chain, key = connect(), signer()
    facts = RpcFacts(chain.node, chain.deployment)
    uids = SampleAttester(Sender(chain.node, key), facts).attest(records, diagnosis)
    rows = [
        {"attester": checksum_address(attester), "seal": to_hex(uid), "sample": to_hex(made)}
        for (attester, uid), made in uids.items()
    ]
    if as_json:
        click.echo(json.dumps({"attested": rows}))
        return
    for row in rows:
        click.echo(f"{row['sample']} for seal {row['seal']}")


@sample.command("check")
@click.argument("given", metavar="UID|FILE")
@click.option("--disclosure", "path", required=True, help="The disclosure that shows the record (- for stdin).")
@click.option("--trust", required=True, type=click.Path(path_type=Path), help="Trust policy, a TOML file.")
@click.option("--as", "audience", metavar="ORIGIN", help="Who we are: the audience that it must be made for.")
@click.option("--nonce", type=Nonce(), help="The nonce that we gave for this request: 64 hex digits.")
@click.option("--now", type=Moment(), help="Judge as of this time instead of the clock's.")
@chain_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(
    given: str,
    path: str,
    trust: Path,
    audience: str | None,
    nonce: bytes | None,
    now: datetime | None,
    connect: Connect,
    as_json: bool,
) -> None:
    """Find the record that a sample came from, among those of a disclosure, which is verified first, with the chain.

    The sample is an attestation's uid, or a file with one package (`sample attest --off-chain`).
    """
    policy, judged_at = TrustPolicy.load(trust), now or datetime.now(UTC)
    shown = read(read_disclosure(path), policy)
    chain = connect()
    facts = RpcFacts(chain.node, chain.deployment)
    view = FactsView([facts])
    verified = verify(shown, policy, audience=audience, nonce=nonce, now=judged_at, chain=view)
    if _UID.fullmatch(given):
        uid = Digest(digest_from(given, "uid"))
        attested = chain_sample(facts, uid)
        _require_unrevoked(view, policy, facts.deployment.domain(), attested.attester, uid)
    else:
        attested = _from_package(given, view, policy, judged_at)
    _report(check_sample(*attested, shown, verified), as_json)


def _from_package(path: str, view: FactsView, policy: TrustPolicy, now: datetime) -> Attested:
    try:
        data = _json.loads(read_disclosure(path))
    except ValueError as exc:
        raise SampleError("the file holds not one package", "sample_malformed") from exc
    attested, seal = package_sample(packages.from_json(data), now=now)
    if policy.domains is not None and seal.domain not in policy.domains:
        raise SampleError("the sample is for a chain or contract that the policy does not list", "sample_domain")
    _require_unrevoked(view, policy, seal.domain, seal.attester, seal.uid)
    return attested


def _require_unrevoked(view: FactsView, policy: TrustPolicy, domain: Domain, attester: Address, uid: Digest) -> None:
    found = view.revocation(domain, attester, uid, policy.authority_addresses)
    if found is not None:
        raise RevokedError("the sample is revoked", at=found.at, by=found.by, reason=found.reason)


def _report(found: CheckedSample, as_json: bool) -> None:
    seal, year = found.record.attestation, _year_text(found.sample, found.is_year_shown)
    if as_json:
        members = {
            "attester": checksum_address(seal.attester),
            "seal": to_hex(seal.uid),
            "resourceType": found.record.resource_type,
            "diagnosis": found.diagnosis,
            "year": found.sample.year,
            "yearShown": found.is_year_shown,
        }
        click.echo(json.dumps(members))
        return
    click.echo(f"sample of the {found.record.resource_type} with seal {to_hex(seal.uid)}")
    click.echo(f"diagnosis: {found.diagnosis or 'not shown'}\nyear of treatment: {year}")


def _year_text(found: Sample, is_shown: bool) -> str:
    return f"{found.year}" if is_shown else f"{found.year} (no date of the record is shown)"
