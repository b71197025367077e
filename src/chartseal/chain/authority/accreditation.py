"""What an authority attests of an issuer: name, roles, keys, endpoint, validity, and whom it succeeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest, Schema
from chartseal.chain.facts import Attestation
from chartseal.chain.schemas import ACCREDITATION, role_bits, roles_of
from chartseal.errors import AuthorityError, FieldEncodingError, KeyFormatError, SchemaError, SignatureError
from chartseal.keys.card import IssuerCard, check_endpoint, check_name
from chartseal.keys.possession import verify_possession

_LARGEST_DATA = 2_048
_POSSESSION = 64

_SCHEMA = Schema.parse(ACCREDITATION.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The content of an accreditation. Times are Unix seconds; `expires_at` 0 is never.

    `roles` are words of chain/schemas.py. A zero key is none. Proof of possession goes with the proving key: the
    key's signature over `issuer` (keys/possession.py).
    """

    issuer: Address
    name: str
    roles: frozenset[str]
    proving_key: bytes = ZERO_DIGEST
    """Baby Jubjub point as circomlib packs it: 32 bytes."""
    possession: bytes = field(default=b"", repr=False)
    """64 bytes, or none."""
    transport_key: bytes = ZERO_DIGEST
    """X25519 public key: 32 bytes."""
    endpoint: str = ""
    """https URL of the issuer's node, or empty."""
    valid_from: int = 0
    expires_at: int = 0
    predecessor: Address = ZERO_ADDRESS
    """The issuer's address before this one."""

    @classmethod
    def of_card(
        cls, card: IssuerCard, roles: Iterable[str], *, valid_from: int = 0, expires_at: int = 0, name: str = ""
    ) -> Grant:
        """What a card asks for, with the authority's roles and times, and its own word for the name if it has one."""
        return cls(
            issuer=card.address,
            name=name or card.name,
            roles=frozenset(roles),
            proving_key=card.proving_key,
            possession=card.possession,
            transport_key=card.transport_key,
            endpoint=card.endpoint,
            valid_from=valid_from,
            expires_at=expires_at,
            predecessor=card.predecessor,
        )

    def encode(self) -> bytes:
        """The attestation's data.

        Raises:
            AuthorityError: `accreditation_malformed`, `endpoint_refused`, `name_refused`, `possession_missing` or
                `possession_invalid`: an authority states nothing that readers would pass over.
            SchemaError: `role_unknown`.
        """
        check_form(self)
        check_possession(self)
        return encode_unchecked(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accredited(Grant):
    """An accreditation as it stands on chain; whether it is live is `standing`'s to say."""

    uid: Digest
    authority: Address
    """Who attested it."""
    attested_at: int
    """Time of its block."""
    revoked_at: int = 0
    """Time of the block in which the authority revoked it; 0 if it did not."""

    @property
    def begins_at(self) -> int:
        """From when it can be live: never before it was attested."""
        return max(self.valid_from, self.attested_at)


def encode_unchecked(grant: Grant) -> bytes:
    """The attestation's data, whatever it says.

    Raises:
        AuthorityError: `accreditation_malformed`: a part does not fit its ABI type.
        SchemaError: `role_unknown`.
    """
    try:
        return _SCHEMA.encode(
            [
                grant.name,
                role_bits(grant.roles),
                grant.proving_key,
                grant.possession,
                grant.transport_key,
                grant.endpoint,
                grant.valid_from,
                grant.predecessor,
            ]
        )
    except FieldEncodingError as exc:
        raise AuthorityError("a part does not fit its type", "accreditation_malformed", exc.path) from exc


def read_accreditation(attestation: Attestation) -> Accredited:
    """An accreditation from its attestation; of which schema that is, the caller knows.

    Neither the proving key nor its possession is checked: an issuer with a bad one is still accredited, but never
    stands in a trust root. Unknown role bits are passed over.

    Raises:
        AuthorityError: `accreditation_malformed`, `endpoint_refused` or `name_refused`.
    """
    if len(attestation.data) > _LARGEST_DATA:
        raise AuthorityError("an accreditation's data is too long", "accreditation_malformed", "data")
    try:
        name, roles, proving_key, possession, transport_key, endpoint, valid_from, predecessor = _SCHEMA.decode(
            attestation.data
        )
    except (FieldEncodingError, SchemaError) as exc:
        raise AuthorityError("an accreditation's data is not of its schema", "accreditation_malformed", "data") from exc
    accredited = Accredited(
        uid=attestation.uid,
        authority=attestation.attester,
        issuer=attestation.recipient,
        name=name,
        roles=roles_of(roles),
        proving_key=proving_key,
        possession=possession,
        transport_key=transport_key,
        endpoint=endpoint,
        valid_from=valid_from,
        expires_at=attestation.expiration_time,
        predecessor=Address(predecessor),
        attested_at=attestation.time,
        revoked_at=attestation.revocation_time,
    )
    check_form(accredited)
    return accredited


def check_form(grant: Grant) -> None:
    """Refuse what no reader takes for an accreditation.

    Raises:
        AuthorityError: `accreditation_malformed`, `endpoint_refused` or `name_refused`.
    """
    if not grant.roles:
        raise AuthorityError("an accreditation has at least one role", "accreditation_malformed", "roles")
    if grant.issuer == ZERO_ADDRESS or grant.predecessor == grant.issuer:
        raise AuthorityError("an issuer is somebody, and not its own predecessor", "accreditation_malformed", "issuer")
    if len(grant.possession) not in (0, _POSSESSION):
        raise AuthorityError("a proof of possession has 64 bytes", "accreditation_malformed", "possession")
    check_name(grant.name)
    check_endpoint(grant.endpoint)


def check_possession(grant: Grant) -> None:
    """Refuse a proving key that the issuer did not show to hold; no key needs no proof.

    Raises:
        AuthorityError: `possession_missing` or `possession_invalid`.
    """
    if grant.proving_key == ZERO_DIGEST:
        if grant.possession:
            raise AuthorityError("a proof of possession without a key", "possession_invalid", "possession")
        return
    if not grant.possession:
        raise AuthorityError("a proving key needs its proof of possession", "possession_missing", "possession")
    try:
        verify_possession(grant.issuer, grant.proving_key, grant.possession)
    except (KeyFormatError, SignatureError) as exc:
        raise AuthorityError(exc.detail, "possession_invalid", "possession") from exc
