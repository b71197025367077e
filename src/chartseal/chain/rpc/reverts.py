"""Why a contract refused: its own error by name, a reason in words, or a panic.

Codes are stable: `eas_` and the name in snake case for errors of EAS's own contracts (`eas_already_timestamped`),
`contract_` and the name for those of other contracts that come with the package, `call_panicked`, `out_of_gas`,
and `call_reverted` for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from chartseal.chain.contract import Contract, Item
from chartseal.errors import NodeError, RevertError

_OF_EAS = ("eas", "schema_registry", "eip712_proxy")
_REASON = Item("Error", ("string",))
_PANIC = Item("Panic", ("uint256",))
_PLAIN = re.compile(r"[\x20-\x7e]{1,80}")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_LARGEST = 65_536
"""Characters of an error's data that are looked at."""


@lru_cache(maxsize=1)
def known_errors() -> Mapping[bytes, tuple[Item, str]]:
    """By selector each custom error of the contracts that come with the package, and its code."""
    found: dict[bytes, tuple[Item, str]] = {}
    folder = resources.files("chartseal.chain").joinpath("artifacts")
    ours = sorted(each.name.removesuffix(".json") for each in folder.iterdir() if each.name.endswith(".json"))
    for contract in (*_OF_EAS, *(name for name in ours if name not in _OF_EAS)):
        prefix = "eas_" if contract in _OF_EAS else "contract_"
        for selector, item in Contract.load(contract).errors.items():
            found.setdefault(selector, (item, prefix + snake_case(item.name)))
    return found


def snake_case(name: str) -> str:
    """AlreadyRevokedOffchain as already_revoked_offchain, ECDSAInvalidSignatureS as ecdsa_invalid_signature_s."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def decoded(data: bytes, path: str = "") -> RevertError:
    """The error that a call reverted with.

    Errors whose arguments do not fit, and unknown ones, are `call_reverted` without a name: nothing is guessed.
    """
    selector, rest = data[:4], data[4:]
    try:
        if selector == _REASON.selector:
            [reason] = _REASON.decode_arguments(rest)
            return _with_reason(reason, path)
        if selector == _PANIC.selector:
            [number] = _PANIC.decode_arguments(rest)
            return RevertError("the contract panicked", "call_panicked", path, name=f"Panic({number:#04x})")
        item, code = known_errors()[selector]
        item.decode_arguments(rest)
    except (KeyError, NodeError):
        return RevertError("the contract refuses the call", path=path)
    return RevertError(f"the contract refuses the call: {item.name}", code, path, name=item.name)


def _with_reason(reason: str, path: str) -> RevertError:
    """A reason stands in the contract's code; one that could not is not shown."""
    if not _PLAIN.fullmatch(reason):
        return RevertError("the contract refuses the call", path=path)
    return RevertError(f"the contract refuses the call: {reason}", path=path, name=reason)


def revert_of(error: Mapping[str, Any], path: str = "") -> RevertError:
    """The error in a node's error object: nodes put the data in different places, some into words."""
    for candidate in _candidates(error):
        if data := _hex_in(candidate):
            return decoded(data, path)
    message = error.get("message")
    reason = re.fullmatch(r"(?:.*: )?execution reverted: (.+)", message) if isinstance(message, str) else None
    return _with_reason(reason[1], path) if reason else RevertError("the contract refuses the call", path=path)


def _candidates(error: Mapping[str, Any]) -> list[Any]:
    """error.data as text or object (hardhat's and ganache's `data`, `result`, by hash), originalError, the message."""
    data, inner = error.get("data"), error.get("originalError")
    found = [data]
    for holder in (data, inner):
        if isinstance(holder, Mapping):
            found += [holder.get("data"), holder.get("result"), holder.get("return"), holder.get("message")]
            found += [each.get("return") for each in list(holder.values())[:4] if isinstance(each, Mapping)]
    return [*found, error.get("message")]


def _hex_in(text: Any) -> bytes:
    if not isinstance(text, str):
        return b""
    for match in _HEX.finditer(text[:_LARGEST]):
        if len(match[0]) % 64 == 10:  # a selector and whole words: no address, no hash
            return bytes.fromhex(match[0][2:])
    return b""
