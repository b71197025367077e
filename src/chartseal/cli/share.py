"""`chartseal share`: SMART Health Links: what a patient shares with a person, and what a person shared with us."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chartseal.cli.files import opened, read_disclosure, write_private
from chartseal.cli.passphrase import read_line
from chartseal.cli.qr import draw, qr_option
from chartseal.cli.times import Duration, Nonce
from chartseal.errors import ShareLinkError

if TYPE_CHECKING:
    from chartseal.sharing.links import SharedFile, ShareLink, ShareStore

STORE_VARIABLE, BASE_VARIABLE, PASSCODE_VARIABLE = "CHARTSEAL_SHARES", "CHARTSEAL_SHARES_BASE", "CHARTSEAL_PASSCODE"
_LONGEST_LINK = 4_096

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_store = click.option(
    "--store",
    "place",
    default="shares.db",
    show_default=True,
    envvar=STORE_VARIABLE,
    show_envvar=True,
    help="Where links are kept: an SQLite file, or postgresql://….",
)
_base = click.option(
    "--base",
    required=True,
    metavar="URL",
    envvar=BASE_VARIABLE,
    show_envvar=True,
    help="Where links are served: https://share.example/s.",
)
_viewer = click.option("--viewer", default="", metavar="URL", help="A page that opens links, put before the link.")
_link = click.argument("link")
_FILES_OPTIONS = (
    click.option("--disclosure", "disclosures", multiple=True, metavar="FILE", help="A disclosure, JSON or text."),
    click.option("--bundle", "bundles", multiple=True, metavar="FILE", help="A FHIR resource, such as a Bundle."),
    click.option("--card", "cards", multiple=True, metavar="FILE", help="A .smart-health-card file."),
    click.option(
        "--trust",
        type=click.Path(path_type=Path),
        help="Trust policy: verify each disclosure, and share its facts as a FHIR Bundle too.",
    ),
    click.option("--as", "audience", metavar="ORIGIN", help="With --trust: whom the disclosures are made for."),
    click.option("--nonce", type=Nonce(), help="With --trust: their nonce."),
)


def _files_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what goes behind a link; the command gets `files`, a list of files to share."""

    @functools.wraps(command)
    def with_files(
        disclosures: tuple[str, ...],
        bundles: tuple[str, ...],
        cards: tuple[str, ...],
        trust: Path | None,
        audience: str | None,
        nonce: bytes | None,
        **others: Any,
    ) -> Any:
        return command(files=_files(disclosures, bundles, cards, trust, audience, nonce), **others)

    decorated: Callable[..., Any] = with_files
    for decorate in reversed(_FILES_OPTIONS):
        decorated = decorate(decorated)
    return decorated


@click.group()
def share() -> None:
    """Share with a person: encrypted files behind a link (SMART Health Links)."""


@share.command("link")
@_files_options
@_store
@_base
@click.option("--expires", type=Duration(), help="How long it opens: 30m, 2h, 7d.  [default: until it is revoked]")
@click.option("--passcode", is_flag=True, help=f"Ask for a passcode; without a terminal give {PASSCODE_VARIABLE}.")
@click.option("--passcode-fd", type=click.IntRange(min=0), metavar="N", help="Read the passcode from this descriptor.")
@click.option("--attempts", type=click.IntRange(1, 100), default=10, show_default=True, help="Wrong passcodes, in all.")
@click.option("--once", is_flag=True, help="It opens once.")
@click.option("--long-term", is_flag=True, help="Its files may change: `share update`.")
@click.option("--direct", is_flag=True, help="Its URL is its one file: no passcode, no manifest.")
@click.option("--label", default="", help="What it is, for whoever opens it: at most 80 characters.")
@_viewer
@qr_option
@_json
def share_link(
    files: list[SharedFile],
    place: str,
    base: str,
    expires: timedelta | None,
    passcode: bool,
    passcode_fd: int | None,
    attempts: int,
    once: bool,
    long_term: bool,
    direct: bool,
    label: str,
    viewer: str,
    qr: str | None,
    as_json: bool,
) -> None:
    """Put files behind a new link, and print it. Whoever has the link can open them, with the passcode if it has one.

    The files are encrypted here; the store, and who serves it, have no key. It is nowhere but in the link.
    """
    from chartseal.sharing.links import ShareStore, Terms

    now = datetime.now(UTC)
    terms = Terms(
        expires_at=now + expires if expires else None,
        passcode=_read_passcode(passcode_fd, confirm=True) if passcode or passcode_fd is not None else None,
        attempts=attempts,
        is_one_time=once,
        is_long_term=long_term,
        is_direct=direct,
        label=label,
    )
    store = ShareStore.open(place, base=base, create=True)
    try:
        store.prune(now=now)
        link = store.share(files, terms, now=now)
    finally:
        store.close()
    text = link.to_uri(viewer)
    members = {"link": text, "files": len(files), "flags": "".join(sorted(link.flags)), "expires": _time(terms)}
    click.echo(json.dumps(members) if as_json else text)
    if qr is not None:
        from chartseal.sharing.qr import link_code

        draw(link_code(text), qr)


@share.command("update")
@_link
@_files_options
@_store
@_json
def share_update(link: str, files: list[SharedFile], place: str, as_json: bool) -> None:
    """Put other files behind a long-term link (- reads it from standard input)."""
    with _kept(link, place) as (store, read):
        store.update(read, files, now=datetime.now(UTC))
    click.echo(json.dumps({"files": len(files)}) if as_json else f"{len(files)} files")


@share.command("revoke")
@_link
@_store
@_json
def share_revoke(link: str, place: str, as_json: bool) -> None:
    """End a link and delete what was behind it (- reads the link from standard input). What somebody fetched stays."""
    with _kept(link, place) as (store, read):
        store.revoke(read, now=datetime.now(UTC))
    click.echo(json.dumps({"revoked": True}) if as_json else "revoked")


@share.command("status")
@_link
@_store
@_json
def share_status(link: str, place: str, as_json: bool) -> None:
    """Whether a link still opens, and who opened it, as they called themselves (- reads it from standard input)."""
    with _kept(link, place) as (store, read):
        state = store.state(read, now=datetime.now(UTC))
    openings = [{"at": each.opened_at.isoformat(), "recipient": each.recipient} for each in state.openings]
    members = {
        "active": state.is_active,
        "files": state.files,
        "attemptsLeft": state.attempts_left if read.needs_passcode else None,
        "openings": openings,
    }
    if as_json:
        click.echo(json.dumps(members))
        return
    click.echo(f"{'active' if state.is_active else 'ended'}, {state.files} files")
    for each in openings:
        click.echo(f"{each['at']}  {each['recipient']}")


@share.command("qr")
@_link
@_viewer
@click.option("-o", "--output", default="-", show_default=True, metavar="FILE|-", help="FILE.png, FILE.svg, or - .")
@click.option("--json", "as_json", is_flag=True, help="Tell the code's size as JSON, on standard error.")
def share_qr(link: str, viewer: str, output: str, as_json: bool) -> None:
    """Draw a link as a QR code (- reads the link from standard input)."""
    from chartseal.sharing.qr import link_code

    code = link_code(_read_link(link).to_uri(viewer))
    draw(code, output)
    if as_json:
        click.echo(json.dumps({"version": code.version, "file": output}), err=True)


@share.command("open")
@_link
@click.option("--recipient", required=True, metavar="NAME", help="Who we are, as whoever shared it will see.")
@click.option("--passcode-fd", type=click.IntRange(min=0), metavar="N", help="Read the passcode from this descriptor.")
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="A new folder.")
@click.option("--allow-loopback", is_flag=True, help="Ask this machine's own servers too, and by http: for trying out.")
@_json
def share_open(
    link: str, recipient: str, passcode_fd: int | None, output: Path, allow_loopback: bool, as_json: bool
) -> None:
    """Fetch what is behind a link and decrypt it into a folder (- reads the link from standard input).

    Nothing of it is verified: give disclosures to `chartseal verify`, and cards to `chartseal card verify`.
    """
    from chartseal.sharing.fetching import GuardedFetcher
    from chartseal.sharing.links import open_link

    read = _read_link(link)
    if output.exists():
        raise ShareLinkError("a file or folder of that name exists and is kept", "folder_exists")
    passcode = _read_passcode(passcode_fd, confirm=False) if read.needs_passcode else None
    found = open_link(
        read.to_uri(),
        recipient=recipient,
        passcode=passcode,
        now=datetime.now(UTC),
        fetch=GuardedFetcher(allows_loopback=allow_loopback),
    )
    try:
        output.mkdir(mode=0o700, parents=True)
    except OSError as exc:
        raise ShareLinkError(f"the folder cannot be made: {exc.strerror}", "folder_unwritable") from exc
    written = [_write(output, at, file) for at, file in enumerate(found.files, 1)]
    if as_json:
        click.echo(json.dumps({"label": read.label, "files": written}))
        return
    for each in written:
        click.echo(f"{each['file']}  {each['type']}")


@share.command("serve")
@_store
@_base
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at; TLS is in front of it.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8_080, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Tell as JSON that it listens, on standard error.")
def share_serve(place: str, base: str, host: str, port: int, as_json: bool) -> None:
    """Serve the links of a store, below the path of its base, until it is stopped. It logs no request."""
    from urllib.parse import urlsplit

    import uvicorn
    from fastapi import FastAPI

    from chartseal.sharing.links import ShareStore
    from chartseal.sharing.links.routes import link_routes

    store = ShareStore.open(place, base=base, create=True)
    try:
        store.prune(now=datetime.now(UTC))
        app = FastAPI(title="SMART Health Links", docs_url=None, redoc_url=None, openapi_url=None)
        app.include_router(link_routes(store), prefix=urlsplit(base).path)
        told = {"host": host, "port": port}
        click.echo(json.dumps(told) if as_json else f"listening at {host}:{port}", err=True)
        uvicorn.run(app, host=host, port=port, log_level="critical", access_log=False, server_header=False)
    finally:
        store.close()


def _files(
    disclosures: tuple[str, ...],
    bundles: tuple[str, ...],
    cards: tuple[str, ...],
    trust: Path | None,
    audience: str | None,
    nonce: bytes | None,
) -> list[SharedFile]:
    from chartseal.sharing.links import card_file, disclosure_file, fhir_file

    if trust is None and (audience is not None or nonce is not None):
        raise click.UsageError("--as and --nonce go with --trust")
    if not (disclosures or bundles or cards):
        raise click.UsageError("give --disclosure, --bundle or --card")
    files = []
    for path in disclosures:
        data = read_disclosure(path)
        if trust is not None:
            files.append(fhir_file(_facts(data, trust, audience, nonce)))
        files.append(disclosure_file(data))
    files += [fhir_file(_read_file(path)) for path in bundles]
    return files + [card_file(_read_file(path)) for path in cards]


def _facts(data: bytes, trust: Path, audience: str | None, nonce: bytes | None) -> str:
    """Verified facts with their seals, as a FHIR Bundle.

    Raises:
        VerificationError: a step does not hold.
    """
    from chartseal.verification import TrustPolicy, bundle, verify

    text = data.decode(errors="replace")
    result = verify(text, TrustPolicy.load(trust), audience=audience, nonce=nonce, now=datetime.now(UTC))
    return bundle(result.facts)


def _read_file(path: str) -> bytes:
    from chartseal.sharing.links.files import LARGEST_FILE

    with opened(path) as stream:
        return stream.read(LARGEST_FILE + 1)


def _read_link(text: str) -> ShareLink:
    from chartseal.sharing.links import ShareLink

    if text == "-":
        text = sys.stdin.buffer.read(_LONGEST_LINK + 2).decode(errors="replace").strip()
    return ShareLink.from_uri(text)


@contextmanager
def _kept(text: str, place: str) -> Iterator[tuple[ShareStore, ShareLink]]:
    """The store of a link, and the link."""
    from chartseal.sharing.links import ShareStore

    link = _read_link(text)
    store = ShareStore.open(place, base=link.url.rpartition("/")[0])
    try:
        yield store, link
    finally:
        store.close()


def _read_passcode(descriptor: int | None, *, confirm: bool) -> str:
    """The passcode of a descriptor, else of the environment, else of a prompt.

    Raises:
        click.UsageError: there is none, and no terminal to ask on.
    """
    if descriptor is not None:
        return read_line(descriptor)
    if PASSCODE_VARIABLE in os.environ:
        return os.environ[PASSCODE_VARIABLE]
    if not sys.stdin.isatty():
        raise click.UsageError(f"no passcode: give --passcode-fd or set {PASSCODE_VARIABLE}")
    return str(click.prompt("Passcode", hide_input=True, confirmation_prompt=confirm, err=True))


def _write(folder: Path, at: int, file: SharedFile) -> dict[str, str]:
    """Write one file, the disclosure in it as itself, and say where."""
    disclosure = file.disclosure
    if disclosure is not None:
        name, kind, data = f"{at}.disclosure", "disclosure", disclosure
    elif file.content_type == "application/smart-health-card":
        name, kind, data = f"{at}.smart-health-card", file.content_type, file.content
    else:
        name, kind, data = f"{at}.json", file.content_type, file.content
    write_private(str(folder / name), data)
    return {"file": str(folder / name), "type": kind}


def _time(terms: Any) -> str | None:
    return terms.expires_at.isoformat(timespec="seconds") if terms.expires_at else None
