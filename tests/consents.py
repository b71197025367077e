"""Consents for tests: one patient, two hospitals, and terms that a test changes where it needs to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from chartseal.attestation import Address
from chartseal.consent import Consent, Grantee, RecordFacts, Requester, Scopes, Terms, VerifiedConsent
from chartseal.keys import Wallet

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
PATIENT, STRANGER = Wallet(b"\1" * 32), Wallet(b"\2" * 32)
CUSTODIAN, GRANTEE, OTHER = (Address(bytes([number]) * 20) for number in (0xA1, 0xB2, 0xC3))
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
HIV, ETH, NOTE = f"{ACT}|HIV", f"{ACT}|ETH", f"{ACT}|PSYTHPN"
GLUCOSE = "http://loinc.org|2339-0"
TERMS = Terms(
    PATIENT.sealing_address(),
    CUSTODIAN,
    Grantee(GRANTEE),
    frozenset({"TREAT"}),
    int((NOW - timedelta(days=1)).timestamp()),
    int((NOW + timedelta(days=30)).timestamp()),
)
RECORD = RecordFacts(
    PATIENT.sealing_address().spend_key,
    "Observation",
    frozenset({GLUCOSE}),
    frozenset({f"{CATEGORY}|laboratory"}),
    date(2026, 5, 4),
    date(2026, 5, 4),
    frozenset(),
    None,
    False,
)
REQUESTER = Requester(
    GRANTEE, frozenset({"hospital"}), True, "TREAT", Scopes.parse("system/*.rs"), "Dr A. Example", "Hospital B"
)


def signed(wallet: Wallet = PATIENT, **changes: Any) -> Consent:
    """A consent of these terms but for what is changed."""
    return Consent.sign(replace(TERMS, patient=wallet.sealing_address(), **changes), wallet)


def verified(**changes: Any) -> VerifiedConsent:
    """Terms as they are after a check, unsigned: what a decision is given."""
    return VerifiedConsent(signed().root, replace(TERMS, **changes))
