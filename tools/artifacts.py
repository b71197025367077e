"""Write src/chartseal/chain/artifacts: ABI and creation code of EAS's contracts, from its own npm package, and of ours.

python tools/artifacts.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vyper.compiler import compile_from_file_input  # type: ignore[import-untyped]  # it has no types
from vyper.compiler.input_bundle import FilesystemInputBundle  # type: ignore[import-untyped]  # it has no types

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tests/conformance/node_modules/@ethereum-attestation-service/eas-contracts"
OUTPUT = ROOT / "src/chartseal/chain/artifacts"
OFFICIAL = {
    "eas": "EAS.sol/EAS.json",
    "schema_registry": "SchemaRegistry.sol/SchemaRegistry.json",
    "eip712_proxy": "eip712/proxy/EIP712Proxy.sol/EIP712Proxy.json",
    "indexer": "Indexer.sol/Indexer.json",
}
OURS = {
    "accreditation_resolver": "AccreditationResolver.vy",
    "record_resolver": "RecordResolver.vy",
    "private_data_verifier": "PrivateDataVerifier.vy",
    "anchor_verifier": "AnchorVerifier.vy",
    "groth16_verifier": "Groth16Verifier.vy",
    "presentation_verifier": "PresentationVerifier.vy",
    "dispense_credit": "DispenseCredit.vy",
}
NEVER_DEPLOYED = {"signature_probe": "SignatureProbe.vy"}


def official() -> dict[str, dict[str, object]]:
    """EAS's contracts by our name for them."""
    package = json.loads((PACKAGE / "package.json").read_text())["version"]
    source = f"tools/artifacts.py from npm @ethereum-attestation-service/eas-contracts {package} (MIT)"
    made = {}
    for name, path in OFFICIAL.items():
        artifact = json.loads((PACKAGE / "artifacts/contracts" / path).read_text())
        made[name] = {"source": source, "abi": artifact["abi"], "bytecode": artifact["bytecode"]}
    return made


def ours(sources: Mapping[str, str] = OURS) -> dict[str, dict[str, object]]:
    """Our own by name, compiled; what is deployed are `runtime` bytes, then `immutables` that the constructor set."""
    source = f"tools/artifacts.py from contracts, vyper {version('vyper')} (Apache-2.0)"
    bundle = FilesystemInputBundle([ROOT])
    made = {}
    for name, path in sources.items():
        file = bundle.load_file(f"contracts/{path}")
        built: dict[str, Any] = compile_from_file_input(
            file, input_bundle=bundle, output_formats=["abi", "bytecode", "bytecode_runtime", "layout"]
        )
        made[name] = {
            "source": source,
            "abi": built["abi"],
            "bytecode": built["bytecode"],
            "runtime": len(built["bytecode_runtime"]) // 2 - 1,
            "immutables": sum(_sizes(built["layout"].get("code_layout", {}))),
        }
    return made


def _sizes(layout: dict[str, Any]) -> list[int]:
    """Lengths of the immutables of a contract and of the modules within it."""
    if isinstance(layout.get("length"), int):
        return [layout["length"]]
    return [size for each in layout.values() for size in _sizes(each)]


def text(artifact: dict[str, object]) -> str:
    """What stands in an artifact's file."""
    return json.dumps(artifact, separators=(",", ":")) + "\n"


def main() -> None:
    """Write one file for each contract."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, artifact in (official() | ours() | ours(NEVER_DEPLOYED)).items():
        (OUTPUT / f"{name}.json").write_text(text(artifact))


if __name__ == "__main__":
    main()
