"""A vault whose S3 store answers 503, cuts bodies, drops connections: nothing is half, and afterwards all goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chartseal.errors import VaultError
from chartseal.vault import Vault
from chartseal.vault.audit import verify_log
from chartseal.vault.blobs import Blobs, S3Blobs
from chartseal.vault.database import reading
from chartseal.vault.deliveries import publish
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.tables import ERASED
from tests.charts import NOW
from tests.s3_server import BUCKET, Fault, S3Proxy
from tests.s3_server import s3_proxy as s3_proxy
from tests.s3_server import s3_server as s3_server
from tests.vault_records import create, lines_of, put

RECORDS = 3


@pytest.fixture
def vault(s3_proxy: S3Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """All ciphertexts are in the store."""
    monkeypatch.setattr("chartseal.vault.blobs.s3._ATTEMPTS", 2)
    vault = create(str(tmp_path / "vault.db"))
    vault.blobs = Blobs(S3Blobs(f"s3://{BUCKET}/vault?endpoint={s3_proxy.url}"), inline=10)
    put(vault, lines_of(RECORDS))
    return vault


def fails(act: Callable[[], object]) -> None:
    with pytest.raises(VaultError) as caught:
        act()
    assert caught.value.code == "blobs_unavailable"


def whole(vault: Vault) -> None:
    assert list(vault.verify()) == []
    with reading(vault.engine) as connection:
        verify_log(connection, now=NOW)


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.DROPPED])
def test_storing(fault: Fault, vault: Vault, s3_proxy: S3Proxy) -> None:
    lines = lines_of(2)
    s3_proxy.fail("PUT", fault)
    fails(lambda: put(vault, lines))
    s3_proxy.fail("PUT", fault, times=0)
    assert len(vault.find()) == RECORDS
    whole(vault)
    assert put(vault, lines).new == 2
    assert vault.blobs.sweep(vault.engine, now=datetime.now(UTC) + timedelta(hours=2)) == (fault is Fault.DROPPED)
    whole(vault)


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.CUT])
def test_reading_and_publishing(fault: Fault, vault: Vault, s3_proxy: S3Proxy, tmp_path: Path) -> None:
    s3_proxy.fail("GET", fault)
    fails(lambda: list(vault.lines(vault.find(), actor="clerk", now=NOW)))
    fails(lambda: list(vault.verify()))
    fails(lambda: publish(vault, tmp_path / "mailbox", actor="clerk", now=NOW))
    assert list((tmp_path / "mailbox" / "deliveries").iterdir()) == []
    s3_proxy.fail("GET", fault, times=0)
    assert publish(vault, tmp_path / "mailbox", actor="clerk", now=NOW).new == RECORDS
    whole(vault)


def test_erasing(vault: Vault, s3_proxy: S3Proxy) -> None:
    """What is erased is erased: ciphertexts that the store would not delete go later."""
    s3_proxy.fail("DELETE", Fault.BUSY)
    fails(lambda: erase(vault, vault.find(), basis=Basis.PATIENT_REQUEST, actor="clerk", now=NOW))
    assert {each.state for each in vault.find()} == {ERASED}
    whole(vault)
    s3_proxy.fail("DELETE", Fault.BUSY, times=0)
    assert vault.blobs.sweep(vault.engine, now=datetime.now(UTC) + timedelta(hours=2)) == 2 * RECORDS
    assert vault.blobs.store is not None
    assert list(vault.blobs.store.digests()) == []
