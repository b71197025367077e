"""Answers for tests: of records of the vectors, by consents that are made here, to a requester with a nonce."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chartseal import _core
from chartseal.attestation import Address, Digest
from chartseal.disclosure import AnswerBasis, Answered, ByConsent, Selection, UnverifiedAnswer, answer_record
from chartseal.errors import DelegationError, SignatureError
from chartseal.sealing import SealedRecord
from chartseal.verification import CheckedConsent, TrustedIssuer, TrustPolicy, VerifiedAnswer, verify_answer
from tests.charts import DOMAIN, HOLDER, ISSUER, NOW, Holder

CUSTODIAN = Address(b"\xc1" * 20)
GRANTEE = Address(b"\xb1" * 20)
NONCE = b"\x77" * 32
TRUST = TrustPolicy(issuers=(TrustedIssuer(ISSUER, "Example hospital"),), domains=frozenset({DOMAIN}))


@dataclass(frozen=True)
class MadeConsents:
    """Checks the consents that `consent` makes, for one grantee that knows of some withdrawals.

    The documents are of this module's own form: verification takes any whose check it is given.
    """

    grantee: Address = GRANTEE
    withdrawn: frozenset[bytes] = frozenset()

    def __call__(self, document: bytes, *, custodian: Address, now: datetime) -> CheckedConsent:
        try:
            terms, signature = json.loads(document)["terms"], bytes.fromhex(json.loads(document)["signature"])
            holder, types = bytes.fromhex(terms["holder"]), terms["types"]
        except (ValueError, KeyError, TypeError) as exc:
            raise DelegationError("not a consent", "made_malformed") from exc
        root = root_of(document)
        if terms["custodian"] != custodian.hex():
            raise DelegationError("for another custodian", "made_other_custodian")
        if terms["grantee"] != self.grantee.hex():
            raise DelegationError("for another grantee", "made_other_grantee")
        if now.timestamp() >= terms["until"]:
            raise DelegationError("expired", "made_expired")
        if root in self.withdrawn:
            raise DelegationError("withdrawn", "made_withdrawn")
        try:
            _core.verify_holder_signature(holder, _message(terms), signature)
        except SignatureError as exc:
            raise DelegationError("not signed", "made_unsigned") from exc
        return CheckedConsent(root, holder, None if types is None else frozenset(types))


def root_of(document: bytes) -> Digest:
    return Digest(_core.keccak256(json.dumps(json.loads(document)["terms"]).encode()))


def _message(terms: dict[str, Any]) -> bytes:
    return b"\0" + _core.keccak256(json.dumps(terms).encode())[:31]


def consent(
    *,
    holder: Holder = HOLDER,
    custodian: Address = CUSTODIAN,
    grantee: Address = GRANTEE,
    until: datetime = NOW + timedelta(days=1),
    types: Sequence[str] | None = None,
) -> bytes:
    terms = {
        "holder": holder.keys.spend_public().hex(),
        "custodian": custodian.hex(),
        "grantee": grantee.hex(),
        "until": int(until.timestamp()),
        "types": types,
    }
    return json.dumps({"terms": terms, "signature": holder.keys.sign(_message(terms)).hex()}).encode()


CONSENT = consent()
BY_CONSENT = ByConsent(CONSENT)


def answer(
    *records: SealedRecord,
    opened: Selection | None = None,
    basis: AnswerBasis = BY_CONSENT,
    custodian: Address = CUSTODIAN,
    nonce: bytes = NONCE,
) -> UnverifiedAnswer:
    return UnverifiedAnswer(custodian, nonce, tuple(Answered(answer_record(each, opened), basis) for each in records))


def with_data(given: UnverifiedAnswer, at: int, data: bytes) -> UnverifiedAnswer:
    answered = list(given.answered)
    answered[at] = replace(answered[at], data=data)
    return replace(given, answered=tuple(answered))


def check(given: UnverifiedAnswer, trust: TrustPolicy = TRUST, **options: Any) -> VerifiedAnswer:
    held: dict[str, Any] = {
        "channel": CUSTODIAN,
        "nonce": NONCE,
        "now": NOW.astimezone(UTC),
        "consent": MadeConsents(),
        **options,
    }
    return verify_answer(given, trust, **held)
