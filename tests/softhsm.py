"""A PKCS#11 token for tests: SoftHSM with a folder of its own, from the distribution's package."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PIN = "4711"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


class Token(NamedTuple):
    """An initialized token."""

    module: str
    label: str
    folder: Path
    """Where SoftHSM keeps its objects."""


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    """One token for the session, since SoftHSM reads its settings once a process; tests use names of their own."""
    module = next((each for each in _MODULES if Path(each).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM is not installed (Debian: softhsm2)")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(settings)
    arguments = ["--init-token", "--free", "--label", "vault", "--pin", PIN, "--so-pin", "0815"]
    subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True)
    yield Token(module, "vault", folder / "tokens")
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before
