"""Accredited issuers: who may seal as what, said by authorities on chain.

In: attestations of authorities and issuers. Out: accreditations live at a moment, and the trust root of a day.

    standing = Standing(facts.attestations(ACCREDITATION, attester=a), facts.attestations(WITHDRAWAL, attester=a))
    [accredited] = standing.live(issuer, at)
    accredited.roles
"""

from chartseal.chain.authority.accreditation import Accredited, Grant, read_accreditation
from chartseal.chain.authority.standing import Standing
from chartseal.chain.authority.withdrawal import Withdrawn, read_withdrawal

__all__ = [
    "Accredited",
    "Grant",
    "Standing",
    "Withdrawn",
    "read_accreditation",
    "read_withdrawal",
]
