"""A Bundle of what is shown: who sealed each resource, as the Bundle says, and which one a reference names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from chartseal import _json
from chartseal.adherence.fhir.members import member, members, text
from chartseal.errors import AdherenceError
from chartseal.verification.facts import SEAL_FORMAT, UNOPENED_URL

LARGEST_BUNDLE = 64 * 1024 * 1024
"""Bytes of a Bundle of facts."""


@dataclass(frozen=True)
class Entry:
    """A resource, and what the Provenance of its seal says."""

    full_url: str
    resource: Mapping[str, Any] = field(repr=False)
    issuer: str = ""
    """Who sealed it; empty where no Provenance says so."""
    unopened: tuple[str, ...] = ()
    sealed: date | None = None
    """The day of the seal in UTC; None where no Provenance says so."""

    @property
    def name(self) -> str:
        """`Type/id`; empty where the id is not opened."""
        resource_type, key = text(self.resource, "resourceType"), text(self.resource, "id")
        return f"{resource_type}/{key}" if resource_type and key else ""

    @property
    def patient(self) -> str:
        """The reference to the patient, made absolute where the resource's own URL is; empty where it is not opened."""
        whose = (member(self.resource, name) for name in ("subject", "patient"))
        return self.absolute(next((found for each in whose if (found := text(each, "reference"))), ""))

    def absolute(self, reference: str) -> str:
        """A reference in this resource, seen from outside of it."""
        is_relative = reference.count("/") == 1 and self.is_on_server
        return f"{self.full_url.rsplit('/', 2)[0]}/{reference}" if is_relative else reference

    @property
    def is_on_server(self) -> bool:
        """Whether its URL is one that relative references can be read against."""
        return self.full_url.startswith(("http://", "https://"))


class Shown:
    """The resources of a Bundle by issuer and name: an issuer's reference means its own resources alone."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._named: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for each in entries:
            for name in {each.full_url, each.name} - {""}:
                self._named[each.issuer, name].append(each)

    def find(self, entry: Entry, reference: str) -> list[Entry]:
        """What a reference in `entry` names: by URL; by type and id where one of the two has no URL on a server."""
        found = self._named.get((entry.issuer, entry.absolute(reference)), [])
        if found or not entry.is_on_server:
            return found
        return [each for each in self._named.get((entry.issuer, reference), []) if not each.is_on_server]


def read_bundle(bundle: str | bytes) -> Shown:
    """The resources of a Bundle, numbers as they are written, each with what the Provenance of its seal says.

    A record may itself be a Provenance, and say anything of another's: only one that carries a seal is heard, and two
    for one resource are refused.

    Raises:
        AdherenceError: `bundle_malformed`.
    """
    if len(bundle) > LARGEST_BUNDLE:
        raise AdherenceError("larger than a Bundle of facts may be", "bundle_malformed")
    try:
        parsed = _json.loads(bundle, parse_float=Decimal)
        resources = [(text(entry, "fullUrl"), entry["resource"]) for entry in parsed["entry"]]
        sealed = [resource for _, resource in resources if _is_of_a_seal(resource)]
        said = dict(_said_by(resource) for resource in sealed)
    except (ArithmeticError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as exc:
        raise AdherenceError("not a Bundle of resources", "bundle_malformed") from exc
    if len(said) != len(sealed):
        raise AdherenceError("two seals are said to be one resource's", "bundle_malformed")
    return Shown(
        [Entry(url, each, *said.get(url, ("", (), None))) for url, each in resources if not _is_of_a_seal(each)]
    )


def _is_of_a_seal(resource: Mapping[str, Any]) -> bool:
    """Whether it is a Provenance as verification writes one."""
    if resource["resourceType"] != "Provenance":
        return False
    return any(text(each, "sigFormat") == SEAL_FORMAT for each in members(resource, "signature"))


def _said_by(provenance: Mapping[str, Any]) -> tuple[str, tuple[str, tuple[str, ...], date | None]]:
    """(its target, (who sealed it, positions not opened, on which day))."""
    who = str(provenance["agent"][0]["who"]["identifier"]["value"])
    unopened = tuple(
        str(each["valueString"]) for each in members(provenance, "extension") if each.get("url") == UNOPENED_URL
    )
    when = text(provenance["signature"][0], "when")
    sealed = datetime.fromisoformat(when).astimezone(UTC).date() if when else None
    return str(provenance["target"][0]["reference"]), (who, unopened, sealed)
