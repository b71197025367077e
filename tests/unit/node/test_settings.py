"""Settings: the file, the environment over it, and typed errors that show no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartseal.errors import NodeSettingsError
from chartseal.node.settings import Settings


def load(folder: Path, text: str) -> Settings:
    path = folder / "node.toml"
    path.write_text(text)
    return Settings.load(path)


def refused(folder: Path, text: str) -> NodeSettingsError:
    with pytest.raises(NodeSettingsError) as caught:
        load(folder, text)
    return caught.value


def test_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    assert (settings.listen.host, settings.listen.port) == ("127.0.0.1", 8080)
    assert settings.base_url == "http://127.0.0.1:8080"
    assert settings.vault_place() == str(tmp_path / "vault.db")
    assert settings.keys_place() == str(tmp_path / "vault.db.keys")
    assert settings.blobs_place() is None


def test_the_environment_stands_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[listen]\nport = 9000\nhost = "::1"\n'
    monkeypatch.setenv("CHARTSEAL_NODE_LISTEN__PORT", "9001")
    monkeypatch.setenv("CHARTSEAL_NODE_BASE_URL", "https://hospital.example/node/")
    settings = load(tmp_path, text)
    assert (settings.listen.host, settings.listen.port) == ("::1", 9001)
    assert settings.base_url == "https://hospital.example/node"


@pytest.mark.parametrize(
    ("text", "path", "detail"),
    [
        ("[listen]\nport = 65536", "listen.port", "65535"),
        ("[listen]\nprot = 1", "listen.prot", "no such setting"),
        ("lisen = 1", "lisen", "no such setting"),
        ('base_url = "ftp://hospital.example"', "base_url", "http"),
        ('base_url = "https://me:geheim@hospital.example"', "base_url", "user"),
        ('passphrase = "geheim"', "passphrase", "file:PATH"),
        ('[[ingest.pushers]]\nname = "ehr"\nsecret = "geheim"', "ingest.pushers.0.secret", "never the secret"),
        ('[[ingest.pushers]]\nname = "The EHR"\nsecret = "env:X"', "ingest.pushers.0.name", "pattern"),
        ('[log]\nlevel = "loud"', "log.level", "debug"),
        ("[limits]\nbody_bytes = 16777216", "limits.body_bytes", "16777215"),
    ],
)
def test_what_is_wrong_is_named_and_not_shown(tmp_path: Path, text: str, path: str, detail: str) -> None:
    error = refused(tmp_path, text)
    assert (error.code, error.path) == ("settings_invalid", path)
    assert detail in error.detail
    assert "geheim" not in str(error)


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    error = refused(tmp_path, "passphrase = geheim\n")
    assert (error.code, error.path) == ("settings_malformed", "line 1, column 14")
    assert "geheim" not in str(error)
    (tmp_path / "node.toml").write_bytes(b"\xff")
    with pytest.raises(NodeSettingsError, match="UTF-8"):
        Settings.load(tmp_path / "node.toml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NodeSettingsError) as caught:
        Settings.load(tmp_path / "other.toml")
    assert caught.value.code == "settings_missing"
    assert str(tmp_path) not in str(caught.value)


def test_a_variable_that_is_no_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTSEAL_NODE_INGEST", "geheim")
    error = refused(tmp_path, "")
    assert error.code == "settings_invalid"
    assert "geheim" not in str(error)


def test_secrets_come_from_files_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(tmp_path, "")
    monkeypatch.setenv("SOME_SECRET", "geheim")
    assert settings.secret("env:SOME_SECRET", "x") == "geheim"
    file = tmp_path / "secret"
    file.write_text("geheim\n")
    file.chmod(0o600)
    assert settings.secret("file:secret", "x") == "geheim"
    file.chmod(0o640)  # a group that reads is how containers share secrets
    assert settings.secret(f"file:{file}", "x") == "geheim"


@pytest.mark.parametrize(
    ("mode", "content", "code"),
    [
        (0o644, b"geheim", "secret_exposed"),
        (0o620, b"geheim", "secret_exposed"),
        (0o600, b"", "secret_malformed"),
        (0o600, b"\xff", "secret_malformed"),
        (0o600, b"x" * 4_097, "secret_malformed"),
    ],
)
def test_secrets_that_are_refused(tmp_path: Path, mode: int, content: bytes, code: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(NodeSettingsError) as caught:
        load(tmp_path, "").secret("file:secret", "passphrase")
    assert (caught.value.code, caught.value.path) == (code, "passphrase")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("reference", ["env:NOT_SET_ANYWHERE", "file:not-there"])
def test_secrets_that_are_missing(tmp_path: Path, reference: str) -> None:
    with pytest.raises(NodeSettingsError) as caught:
        load(tmp_path, "").secret(reference, "passphrase")
    assert caught.value.code == "secret_missing"


def test_a_url_with_a_password_comes_from_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE", "postgresql://app:geheim@/x")
    settings = load(tmp_path, '[vault]\nplace_from = "env:DATABASE"\nkeys = "env:VK"\nblobs = "blobs"\n')
    assert settings.vault_place() == "postgresql://app:geheim@/x"
    assert settings.keys_place() == "env:VK"
    assert settings.blobs_place() == str(tmp_path / "blobs")
    with pytest.raises(NodeSettingsError) as caught:
        load(tmp_path, '[vault]\nplace = "postgresql://app@/x"\n').keys_place()
    assert caught.value.path == "vault.keys"
