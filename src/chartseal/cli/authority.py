"""`chartseal authority`: accredit issuers, renew, withdraw, and list whom one stands for."""

from __future__ import annotations

import json
from pathlib import Path

import click

from chartseal.attestation import ZERO_ADDRESS, Address, Digest, checksum_address, to_hex
from chartseal.chain.authority import Accredited, Authority, Grant, Standing
from chartseal.chain.authority.withdrawal import ORDINARY
from chartseal.chain.facts import ChainFacts
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import ACCREDITATION, CAUSES, ROLES, WITHDRAWAL
from chartseal.chain.sending.sender import Sender
from chartseal.cli.addresses import Account, Bytes32
from chartseal.cli.chain_facts import Facts, facts_options
from chartseal.cli.chain_options import Chain, Connect, Signing, authority_key_options, chain_options
from chartseal.cli.files import opened
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.standings import now_of, show_standing
from chartseal.cli.times import Day
from chartseal.errors import AuthorityError
from chartseal.keys import AuthorityKey, IssuerCard
from chartseal.keys.card import LARGEST_CARD

_FILE = click.Path(dir_okay=False, path_type=Path)
_DEFAULT_KEY = Path("authority.json")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_until = click.option("--until", type=Day(), help="When it ends: a date (00:00 UTC) or a time.")
_from = click.option("--from", "valid_from", type=Day(), default=0, help="When it begins; now if not given.")
_resolver = click.option(
    "--resolver", type=Account(), default=ZERO_ADDRESS, help="AccreditationResolver of this authority, if it has one."
)


@click.group()
def authority() -> None:
    """Accredit issuers, for verifiers that name this authority in their policies."""


@authority.command("init")
@click.option("-o", "--output", type=_FILE, default=_DEFAULT_KEY, show_default=True, help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite a file of that name.")
@passphrase_option
@_json
def authority_init(output: Path, force: bool, passphrase_fd: int | None, as_json: bool) -> None:
    """Make an authority's key and write it to a file under a passphrase."""
    key = AuthorityKey.generate()
    key.save(output, read_passphrase(passphrase_fd, confirm=True), force=force)
    members = {"address": key.address, "file": str(output)}
    click.echo(json.dumps(members) if as_json else f"{key.address}  written to {output}")


@authority.command("accredit")
@click.argument("who", metavar="CARD|ADDRESS")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(ROLES), help="Role; may be repeated.")
@click.option("--name", default="", help="The issuer's name, instead of its card's.")
@click.option("--endpoint", default="", metavar="URL", help="The issuer's node (https); a card says it itself.")
@click.option("--predecessor", type=Account(), default=ZERO_ADDRESS, help="Its address before; a card's is confirmed.")
@_until
@_from
@_resolver
@chain_options
@authority_key_options
@_json
def authority_accredit(
    who: str,
    roles: tuple[str, ...],
    name: str,
    endpoint: str,
    predecessor: Address,
    until: int | None,
    valid_from: int,
    resolver: Address,
    connect: Connect,
    signer: Signing,
    as_json: bool,
) -> None:
    """Accredit an issuer: by the card that it made (`chartseal issuer card`; - for standard input), or by its address.

    An issuer that is accredited by its address alone has no proving key, so that it stands in no trust root.
    """
    times = {"valid_from": valid_from, "expires_at": until or 0}
    if who.startswith("0x"):
        about = {"issuer": Account().convert(who, None, None), "roles": frozenset(roles), "predecessor": predecessor}
        grant = Grant(name=name, endpoint=endpoint, **about, **times)  # type: ignore[arg-type]  # of mixed kinds
    else:
        grant = Grant.of_card(_card(who, endpoint, predecessor), roles, name=name, **times)
    chain = connect()
    by = Authority(Sender(chain.node, signer()), chain.deployment, resolver=resolver)
    uid = by.accredit(grant)
    issuer = checksum_address(grant.issuer)
    members = {"uid": to_hex(uid), "authority": checksum_address(by.address), "issuer": issuer}
    click.echo(json.dumps(members) if as_json else f"{issuer} is accredited: {to_hex(uid)}")


def _card(path: str, endpoint: str, predecessor: Address) -> IssuerCard:
    """The card of a file; what it says may be confirmed, but not contradicted.

    Raises:
        AuthorityError: `card_contradicted`, `predecessor_unconfirmed`, or as IssuerCard.
    """
    card = _read_card(path)
    if endpoint not in ("", card.endpoint):
        raise AuthorityError("the card says another endpoint", "card_contradicted", "endpoint")
    if predecessor != card.predecessor:
        # Whoever succeeds an issuer may revoke its seals: the authority says so itself.
        raise AuthorityError(
            "give --predecessor as the card has it, once you know that both are one", "predecessor_unconfirmed"
        )
    return card


def _read_card(path: str) -> IssuerCard:
    with opened(path) as stream:
        return IssuerCard.from_json(stream.read(LARGEST_CARD + 1))


def _issuer_of(who: str) -> Address:
    """The issuer that an address or a card is of."""
    return Account().convert(who, None, None) if who.startswith("0x") else _read_card(who).address


@authority.command("renew")
@click.argument("uid", type=Bytes32())
@_until
@_from
@_resolver
@chain_options
@authority_key_options
@_json
def authority_renew(
    uid: Digest,
    until: int | None,
    valid_from: int,
    resolver: Address,
    connect: Connect,
    signer: Signing,
    as_json: bool,
) -> None:
    """Accredit an issuer again as an accreditation says, for another time; the older one stays as it is."""
    chain = connect()
    by = Authority(Sender(chain.node, signer()), chain.deployment, resolver=resolver)
    made = by.renew(uid, expires_at=until or 0, valid_from=valid_from)
    click.echo(json.dumps({"uid": to_hex(made), "renews": to_hex(uid)}) if as_json else f"renewed: {to_hex(made)}")


@authority.command("withdraw")
@click.argument("what", metavar="UID|ISSUER|CARD")
@click.option("--cause", type=click.Choice(CAUSES), default=ORDINARY, show_default=True, help="Why.")
@click.option("--from", "since", type=Day(), help="From when; now if not given. With a cause it may be in the past.")
@click.option(
    "--resolver", type=Account(), help="Withdraw under this resolver (0x and zeros: none), not each accreditation's."
)
@chain_options
@authority_key_options
@_json
def authority_withdraw(
    what: str, cause: str, since: int | None, resolver: Address | None, connect: Connect, signer: Signing, as_json: bool
) -> None:
    """Withdraw one accreditation (its uid), or all of an issuer (its address or card) that reach beyond that time."""
    issuer = None if len(what) == 66 and what.startswith("0x") else _issuer_of(what)
    chain = connect()
    by = Authority(Sender(chain.node, signer()), chain.deployment)
    uids = [Bytes32().convert(what, None, None)] if issuer is None else _to_withdraw(chain, by.address, issuer, since)
    made = [by.withdraw(uid, cause=cause, withdrawn_from=since, resolver=resolver) for uid in uids]
    pairs = [{"accreditation": to_hex(uid), "withdrawal": to_hex(each)} for uid, each in zip(uids, made, strict=True)]
    click.echo(json.dumps({"withdrawn": pairs}) if as_json else f"withdrawn: {len(pairs)}")


def _to_withdraw(chain: Chain, by: Address, issuer: Address, since: int | None) -> list[Digest]:
    """Accreditations that reach beyond the time, and those whose withdrawal for cause was left halfway.

    Raises:
        AuthorityError: `nothing_to_withdraw`.
    """
    facts = RpcFacts(chain.node, chain.deployment)
    standing = _standing(facts, by)
    after = now_of(facts) if since is None else since
    found = [each.uid for each in standing.of(issuer) if standing.end(each).at > after or _is_halfway(standing, each)]
    if not found:
        raise AuthorityError("no accreditation of that issuer reaches beyond that time", "nothing_to_withdraw")
    return found


def _is_halfway(standing: Standing, each: Accredited) -> bool:
    """Withdrawn for cause, but not revoked yet."""
    return not each.revoked_at and any(made.is_for_cause for made in standing.withdrawals(each))


def _standing(facts: ChainFacts, by: Address) -> Standing:
    return Standing(facts.attestations(ACCREDITATION, attester=by), facts.attestations(WITHDRAWAL, attester=by))


@authority.command("list")
@click.argument("who", metavar="[AUTHORITY]", default=str(_DEFAULT_KEY))
@click.option("--live", is_flag=True, help="Only those that are live.")
@click.option("--at", type=Day(), help="State at this time instead of now.")
@facts_options
@_json
def authority_list(who: str, live: bool, at: int | None, facts: Facts, as_json: bool) -> None:
    """List an authority's accreditations; AUTHORITY is an address or a key file, and needs no passphrase."""
    by = Account().convert(who, None, None) if who.startswith("0x") else AuthorityKey.stated_address(Path(who))
    with facts() as known:
        standing, moment = _standing(known, by), now_of(known) if at is None else at
        chosen = [each for each in standing.accreditations if not live or standing.is_live(each, moment)]
        show_standing(known, standing, chosen, moment, as_json=as_json)
