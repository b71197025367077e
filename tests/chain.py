"""A local chain with EAS for tests: one anvil a module, or a skip where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from chartseal.attestation import LocalSigner
from chartseal.chain.deployment import Deployment
from chartseal.chain.local.devnet import Devnet, accounts
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender
from chartseal.errors import DeploymentError


class Local(NamedTuple):
    """A chain, EAS on it, and funded keys."""

    url: str
    node: Node
    deployment: Deployment
    keys: list[LocalSigner]

    def sender(self, at: int = 0) -> Sender:
        return Sender(self.node, self.keys[at])


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with started() as running:
        yield Local(running.url, running.node, known(running), accounts())


def started(*options: str, deploy: bool = True) -> Devnet:
    try:
        return Devnet(*options, deploy=deploy)
    except DeploymentError as error:
        if error.code != "anvil_missing":
            raise
        pytest.skip(str(error))


def known(running: Devnet) -> Deployment:
    assert running.deployment is not None
    return running.deployment
