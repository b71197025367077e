"""ABI items: what is encoded, what a node's bytes decode to, and what is refused."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Log, Receipt
from chartseal.chain.contract import Contract
from chartseal.errors import ChartsealError, FieldEncodingError, NodeError

EAS = Contract.load("eas").at(Address(b"\x0e" * 20))
UID, WHO, SCHEMA = Digest(b"\x01" * 32), Address(b"\x02" * 20), Digest(b"\x03" * 32)
ATTESTATION = "(bytes32,bytes32,uint64,uint64,uint64,bytes32,address,address,bool,bytes)"


def test_signatures_are_those_that_are_hashed() -> None:
    functions, events = EAS.contract.functions, EAS.contract.events
    assert functions["timestamp"].selector.hex() == "4d003070"
    assert functions["attest"].signature == "attest((bytes32,(address,uint64,bool,bytes32,bytes,uint256)))"
    # keccak256 of Attested(address,address,bytes32,bytes32), which explorers show for EAS
    assert events["Attested"].topic.hex() == "8bf46bf4cfd674fa735a3d63ec1c9ad4153f033c290341f3a588b75685141b35"


def test_addresses_come_as_bytes_also_within_tuples() -> None:
    words = (UID, SCHEMA, 1, 0, 0, bytes(32), "0x" + WHO.hex(), "0x" + bytes(20).hex(), True, b"data")
    read = EAS.read("getAttestation", UID)
    assert read.decode(encode([ATTESTATION], [words]))[6:] == (WHO, bytes(20), True, b"data")


@pytest.mark.parametrize("answer", [b"", b"\x00" * 31, b"\xff" * 64])
def test_an_answer_that_does_not_fit_is_refused(answer: bytes) -> None:
    with pytest.raises(NodeError) as caught:
        EAS.read("getAttestation", UID).decode(answer)
    assert caught.value.code == "node_malformed"


@pytest.mark.parametrize("arguments", [(b"\x01" * 33,), (1,), ("0x" + "11" * 32,), (), (UID, UID)])
def test_arguments_that_do_not_fit_are_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(FieldEncodingError):
        EAS.write("timestamp", *arguments)


def log(*topics: Digest, data: bytes = b"", address: Address = EAS.address) -> Log:
    return Log(address, topics, data, 1, Digest(bytes(32)), Digest(bytes(32)), 0)


def test_events_of_this_contract_alone_are_read() -> None:
    event = EAS.contract.events["Attested"]
    topics = (event.topic, Digest(bytes(12) + WHO), Digest(bytes(12) + WHO), SCHEMA)
    good = log(*topics, data=UID)
    other = log(*topics, data=UID, address=Address(b"\x0f" * 20))
    receipt = Receipt(UID, 1, UID, succeeded=True, gas_used=1, contract=None, logs=(other, good, log()))
    expected = {"recipient": WHO, "attester": WHO, "uid": UID, "schemaUID": SCHEMA}
    assert EAS.events_in(receipt, "Attested") == [expected]


@pytest.mark.parametrize(
    "bad",
    [
        log(),
        log(EAS.contract.events["Revoked"].topic, data=UID),
        log(EAS.contract.events["Attested"].topic, data=UID),
        log(EAS.contract.events["Attested"].topic, SCHEMA, SCHEMA, SCHEMA),
    ],
)
def test_a_log_of_another_form_is_refused(bad: Log) -> None:
    with pytest.raises(ChartsealError):
        EAS.contract.events["Attested"].decode_log(bad)
