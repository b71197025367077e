"""`chartseal card`: SMART Health Cards: issue, verify, and the key that signs them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chartseal.cli.files import opened, write_private, write_public
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.qr import draw, qr_option
from chartseal.cli.times import Duration, Moment
from chartseal.keys.health_card import HealthCardKey

if TYPE_CHECKING:
    from chartseal.sharing.cards import VerifiedCard

_PATH = click.Path(dir_okay=False, path_type=Path)
_TYPES = "https://smarthealth.cards#"
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_key = click.option("--key", "key_path", type=_PATH, default=Path("card-key.json"), show_default=True)


@click.group()
def card() -> None:
    """SMART Health Cards: small signed cards of FHIR, for a QR code or a file."""


@card.group("key")
def card_key() -> None:
    """The P-256 key that signs health cards; it seals nothing."""


@card_key.command("init")
@click.option("-o", "--output", type=_PATH, default=Path("card-key.json"), show_default=True, help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite a file of that name.")
@passphrase_option
@_json
def card_key_init(output: Path, force: bool, passphrase_fd: int | None, as_json: bool) -> None:
    """Make a key and write it to a file under a passphrase."""
    from chartseal.sharing.cards import public_jwk

    made = HealthCardKey.generate()
    made.save(output, read_passphrase(passphrase_fd, confirm=True), force=force)
    kid = public_jwk(made)["kid"]
    click.echo(json.dumps({"kid": kid, "file": str(output)}) if as_json else f"{kid}\nwritten to {output}")


@card_key.command("publish")
@click.argument("keys", nargs=-1, required=True, type=_PATH)
@click.option("-o", "--output", default="-", show_default=True, help="The file to write, - for standard output.")
@click.option("--json", "as_json", is_flag=True, help="Tell the keys' ids as JSON, on standard error.")
@passphrase_option
def card_key_publish(keys: tuple[Path, ...], output: str, as_json: bool, passphrase_fd: int | None) -> None:
    """Write the public keys of key files as the set that an issuer serves at <its URL>/.well-known/jwks.json."""
    from chartseal.sharing.cards import key_set, public_jwk

    passphrase = read_passphrase(passphrase_fd)
    held = [HealthCardKey.load(path, passphrase) for path in keys]
    text = key_set(held)
    if output == "-":
        click.echo(text, nl=False)
    else:
        write_public(Path(output), text.encode())
    if as_json:
        click.echo(json.dumps({"kids": [public_jwk(each)["kid"] for each in held]}), err=True)


@card.command("issue")
@click.argument("path")
@click.option("--iss", required=True, metavar="URL", help="The issuer's URL, below which its keys are served.")
@_key
@click.option("--type", "types", multiple=True, metavar="NAME", help="immunization, laboratory, covid19, …")
@click.option("--expires", type=Duration(), help="For how long it holds.  [default: it does not expire]")
@click.option("--rid", metavar="ID", help="By which it can be revoked; it tells nothing of the patient.")
@click.option("--file", "for_file", is_flag=True, help="For a file alone: the whole Bundle, as it is.")
@click.option("-o", "--output", default="-", show_default=True, help="The file to write, - for standard output.")
@qr_option
@passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Tell its size as JSON, on standard error.")
def card_issue(
    path: str,
    iss: str,
    key_path: Path,
    types: tuple[str, ...],
    expires: timedelta | None,
    rid: str | None,
    for_file: bool,
    output: str,
    qr: str | None,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Sign a FHIR Bundle (file, or - for standard input) as a health card, and write a .smart-health-card file.

    It is made to fit one QR code: what only people read is left out, and what would change its meaning so is refused.
    """
    from chartseal.sharing.cards import CardTerms, issue, write_file
    from chartseal.sharing.cards.minified import LARGEST_BUNDLE

    if for_file and qr is not None:
        raise click.UsageError("--file makes a card that no QR code is drawn of")
    with opened(path) as stream:
        bundle = stream.read(LARGEST_BUNDLE + 1)
    now = datetime.now(UTC)
    terms = CardTerms(iss, tuple(_TYPES + each for each in types), now + expires if expires else None, rid)
    key = HealthCardKey.load(key_path, read_passphrase(passphrase_fd))
    made = issue(bundle, key, terms, now=now, for_qr=not for_file)
    write_private(output, write_file([made]))
    if qr is not None:
        from chartseal.sharing.qr import card_code

        draw(card_code(made), qr)
    if as_json:
        click.echo(json.dumps({"characters": len(made), "forQr": not for_file}), err=True)


@card.command("verify")
@click.argument("path")
@click.option("--trust", required=True, type=_PATH, help="Whose cards are believed: a TOML file of issuers.")
@click.option("--offline", is_flag=True, help="Ask no issuer: keys are those kept here, revocation is not checked.")
@click.option("--allow-loopback", is_flag=True, help="Ask this machine's own servers too: for trying out.")
@click.option("--now", type=Moment(), help="Judge as of this time instead of the clock's.")
@_json
def card_verify(
    path: str, trust: Path, offline: bool, allow_loopback: bool, now: datetime | None, as_json: bool
) -> None:
    """Verify health cards (file, or - for standard input): shc:/…, a signed card, or a .smart-health-card file.

    Prints what each card's issuer signed. Says whether revocation was checked.
    """
    from chartseal.sharing.cards import CardTrust, verify_cards
    from chartseal.sharing.cards.verifying import LARGEST_FILE
    from chartseal.sharing.fetching import GuardedFetcher

    fetch = None if offline else GuardedFetcher(allows_loopback=allow_loopback)
    with opened(path) as stream:
        data = stream.read(LARGEST_FILE + 1)
    found = verify_cards(data, CardTrust.load(trust, fetch=fetch), now=now or datetime.now(UTC))
    if as_json:
        click.echo(f'{{"verified": true, "cards": [{", ".join(_to_json(each) for each in found)}]}}')
        return
    for each in found:
        click.echo(f"{each.issuer_name or each.issuer}: issued {each.issued_at:%Y-%m-%d}, {_told(each)}", err=True)
        click.echo(each.claims)


def _told(found: VerifiedCard) -> str:
    expiry = f"until {found.expires_at:%Y-%m-%d}" if found.expires_at else "does not expire"
    revocation = {"no list": "its issuer keeps no list of revoked cards for it"}.get(
        found.revocation, f"revocation: {found.revocation}"
    )
    return f"{expiry}; {revocation}"


def _to_json(found: VerifiedCard) -> str:
    """One card; what was signed stands in it as it was."""
    head = {
        "issuer": found.issuer,
        "name": found.issuer_name or None,
        "kid": found.kid,
        "issuedAt": found.issued_at.isoformat(),
        "expiresAt": found.expires_at.isoformat() if found.expires_at else None,
        "types": list(found.types),
        "fhirVersion": found.fhir_version,
        "revocation": found.revocation,
    }
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "claims": {found.claims}}}'
