"""Key files of proxies and view keys, and what a view key cannot do."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from eth_keyfile import keyfile

from chartseal import _core
from chartseal.attestation import to_hex
from chartseal.errors import ChartsealError, KeyFileError, KeyFormatError, WrongPassphraseError
from chartseal.keys import ProxyKey, ViewKey, Wallet, _files, deliver

WALLET = Wallet(b"\x07" * 32)
VIEW, PROXY = ViewKey.of(WALLET, 1, 2), ProxyKey.generate()
PASSPHRASE = "correct horse"


@pytest.fixture(autouse=True)
def fast_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key files of these tests use 2^10 rounds: the same format, a second less for each."""
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)


def test_a_view_key_finds_and_reads_as_its_wallet_does() -> None:
    delivery = deliver(WALLET.sealing_address(1, 2))
    assert VIEW.receive(delivery.enc) == WALLET.receive(delivery.enc, address=1, epoch=2)
    assert VIEW.open(delivery.enc, delivery.seal(b"record")) == b"record"
    assert VIEW.scan(deliver(WALLET.sealing_address()).announcement + delivery.announcement)[-1] == 1


def test_a_view_key_cannot_sign() -> None:
    """Neither by a method of its own, nor by the address's keys: what it holds is no scalar of the spend key."""
    able = {name for kind in (ViewKey, _core.ViewKey) for name in dir(kind) if not name.startswith("_")}
    assert able == {"address", "load", "of", "open", "receive", "save", "scan"}
    delivery, message = deliver(VIEW.address), (5).to_bytes(32)
    try:
        taken = _core.ProvingKey(WALLET.view_secret(1, 2))
    except KeyFormatError:
        return  # not even a scalar of the curve
    for key in (delivery.subject, VIEW.address.spend_key):
        with pytest.raises(ChartsealError):
            _core.verify_holder_signature(key, message, taken.sign(message))


@pytest.mark.parametrize("key", [VIEW, PROXY], ids=["view key", "proxy key"])
def test_a_file_opens_again(key: ViewKey | ProxyKey, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    key.save(path, PASSPHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    opened = type(key).load(path, PASSPHRASE)
    if isinstance(key, ViewKey) and isinstance(opened, ViewKey):
        assert opened.address == key.address
    if isinstance(key, ProxyKey) and isinstance(opened, ProxyKey):
        assert opened.public == key.public
    with pytest.raises(WrongPassphraseError):
        type(key).load(path, PASSPHRASE + "?")
    with pytest.raises(KeyFileError) as caught:
        key.save(path, PASSPHRASE)
    assert caught.value.code == "key_file_exists"


def test_no_file_stands_for_another_kind(tmp_path: Path) -> None:
    view, proxy, wallet = (tmp_path / name for name in ("view.json", "proxy.json", "wallet.json"))
    VIEW.save(view, PASSPHRASE)
    PROXY.save(proxy, PASSPHRASE)
    WALLET.save(wallet, PASSPHRASE)
    for kind, path in ((ViewKey, proxy), (ViewKey, wallet), (ProxyKey, view), (ProxyKey, wallet), (Wallet, view)):
        with pytest.raises(KeyFileError) as caught:
            kind.load(path, PASSPHRASE)
        assert caught.value.code == "key_file_kind"


def test_a_file_states_its_own_key(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    VIEW.save(path, PASSPHRASE)
    members = json.loads(path.read_text())
    for stated in (str(WALLET.sealing_address()), "seal1", None):
        _rewrite(path, "view-key", {"address": stated, "secret": members["secret"]})
        with pytest.raises(KeyFileError):
            ViewKey.load(path, PASSPHRASE)
    PROXY.save(path, PASSPHRASE, force=True)
    members = json.loads(path.read_text())
    _rewrite(path, "proxy-key", {"key": to_hex(ProxyKey.generate().public), "secret": members["secret"]})
    with pytest.raises(KeyFileError):
        ProxyKey.load(path, PASSPHRASE)


def _rewrite(path: Path, kind: str, members: dict[str, object]) -> None:
    path.write_bytes(_files.encode(kind, members))


def test_nothing_secret_is_shown() -> None:
    for key in (VIEW, PROXY):
        assert repr(key).startswith("<chartseal.keys.")
        with pytest.raises(TypeError):
            pickle.dumps(key)
    with pytest.raises(KeyFormatError) as caught:
        ViewKey(WALLET.view_secret(1, 2), WALLET.sealing_address())
    assert caught.value.code == "view_key_mismatch"
    assert WALLET.view_secret(1, 2).hex() not in str(caught.value)
