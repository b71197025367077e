"""Open what was chosen of one record: the multiproof, and the detached texts of the values that open."""

from __future__ import annotations

from typing import NamedTuple

from chartseal.attestation import Multiproof
from chartseal.disclosure.selection import Choice
from chartseal.errors import DisclosureError
from chartseal.record import recount


class Opening(NamedTuple):
    """What leaves the house of a record, beside its seal."""

    multiproof: Multiproof
    detached: tuple[tuple[str, str], ...]
    """Base64 texts too long for a leaf, by the name of the field that holds their hash."""


def open_choice(choice: Choice) -> Opening:
    """The opened leaves of a record, with what leads to its root. Values that were not chosen never enter it.

    Raises:
        DisclosureError: `salts_unsound`: one opened leaf could give away others.
        RecordError: the choice leaves out what must travel.
    """
    record = choice.record
    names = {opened.name for opened in choice.opened}
    recount(record.resource_type, [each for each in record.fields if each.name in names])
    data = record.private_data
    if not data.salts_sound:
        raise DisclosureError("one opened leaf could give away others", "salts_unsound", record.resource_type)
    positions = {value.name: at for at, value in enumerate(data.values)}
    multiproof = data.multiproof([positions[opened.name] for opened in choice.opened])
    shown = {leaf.name.split("+")[0] for leaf in multiproof.leaves if leaf.type == "bytes32"}
    detached = tuple((name, text) for name, text in record.detached if name.split("+")[0] in shown)
    return Opening(multiproof, detached)
