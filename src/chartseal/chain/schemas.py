"""The schemas that Chartseal attests under, and the numbers that stand for roles, causes and reasons.

Only who attested counts: a reader takes an attestation under any resolver, as long as the registered string and flag
are these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chartseal.attestation import ZERO_ADDRESS, Address, Digest, schema_uid
from chartseal.errors import SchemaError
from chartseal.verification.chain import ROLES as ROLES


@dataclass(frozen=True, slots=True)
class ChainSchema:
    """A schema's string and whether attestations under it can be revoked."""

    name: str
    text: str
    revocable: bool = True

    def uid(self, resolver: Address = ZERO_ADDRESS) -> Digest:
        """Its uid with that resolver."""
        return schema_uid(self.text, resolver, self.revocable)


PRIVATE_DATA = ChainSchema("private-data", "bytes32 privateData")
SAMPLE = ChainSchema("sample", "bytes32 patientID,bytes32 diagnosis,uint64 dateOfTreatment,bytes32 evidenceHash")
ACCREDITATION = ChainSchema(
    "accreditation",
    "string name,uint256 roles,bytes32 provingKey,bytes possession,bytes32 transportKey,string endpoint,"
    "uint64 validFrom,address predecessor",
)
WITHDRAWAL = ChainSchema("withdrawal", "bytes32 accreditation,uint64 withdrawnFrom,uint8 cause", revocable=False)
STATUS_ROOT = ChainSchema("status-root", "uint32 list,bytes32 statusRoot", revocable=False)
TRUST_ROOT = ChainSchema("trust-root", "uint32 epoch,uint8 role,bytes32 trustRoot")
REVOCATION_REASON = ChainSchema("revocation-reason", "bytes32 seal,uint8 reason", revocable=False)

SCHEMAS = (PRIVATE_DATA, SAMPLE, ACCREDITATION, WITHDRAWAL, STATUS_ROOT, TRUST_ROOT, REVOCATION_REASON)
"""All of them."""

CAUSES = ("ordinary", "key-compromise", "accredited-in-error", "misconduct", "other")
"""Why an accreditation is withdrawn; the position is the code. All but the first can reach back."""

REASONS = ("other", "amended", "entered-in-error", "key-compromise", "wrong-patient")
"""Why a seal is revoked; the position is the code."""


def role_bits(roles: Iterable[str]) -> int:
    """The bit set of roles.

    Raises:
        SchemaError: `role_unknown`.
    """
    try:
        return sum(1 << ROLES.index(role) for role in set(roles))
    except ValueError:
        raise SchemaError(f"a role is one of {', '.join(ROLES)}", "role_unknown", "roles") from None


def roles_of(bits: int) -> frozenset[str]:
    """The roles of a bit set; bits without a name are passed over."""
    return frozenset(role for at, role in enumerate(ROLES) if bits >> at & 1)
