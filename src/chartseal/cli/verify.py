"""`chartseal verify`: check a disclosure step by step, and write its facts as FHIR."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from chartseal.attestation import Address, Digest, checksum_address, to_hex
from chartseal.cli.chain_view import View, read_anchors, view_options
from chartseal.cli.files import read_disclosure, write_private
from chartseal.cli.opened import value_text
from chartseal.cli.proven import predicate_text, predicate_to_json
from chartseal.cli.questions import policy_option, read_policies, terms_options
from chartseal.cli.times import Moment, Nonce
from chartseal.disclosure import Terms
from chartseal.errors import DisclosureFormError, FormError, VerificationError
from chartseal.verification import (
    AnchorProof,
    IssuedUnder,
    Proxy,
    TrustPolicy,
    VerifiedDisclosure,
    VerifiedRecord,
    bundle,
)
from chartseal.verification import verify as verify_disclosure
from chartseal.verification.steps import read


@click.command()
@click.argument("path")
@click.option("--trust", required=True, type=click.Path(path_type=Path), help="Trust policy, a TOML file.")
@click.option("--as", "audience", metavar="ORIGIN", help="Who we are: the audience that it must be made for.")
@click.option("--nonce", type=Nonce(), help="The nonce that we gave for this request: 64 hex digits.")
@policy_option()
@terms_options
@view_options
@click.option(
    "--anchors",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Inclusion proofs of the seals, as `chartseal anchor proofs` writes them.",
)
@click.option("--now", type=Moment(), help="Judge as of this time instead of the clock's.")
@click.option("-o", "--output", help="Write the facts to this file as a FHIR Bundle.")
@click.option("--json", "as_json", is_flag=True, help="Print steps, records and facts as one JSON object.")
def verify(
    path: str,
    trust: Path,
    audience: str | None,
    nonce: bytes | None,
    policy_paths: tuple[Path, ...],
    terms: Terms,
    chain: View,
    anchors: Path | None,
    now: datetime | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Verify a disclosure (file, or - for standard input): JSON or the text form.

    Prints each step with what was and what was not checked, then the facts. Ends with status 1 and the step's error
    when it is refused. Without --as or --nonce, step 11 is not checked, which the policy must allow.

    With --rpc or --index, accreditation, revocation, anchors and trust roots are checked on the chain that the seals
    are for. One that cannot be asked ends with its error, and nothing is verified.

    A presentation's proofs are checked as answers to the policies that you ask with --policy, each of which must be
    proved; with --spend, a use must be spent for that purpose, and it is yours to refuse its nullifier the next time.
    """
    if as_json and output == "-":
        raise click.UsageError("--json prints the facts too: leave out -o -")
    policy, asked = TrustPolicy.load(trust), read_policies(policy_paths)
    try:
        text = read_disclosure(path).decode()
    except UnicodeDecodeError as exc:
        raise FormError("not UTF-8") from exc
    except DisclosureFormError as exc:
        raise FormError(exc.detail, exc.code, exc.path) from exc
    judged_at = now or datetime.now(UTC)
    try:
        with chain() as view:
            proofs = _proofs(anchors, text, policy)
            result = verify_disclosure(
                text,
                policy,
                audience=audience,
                nonce=nonce,
                now=judged_at,
                chain=view,
                anchors=proofs,
                policies=asked,
                terms=terms,
            )
    except VerificationError as refusal:
        if not as_json:
            click.echo(f"refused at step {refusal.step}", err=True)
        raise
    if output is not None:
        write_private(output, (bundle(result.facts) + "\n").encode())
    if as_json:
        click.echo(_to_json(result))
    else:
        _print(result, facts=output is None)


def _proofs(path: Path | None, text: str, policy: TrustPolicy) -> dict[tuple[Address, Digest], AnchorProof]:
    return {} if path is None else read_anchors(path, [each.package for each in read(text, policy).records])


def _print(result: VerifiedDisclosure, *, facts: bool) -> None:
    console = Console(stderr=True)
    for step in result.steps:
        checked = step.state == "checked"
        line = f"{step.number:2}. {step.name}: {step.state}" + (f" ({step.reason})" if step.reason else "")
        console.print(Text(line, style="green" if checked else "yellow"))
    console.print(Text(f"same person: {result.same_person}"))
    for record in result.records:
        console.print(Text(_summary(record)), soft_wrap=True)
    for predicate in result.predicates:
        console.print(Text(predicate_text(predicate, result.records)), soft_wrap=True)
    if facts and result.records:
        click.echo(bundle(result.facts))


def _summary(record: VerifiedRecord) -> str:
    existed = f"existed by {record.evidence_time:%Y-%m-%d %H:%M:%S} UTC" if record.evidence_time else "not anchored"
    lines = [f"{record.resource_type}: sealed {record.sealed_at:%Y-%m-%d} by {_issuer(record)}, {existed}"]
    if record.amends is not None:
        lines.append(f"  says that it replaces seal {to_hex(record.amends)}")
    if record.proxy is not None:
        lines.append(f"  {record.proxy.words}")
    if record.is_test:
        lines.append("  a test record")
    if record.about != "patient":
        lines.append(f"  about: {record.about}")
    lines.extend(f"  {name}: target not shown" for name in record.targets_not_shown)
    lines.extend(f"  {name}: no value, or not shown" for name in record.values_not_shown)
    lines.extend(f"  {position}: not opened" for position in record.fact.unopened)
    return "\n".join(lines)


def _issuer(record: VerifiedRecord) -> str:
    """The issuer's name, and by what it is trusted where the policy does not name it."""
    if not record.issuer:
        return f"{checksum_address(record.attestation.attester)} (not checked)"
    if record.issued_under is None:
        return value_text(record.issuer)
    authority, roles = record.issued_under
    return f"{value_text(record.issuer)} ({', '.join(sorted(roles))}, accredited by {checksum_address(authority)})"


def _to_json(result: VerifiedDisclosure) -> str:
    """One JSON object; the facts' texts enter as they are, so that number lexemes stay."""
    head = {
        "verified": True,
        "steps": [step._asdict() for step in result.steps],
        "samePerson": result.same_person,
        "records": [_record_to_json(record) for record in result.records],
        "predicates": [predicate_to_json(predicate) for predicate in result.predicates],
    }
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "facts": {bundle(result.facts)}}}'


def _record_to_json(record: VerifiedRecord) -> dict[str, object]:
    slots = {
        f"{container.path}.{slot.name}": {"state": slot.state, "fields": slot.fields, "shown": slot.shown}
        for container in record.containers
        for slot in container.slots
        if slot.state != "absent"
    }
    return {
        "attester": checksum_address(record.attestation.attester),
        "uid": to_hex(record.attestation.uid),
        "issuer": record.issuer or None,
        "issuedUnder": _issued_under_to_json(record.issued_under),
        "amends": to_hex(record.amends) if record.amends is not None else None,
        "resourceType": record.resource_type,
        "about": record.about,
        "labels": list(record.labels),
        "sealedAt": record.sealed_at.isoformat(),
        "expiresAt": record.expires_at.isoformat() if record.expires_at else None,
        "evidenceTime": record.evidence_time.isoformat() if record.evidence_time else None,
        "test": record.is_test,
        "proxy": _proxy_to_json(record.proxy),
        "complete": record.is_complete,
        "slots": slots,
        "targetsNotShown": list(record.targets_not_shown),
        "valuesNotShown": list(record.values_not_shown),
        "unopened": list(record.fact.unopened),
        "fullUrl": record.fact.full_url,
    }


def _proxy_to_json(proxy: Proxy | None) -> dict[str, object] | None:
    if proxy is None:
        return None
    majority = proxy.majority.isoformat() if proxy.majority else None
    until, audience = proxy.until.isoformat(), proxy.audience or None
    return {"key": to_hex(proxy.key), "until": until, "majority": majority, "audience": audience}


def _issued_under_to_json(issued_under: IssuedUnder | None) -> dict[str, object] | None:
    if issued_under is None:
        return None
    return {"authority": checksum_address(issued_under.authority), "roles": sorted(issued_under.roles)}
