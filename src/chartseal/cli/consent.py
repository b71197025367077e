"""`chartseal consent`: what a patient lets a provider have, in words that she signs, and their withdrawal."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from chartseal.attestation import Address, Digest, address_from, checksum_address, to_hex
from chartseal.cli.addresses import Account, Bytes32
from chartseal.cli.files import opened, write_private
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.cli.times import Day, Moment
from chartseal.consent import (
    PURPOSES,
    Consent,
    Exceptions,
    Grantee,
    Requester,
    Scopes,
    Terms,
    VerifiedConsent,
    Withdrawal,
    fhir_consent,
)
from chartseal.consent.document import LARGEST_CONSENT
from chartseal.consent.vocabulary import ACT_CODE, SENSITIVITY
from chartseal.consent.withdrawal import LARGEST_WITHDRAWAL
from chartseal.errors import ConsentError, PackageError
from chartseal.keys import Wallet
from chartseal.verification.chain import ROLES

_PATH = click.Path(dir_okay=False, path_type=Path)
_INDEX = click.IntRange(0, 2**32 - 1)
_wallet = click.option("-w", "--wallet", "path", type=_PATH, default=Path("wallet.json"), show_default=True)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_json_beside = click.option("--json", "as_json", is_flag=True, help="Tell what was done as JSON, on standard error.")
_DAY = click.DateTime(formats=["%Y-%m-%d"])


class _Grantee(click.ParamType[Any]):
    """An account, or a role."""

    name = "grantee"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Grantee:
        """Read whom a consent is for."""
        if isinstance(value, Grantee):
            return value
        try:
            return Grantee(role=value) if value in ROLES else Grantee(address_from(value, ""))
        except (PackageError, ConsentError):
            self.fail(f"expected an address, or one of {', '.join(ROLES)}", param, ctx)


class _Label(click.ParamType[Any]):
    """A security label: a sensitivity code of v3-ActCode, or system|code."""

    name = "label"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a label; a code by itself must be known, or a slip would open or keep back nothing."""
        text = str(value)
        if "|" not in text and text not in SENSITIVITY:
            known = ", ".join(sorted(SENSITIVITY))
            self.fail(f"expected system|code, or one of {known}", param, ctx)
        return text if "|" in text else f"{ACT_CODE}|{text}"


class _Exception(click.ParamType[Any]):
    """`type=…`, `code=…` or `label=…`, as a pair."""

    name = "exception"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read what is excepted."""
        if isinstance(value, tuple):
            return value
        kind, found, text = str(value).partition("=")
        if not found or kind not in ("type", "code", "label"):
            self.fail("expected type=TYPE, code=SYSTEM|CODE or label=LABEL", param, ctx)
        return kind, _Label().convert(text, param, ctx) if kind == "label" else text


@click.group()
def consent() -> None:
    """What a patient lets a provider have of her records, signed by her wallet, and its withdrawal."""


@consent.command()
@click.option("--to", "grantee", required=True, type=_Grantee(), metavar="ADDRESS|ROLE", help="Who may have records.")
@click.option("--custodian", required=True, type=Account(), metavar="ADDRESS", help="The provider that has them.")
@click.option("--purpose", "purposes", multiple=True, type=click.Choice(sorted(PURPOSES)), metavar="CODE",
              default=("TREAT",), show_default=True, help="For what, a code of PurposeOfUse.")  # fmt: skip
@click.option("--until", required=True, type=Day(), metavar="DATE", help="When it ends: a date (00:00 UTC) or a time.")
@click.option("--from", "begins", type=Day(), metavar="DATE", help="When it begins, likewise; else now.")
@click.option("--types", multiple=True, metavar="TYPE,…", help="Records of these types alone.")
@click.option("--codes", multiple=True, metavar="SYSTEM|CODE", help="Records that have one of these codes alone.")
@click.option("--since", type=_DAY, metavar="DATE", help="Records of this day and later alone.")
@click.option("--through", type=_DAY, metavar="DATE", help="Records of this day and earlier alone.")
@click.option("--sensitivity", "labels", multiple=True, type=_Label(), metavar="LABEL",
              help="Open what has this label too: HIV, SUD, …, or system|code.")  # fmt: skip
@click.option("--except", "excepted", multiple=True, type=_Exception(), metavar="KIND=…",
              help="Keep this shut: type=TYPE, code=SYSTEM|CODE or label=LABEL.")  # fmt: skip
@click.option("--number", type=_INDEX, default=0, show_default=True, help="The wallet's address: 1 confidential, …")
@click.option("--epoch", type=_INDEX, default=0, show_default=True, help="Its epoch.")
@_wallet
@click.option("-o", "--output", default="consent.json", show_default=True, help="The file to write, - for output.")
@passphrase_option
@_json_beside
def grant(
    grantee: Grantee,
    custodian: Address,
    purposes: tuple[str, ...],
    until: int,
    begins: int | None,
    types: tuple[str, ...],
    codes: tuple[str, ...],
    since: datetime | None,
    through: datetime | None,
    labels: tuple[str, ...],
    excepted: tuple[tuple[str, str], ...],
    number: int,
    epoch: int,
    path: Path,
    output: str,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Sign a consent, to give to the provider that has the records and to the one that may have them.

    It opens no record with a sensitivity label that --sensitivity does not name. Where --except keeps a label shut,
    what could speak of it is withheld too: records that nobody labelled, narrative, notes, attachments, claims.
    """
    wallet = Wallet.load(path, read_passphrase(passphrase_fd))
    exceptions = {
        kind: frozenset(text for each, text in excepted if each == kind) for kind in ("type", "code", "label")
    }
    terms = Terms(
        wallet.sealing_address(number, epoch),
        custodian,
        grantee,
        frozenset(purposes),
        int(datetime.now(UTC).timestamp()) if begins is None else begins,
        until,
        frozenset(name for each in types for name in each.split(",")),
        frozenset(codes),
        _date(since),
        _date(through),
        frozenset(labels),
        Exceptions(exceptions["type"], exceptions["code"], exceptions["label"]),
    )
    made = Consent.sign(terms, wallet)
    write_private(output, made.to_json() + b"\n")
    root = to_hex(made.root)
    click.echo(json.dumps({"root": root}) if as_json else f"consent {root}", err=True)


@consent.command()
@click.argument("source", required=False, metavar="[CONSENT]")
@click.option("--root", type=Bytes32(), metavar="ROOT", help="The consent's root, where its file is lost.")
@_wallet
@click.option("-o", "--output", default="withdrawal.json", show_default=True, help="The file to write, - for output.")
@passphrase_option
@_json_beside
def withdraw(
    source: str | None, root: Digest | None, path: Path, output: str, passphrase_fd: int | None, as_json: bool
) -> None:
    """Sign the withdrawal of a consent (a file, or -), to give to the provider that answers by it.

    It counts from that provider's next answer on. What was given before stays with whoever received it.
    """
    if (source is None) == (root is None):
        raise click.UsageError("give the consent, or its --root")
    wallet = Wallet.load(path, read_passphrase(passphrase_fd))
    if source is not None:
        read = _read(source)
        if read.terms.holder != wallet.sealing_address().spend_key:
            raise ConsentError("the wallet is not that of the patient whom the consent names", "consent_other_patient")
        root = read.root
    assert root is not None  # noqa: S101 (one of both was given)
    write_private(output, Withdrawal.sign(root, wallet).to_json() + b"\n")
    click.echo(json.dumps({"root": to_hex(root)}) if as_json else f"withdrawn {to_hex(root)}", err=True)


@consent.command()
@click.argument("source", metavar="CONSENT")
@_json
def show(source: str, as_json: bool) -> None:
    """Show what a consent (a file, or -) says, once its patient's signature holds. Whether it was withdrawn, its
    custodian alone knows.
    """
    read = _read(source)
    verified = read.check(read.terms.custodian)
    if as_json:
        click.echo(json.dumps(_members(verified)))
        return
    for name, value in _members(verified).items():
        text = ", ".join(value) if isinstance(value, list) else value
        if text:
            click.echo(f"{name}: {text}")


@consent.command()
@click.argument("source", metavar="CONSENT")
@click.option("--custodian", required=True, type=Account(), metavar="ADDRESS", help="The provider that would answer.")
@click.option("--at", type=Moment(), metavar="TIME", help="In force at that time; else now.")
@click.option("--withdrawal", "withdrawn", metavar="FILE", help="A withdrawal that is known.")
@_json
def check(source: str, custodian: Address, at: datetime | None, withdrawn: str | None, as_json: bool) -> None:
    """Check that a consent (a file, or -) is its patient's, for that custodian and in force, else say why not."""
    verified = _read(source).verify(custodian, at or datetime.now(UTC))
    if withdrawn is not None:
        _require_other(Withdrawal.loads(_bytes(withdrawn, LARGEST_WITHDRAWAL)), verified)
    ends = verified.terms.ends_at.isoformat()
    members = {"root": to_hex(verified.root), "until": ends, "withdrawal": "not shown"}
    told = f"in force until {ends}; whether it was withdrawn, the custodian knows"
    click.echo(json.dumps(members) if as_json else told)


@consent.command()
@click.argument("source", metavar="CONSENT")
@click.option("--patient", required=True, metavar="REFERENCE", help="The patient's FHIR reference, as Patient/1.")
@click.option("--for-grantee", is_flag=True, help="As the grantee sees it: no exceptions, no signed document.")
@click.option("-o", "--output", default="-", show_default=True, help="The file to write, - for standard output.")
@_json_beside
def fhir(source: str, patient: str, for_grantee: bool, output: str, as_json: bool) -> None:
    """Write a consent (a file, or -) as FHIR R4 Consent: all is denied, but what it permits, but what it excepts."""
    read = _read(source)
    verified, now = read.check(read.terms.custodian), datetime.now(UTC)
    viewer = _viewer(read.terms.grantee) if for_grantee else None
    resource = fhir_consent(verified, patient=patient, now=now, document=read.to_json(), viewer=viewer)
    write_private(output, json.dumps(resource, ensure_ascii=False).encode() + b"\n")
    if as_json:
        click.echo(json.dumps({"root": to_hex(verified.root)}), err=True)


def _viewer(grantee: Grantee) -> Requester:
    roles = frozenset({grantee.role} - {""})
    return Requester(grantee.account, roles, True, "TREAT", Scopes(), person="", organisation="")


def _require_other(withdrawal: Withdrawal, verified: VerifiedConsent) -> None:
    withdrawal.verify()
    if (withdrawal.root, withdrawal.holder) == (verified.root, verified.terms.holder):
        raise ConsentError("the patient has withdrawn the consent", "consent_withdrawn")
    raise ConsentError("the withdrawal is of another consent", "withdrawal_other")


def _read(source: str) -> Consent:
    return Consent.loads(_bytes(source, LARGEST_CONSENT))


def _bytes(source: str, most: int) -> bytes:
    with opened(source) as stream:
        return stream.read(most + 1).rstrip(b"\n")


def _date(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _members(verified: VerifiedConsent) -> dict[str, Any]:
    terms = verified.terms
    return {
        "root": to_hex(verified.root),
        "to": str(terms.grantee),
        "custodian": checksum_address(terms.custodian),
        "purposes": sorted(terms.purposes),
        "from": terms.begins_at.isoformat(),
        "until": terms.ends_at.isoformat(),
        "types": sorted(terms.types),
        "codes": sorted(terms.codes),
        "since": terms.since.isoformat() if terms.since else "",
        "through": terms.until.isoformat() if terms.until else "",
        "sensitivity": sorted(terms.labels),
        "except types": sorted(terms.exceptions.types),
        "except codes": sorted(terms.exceptions.codes),
        "except labels": sorted(terms.exceptions.labels),
    }
