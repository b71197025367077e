"""One resource as named, typed fields: what travels with what, and what it affirms.

In: bytes of an R4 resource, or its fields (name, ABI type, value). Out: checked fields, control fields, what opens
along with a choice, a verifier's recount, claims, and the credential over them.

    resource = read_fields(b'{"resourceType":"Observation",…}')
    opened = open_along(resource.resource_type, resource.fields, ["Observation.valueQuantity.value"])
    containers = recount("Observation", [field for field in record if field.name in {each.name for each in opened}])
"""

from chartseal.record.claims import Claim, OpenClaim, claims_root, lift, open_claims
from chartseal.record.credential import Credential, Event, is_of_event
from chartseal.record.fields import ALWAYS_OPEN, Field, Rebuilt, Resource, read_fields, rebuild
from chartseal.record.slots import Container, Opened, Slot, open_along, recount

__all__ = [
    "ALWAYS_OPEN",
    "Claim",
    "Container",
    "Credential",
    "Event",
    "Field",
    "OpenClaim",
    "Opened",
    "Rebuilt",
    "Resource",
    "Slot",
    "claims_root",
    "is_of_event",
    "lift",
    "open_along",
    "open_claims",
    "read_fields",
    "rebuild",
    "recount",
]
