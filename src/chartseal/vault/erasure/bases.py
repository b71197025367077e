"""Bases: why a record is erased. A closed list of codes, which the audit log and the receipt bear."""

from __future__ import annotations

from enum import StrEnum


class Basis(StrEnum):
    """Why a record is erased."""

    PATIENT_REQUEST = "patient-request"
    """Whom it is about asks for it: GDPR 17(1)(b) and (c). It does not end a duty to keep: GDPR 17(3)(b)."""
    RETENTION_OVER = "retention-over"
    """Its time is over, and nothing else keeps it: GDPR 5(1)(e)."""
    COURT_ORDER = "court-order"
    SEALED_IN_ERROR = "sealed-in-error"
    """It never was the patient's record, or never should have been made."""
    DUPLICATE = "duplicate"
    """The same record is kept elsewhere."""

    @property
    def ends_retention(self) -> bool:
        """Whether it may override the day before which a record is kept."""
        return self in (Basis.COURT_ORDER, Basis.SEALED_IN_ERROR, Basis.DUPLICATE)

    @property
    def ends_hold(self) -> bool:
        """Whether it may override a legal hold."""
        return self is Basis.COURT_ORDER
