"""What a new node needs, made where it is missing; nothing that is there is changed."""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from pathlib import Path
from string import Template
from typing import NamedTuple

from chartseal.attestation import Network
from chartseal.errors import NodeSettingsError, VaultError
from chartseal.keys import IssuerKey
from chartseal.node.network import make_keys, network_keys
from chartseal.node.provider import vault_keys
from chartseal.node.settings import Settings
from chartseal.vault import Vault
from chartseal.vault.blobs import open_blobs

CONFIG = "node.toml"
_TEMPLATE = Template(
    """\
# A node of Chartseal. Every setting here can be given by the environment too: CHARTSEAL_NODE_LISTEN__PORT=8443.
# Paths are taken against this file's folder. Secrets stand elsewhere: file:PATH (mode 0600) or env:NAME.

# Where others reach the node: behind a proxy that speaks TLS, its URL.
base_url = "$base_url"

# Opens the issuer's key file and the vault's keystore.
passphrase = "env:CHARTSEAL_PASSPHRASE"

[listen]
host = "127.0.0.1"
port = 8080
# trusted_proxies = ["10.0.0.2"]   # whose X-Forwarded-For and -Proto are believed
# shutdown_seconds = 30            # for what is in flight when the node is told to end

[vault]
place = "$vault"               # or postgresql://user@host/name
# place_from = "file:database"     # in its stead, where the URL holds a password
$keys
# blobs = "blobs"                  # a folder, or s3://bucket/prefix, for ciphertexts above 256 KiB

[issuer]
key = "issuer.json"

[ingest]
patients = "patients.csv"          # patient id and sealing address; replace it whole
delivery_days = 90                 # how long a delivery waits for its patient
spool = "spool"                    # uploads, encrypted, until they are sealed
# imports_at_once = 2
# test = true                      # seal records marked HTEST, for trying out

[[ingest.pushers]]                 # who may push; as many as you like
name = "ehr"
secret = "file:ehr.secret"

# [network]                        # to answer other providers; `node init` again makes its keys
# trust = "trust.toml"             # authorities whose accreditations count
# rpc = "env:CHARTSEAL_RPC"        # a node of the chain; or index = "env:CHARTSEAL_INDEX"
# deployment = "deployment.json"   # where EAS is, if not at a public place
# policy = "site-policy.toml"      # what the site's law permits without a consent

[limits]
# body_bytes = 8388608             # of one push
# requests_per_minute = 12000      # of one client

[log]
level = "info"
"""
)


class Wanted(NamedTuple):
    """How a new node is to be."""

    base_url: str
    fhir_base: str
    """On which relative references to patients are taken."""
    vault: str
    keys: str | None
    network: Network | str


class Founded(NamedTuple):
    """What was made, and what was there."""

    made: list[str]
    kept: list[str]
    issuer: str
    """Address of the key that seals."""


def found(folder: Path, wanted: Wanted, *, now: datetime) -> Founded:
    """Make the settings' file and what it points to.

    Raises:
        NodeSettingsError: the settings cannot be used, or `folder_unusable`.
        KeyFileError, VaultError, VaultKeyError, WrongPassphraseError: a part is there and cannot be opened, or cannot
            be made.
    """
    steps: list[tuple[str, bool]] = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        steps.append((CONFIG, _write(folder / CONFIG, _text(wanted), 0o644)))
        settings = Settings.load(folder / CONFIG)
        steps += [(name, _write(path, secrets.token_urlsafe(32) + "\n", 0o600)) for name, path in _secrets(settings)]
        patients = settings.at(settings.ingest.patients)
        steps.append(("patients", _write(patients, "patient,address\n", 0o600)))
    except OSError as exc:
        raise NodeSettingsError(f"the folder cannot be used: {exc.strerror}", "folder_unusable") from None
    passphrase = settings.secret(settings.passphrase, "passphrase")
    issuer, is_new = _issuer(settings, wanted, passphrase)
    steps += [("issuer", is_new), ("vault", _vault(settings, issuer.base, passphrase, now))]
    if settings.network is not None:
        steps.append(("network keys", make_keys(network_keys(settings, settings.network, passphrase))))
    made = [name for name, is_made in steps if is_made]
    return Founded(made, [name for name, is_made in steps if not is_made], issuer.address)


def _text(wanted: Wanted) -> str:
    for value in (wanted.base_url, wanted.vault, wanted.keys or ""):
        if not value.isprintable() or '"' in value or "\\" in value:
            raise NodeSettingsError("a setting holds what TOML would have to escape", "settings_invalid")
    keys = '# keys = "vault.db.keys"' if wanted.keys is None else f'keys = "{wanted.keys}"'
    return _TEMPLATE.substitute(base_url=wanted.base_url, vault=wanted.vault, keys=keys)


def _secrets(settings: Settings) -> list[tuple[str, Path]]:
    """Files of the pushers' secrets."""
    files = [each for each in settings.ingest.pushers if each.secret.startswith("file:")]
    return [(f"secret of {each.name}", settings.at(each.secret.removeprefix("file:"))) for each in files]


def _write(path: Path, text: str, mode: int) -> bool:
    """Make a file; one that is there stays, and the answer is False."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)
    return True


def _issuer(settings: Settings, wanted: Wanted, passphrase: str) -> tuple[IssuerKey, bool]:
    path = settings.at(settings.issuer.key)
    if path.exists():
        return IssuerKey.load(path, passphrase), False
    base = wanted.fhir_base or f"{settings.base_url}/fhir/"
    issuer = IssuerKey.generate(base=base, seals_for=wanted.network)
    issuer.save(path, passphrase)
    return issuer, True


def _vault(settings: Settings, base: str, passphrase: str, now: datetime) -> bool:
    place, keys, blobs = settings.vault_place(), vault_keys(settings, passphrase), settings.blobs_place()
    store = None if blobs is None else open_blobs(blobs)
    try:
        Vault.open(place, keys, blobs=store).close()
    except VaultError as error:
        if error.code != "vault_missing":
            raise
    else:
        return False
    Vault.create(place, keys, blobs=store, base=base, now=now).close()
    return True
