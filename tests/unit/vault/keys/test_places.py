"""What every place of keys does alike, and what each refuses."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from keyring.backends.fail import Keyring as FailKeyring

from chartseal.errors import ChartsealError, VaultKeyError, WrongPassphraseError
from chartseal.vault.keys import EnvironmentKeys, KeyProvider, KeyringKeys, KeystoreFile, TokenKeys, open_keys
from tests.disks import SmallDisk
from tests.disks import small_disk as small_disk
from tests.softhsm import PIN, Token
from tests.unit.vault.keys.conftest import MemoryKeyring

Open = Callable[[], KeyProvider]


@pytest.fixture(params=["file", "keyring", "token"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens the same place again and again."""
    if request.param == "file":
        request.getfixturevalue("quick")
        yield lambda: open_keys(str(tmp_path / "keys.json"), lambda: "passphrase")
    elif request.param == "keyring":
        request.getfixturevalue("memory_keyring")
        yield lambda: open_keys("keyring:vault of tests", None)
    else:
        token: Token = request.getfixturevalue("softhsm")
        monkeypatch.setenv("PIN_OF_TESTS", PIN)
        keys = open_keys(f"pkcs11:{token.module}?token={token.label}&pin=env:PIN_OF_TESTS", None)
        yield lambda: keys
        empty(keys)


def empty(keys: KeyProvider) -> None:
    for name in keys.names():
        keys.destroy(name)
    assert isinstance(keys, TokenKeys)
    keys.close()


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ChartsealError) as caught:
        call()
    assert "secret" not in str(caught.value)
    return caught.value.code


def test_a_secret_is_kept_until_it_is_destroyed(opened: Open) -> None:
    keys = opened()
    assert list(keys.names()) == []
    first, index = keys.make("epoch-1"), keys.make("index")
    assert len(first) == len(index) == 32
    assert first != index
    for each in (keys, opened()):
        assert list(each.names()) == ["epoch-1", "index"]
        assert (each.get("epoch-1"), each.get("index")) == (first, index)
    keys.destroy("epoch-1")
    keys.destroy("epoch-1")
    for each in (keys, opened()):
        assert list(each.names()) == ["index"]
        assert code_of(partial(each.get, "epoch-1")) == "key_missing"
        assert each.get("index") == index
    assert keys.make("epoch-1") != first


def test_a_secret_that_is_there_is_not_replaced(opened: Open) -> None:
    keys = opened()
    secret = keys.make("epoch-1")
    assert code_of(lambda: opened().make("epoch-1")) == "key_exists"
    assert opened().get("epoch-1") == secret


@pytest.mark.parametrize("name", ["", "Epoch", "epoch-0", "epoch-01", "epoch-1 ", "names of all", "a" * 17])
def test_names_that_are_none_are_refused(opened: Open, name: str) -> None:
    keys = opened()
    assert {code_of(partial(use, name)) for use in (keys.get, keys.make, keys.destroy)} == {"key_name"}


# file


@pytest.fixture
def path(tmp_path: Path, quick: None) -> Path:
    return tmp_path / "keys.json"


def test_a_wrong_passphrase_and_damage_are_told_apart(path: Path) -> None:
    KeystoreFile(path, "right").make("index")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(WrongPassphraseError):
        KeystoreFile(path, "wrong")
    whole = path.read_bytes()
    for damage in (whole[:-40], whole.replace(b"index", b"jndex"), b"", whole.replace(b"vault-keys", b"wallet")):
        path.write_bytes(damage)
        assert code_of(lambda: KeystoreFile(path, "right")) == "keys_damaged"
    path.write_bytes(whole)
    assert len(KeystoreFile(path, "right").get("index")) == 32


def test_every_flipped_byte_is_damage(path: Path) -> None:
    KeystoreFile(path, "right").make("index")
    whole = path.read_bytes()
    for at in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert code_of(lambda: KeystoreFile(path, "right").get("index")) == "keys_damaged"


def test_every_cut_is_damage_under_any_passphrase(path: Path) -> None:
    KeystoreFile(path, "right").make("index")
    whole = path.read_bytes()
    for at in range(0, len(whole) - 1, 13):
        path.write_bytes(whole[:at])
        for passphrase in ("right", "wrong"):
            assert code_of(partial(KeystoreFile, path, passphrase)) == "keys_damaged"


def test_a_secret_under_another_name_does_not_open(path: Path) -> None:
    from chartseal.keys import _files

    keys = KeystoreFile(path, "right")
    keys.make("index")
    keys.make("pseudonyms")
    members = _files.decode("vault-keys", path.read_bytes())
    kept = members["secrets"]
    kept["index"], kept["pseudonyms"] = kept["pseudonyms"], kept["index"]
    path.write_bytes(_files.encode("vault-keys", {"key": members["key"], "secrets": kept}))
    assert code_of(lambda: keys.get("index")) == "keys_damaged"


def test_a_file_holds_no_secret_in_clear_and_forgets_the_destroyed(path: Path, tmp_path: Path) -> None:
    keys = KeystoreFile(path, "right")
    secret = keys.make("epoch-1")
    sealed = json.loads(path.read_bytes())["secrets"]["epoch-1"].encode()
    assert secret.hex().encode() not in path.read_bytes()
    with path.open("rb") as before:  # the file that is replaced, still open
        keys.destroy("epoch-1")
        assert sealed not in before.read()
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]
    assert sealed not in path.read_bytes()


def test_opening_costs_one_scrypt(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chartseal.keys import _files

    keys = KeystoreFile(path, "right")
    for number in range(1, 6):
        keys.make(f"epoch-{number}")
    unlock, calls = _files.unlock, []

    def counting(keystore: object, passphrase: str) -> bytes:
        calls.append(1)
        return unlock(keystore, passphrase)

    monkeypatch.setattr(_files, "unlock", counting)
    keys = KeystoreFile(path, "right")
    assert len({keys.get(name) for name in keys.names()}) == 5
    keys.make("epoch-6")
    assert calls == [1]


def test_a_file_that_is_replaced_or_gone_is_not_written_over(path: Path) -> None:
    keys = KeystoreFile(path, "right")
    keys.make("index")
    path.unlink()
    assert code_of(lambda: keys.make("epoch-1")) == "keys_unavailable"
    other = KeystoreFile(path, "other")
    secret = other.make("index")
    assert code_of(lambda: keys.make("epoch-1")) == code_of(lambda: keys.get("index")) == "keys_unavailable"
    assert other.get("index") == secret


def test_a_file_takes_no_more_than_its_size_allows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartseal.vault.keys.file._MOST", 2)
    keys = KeystoreFile(path, "right")
    keys.make("epoch-1")
    keys.make("epoch-2")
    assert code_of(lambda: keys.make("epoch-3")) == "keys_full"


def test_the_most_secrets_stay_under_the_size_of_key_files(path: Path) -> None:
    from chartseal.keys import _files
    from chartseal.vault.keys import file

    KeystoreFile(path, "right").make("index")
    members = _files.decode("vault-keys", path.read_bytes())
    sealed = members["secrets"]["index"]
    many = {f"epoch-{999_999_999 - number}": sealed for number in range(file._MOST)}
    assert len(_files.encode("vault-keys", {"key": members["key"], "secrets": many})) <= 65_536


def _make(path: str, numbers: range) -> None:
    keys = KeystoreFile(Path(path), "right")
    for number in numbers:
        keys.make(f"epoch-{number}")


def test_two_processes_lose_nothing(path: Path) -> None:
    KeystoreFile(path, "right").make("index")
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_make, args=(str(path), range(10 * n, 10 * n + 10))) for n in (1, 2)]
    for each in children:
        each.start()
    for each in children:
        each.join()
        assert each.exitcode == 0
    keys = KeystoreFile(path, "right")
    assert len({keys.get(name) for name in keys.names()}) == 21


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, quick: None) -> None:
    assert code_of(lambda: KeystoreFile(tmp_path / "none" / "keys", "x").make("index")) == "keys_unavailable"


def test_a_full_disk_keeps_the_keys_that_are_there(small_disk: SmallDisk, quick: None) -> None:
    path = small_disk.folder / "keys.json"
    keys = KeystoreFile(path, "right")
    small_disk.fill()
    assert code_of(lambda: keys.make("index")) == "disk_full"
    assert small_disk.files() == []
    small_disk.make_room()
    index = keys.make("index")
    small_disk.fill()
    assert {code_of(lambda: keys.make("epoch-1")), code_of(lambda: keys.destroy("index"))} == {"disk_full"}
    assert KeystoreFile(path, "right").get("index") == index
    small_disk.make_room()
    keys.make("epoch-1")
    assert list(KeystoreFile(path, "right").names()) == ["epoch-1", "index"]


# environment

SECRET = bytes(range(32))


@pytest.mark.parametrize(
    "text",
    [SECRET.hex(), "0x" + SECRET.hex().upper(), base64.b64encode(SECRET).decode(), f" {SECRET.hex()}\n"],
)
def test_variables_are_hex_or_base64(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_EPOCH_1", text)
    monkeypatch.setenv("VAULT_OTHER_THING", text)
    keys = open_keys("env:VAULT", None)
    assert list(keys.names()) == ["epoch-1"]
    assert keys.get("epoch-1") == SECRET


@pytest.mark.parametrize("text", ["", SECRET.hex()[2:], base64.b64encode(SECRET + b"!").decode(), "secret €"])
def test_variables_that_hold_no_secret_are_damage(text: str) -> None:
    assert code_of(lambda: EnvironmentKeys("VAULT", {"VAULT_INDEX": text}).get("index")) == "keys_damaged"


def test_the_environment_takes_and_forgets_nothing() -> None:
    keys = EnvironmentKeys("VAULT", {"VAULT_EPOCH_1": SECRET.hex()})
    assert code_of(lambda: keys.make("epoch-1")) == "key_exists"
    assert code_of(lambda: keys.make("epoch-2")) == "keys_read_only"
    assert code_of(lambda: keys.destroy("epoch-1")) == "keys_read_only"
    keys.destroy("epoch-2")
    assert code_of(lambda: keys.get("epoch-2")) == "key_missing"


# keyring


def test_a_system_without_a_keyring_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # What the library takes where it finds no keyring; its classes have no types.
    monkeypatch.setattr("keyring.core._keyring_backend", FailKeyring())  # type: ignore[no-untyped-call]
    assert code_of(lambda: open_keys("keyring:vault", None)) == "keys_unavailable"


def test_a_keyring_that_keeps_nothing_gives_no_secret(memory_keyring: MemoryKeyring) -> None:
    keys = KeyringKeys("vault")
    memory_keyring.keeps = False
    assert code_of(lambda: keys.make("index")) == "keys_unavailable"


@pytest.mark.parametrize("text", ["zz", "00" * 31, "00" * 33])
def test_damage_in_a_keyring_is_told(text: str, memory_keyring: MemoryKeyring) -> None:
    keys = KeyringKeys("vault")
    keys.make("index")
    memory_keyring.entries["vault", "index"] = text
    assert code_of(lambda: keys.get("index")) == "keys_damaged"
    memory_keyring.entries["vault", "names"] = "index Secret!"
    assert code_of(keys.names) == "keys_damaged"


# token


def test_a_wrong_pin_a_missing_token_and_a_missing_library_are_told(softhsm: Token) -> None:
    with pytest.raises(WrongPassphraseError):
        TokenKeys(softhsm.module, softhsm.label, "9999")
    assert code_of(lambda: TokenKeys(softhsm.module, "other", PIN)) == "keys_unavailable"
    assert code_of(lambda: TokenKeys("/secret/lib.so", softhsm.label, PIN)) == "keys_unavailable"


def test_a_token_keeps_no_secret_readable_without_its_pin(softhsm: Token) -> None:
    keys = open_keys(f"pkcs11:{softhsm.module}?token={softhsm.label}", lambda: PIN)
    secret = keys.make("pseudonyms")
    kept = [each.read_bytes() for each in softhsm.folder.rglob("*") if each.is_file()]
    assert kept
    assert not any(secret in each for each in kept)
    empty(keys)


# places


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("", "keys_url"),
        ("http://secret/keys", "keys_url"),
        ("env:", "keys_url"),
        ("env:lower", "keys_url"),
        ("keyring:", "keys_url"),
        ("pkcs11:", "keys_url"),
        ("pkcs11:/lib.so", "keys_url"),
        ("pkcs11:/lib.so?token=a&token=b", "keys_url"),
        ("pkcs11:/lib.so?token=a&pin=secret", "keys_url"),
        ("pkcs11:/lib.so?token=a&secret=b", "keys_url"),
        ("pkcs11:/lib.so?token=a&pin=env:NOT_SET_HERE", "keys_locked"),
        ("pkcs11:/lib.so?token=a", "keys_locked"),
        ("keys.json", "keys_locked"),
    ],
)
def test_places_that_are_none_are_refused(place: str, code: str) -> None:
    assert "NOT_SET_HERE" not in os.environ
    with pytest.raises(VaultKeyError) as caught:
        open_keys(place, None)
    assert (caught.value.code, "secret" in str(caught.value)) == (code, False)
