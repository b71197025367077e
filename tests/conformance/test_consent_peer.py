"""Roots and messages of consents, beside ethers and OpenZeppelin."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
VECTORS = FOLDER.parent / "vectors" / "consent.json"

pytestmark = pytest.mark.skipif(
    not (FOLDER / "node_modules").is_dir(), reason="ethers is not installed: `npm ci --ignore-scripts` here"
)


def test_the_vectors_are_what_the_peer_makes() -> None:
    made = subprocess.run(["node", "consent_vectors.cjs"], cwd=FOLDER, capture_output=True, text=True, check=True)
    assert made.stdout == VECTORS.read_text()
