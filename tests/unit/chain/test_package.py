"""The package's face, and what happens where the extra is not installed."""

from __future__ import annotations

import subprocess
import sys

import chartseal.chain


def test_every_name_is_there() -> None:
    assert sorted(chartseal.chain.__all__) == chartseal.chain.__all__
    for name in chartseal.chain.__all__:
        assert getattr(chartseal.chain, name).__name__ == name


def test_a_missing_package_is_named_with_its_extra() -> None:
    program = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "sqlalchemy" else found(name, *rest)
sys.argv = ["chartseal", "anchor", "status", "--queue", "queue.db"]
from chartseal.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "error: extra_missing: sqlalchemy is not installed: pip install 'chartseal[chain]'\n"
