# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A registry as SchemaRegistry 0.26 is: its event tells the uid, and nothing of the schema.
@dev Source: eas-contracts 1.9.0 deployments/mainnet/SchemaRegistry.json. For tests.
"""

struct SchemaRecord:
    uid: bytes32
    resolver: address
    revocable: bool
    schema: String[1024]

event Registered:
    uid: indexed(bytes32)
    registerer: address

records: HashMap[bytes32, SchemaRecord]


@external
def register(schema: String[1024], resolver: address, revocable: bool) -> bytes32:
    flag: bytes1 = convert(convert(revocable, uint8), bytes1)
    uid: bytes32 = keccak256(concat(convert(schema, Bytes[1024]), convert(resolver, bytes20), flag))
    assert self.records[uid].uid == empty(bytes32), "AlreadyExists"
    self.records[uid] = SchemaRecord(uid=uid, resolver=resolver, revocable=revocable, schema=schema)
    log Registered(uid=uid, registerer=msg.sender)
    return uid


@view
@external
def getSchema(uid: bytes32) -> SchemaRecord:
    return self.records[uid]
