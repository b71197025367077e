"""Options of every command that talks to a chain: which node, which EAS, and who signs.

    @click.command()
    @chain_options
    @key_options
    def command(connect: Connect, signer: Signing) -> None:
        chain = connect()
        EAS.connect(chain.node, chain.deployment, signer=signer())

Both are given as functions, so that a command reads its other arguments before it asks a passphrase or a node.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import click

from chartseal.attestation import LocalSigner
from chartseal.attestation.signer import from_environment, from_fd
from chartseal.chain.deployment import Deployment
from chartseal.chain.rpc.node import Node
from chartseal.cli.passphrase import passphrase_option, read_passphrase
from chartseal.keys.signing import load_signer

RPC_VARIABLE = "CHARTSEAL_RPC"
DEPLOYMENT_VARIABLE = "CHARTSEAL_DEPLOYMENT"
KEY_VARIABLE = "CHARTSEAL_KEY"
_AUTHORITY_FILE = Path("authority.json")
_FILE = click.Path(dir_okay=False, path_type=Path)


class Chain(NamedTuple):
    """A node, and EAS on its chain."""

    node: Node
    deployment: Deployment


Connect: TypeAlias = Callable[[], Chain]
Signing: TypeAlias = Callable[[], LocalSigner]


def chain_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--rpc` and `--deployment`; the command gets `connect`, which gives the Chain."""

    @click.option("--rpc", envvar=RPC_VARIABLE, metavar="URL", help=f"The chain's node (else {RPC_VARIABLE}).")
    @click.option(
        "--deployment",
        envvar=DEPLOYMENT_VARIABLE,
        type=_FILE,
        metavar="FILE",
        help="Where EAS is, as `chartseal chain up` writes it; else the public one of the node's chain.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, rpc: str | None, deployment: Path | None, **options: Any) -> Any:
        return command(*args, connect=functools.partial(connected, rpc, deployment), **options)

    return wrapped


def connected(rpc: str | None, deployment: Path | None) -> Chain:
    """The node at that URL, and EAS as the file or the table of public networks has it.

    Raises:
        click.UsageError: no URL, or none of HTTP.
        DeploymentError: the file is malformed, or no public deployment is known on the node's chain.
        NodeError: the node does not answer, or is of another chain than the file's.
    """
    if deployment is None:
        node = node_at(rpc)
        return Chain(node, Deployment.public(node.chain_id))
    stated = Deployment.load(deployment)
    node = node_at(rpc, stated.chain_id)
    _ = node.chain_id  # asked now, so that nothing is done for another chain
    return Chain(node, stated)


def node_at(rpc: str | None, chain_id: int | None = None) -> Node:
    """The node at that URL.

    Raises:
        click.UsageError: no URL, or none of HTTP.
    """
    if not rpc:
        raise click.UsageError(f"no node: give --rpc or set {RPC_VARIABLE}")
    if not _is_http(rpc):  # the message leaves the URL out: it may hold a key
        raise click.UsageError("--rpc takes an http or https URL")
    return Node(rpc, chain_id=chain_id)


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--key` and `--key-fd`; the command gets `signer`, which gives the key when called."""
    return _key_options(
        command, read_signer, "Key: an issuer's or an authority's key file, or a Web3 Secret Storage file."
    )


def authority_key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for the commands of an authority, with the file that `chartseal authority init` writes as default."""
    file = f"The authority's key file, or a Web3 Secret Storage file.  [default: {_AUTHORITY_FILE}]"
    return _key_options(command, read_authority_signer, file)


def _key_options(command: Callable[..., Any], read: Callable[..., LocalSigner], file: str) -> Callable[..., Any]:
    @click.option("-k", "--key", type=_FILE, metavar="FILE", help=file)
    @click.option(
        "--key-fd",
        type=click.IntRange(min=0),
        metavar="N",
        help=f"Key: 32 bytes or 64 hex digits from this descriptor (else from {KEY_VARIABLE}).",
    )
    @passphrase_option
    @functools.wraps(command)
    def wrapped(*args: Any, key: Path | None, key_fd: int | None, passphrase_fd: int | None, **options: Any) -> Any:
        return command(*args, signer=functools.partial(read, key, key_fd, passphrase_fd), **options)

    return wrapped


def read_signer(key: Path | None, key_fd: int | None, passphrase_fd: int | None = None) -> LocalSigner:
    """The key of the one place that was given, or of the environment.

    Raises:
        click.UsageError: both were given.
        KeyFormatError, KeystoreError, KeyFileError, WrongPassphraseError: there is no key in it.
    """
    if key is not None and key_fd is not None:
        raise click.UsageError("give one of --key and --key-fd")
    if key is not None:
        return load_signer(key, read_passphrase(passphrase_fd))
    if key_fd is not None:
        return from_fd(key_fd)
    return from_environment(KEY_VARIABLE)


def read_authority_signer(key: Path | None, key_fd: int | None, passphrase_fd: int | None = None) -> LocalSigner:
    """As `read_signer`, but of an authority, whose own file stands in where nothing is given.

    Raises:
        click.UsageError, KeyFormatError, KeystoreError, KeyFileError, WrongPassphraseError: as `read_signer`.
    """
    if key_fd is not None or (key is None and KEY_VARIABLE in os.environ):
        return read_signer(key, key_fd, passphrase_fd)
    return load_signer(key or _AUTHORITY_FILE, read_passphrase(passphrase_fd), of_authority=True)
