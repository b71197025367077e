"""`--rpc`, `--deployment` and `--index` of commands that read a chain and send nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import click

from chartseal.chain.facts import ChainFacts
from chartseal.cli.chain_view import index_facts, node_facts

_FILE = click.Path(dir_okay=False, path_type=Path)

Facts: TypeAlias = Callable[[], AbstractContextManager[ChainFacts]]


def facts_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets `facts`, a context manager that gives those of an index, or else of a node."""

    @click.option("--rpc", envvar="CHARTSEAL_RPC", metavar="URL", help="Ask this node (else CHARTSEAL_RPC).")
    @click.option(
        "--deployment",
        envvar="CHARTSEAL_DEPLOYMENT",
        type=_FILE,
        metavar="FILE",
        help="Where EAS is, as `chartseal chain up` writes it; else the public one of the chain.",
    )
    @click.option("--index", envvar="CHARTSEAL_INDEX", metavar="DB-URL", help="Ask this index instead of a node.")
    @functools.wraps(command)
    def wrapped(*args: Any, rpc: str | None, deployment: Path | None, index: str | None, **options: Any) -> Any:
        return command(*args, facts=functools.partial(chain_facts, rpc, deployment, index), **options)

    return wrapped


@contextmanager
def chain_facts(rpc: str | None, deployment: Path | None, index: str | None) -> Iterator[ChainFacts]:
    """Facts of the index if one is named, else of the node.

    Raises:
        click.UsageError: neither, or no URL of HTTP.
        ChainError: the node, the index or the deployment cannot be used.
    """
    if index is None:
        yield node_facts(rpc, deployment)
        return
    with index_facts(index, deployment) as facts:
        yield facts
