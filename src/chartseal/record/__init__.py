"""One resource as named, typed fields: what travels with what, and what it affirms.

In: fields (name, ABI type, value) of a checked resource. Out: control fields, what opens along with a choice, a
verifier's recount, and claims.

    names = [name for name, _ in open_along("Observation", fields, ["Observation.valueQuantity.value"])]
    containers = recount("Observation", [field for field in fields if field.name in names])
"""

from chartseal.record.claims import Claim, claims_root, lift
from chartseal.record.fields import ALWAYS_OPEN, Field
from chartseal.record.slots import Container, Opened, Slot, open_along, recount

__all__ = [
    "ALWAYS_OPEN",
    "Claim",
    "Container",
    "Field",
    "Opened",
    "Slot",
    "claims_root",
    "lift",
    "open_along",
    "recount",
]
