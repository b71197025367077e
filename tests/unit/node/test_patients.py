"""The map of patients: read when it changed, and each run's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartseal.errors import PatientError, SealingError
from chartseal.node.patients import PatientsFile
from tests.nodes import BASE, WALLETS, write_map

OTHER = "https://other.example/fhir/"


def test_it_is_read_when_it_changed(tmp_path: Path) -> None:
    write_map(tmp_path, "p1")
    file = PatientsFile(tmp_path / "patients.csv")
    before = file.current()
    write_map(tmp_path, "p1", "p2")
    known = file.current()
    known.patient_of_chart({f"{BASE}Patient/p2": True}, BASE)
    assert known.address_of(f"{BASE}Patient/p2") == WALLETS["p2"].sealing_address().data
    before.patient_of_chart({f"{BASE}Patient/p2": True}, BASE)
    with pytest.raises(PatientError):
        before.address_of(f"{BASE}Patient/p2")
    (tmp_path / "patients.csv").unlink()
    with pytest.raises(SealingError) as caught:
        file.current()
    assert caught.value.code == "map_unreadable"


def test_what_one_run_tells_it_is_not_told_another(tmp_path: Path) -> None:
    """Bare ids are of one server, and which that is depends on the input: two runs at once must not mix it."""
    write_map(tmp_path, "p1")
    file = PatientsFile(tmp_path / "patients.csv")
    one, two = file.current(), file.current()
    one.patient_of_chart({f"{BASE}Patient/p1": True}, BASE)
    two.patient_of_chart({f"{OTHER}Patient/p1": True}, BASE)
    assert one.address_of(f"{BASE}Patient/p1") == two.address_of(f"{OTHER}Patient/p1")
    with pytest.raises(PatientError):
        one.address_of(f"{OTHER}Patient/p1")
