"""Whose records they are: the patients of an export's resources, before any is sealed.

Source: hl7.org/fhir/R4/compartmentdefinition-patient.html; references as hl7.org/fhir/R4/bundle.html#references.
"""

from __future__ import annotations

from typing import NamedTuple

from chartseal import _core
from chartseal.fhir.bundle import Piece


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
            own = self._references.resolve(outline.full_url, outline.full_url, self.base)
            return (own[1] or outline.full_url,) if own else ()
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
        whole = reference.partition("/_history/")[0]
        root, _, _ = whole.rpartition("Patient/")
        relative = whole.startswith("Patient/")
        absolute = root.endswith("/") and whole.startswith(("http://", "https://"))
        if not relative and not absolute:
            return None
        return f"{self._root(outline)}{whole}" if relative else whole

    def _root(self, outline: Outline) -> str:
        """What relative references of a resource begin with: its server's root, or the issuer's."""
        tail = f"{outline.resource_type}/{outline.id}"
        restful = outline.full_url.startswith(("http://", "https://")) and outline.full_url.endswith(f"/{tail}")
        return outline.full_url.removesuffix(tail) if restful else self.base

    def _gather(self) -> dict[str, tuple[str, ...]]:
        """Patients of each fullUrl of no compartment, following references from records that have patients."""
        owned = [(outline, self.patients(outline)) for outline in self._outlines]
        free = {self._key(outline): outline for outline, patients in owned if not patients}
        found: dict[str, dict[str, None]] = {}
        waiting = [(outline, patient) for outline, patients in owned for patient in patients]
        while waiting:
            outline, patient = waiting.pop()
            for reference in outline.references:
                target = self._target(reference, outline)
                companion = free.get(target[1]) if target else None
                if companion is not None and patient not in found.setdefault(companion.full_url, {}):
                    found[companion.full_url][patient] = None
                    waiting.append((companion, patient))
        return {url: tuple(sorted(patients)) for url, patients in found.items()}

    def _key(self, outline: Outline) -> str:
        own = self._references.resolve(outline.full_url, outline.full_url, self.base)
        return own[1] if own else ""
