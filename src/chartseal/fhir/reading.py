"""What an issuer's configuration lets through when it reads FHIR."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from chartseal import _core
from chartseal.fhir.validation import validate


class Options(TypedDict):
    """Keywords of the core's readers."""

    test: bool
    modifier_extensions: tuple[str, ...]
    implicit_rules: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """By default nothing that could change what a record means, and no second opinion.

    `test` lets records marked HTEST through; `modifier_extensions` and `implicit_rules` are the URLs that the issuer
    understands; `full` asks a validation library besides, for bindings and invariants that sealing does not need.
    """

    test: bool = False
    modifier_extensions: tuple[str, ...] = ()
    implicit_rules: tuple[str, ...] = ()
    full: bool = False
    core: _core.ReadingRules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "core", _core.ReadingRules(**self.options()))

    def options(self) -> Options:
        """What the core's readers take."""
        return Options(test=self.test, modifier_extensions=self.modifier_extensions, implicit_rules=self.implicit_rules)

    def second_opinion(self, text: bytes) -> None:
        """Ask the validation library, where `full` is set.

        Raises:
            FhirError: `validation_refused`.
        """
        if self.full:
            validate(text)


DEFAULT_READING = Reading()
