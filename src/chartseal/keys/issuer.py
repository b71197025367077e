"""The issuer's key file: the key that seals, the secret behind `chartseal.person`, and the FHIR base URL."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chartseal.attestation.hexes import address_from, checksum_address
from chartseal.attestation.networks import Network, network, networks
from chartseal.attestation.signer import LocalSigner, make_keystore, make_secret
from chartseal.errors import AttestationError, KeyFileError, KeyFormatError
from chartseal.keys import _files
from chartseal.sealing.seal import DEFAULT_VALIDITY, Issuing

_KIND = "issuer-key"
_SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Source: SEC 2, section 2.4.1."""

DEFAULT_NETWORK = "sepolia"


class IssuerKey:
    """An issuer's secrets, in memory."""

    __slots__ = ("_person_secret", "_secret", "base", "network", "signer")

    def __init__(
        self, secret: bytes, person_secret: bytes, *, base: str = "", seals_for: Network | str = DEFAULT_NETWORK
    ) -> None:
        """Take both secrets (32 bytes each), the FHIR base URL ("" when unknown) and where EAS is that seals name.

        `seals_for` is a network's name in the table, or one that is not in it (a chain of one's own).

        Raises:
            KeyFormatError: the secret is no key, or the base is no absolute URL.
            DomainError: no such network.
        """
        self.signer = LocalSigner(secret)
        self.base = _checked_base(base)
        self.network: Network = network(seals_for) if isinstance(seals_for, str) else seals_for
        self._secret = secret
        self._person_secret = person_secret

    @classmethod
    def generate(cls, *, base: str = "", seals_for: Network | str = DEFAULT_NETWORK) -> IssuerKey:
        """New secrets, from the operating system's randomness."""
        return cls(_random_secret(), _random_secret(), base=base, seals_for=seals_for)

    @property
    def address(self) -> str:
        """The attester's address, with EIP-55's checksum."""
        return checksum_address(self.signer.address)

    @property
    def person_secret(self) -> bytes:
        """The key of HMAC-SHA256 for `chartseal.person`: 32 bytes."""
        return self._person_secret

    def issuing(self, *, validity: timedelta = DEFAULT_VALIDITY) -> Issuing:
        """What sealing takes; `validity` is what seals of records that hold for a time only are given."""
        return Issuing(self.signer, self.network.domain(), self._person_secret, self.base, validity)

    @classmethod
    def load(cls, path: Path, passphrase: str) -> IssuerKey:
        """Open an issuer key file.

        Raises:
            KeyFileError: unreadable, damaged, of another kind, or stating another key's address.
            WrongPassphraseError: whole, but the passphrase does not open it.
        """
        members = _files.decode(_KIND, _files.read(path))
        secret = _files.unlock(members.get("seal"), passphrase)
        person_secret = _files.unlock(members.get("person"), passphrase)
        base = members.get("base")
        if not isinstance(base, str):
            raise KeyFileError("the key file names no base")
        key = cls(secret, person_secret, base=base, seals_for=_read_network(members.get("network")))
        if key.address != members.get("address"):
            raise KeyFileError("the key file states another key's address")
        return key

    def save(self, path: Path, passphrase: str, *, force: bool = False) -> None:
        """Write the key file, mode 0600.

        Raises:
            KeyFileError: the file exists and `force` is not given, or it cannot be written.
        """
        members = {
            "address": self.address,
            "base": self.base,
            "network": _written_network(self.network),
            "seal": make_keystore(self._secret, passphrase),
            "person": make_secret(self._person_secret, passphrase),
        }
        _files.write(path, _files.encode(_KIND, members), force=force)


def _random_secret() -> bytes:
    """A uniform secp256k1 key; the person secret too, because Web3 Secret Storage takes only such."""
    return (secrets.randbelow(_SECP256K1_ORDER - 1) + 1).to_bytes(32)


def _written_network(kept: Network) -> str | dict[str, Any]:
    """A network of the table by its name; another as a deployment file's members."""
    if networks().get(kept.name) == kept:
        return kept.name
    return {
        "name": kept.name,
        "chainId": kept.chain_id,
        "version": kept.version,
        "eas": checksum_address(kept.eas),
        "schemaRegistry": checksum_address(kept.schema_registry),
    }


def _read_network(member: Any) -> Network | str:
    if isinstance(member, str):
        return member
    if not isinstance(member, dict):
        raise KeyFileError("the key file names no network")
    name, chain_id, version = (member.get(each) for each in ("name", "chainId", "version"))
    if not isinstance(name, str) or not isinstance(version, str) or type(chain_id) is not int:
        raise KeyFileError("the key file's network has no name, chainId or version")
    try:
        eas, registry = (address_from(member.get(each), each) for each in ("eas", "schemaRegistry"))
        found = Network(name, chain_id, version, eas, registry)
        found.domain()
    except AttestationError as exc:
        raise KeyFileError(f"the key file's network is malformed: {exc.detail}") from exc
    return found


def _checked_base(base: str) -> str:
    """The base URL with its final slash, or ""."""
    if not base:
        return ""
    try:
        parts = urlsplit(base)
    except ValueError as exc:
        raise KeyFormatError("the FHIR base is not a URL", "base_invalid") from exc
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise KeyFormatError("the FHIR base is no absolute http(s) URL without query and fragment", "base_invalid")
    return base.rstrip("/") + "/"
