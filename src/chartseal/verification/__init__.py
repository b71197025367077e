"""Verify: a disclosure becomes verified facts, or an error that names the step and the reason.

In: a disclosure, a trust policy, our own audience and nonce, the time. Out: records with FHIR facts and Provenance, and
what was and was not checked.

    result = verify(text, TrustPolicy.load(path), audience=our_origin, nonce=our_nonce, now=datetime.now(UTC))
    for fact in result.facts:
        fact.resource, fact.provenance

With `policies=[…]`, our own questions, a presentation's proofs become `result.predicates`. What a custodian shows
without the holder's signature goes through `verify_answer`.
"""

from chartseal.verification.answers import CheckedConsent, ConsentCheck, VerifiedAnswer, verify_answer
from chartseal.verification.chain import (
    ROLES,
    Accreditation,
    AnchorProof,
    AttestedTrustRoot,
    BatchChainView,
    ChainView,
    Question,
    Revocation,
    anchor_leaf,
)
from chartseal.verification.facts import Fact, bundle
from chartseal.verification.holder import NonceStore
from chartseal.verification.many import verify_many
from chartseal.verification.policy import Limits, TrustedAuthority, TrustedIssuer, TrustPolicy, UnsafeTrustAnyone
from chartseal.verification.report import (
    IssuedUnder,
    Issuer,
    Proxy,
    Step,
    VerifiedDisclosure,
    VerifiedPredicate,
    VerifiedRecord,
    VerifiedSeal,
)
from chartseal.verification.standing import verify_seals
from chartseal.verification.steps import Request, verify

__all__ = [
    "ROLES",
    "Accreditation",
    "AnchorProof",
    "AttestedTrustRoot",
    "BatchChainView",
    "ChainView",
    "CheckedConsent",
    "ConsentCheck",
    "Fact",
    "IssuedUnder",
    "Issuer",
    "Limits",
    "NonceStore",
    "Proxy",
    "Question",
    "Request",
    "Revocation",
    "Step",
    "TrustPolicy",
    "TrustedAuthority",
    "TrustedIssuer",
    "UnsafeTrustAnyone",
    "VerifiedAnswer",
    "VerifiedDisclosure",
    "VerifiedPredicate",
    "VerifiedRecord",
    "VerifiedSeal",
    "anchor_leaf",
    "bundle",
    "verify",
    "verify_answer",
    "verify_many",
    "verify_seals",
]
