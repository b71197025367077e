"""The commands of docs/chain.md, run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chartseal.chain.deployment import Deployment
from chartseal.chain.local.devnet import find_anvil
from chartseal.chain.local.kept import is_locked
from chartseal.errors import DeploymentError
from chartseal.verification import TrustPolicy

PAGE = (Path(__file__).resolve().parents[2] / "docs/chain.md").read_text()


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def test_a_local_chain_and_a_policy_that_names_it(tmp_path: Path) -> None:
    try:
        anvil = find_anvil()
    except DeploymentError as error:
        pytest.skip(str(error))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHARTSEAL_")}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],
        input=block("sh"),
        cwd=tmp_path,
        env={**kept, "PATH": path, "CHARTSEAL_ANVIL": anvil},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert not is_locked(tmp_path / "chain")
    assert "has 100 ether" in done.stdout
    deployment = Deployment.load(tmp_path / "chain/deployment.json")
    assert TrustPolicy.from_toml(block("toml")).domains == frozenset({deployment.domain()})
