"""Consents at a node: taken from patients, withdrawn at once, and asked for each record that somebody wants.

Whoever has a consent's root, which is random, can point to its patient by it: its custodian and its grantee alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from chartseal.attestation import Address, Digest, digest_from, to_hex
from chartseal.consent import (
    Consent,
    Decision,
    Interaction,
    RecordFacts,
    Requester,
    SitePolicy,
    Terms,
    VerifiedConsent,
    Withdrawal,
    decide,
)
from chartseal.consent.document import LARGEST_CONSENT
from chartseal.consent.store import ConsentStore
from chartseal.consent.withdrawal import LARGEST_WITHDRAWAL
from chartseal.errors import AttestationError, ConsentError, LimitError
from chartseal.node.fhir.gate import Caller, Gate
from chartseal.sealing import SealedRecord
from chartseal.vault import Opened, Vault
from chartseal.vault.database import reading
from chartseal.vault.opening import decrypt
from chartseal.vault.tables import LIVE

Clock = Callable[[], datetime]

CONSENTS, WITHDRAWALS = "/consents", "/consents/withdrawals"

_JSON_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


@dataclass(frozen=True)
class Gates:
    """Gives each request its gate, by the consents that count at that moment."""

    consents: ConsentStore
    policy: SitePolicy
    clock: Clock

    def of(self, caller: Caller) -> Gate:
        """The gate of one request: a patient's consents are read once for it.

        Raises:
            ConsentStoreError: as the gate is asked; nothing is shown then.
        """
        now, known, asks = self.clock(), dict[bytes, list[VerifiedConsent]](), caller.requester

        def gate(record: RecordFacts, interaction: Interaction) -> Decision:
            if record.holder not in known:
                known[record.holder] = self.consents.for_request(record.holder, asks.account, asks.roles, now)
            return decide(asks, interaction, record, known[record.holder], self.policy, now)

        return gate


@dataclass(frozen=True)
class Pointers:
    """Finds a patient by a consent's root."""

    consents: ConsentStore
    vault: Vault
    custodian: Address
    clock: Clock

    def patient_of(self, root: str, requester: Requester) -> str | None:
        """The id of the patient whose consent for this requester has that root; None where none counts now.

        The record that tells the id is opened for nobody, and so not entered in the audit chain.

        Raises:
            ConsentStoreError: the store cannot be used.
            VaultError: `vault_unavailable`, `blobs_unavailable`.
        """
        try:
            found = self.consents.get(digest_from(root, "consent"), self.clock())
        except AttestationError:
            return None
        return self._patient_at(str(found.terms.patient)) if found and self._counts(found.terms, requester) else None

    def _counts(self, terms: Terms, requester: Requester) -> bool:
        """Whether it could open anything to this requester: to others its root is one that is not known."""
        return (
            requester.is_accredited
            and terms.custodian == self.custodian
            and terms.grantee.is_one_of(requester.account, requester.roles)
            and requester.purpose in terms.purposes
        )

    def _patient_at(self, address: str) -> str | None:
        """The id in the newest Patient that is sealed to an address."""
        entries = [each for each in self.vault.find(address=address, resource_type="Patient") if each.state == LIVE]
        moved = self.vault.moved(entries)
        standing = [each for each in entries if each.id not in moved]
        with reading(self.vault.engine) as connection:
            opened = decrypt(self.vault, connection, standing[-1:])
        for each in opened:
            if isinstance(each, Opened):
                fields = SealedRecord.from_json(each.line).fields
                return next((str(field.value) for field in fields if field.name == "Patient.id"), None)
        return None


def consents_router(store: ConsentStore, vault: Vault, custodian: Address, clock: Clock) -> APIRouter:
    """The routes by which patients' wallets give consents and take them back. The signature is what lets them in."""
    router = APIRouter(tags=["consents"])

    def add(text: bytes) -> Digest:
        consent = Consent.loads(text)
        consent.check(custodian)  # first: whether she is a patient here, nobody learns but by her signature
        if not vault.find(address=str(consent.terms.patient)):
            raise ConsentError("no record here is sealed to the patient's address", "patient_unknown")
        return store.add(consent, custodian=custodian, now=clock()).root

    def withdraw(text: bytes) -> Digest:
        withdrawal = Withdrawal.loads(text)
        store.withdraw(withdrawal, now=clock())
        return withdrawal.root

    @router.post(CONSENTS, status_code=201, openapi_extra=_JSON_BODY, operation_id="consent")
    async def give(request: Request) -> JSONResponse:
        """Take a consent that its patient signed for this custodian; the same one twice changes nothing."""
        root = await run_in_threadpool(add, await _body(request, LARGEST_CONSENT))
        return JSONResponse({"consent": to_hex(root)}, 201)

    @router.post(WITHDRAWALS, openapi_extra=_JSON_BODY, operation_id="withdraw")
    async def take_back(request: Request) -> JSONResponse:
        """Take a withdrawal that its patient signed: from the next request on the consent counts no more."""
        root = await run_in_threadpool(withdraw, await _body(request, LARGEST_WITHDRAWAL))
        return JSONResponse({"withdrawn": to_hex(root)})

    return router


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise LimitError(f"the document has at most {most} bytes", "body_too_large")
    return bytes(body)
