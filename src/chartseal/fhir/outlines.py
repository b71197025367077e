"""Whose records they are: the patients of an export's resources, before any is sealed.

Source: hl7.org/fhir/R4/compartmentdefinition-patient.html; references as hl7.org/fhir/R4/bundle.html#references.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from chartseal import _core
from chartseal.fhir.bundle import Piece

_PATIENT = re.compile(r"(?:[^?#]*/)?Patient/[A-Za-z0-9.-]{1,64}")


class Outline(NamedTuple):
    """What a resource is and refers to; `full_url` is its entry's, or base/type/id, or nothing."""

    place: str
    full_url: str
    resource_type: str
    id: str | None
    subject: str | None
    compartment: tuple[str, ...]
    references: tuple[str, ...]


class Outlines:
    """Outlines of all resources of an export or chart. Patients are named by their absolute URL.

    `base` is the issuer's FHIR base and ends with a slash: relative references of resources without a fullUrl, and what
    urn:uuid names, are taken against it.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self._references = _core.References()
        self._outlines: list[Outline] = []
        self._companions: dict[str, tuple[str, ...]] | None = None

    def add(self, piece: Piece) -> Outline:
        """Add one resource.

        Raises:
            FhirError: it is no JSON, or names no resource type.
            LimitError: it exceeds what is read.
        """
        resource_type, identity, subject, compartment, references = _core.outline(piece.text)
        own = f"{self.base}{resource_type}/{identity}" if identity else ""
        full_url = piece.full_url or own
        outline = Outline(
            piece.place, full_url, resource_type, identity, subject, tuple(compartment), tuple(references)
        )
        self._references.add(full_url, resource_type, identity)
        self._outlines.append(outline)
        self._companions = None
        return outline

    def patients(self, outline: Outline) -> tuple[str, ...]:
        """The patients that a record belongs to.

        One: its subject, or the only patient whose compartment it is in. Several: it is in their compartments, and its
        subject is no patient. None: it is in no compartment, see `companions`.
        """
        if outline.resource_type == "Patient":
            return (self._own_url(outline),) if outline.full_url else ()
        subject = self._patient(outline.subject, outline) if outline.subject else None
        if subject is not None:
            return (subject,)
        found = (self._patient(reference, outline) for reference in outline.compartment)
        return tuple(dict.fromkeys(patient for patient in found if patient is not None))

    def companions(self, outline: Outline) -> tuple[str, ...]:
        """The patients whose records refer to a record of no compartment, directly or through others of this kind."""
        if self._companions is None:
            self._companions = self._gather()
        return self._companions.get(outline.full_url, ())

    def _target(self, reference: str, outline: Outline) -> tuple[str, str] | None:
        return self._references.resolve(reference, outline.full_url, self.base)

    def _patient(self, reference: str, outline: Outline) -> str | None:
        """The URL of the patient that a reference names, known or not; what it names by urn alone needs to be known."""
        target = self._target(reference, outline)
        if target is not None:
            return (target[1] or reference) if target[0] == "Patient" else None
        url = self._url(reference, outline)
        named = _PATIENT.fullmatch(url) if url.startswith((self.base, "http://", "https://")) else None
        return url if named else None

    def _root(self, outline: Outline) -> str:
        """What relative references of a resource begin with: its server's root, or the issuer's."""
        tail = f"{outline.resource_type}/{outline.id}"
        restful = outline.full_url.startswith(("http://", "https://")) and outline.full_url.endswith(f"/{tail}")
        return outline.full_url.removesuffix(tail) if restful else self.base

    def _gather(self) -> dict[str, tuple[str, ...]]:
        """Patients of each fullUrl of no compartment, following references from records that have patients."""
        owned = [(outline, self.patients(outline)) for outline in self._outlines]
        free = {self._own_url(outline): outline for outline, patients in owned if not patients and outline.full_url}
        found: dict[str, dict[str, None]] = {}
        waiting = [(outline, patient) for outline, patients in owned for patient in patients]
        while waiting:
            outline, patient = waiting.pop()
            for reference in outline.references:
                companion = free.get(self._url(reference, outline))
                if companion is not None and patient not in found.setdefault(companion.full_url, {}):
                    found[companion.full_url][patient] = None
                    waiting.append((companion, patient))
        return {url: tuple(sorted(patients)) for url, patients in found.items()}

    def _own_url(self, outline: Outline) -> str:
        return self._url(outline.full_url, outline)

    def _url(self, reference: str, outline: Outline) -> str:
        """The URL that a reference means, or would mean on its server where R4's Bundle rules give it no meaning.

        Exporters name entries by urn:uuid and refer to them by type and id; to deliver a companion, that is enough.
        """
        target = self._target(reference, outline)
        if target is not None:
            return target[1] or reference
        whole = reference.partition("/_history/")[0]
        return whole if ":" in whole else f"{self._root(outline)}{whole}"
