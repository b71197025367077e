"""`chartseal proving-key`: list, make, and fetch from files, folders and servers."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chartseal import _core
from chartseal.circuits import cache, development, manifest, sources
from chartseal.circuits.entries import CircuitEntry, KeyEntry, Manifest
from chartseal.cli import cli
from chartseal.errors import CircuitKeyError


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTSEAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def smallest() -> KeyEntry:
    keys = [key for key in manifest().all_keys() if key.is_unsafe]
    return min(keys, key=lambda each: each.proving_key_size)


@pytest.fixture
def folder(tmp_path: Path, smallest: KeyEntry) -> Path:
    """Where the smallest key is handed out."""
    folder = tmp_path / "handed"
    folder.mkdir()
    data, _ = _core.development_key(smallest.circuit, development.SEED)
    (folder / smallest.file).write_bytes(data)
    return folder


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def command(*arguments: str) -> dict[str, Any]:
    found = CliRunner().invoke(cli, ["proving-key", *arguments, "--json"], catch_exceptions=False)
    assert found.exit_code == 0
    shown: dict[str, Any] = json.loads(found.stdout)
    return shown


def code(*arguments: str) -> str:
    with pytest.raises(CircuitKeyError) as refused:
        CliRunner().invoke(cli, ["proving-key", *arguments], catch_exceptions=False)
    return refused.value.code


def test_make_says_unsafe_and_list_shows_what_is_here(smallest: KeyEntry) -> None:
    assert not any(row["here"] for row in command("list")["keys"])
    made = CliRunner().invoke(cli, ["proving-key", "make", smallest.circuit])
    assert "UNSAFE" in made.stderr
    here = [(row["circuit"], row["unsafe"]) for row in command("list")["keys"] if row["here"]]
    assert here == [(smallest.circuit, True)]
    assert "UNSAFE" in CliRunner().invoke(cli, ["proving-key", "list"]).stdout


def test_make_leaves_whole_keys_and_mends_altered_ones(smallest: KeyEntry) -> None:
    (made,) = command("make", smallest.circuit)["keys"]
    file = Path(made["file"])
    first = file.stat().st_mtime_ns
    command("make", smallest.circuit)
    assert file.stat().st_mtime_ns == first
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    command("make", smallest.circuit)
    assert file.read_bytes() == data


def test_unknown_circuits_are_refused() -> None:
    assert code("make", "linked-2") == "circuit_unknown"
    assert code("fetch", "/nowhere", "linked-2") == "circuit_unknown"


@pytest.mark.parametrize("kind", ["file", "folder", "url", "folder of a url"])
def test_a_key_is_fetched(kind: str, folder: Path, url: str, smallest: KeyEntry) -> None:
    source = {
        "file": str(folder / smallest.file),
        "folder": str(folder),
        "url": url + smallest.file,
        "folder of a url": url,
    }[kind]
    (fetched,) = command("fetch", source, smallest.circuit, "--key", "development")["keys"]
    assert (fetched["circuit"], fetched["here"]) == (smallest.circuit, True)
    assert hashlib.sha256(cache.read(smallest)).digest() == smallest.proving_key


@pytest.mark.parametrize("altered", [b"", b"x", None])
def test_what_is_no_key_of_the_manifest_is_refused(altered: bytes | None, folder: Path, smallest: KeyEntry) -> None:
    file = folder / smallest.file
    data = file.read_bytes()
    file.write_bytes(data[:-1] if altered is None else altered)
    assert code("fetch", str(file)) == "key_unknown"
    assert list(cache.folder().iterdir()) == []


def test_too_much_is_refused_while_it_comes(folder: Path, url: str, smallest: KeyEntry) -> None:
    most = max(key.proving_key_size for key in manifest().all_keys())
    (folder / smallest.file).write_bytes(bytes(most + 1))
    for source in (str(folder / smallest.file), url + smallest.file):
        assert code("fetch", source) == "limit_exceeded"
    assert list(cache.folder().iterdir()) == []


def test_what_is_not_there_is_told(folder: Path, url: str) -> None:
    assert code("fetch", str(folder / "missing.key")) == "file_unreadable"
    assert code("fetch", url + "missing.key") == "fetch_failed"
    assert code("fetch", "http://127.0.0.1:1/x") == "fetch_failed"
    assert code("fetch", "http://[/x") == "fetch_failed"


def test_a_redirect_leads_to_no_file(tmp_path: Path, folder: Path, smallest: KeyEntry) -> None:
    """A server that is asked over http does not make us read a file of our own."""

    class Redirecting(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", (folder / smallest.file).as_uri())
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        assert code("fetch", f"http://127.0.0.1:{server.server_port}/x") == "fetch_failed"
        server.shutdown()
        thread.join()


def test_without_production_keys_there_is_nothing_to_fetch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {
        name: CircuitEntry(
            name, entry.publics, entry.constraints, entry.wires, entry.r1cs, tuple(k for k in entry.keys if k.is_unsafe)
        )
        for name, entry in manifest().circuits.items()
    }
    only_development = Manifest(entries)
    monkeypatch.setattr("chartseal.cli.proving_key.manifest", lambda: only_development)
    monkeypatch.setattr(sources, "manifest", lambda: only_development)
    assert code("fetch", str(folder)) == "key_unknown"
