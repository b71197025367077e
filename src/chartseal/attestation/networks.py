"""Where EAS is deployed: chain id, contract version and addresses of the networks that eas-contracts lists."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from chartseal import _core
from chartseal.attestation.hexes import Address, Digest, address_from
from chartseal.errors import DomainError

CONTRACT_VERSIONS = ("0.26", "1.0.0", "1.0.1", "1.0.2", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.4.1-beta.1")
"""Every published version of the contracts. Source: eas-sdk 2.10 versions.ts; eas-contracts 1.9.0 README."""

OFFCHAIN_NAME = "EAS Attestation"
ONCHAIN_NAME = "EAS"


@dataclass(frozen=True, slots=True)
class Domain:
    """The deployment that a signature is for: contract version, chain id and contract address.

    `name` tells apart off-chain attestations ("EAS Attestation"), delegated ones ("EAS") and a proxy's (its own name).
    """

    version: str
    chain_id: int
    contract: Address
    name: str = OFFCHAIN_NAME

    def __post_init__(self) -> None:
        if not 0 <= self.chain_id < 2**64 or len(self.contract) != 20:
            raise DomainError("a domain has a chain id under 2^64 and a contract of 20 bytes")

    def separator(self) -> Digest:
        """EIP-712's domain separator, with its typehash."""
        return _separator(self.name, self.version, self.chain_id, self.contract)


@lru_cache(maxsize=256)
def _separator(name: str, version: str, chain_id: int, contract: bytes) -> Digest:
    return Digest(_core.domain_separator(name, version, chain_id, contract))


@dataclass(frozen=True, slots=True)
class Network:
    """One row of networks.tsv."""

    name: str
    chain_id: int
    version: str
    eas: Address
    schema_registry: Address

    def domain(self, name: str = OFFCHAIN_NAME) -> Domain:
        """The domain of attestations signed for this network's EAS."""
        return Domain(self.version, self.chain_id, self.eas, name)


@lru_cache(maxsize=1)
def networks() -> dict[str, Network]:
    """All networks of the table, by name."""
    text = resources.files(__package__).joinpath("networks.tsv").read_text()
    rows = (line.split("\t") for line in text.splitlines()[2:])
    return {
        name: Network(name, int(chain_id), version, address_from(eas, name), address_from(registry, name))
        for name, chain_id, version, eas, registry in rows
    }


def network(name: str) -> Network:
    """One network by name.

    Raises:
        DomainError: no such network.
    """
    try:
        return networks()[name]
    except KeyError:
        raise DomainError("no network of that name in the table", code="network_unknown") from None
