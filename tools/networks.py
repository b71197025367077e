"""Write src/chartseal/attestation/networks.tsv from the deployments that npm's eas-contracts ships.

Addresses and chain ids come from its `deployments` folder, contract versions from its README's list of deployments.
"""

import json
import re
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parent.parent
_PACKAGE = _REPOSITORY / "tests/conformance/node_modules/@ethereum-attestation-service/eas-contracts"
_TABLE = _REPOSITORY / "src/chartseal/attestation/networks.tsv"


def _versions(readme: str) -> dict[str, str]:
    """Folder name -> version, by the first version stated above each link to that folder's EAS.json."""
    versions: dict[str, str] = {}
    version = ""
    for line in readme.splitlines():
        if stated := re.fullmatch(r"Version (\S+):", line.strip()):
            version = stated[1]
        elif linked := re.search(r"\./deployments/([a-z-]+)/EAS\.json", line):
            versions.setdefault(linked[1], version)
    return versions


def _rows() -> list[list[str]]:
    versions = _versions((_PACKAGE / "README.md").read_text())
    rows = []
    for folder in sorted((_PACKAGE / "deployments").iterdir()):
        address, registry = (
            json.loads((folder / f"{name}.json").read_text())["address"] for name in ("EAS", "SchemaRegistry")
        )
        rows.append([folder.name, (folder / ".chainId").read_text().strip(), versions[folder.name], address, registry])
    return rows


def main() -> None:
    """Rewrite the table."""
    release = json.loads((_PACKAGE / "package.json").read_text())["version"]
    head = f"# tools/networks.py from npm @ethereum-attestation-service/eas-contracts {release}"
    lines = [head, "name\tchain_id\tversion\teas\tschema_registry", *("\t".join(row) for row in _rows())]
    _TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
