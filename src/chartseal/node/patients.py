"""The map of patients that the node seals to: a CSV file, read again whenever it changed."""

from __future__ import annotations

import threading
from copy import copy
from pathlib import Path

from chartseal.errors import SealingError
from chartseal.sealing import PatientMap


class PatientsFile:
    """Patients' sealing addresses, as the file has them now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, int, int], PatientMap] | None = None

    def current(self) -> PatientMap:
        """The map, each time another object: a run tells its own map of which server the bare ids are.

        One that is being written is read when it is whole: replace the file, do not write into it.

        Raises:
            SealingError: `map_malformed`, `map_unreadable`.
            LimitError: `map_too_large`.
        """
        with self._lock:
            state = self._state()
            if self._read is None or self._read[0] != state:
                self._read = state, PatientMap.read(self._path)
            return copy(self._read[1])  # the addresses themselves are shared

    def _state(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError as exc:
            raise SealingError("the map of patients cannot be read", "map_unreadable") from exc
        return found.st_ino, found.st_mtime_ns, found.st_size
