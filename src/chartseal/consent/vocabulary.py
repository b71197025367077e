"""Words of consents: purposes, parts of a record, bases of a decision, and what a security label says."""

from __future__ import annotations

from collections.abc import Set
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

Purpose = str
"""A code of HL7 v3 PurposeOfUse, one of `PURPOSES`."""

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
ACT_CODE = f"{_TERMINOLOGY}v3-ActCode"
ACT_REASON = f"{_TERMINOLOGY}v3-ActReason"
CONFIDENTIALITY = f"{_TERMINOLOGY}v3-Confidentiality"
OBSERVATION_VALUE = f"{_TERMINOLOGY}v3-ObservationValue"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"

PURPOSES = frozenset(
    """
    BTG CAREMGT CLINTRCH CLINTRL CLMATTCH COC COVAUTH COVERAGE DISASTER DONAT ELIGDTRM ELIGVER ENROLLM ETREAT FAMRQT
    FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HMARKT HOPERAT HOUTCOMS HPAYMT HPRGRP HQUALIMP HRESCH HSYSADMIN
    LABELING METAMGT MEMADMIN MILCDM MILDCRG PATADMIN PATRQT PATSFTY PERFMSR POPHLTH PUBHLTH PWATRNY RECORDMGT REMITADV
    SUPNWK SYSDEV THREAT TRAIN TREAT
    """.split()  # noqa: SIM905 (read as words)
)
"""What a request may state, and a consent name. Each stands for itself: TREAT names neither ETREAT nor COC.

Source: terminology.hl7.org, ValueSet v3-PurposeOfUse.
"""

SENSITIVITY = frozenset(
    """
    ADOL BH CEL COGN DIA DRGIS DVD EMOTDIS EMP ETH ETHUD GDIS HIV MH MST OPIOIDUD PDS PHY PRS PSY PSYTHPN SCA SDV SEX
    SICKLE SPI STD SUD TBOO VIO
    """.split()  # noqa: SIM905 (read as words)
)
"""Sensitivity codes of v3-ActCode that commands take by their code alone; any other label is named in full.

Source: terminology.hl7.org, ValueSet v3-ActInformationSensitivityPolicy.
"""

_NOTES = frozenset({"PSYTHPN", "HIPAAPsyNotes"})
_PART_2 = "42CFRPart2"
_SUBSTANCE_USE = frozenset({_PART_2, "ETH", "ETHUD", "OPIOIDUD", "SUD"})
_OPEN = frozenset({"U", "L", "M", "N"})
"""Confidentiality codes, up to normal, that keep nothing back."""
_SILENT = (f"{CONFIDENTIALITY}|", f"{OBSERVATION_VALUE}|", f"{ACT_REASON}|")
"""Beginnings of labels that say nothing of what a record is about."""
_HANDLING = frozenset(f"{ACT_CODE}|{code}" for code in (_PART_2, "NORDSCLCD", "NORDSCLCDS", "NORDSCLW"))
"""Labels that say how a record is handled because of what another label says."""


class Part(StrEnum):
    """What of a permitted record may still be withheld."""

    NARRATIVE = "narrative"
    """`text`, of contained resources and sections too."""
    NOTES = "notes"
    """Every `note`, and other free text of people."""
    ATTACHMENTS = "attachments"
    """The data and URL of every Attachment."""
    CLAIMS = "claims"
    """Values lifted for proofs."""


class Basis(StrEnum):
    """Why a record is opened."""

    CONSENT = "consent"
    SITE_POLICY = "site-policy"
    BREAK_GLASS = "break-glass"
    OWN_RECORD = "own-record"
    NONE = "none"


FREE_PARTS = frozenset(Part)
"""What may speak of anything, and so of what a label would have kept shut."""


def labels_to_name(labels: Set[str], confidentiality: str | None) -> frozenset[str]:
    """The labels ("system|code") that a consent must name, each of them, to open the record.

    Those that say what the record is about; unknown ones are such. Where there are none, those that say how it is
    handled, and a confidentiality above normal: somebody meant to keep it back, and did not say why.
    """
    if not labels and (confidentiality is None or confidentiality in _OPEN):
        return frozenset()
    telling = frozenset(each for each in labels if not each.startswith(_SILENT))
    if about := telling - _HANDLING:
        return about
    if confidentiality is not None and confidentiality not in _OPEN and not telling:
        return frozenset({f"{CONFIDENTIALITY}|{confidentiality}"})
    return telling


def is_note(label: str) -> bool:
    """Whether it labels psychotherapy or counselling notes, which need a grant of their own (45 CFR 164.508(a)(2)).

    Told by the code, whatever the system: R4 has spelled that in several ways.
    """
    return label.rpartition("|")[2] in _NOTES


def is_part_2(label: str) -> bool:
    """Whether it labels what a Part 2 programme recorded: only the patient or an emergency opens it, no site's policy.

    Source: 42 CFR 2.31, 2.51.
    """
    return label.rpartition("|")[2] == _PART_2


def is_substance_use(label: str) -> bool:
    """Whether the statement of 42 CFR 2.32 goes with what is so labelled."""
    return label.rpartition("|")[2] in _SUBSTANCE_USE


@lru_cache(maxsize=1)
def resource_types() -> frozenset[str]:
    """The names of R4's resource types. Rows: fhir/r4_elements.tsv."""
    text = files("chartseal.fhir").joinpath("r4_elements.tsv").read_text("utf-8")
    return frozenset(row.split("\t", 2)[1] for row in text.splitlines() if row.startswith("resource\t"))
