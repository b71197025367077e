"""Small disks for tests: real ones, that can be filled to the last byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = 4 << 20
"""Bytes of the disk."""
_FILLER = "filler"


class SmallDisk:
    """A file system of its own, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, leaving: int = 0) -> None:
        """Leave so many bytes, in whole pages."""
        state = os.statvfs(self.folder)
        (self.folder / _FILLER).write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - leaving)))

    def make_room(self) -> None:
        """Give back what `fill` took."""
        (self.folder / _FILLER).unlink()

    def files(self) -> list[str]:
        """What else is there, hidden files too, by name."""
        return sorted(each.name for each in self.folder.rglob("*") if each.is_file() and each.name != _FILLER)


def mounted(folder: Path, size: int = SIZE) -> SmallDisk:
    """One mounted there, or a skip where nobody lets us mount."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        done = False
    if not done:
        pytest.skip("a full disk needs a disk of its own: only root mounts one")
    return SmallDisk(folder)


def unmount(disk: SmallDisk) -> None:
    """Take it away, whoever still has a file of it open."""
    subprocess.run(["umount", "--lazy", str(disk.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = mounted(tmp_path / "disk")
    yield disk
    unmount(disk)
