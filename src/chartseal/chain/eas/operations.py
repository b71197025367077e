"""Every function of EAS as a call to be made: arguments in, `Read` or `Write` out. Nothing here talks to a chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

from chartseal.attestation import Address, Digest
from chartseal.attestation.delegated import DelegatedAttestation, DelegatedRevocation, SignedRequest, release
from chartseal.chain.calls import Read, Receipt, Write
from chartseal.chain.contract import Bound
from chartseal.chain.deployment import Deployment
from chartseal.chain.eas.contracts import WITH_DEADLINES, eas_contract, then
from chartseal.chain.eas.requests import AttestationRequest, RevocationRequest
from chartseal.chain.facts import Attestation
from chartseal.errors import NodeError, RequestError

T = TypeVar("T")


class Expected(NamedTuple):
    """What an `Attested` event must say beside its uid."""

    recipient: Address
    attester: Address
    schema: Digest


class Operations:
    """EAS at one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        """Take where and which version it is.

        Raises:
            DomainError: no such version.
        """
        self.deployment = deployment
        self.bound = eas_contract(deployment.version).at(deployment.eas)
        self.has_deadlines = release(deployment.version) >= WITH_DEADLINES

    # reads

    def domain_separator(self) -> Read[Digest]:
        """EIP-712's, of delegated requests."""
        return self.bound.read("getDomainSeparator")

    def schema_registry(self) -> Read[Address]:
        """Where its SchemaRegistry is."""
        return self.bound.read("getSchemaRegistry")

    def get_attestation(self, uid: Digest) -> Read[Attestation | None]:
        """An attestation, or None."""
        read = self.bound.read("getAttestation", uid)
        return Read(read.to, read.data, lambda data: Attestation.from_tuple(read.decode(data)))

    def is_attestation_valid(self, uid: Digest) -> Read[bool]:
        """Whether there is one; revoked and expired ones count."""
        return self.bound.read("isAttestationValid", uid)

    def get_timestamp(self, data: Digest) -> Read[int]:
        """When 32 bytes were timestamped, in Unix seconds; 0 if never."""
        return self.bound.read("getTimestamp", data)

    def get_revoke_offchain(self, revoker: Address, data: Digest) -> Read[int]:
        """When that account revoked an off-chain uid, in Unix seconds; 0 if never."""
        return self.bound.read("getRevokeOffchain", revoker, data)

    def get_nonce(self, account: Address) -> Read[int]:
        """The nonce that its next delegated request must be signed with."""
        return self.bound.read("getNonce", account)

    # writes

    def attest(self, request: AttestationRequest, attester: Address) -> Write[Digest]:
        """Make one attestation; `attester` is who sends."""
        write = self.bound.write("attest", (request.schema, attested(request)), value=request.value)
        return then(write, first(self._uids([_expected(request, attester)])))

    def multi_attest(self, requests: Sequence[AttestationRequest], attester: Address) -> Write[list[Digest]]:
        """Make several; they are grouped by schema, the uids come in the order of the requests."""
        groups: dict[Digest, list[int]] = {}
        for at, request in enumerate(requests):
            groups.setdefault(request.schema, []).append(at)
        argument = [(schema, [attested(requests[at]) for at in places]) for schema, places in groups.items()]
        order = [at for places in groups.values() for at in places]
        uids = self._uids([_expected(requests[at], attester) for at in order])
        write = self.bound.write("multiAttest", argument, value=_value(requests))
        return then(write, lambda receipt: _reordered(uids(receipt), order))

    def revoke(self, request: RevocationRequest) -> Write[Receipt]:
        """Revoke one attestation of the sender's."""
        return self.bound.write("revoke", (request.schema, revoked(request)), value=request.value)

    def multi_revoke(self, requests: Sequence[RevocationRequest]) -> Write[Receipt]:
        """Revoke several."""
        runs = [(schema, [revoked(each) for each in run]) for schema, run in _runs(requests, lambda each: each.schema)]
        return self.bound.write("multiRevoke", runs, value=_value(requests))

    def attest_by_delegation(self, signed: SignedRequest) -> Write[Digest]:
        """Make an attestation that another signed."""
        request = _attestation(signed)
        argument = (request.schema, attested(request), signature(signed), signed.signer, *self._deadline(request))
        write = self.bound.write("attestByDelegation", argument, value=request.value)
        return then(write, first(self._uids([_expected(request, signed.signer)])))

    def multi_attest_by_delegation(self, signed: Sequence[SignedRequest]) -> Write[list[Digest]]:
        """Make several that others signed, in their order: nonces of one signer must ascend."""
        argument = [
            (schema, [attested(_attestation(each)) for each in run], [signature(each) for each in run], signer, *rest)
            for (schema, signer, *rest), run in _runs(signed, self._group)
        ]
        expected = [_expected(_attestation(each), each.signer) for each in signed]
        write = self.bound.write("multiAttestByDelegation", argument, value=_value([each.request for each in signed]))
        return then(write, self._uids(expected))

    def revoke_by_delegation(self, signed: SignedRequest) -> Write[Receipt]:
        """Revoke in another's name."""
        request = _revocation(signed)
        argument = (request.schema, revoked(request), signature(signed), signed.signer, *self._deadline(request))
        return self.bound.write("revokeByDelegation", argument, value=request.value)

    def multi_revoke_by_delegation(self, signed: Sequence[SignedRequest]) -> Write[Receipt]:
        """Revoke several in others' names, in their order."""
        argument = [
            (schema, [revoked(_revocation(each)) for each in run], [signature(each) for each in run], signer, *rest)
            for (schema, signer, *rest), run in _runs(signed, self._group)
        ]
        return self.bound.write("multiRevokeByDelegation", argument, value=_value([each.request for each in signed]))

    def increase_nonce(self, nonce: int) -> Write[Receipt]:
        """Make the sender's signed requests below that nonce worthless.

        Raises:
            RequestError: `version_without`; contracts before 1.2.0 cannot.
        """
        if not self.has_deadlines:
            raise RequestError("this version of EAS cannot raise a nonce", "version_without", "increaseNonce")
        return self.bound.write("increaseNonce", nonce)

    def timestamp(self, data: Digest) -> Write[int]:
        """Timestamp 32 bytes."""
        return then(self.bound.write("timestamp", data), first(self._times("Timestamped", [data])))

    def multi_timestamp(self, data: Sequence[Digest]) -> Write[list[int]]:
        """Timestamp several."""
        return then(self.bound.write("multiTimestamp", list(data)), self._times("Timestamped", data))

    def revoke_offchain(self, data: Digest) -> Write[int]:
        """Revoke an off-chain attestation by its uid, in the sender's name."""
        return then(self.bound.write("revokeOffchain", data), first(self._times("RevokedOffchain", [data])))

    def multi_revoke_offchain(self, data: Sequence[Digest]) -> Write[list[int]]:
        """Revoke several."""
        return then(self.bound.write("multiRevokeOffchain", list(data)), self._times("RevokedOffchain", data))

    # inside

    def _deadline(self, request: DelegatedAttestation | DelegatedRevocation) -> tuple[int, ...]:
        return (request.deadline,) if self.has_deadlines else ()

    def _group(self, signed: SignedRequest) -> tuple[Any, ...]:
        return (signed.request.schema, signed.signer, *self._deadline(signed.request))

    def _uids(self, expected: Sequence[Expected]) -> Callable[[Receipt], list[Digest]]:
        return lambda receipt: uids_in(self.bound, receipt, expected)

    def _times(self, event: str, data: Sequence[Digest]) -> Callable[[Receipt], list[int]]:
        def times(receipt: Receipt) -> list[int]:
            found = {each["data"]: int(each["timestamp"]) for each in self.bound.events_in(receipt, event)}
            if not found.keys() >= set(data):
                raise NodeError("a receipt lacks events of what was sent", "node_malformed", event)
            return [found[each] for each in data]

        return times


def uids_in(bound: Bound, receipt: Receipt, expected: Sequence[Expected]) -> list[Digest]:
    """The uids of a transaction's attestations.

    A resolver may attest too, in the midst of ours: an event counts if it says what the next request asked for.

    Raises:
        NodeError: `node_malformed`; the receipt has not the events of what was sent.
    """
    events = iter(bound.events_in(receipt, "Attested"))
    found = []
    for wanted in expected:
        for event in events:
            if Expected(event["recipient"], event["attester"], event["schemaUID"]) == wanted:
                found.append(Digest(event["uid"]))
                break
        else:
            raise NodeError("a receipt lacks events of what was sent", "node_malformed", "Attested")
    return found


def first(decode: Callable[[Receipt], list[T]]) -> Callable[[Receipt], T]:
    """The only one of a list."""
    return lambda receipt: decode(receipt)[0]


def attested(request: AttestationRequest | DelegatedAttestation) -> tuple[Any, ...]:
    """The tuple AttestationRequestData."""
    return (
        request.recipient,
        request.expiration_time,
        request.revocable,
        request.ref_uid,
        request.data,
        request.value,
    )


def revoked(request: RevocationRequest | DelegatedRevocation) -> tuple[Any, ...]:
    """The tuple RevocationRequestData."""
    return (request.uid, request.value)


def signature(signed: SignedRequest) -> tuple[int, bytes, bytes]:
    """The tuple Signature.

    Raises:
        RequestError: `signature_size`; EAS takes r, s and v alone.
    """
    if len(signed.signature) != 65:
        raise RequestError("a delegated request's signature has 65 bytes", "signature_size", "signature")
    return signed.signature[64], signed.signature[:32], signed.signature[32:64]


def _attestation(signed: SignedRequest) -> DelegatedAttestation:
    if not isinstance(signed.request, DelegatedAttestation):
        raise RequestError("the signed request is no attestation", "request_kind")
    return signed.request


def _revocation(signed: SignedRequest) -> DelegatedRevocation:
    if not isinstance(signed.request, DelegatedRevocation):
        raise RequestError("the signed request is no revocation", "request_kind")
    return signed.request


def _expected(request: AttestationRequest | DelegatedAttestation, attester: Address) -> Expected:
    return Expected(request.recipient, attester, request.schema)


def _value(requests: Sequence[Any]) -> int:
    return sum(each.value for each in requests)


def _runs(items: Sequence[T], key: Callable[[T], Any]) -> list[tuple[Any, list[T]]]:
    """Neighbours of one key: the order stays, which nonces and events follow."""
    return [(found, list(run)) for found, run in groupby(items, key)]


def _reordered(uids: list[Digest], order: Sequence[int]) -> list[Digest]:
    placed = dict(zip(order, uids, strict=True))
    return [placed[at] for at in range(len(order))]
