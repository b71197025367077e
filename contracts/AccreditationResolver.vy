# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title AccreditationResolver
@notice See IAccreditationResolver, which says what each function promises.
"""

from .interfaces import IAccreditationResolver
from .modules import resolver

implements: IAccreditationResolver
initializes: resolver
exports: (resolver.eas, resolver.isPayable, resolver.version)

MOST_HELD: constant(uint256) = 8
MOST_BATCHED: constant(uint256) = 16
LONGEST_DATA: constant(uint256) = 1184  # heads, and tails of 32 + 224, 32 + 64 and 32 + 512 bytes, rounded up
LONGEST_NAME: constant(uint256) = 200
LONGEST_ENDPOINT: constant(uint256) = 500
SIGNATURE_SIZE: constant(uint256) = 64
HIGHEST_ROLE: constant(uint256) = 127
HIGHEST_CAUSE: constant(uint256) = 4
EPOCH_SECONDS: constant(uint256) = 86400
NEVER: constant(uint256) = 2**64 - 1
BN254_ORDER: constant(uint256) = 21888242871839275222246405745257275088548364400416034343698204186575808495617

AUTHORITY: immutable(address)
ACCREDITATION: immutable(bytes32)
WITHDRAWAL: immutable(bytes32)
TRUST_ROOT: immutable(bytes32)

# What each accreditation says, packed into one slot: roles << 128 | begins << 64 | ends. Never zero, since roles are not.
# `ends` never grows, so what is over stays over.
terms: HashMap[address, HashMap[bytes32, uint256]]
# Those that were not over when the issuer was last accredited.
held: HashMap[address, DynArray[bytes32, MOST_HELD]]
roots: HashMap[uint256, bytes32]


@deploy
def __init__(eas: address, authority: address):
    resolver.__init__(eas)
    assert authority != empty(address), "AuthorityMissing"
    AUTHORITY = authority
    this: bytes20 = convert(self, bytes20)
    ACCREDITATION = keccak256(
        concat(
            b"string name,uint256 roles,bytes32 provingKey,bytes possession,bytes32 transportKey,string endpoint,uint64 validFrom,address predecessor",
            this,
            b"\x01",
        )
    )
    WITHDRAWAL = keccak256(concat(b"bytes32 accreditation,uint64 withdrawnFrom,uint8 cause", this, b"\x00"))
    TRUST_ROOT = keccak256(concat(b"uint32 epoch,uint8 role,bytes32 trustRoot", this, b"\x01"))


@external
def attest(attestation: IAccreditationResolver.Attestation) -> bool:
    resolver._only_eas()
    self._on_attest(attestation)
    return True


@external
def multiAttest(
    attestations: DynArray[IAccreditationResolver.Attestation, MOST_BATCHED], amounts: DynArray[uint256, MOST_BATCHED]
) -> bool:
    resolver._only_eas()
    for attestation: IAccreditationResolver.Attestation in attestations:
        self._on_attest(attestation)
    return True


@external
def revoke(attestation: IAccreditationResolver.Attestation) -> bool:
    resolver._only_eas()
    self._on_revoke(attestation)
    return True


@external
def multiRevoke(
    attestations: DynArray[IAccreditationResolver.Attestation, MOST_BATCHED], amounts: DynArray[uint256, MOST_BATCHED]
) -> bool:
    resolver._only_eas()
    for attestation: IAccreditationResolver.Attestation in attestations:
        self._on_revoke(attestation)
    return True


@view
@external
def isAccredited(issuer: address, roles: uint256) -> bool:
    for uid: bytes32 in self.held[issuer]:
        packed: uint256 = self.terms[issuer][uid]
        if self._begins(packed) <= block.timestamp and block.timestamp < self._ends(packed):
            if self._roles(packed) & roles != 0:
                return True
    return False


@view
@external
def accreditationOf(issuer: address, uid: bytes32) -> IAccreditationResolver.Accreditation:
    return self._shown(issuer, uid)


@view
@external
def accreditationsOf(issuer: address) -> DynArray[IAccreditationResolver.Accreditation, MOST_HELD]:
    found: DynArray[IAccreditationResolver.Accreditation, MOST_HELD] = []
    for uid: bytes32 in self.held[issuer]:
        found.append(self._shown(issuer, uid))
    return found


@view
@external
def trustRoot(epoch: uint32, role: uint8) -> bytes32:
    return self.roots[self._place(convert(epoch, uint256), convert(role, uint256))]


@view
@external
def authority() -> address:
    return AUTHORITY


@view
@external
def accreditationSchemaUid() -> bytes32:
    return ACCREDITATION


@view
@external
def withdrawalSchemaUid() -> bytes32:
    return WITHDRAWAL


@view
@external
def trustRootSchemaUid() -> bytes32:
    return TRUST_ROOT


@internal
def _on_attest(attestation: IAccreditationResolver.Attestation):
    assert attestation.attester == AUTHORITY, "AttesterNotAuthority"
    if attestation.schema == ACCREDITATION:
        self._accredit(attestation)
    elif attestation.schema == WITHDRAWAL:
        self._withdraw(attestation)
    else:
        assert attestation.schema == TRUST_ROOT, "SchemaUnknown"
        self._set_root(attestation)


@internal
def _on_revoke(attestation: IAccreditationResolver.Attestation):
    # Only what `_on_attest` let through can be revoked, and that once: EAS sees to it.
    if attestation.schema == ACCREDITATION:
        issuer: address = attestation.recipient
        ends: uint256 = self._shorten(issuer, attestation.uid, block.timestamp)
        log IAccreditationResolver.Revoked(issuer=issuer, uid=attestation.uid, ends=convert(ends, uint64))
    else:
        assert attestation.schema == TRUST_ROOT, "SchemaUnknown"
        epoch: uint256 = self._word(attestation.data, 0)
        role: uint256 = self._word(attestation.data, 1)
        # A second root is refused while one stands, so the one that stands is the one revoked.
        place: uint256 = self._place(epoch, role)
        log IAccreditationResolver.TrustRootCleared(
            epoch=convert(epoch, uint32), role=convert(role, uint8), root=self.roots[place]
        )
        self.roots[place] = empty(bytes32)


@internal
def _accredit(attestation: IAccreditationResolver.Attestation):
    assert attestation.revocable, "NotRevocable"
    issuer: address = attestation.recipient
    assert issuer != empty(address), "IssuerMissing"
    roles: uint256 = 0
    begins: uint256 = 0
    roles, begins = self._read_accreditation(attestation.data)
    assert self._word(attestation.data, 7) != convert(issuer, uint256), "PredecessorInvalid"
    begins = max(begins, block.timestamp)
    ends: uint256 = NEVER
    if attestation.expirationTime != 0:
        ends = convert(attestation.expirationTime, uint256)
    assert begins < ends, "NeverValid"
    kept: DynArray[bytes32, MOST_HELD] = []
    for uid: bytes32 in self.held[issuer]:
        if self._ends(self.terms[issuer][uid]) > block.timestamp:
            kept.append(uid)
    assert len(kept) < MOST_HELD, "AccreditationsTooMany"
    kept.append(attestation.uid)
    self.held[issuer] = kept
    self.terms[issuer][attestation.uid] = (roles << 128) | (begins << 64) | ends
    log IAccreditationResolver.Accredited(
        issuer=issuer,
        uid=attestation.uid,
        roles=roles,
        begins=convert(begins, uint64),
        ends=convert(ends, uint64),
    )


@internal
def _withdraw(attestation: IAccreditationResolver.Attestation):
    assert attestation.expirationTime == 0, "MustNotExpire"
    assert len(attestation.data) == 96, "DataMalformed"
    uid: bytes32 = extract32(attestation.data, 0)
    since: uint256 = self._word(attestation.data, 1)
    cause: uint256 = self._word(attestation.data, 2)
    assert since <= NEVER, "DataMalformed"
    assert cause <= HIGHEST_CAUSE, "CauseUnknown"
    assert attestation.refUID == uid, "ReferenceMismatch"
    if cause == 0:
        since = max(since, block.timestamp)  # an ordinary withdrawal never reaches back
    ends: uint256 = self._shorten(attestation.recipient, uid, since)
    log IAccreditationResolver.Withdrawn(
        issuer=attestation.recipient, uid=uid, ends=convert(ends, uint64), cause=convert(cause, uint8)
    )


@internal
def _set_root(attestation: IAccreditationResolver.Attestation):
    assert attestation.revocable, "NotRevocable"
    assert attestation.expirationTime == 0, "MustNotExpire"
    assert len(attestation.data) == 96, "DataMalformed"
    epoch: uint256 = self._word(attestation.data, 0)
    role: uint256 = self._word(attestation.data, 1)
    root: bytes32 = extract32(attestation.data, 64)
    assert epoch <= 2**32 - 1, "DataMalformed"
    assert role <= HIGHEST_ROLE, "RoleInvalid"
    assert root != empty(bytes32) and convert(root, uint256) < BN254_ORDER, "RootInvalid"
    assert epoch * EPOCH_SECONDS <= block.timestamp, "EpochNotBegun"
    place: uint256 = self._place(epoch, role)
    assert self.roots[place] == empty(bytes32), "RootStands"
    self.roots[place] = root
    log IAccreditationResolver.TrustRootAttested(
        epoch=convert(epoch, uint32), role=convert(role, uint8), root=root
    )


@internal
def _shorten(issuer: address, uid: bytes32, until: uint256) -> uint256:
    packed: uint256 = self.terms[issuer][uid]
    assert packed != 0, "AccreditationUnknown"
    ends: uint256 = min(self._ends(packed), until)
    self.terms[issuer][uid] = ((packed >> 64) << 64) | ends
    return ends


@pure
@internal
def _read_accreditation(data: Bytes[LONGEST_DATA]) -> (uint256, uint256):
    # Roles and validFrom of data in the one canonical encoding: two readers can then never differ on what it says.
    at: uint256 = 8 * 32
    at = self._tail(data, 0, at, LONGEST_NAME, "NameTooLong")
    at = self._tail(data, 3, at, SIGNATURE_SIZE, "PossessionMalformed")
    at = self._tail(data, 5, at, LONGEST_ENDPOINT, "EndpointTooLong")
    assert at == len(data), "DataMalformed"
    assert self._word(data, 8) != 0, "NameMissing"  # the first tail's length
    roles: uint256 = self._word(data, 1)
    begins: uint256 = self._word(data, 6)
    assert begins <= NEVER and self._word(data, 7) >> 160 == 0, "DataMalformed"
    assert roles != 0 and roles >> (HIGHEST_ROLE + 1) == 0, "RolesInvalid"
    possession: uint256 = self._word(data, self._word(data, 3) // 32)
    expected: uint256 = 0
    if self._word(data, 2) != 0:
        expected = SIGNATURE_SIZE
    assert possession == expected, "PossessionMalformed"
    return roles, begins


@pure
@internal
def _tail(data: Bytes[LONGEST_DATA], head: uint256, at: uint256, most: uint256, reason: String[20]) -> uint256:
    # Where the next tail begins, after one that must begin at `at` and be padded with zeros.
    assert len(data) >= at + 32 and self._word(data, head) == at, "DataMalformed"
    size: uint256 = self._word(data, at // 32)
    assert size <= most, reason
    end: uint256 = at + 32 + (size + 31) // 32 * 32
    assert len(data) >= end, "DataMalformed"
    if size % 32 != 0:
        assert self._word(data, end // 32 - 1) << (8 * (size % 32)) == 0, "DataMalformed"
    return end


@pure
@internal
def _word(data: Bytes[LONGEST_DATA], index: uint256) -> uint256:
    return convert(extract32(data, index * 32), uint256)


@view
@internal
def _shown(issuer: address, uid: bytes32) -> IAccreditationResolver.Accreditation:
    packed: uint256 = self.terms[issuer][uid]
    return IAccreditationResolver.Accreditation(
        uid=uid,
        roles=self._roles(packed),
        begins=convert(self._begins(packed), uint64),
        ends=convert(self._ends(packed), uint64),
    )


@pure
@internal
def _roles(packed: uint256) -> uint256:
    return packed >> 128


@pure
@internal
def _begins(packed: uint256) -> uint256:
    return (packed >> 64) & NEVER


@pure
@internal
def _ends(packed: uint256) -> uint256:
    return packed & NEVER


@pure
@internal
def _place(epoch: uint256, role: uint256) -> uint256:
    return (epoch << 8) | role
