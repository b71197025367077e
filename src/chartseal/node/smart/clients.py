"""Clients of a node: accounts that are accredited now, and those that its settings register.

An accredited client's id is its account, and its keys are those that its own node serves; nobody registers it. A stock
client that speaks SMART Backend Services is registered with a key set. Either way a client stands or falls anew at
each request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from chartseal.attestation import Address, address_from, checksum_address
from chartseal.consent import Scopes
from chartseal.errors import AccessError, PackageError, ScopeError
from chartseal.node.smart.accreditations import Accreditations
from chartseal.node.smart.jose import LARGEST_KEY_SET, KeySet, VerifyingKey
from chartseal.node.smart.key_sets import KEY_SET_PATH, KeySets
from chartseal.verification.chain import ROLES

LONGEST_CLIENT_ID = 200
_SYSTEM = "system"
READING = Scopes.parse("system/*.rs")
"""What an accredited client may ask for where settings say nothing: to read and search, as far as consent goes."""


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A client that the settings name.

    Raises:
        AccessError: `client_setting`: an id that is empty, too long or an account's; roles that there are none of, or
            beside an account, whose accreditation says them.
    """

    client_id: str
    keys: KeySet = field(repr=False)
    allowed: Scopes
    roles: frozenset[str] = frozenset()
    """Of `verification.chain.ROLES`, by the word of this node alone."""
    account: Address | None = None
    """The accredited account whose client it is, which must then stand."""

    def __post_init__(self) -> None:
        """Refuse what would be taken for somebody else."""
        if not 0 < len(self.client_id) <= LONGEST_CLIENT_ID or not self.client_id.isprintable():
            raise _setting("a client's id has 1 to 200 characters that show")
        if self.client_id[:2].lower() == "0x":
            raise _setting("an id that begins with 0x is an account's")
        if self.roles - set(ROLES) or (self.roles and self.account is not None):
            raise _setting("roles are those of accreditations, and of an account its own")

    @classmethod
    def from_file(
        cls,
        client_id: str,
        key_set: Path,
        scopes: str,
        *,
        roles: frozenset[str] = frozenset(),
        account: Address | None = None,
    ) -> RegisteredClient:
        """With the public keys of a JWK set's file.

        Raises:
            AccessError: `client_setting`; `key_set_malformed`, `limit_exceeded`.
        """
        try:
            with key_set.open("rb") as stream:
                text = stream.read(LARGEST_KEY_SET + 1)
        except OSError as exc:
            raise _setting(f"the key set of a client cannot be read: {exc.strerror}") from exc
        try:
            keys, allowed = KeySet.loads(text), Scopes.parse(scopes)
        except ScopeError as exc:
            raise _setting(f"the scopes of a client: {exc.detail}") from exc
        if not keys.keys or not allowed.scopes or any(each.context != _SYSTEM for each in allowed.scopes):
            raise _setting("a client has a key for ES384 or RS384, and scopes of a system")
        return cls(client_id, keys, allowed, roles, account)


@dataclass(frozen=True, slots=True)
class Client:
    """A client as it stands now."""

    client_id: str
    account: Address | None
    roles: frozenset[str]
    is_accredited: bool
    allowed: Scopes
    keys: KeySet | None = field(default=None, repr=False)
    """Of a registered one."""
    endpoint: str = ""
    """Base URL of the node that serves its keys; empty for registered ones, and for accounts without a node."""

    @property
    def key_set_url(self) -> str:
        """Where its keys are served; empty for those without a node."""
        return self.endpoint + KEY_SET_PATH if self.endpoint else ""


class Clients:
    """Finds clients and their keys."""

    def __init__(
        self,
        accreditations: Accreditations,
        key_sets: KeySets,
        *,
        registered: Callable[[], Mapping[str, RegisteredClient]] = lambda: MappingProxyType({}),
        allowed: Scopes = READING,
    ) -> None:
        """`registered` is asked each time, so that who is taken out is out."""
        self._accreditations = accreditations
        self._key_sets = key_sets
        self._registered = registered
        self._allowed = allowed

    def find(self, client_id: str, now: datetime) -> Client | None:
        """The client of that id, if there is one now.

        Raises:
            ChainError: who is accredited cannot be known now.
        """
        if client_id[:2].lower() == "0x":
            return self._accredited(client_id, now)
        found = self._registered().get(client_id)
        if found is None:
            return None
        roles = found.roles
        if found.account is not None:
            member = self._accreditations.find(found.account, now)
            if member is None:
                return None
            roles = member.roles
        return Client(client_id, found.account, roles, found.account is not None, found.allowed, found.keys)

    def key(self, client: Client, kid: str, algorithm: str) -> VerifyingKey | None:
        """A client's key of that name and algorithm.

        Raises:
            PeerError: as `KeySets.find`.
        """
        if client.keys is not None:
            return client.keys.find(kid, algorithm)
        if client.account is None or not client.endpoint:
            return None
        return self._key_sets.find(client.account, client.endpoint, kid, algorithm)

    def _accredited(self, client_id: str, now: datetime) -> Client | None:
        try:
            account = address_from(client_id, "client_id")
        except PackageError:
            return None
        member = self._accreditations.find(account, now)
        if member is None:
            return None
        named = checksum_address(account)
        return Client(named, account, member.roles, True, self._allowed, endpoint=member.endpoint)


def _setting(detail: str) -> AccessError:
    return AccessError(detail, "client_setting")
