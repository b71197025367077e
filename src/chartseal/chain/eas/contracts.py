"""EAS's contracts as every version has them.

Two forms exist: before 1.2.0 delegated calls carried no deadline, and nonces could not be raised. What is signed
differs more often (`chartseal.attestation.delegated`).

Sources: eas-contracts 0.26 to 1.9; eas-sdk 2.10 `isLegacyContract`, versions.ts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from chartseal.attestation import CONTRACT_VERSIONS, Address, Digest, Domain
from chartseal.attestation.delegated import release
from chartseal.attestation.networks import ONCHAIN_NAME
from chartseal.chain.calls import Receipt, Write
from chartseal.chain.contract import Contract
from chartseal.errors import DeploymentError

T = TypeVar("T")

WITH_DEADLINES = (1, 2)
"""The release that gave delegated calls a deadline, and accounts `increaseNonce`."""

_DELEGATED = ("attestByDelegation", "multiAttestByDelegation", "revokeByDelegation", "multiRevokeByDelegation")
_DEADLINE = re.compile(r",uint64\)(\[\])?$", re.ASCII)


@lru_cache(maxsize=16)
def eas_contract(version: str) -> Contract:
    """EAS's ABI in that version.

    Raises:
        DomainError: no such version.
    """
    contract = Contract.load("eas")
    if release(version) >= WITH_DEADLINES:
        return contract
    functions = {name: item for name, item in contract.functions.items() if name != "increaseNonce"}
    for name in _DELEGATED:
        [request] = functions[name].inputs
        functions[name] = replace(functions[name], inputs=(_DEADLINE.sub(r")\1", request),))
    return replace(contract, functions=functions)


def registry_contract() -> Contract:
    """SchemaRegistry's ABI."""
    return Contract.load("schema_registry")


def proxy_contract() -> Contract:
    """EIP712Proxy's ABI: it had deadlines from the start."""
    return Contract.load("eip712_proxy")


def indexer_contract() -> Contract:
    """Indexer's ABI."""
    return Contract.load("indexer")


def then(write: Write[Receipt], decode: Callable[[Receipt], T]) -> Write[T]:
    """The same transaction, its receipt read so."""
    return Write(write.to, write.data, decode, write.value)


def domain_of(
    version: str, chain_id: int, contract: Address, separator: Digest, name: str = ONCHAIN_NAME, *, place: str = "eas"
) -> Domain:
    """The domain of delegated requests, found by the separator that the contract states.

    A contract's EIP-712 version is not always its own: 1.4.1-beta.1, say, signs as 1.3.0.

    Raises:
        DeploymentError: `contract_wrong`; no version of EAS at that address on that chain has this separator.
    """
    for each in dict.fromkeys((version, *reversed(CONTRACT_VERSIONS))):
        domain = Domain(each, chain_id, contract, name)
        if domain.separator() == separator:
            return domain
    raise DeploymentError("the contract's EIP-712 domain is another", "contract_wrong", place)
