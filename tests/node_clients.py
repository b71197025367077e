"""Clients of a node for tests: keys, assertions, and who is accredited, in memory."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, KeyParameters, RSAKey

from chartseal.attestation import Address, LocalSigner, checksum_address
from chartseal.errors import NodeError, PeerError, VaultKeyError
from chartseal.node.smart.accreditations import Member
from chartseal.node.smart.assertions import Assertions
from chartseal.node.smart.clients import Clients, RegisteredClient
from chartseal.node.smart.endpoint import SmartParts, token_url
from chartseal.node.smart.fetching import Answer, Reach
from chartseal.node.smart.grants import ASSERTION_TYPE, GRANT_TYPE, Grants
from chartseal.node.smart.key_sets import KeySets
from chartseal.node.smart.replays import Replays
from chartseal.node.smart.signing_keys import CLIENT_KEYS, TOKEN_KEYS, SigningKeys
from chartseal.node.smart.tokens import Tokens

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
BASE = "https://a.example/node"
TOKEN_URL = f"{BASE}/auth/token"
ACCOUNT = LocalSigner(b"\xb1" * 32)
HOSPITAL = ACCOUNT.address
ENDPOINT = "https://b.example"
CLIENT_ID = checksum_address(HOSPITAL)
B2B = {
    "version": "1",
    "subject_id": "urn:oid:2.16.840.1.113883.4.6#1234567893",
    "subject_name": "Dr. Ada Example",
    "organization_id": "https://b.example/org",
    "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#TREAT"],
}


class MemoryKeys:
    """A `KeyProvider` that forgets with the process."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.reads = 0

    def names(self) -> Sequence[str]:
        self.reads += 1
        return sorted(self.kept)

    def get(self, name: str) -> bytes:
        return self.kept[name]

    def make(self, name: str) -> bytes:
        if name in self.kept:
            raise VaultKeyError("it is there", "key_exists")
        self.kept[name] = secrets.token_bytes(32)
        return self.kept[name]

    def destroy(self, name: str) -> None:
        self.kept.pop(name, None)


class MemoryAccreditations:
    """`Accreditations` that a test puts in and takes out."""

    def __init__(self, *members: Member) -> None:
        self.members = {each.account: each for each in members}
        self.is_broken = False

    def find(self, account: Address, now: datetime) -> Member | None:
        if self.is_broken:
            raise NodeError("the node cannot be reached", "node_unreachable")
        return self.members.get(account)


class Clock:
    """A moment that a test moves."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()


def ec_key(kid: str = "k1", curve: str = "P-384") -> ECKey:
    return ECKey.generate_key(curve, KeyParameters(kid=kid))


def rsa_key(kid: str = "r1", bits: int = 2_048) -> RSAKey:
    return RSAKey.generate_key(bits, KeyParameters(kid=kid))


def key_set(*keys: ECKey | RSAKey, **members: Any) -> bytes:
    return json.dumps({"keys": [{**key.as_dict(private=False), **members} for key in keys]}).encode()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(key: ECKey | RSAKey, claims: Any, **header: Any) -> str:
    """A compact signature by the library, with any header that it takes."""
    algorithm = header.pop("alg", "ES384" if isinstance(key, ECKey) else "RS384")
    members = {"alg": algorithm, "kid": key.kid, **header}
    content = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.serialize_compact(members, content, key, algorithms=[algorithm])


def claims_of(*, client_id: str = CLIENT_ID, now: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """What a good client says; a change to None takes the member out."""
    seconds = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": client_id,
        "sub": client_id,
        "aud": TOKEN_URL,
        "iat": seconds,
        "exp": seconds + 300,
        "jti": secrets.token_hex(16),
        "extensions": {"hl7-b2b": B2B},
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def form_of(assertion: str, scope: str = "system/*.rs", **changes: str) -> dict[str, str]:
    return {
        "grant_type": GRANT_TYPE,
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        **changes,
    }


@dataclass
class Site:
    """A node's token endpoint in memory, with one accredited client."""

    replays: Replays
    key: ECKey = field(default_factory=ec_key)
    clock: Clock = field(default_factory=Clock)
    accreditations: MemoryAccreditations = field(
        default_factory=lambda: MemoryAccreditations(
            Member(HOSPITAL, frozenset({"hospital", "laboratory"}), "General", ENDPOINT)
        )
    )
    registered: dict[str, RegisteredClient] = field(default_factory=dict)
    provider: MemoryKeys = field(default_factory=MemoryKeys)
    served: dict[str, bytes] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    base: str = BASE

    def __post_init__(self) -> None:
        self.served[f"{ENDPOINT}/.well-known/jwks.json"] = key_set(self.key)
        self.client_keys = SigningKeys(self.provider, CLIENT_KEYS)
        self.token_keys = SigningKeys(self.provider, TOKEN_KEYS)
        self.client_keys.rotate()
        self.token_keys.rotate()
        self.key_sets = KeySets(Reach(), must_vouch=False, call=self._call, clock=self.clock.seconds)
        self.clients = Clients(self.accreditations, self.key_sets, registered=self._registered)
        self.tokens = Tokens(self.token_keys, issuer=self.base, audience=f"{self.base}/fhir")
        self.grants = Grants(Assertions(self.clients, self.replays, token_url(self.base)), self.tokens)
        self.parts = SmartParts(self.grants, self.client_keys, self.base, now=self.clock)

    def _call(self, url: str, _: Reach) -> Answer:
        self.called.append(url)
        if url not in self.served:
            raise PeerError("it cannot be reached", "peer_unreachable")
        return Answer(200, self.served[url])

    def _registered(self) -> Mapping[str, RegisteredClient]:
        return self.registered

    def form(self, **changes: Any) -> dict[str, str]:
        """A good form but for the changes to its claims."""
        return form_of(signed(self.key, claims_of(now=self.clock.now, **changes), typ="JWT"))
