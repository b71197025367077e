"""`chartseal pull`: ask another provider's node, verify all of its answer here, and show what holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from chartseal.attestation import Address, checksum_address, to_hex
from chartseal.cli.addresses import Account
from chartseal.cli.chain_view import View, view_options
from chartseal.cli.files import opened, write_private
from chartseal.cli.times import Moment
from chartseal.cli.verified import print_steps, record_text, record_to_json, with_facts
from chartseal.errors import MissingExtraError, PullError
from chartseal.verification import ROLES, CheckedConsent, TrustPolicy, bundle

if TYPE_CHECKING:
    import httpx

    from chartseal.disclosure import Ground
    from chartseal.node.pull import Pulled
    from chartseal.node.pull.consents import GranteesConsents

_FILE = click.Path(dir_okay=False, path_type=Path)
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]{1,16384}=*", re.ASCII)
"""RFC 6750's b64token, bounded."""
_LARGEST_TOKEN = 1 << 15
_NOT_WHOLE = 3
_OF_STATE = {
    "differs": "are told otherwise than they were sealed: shown is what was sealed",
    "refused": "are not shown: their records do not hold",
    "not proved": "are not shown: no record proves them",
}


@click.command()
@click.option("--from", "base", required=True, metavar="URL", help="The node's FHIR base, over https.")
@click.option("--custodian", required=True, type=Account(), help="The account that this node answers for.")
@click.option("--patient", metavar="ID", help="Everything of this patient, by her id at that node.")
@click.option("--search", "searched", metavar="SEARCH", help="A FHIR search: 'Observation?code=…'.")
@click.option(
    "--consent",
    "consent_paths",
    multiple=True,
    type=_FILE,
    help="Our copy of a consent; without --patient and --search, everything that it opens.",
)
@click.option("--withdrawal", "withdrawal_paths", multiple=True, type=_FILE, help="A withdrawal that reached us.")
@click.option("--as", "account", type=Account(), help="Our own account, which consents name.")
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), help="A role that we are accredited for.")
@click.option("--trust", required=True, type=click.Path(path_type=Path), help="Trust policy, a TOML file.")
@click.option("--token-file", type=_FILE, help="A file with the token that the node gave us; - for standard input.")
@click.option("--allow-loopback", is_flag=True, help="Ask a node on this very machine without TLS.")
@view_options
@click.option("--now", type=Moment(), help="Judge as of this time instead of the clock's.")
@click.option("-o", "--output", help="Write the facts to this file as a FHIR Bundle.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print steps, records, facts and what is not proved as one object."
)
@click.pass_context
def pull(
    context: click.Context,
    base: str,
    custodian: Address,
    patient: str | None,
    searched: str | None,
    consent_paths: tuple[Path, ...],
    withdrawal_paths: tuple[Path, ...],
    account: Address | None,
    roles: tuple[str, ...],
    trust: Path,
    token_file: Path | None,
    allow_loopback: bool,
    chain: View,
    now: datetime | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Read a patient's records from another provider's node, verify them here, and show what is verified.

    Prints each step with what was and what was not checked, then the facts. What the node says itself is not shown:
    a resource whose record says something else, does not hold, or is missing is counted, and the command then ends
    with status 3. Status 1 is an error, and nothing is shown.

    No holder signs an answer. Records that she consents to need our copy of the consent (--consent, with --as or
    --role for who we are); others are shown as being so by the custodian's word, which the policy may refuse.

    That an answer is all that there is, or that its records are one patient's, nothing proves unless it is said.
    """
    if as_json and output == "-":
        raise click.UsageError("--json prints the facts too: leave out -o -")
    if consent_paths and account is None and not roles:
        raise click.UsageError("--consent goes with --as or --role: who we are")
    _require_extra()
    from chartseal.consent.document import LARGEST_CONSENT
    from chartseal.node.pull import Peer
    from chartseal.node.pull import pull as ask

    policy, at = TrustPolicy.load(trust), now or datetime.now(UTC)
    documents, check = (
        [_read(path, LARGEST_CONSENT) for path in consent_paths],
        _check(account, roles, withdrawal_paths),
    )
    roots = [check(document, custodian=custodian, now=at).root for document in documents]
    question, token = _question(patient, searched, roots), _token(token_file)
    peer = Peer(custodian, base, allow_loopback)
    with chain() as view, _client() as client:
        pulled = ask(client, peer, question, policy, now=at, consent=check, consents=documents, chain=view, token=token)
    if output is not None:
        write_private(output, (bundle(pulled.facts) + "\n").encode())
    if as_json:
        click.echo(_to_json(pulled))
    else:
        _print(pulled, facts=output is None)
    if not pulled.holds_whole:
        context.exit(_NOT_WHOLE)


def _require_extra() -> None:
    if find_spec("httpx") is None:
        raise MissingExtraError("httpx is not installed: pip install 'chartseal[node]'")


def _client() -> httpx.Client:
    """A client through no proxy that the environment names, since requests bear a token; SSL_CERT_FILE counts."""
    import httpx

    return httpx.Client(trust_env=False, verify=httpx.create_ssl_context())


def _read(path: Path, most: int) -> bytes:
    """A file that is one document, or more than it may have, which its reader refuses."""
    with opened(str(path)) as stream:
        return stream.read(most + 1)


def _check(account: Address | None, roles: Sequence[str], withdrawals: Sequence[Path]) -> GranteesConsents:
    from chartseal.consent import Withdrawal
    from chartseal.consent.withdrawal import LARGEST_WITHDRAWAL
    from chartseal.node.pull.consents import GranteesConsents

    known = [Withdrawal.loads(_read(path, LARGEST_WITHDRAWAL)) for path in withdrawals]
    return GranteesConsents.of(account, roles, known)


def _question(patient: str | None, searched: str | None, roots: Sequence[bytes]) -> str:
    """What is asked: one of a patient, a search, and what one consent opens."""
    from chartseal.node.pull import everything_of, everything_under, search

    if patient is not None and searched is not None:
        raise click.UsageError("give --patient or --search")
    if patient is not None:
        return everything_of(patient)
    if searched is not None:
        return search(searched)
    if len(roots) != 1:
        raise click.UsageError("give --patient, --search or one --consent")
    return everything_under(roots[0])


def _token(path: Path | None) -> str | None:
    """The token in a file.

    Raises:
        PullError: `token_malformed`.
    """
    if path is None:
        return None
    text = _read(path, _LARGEST_TOKEN).strip().decode("ascii", "replace")
    if not _TOKEN.fullmatch(text):
        raise PullError("the file holds no token", "token_malformed", path.name)
    return text


def _print(pulled: Pulled, *, facts: bool) -> None:
    console = Console(stderr=True)
    if pulled.answer is None:
        console.print(Text("no record came that holds: that says nothing of whether there is one", style="yellow"))
    else:
        print_steps(pulled.answer.steps, pulled.answer.same_person, console)
        for record, ground in zip(pulled.answer.records, pulled.answer.grounds, strict=True):
            console.print(Text(f"{record_text(record)}\n  shown by {_ground_text(ground)}"), soft_wrap=True)
    for each in pulled.refused:
        console.print(Text(f"a record is refused at step {each.step}: {each.code}", style="red"))
    for state, count in Counter(each.state.value for each in pulled.told).items():
        if state in _OF_STATE:
            console.print(Text(f"{count} of {len(pulled.told)} resources {_OF_STATE[state]}", style="red"))
    if facts and pulled.facts:
        click.echo(bundle(pulled.facts))


def _ground_text(ground: CheckedConsent | Ground) -> str:
    return f"consent {to_hex(ground.root)}" if isinstance(ground, CheckedConsent) else f"{ground.value}, unproved"


def _to_json(pulled: Pulled) -> str:
    head: dict[str, object] = {"verified": pulled.answer is not None, "holdsWhole": pulled.holds_whole}
    if pulled.answer is not None:
        answer = pulled.answer
        grounds = zip(answer.records, answer.grounds, strict=True)
        head |= {
            "custodian": checksum_address(answer.custodian),
            "steps": [step._asdict() for step in answer.steps],
            "samePerson": answer.same_person,
            "records": [{**record_to_json(record), "ground": _ground_to_json(ground)} for record, ground in grounds],
        }
    head |= {
        "refused": [each._asdict() for each in pulled.refused],
        "told": [{"resourceType": each.resource_type, "state": each.state.value} for each in pulled.told],
    }
    return with_facts(head, pulled.facts)


def _ground_to_json(ground: CheckedConsent | Ground) -> dict[str, str] | str:
    return {"consent": to_hex(ground.root)} if isinstance(ground, CheckedConsent) else ground.value
