"""Requests to EAS as commands take them: options, and files of JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import click

from chartseal import _json
from chartseal.attestation import (
    ZERO_ADDRESS,
    ZERO_DIGEST,
    Address,
    Digest,
    Schema,
    address_from,
    digest_from,
    from_hex,
    packages,
)
from chartseal.attestation.delegated import SignedRequest
from chartseal.attestation.delegated import from_json as signed_from_json
from chartseal.chain.eas import EAS, AttestationRequest
from chartseal.cli.addresses import Account, Bytes32
from chartseal.cli.files import opened
from chartseal.cli.times import Moment
from chartseal.errors import LimitError, PackageError, RequestError

_LARGEST_LINE = 1 << 20
_LARGEST_FILE = 64 << 20
_MOST = 100_000
_OPTIONAL = {"recipient", "expirationTime", "revocable", "refUID", "value", "data", "values"}


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of one attestation; their values go to `request_of`."""
    for option in reversed(
        (
            click.option("--schema", required=True, type=Bytes32(), metavar="UID", help="Its schema."),
            click.option("--data", metavar="HEX", help="Its data, encoded."),
            click.option("--values", metavar="JSON", help="Its data as a JSON list, encoded under the schema."),
            click.option("--recipient", type=Account(), default=ZERO_ADDRESS, metavar="ADDRESS", help="Whom about."),
            click.option("--expires", type=Moment(), help="When it ends; never unless given."),
            click.option("--irrevocable", is_flag=True, help="Nobody can revoke it."),
            click.option("--ref", type=Bytes32(), default=ZERO_DIGEST, metavar="UID", help="What it refers to."),
        )
    ):
        command = option(command)
    return command


def request_of(
    eas: EAS,
    *,
    schema: Digest,
    data: str | None,
    values: str | None,
    recipient: Address,
    expires: datetime | None,
    irrevocable: bool,
    ref: Digest,
) -> AttestationRequest:
    """What the options ask for.

    Raises:
        click.UsageError: neither data nor values, or both.
        PackageError, FieldEncodingError, RequestError: malformed, or of no registered schema.
    """
    if (data is None) == (values is None):
        raise click.UsageError("give --data or --values")
    encoded = from_hex(data, "data") if data is not None else _encoded(eas, schema, _parsed(values or "", "values"))
    until = seconds_of(expires, "--expires") if expires else 0
    return AttestationRequest(schema, encoded, recipient, until, not irrevocable, ref)


def seconds_of(moment: datetime, option: str) -> int:
    """Whole Unix seconds.

    Raises:
        click.UsageError: before 1970, which EAS cannot say (and 1970's first second means never).
    """
    seconds = int(moment.timestamp())
    if seconds <= 0:
        raise click.UsageError(f"{option} takes a time after 1970-01-01T00:00:00Z")
    return seconds


def _encoded(eas: EAS, schema: Digest, values: Any) -> bytes:
    record = eas.schemas.get_schema(schema)
    if record is None:
        raise RequestError("the schema is not registered on this chain", "schema_unregistered", "schema")
    if not isinstance(values, list):
        raise PackageError("expected a list of values", path="values")
    return Schema.parse(record.text).encode(values)


def read_requests(path: str, eas: EAS) -> list[AttestationRequest]:
    """Attestations of a file (- for standard input): a JSON list, or one object a line.

    Members are the SDK's: schema, data, and if wanted recipient, expirationTime, revocable, refUID, value; `values`, a
    list encoded under the registered schema, can stand for data.

    Raises:
        PackageError, LimitError, FieldEncodingError, RequestError: malformed or too large; the error names the place.
    """
    return [_request(item, f"requests[{at}]", eas) for at, item in enumerate(_items(path))]


def read_signed(path: str) -> list[SignedRequest]:
    """Delegated requests of a file, as `delegate sign` writes them.

    Raises:
        PackageError, LimitError: malformed or too large.
    """
    return [_signed(item, f"requests[{at}]") for at, item in enumerate(_items(path))]


def _signed(item: Any, place: str) -> SignedRequest:
    try:
        return signed_from_json(item)
    except PackageError as exc:
        raise PackageError(exc.detail, exc.code, f"{place}.{exc.path}" if exc.path else place) from exc


def _items(path: str) -> Iterator[Any]:
    with opened(path) as stream:
        text = stream.read(_LARGEST_FILE + 1)
    if len(text) > _LARGEST_FILE:
        raise LimitError("the file is too long", path="requests")
    listed = text.lstrip().startswith(b"[")
    items = _parsed(text, "requests") if listed else (line for line in text.splitlines() if line.strip())
    for at, item in enumerate(items):
        if at == _MOST:
            raise LimitError(f"at most {_MOST:,} requests at once", path="requests")
        yield item if listed else _parsed(item, f"requests[{at}]")


def _parsed(text: bytes | str, place: str) -> Any:
    if place != "requests" and len(text) > _LARGEST_LINE:
        raise LimitError("a request is too long", path=place)
    try:
        return _json.loads(text)
    except ValueError as exc:
        raise PackageError("not JSON, or a member stands twice", path=place) from exc


def _request(item: Any, place: str, eas: EAS) -> AttestationRequest:
    item = packages.members(item, {"schema", *_OPTIONAL}, place, optional=_OPTIONAL)
    if ("data" in item) == ("values" in item):
        raise PackageError("expected data or values", path=place)
    schema = digest_from(item["schema"], f"{place}.schema")
    revocable = item.get("revocable", True)
    if not isinstance(revocable, bool):
        raise PackageError("expected true or false", path=f"{place}.revocable")
    return AttestationRequest(
        schema,
        from_hex(item["data"], f"{place}.data") if "data" in item else _encoded(eas, schema, item["values"]),
        address_from(item["recipient"], f"{place}.recipient") if "recipient" in item else ZERO_ADDRESS,
        packages.unsigned(item.get("expirationTime", 0), f"{place}.expirationTime"),
        revocable,
        digest_from(item["refUID"], f"{place}.refUID") if "refUID" in item else ZERO_DIGEST,
        packages.unsigned(item.get("value", 0), f"{place}.value", 256),
    )
