"""`chartseal eas`: the Ethereum Attestation Service from the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from chartseal.attestation import ZERO_ADDRESS, Address, Digest, Schema, checksum_address, to_hex
from chartseal.attestation.delegated import DelegatedRevocation
from chartseal.chain.eas import EAS, NEVER, Attestation, AttestationRequest, RevocationRequest, SchemaRecord
from chartseal.cli.addresses import Account, Bytes32
from chartseal.cli.chain_options import Connect, Signing, chain_options, key_options
from chartseal.cli.eas_requests import read_requests, read_signed, request_of, request_options, seconds_of
from chartseal.cli.opened import value_text
from chartseal.cli.times import Moment
from chartseal.errors import FieldEncodingError, RequestError, SchemaError

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_uids = click.argument("uids", nargs=-1, required=True, type=Bytes32())


@click.group()
def eas() -> None:
    """Read and write the Ethereum Attestation Service on a chain."""


def _reader(connect: Connect) -> EAS:
    chain = connect()
    return EAS.connect(chain.node, chain.deployment)


def _writer(connect: Connect, signer: Signing) -> EAS:
    chain = connect()
    return EAS.connect(chain.node, chain.deployment, signer=signer(), check_data=True)


def _print(as_json: bool, members: dict[str, Any], text: str) -> None:
    click.echo(json.dumps(members, ensure_ascii=False) if as_json else text)


def _print_uids(as_json: bool, uids: list[Digest]) -> None:
    shown = [to_hex(uid) for uid in uids]
    _print(as_json, {"uids": shown}, "\n".join(shown))


def _moment(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else "never"
    except (ValueError, OverflowError, OSError):  # beyond the year 9999: EAS has 64 bits
        return f"{seconds} s after 1970"


# schemas


@eas.group()
def schema() -> None:
    """Schemas, and what is registered of them."""


@schema.command("register")
@click.argument("text")
@click.option("--resolver", type=Account(), default=ZERO_ADDRESS, metavar="ADDRESS", help="The contract that decides.")
@click.option("--irrevocable", is_flag=True, help="Attestations under it cannot be revoked.")
@click.option("--exist-ok", is_flag=True, help="Give the uid also if it is registered already.")
@chain_options
@key_options
@_json
def schema_register(
    text: str, resolver: Address, irrevocable: bool, exist_ok: bool, connect: Connect, signer: Signing, as_json: bool
) -> None:
    """Register a schema, like "bytes32 root,uint64 day", and print its uid."""
    registry = _writer(connect, signer).schemas
    uid = registry.register(text, resolver=resolver, revocable=not irrevocable, exist_ok=exist_ok)
    _print(as_json, {"uid": to_hex(uid)}, to_hex(uid))


@schema.command("show")
@click.argument("uid", type=Bytes32())
@chain_options
@_json
def schema_show(uid: Digest, connect: Connect, as_json: bool) -> None:
    """Show a registered schema."""
    record = _reader(connect).schemas.get_schema(uid)
    if record is None:
        raise RequestError("the schema is not registered on this chain", "schema_unregistered")
    members = {
        "uid": to_hex(record.uid),
        "schema": record.text,
        "resolver": checksum_address(record.resolver),
        "revocable": record.revocable,
    }
    if as_json:
        _print(True, members, "")
    else:
        _print_table({name: value_text(value) for name, value in members.items()})


# in one's own name


@eas.command()
@request_options
@chain_options
@key_options
@_json
def attest(connect: Connect, signer: Signing, as_json: bool, **options: Any) -> None:
    """Make one attestation and print its uid."""
    client = _writer(connect, signer)
    uid = client.attest(request_of(client, **options))
    _print(as_json, {"uid": to_hex(uid)}, to_hex(uid))


@eas.command("multi-attest")
@click.argument("path")
@chain_options
@key_options
@_json
def multi_attest(path: str, connect: Connect, signer: Signing, as_json: bool) -> None:
    """Make the attestations of a file (- for standard input) and print their uids in order.

    The file is a JSON list, or one object a line: schema, data or values, and if wanted recipient, expirationTime,
    revocable, refUID, value.
    """
    client = _writer(connect, signer)
    _print_uids(as_json, client.multi_attest(read_requests(path, client)))


@eas.command()
@_uids
@chain_options
@key_options
@_json
def revoke(uids: tuple[Digest, ...], connect: Connect, signer: Signing, as_json: bool) -> None:
    """Revoke attestations of one's own that stand on the chain."""
    client = _writer(connect, signer)
    client.multi_revoke(_revocations(client, uids))
    _print(as_json, {"revoked": [to_hex(uid) for uid in uids]}, f"revoked {len(uids)}")


def _revocations(client: EAS, uids: tuple[Digest, ...]) -> list[RevocationRequest]:
    found = client.get_attestations(uids)
    made = [RevocationRequest(each.schema, each.uid) for each in found if each is not None]
    if len(made) != len(uids):
        raise RequestError("no attestation with that uid stands on the chain", "attestation_unknown")
    return made


@eas.command()
@click.argument("digests", nargs=-1, required=True, type=Bytes32())
@chain_options
@key_options
@_json
def timestamp(digests: tuple[Digest, ...], connect: Connect, signer: Signing, as_json: bool) -> None:
    """Timestamp 32 bytes, or several times 32, and print the block's time."""
    times = _writer(connect, signer).multi_timestamp(digests)
    _print_times(as_json, digests, times)


@eas.command("revoke-offchain")
@_uids
@chain_options
@key_options
@_json
def revoke_offchain(uids: tuple[Digest, ...], connect: Connect, signer: Signing, as_json: bool) -> None:
    """Revoke off-chain attestations of one's own by their uids."""
    times = _writer(connect, signer).multi_revoke_offchain(uids)
    _print_times(as_json, uids, times)


def _print_times(as_json: bool, digests: tuple[Digest, ...], times: list[int]) -> None:
    shown = [(to_hex(digest), time) for digest, time in zip(digests, times, strict=True)]
    _print(as_json, {"times": dict(shown)}, "\n".join(f"{digest}  {_moment(time)}" for digest, time in shown))


# reading


@eas.command()
@click.argument("uid", type=Bytes32())
@chain_options
@_json
def show(uid: Digest, connect: Connect, as_json: bool) -> None:
    """Show an attestation that stands on the chain, its data decoded where its schema can be read."""
    client = _reader(connect)
    attestation = client.get_attestation(uid)
    if attestation is None:
        raise RequestError("no attestation with that uid stands on the chain", "attestation_unknown")
    record = client.schemas.get_schema(attestation.schema)
    values = _decoded(record, attestation.data)
    if as_json:
        _print(True, {**_members(attestation), "values": values}, "")
        return
    shown = {name: value_text(value) for name, value in _members(attestation).items() if name != "data"}
    shown |= {name: _moment(int(shown[name])) for name in ("time", "expirationTime", "revocationTime")}
    for item in values or [{"name": "data", "value": to_hex(attestation.data)}]:
        shown[f"= {value_text(item['name'])}"] = value_text(item["value"])
    _print_table(shown)


def _members(attestation: Attestation) -> dict[str, Any]:
    return {
        "uid": to_hex(attestation.uid),
        "schema": to_hex(attestation.schema),
        "attester": checksum_address(attestation.attester),
        "recipient": checksum_address(attestation.recipient),
        "time": attestation.time,
        "expirationTime": attestation.expiration_time,
        "revocationTime": attestation.revocation_time,
        "revocable": attestation.revocable,
        "refUID": to_hex(attestation.ref_uid),
        "data": to_hex(attestation.data),
    }


def _decoded(record: SchemaRecord | None, data: bytes) -> list[dict[str, Any]] | None:
    """Values by name; None for a schema, or data under it, that cannot be read."""
    if record is None:
        return None
    try:
        parsed = Schema.parse(record.text)
        return parsed.to_json(parsed.decode(data))
    except (SchemaError, FieldEncodingError):
        return None


def _print_table(rows: dict[str, str]) -> None:
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, value)
    Console(soft_wrap=True, markup=False, highlight=False).print(table)


@eas.command()
@click.argument("digests", nargs=-1, required=True, type=Bytes32())
@click.option("--revoked-by", "revoker", type=Account(), metavar="ADDRESS", help="When this account revoked them.")
@chain_options
@_json
def when(digests: tuple[Digest, ...], revoker: Address | None, connect: Connect, as_json: bool) -> None:
    """Show when 32 bytes were timestamped, or when an account revoked off-chain attestations by their uids."""
    client = _reader(connect)
    if revoker is None:
        times = [client.get_timestamp(each) for each in digests]
    else:
        times = [client.get_revoke_offchain(revoker, each) for each in digests]
    _print_times(as_json, digests, times)


@eas.command()
@click.argument("account", type=Account(), required=False)
@click.option("--raise-to", type=click.IntRange(min=1), metavar="N", help="Raise one's own: older requests are void.")
@chain_options
@key_options
@_json
def nonce(account: Address | None, raise_to: int | None, connect: Connect, signer: Signing, as_json: bool) -> None:
    """Show the nonce of an account's next delegated request, or raise one's own."""
    if (account is None) == (raise_to is None):
        raise click.UsageError("give an address, or --raise-to")
    if raise_to is not None:
        _writer(connect, signer).increase_nonce(raise_to)
    found = raise_to if account is None else _reader(connect).get_nonce(account)
    _print(as_json, {"nonce": found}, str(found))


# in another's name


@eas.group()
def delegate() -> None:
    """Requests that one signs and another sends."""


_deadline = click.option("--deadline", type=Moment(), help="Until when it may be sent; any time unless given.")
_nonce = click.option("--nonce", "number", type=click.IntRange(min=0), help="Instead of the contract's next.")
_as_json = click.option("--json", is_flag=True, expose_value=False, help="Errors too as JSON; a request always is.")
_proxy = click.option("--proxy", type=Account(), metavar="ADDRESS", help="The EIP712Proxy that it is for.")


def _signed(
    client: EAS,
    request: AttestationRequest | RevocationRequest,
    proxy: Address | None,
    deadline: datetime | None,
    number: int | None,
    signer: Signing,
) -> None:
    until = seconds_of(deadline, "--deadline") if deadline else NEVER
    if proxy is None:
        made = client.delegate(request, signer(), deadline=until, nonce=number)
    elif number is not None:
        raise click.UsageError("a proxy knows no nonces")
    else:
        made = client.proxy(proxy).delegate(request, signer(), deadline=until)
    click.echo(json.dumps(made.to_json()))


@delegate.command("sign")
@request_options
@_deadline
@_nonce
@_proxy
@chain_options
@key_options
@_as_json
def delegate_sign(
    deadline: datetime | None,
    number: int | None,
    proxy: Address | None,
    connect: Connect,
    signer: Signing,
    **options: Any,
) -> None:
    """Sign an attestation for another to send, and print it as JSON."""
    client = _reader(connect)
    _signed(client, request_of(client, **options), proxy, deadline, number, signer)


@delegate.command("sign-revocation")
@click.argument("uid", type=Bytes32())
@_deadline
@_nonce
@_proxy
@chain_options
@key_options
@_as_json
def delegate_sign_revocation(
    uid: Digest,
    deadline: datetime | None,
    number: int | None,
    proxy: Address | None,
    connect: Connect,
    signer: Signing,
) -> None:
    """Sign a revocation for another to send, and print it as JSON."""
    client = _reader(connect)
    [request] = _revocations(client, (uid,))
    _signed(client, request, proxy, deadline, number, signer)


@delegate.command("send")
@click.argument("path")
@_proxy
@chain_options
@key_options
@_json
def delegate_send(path: str, proxy: Address | None, connect: Connect, signer: Signing, as_json: bool) -> None:
    """Send the signed requests of a file (- for standard input): a JSON list, or one object a line.

    All of them are attestations, whose uids are printed, or all are revocations.
    """
    signed = read_signed(path)
    client = _writer(connect, signer)
    target = client if proxy is None else client.proxy(proxy)
    uids = [each.request.uid for each in signed if isinstance(each.request, DelegatedRevocation)]
    if uids:
        target.multi_revoke_by_delegation(signed)
        _print(as_json, {"revoked": [to_hex(uid) for uid in uids]}, f"revoked {len(uids)}")
    else:
        _print_uids(as_json, target.multi_attest_by_delegation(signed))
