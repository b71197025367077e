"""What EAS would refuse, found by reading: one clear error each, before a fee is paid.

The contract has the last word; what changes between the check and the block is a RevertError.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest, Domain, Schema, delegated
from chartseal.attestation.delegated import DelegatedAttestation, DelegatedRevocation, SignedRequest
from chartseal.chain.calls import Block, Read
from chartseal.chain.eas.operations import Operations, signature
from chartseal.chain.eas.proxying import ProxyOperations
from chartseal.chain.eas.registering import RegistryOperations
from chartseal.chain.eas.requests import NEVER, AttestationRequest, RevocationRequest, SchemaRecord
from chartseal.chain.facts import Attestation
from chartseal.chain.signatures import checking
from chartseal.chain.steps import Ask, Flow, Newest
from chartseal.errors import ExpiredError, FieldEncodingError, RequestError, SchemaError, SignatureError

Kind = type[DelegatedAttestation] | type[DelegatedRevocation]


class Checks:
    """Checks against one EAS; what it read of schemas it keeps, since they never change."""

    def __init__(self, eas: Operations, registry: RegistryOperations, *, data: bool = False) -> None:
        """Take the contracts; `data`: refuse data that does not decode under its schema."""
        self._eas = eas
        self._registry = registry
        self._data = data
        self._schemas: dict[Digest, SchemaRecord] = {}

    def schema(self, uid: Digest) -> Flow[SchemaRecord | None]:
        """A registered schema, or None."""
        if uid not in self._schemas:
            [record] = yield Ask([self._registry.get_schema(uid)])
            if record is None:
                return None
            self._schemas[uid] = record
        return self._schemas[uid]

    def attestations(self, requests: Sequence[AttestationRequest]) -> Flow[None]:
        """Refuse what `attest` would refuse.

        Raises:
            RequestError: `schema_unregistered`, `schema_irrevocable`, `data_malformed`, `expiration_past`,
                `reference_unknown`, or `batch_empty`.
        """
        _require_some(requests)
        wanted = [uid for uid in dict.fromkeys(each.schema for each in requests) if uid not in self._schemas]
        references = list(dict.fromkeys(each.ref_uid for each in requests if each.ref_uid != ZERO_DIGEST))
        reads: list[Read[Any]] = [self._registry.get_schema(uid) for uid in wanted]
        reads += [self._eas.is_attestation_valid(uid) for uid in references]
        answers = yield Ask(reads)
        self._schemas |= {record.uid: record for record in answers[: len(wanted)] if record is not None}
        known = {ref for ref, valid in zip(references, answers[len(wanted) :], strict=True) if valid}
        for at, request in enumerate(requests):
            self._require_schema(request, at)
            if request.ref_uid != ZERO_DIGEST and request.ref_uid not in known:
                raise RequestError("no attestation with that refUID stands on the chain", "reference_unknown", _at(at))
        if any(each.expiration_time != NEVER for each in requests):
            block: Block = yield Newest()
            for at, request in enumerate(requests):
                if request.expiration_time != NEVER and request.expiration_time <= block.timestamp:
                    raise RequestError("the attestation would expire before it is made", "expiration_past", _at(at))

    def _require_schema(self, request: AttestationRequest, at: int) -> None:
        record = self._schemas.get(request.schema)
        if record is None:
            raise RequestError("the schema is not registered on this chain", "schema_unregistered", _at(at))
        if request.revocable and not record.revocable:
            raise RequestError(
                "the schema allows no revocable attestation: give revocable=False", "schema_irrevocable", _at(at)
            )
        if self._data:
            try:
                Schema.parse(record.text).decode(request.data)
            except (SchemaError, FieldEncodingError) as exc:
                raise RequestError("the data does not decode under its schema", "data_malformed", _at(at)) from exc

    def revocations(self, requests: Sequence[RevocationRequest], revokers: Sequence[Address]) -> Flow[None]:
        """Refuse what `revoke` would refuse; one revoker for each request.

        Raises:
            RequestError: `attestation_unknown`, `schema_mismatch`, `attester_other`, `attestation_irrevocable`,
                `already_revoked`, `revocation_duplicate`, or `batch_empty`.
        """
        _require_some(requests)
        _require_unique([each.uid for each in requests], "revocation_duplicate")
        found: list[Attestation | None] = yield Ask([self._eas.get_attestation(each.uid) for each in requests])
        for at, (request, attestation, revoker) in enumerate(zip(requests, found, revokers, strict=True)):
            _require_revocable(request, attestation, revoker, _at(at))

    def existing(self, uids: Sequence[Digest]) -> Flow[None]:
        """Refuse uids that no attestation on the chain has.

        Raises:
            RequestError: `attestation_unknown`, or `batch_empty`.
        """
        _require_some(uids)
        for at, valid in enumerate((yield Ask([self._eas.is_attestation_valid(uid) for uid in uids]))):
            if not valid:
                raise RequestError("no attestation with that uid stands on the chain", "attestation_unknown", _at(at))

    def unstamped(self, data: Sequence[Digest]) -> Flow[None]:
        """Refuse what `timestamp` would refuse.

        Raises:
            RequestError: `timestamp_duplicate` in the batch, `already_timestamped` on the chain, or `batch_empty`.
        """
        yield from self._fresh(data, [self._eas.get_timestamp(each) for each in data], "timestamp")

    def unrevoked(self, data: Sequence[Digest], revoker: Address) -> Flow[None]:
        """Refuse what `revokeOffchain` would refuse.

        Raises:
            RequestError: `revocation_duplicate`, `already_revoked`, or `batch_empty`.
        """
        yield from self._fresh(data, [self._eas.get_revoke_offchain(revoker, each) for each in data], "revocation")

    def _fresh(self, data: Sequence[Digest], reads: Sequence[Read[int]], what: str) -> Flow[None]:
        _require_some(data)
        _require_unique(data, f"{what}_duplicate")
        for at, time in enumerate((yield Ask(reads))):
            if time:
                code = "already_timestamped" if what == "timestamp" else "already_revoked"
                raise RequestError(f"the chain has this {what} already", code, _at(at))

    def delegations(self, signed: Sequence[SignedRequest], domain: Domain, kind: Kind) -> Flow[None]:
        """Refuse delegated requests that EAS would not take from anybody; all must be of that kind.

        Raises:
            DomainError: signed for another chain, contract or version.
            ExpiredError: `deadline_expired`.
            RequestError: `nonce_used` (sent before, or nonces were raised), `nonce_ahead`, and as `attestations` and
                `revocations`.
            SignatureError: not by the signer, nor accepted by a contract that is the signer.
        """
        yield from self._signatures(signed, domain, kind)
        signers = list(dict.fromkeys(each.signer for each in signed))
        nonces = dict(zip(signers, (yield Ask([*map(self._eas.get_nonce, signers)])), strict=True))
        for at, each in enumerate(signed):
            _require_nonce(each.request.nonce, nonces[each.signer], at)
            nonces[each.signer] += 1
        yield from self._requests(signed, [each.signer for each in signed])

    def proxied(
        self, signed: Sequence[SignedRequest], proxy: ProxyOperations, kind: Kind, sender: Address
    ) -> Flow[None]:
        """Refuse delegated requests that a proxy would not take; a used signature it shows only by refusing it.

        Raises:
            DomainError, ExpiredError, SignatureError, RequestError: as `delegations`, without nonces and contracts;
                RequestError `sender_other` where only the attester itself may send.
        """
        yield from self._signatures(signed, proxy.domain, kind, contracts=False)
        revocations = [each.request for each in signed if isinstance(each.request, DelegatedRevocation)]
        attesters = yield Ask([proxy.get_attester(each.uid) for each in revocations])
        for at, attester in enumerate(attesters):
            if attester not in (signed[at].signer, ZERO_ADDRESS):
                raise RequestError("only its attester can revoke an attestation", "attester_other", _at(at))
            if attester != sender and not proxy.revokes_for_others:
                raise RequestError(
                    "this version of the proxy takes a revocation from its attester alone", "sender_other", _at(at)
                )
        yield from self._requests(signed, [proxy.bound.address for _ in signed])

    def _signatures(
        self, signed: Sequence[SignedRequest], domain: Domain, kind: Kind, *, contracts: bool = True
    ) -> Flow[None]:
        _require_some(signed)
        for at, each in enumerate(signed):
            if not isinstance(each.request, kind):
                raise RequestError("the signed request is of another kind", "request_kind", _at(at))
        block: Block = yield Newest()
        for at, each in enumerate(signed):
            signature(each)
            try:
                delegated.verify(each, domain, now=0)
            except SignatureError as exc:
                digest = delegated.digest(each.request, domain, each.signer)
                if not contracts or not (yield from checking(each.signer, digest, each.signature)):
                    raise SignatureError(exc.detail, exc.code, _at(at)) from exc
            if 0 < each.request.deadline < block.timestamp:
                raise ExpiredError("the request's deadline has passed", "deadline_expired", _at(at))

    def _requests(self, signed: Sequence[SignedRequest], attesters: Sequence[Address]) -> Flow[None]:
        attestations = [each.request for each in signed if isinstance(each.request, DelegatedAttestation)]
        revocations = [each.request for each in signed if isinstance(each.request, DelegatedRevocation)]
        if attestations:
            yield from self.attestations([AttestationRequest.of(each) for each in attestations])
        else:
            yield from self.revocations([RevocationRequest.of(each) for each in revocations], attesters)


def is_revoked(attestation: Attestation | None) -> bool:
    """Whether an attestation is revoked.

    Raises:
        RequestError: `attestation_unknown`; silence is no answer.
    """
    if attestation is None:
        raise RequestError("no attestation with that uid stands on the chain", "attestation_unknown")
    return attestation.revocation_time != 0


def _at(position: int) -> str:
    return f"requests[{position}]"


def _require_some(requests: Sequence[object]) -> None:
    if not requests:
        raise RequestError("nothing to send was given", "batch_empty")


def _require_unique(digests: Iterable[Digest], code: str) -> None:
    seen: set[Digest] = set()
    for at, digest in enumerate(digests):
        if digest in seen:
            raise RequestError("the same 32 bytes stand twice in the batch", code, _at(at))
        seen.add(digest)


def _require_nonce(stated: int, expected: int, at: int) -> None:
    if stated < expected:
        raise RequestError("the signed request was sent before, or its nonce was passed over", "nonce_used", _at(at))
    if stated > expected:
        raise RequestError("requests of this signer with lower nonces must come first", "nonce_ahead", _at(at))


def _require_revocable(
    request: RevocationRequest, attestation: Attestation | None, revoker: Address, place: str
) -> None:
    if attestation is None:
        raise RequestError("no attestation with that uid stands on the chain", "attestation_unknown", place)
    if attestation.schema != request.schema:
        raise RequestError("the attestation has another schema", "schema_mismatch", place)
    if attestation.attester != revoker:
        raise RequestError("only its attester can revoke an attestation", "attester_other", place)
    if not attestation.revocable:
        raise RequestError("the attestation was made irrevocable", "attestation_irrevocable", place)
    if attestation.revocation_time:
        raise RequestError("the attestation is revoked already", "already_revoked", place)
