"""Steps 2 to 11: records that are shown, whoever stands behind showing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chartseal.attestation import ZERO_DIGEST, Digest
from chartseal.disclosure.form import OpenedRecord
from chartseal.verification import facts, seals
from chartseal.verification.content import Content, check_content, check_leaves, require_some_leaf
from chartseal.verification.inside import Inside
from chartseal.verification.report import Mark, Proxy, Report, VerifiedRecord, VerifiedSeal
from chartseal.verification.seals import Setting
from chartseal.verification.standing import check_seals

_TEST_FORMAT = "chartseal/1-test"
_NO_PSEUDONYMS: Mapping[int, Digest] = {}


class Vouching(Protocol):
    """Who stands behind what is shown, and that it is for us: a disclosure's holders, or an answer's custodian."""

    def check(self, contents: Sequence[Content], report: Report) -> list[Proxy | None]:
        """Steps 10 and 11, reported: of each record the proxy that signed in its holder's place, None without one.

        Raises:
            VerificationError: as the steps.
        """


@dataclass(frozen=True)
class Checked:
    """Records of which steps 2 to 11 held."""

    contents: tuple[Content, ...]
    seals: tuple[VerifiedSeal, ...]
    signers: tuple[Proxy | None, ...]

    def marks(self, pseudonyms: Mapping[int, Digest] = _NO_PSEUDONYMS) -> list[set[Mark]]:
        """What joins them: a subject, one issuer's `chartseal.person`, a pseudonym by a record's place."""
        marks: list[set[Mark]] = []
        for at, (content, seal) in enumerate(zip(self.contents, self.seals, strict=True)):
            person, pseudonym = content.word("person"), pseudonyms.get(at)
            marks.append({("subject", content.word("subject"))})
            if person != bytes(32):
                marks[at].add(("person", seal.attestation.attester, person))
            if pseudonym is not None:
                marks[at].add(("pseudonym", pseudonym))
        return marks


def check_records(
    records: Sequence[OpenedRecord], inside: Inside, setting: Setting, report: Report, vouching: Vouching
) -> Checked:
    """Check records, and report the steps.

    Raises:
        VerificationError: one class for each step.
        ChainError: as the chain view.
    """
    require_some_leaf(records, has_proofs=inside.proofs > 0)  # 2. an empty multiproof fits any root
    report.checked(2, inside.nothing_opened)
    places = [f"records[{at}]" for at in range(len(records))]
    opened = [check_leaves(*each) for each in zip(records, places, strict=True)]  # 3. leaves under the root
    report.checked(3, inside.nothing_opened)
    trust = setting.trust
    contents = [  # 4. what is opened holds together
        check_content(record, fields, place, allow_test=trust.allows_test(record.package.signer))
        for record, fields, place in zip(records, opened, places, strict=True)
    ]
    report.checked(4, inside.nothing_opened)
    packages = [record.package for record in records]
    sealed = check_seals(packages, places, setting, report, inside)  # 5. to 9.
    signers = vouching.check(contents, report)  # 10. and 11. by whom it is shown, for us, now
    return Checked(tuple(contents), sealed, tuple(signers))


def verified_records(checked: Checked) -> tuple[VerifiedRecord, ...]:
    """The records with their facts, once every step has held."""
    attested = [each.attestation for each in checked.seals]
    links = facts.Links(checked.contents, [seal.attester for seal in attested])
    return tuple(
        VerifiedRecord(
            attestation=seal,
            issuer=issuer.name,
            issued_under=issuer.issued_under,
            resource_type=content.resource_type,
            about=content.text("about"),
            labels=tuple(label for label in content.text("labels").split(",") if label),
            sealed_at=seals.sealed_at(seal),
            expires_at=seals.expires_at(seal),
            evidence_time=time,
            amends=_amended(content),
            is_test=content.text("format") == _TEST_FORMAT,
            is_complete=content.is_complete,
            fields=content.fields,
            containers=content.containers,
            targets_not_shown=links.targets_not_shown(content, seal),
            values_not_shown=facts.values_not_shown(content),
            fact=facts.fact(content, seal, issuer.name, links, None if signer is None else signer.key),
            proxy=signer,
        )
        for content, (seal, issuer, time), signer in zip(checked.contents, checked.seals, checked.signers, strict=True)
    )


def _amended(content: Content) -> Digest | None:
    uid = Digest(content.word("amends"))
    return uid if uid != ZERO_DIGEST else None
