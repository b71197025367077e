"""Every function of a SchemaRegistry as a call to be made."""

from __future__ import annotations

from typing import Any

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest, schema_uid
from chartseal.chain.calls import Read, Receipt, Write
from chartseal.chain.contract import Bound
from chartseal.chain.eas.contracts import registry_contract, then
from chartseal.chain.eas.requests import SchemaRecord
from chartseal.errors import NodeError


class RegistryOperations:
    """A SchemaRegistry."""

    def __init__(self, address: Address) -> None:
        """Take where it is."""
        self.bound: Bound = registry_contract().at(address)

    def get_schema(self, uid: Digest) -> Read[SchemaRecord | None]:
        """A registered schema, or None."""
        read = self.bound.read("getSchema", uid)

        def decode(data: bytes) -> SchemaRecord | None:
            found: tuple[Any, ...] = read.decode(data)
            record = SchemaRecord(Digest(found[0]), found[1], found[2], found[3])
            return None if record.uid == ZERO_DIGEST else record

        return Read(read.to, read.data, decode)

    def register(self, text: str, resolver: Address = ZERO_ADDRESS, revocable: bool = True) -> Write[Digest]:
        """Register a schema; its uid follows from what is registered."""
        uid = schema_uid(text, resolver, revocable)

        def decode(receipt: Receipt) -> Digest:
            # The event's first argument is the uid in every version, the others differ.
            if not any(log.address == self.bound.address and uid in log.topics[1:2] for log in receipt.logs):
                raise NodeError("a receipt lacks events of what was sent", "node_malformed", "Registered")
            return uid

        return then(self.bound.write("register", text, resolver, revocable), decode)
