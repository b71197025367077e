# pragma version 0.4.3
"""
@title A resolver that takes ether, refuses the data "refuse", and attests too, under the same schema and to the same
    recipient, for tests
"""

struct Attestation:
    uid: bytes32
    schema: bytes32
    time: uint64
    expirationTime: uint64
    revocationTime: uint64
    refUID: bytes32
    recipient: address
    attester: address
    revocable: bool
    data: Bytes[1024]

struct RequestData:
    recipient: address
    expirationTime: uint64
    revocable: bool
    refUID: bytes32
    data: Bytes[1024]
    value: uint256

struct Request:
    schema: bytes32
    data: RequestData

interface IEAS:
    def attest(request: Request) -> bytes32: payable

EAS: immutable(IEAS)


@deploy
def __init__(eas: address):
    EAS = IEAS(eas)


@external
@pure
def isPayable() -> bool:
    return True


@external
@payable
def attest(attestation: Attestation) -> bool:
    self._nest(attestation)
    return attestation.data != b"refuse"


@external
@payable
def multiAttest(attestations: DynArray[Attestation, 8], values: DynArray[uint256, 8]) -> bool:
    for attestation: Attestation in attestations:
        if attestation.data == b"refuse":
            return False
        self._nest(attestation)
    return True


@internal
def _nest(attestation: Attestation):
    if attestation.attester != self:
        extcall EAS.attest(
            Request(
                schema=attestation.schema,
                data=RequestData(
                    recipient=attestation.recipient,
                    expirationTime=0,
                    revocable=True,
                    refUID=empty(bytes32),
                    data=b"nested",
                    value=0,
                ),
            )
        )
