"""The issuer's key file: keys that seal, prove and read, the secret behind `chartseal.person`, the FHIR base."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from chartseal import _core
from chartseal.attestation.hexes import Address, address_from, checksum_address, from_hex, to_hex
from chartseal.attestation.networks import Network, network, networks
from chartseal.attestation.signer import LocalSigner, make_keystore, make_secret
from chartseal.errors import AttestationError, KeyFileError, KeyFormatError, PackageError
from chartseal.keys import _files
from chartseal.keys.possession import possession_message
from chartseal.keys.transport import transport_public
from chartseal.sealing.seal import DEFAULT_VALIDITY, Issuing, Places

_KIND = "issuer-key"
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Source: SEC 2, section 2.4.1."""

DEFAULT_NETWORK = "sepolia"


class _Kept(NamedTuple):
    """A key whose secret is opened on first use: each costs most of a second, and sealing needs neither."""

    public: bytes
    open: Callable[[], bytes]


class IssuerKey:
    """An issuer's secrets, in memory."""

    __slots__ = ("_person_secret", "_proving", "_secret", "_transport", "base", "network", "signer")

    def __init__(
        self,
        secret: bytes,
        person_secret: bytes,
        *,
        base: str = "",
        seals_for: Network | str = DEFAULT_NETWORK,
        proving_secret: bytes | None = None,
        transport_secret: bytes | None = None,
    ) -> None:
        """Take both secrets (32 bytes each), the FHIR base URL ("" when unknown) and where EAS is that seals name.

        `seals_for` is a network's name in the table, or one that is not in it (a chain of one's own).
        `proving_secret` is a Baby Jubjub scalar (32 bytes, little-endian), `transport_secret` one of X25519; issuers of
        earlier files have neither.

        Raises:
            KeyFormatError: a secret is no key, or the base is no absolute URL.
            DomainError: no such network.
        """
        self.signer = LocalSigner(secret)
        self.base = _checked_base(base)
        self.network: Network = network(seals_for) if isinstance(seals_for, str) else seals_for
        self._secret = secret
        self._person_secret = person_secret
        self._proving = _kept(proving_secret, lambda each: _core.ProvingKey(each).public())
        self._transport = _kept(transport_secret, transport_public)

    @classmethod
    def generate(cls, *, base: str = "", seals_for: Network | str = DEFAULT_NETWORK) -> IssuerKey:
        """New secrets, from the operating system's randomness."""
        return cls(_random_secret(), _random_secret(), base=base, seals_for=seals_for).upgraded()

    def upgraded(self) -> IssuerKey:
        """The same issuer with a proving and a transport key, new ones where it has none."""
        return IssuerKey(
            self._secret,
            self._person_secret,
            base=self.base,
            seals_for=self.network,
            proving_secret=self._proving.open() if self._proving else _core.ProvingKey.generate_secret(),
            transport_secret=self._transport.open() if self._transport else _random_secret(),
        )

    @property
    def address(self) -> str:
        """The attester's address, with EIP-55's checksum."""
        return checksum_address(self.signer.address)

    @property
    def person_secret(self) -> bytes:
        """The key of HMAC-SHA256 for `chartseal.person`: 32 bytes."""
        return self._person_secret

    @property
    def is_complete(self) -> bool:
        """Whether it has a proving and a transport key."""
        return self._proving is not None and self._transport is not None

    @property
    def proving_key(self) -> bytes:
        """The public key under which claims are proved: a packed Baby Jubjub point, 32 bytes.

        Raises:
            KeyFileError: `key_file_outdated`: the file is of an earlier form; `chartseal issuer upgrade` adds the key.
        """
        return _required(self._proving).public

    @property
    def transport_key(self) -> bytes:
        """The public X25519 key that the issuer's node is written to under: 32 bytes.

        Raises:
            KeyFileError: `key_file_outdated`.
        """
        return _required(self._transport).public

    def proving(self) -> _core.ProvingKey:
        """The key that signs what circuits check.

        Raises:
            KeyFileError: `key_file_outdated`, or damaged.
        """
        return _core.ProvingKey(_required(self._proving).open())

    def transport_secret(self) -> bytes:
        """The raw X25519 scalar: 32 bytes.

        Raises:
            KeyFileError: `key_file_outdated`, or damaged.
        """
        return _required(self._transport).open()

    def possession(self) -> bytes:
        """The proving key's signature over the attester's address: what an authority asks for, 64 bytes.

        Raises:
            KeyFileError: `key_file_outdated`, or damaged.
        """
        return self.proving().sign(possession_message(self.signer.address, self.proving_key))

    def issuing(self, *, validity: timedelta = DEFAULT_VALIDITY, places: Places | None = None) -> Issuing:
        """What sealing takes; `validity` is what seals of records that hold for a time only are given.

        With places in status lists (a `StatusStore`) records get credentials, if there is a proving key.

        Raises:
            KeyFileError: the file is damaged.
        """
        proving = self.proving() if places is not None and self._proving is not None else None
        domain = self.network.domain()
        return Issuing(self.signer, domain, self._person_secret, self.base, validity, proving=proving, places=places)

    @staticmethod
    def stated_address(path: Path) -> Address:
        """The address that a key file states, for which no passphrase is needed.

        Raises:
            KeyFileError: unreadable, damaged or of another kind.
        """
        return _files.stated_address(_KIND, path)

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
        key._proving = _read_kept(members, "proving", passphrase, lambda each: _core.ProvingKey(each).public())
        key._transport = _read_kept(members, "transport", passphrase, transport_public)
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
        for name, kept in (("proving", self._proving), ("transport", self._transport)):
            if kept:
                members |= {name: make_secret(kept.open(), passphrase), f"{name}Key": to_hex(kept.public)}
        _files.write(path, _files.encode(_KIND, members), force=force)


def _kept(secret: bytes | None, public: Callable[[bytes], bytes]) -> _Kept | None:
    return None if secret is None else _Kept(public(secret), lambda: secret)


def _read_kept(members: dict[str, Any], name: str, passphrase: str, public: Callable[[bytes], bytes]) -> _Kept | None:
    """A key of the file, or None where it is of an earlier form; its secret stays shut until it is used."""
    if name not in members and f"{name}Key" not in members:
        return None
    if name not in members:
        raise KeyFileError("the key file lacks a secret", path=name)
    try:
        key = from_hex(members.get(f"{name}Key"), f"{name}Key", 32)
    except PackageError as exc:
        raise KeyFileError("the key file states no public key", path=f"{name}Key") from exc

    def opened() -> bytes:
        secret = _files.unlock(members[name], passphrase)
        try:
            if public(secret) == key:
                return secret
        except KeyFormatError:
            pass
        raise KeyFileError("the key file states another key's public part", path=f"{name}Key")

    return _Kept(key, opened)


def _required(kept: _Kept | None) -> _Kept:
    if kept is None:
        raise KeyFileError(
            "the key file is of an earlier form, without this key: `chartseal issuer upgrade` adds it",
            "key_file_outdated",
        )
    return kept


def _random_secret() -> bytes:
    """A uniform secp256k1 key; the person and transport secrets too, because Web3 Secret Storage takes only such."""
    return (secrets.randbelow(SECP256K1_ORDER - 1) + 1).to_bytes(32)


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
