"""`chartseal verify`: check a disclosure step by step, and write its facts as FHIR."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from chartseal.attestation import Address, Digest
from chartseal.cli.chain_view import View, read_anchors, view_options
from chartseal.cli.files import read_disclosure, write_private
from chartseal.cli.proven import predicate_text, predicate_to_json
from chartseal.cli.questions import policy_option, read_policies, terms_options
from chartseal.cli.times import Moment, Nonce
from chartseal.cli.verified import print_steps, record_text, record_to_json, with_facts
from chartseal.disclosure import Terms
from chartseal.errors import DisclosureFormError, FormError, VerificationError
from chartseal.verification import AnchorProof, TrustPolicy, VerifiedDisclosure, bundle
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
    print_steps(result.steps, result.same_person, console)
    for record in result.records:
        console.print(Text(record_text(record)), soft_wrap=True)
    for predicate in result.predicates:
        console.print(Text(predicate_text(predicate, result.records)), soft_wrap=True)
    if facts and result.records:
        click.echo(bundle(result.facts))


def _to_json(result: VerifiedDisclosure) -> str:
    head: dict[str, object] = {
        "verified": True,
        "steps": [step._asdict() for step in result.steps],
        "samePerson": result.same_person,
        "records": [record_to_json(record) for record in result.records],
        "predicates": [predicate_to_json(predicate) for predicate in result.predicates],
    }
    return with_facts(head, result.facts)
