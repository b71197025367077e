"""Every function of an EIP712Proxy as a call to be made.

A proxy attests in its own name and remembers for whom; it takes each signature once and knows no nonces. Before 1.4.0
it took a revocation from the attester's own account only, signed or not.
Source: eas-contracts EIP712Proxy.sol, eas-sdk 2.10 eip712-proxy.ts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from chartseal.attestation import Address, Digest, Domain
from chartseal.attestation.delegated import DelegatedAttestation, DelegatedRevocation, SignedRequest, release
from chartseal.chain.calls import Read, Receipt, Write
from chartseal.chain.contract import Bound
from chartseal.chain.eas.contracts import proxy_contract, then
from chartseal.chain.eas.operations import Expected, attested, first, revoked, signature, uids_in
from chartseal.errors import RequestError

_REVOKING_FOR_OTHERS = (1, 4)


class ProxyOperations:
    """A proxy in front of EAS."""

    def __init__(self, address: Address, eas: Bound, domain: Domain) -> None:
        """Take where it is, the EAS behind it, and the domain that its requests are signed under."""
        self.bound = proxy_contract().at(address)
        self.domain = domain
        self.revokes_for_others = release(domain.version) >= _REVOKING_FOR_OTHERS
        self._eas = eas

    def get_attester(self, uid: Digest) -> Read[Address]:
        """Who signed an attestation that the proxy made; zero if it made none such."""
        return self.bound.read("getAttester", uid)

    def attest(self, signed: SignedRequest) -> Write[Digest]:
        """Make an attestation that another signed."""
        request = _of(signed, DelegatedAttestation)
        argument = (request.schema, attested(request), signature(signed), signed.signer, request.deadline)
        write = self.bound.write("attestByDelegation", argument, value=request.value)
        return then(write, first(lambda receipt: uids_in(self._eas, receipt, [self._expected(request)])))

    def multi_attest(self, signed: Sequence[SignedRequest]) -> Write[list[Digest]]:
        """Make several that others signed, in their order."""
        argument = [
            (schema, [attested(_of(each, DelegatedAttestation)) for each in run], [*map(signature, run)], signer, until)
            for (schema, signer, until), run in _runs(signed)
        ]
        expected = [self._expected(_of(each, DelegatedAttestation)) for each in signed]
        write = self.bound.write("multiAttestByDelegation", argument, value=_value(signed))
        return then(write, lambda receipt: uids_in(self._eas, receipt, expected))

    def revoke(self, signed: SignedRequest) -> Write[Receipt]:
        """Revoke in the name of whom the proxy attested for."""
        request = _of(signed, DelegatedRevocation)
        argument = (request.schema, revoked(request), signature(signed), signed.signer, request.deadline)
        return self.bound.write("revokeByDelegation", argument, value=request.value)

    def multi_revoke(self, signed: Sequence[SignedRequest]) -> Write[Receipt]:
        """Revoke several."""
        argument = [
            (schema, [revoked(_of(each, DelegatedRevocation)) for each in run], [*map(signature, run)], signer, until)
            for (schema, signer, until), run in _runs(signed)
        ]
        return self.bound.write("multiRevokeByDelegation", argument, value=_value(signed))

    def _expected(self, request: DelegatedAttestation) -> Expected:
        return Expected(request.recipient, self.bound.address, request.schema)


def _runs(signed: Sequence[SignedRequest]) -> list[tuple[tuple[Any, ...], list[SignedRequest]]]:
    def key(each: SignedRequest) -> tuple[Any, ...]:
        return each.request.schema, each.signer, each.request.deadline

    return [(found, list(run)) for found, run in groupby(signed, key)]


def _value(signed: Sequence[SignedRequest]) -> int:
    return sum(each.request.value for each in signed)


def _of(signed: SignedRequest, kind: type[Any]) -> Any:
    if not isinstance(signed.request, kind):
        raise RequestError("the signed request is of another kind", "request_kind")
    return signed.request
