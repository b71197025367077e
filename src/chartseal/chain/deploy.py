"""Our own contracts on a chain: deploying them, and a file that says where they stand.

deployed = deploy(sender, "accreditation_resolver", eas, authority)
save_deployments(path, Deployments(node.chain_id, (deployed,)))
resolver = load_deployments(path).at(node, "accreditation_resolver")
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

from chartseal import _core, _json
from chartseal.attestation import Address, Digest, address_from, checksum_address, digest_from, to_hex
from chartseal.chain.calls import Receipt, Write
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender
from chartseal.errors import DeploymentError, NodeError, PackageError

OF_EAS = ("accreditation_resolver", "record_resolver", "private_data_verifier", "anchor_verifier")
"""Those that are told first of all which EAS they belong to."""

NAMES = (*OF_EAS, "groth16_verifier", "presentation_verifier", "dispense_credit")
"""What can be deployed; docs/contracts.md says what each is and takes."""

_LARGEST = 1 << 20
_MOST = 1_000
_MOST_ARGUMENTS = 10
_ADDRESS_SIZE = 20
_LONGEST_CODE = 1 << 16
_MEMBERS = {"contract", "address", "arguments", "transaction", "block", "codeHash"}

Argument: TypeAlias = "Address | Digest | int | str | tuple[Argument, ...]"
"""What our constructors take; a tuple is a struct."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """One contract of ours on a chain."""

    contract: str
    address: Address
    arguments: tuple[Argument, ...]
    tx_hash: Digest
    block_number: int
    code_hash: Digest
    """keccak256 of the code at the address."""

    def check(self, node: Node) -> None:
        """Compare with the chain: the code at the address is what this says, and is what this package compiles to.

        Raises:
            DeploymentError: `deployment_mismatch`.
            NodeError: as the node.
        """
        code = node_code(node, self.address)
        if _core.keccak256(code) != self.code_hash:
            raise DeploymentError("the code at this address is another", "deployment_mismatch", self.contract)
        if not is_ours(self.contract, code):
            raise DeploymentError(
                "the code at this address is not this package's contract", "deployment_mismatch", self.contract
            )


@dataclass(frozen=True, slots=True)
class Deployments:
    """What of ours stands on one chain, in the order in which it was deployed."""

    chain_id: int
    contracts: tuple[Deployed, ...] = ()

    def with_(self, deployed: Deployed) -> Deployments:
        """The same and one more."""
        return replace(self, contracts=(*self.contracts, deployed))

    def find(self, name: str) -> Deployed:
        """The newest of that name.

        Raises:
            DeploymentError: `deployment_unknown`.
        """
        for each in reversed(self.contracts):
            if each.contract == name:
                return each
        raise DeploymentError("no such contract is deployed here", "deployment_unknown", name)

    def at(self, node: Node, name: str) -> Bound:
        """The newest of that name, ready to be called, once the chain agrees.

        Raises:
            DeploymentError: `deployment_unknown`, `deployment_mismatch` (another chain, or other code).
            NodeError: as the node.
        """
        if node.chain_id != self.chain_id:
            raise DeploymentError("the deployments are another chain's", "deployment_mismatch", "chainId")
        deployed = self.find(name)
        deployed.check(node)
        return Contract.load(name).at(deployed.address)

    def to_json(self) -> str:
        """The file's text."""
        entries = [
            {
                "contract": each.contract,
                "address": checksum_address(each.address),
                "arguments": _told(each.arguments),
                "transaction": to_hex(each.tx_hash),
                "block": each.block_number,
                "codeHash": to_hex(each.code_hash),
            }
            for each in self.contracts
        ]
        return json.dumps({"chainId": self.chain_id, "contracts": entries}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: bytes | str) -> Deployments:
        """Read such a file.

        Raises:
            DeploymentError: `deployment_malformed`.
        """
        try:
            data = _json.loads(text) if len(text) <= _LARGEST else None
        except ValueError:
            data = None
        if not isinstance(data, dict) or data.keys() != {"chainId", "contracts"}:
            raise DeploymentError("deployments are a JSON object of chainId and contracts")
        entries = data["contracts"]
        if not isinstance(entries, list) or len(entries) > _MOST:
            raise DeploymentError("expected a list, not over-long", path="contracts")
        return cls(
            _number(data["chainId"], "chainId"),
            tuple(_entry(each, f"contracts[{at}]") for at, each in enumerate(entries)),
        )


def deploy(sender: Sender, contract_name: str, *arguments: Argument) -> Deployed:
    """Deploy one of ours (`NAMES`) and wait until it stands.

    Raises:
        DeploymentError: `deployment_unknown`; no such contract.
        FieldEncodingError: the arguments do not fit its constructor.
        RevertError, SendError, NodeError: as the sender.
    """
    if contract_name not in NAMES:
        raise DeploymentError(f"ours are {', '.join(NAMES)}", "deployment_unknown", "contract")
    creation = Contract.load(contract_name).deploy(*arguments)
    receipt: Receipt = sender.send(Write(None, creation.data, lambda receipt: receipt))
    address = creation.decode(receipt)
    code = node_code(sender.node, address, receipt.block_number)
    if not is_ours(contract_name, code):
        raise DeploymentError("what was deployed is not there", "deployment_mismatch", contract_name)
    code_hash = Digest(_core.keccak256(code))
    return Deployed(contract_name, address, arguments, receipt.tx_hash, receipt.block_number, code_hash)


def node_code(node: Node, address: Address, block_number: int | None = None) -> bytes:
    """The code at an address, now or at a block.

    Raises:
        NodeError: as the node.
    """
    which = "latest" if block_number is None else hex(block_number)
    answer = node.request("eth_getCode", [checksum_address(address), which])
    if not isinstance(answer, str) or not answer.startswith("0x") or len(answer) > 2 * _LONGEST_CODE:
        raise NodeError("the answer is no code", "node_malformed", "eth_getCode")
    try:
        return bytes.fromhex(answer[2:])
    except ValueError as exc:
        raise NodeError("the answer is no code", "node_malformed", "eth_getCode") from exc


def is_ours(name: str, code: bytes) -> bool:
    """Whether that is the code of our contract of that name, whatever its constructor set."""
    artifact = _artifact(name)
    size = artifact.runtime
    return len(code) == size + artifact.immutables and code[:size] in artifact.creation


@dataclass(frozen=True, slots=True)
class _Artifact:
    creation: bytes
    runtime: int
    """Bytes of the deployed code that creation code carries."""
    immutables: int
    """Bytes behind them that the constructor sets."""


@lru_cache(maxsize=len(NAMES))
def _artifact(name: str) -> _Artifact:
    if name not in NAMES:
        raise DeploymentError(f"ours are {', '.join(NAMES)}", "deployment_unknown", "contract")
    text = resources.files("chartseal.chain").joinpath("artifacts", f"{name}.json").read_bytes()
    data = _json.loads(text)
    return _Artifact(bytes.fromhex(data["bytecode"][2:]), data["runtime"], data["immutables"])


def load_deployments(path: Path) -> Deployments:
    """Read a deployments file.

    Raises:
        DeploymentError: `deployment_unreadable`, `deployment_malformed`.
    """
    try:
        with path.open("rb") as stream:
            return Deployments.from_json(stream.read(_LARGEST + 1))
    except OSError as exc:
        raise DeploymentError(f"the file cannot be read: {exc.strerror}", "deployment_unreadable") from exc


def save_deployments(path: Path, deployments: Deployments) -> None:
    """Write a deployments file, whole or not at all.

    Raises:
        DeploymentError: `deployment_unwritable`.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w") as stream:
            stream.write(deployments.to_json())
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as exc:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise DeploymentError(f"the file cannot be written: {exc.strerror}", "deployment_unwritable") from exc


def _entry(data: Any, place: str) -> Deployed:
    if not isinstance(data, dict) or data.keys() != _MEMBERS:
        raise DeploymentError(f"expected an object of {', '.join(sorted(_MEMBERS))}", path=place)
    arguments = data["arguments"]
    if data["contract"] not in NAMES or not isinstance(arguments, list) or len(arguments) > _MOST_ARGUMENTS:
        raise DeploymentError("no contract of ours, or no list of its arguments", path=place)
    try:
        return Deployed(
            data["contract"],
            address_from(data["address"], f"{place}.address"),
            tuple(_argument(each, f"{place}.arguments") for each in arguments),
            digest_from(data["transaction"], f"{place}.transaction"),
            _number(data["block"], f"{place}.block"),
            digest_from(data["codeHash"], f"{place}.codeHash"),
        )
    except PackageError as exc:
        raise DeploymentError(exc.detail, path=exc.path) from exc


def _told(argument: Argument) -> Any:
    """An argument in JSON. Integers are decimal texts: a uint256 does not fit other readers' numbers. Texts stand in an
    object, so that none passes for a number or an address.
    """
    if isinstance(argument, tuple):
        return [_told(each) for each in argument]
    if isinstance(argument, bytes):
        return checksum_address(Address(argument)) if len(argument) == _ADDRESS_SIZE else to_hex(argument)
    return {"text": argument} if isinstance(argument, str) else str(argument)


def _argument(value: Any, place: str, *, within: bool = False) -> Argument:
    if isinstance(value, list) and len(value) <= _MOST_ARGUMENTS and not within:
        return tuple(_argument(each, place, within=True) for each in value)
    if isinstance(value, dict) and value.keys() == {"text"} and isinstance(value["text"], str):
        return value["text"]
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 78:
        return int(value)
    if isinstance(value, str) and len(value) == len("0x") + 64:
        return digest_from(value, place)
    return address_from(value, place)


def _number(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise DeploymentError("expected a number", path=place)
    return value
