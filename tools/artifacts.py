"""Write src/chartseal/chain/artifacts: ABI and creation code of EAS's contracts, from its own npm package.

python tools/artifacts.py
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tests/conformance/node_modules/@ethereum-attestation-service/eas-contracts"
OUTPUT = ROOT / "src/chartseal/chain/artifacts"
OFFICIAL = {
    "eas": "EAS.sol/EAS.json",
    "schema_registry": "SchemaRegistry.sol/SchemaRegistry.json",
    "eip712_proxy": "eip712/proxy/EIP712Proxy.sol/EIP712Proxy.json",
}


def official() -> dict[str, dict[str, object]]:
    """EAS's contracts by our name for them."""
    version = json.loads((PACKAGE / "package.json").read_text())["version"]
    source = f"tools/artifacts.py from npm @ethereum-attestation-service/eas-contracts {version} (MIT)"
    made = {}
    for name, path in OFFICIAL.items():
        artifact = json.loads((PACKAGE / "artifacts/contracts" / path).read_text())
        made[name] = {"source": source, "abi": artifact["abi"], "bytecode": artifact["bytecode"]}
    return made


def main() -> None:
    """Write one file for each contract."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, artifact in official().items():
        (OUTPUT / f"{name}.json").write_text(json.dumps(artifact, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
