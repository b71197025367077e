"""Accredited issuers: who may seal as what, said by authorities on chain.

In: attestations of authorities and issuers. Out: accreditations live at a moment, the trust root of a day, and
where a credential's issuer stands under it.

    standing = Standing(facts.attestations(ACCREDITATION, attester=a), facts.attestations(WITHDRAWAL, attester=a))
    [accredited] = standing.live(issuer, at)
    accredited.roles
    membership = find_membership(facts, authority, "pharmacy", record.attester, record.credential, status_list)
"""

from chartseal.chain.authority.accreditation import Accredited, Grant, read_accreditation
from chartseal.chain.authority.authority import Authority, newest_epoch, publish_status_root
from chartseal.chain.authority.checking import Check, Outcome, check_trust_root
from chartseal.chain.authority.membership import find_membership
from chartseal.chain.authority.standing import Standing
from chartseal.chain.authority.status_list import StatusList, standing_root
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
    "StatusList",
    "StatusRoot",
    "TrustRoot",
    "Withdrawn",
    "check_trust_root",
    "compute_trust_root",
    "find_membership",
    "newest_epoch",
    "publish_status_root",
    "read_accreditation",
    "read_status_root",
    "read_withdrawal",
    "standing_root",
    "status_root_of",
]
