"""`--rpc`, `--deployment`, `--index` and `--anchors`: what a chain says of seals, for commands that need none.

The chain's packages are loaded only when one of these is given: a verifier without a chain does not have them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from click.core import ParameterSource

from chartseal.attestation import UnverifiedPackage
from chartseal.verification import AnchorProof, ChainView

if TYPE_CHECKING:
    from chartseal.chain.facts import ChainFacts

_FILE = click.Path(dir_okay=False, path_type=Path)

View: TypeAlias = Callable[[], AbstractContextManager[ChainView | None]]


def view_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--rpc`, `--deployment` and `--index`; the command gets `chain`, a context manager that gives the view, or
    None where neither a node nor an index was named.
    """

    @click.option("--rpc", envvar="CHARTSEAL_RPC", metavar="URL", help="Ask this node (else CHARTSEAL_RPC).")
    @click.option(
        "--deployment",
        envvar="CHARTSEAL_DEPLOYMENT",
        type=_FILE,
        metavar="FILE",
        help="Where EAS is, as `chartseal chain up` writes it; else the public one of the chain.",
    )
    @click.option(
        "--index",
        envvar="CHARTSEAL_INDEX",
        metavar="DB-URL",
        help="Ask this index; a node besides confirms that what it does not know as revoked is not.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, rpc: str | None, deployment: Path | None, index: str | None, **options: Any) -> Any:
        return command(*args, chain=functools.partial(chain_view, rpc, deployment, index), **options)

    return wrapped


@contextmanager
def chain_view(rpc: str | None, deployment: Path | None, index: str | None) -> Iterator[ChainView | None]:
    """The view over an index, a node, or both.

    Raises:
        click.UsageError: a deployment without either, or no URL of HTTP.
        ChainError: the node, the index or the deployment cannot be used.
        MissingExtraError: the chain's packages are not installed.
    """
    if rpc is None and index is None:
        if deployment is not None and not _is_from_environment():
            raise click.UsageError("--deployment goes with --rpc or --index")
        yield None
        return
    from chartseal.chain.view import FactsView

    node = node_facts(rpc, deployment) if rpc is not None else None
    if index is None:
        yield FactsView([node] if node is not None else [])
        return
    with index_facts(index, deployment, node) as facts:
        yield FactsView([facts] if node is None else [facts, node])


def _is_from_environment() -> bool:
    """Whether the deployment is only what the environment names for all commands."""
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source("deployment") is ParameterSource.ENVIRONMENT


def node_facts(rpc: str | None, deployment: Path | None) -> ChainFacts:
    """What a node says, as of its newest block.

    Raises:
        click.UsageError: no URL of HTTP.
        ChainError: the node or the deployment cannot be used.
    """
    from chartseal.chain.rpc_facts import RpcFacts
    from chartseal.cli.chain_options import connected

    return RpcFacts(*connected(rpc, deployment))


@contextmanager
def index_facts(url: str, deployment: Path | None, node: ChainFacts | None = None) -> Iterator[ChainFacts]:
    """What an index says, as of its newest block; `node` is asked about contracts' signatures, and whether
    what the index does not know as revoked is not.

    Raises:
        ChainError: the index or the deployment cannot be used.
    """
    from chartseal.chain.deployment import Deployment
    from chartseal.chain.index import IndexFacts, Snapshot, connect

    engine = connect(url)
    try:
        if deployment is not None:
            of = Deployment.load(deployment)
        else:
            with Snapshot(engine) as moment:
                of = moment.deployment
        own = node if node is not None and node.deployment.domain() == of.domain() else None
        with IndexFacts(engine, of, node=own) as facts:
            yield facts
    finally:
        engine.dispose()


def read_anchors(path: Path, packages: Sequence[UnverifiedPackage]) -> dict[Any, AnchorProof]:
    """The proofs in a file (`chartseal anchor proofs`) that are these seals'.

    Raises:
        PackageError, LimitError: it cannot be read, or is malformed.
        MissingExtraError: the chain's packages are not installed.
    """
    from chartseal.chain.anchors.proofs import AnchorFile

    return dict(AnchorFile.load(path).trim(packages).anchors)
