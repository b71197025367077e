"""Proving keys in the cache: whole and the manifest's, or a typed error."""

import stat
from pathlib import Path

import pytest

from chartseal.circuits import cache, manifest, proving
from chartseal.circuits.development import make
from chartseal.circuits.entries import KeyEntry
from chartseal.errors import CircuitKeyError


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyEntry:
    """The smallest circuit's development key, in a cache of its own, which is empty."""
    monkeypatch.setenv("CHARTSEAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(proving, "_loaded", {})
    keys = [key for key in manifest().all_keys() if key.is_unsafe]
    return min(keys, key=lambda each: each.proving_key_size)


@pytest.fixture
def made(key: KeyEntry) -> KeyEntry:
    return make(key.circuit)


def code(key: KeyEntry) -> str:
    with pytest.raises(CircuitKeyError) as refused:
        proving.load_prover(key.circuit)
    return refused.value.code


def test_a_missing_key_names_the_command(key: KeyEntry) -> None:
    with pytest.raises(CircuitKeyError, match=f"chartseal proving-key make {key.circuit}") as refused:
        proving.load_prover(key.circuit)
    assert refused.value.code == "proving_key_missing"
    assert not cache.is_there(key)


def test_a_made_key_is_whole_private_and_loaded_once(made: KeyEntry) -> None:
    assert cache.is_there(made)
    assert stat.S_IMODE(cache.place(made).stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.folder().stat().st_mode) == 0o700
    assert [path.name for path in cache.folder().iterdir()] == [cache.place(made).name]
    assert proving.load_prover(made.circuit) is proving.load_prover(made.circuit)


def test_a_cut_key_is_refused(made: KeyEntry) -> None:
    data = cache.place(made).read_bytes()
    for length in (0, 1, len(data) // 2, len(data) - 1):
        cache.place(made).write_bytes(data[:length])
        assert code(made) == "key_altered"


def test_a_lengthened_key_is_refused(made: KeyEntry) -> None:
    with cache.place(made).open("ab") as stream:
        stream.write(b"\0")
    assert code(made) == "key_altered"


def test_a_bit_flipped_key_is_refused(made: KeyEntry) -> None:
    data = cache.place(made).read_bytes()
    for at in range(0, len(data), len(data) // 16 + 1):
        altered = bytearray(data)
        altered[at] ^= 1
        cache.place(made).write_bytes(altered)
        assert code(made) == "key_altered"
    cache.place(made).write_bytes(data)
    assert proving.load_prover(made.circuit).key == made


def test_a_swapped_key_is_refused(made: KeyEntry) -> None:
    other = next(key for key in manifest().all_keys() if key.is_unsafe and key.circuit != made.circuit)
    make(other.circuit)
    cache.place(made).write_bytes(cache.place(other).read_bytes())
    assert code(made) == "key_altered"


def test_a_swapped_manifest_does_not_make_another_circuits_key_pass(made: KeyEntry) -> None:
    other = next(name for name in manifest().circuits if name != made.circuit)
    with pytest.raises(CircuitKeyError) as refused:
        proving.Prover(KeyEntry(other, "development", True, b"", b"", 0, None), cache.read(made))
    assert refused.value.code == "key_other_circuit"


def test_an_unwritable_cache_is_told(key: KeyEntry, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file")
    with pytest.raises(CircuitKeyError) as refused:
        make(key.circuit)
    assert refused.value.code == "file_unwritable"


def test_a_refused_file_leaves_nothing(key: KeyEntry) -> None:
    def refuse(_: bytes) -> KeyEntry:
        raise CircuitKeyError("no", "key_unknown")

    for chunks, most, expected in (([b"abc"], 3, "key_unknown"), ([b"ab", b"cd"], 3, "limit_exceeded")):
        with pytest.raises(CircuitKeyError) as refused:
            cache.install(chunks, refuse, most)
        assert refused.value.code == expected
        assert list(cache.folder().iterdir()) == []


def test_the_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CHARTSEAL_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg/chartseal/proving-keys"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.folder() == tmp_path / ".cache/chartseal/proving-keys"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache.folder() == tmp_path / "Library/Caches/chartseal/proving-keys"
