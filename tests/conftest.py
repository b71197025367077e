"""Where tests find data that the project does not ship."""

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent

os.environ.setdefault("CHARTSEAL_CACHE", str(_REPOSITORY / "build/cache"))  # proving keys made here stay here


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of charts and vectors beside the checkout, or a skip where a machine has none."""
    folder = Path(os.environ.get("CHARTSEAL_SHARED", _REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("no folder of shared charts and vectors beside this checkout (set CHARTSEAL_SHARED)")
    return folder


@pytest.fixture(scope="session")
def drill_scale() -> float:
    """Share of a drill's full count to run: 1.0 under `make drills`, a small part otherwise."""
    return float(os.environ.get("CHARTSEAL_DRILL", "0.01"))
