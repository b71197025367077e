"""Choose what to prove: for each policy the record that satisfies it, or in plain words why none does.

    answers = choose(records, [policy], now=now)
    for answer in answers:
        print(answer.policy.words(), answer.record.resource_type, answer.kind)

Nothing is proved here, and nothing leaves: that is `proving.prove`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from chartseal.attestation import to_hex
from chartseal.disclosure.membership import Membership
from chartseal.disclosure.selection import HeldRecord
from chartseal.disclosure.statements import ANONYMOUS, LINKED, circuit_of
from chartseal.errors import MembershipError, PredicateError
from chartseal.predicates import Policy, Unmet, match

_TEST_FORMAT = "chartseal/1-test"
_OF_NO_RECORD = frozenset({"trust_root_missing", "trust_root_differs"})
"""Refusals that are the authority's, whatever the record."""
_LONGEST_NAME = 160
"""Characters of the text of a policy without name that tell it from others."""
_UID_SHOWN = 10
"""Characters of a seal's uid that tell a holder's records apart."""


MembershipOf: TypeAlias = Callable[[HeldRecord], Membership]
"""Where a record's issuer stands under a trust root; a MembershipError says why it does not."""


@dataclass(frozen=True)
class Answer:
    """A policy, and the record that it is proved of: shown with its seal, or with a membership anonymous."""

    policy: Policy
    record: HeldRecord = field(repr=False)
    claims: tuple[int, ...] = field(repr=False)
    """The places of the claims that satisfy it, one for each slot."""
    membership: Membership | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """`linked` or `anonymous`."""
        return LINKED if self.membership is None else ANONYMOUS

    @property
    def circuit(self) -> str:
        """What proves it."""
        return circuit_of(self.kind, self.policy.circuit_size)

    @property
    def identity(self) -> tuple[bytes, bytes]:
        """The record's (attester, uid)."""
        return self.record.package.signer, self.record.package.uid


def choose(
    records: Iterable[HeldRecord],
    policies: Iterable[Policy],
    *,
    now: datetime,
    membership_of: MembershipOf | None = None,
) -> tuple[Answer, ...]:
    """For each policy a record that satisfies it: one that another policy has chosen already, else the newest.

    With `membership_of` the answers are anonymous, without it linked. A policy is compiled again from its text, so that
    nothing is proved for a hash that nobody can read. `now` is aware.

    Raises:
        PredicateError: `nothing_satisfies`, with a reason for each record; `policies_missing`; `policy_bare_hash`;
            `policy_altered`.
        PredicatePolicyError: a policy does not compile.
        MembershipError: `trust_root_missing`, `trust_root_differs`.
    """
    held = sorted(records, key=lambda record: record.package.message.time, reverse=True)
    answers: list[Answer] = []
    asked = {policy.hash: policy for policy in (_recompiled(each) for each in policies)}
    if not asked:
        raise PredicateError("no policy is given", "policies_missing")
    for policy in asked.values():
        used = {answer.identity for answer in answers}
        ordered = sorted(held, key=lambda record: (record.package.signer, record.package.uid) not in used)
        answers.append(_answer(policy, ordered, now, membership_of))
    return tuple(answers)


def _recompiled(policy: Policy) -> Policy:
    if not isinstance(policy, Policy):
        raise PredicateError("a hash does not say what it asks: give the policy itself", "policy_bare_hash")
    found = Policy.from_json(policy.to_json())
    if found.hash != policy.hash:
        raise PredicateError("the policy's text does not give its hash", "policy_altered")
    return found


def _answer(policy: Policy, records: Sequence[HeldRecord], now: datetime, membership_of: MembershipOf | None) -> Answer:
    reasons = []
    asked = policy.slots[0].claim.path.partition(".")[0]
    of_type = [record for record in records if record.resource_type == asked]
    for record in of_type:
        found = _fitting(policy, record, now, membership_of)
        if isinstance(found, Answer):
            return found
        reasons.append(f"{record.resource_type} {to_hex(record.package.uid)[:_UID_SHOWN]}…: {found}")
    if len(of_type) < len(records):
        reasons.append(f"besides {len(records) - len(of_type)} of other types than {asked}")
    name = policy.name or policy.text[:_LONGEST_NAME]
    raise PredicateError(f"none of {len(records)} records satisfies {name}", "nothing_satisfies", reasons=reasons)


def _fitting(policy: Policy, record: HeldRecord, now: datetime, membership_of: MembershipOf | None) -> Answer | str:
    """The answer by one record, or why it gives none."""
    if not record.private_data.salts_sound:
        return "its salts could give away other fields"
    expiration = record.package.message.expiration_time
    if expiration and expiration <= now.timestamp():
        return "its seal has expired"
    chosen = match(policy, record.claims)
    if isinstance(chosen, Unmet):
        return "; ".join(chosen.reasons)
    if membership_of is None:
        return Answer(policy, record, chosen)
    refusal = _why_not_anonymous(record)
    if refusal:
        return refusal
    try:
        membership = membership_of(record)
    except MembershipError as refused:
        if refused.code in _OF_NO_RECORD:
            raise
        return refused.detail
    assert record.credential is not None  # noqa: S101 (`_why_not_anonymous` refuses one without)
    if record.credential.expiry < membership.now:
        return "its credential has expired"
    if record.credential.sealed_at > membership.not_after:
        return "it was sealed after its issuer's key had ended"
    return Answer(policy, record, chosen, membership)


def _why_not_anonymous(record: HeldRecord) -> str:
    if record.credential is None:
        return "its issuer gave no credential with it"
    if any(each.name == "chartseal.format" and each.value == _TEST_FORMAT for each in record.fields):
        return "it is a test record, which an anonymous proof could not tell"
    return ""
