"""What an authority does on chain: accredit, renew, withdraw, and publish its trust root of a day.

authority = Authority(Sender(node, signer), deployment)
uid = authority.accredit(Grant(issuer=issuer, name="Pharmacy", roles=frozenset({"pharmacy"})))
authority.withdraw(uid, cause="key-compromise", withdrawn_from=stolen_at)
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from chartseal.attestation import ZERO_ADDRESS, Address, Digest, to_hex
from chartseal.chain.authority.accreditation import Accredited, Grant, read_accreditation
from chartseal.chain.authority.attesting import Attesting
from chartseal.chain.authority.status_root import encode_status_root
from chartseal.chain.authority.trust_root import (
    EPOCH_SECONDS,
    TrustRoot,
    attested_roots,
    compute_trust_root,
    encode_trust_root,
)
from chartseal.chain.authority.withdrawal import ORDINARY, encode_withdrawal
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import ChainFacts
from chartseal.chain.schemas import ACCREDITATION, ROLES, STATUS_ROOT, TRUST_ROOT, WITHDRAWAL
from chartseal.chain.sending.sender import Sender
from chartseal.errors import AuthorityError


class Authority:
    """One authority's key on one chain; with a resolver, under the schemas that name it."""

    def __init__(self, sender: Sender, deployment: Deployment, *, resolver: Address = ZERO_ADDRESS) -> None:
        """Take who signs and where; `resolver` is an AccreditationResolver made for this authority, or none."""
        self.attesting = Attesting(sender, deployment, resolver)

    @property
    def address(self) -> Address:
        """What verifiers name in their policies."""
        return self.attesting.address

    def accredit(self, grant: Grant) -> Digest:
        """Accredit an issuer; the uid of the accreditation.

        Raises:
            AuthorityError: the grant's form or proof of possession is refused, or `validity_empty`.
            SchemaError: `role_unknown`.
            RequestError, NodeError, SendError, RevertError, DeploymentError: it could not be attested.
        """
        data = grant.encode()
        if grant.expires_at and grant.expires_at <= max(grant.valid_from, self.attesting.now()):
            raise AuthorityError("the accreditation would end before it begins", "validity_empty", "until")
        return self.attesting.attest(ACCREDITATION, data, recipient=grant.issuer, expires_at=grant.expires_at)

    def find(self, uid: Digest) -> Accredited:
        """An accreditation of this authority.

        Raises:
            AuthorityError: `attestation_unknown`, `not_ours`, or it is malformed.
            NodeError: the node does not say.
        """
        return read_accreditation(self.attesting.find(uid, ACCREDITATION))

    def renew(self, uid: Digest, *, expires_at: int, valid_from: int = 0, **changes: Any) -> Digest:
        """Accredit an issuer again as before but for the times and `changes` (members of Grant); the new uid.

        The older accreditation stays as it is: it runs out, or is withdrawn for itself.

        Raises:
            AuthorityError, SchemaError, NodeError, SendError, RevertError: as `find` and `accredit`.
        """
        older = self.find(uid)
        grant = Grant(**{each.name: getattr(older, each.name) for each in fields(Grant)})
        return self.accredit(replace(grant, expires_at=expires_at, valid_from=valid_from, **changes))

    def withdraw(
        self,
        uid: Digest,
        *,
        cause: str = ORDINARY,
        withdrawn_from: int | None = None,
        resolver: Address | None = None,
    ) -> Digest:
        """Withdraw an accreditation from a time on, from now if none is given; the uid of the withdrawal.

        It goes under the accreditation's own resolver, whatever this authority's is, unless another is named: a
        resolver that is not told goes on to say that the issuer is accredited.

        With another cause than `ordinary` the time may lie in the past, and the accreditation is revoked besides;
        after a crash in between, call it again.

        Raises:
            AuthorityError: `cause_unknown`, `withdrawal_reaches_back`, `attestation_unknown` or `not_ours`.
            RequestError, NodeError, SendError, RevertError, DeploymentError: it could not be attested or revoked.
        """
        accreditation = self.attesting.find(uid, ACCREDITATION)
        now = self.attesting.now()
        since = now if withdrawn_from is None else withdrawn_from
        data = encode_withdrawal(uid, since, cause)
        if cause == ORDINARY and since < now:
            raise AuthorityError(
                "an ordinary withdrawal begins now or later; give a cause to reach back", "withdrawal_reaches_back"
            )
        behind = self.attesting.resolver_of(accreditation) if resolver is None else resolver
        recipient = accreditation.recipient
        made = self.attesting.attest(WITHDRAWAL, data, recipient=recipient, ref_uid=uid, resolver=behind)
        if cause != ORDINARY and accreditation.revocable and not accreditation.revocation_time:
            self.attesting.revoke(accreditation)
        return made

    def publish_trust_root(self, facts: ChainFacts, role: str, epoch: int) -> tuple[Digest, TrustRoot]:
        """Compute and attest the root of a role and epoch; (its uid, the root). One that stands already is kept.

        Raises:
            AuthorityError: as `trust_root`; `trust_root_stands`: another one of ours, or the same where our resolver
                does not know it, stands for that role and epoch, and is to be revoked first.
            RequestError, NodeError, IndexingError, SendError, RevertError, DeploymentError: it could not be computed
                or attested.
        """
        computed = compute_trust_root(facts, self.address, role, epoch)
        for attested in attested_roots(facts, self.address):
            if (attested.epoch, attested.role) == (epoch, ROLES.index(role)) and not attested.revoked_at:
                if attested.root != computed.root:
                    raise AuthorityError("another root of ours stands for that role and epoch", "trust_root_stands")
                self._require_seen(attested.uid)
                return attested.uid, computed
        return self.attesting.attest(TRUST_ROOT, encode_trust_root(epoch, role, computed.root)), computed

    def _require_seen(self, uid: Digest) -> None:
        """Our resolver, if we have one, knows that root: contracts that ask it would find none."""
        resolver = self.attesting.resolver
        if resolver == ZERO_ADDRESS or self.attesting.resolver_of(self.attesting.find(uid, TRUST_ROOT)) == resolver:
            return
        detail = f"the same root stands under another resolver, as {to_hex(uid)}: revoke it to attest it under this one"
        raise AuthorityError(detail, "trust_root_stands")

    def revoke_trust_root(self, uid: Digest) -> None:
        """Revoke a trust root of ours; once revoked it stays so.

        Raises:
            AuthorityError: `attestation_unknown` or `not_ours`.
            RequestError, NodeError, SendError, RevertError, DeploymentError: it could not be revoked.
        """
        attestation = self.attesting.find(uid, TRUST_ROOT)
        if not attestation.revocation_time:
            self.attesting.revoke(attestation)


def publish_status_root(sender: Sender, deployment: Deployment, number: int, root: Digest) -> Digest:
    """An issuer publishes the root of one of its status lists; the attestation's uid.

    Raises:
        AuthorityError: `status_root_malformed`.
        RequestError, NodeError, SendError, RevertError, DeploymentError: it could not be attested.
    """
    return Attesting(sender, deployment).attest(STATUS_ROOT, encode_status_root(number, root))


def newest_epoch(facts: ChainFacts) -> int:
    """The newest epoch whose trust roots can be computed: that of the last final block."""
    return facts.final.timestamp // EPOCH_SECONDS
