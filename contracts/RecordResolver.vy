# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title RecordResolver
@notice See IRecordResolver, which says what each function promises.
"""

from .interfaces import IAccreditationResolver
from .interfaces import IRecordResolver
from .modules import resolver

implements: IRecordResolver
initializes: resolver
exports: (resolver.eas, resolver.isPayable, resolver.version)

MOST_BATCHED: constant(uint256) = 64

ACCREDITATIONS: immutable(IAccreditationResolver)
ROLES: immutable(uint256)


@deploy
def __init__(eas: address, accreditations: address, roles: uint256):
    resolver.__init__(eas)
    # Another EAS's accreditations could be another chain's copy of an authority that nobody controls here.
    assert staticcall IAccreditationResolver(accreditations).eas() == eas, "EasMismatch"
    assert roles != 0, "RolesInvalid"
    ACCREDITATIONS = IAccreditationResolver(accreditations)
    ROLES = roles


@external
def attest(attestation: IRecordResolver.Attestation) -> bool:
    resolver._only_eas()
    self._require_accredited(attestation.attester)
    return True


@external
def multiAttest(
    attestations: DynArray[IRecordResolver.Attestation, MOST_BATCHED], amounts: DynArray[uint256, MOST_BATCHED]
) -> bool:
    resolver._only_eas()
    asked: address = empty(address)
    for attestation: IRecordResolver.Attestation in attestations:
        if attestation.attester != asked:  # EAS gives a batch one attester, so this asks once
            asked = attestation.attester
            self._require_accredited(asked)
    return True


@external
def revoke(attestation: IRecordResolver.Attestation) -> bool:
    resolver._only_eas()
    return True


@external
def multiRevoke(
    attestations: DynArray[IRecordResolver.Attestation, MOST_BATCHED], amounts: DynArray[uint256, MOST_BATCHED]
) -> bool:
    resolver._only_eas()
    return True


@view
@external
def accreditations() -> address:
    return ACCREDITATIONS.address


@view
@external
def roles() -> uint256:
    return ROLES


@view
@internal
def _require_accredited(attester: address):
    assert staticcall ACCREDITATIONS.isAccredited(attester, ROLES), "NotAccredited"
