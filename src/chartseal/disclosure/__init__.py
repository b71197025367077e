"""Disclose: of sealed records, chosen fields with all that must travel along, to one verifier.

In: sealed records, readable paths or a code, a wallet, and the verifier's audience and nonce. Out: a disclosure.

    selection = select(records, ["Condition.code"])
    disclosure = present(selection, wallet, audience=origin, nonce=nonce, expires_at=in_ten_minutes)
    disclosure.to_json()

Or prove facts about them and open nothing: a presentation is a disclosure that holds proofs.

    answers = choose(records, [policy], now=now)
    presentation = prove(answers, wallet, audience=origin, nonce=nonce, expires_at=in_ten_minutes)

A custodian that may show a record without its holder makes an answer record of it: `answer_record(record)`.
"""

from chartseal.disclosure.about import CodeQuery
from chartseal.disclosure.answers import (
    AnswerBasis,
    Answered,
    ByConsent,
    Ground,
    UnverifiedAnswer,
    UnverifiedAnswerRecord,
    answer_record,
)
from chartseal.disclosure.binding import NO_TERMS, Binding, Terms
from chartseal.disclosure.delegation import Delegation, DelegationFile, Delegator, Mandate, delegate
from chartseal.disclosure.form import OpenedRecord, UnverifiedDisclosure, UnverifiedProof, UnverifiedRecord
from chartseal.disclosure.membership import Membership
from chartseal.disclosure.paths import Pattern
from chartseal.disclosure.predicate import Answer, MembershipOf, choose
from chartseal.disclosure.presentation import HolderSigner, Row, present, preview
from chartseal.disclosure.proving import HolderProver, Proving, Uses, prove, prover_of
from chartseal.disclosure.selection import Choice, HeldRecord, Selection, about_code, everything, select

__all__ = [
    "NO_TERMS",
    "Answer",
    "AnswerBasis",
    "Answered",
    "Binding",
    "ByConsent",
    "Choice",
    "CodeQuery",
    "Delegation",
    "DelegationFile",
    "Delegator",
    "Ground",
    "HeldRecord",
    "HolderProver",
    "HolderSigner",
    "Mandate",
    "Membership",
    "MembershipOf",
    "OpenedRecord",
    "Pattern",
    "Proving",
    "Row",
    "Selection",
    "Terms",
    "UnverifiedAnswer",
    "UnverifiedAnswerRecord",
    "UnverifiedDisclosure",
    "UnverifiedProof",
    "UnverifiedRecord",
    "Uses",
    "about_code",
    "answer_record",
    "choose",
    "delegate",
    "everything",
    "present",
    "preview",
    "prove",
    "prover_of",
    "select",
]
