"""Verify an answer: records that a custodian shows to one who asked, which no holder signs.

The same twelve steps as a disclosure's. Steps 10 and 11 ask other things: by whose leave the custodian shows each
record, and whether the answer came over the channel, and to the request, that we know. Format specification, section
"Answers".
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from chartseal.attestation import Address, Digest, checksum_address, to_hex
from chartseal.disclosure.answers import AnswerBasis, ByConsent, Ground, UnverifiedAnswer, UnverifiedAnswerRecord
from chartseal.errors import (
    AttestationError,
    AudienceError,
    DisclosureError,
    FieldEncodingError,
    FormError,
    HolderError,
)
from chartseal.verification.chain import AnchorProof, ChainView
from chartseal.verification.content import Content, refusing
from chartseal.verification.facts import Fact
from chartseal.verification.inside import Inside
from chartseal.verification.policy import TrustPolicy
from chartseal.verification.records import check_records, verified_records
from chartseal.verification.report import (
    NAMES_OF_ANSWER,
    NOT_CHECKED,
    Proxy,
    Report,
    Step,
    VerifiedRecord,
    same_person,
)
from chartseal.verification.seals import Anchors, Setting

_NONCE_SIZE = 32
_NO_ANCHORS: Anchors = {}
_WORDS = {
    Ground.SITE_POLICY: "by site policy",
    Ground.BREAK_GLASS: "by break-glass",
    Ground.OWN_RECORD: "as the requester's own",
}


class CheckedConsent(NamedTuple):
    """A consent that holds: its holder signed it, for this custodian and for us, and it is in force."""

    root: Digest
    """What names it."""
    holder: bytes
    """The spend key that signed it, packed: 32 bytes."""
    resource_types: frozenset[str] | None
    """The types of the records that it opens; None for any."""


class ConsentCheck(Protocol):
    """Checks consents for one who asks: it knows which grantee that is, and which consents were withdrawn."""

    def __call__(self, document: bytes, *, custodian: Address, now: datetime) -> CheckedConsent:
        """The consent, if it holds now.

        Raises:
            CoreError: it is malformed, its holder did not sign it, it is for another custodian or another grantee, it
                has not begun, has expired, or is withdrawn as far as is known here.
        """


@dataclass(frozen=True)
class VerifiedAnswer:
    """An answer that held, with what was and was not checked. Values never show in its repr.

    It holds what the custodian chose to show: that nothing was left out, no answer proves.
    """

    custodian: Address
    nonce: bytes
    records: tuple[VerifiedRecord, ...]
    """In the order of the answer."""
    grounds: tuple[CheckedConsent | Ground, ...]
    """Of each record, by whose leave it is shown: a consent that holds, or the custodian's word alone."""
    steps: tuple[Step, ...]
    same_person: str
    """`shown`, or `not shown`: whether the records are proved to be one person's. A consent does not prove it."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The records' facts, in their order."""
        return tuple(record.fact for record in self.records)

    def not_checked(self) -> tuple[Step, ...]:
        """The steps that could not be checked."""
        return tuple(step for step in self.steps if step.state == NOT_CHECKED)


def verify_answer(
    answer: UnverifiedAnswer,
    trust: TrustPolicy,
    *,
    channel: Address,
    nonce: bytes,
    now: datetime,
    consent: ConsentCheck | None,
    chain: ChainView | None = None,
    anchors: Anchors = _NO_ANCHORS,
) -> VerifiedAnswer:
    """Check an answer and return its facts, or raise the step's error.

    `channel` is the account whose node the authenticated channel led to, never one that the answer names; `nonce` the
    32 bytes that we sent with this request, fresh for it. `consent` checks the consents that records are shown by;
    without it such records are refused. `now` is aware; `chain` is as in `verify`; `anchors` are inclusion
    proofs of our own, which count in the place of those in the answer.

    Raises:
        VerificationError: one class for each step; `code` says what exactly. Of step 10 `record_repeated`,
            `consent_unknown`, `consent_type`, or as the check refused the consent; of step 11 `channel_mismatch`,
            `nonce_mismatch`.
        ChainError: as the chain view raised it, unchanged: the chain cannot be asked, and nothing is verified.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    if len(nonce) != _NONCE_SIZE:
        raise ValueError("a nonce has 32 bytes")
    report = Report(trust.required, NAMES_OF_ANSWER)
    records = _read(answer, trust)  # 1. limits and form
    report.checked(1)
    setting = Setting(trust, now, chain, {**_anchors(records), **anchors})
    custodian = _Custodian(answer, records, now, channel, nonce, consent)
    checked = check_records(records, Inside(records=len(records)), setting, report, custodian)  # 2. to 11.
    report.checked(12, Inside().count)  # 12. an answer has no proofs
    return VerifiedAnswer(
        custodian=answer.custodian,
        nonce=answer.nonce,
        records=verified_records(checked),
        grounds=tuple(custodian.grounds),
        steps=tuple(report.steps),
        same_person=same_person(checked.marks()),
    )


def check_channel(custodian: Address, given: bytes, *, channel: Address, nonce: bytes) -> None:
    """Step 11: who says that it answers is whom the channel led to, and the nonce given back is the request's.

    Raises:
        AudienceError: `channel_mismatch`, `nonce_mismatch`.
    """
    if custodian != channel:
        raise AudienceError("answered by another custodian than was asked", "channel_mismatch", "custodian")
    if not secrets.compare_digest(given, nonce):
        raise AudienceError("an answer to another request", "nonce_mismatch", "nonce")


def _read(answer: UnverifiedAnswer, trust: TrustPolicy) -> tuple[UnverifiedAnswerRecord, ...]:
    if answer.size > trust.limits.size:
        raise FormError("the answer is too long", "limit_exceeded")
    try:
        records = answer.records()
    except (DisclosureError, AttestationError, FieldEncodingError) as exc:
        raise FormError(exc.detail, exc.code, exc.path) from exc
    leaves = sum(len(record.multiproof.leaves) for record in records)
    if len(records) > trust.limits.records or leaves > trust.limits.leaves:
        raise FormError("more records or leaves than the policy allows", "limit_exceeded", "records")
    return records


def _anchors(records: Sequence[UnverifiedAnswerRecord]) -> dict[tuple[Address, Digest], AnchorProof]:
    """The inclusion proofs that came with the records."""
    return {
        (record.package.signer, record.package.uid): AnchorProof(record.anchor)
        for record in records
        if record.anchor is not None
    }


class _Custodian:
    """Who stands behind an answer: the custodian, by consents or by its own word, over the channel that we know."""

    def __init__(
        self,
        answer: UnverifiedAnswer,
        records: Sequence[UnverifiedAnswerRecord],
        now: datetime,
        channel: Address,
        nonce: bytes,
        check: ConsentCheck | None,
    ) -> None:
        """Take the answer, and what it is held against."""
        self._answer, self._records, self._now = answer, records, now
        self._channel, self._nonce, self._check = channel, nonce, check
        self._consents: dict[bytes, CheckedConsent] = {}
        self.grounds: list[CheckedConsent | Ground] = []

    def check(self, contents: Sequence[Content], report: Report) -> list[Proxy | None]:
        """Steps 10 and 11, as `Vouching`. Nobody signs for a holder.

        Raises:
            HolderError, AudienceError, NotCheckedError.
        """
        identities = [record.identity for record in self._records]
        if len(set(identities)) != len(identities):
            raise HolderError("a record stands twice", "record_repeated", "records")
        answered = zip(self._answer.answered, contents, strict=True)
        self.grounds = [
            self._ground(each.basis, content, f"records[{at}]") for at, (each, content) in enumerate(answered)
        ]
        words = _words(self.grounds)
        if all(isinstance(ground, CheckedConsent) for ground in self.grounds):  # 10. by the holder's leave
            report.checked(10, f"{words}; whose the records are is the custodian's word")
        else:
            report.skipped(10, f"{words}: the custodian's word")
        check_channel(self._answer.custodian, self._answer.nonce, channel=self._channel, nonce=self._nonce)
        report.checked(11, f"answered by {checksum_address(self._channel)}")  # 11. by whom we asked, to this request
        return [None] * len(contents)

    def _ground(self, basis: AnswerBasis, content: Content, place: str) -> CheckedConsent | Ground:
        if isinstance(basis, Ground):
            return basis
        consent = self._consent(basis, place)
        if consent.resource_types is not None and content.resource_type not in consent.resource_types:
            raise HolderError("the consent does not open records of this type", "consent_type", place)
        return consent

    def _consent(self, basis: ByConsent, place: str) -> CheckedConsent:
        """The consent by its document, checked once."""
        if self._check is None:
            raise HolderError("shown by a consent, and none can be checked here", "consent_unknown", place)
        if basis.document not in self._consents:
            with refusing(HolderError, place):
                checked = self._check(basis.document, custodian=self._answer.custodian, now=self._now)
            self._consents[basis.document] = checked
        return self._consents[basis.document]


def _words(grounds: Sequence[CheckedConsent | Ground]) -> str:
    """By whose leave how many records are shown."""
    counted = Counter(
        _WORDS[ground] if isinstance(ground, Ground) else f"by consent {to_hex(ground.root)}" for ground in grounds
    )
    return ", ".join(f"{count} of {len(grounds)} records {word}" for word, count in counted.items())
