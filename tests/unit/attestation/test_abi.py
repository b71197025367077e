"""ABI types: those that there are, and no others."""

from __future__ import annotations

import pytest

from chartseal.attestation import PrivateData, abi
from chartseal.errors import FieldEncodingError

KNOWN = ["string", "string[]", "bytes32[2]", "(string system,uint8 n)[]", "tuple(bool)", "int", "bytes", "address[]"]


@pytest.mark.parametrize("spelling", KNOWN)
def test_types_that_there_are(spelling: str) -> None:
    assert abi.parse_type(spelling)


@pytest.mark.parametrize(
    "spelling",
    ["rtring", "rtring[]", "(string,rtring)", "(string,(rtring)[])[2]", "fixed128x18[]"],
)
def test_attack_a_word_that_is_no_type(spelling: str) -> None:
    for call in (lambda: abi.parse_type(spelling), lambda: PrivateData.salted([(spelling, "a", [])])):
        with pytest.raises(FieldEncodingError) as caught:
            call()
        assert caught.value.code == "abi_type"
