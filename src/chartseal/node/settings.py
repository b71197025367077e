"""A node's settings: one TOML file, and the environment over it.

`CHARTSEAL_NODE_LISTEN__PORT=8443` stands for `port` of `[listen]`. Paths are taken against the file's folder. A secret
is never in the settings: they say where it is, `file:PATH` or `env:NAME`.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from chartseal.attestation import Address, address_from
from chartseal.errors import AttestationError, NodeSettingsError

PREFIX = "CHARTSEAL_NODE_"
_LARGEST_FILE = 1 << 20
_LARGEST_SECRET = 4_096
_REFERENCE = re.compile(r"(file|env):(.+)", re.DOTALL)
_BASE = re.compile(r"https?://[^/?#\s@]+(/[^?#\s]*)?", re.ASCII)
_SCHEME = re.compile(r"(keyring|env|pkcs11):")
_LARGEST_TRANSACTION = (16 << 20) - 1
"""A transaction is one batch of sealing, which 16 MiB would end."""


def _base(value: str) -> str:
    if not _BASE.fullmatch(value):
        raise ValueError("expected an absolute http(s) URL without user, query and fragment")
    return value.rstrip("/")


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise ValueError("expected file:PATH or env:NAME, never the secret itself")
    return value


SecretRef = Annotated[str, AfterValidator(_reference)]
"""Where a secret is: `file:PATH` or `env:NAME`."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Listen(_Table):
    """Where the node answers, and how long it waits."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    trusted_proxies: tuple[str, ...] = ()
    """Addresses whose X-Forwarded-For and -Proto are believed."""
    most_connections: int = Field(default=1_000, ge=1, le=100_000)
    threads: int = Field(default=16, ge=1, le=256)
    """For what waits on the database and on sealing."""
    shutdown_seconds: int = Field(default=30, ge=1, le=3_600)
    """How long what is in flight may take to end."""


class Limits(_Table):
    """What one request, and one client, may take."""

    body_bytes: int = Field(default=8 << 20, ge=1_024, le=_LARGEST_TRANSACTION)
    """Of a body, unpacked too; imports have their own."""
    header_bytes: int = Field(default=16 << 10, ge=1_024, le=1 << 20)
    headers: int = Field(default=64, ge=8, le=1_000)
    target_bytes: int = Field(default=4_096, ge=256, le=1 << 16)
    """Of path and query."""
    unpacked_ratio: int = Field(default=200, ge=2, le=1_000)
    """How many times longer than what came a packed body may be, once it is longer than 1 MiB."""
    idle_seconds: float = Field(default=15.0, gt=0, le=600)
    """In which a request's headers, and each next piece of its body, must come."""
    bytes_per_second: int = Field(default=1_024, ge=1, le=1 << 30)
    """The least rate of a body, after the first `idle_seconds`."""
    requests_per_minute: int = Field(default=12_000, ge=1, le=10_000_000)
    """Of one client: by its credential or token, else by its address."""


class VaultSettings(_Table):
    """Which vault, and where its keys and large ciphertexts are."""

    place: str = "vault.db"
    """An SQLite file, or postgresql://…"""
    place_from: SecretRef | None = None
    """In place of `place`, where the URL holds a password."""
    keys: str | None = None
    """As `vault --keys`; beside an SQLite file by default."""
    blobs: str | None = None


class IssuerSettings(_Table):
    """The key that seals."""

    key: Path = Path("issuer.json")
    status: Path | None = None
    """The store of status lists; beside the key by default."""
    valid_days: int = Field(default=366, ge=1, le=36_500)


class Pusher(_Table):
    """Who may push: a name for the audit log, and where its secret is."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    secret: SecretRef


class IngestSettings(_Table):
    """What is pushed, by whom, and to whom it is sealed."""

    pushers: tuple[Pusher, ...] = Field(default=(), max_length=32)
    patients: Path = Path("patients.csv")
    """CSV of patient id and sealing address."""
    delivery_days: int = Field(default=90, ge=0, le=3_650)
    test: bool = False
    """Seal records marked HTEST."""
    modifier_extensions: tuple[str, ...] = ()
    implicit_rules: tuple[str, ...] = ()
    spool: Path = Path("spool")
    """Where uploads wait, encrypted."""
    import_bytes: int = Field(default=64 << 30, ge=1_024, le=1 << 50)
    """Of one import, unpacked."""
    imports_at_once: int = Field(default=2, ge=1, le=16)
    imports_waiting: int = Field(default=100, ge=1, le=10_000)
    keep_results_hours: int = Field(default=168, ge=1, le=8_760)


class ClientSettings(_Table):
    """A client that this node registers, as a stock SMART client: it needs no accreditation of its own."""

    id: str = Field(min_length=1, max_length=200)
    keys: Path
    """A file with its public keys, a JWK set."""
    scopes: str
    """What it may ask for at most, as SMART writes it."""
    roles: tuple[str, ...] = ()
    account: str | None = None
    """The accredited account whose client it is; roles are then that account's."""

    @property
    def address(self) -> Address | None:
        """The account, 20 bytes.

        Raises:
            NodeSettingsError: `settings_invalid`.
        """
        return None if self.account is None else _account(self.account, "network.clients.account")


class NetworkSettings(_Table):
    """How the node takes part in the network; without this table it takes in what is pushed, and answers nobody."""

    trust: Path = Path("trust.toml")
    """The trust policy, whose authorities say who is accredited."""
    rpc: SecretRef | None = None
    """Where the URL of a node of the chain is, which may hold a key."""
    index: SecretRef | None = None
    """Where the URL of an index of the chain is; it is asked instead of the node."""
    deployment: Path | None = None
    """Where EAS is, as `chartseal chain up` writes it; else the public one of the chain."""
    keys: str = "network.keys"
    """A keystore of its own, as `vault --keys` names places."""
    consents: str = "consents.db"
    tokens: str = "tokens.db"
    """SQLite files or postgresql://…: of consents, and of assertions that were used."""
    policy: Path | None = None
    """What the site's law permits without a consent; nothing by default."""
    allow_loopback: bool = False
    """Call nodes on this very machine without TLS: for trying out."""
    endpoints: dict[str, str] = Field(default_factory=dict)
    """Base URLs of accounts' nodes that are elsewhere than their accreditations say."""
    clients: tuple[ClientSettings, ...] = Field(default=(), max_length=1_000)

    @property
    def elsewhere(self) -> dict[Address, str]:
        """`endpoints` by account.

        Raises:
            NodeSettingsError: `settings_invalid`.
        """
        return {_account(name, "network.endpoints"): url for name, url in self.endpoints.items()}


def _account(text: str, place: str) -> Address:
    try:
        return address_from(text, place)
    except AttestationError as exc:
        raise NodeSettingsError(exc.detail, "settings_invalid", place) from None


class LogSettings(_Table):
    """What is logged, as JSON on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """All of a node's settings; `Settings.load` reads them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    base_url: Annotated[str, AfterValidator(_base)] = "http://127.0.0.1:8080"
    """Where others reach the node, without a final slash."""
    passphrase: SecretRef = "env:CHARTSEAL_PASSPHRASE"  # noqa: S105 (where it is)
    """Of the issuer's key file, the vault's keystore and the spool's key."""
    listen: Listen = Listen()
    limits: Limits = Limits()
    vault: VaultSettings = VaultSettings()
    issuer: IssuerSettings = IssuerSettings()
    ingest: IngestSettings = IngestSettings()
    network: NetworkSettings | None = None
    log: LogSettings = LogSettings()
    _folder: Path = PrivateAttr(default=Path())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file, which comes as arguments."""
        return env_settings, init_settings

    @classmethod
    def load(cls, path: Path) -> Settings:
        """Read a file, and the environment over it.

        Raises:
            NodeSettingsError: `settings_missing`, `settings_malformed`, `settings_invalid`.
        """
        return cls.of(_read(path), path.parent)

    @classmethod
    def of(cls, members: Mapping[str, Any], folder: Path) -> Settings:
        """Settings of a file's members, whose paths are taken against the folder.

        Raises:
            NodeSettingsError: `settings_invalid`.
        """
        try:
            settings = cls(**members)
        except ValidationError as exc:
            raise _invalid(exc) from None
        except ValueError:  # a variable of the environment that is no JSON, where a table or list belongs
            raise NodeSettingsError(f"a variable {PREFIX}… is not JSON, where a table or list belongs") from None
        settings._folder = folder.absolute()
        return settings

    def at(self, path: Path | str) -> Path:
        """A path of the settings, taken against the file's folder."""
        return self._folder / path

    def secret(self, reference: str, name: str) -> str:
        """The secret that a setting points to, without a final line end.

        Raises:
            NodeSettingsError: `secret_missing`, `secret_exposed`: others may read the file; `secret_malformed`.
        """
        kind, _, where = reference.partition(":")
        text = _from_environment(where, name) if kind == "env" else _from_file(self.at(where), name)
        if not text:
            raise NodeSettingsError("the secret is empty", "secret_malformed", name)
        return text

    def vault_place(self) -> str:
        """Where the vault is.

        Raises:
            NodeSettingsError: as `secret`.
        """
        if self.vault.place_from is not None:
            return self.secret(self.vault.place_from, "vault.place_from")
        return self.vault.place if "://" in self.vault.place else str(self.at(self.vault.place))

    def place_at(self, place: str) -> str:
        """A place of the settings: a URL or scheme as it is, a path taken against the file's folder."""
        return place if "://" in place or _SCHEME.match(place) else str(self.at(place))

    def keys_place(self) -> str:
        """Where the vault's keys are: beside an SQLite file, where no other place is given.

        Raises:
            NodeSettingsError: `settings_invalid`.
        """
        keys = self.vault.keys
        if keys is None:
            place = self.vault_place()
            if "://" in place:
                raise NodeSettingsError("a vault at a URL needs a place for its keys", path="vault.keys")
            return f"{place}.keys"
        return self.place_at(keys)

    def blobs_place(self) -> str | None:
        """Where large ciphertexts are, None for the database."""
        blobs = self.vault.blobs
        return blobs if blobs is None or "://" in blobs else str(self.at(blobs))


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
    except OSError as exc:
        raise NodeSettingsError(f"the settings cannot be read: {exc.strerror}", "settings_missing") from None
    if len(data) > _LARGEST_FILE:
        raise NodeSettingsError("the settings' file is too long", "settings_malformed")
    try:
        return tomllib.loads(data.decode())
    except tomllib.TOMLDecodeError as exc:
        where = re.search(r"line \d+, column \d+", str(exc))  # the rest of the message may quote the file
        raise NodeSettingsError("the settings are not TOML", "settings_malformed", where[0] if where else "") from None
    except UnicodeDecodeError:
        raise NodeSettingsError("the settings are not UTF-8", "settings_malformed") from None


def _invalid(error: ValidationError) -> NodeSettingsError:
    """The first of what is wrong; pydantic's messages of these kinds quote no value."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(map(str, first["loc"]))
    told = "no such setting" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    return NodeSettingsError(told[:1].lower() + told[1:], "settings_invalid", path)


def _from_environment(variable: str, name: str) -> str:
    text = os.environ.get(variable)
    if text is None:
        raise NodeSettingsError("the secret's variable is not set", "secret_missing", name)
    return text.rstrip("\r\n")


def _from_file(path: Path, name: str) -> str:
    try:
        with path.open("rb") as stream:
            is_exposed = os.fstat(stream.fileno()).st_mode & (stat.S_IRWXO | stat.S_IWGRP)
            data = stream.read(_LARGEST_SECRET + 1)
    except OSError as exc:
        raise NodeSettingsError(f"the secret's file cannot be read: {exc.strerror}", "secret_missing", name) from None
    if is_exposed:
        raise NodeSettingsError("everybody may read the secret's file, or its group write it", "secret_exposed", name)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if len(data) > _LARGEST_SECRET:
        raise NodeSettingsError("the secret is too long", "secret_malformed", name)
    return text.rstrip("\r\n")
