"""What ships is what the sources compile to, and the interfaces name every reason."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from chartseal.chain.deploy import NAMES

REPOSITORY = Path(__file__).resolve().parents[3]
CONTRACTS = REPOSITORY / "contracts"
ARTIFACTS = REPOSITORY / "src/chartseal/chain/artifacts"
SOURCES = {
    "accreditation_resolver": "AccreditationResolver",
    "record_resolver": "RecordResolver",
    "private_data_verifier": "PrivateDataVerifier",
    "anchor_verifier": "AnchorVerifier",
    "groth16_verifier": "Groth16Verifier",
    "presentation_verifier": "PresentationVerifier",
    "dispense_credit": "DispenseCredit",
}
FUNDED = "dispense_credit"
"""The example that holds money, which its funder may take back."""
REASON = re.compile(r'"([A-Z][A-Za-z]+)"')


def artifact(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ARTIFACTS / f"{name}.json").read_bytes())
    return found


def test_artifacts_are_what_the_sources_compile_to() -> None:
    tool = runpy.run_path(str(REPOSITORY / "tools/artifacts.py"))
    made = tool["ours"]()
    assert made.keys() == set(NAMES) == SOURCES.keys()
    for name, each in made.items():
        assert tool["text"](each) == (ARTIFACTS / f"{name}.json").read_text(), name


def test_eas_artifacts_are_those_of_its_package() -> None:
    tool = runpy.run_path(str(REPOSITORY / "tools/artifacts.py"))
    if not tool["PACKAGE"].is_dir():
        pytest.skip("npm packages are not installed: run `npm ci --ignore-scripts` in tests/conformance")
    for name, each in tool["official"]().items():
        assert tool["text"](each) == (ARTIFACTS / f"{name}.json").read_text(), name


def mutability(name: str) -> dict[str, str]:
    """Of each function and of the constructor, whose name is empty."""
    abi = artifact(name)["abi"]
    assert {each["type"] for each in abi} <= {"constructor", "function", "event"}, "no fallback, no receive"
    return {each.get("name", ""): each["stateMutability"] for each in abi if each["type"] != "event"}


@pytest.mark.parametrize("name", [name for name in NAMES if name != FUNDED])
def test_nothing_takes_ether_and_nobody_owns_it(name: str) -> None:
    kinds = mutability(name)
    assert "" in kinds
    assert set(kinds.values()) <= {"nonpayable", "view", "pure"}
    writing = {each for each, kind in kinds.items() if kind == "nonpayable"} - {""}
    assert writing in (set(), {"attest", "multiAttest", "revoke", "multiRevoke"}, {"register"})


def test_the_example_takes_ether_by_one_function() -> None:
    kinds = mutability(FUNDED)
    assert {each for each, kind in kinds.items() if kind == "payable"} == {"fund"}
    assert {each for each, kind in kinds.items() if kind == "nonpayable"} == {"", "redeem", "withdraw", "reclaim"}


@pytest.mark.parametrize(("name", "source"), SOURCES.items())
def test_the_interface_names_every_reason_and_function(name: str, source: str) -> None:
    interface = (CONTRACTS / f"interfaces/I{source}.vyi").read_text()
    text = (CONTRACTS / f"{source}.vy").read_text()
    modules = re.findall(r"from \.modules import (\w+)", text)
    code = text + "".join((CONTRACTS / f"modules/{each}.vy").read_text() for each in modules)
    reasons = set(REASON.findall(code))
    assert reasons
    assert {each for each in reasons if not re.search(rf"\b{each}\b", interface)} == set()
    functions = {each["name"] for each in artifact(name)["abi"] if each["type"] == "function"}
    declared = set(re.findall(r"^def (\w+)\(", interface, re.MULTILINE))
    assert functions == declared
    assert "@custom:security" in interface
