"""A map of patients that is changed in place: one address for another, and not a byte else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chartseal.errors import LimitError, SealingError
from chartseal.keys import Wallet
from chartseal.sealing import MapFile, PatientMap

OLD, NEW, OTHER = (Wallet(bytes([number]) * 32).sealing_address() for number in (1, 2, 3))


def written(folder: Path, text: str, mode: int = 0o640) -> Path:
    path = folder / "map.csv"
    path.write_bytes(text.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("before", "count"),
    [
        ("p1,{old}\np2,{other}\n", 1),
        ("patient,address\r\nPatient/p1, {old} \r\np2,{other}\r\n", 1),
        ("\ufeffid,sealing address\np1,{old}\n\np2,{old}", 2),
        ('"p,1","{old}"\n"p\n2",{old}\n"p ""3""",{other}\n', 2),
        ("https://a.example/fhir/Patient/p1,{OLD}\rp2,{other}\r", 1),
        ("p2,{other}\n", 0),
        ("", 0),
    ],
)
def test_an_address_is_replaced_and_not_a_byte_else(before: str, count: int, tmp_path: Path) -> None:
    texts = {"old": str(OLD), "OLD": str(OLD).upper(), "other": str(OTHER)}
    path = written(tmp_path, before.format(**texts))
    assert MapFile.read(path).replace(OLD.data, str(NEW)) == count
    after = before.replace("{old}", "{new}").replace("{OLD}", "{new}").format(new=NEW, **texts)
    assert path.read_bytes() == after.encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["map.csv"]
    assert len(MapFile.read(path).patients(NEW.data)) == count
    PatientMap.read(path)


def test_an_address_that_is_not_written_plainly_is_not_replaced(tmp_path: Path) -> None:
    """An address to the reader of CSV, and not in the text as it is."""
    text = f'p0,{OTHER}\np1,"seal1"{str(OLD)[5:]}\n'
    path = written(tmp_path, text)
    assert MapFile.read(path).patients(OLD.data) == ["p1"]
    with pytest.raises(SealingError) as caught:
        MapFile.read(path).replace(OLD.data, str(NEW))
    assert (caught.value.code, caught.value.path) == ("map_malformed", "line 2")
    assert path.read_text() == text


def test_what_killed_runs_left_is_cleared(tmp_path: Path) -> None:
    path = written(tmp_path, f"p1,{OLD}\n")
    stale, young, other = (tmp_path / each for each in (f".{'a' * 16}.part", f".{'b' * 16}.part", ".mine.part"))
    for each in (stale, young, other):
        each.write_text("patients")
    for each in (stale, other):
        os.utime(each, (1, 1))
    MapFile.read(path).replace(OLD.data, str(NEW))
    assert (stale.exists(), young.exists(), other.exists()) == (False, True, True)


def test_its_patients_are_those_of_the_map(tmp_path: Path) -> None:
    path = written(tmp_path, f"id,address\nPatient/p1,{OLD}\nurn:uuid:7,{OTHER}\nhttps://a.example/Patient/p1,{OLD}\n")
    found = MapFile.read(path).patients(OLD.data)
    assert found == ["p1", "https://a.example/Patient/p1"]
    assert all(PatientMap.read(path).address_of(each) == OLD.data for each in found)


@pytest.mark.parametrize("text", ["p1\n", "p1,seal1x\n", f"p1,{OLD}\np1,{OLD}\n", f",{OLD}\n", "p1,a,b\n"])
def test_what_the_map_refuses_is_refused_here(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"id,address\n{text}")
    for read in (MapFile.read, PatientMap.read):
        with pytest.raises(SealingError) as caught:
            read(path)
        assert caught.value.code == "map_malformed"


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "map.csv"
    for data in (None, b"p1,\xff\n"):
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(SealingError) as caught:
            MapFile.read(path)
        assert caught.value.code == "map_unreadable"
    monkeypatch.setattr("chartseal.sealing.map_file.LARGEST_MAP", 3)
    with pytest.raises(LimitError):
        MapFile.read(path)


def test_a_file_that_somebody_else_changed_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path, f"p1,{OLD}\n")
    file = MapFile.read(path)
    theirs = f"p1,{OLD}\np2,{OTHER}\n"
    path.write_text(theirs)
    with pytest.raises(SealingError) as caught:
        file.replace(OLD.data, str(NEW))
    assert caught.value.code == "map_changed"
    assert path.read_text() == theirs
    assert os.listdir(tmp_path) == ["map.csv"]


@pytest.mark.parametrize("name", ["fsync", "fchmod", "fdopen"])
def test_a_failure_leaves_the_file_as_it_was(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, f"p1,{OLD}\n")
    file = MapFile.read(path)

    def failing(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, failing)
        with pytest.raises(SealingError) as caught:
            file.replace(OLD.data, str(NEW))
    assert caught.value.code == "map_unwritable"
    assert path.read_text() == f"p1,{OLD}\n"
    assert os.listdir(tmp_path) == ["map.csv"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path = written(tmp_path / "real", f"p1,{OLD}\n", 0o600)
    link = tmp_path / "map.csv"
    link.symlink_to(path)
    MapFile.read(link).replace(OLD.data, str(NEW))
    assert link.is_symlink()
    assert path.read_text() == f"p1,{NEW}\n"
    assert path.stat().st_mode & 0o777 == 0o600
