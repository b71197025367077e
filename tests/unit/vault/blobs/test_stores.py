"""Folder and S3: what was put comes back, or a typed error; never other bytes."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import time
from pathlib import Path

import pytest

from chartseal.errors import VaultDamageError, VaultError
from chartseal.vault.blobs import BlobStore, S3Blobs, open_blobs
from tests.s3_server import BUCKET, Fault, S3Proxy

DATA = bytes(range(256)) * 400
DIGEST = hashlib.sha256(DATA).digest()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return open_blobs(str(tmp_path / "a" / "blobs"))
    return open_blobs(s3_place(request.getfixturevalue("s3_proxy")))


def s3_place(proxy: S3Proxy, prefix: str = "some/vault") -> str:
    return f"s3://{BUCKET}/{prefix}?endpoint={proxy.url}"


def code_of(store: BlobStore, digest: bytes = DIGEST) -> str:
    with pytest.raises(VaultError) as caught:
        store.get(digest)
    assert "secret" not in str(caught.value)
    return caught.value.code


def test_what_is_put_comes_back_until_it_is_deleted(store: BlobStore) -> None:
    assert code_of(store) == "blob_missing"
    store.put(DIGEST, DATA)
    store.put(DIGEST, DATA)
    assert store.get(DIGEST) == DATA
    assert list(store.digests()) == [DIGEST]
    assert list(store.digests(before=time.time() + 60)) == [DIGEST]
    assert list(store.digests(before=time.time() - 60)) == []
    store.delete(DIGEST)
    store.delete(DIGEST)
    assert code_of(store) == "blob_missing"
    assert list(store.digests()) == []


@pytest.mark.parametrize("size", [31, 33])
def test_an_address_has_32_bytes(store: BlobStore, size: int) -> None:
    for use in (store.get, store.delete, lambda digest: store.put(digest, b"")):
        with pytest.raises(VaultError) as caught:
            use(bytes(size))
        assert caught.value.code == "blob_address"


@pytest.mark.parametrize("place", ["", "http://h/b", "s3://", "s3:///p", "s3://u:secret@b/p", "s3://b/p?key=secret"])
def test_places_that_are_none_are_refused(place: str) -> None:
    with pytest.raises(VaultError) as caught:
        open_blobs(place)
    assert (caught.value.code, "secret" in str(caught.value)) == ("blobs_url", False)


@pytest.mark.parametrize("endpoint", ["ftp://h", "http://u:secret@h", "h", "http://h&endpoint=http://i"])
def test_endpoints_that_are_none_are_refused(endpoint: str) -> None:
    with pytest.raises(VaultError) as caught:
        open_blobs(f"s3://b/p?endpoint={endpoint}")
    assert (caught.value.code, "secret" in str(caught.value)) == ("blobs_url", False)


def test_a_place_says_whose_it_is(store: BlobStore) -> None:
    store.put(DIGEST, DATA)
    assert store.mark() == ""
    for mark in ("1" * 64, "2" * 64):
        store.set_mark(mark)
        assert store.mark() == mark
    assert list(store.digests()) == [DIGEST]
    assert list(store.digests(before=time.time() + 60)) == [DIGEST]


# folder


def test_a_folder_is_its_owners_alone_and_two_levels_deep(tmp_path: Path) -> None:
    store = open_blobs(str(tmp_path / "blobs"))
    store.put(DIGEST, DATA)
    name = DIGEST.hex()
    path = tmp_path / "blobs" / name[:2] / name[2:4] / name
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o600
    folders = [each for each in (tmp_path / "blobs").rglob("*") if each.is_dir()] + [tmp_path / "blobs"]
    assert {each.stat().st_mode & 0o777 for each in folders} == {0o700}


@pytest.mark.parametrize("damage", [DATA[:-1], DATA + b"\0", bytes([DATA[0] ^ 1]) + DATA[1:], b""])
def test_damage_of_a_file_is_named(damage: bytes, tmp_path: Path) -> None:
    store = open_blobs(str(tmp_path))
    store.put(DIGEST, DATA)
    next(tmp_path.rglob(DIGEST.hex())).write_bytes(damage)
    with pytest.raises(VaultDamageError) as caught:
        store.get(DIGEST)
    assert (caught.value.code, caught.value.path) == ("blob_damaged", DIGEST.hex())
    store.put(DIGEST, DATA)
    assert store.get(DIGEST) == DATA


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EIO, "blobs_unavailable")]
)
def test_a_folder_that_takes_no_more_keeps_nothing_half(
    number: int, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_blobs(str(tmp_path))

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("chartseal.vault.blobs.folder.os.fsync", refuse)
        with pytest.raises(VaultError) as caught:
            store.put(DIGEST, DATA)
    assert caught.value.code == code
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]
    store.put(DIGEST, DATA)
    assert store.get(DIGEST) == DATA


def test_what_a_killed_process_left_goes_when_it_is_old(tmp_path: Path) -> None:
    open_blobs(str(tmp_path))
    old, young = tmp_path / "new" / "old", tmp_path / "new" / "young"
    for each in (old, young):
        each.write_bytes(DATA)
    os.utime(old, (0, time.time() - 3_700))
    assert list(open_blobs(str(tmp_path)).digests()) == []
    assert (old.exists(), young.exists()) == (False, True)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"")
    with pytest.raises(VaultError) as caught:
        open_blobs(str(tmp_path / "blobs"))
    assert caught.value.code == "blobs_unavailable"


# S3


def test_vaults_under_two_prefixes_are_apart(s3_proxy: S3Proxy) -> None:
    one, other, all_ = (S3Blobs(s3_place(s3_proxy, each)) for each in ("one", "other", ""))
    one.put(DIGEST, DATA)
    assert code_of(other) == "blob_missing"
    assert list(other.digests()) == list(all_.digests()) == []
    all_.put(DIGEST, DATA)
    assert list(all_.digests()) == [DIGEST]


def test_a_store_that_is_busy_for_a_while_is_asked_again(s3_proxy: S3Proxy) -> None:
    store = S3Blobs(s3_place(s3_proxy))
    s3_proxy.fail("PUT", Fault.BUSY, times=2)
    store.put(DIGEST, DATA)
    for fault in (Fault.BUSY, Fault.CUT, Fault.HALF, Fault.FLIPPED, Fault.DROPPED):
        s3_proxy.fail("GET", fault, times=1)
        assert store.get(DIGEST) == DATA
        assert s3_proxy.seen["GET"] == 2
    s3_proxy.fail("DELETE", Fault.DROPPED, times=1)
    store.delete(DIGEST)
    assert code_of(store) == "blob_missing"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.BUSY, "blobs_unavailable"),
        (Fault.CUT, "blobs_unavailable"),
        (Fault.DROPPED, "blobs_unavailable"),
        (Fault.HALF, "blob_damaged"),
        (Fault.FLIPPED, "blob_damaged"),
    ],
)
def test_a_store_that_stays_wrong_gives_an_error_and_no_body(
    fault: Fault, code: str, s3_proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chartseal.vault.blobs.s3._ATTEMPTS", 2)
    store = S3Blobs(s3_place(s3_proxy))
    store.put(DIGEST, DATA)
    s3_proxy.fail("GET", fault)
    assert code_of(store) == code


@pytest.mark.parametrize(("fault", "code"), [(Fault.FULL, "disk_full"), (Fault.BUSY, "blobs_unavailable")])
def test_a_store_that_takes_nothing_is_told(
    fault: Fault, code: str, s3_proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chartseal.vault.blobs.s3._ATTEMPTS", 2)
    store = S3Blobs(s3_place(s3_proxy))
    s3_proxy.fail("PUT", fault)
    with pytest.raises(VaultError) as caught:
        store.put(DIGEST, DATA)
    assert (caught.value.code, "secret" in str(caught.value)) == (code, False)
    s3_proxy.fail("PUT", fault, times=0)
    assert list(store.digests()) == []


def test_a_store_is_told_the_hash(s3_proxy: S3Proxy) -> None:
    S3Blobs(s3_place(s3_proxy)).put(DIGEST, DATA)
    assert s3_proxy.checksums == [base64.b64encode(DIGEST).decode()]


def test_a_bucket_that_is_not_there_is_no_missing_blob(s3_proxy: S3Proxy) -> None:
    assert code_of(S3Blobs(f"s3://other?endpoint={s3_proxy.url}")) == "blobs_unavailable"
