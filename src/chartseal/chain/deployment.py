"""Which EAS on which chain: addresses, contract version, where to start reading, when a block is final."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chartseal import _json
from chartseal.attestation import Address, Domain, Network, address_from, checksum_address, networks
from chartseal.attestation.networks import OFFCHAIN_NAME
from chartseal.errors import DeploymentError, PackageError

_LARGEST = 65_536
_MEMBERS = {"name", "chainId", "version", "eas", "schemaRegistry", "fromBlock", "finality"}
DEFAULT_FINALITY = 64
"""Blocks: two epochs of Ethereum."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """EAS and SchemaRegistry on one chain.

    Reading begins at `from_block`. A block is final once `finality` blocks stand above it: 0 takes every mined one (a
    chain of one's own).
    """

    chain_id: int
    version: str
    eas: Address
    schema_registry: Address
    from_block: int = 0
    finality: int = DEFAULT_FINALITY
    name: str = ""

    def domain(self, name: str = OFFCHAIN_NAME) -> Domain:
        """The domain of what is signed for it."""
        return Domain(self.version, self.chain_id, self.eas, name)

    def network(self) -> Network:
        """As a row of the networks table."""
        return Network(self.name, self.chain_id, self.version, self.eas, self.schema_registry)

    @classmethod
    def of_network(cls, network: Network, *, finality: int = DEFAULT_FINALITY) -> Deployment:
        """A public network's."""
        return cls(
            network.chain_id,
            network.version,
            network.eas,
            network.schema_registry,
            finality=finality,
            name=network.name,
        )

    @classmethod
    def public(cls, chain_id: int) -> Deployment:
        """That of the public network with this chain id.

        Raises:
            DeploymentError: `deployment_unknown`.
        """
        for network in networks().values():
            if network.chain_id == chain_id:
                return cls.of_network(network)
        raise DeploymentError("no public deployment of EAS is known on this chain", "deployment_unknown")

    def to_json(self) -> str:
        """The deployment file's text."""
        members = {
            "name": self.name,
            "chainId": self.chain_id,
            "version": self.version,
            "eas": checksum_address(self.eas),
            "schemaRegistry": checksum_address(self.schema_registry),
            "fromBlock": self.from_block,
            "finality": self.finality,
        }
        return json.dumps(members, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: bytes | str) -> Deployment:
        """Read a deployment file; other members than these are for other tools.

        Raises:
            DeploymentError: `deployment_malformed`.
        """
        try:
            data = _json.loads(text) if len(text) <= _LARGEST else None
        except ValueError:
            data = None
        if not isinstance(data, dict) or not _MEMBERS - {"name", "fromBlock", "finality"} <= data.keys():
            raise DeploymentError("a deployment is a JSON object with chainId, version, eas and schemaRegistry")
        try:
            return cls(
                chain_id=_number(data["chainId"], "chainId"),
                version=_text(data["version"], "version"),
                eas=address_from(data["eas"], "eas"),
                schema_registry=address_from(data["schemaRegistry"], "schemaRegistry"),
                from_block=_number(data.get("fromBlock", 0), "fromBlock"),
                finality=_number(data.get("finality", DEFAULT_FINALITY), "finality"),
                name=_text(data.get("name", ""), "name"),
            )
        except PackageError as exc:
            raise DeploymentError(exc.detail, path=exc.path) from exc

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read a deployment file.

        Raises:
            DeploymentError: unreadable or malformed.
        """
        try:
            with path.open("rb") as stream:
                return cls.from_json(stream.read(_LARGEST + 1))
        except OSError as exc:
            raise DeploymentError(
                f"the deployment file cannot be read: {exc.strerror}", "deployment_unreadable"
            ) from exc


def _number(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise DeploymentError("expected a number", path=place)
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or len(value) > 100:
        raise DeploymentError("expected a short text", path=place)
    return value
