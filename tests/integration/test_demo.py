"""The demo, run as `make demo` runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from chartseal.chain.local.devnet import find_anvil
from chartseal.errors import DeploymentError

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_demo_anchors_verifies_and_refuses() -> None:
    try:
        find_anvil()
    except DeploymentError as error:
        pytest.skip(str(error))
    command = [sys.executable, "examples/demo.py"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert text.count("Example hospital (hospital, accredited by 0x") == 3
    assert text.count(", existed by ") == 3
    assert "9. anchor: checked" in text
    assert "refused: root_mismatch" in text
    assert "refused: seal_revoked: records[0]: the seal was revoked by its attester, reason entered-in-error" in text
    assert "2025-04-01: late_refill, statins, since 2025-03-18 (active): made-up-12-1-fill-2" in text
    assert "linked: the holder's proportion of days covered (urn:chartseal:1:adherence pdc) is at least 0.8" in text
    assert "PDC 0.855555 follows from the 6 dispensings that the report names." in text
    assert "376 announcements matched, 376 records checked and kept, 376 deliveries deleted." in text
    assert "before: 1 of the hospital's files hold its ciphertext after: 0 of them do" in text
    assert "the vault says record_erased" in text
