"""Verify: a disclosure becomes verified facts, or an error that names the step and the reason.

In: a disclosure, a trust policy, our own audience and nonce, the time. Out: records with FHIR facts and Provenance, and
what was and was not checked.

    result = verify(text, TrustPolicy.load(path), audience=our_origin, nonce=our_nonce, now=datetime.now(UTC))
    for fact in result.facts:
        fact.resource, fact.provenance
"""

from chartseal.verification.chain import Accreditation, AnchorProof, ChainView, anchor_leaf
from chartseal.verification.facts import Fact, bundle
from chartseal.verification.holder import NonceStore
from chartseal.verification.policy import Limits, TrustedIssuer, TrustPolicy, UnsafeTrustAnyone
from chartseal.verification.report import Step, VerifiedDisclosure, VerifiedRecord
from chartseal.verification.steps import verify

__all__ = [
    "Accreditation",
    "AnchorProof",
    "ChainView",
    "Fact",
    "Limits",
    "NonceStore",
    "Step",
    "TrustPolicy",
    "TrustedIssuer",
    "UnsafeTrustAnyone",
    "VerifiedDisclosure",
    "VerifiedRecord",
    "anchor_leaf",
    "bundle",
    "verify",
]
