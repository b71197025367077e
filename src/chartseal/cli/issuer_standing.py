"""`chartseal issuer standing`: who accredits an issuer, as what, and whether that is live."""

from __future__ import annotations

from pathlib import Path

import click

from chartseal.attestation import Address
from chartseal.chain.authority import Standing
from chartseal.chain.facts import Attestation, ChainFacts
from chartseal.chain.schemas import ACCREDITATION, WITHDRAWAL
from chartseal.cli.addresses import Account
from chartseal.cli.chain_facts import Facts, facts_options
from chartseal.cli.standings import now_of, show_standing
from chartseal.cli.times import Day
from chartseal.keys import IssuerKey


@click.command("standing")
@click.argument("who", metavar="[ISSUER]", default="key.json")
@click.option("--authority", "authorities", multiple=True, type=Account(), help="Only by this one; may be repeated.")
@click.option("--at", type=Day(), help="State at this time instead of now.")
@facts_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def issuer_standing(who: str, authorities: tuple[Address, ...], at: int | None, facts: Facts, as_json: bool) -> None:
    """Show by whom an issuer is accredited; ISSUER is an address or a key file, and needs no passphrase.

    Anyone can attest an accreditation: only those of authorities that a verifier's policy names count there.
    """
    issuer = Account().convert(who, None, None) if who.startswith("0x") else IssuerKey.stated_address(Path(who))
    with facts() as known:
        standing = _standing(known, issuer, authorities)
        moment = now_of(known) if at is None else at
        show_standing(known, standing, standing.accreditations, moment, as_json=as_json)


def _standing(facts: ChainFacts, issuer: Address, authorities: tuple[Address, ...]) -> Standing:
    made = [
        each
        for each in facts.attestations(ACCREDITATION, recipient=issuer)
        if not authorities or each.attester in authorities
    ]
    withdrawals: list[Attestation] = []
    for by in dict.fromkeys(each.attester for each in made):
        withdrawals.extend(facts.attestations(WITHDRAWAL, attester=by))
    return Standing(made, withdrawals)
