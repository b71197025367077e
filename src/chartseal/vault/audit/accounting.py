"""Accounting of disclosures: what a provider owes a patient who asks to whom the records went (45 CFR 164.528).

    for each in account(log, connection, log.pseudonym(reference), now=now):
        print(each.at, each.recipient, each.description, each.purpose)

Six years back from the request, the newest last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from chartseal.vault.audit.entry import Action, Entry
from chartseal.vault.audit.log import TERM, AuditLog

RECIPIENT, ADDRESS, DESCRIPTION, PURPOSE = "recipient", "address", "description", "purpose"
"""Members of a disclosure's detail: 164.528(b)(2)(ii) to (iv); the date is the entry's."""

_DISCLOSING = {Action.DISCLOSE, Action.DELIVER, Action.EXPORT}

# 164.528(a)(1): what need not be accounted for. Purposes are codes of HL7's v3-ActReason under PurposeOfUse
# (terminology.hl7.org/ValueSet-v3-PurposeOfUse.html). Of those beneath HOPERAT, TREAT and PATRQT only these are surely
# what the rule means: a trial, a population's health, a court or a relative's request may be owed, and is listed.
_BY_PURPOSE = {
    "TREAT": "treatment",
    "COC": "treatment",
    "ETREAT": "treatment",
    "BTG": "treatment",
    "ERTREAT": "treatment",
    "HPAYMT": "payment",
    "CLMATTCH": "payment",
    "COVAUTH": "payment",
    "COVERAGE": "payment",
    "ELIGDTRM": "payment",
    "ELIGVER": "payment",
    "ENROLLM": "payment",
    "REMITADV": "payment",
    "HOPERAT": "operations",
    "CAREMGT": "operations",
    "PATADMIN": "operations",
    "PATRQT": "individual",
}
_BY_BASIS = {
    "164.502(a)(1)(i)": "individual",
    "164.502(a)(1)(iii)": "incident",
    "164.506": "treatment, payment, operations",
    "164.508": "authorization",
    "164.510": "care",
    "164.512(k)(2)": "national security",
    "164.512(k)(5)": "custody",
    "164.514(e)": "limited data set",
}


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One disclosure of an accounting: 164.528(b)(2). Texts are empty where the act's detail did not say."""

    sequence: int
    """Its entry in the log."""
    at: datetime
    recipient: str
    """Who received it."""
    address: str
    """Where that is, if known."""
    description: str
    """What was disclosed, in brief."""
    purpose: str
    """What for, in brief; the code where no words were given."""
    exemption: str | None
    """Why it need not be accounted for, if so."""


def account(
    log: AuditLog, connection: Connection, patient: bytes, *, now: datetime, exempt: bool = False
) -> list[Disclosure]:
    """Disclosures about a patient (a pseudonym) of the six years before now; with `exempt` also those not owed.

    A disclosure to the patient is of the action deliver, or has the purpose PATRQT.

    Raises:
        AuditError: `entry_malformed`, `detail_refused`.
        VaultKeyError: `key_missing`.
        VaultError: `vault_unavailable`.
    """
    entries = log.find(connection, patient=patient, since=now - TERM)
    found = [_disclosure(each, log.detail(connection, each) or {}) for each in entries if each.action in _DISCLOSING]
    return [each for each in found if exempt or each.exemption is None]


def _disclosure(entry: Entry, detail: dict[str, str]) -> Disclosure:
    return Disclosure(
        entry.sequence,
        datetime.fromtimestamp(entry.at, UTC),
        detail.get(RECIPIENT, ""),
        detail.get(ADDRESS, ""),
        detail.get(DESCRIPTION, "") or entry.what,
        detail.get(PURPOSE, "") or entry.purpose,
        _exemption(entry),
    )


def _exemption(entry: Entry) -> str | None:
    if entry.action is Action.DELIVER:
        return "individual"
    by_basis = (reason for basis, reason in _BY_BASIS.items() if _is_under(entry.basis, basis))
    return next(by_basis, None) or _BY_PURPOSE.get(entry.purpose)


def _is_under(basis: str, part: str) -> bool:
    """Whether a basis is that part of the rule or a paragraph of it; `164.5101` is not under `164.510`."""
    text = basis.removeprefix("45 CFR ")
    return text == part or text.startswith(f"{part}(")
