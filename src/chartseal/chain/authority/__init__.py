"""Accredited issuers: who may seal as what, said by authorities on chain.

In: attestations of authorities and issuers. Out: accreditations live at a moment, and the trust root of a day.

    standing = Standing(facts.attestations(ACCREDITATION, attester=a), facts.attestations(WITHDRAWAL, attester=a))
    [accredited] = standing.live(issuer, at)
    accredited.roles
"""

from chartseal.chain.authority.accreditation import Accredited, Grant, read_accreditation
from chartseal.chain.authority.authority import Authority, newest_epoch, publish_status_root
from chartseal.chain.authority.checking import Check, Outcome, check_trust_root
from chartseal.chain.authority.standing import Standing
from chartseal.chain.authority.status_root import StatusRoot, read_status_root, status_root_of
from chartseal.chain.authority.trust_root import Leaf, LeftOut, TrustRoot, compute_trust_root
from chartseal.chain.authority.withdrawal import Withdrawn, read_withdrawal

__all__ = [
    "Accredited",
    "Authority",
    "Check",
    "Grant",
    "Leaf",
    "LeftOut",
    "Outcome",
    "Standing",
    "StatusRoot",
    "TrustRoot",
    "Withdrawn",
    "check_trust_root",
    "compute_trust_root",
    "newest_epoch",
    "publish_status_root",
    "read_accreditation",
    "read_status_root",
    "read_withdrawal",
    "status_root_of",
]
