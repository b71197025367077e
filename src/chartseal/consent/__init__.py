"""Consent: a patient's signed terms, and the one decision by which every record is answered or not.

In: a wallet's signature over salted terms; a requester, a record's facts, a site's policy. Out: a decision with its
basis, reasons, parts withheld and duties.

    consent = Consent.sign(terms, wallet)
    verified = Consent.loads(consent.to_json()).verify(custodian, now)
    decision = decide(requester, "r", record, [verified], SitePolicy(), now)

`chartseal.consent.store` keeps consents, and needs the extra `chain`.
"""

from chartseal.consent.deciding import DUTIES, REASONS, decide
from chartseal.consent.document import Consent, VerifiedConsent
from chartseal.consent.mirror import fhir_consent
from chartseal.consent.policy import BreakGlass, Permit, SitePolicy
from chartseal.consent.requests import Decision, Interaction, RecordFacts, Requester
from chartseal.consent.scopes import Scope, Scopes
from chartseal.consent.terms import Exceptions, Grantee, Terms
from chartseal.consent.vocabulary import PURPOSES, Basis, Part, Purpose
from chartseal.consent.withdrawal import Withdrawal

__all__ = [
    "DUTIES",
    "PURPOSES",
    "REASONS",
    "Basis",
    "BreakGlass",
    "Consent",
    "Decision",
    "Exceptions",
    "Grantee",
    "Interaction",
    "Part",
    "Permit",
    "Purpose",
    "RecordFacts",
    "Requester",
    "Scope",
    "Scopes",
    "SitePolicy",
    "Terms",
    "VerifiedConsent",
    "Withdrawal",
    "decide",
    "fhir_consent",
]
