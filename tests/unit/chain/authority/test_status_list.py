"""Published status lists: what is written comes back, and any other bytes end in a typed error within limits."""

from __future__ import annotations

import json
import os
import zlib
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal.attestation import Address
from chartseal.chain.authority import StatusList, standing_root, status_root_of
from chartseal.chain.authority.status_list import LARGEST_FILE
from chartseal.chain.authority.status_root import LIST_SIZE
from chartseal.chain.schemas import STATUS_ROOT
from chartseal.disclosure.binding import FIELD_ORDER
from chartseal.errors import AuthorityError, StatusListError
from tests.issuers import issuer
from tests.made_chain import MadeChain

ISSUER = issuer(1).address


def a_list(*indices: int, number: int = 3) -> StatusList:
    return StatusList(ISSUER, number, frozenset(indices))


def refusal(code: str) -> pytest.RaisesExc[StatusListError]:
    return pytest.raises(StatusListError, check=lambda error: error.code == code)


@settings(max_examples=30, deadline=None)
@given(st.frozensets(st.integers(0, LIST_SIZE - 1), max_size=200))
def test_what_is_written_comes_back(revoked: frozenset[int]) -> None:
    written = StatusList(ISSUER, 3, revoked)
    read = StatusList.from_json(written.to_json())
    assert read == written
    assert read.root == status_root_of(revoked)


def test_the_edges_of_words_and_bytes() -> None:
    for index in (0, 7, 8, 249, 250, 255, 256, LIST_SIZE - 1):
        read = StatusList.from_json(a_list(index).to_json())
        assert read.revoked == {index}
        assert int.from_bytes(read.word(index)) == 1 << index % 250
    assert StatusList.from_json(a_list().to_json()).root == status_root_of([])


def test_the_fullest_list_is_within_the_limit() -> None:
    bits = bytearray(os.urandom(LIST_SIZE // 8))
    bits[-1] |= 1
    full = a_list(*(at for at in range(LIST_SIZE) if bits[at // 8] >> at % 8 & 1))
    data = full.to_json()
    assert 170_000 < len(data) < LARGEST_FILE
    assert StatusList.from_json(data) == full


def packed(data: bytes) -> str:
    return b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format": "chartseal/2"}, "status_list_malformed"),
        ({"kind": "sealed-record"}, "status_list_malformed"),
        ({"more": 1}, "status_list_malformed"),
        ({"attester": "0x12"}, "status_list_malformed"),
        ({"attester": None}, "status_list_malformed"),
        ({"list": -1}, "status_list_malformed"),
        ({"list": 2**32}, "status_list_malformed"),
        ({"list": True}, "status_list_malformed"),
        ({"root": "0x" + "00" * 31}, "status_list_malformed"),
        ({"root": "0x" + "00" * 32}, "status_list_root"),
        ({"revoked": packed(b"\2")}, "status_list_root"),
        ({"revoked": 5}, "status_list_malformed"),
        ({"revoked": "*"}, "status_list_malformed"),
        ({"revoked": packed(b"\1")[:-4]}, "status_list_malformed"),
        ({"revoked": b64encode(zlib.compress(b"\1") + b"x").decode()}, "status_list_malformed"),
        ({"revoked": packed(b"\1\0")}, "status_list_malformed"),
        ({"revoked": packed(bytes(LIST_SIZE // 8) + b"\1")}, "status_list_malformed"),
        ({"revoked": packed(b"\1" * 10**8)}, "status_list_malformed"),
    ],
)
def test_malformed_files(change: dict[str, Any], code: str) -> None:
    whole = json.loads(a_list(0).to_json())
    with refusal(code):
        StatusList.from_json(json.dumps({**whole, **change}).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400))
def test_any_bytes_end_in_a_typed_error(noise: bytes, at: int) -> None:
    data = a_list(1, 2, 3).to_json()
    for text in (noise, data[:at] + noise + data[at + len(noise) :]):
        try:
            StatusList.from_json(text)
        except StatusListError:
            continue
        assert json.loads(text)["root"] == json.loads(data)["root"]


def test_size_and_nesting_are_limited() -> None:
    for text in (b"", b"[]", b"[" * 100_000, b"{}", b" " * (LARGEST_FILE + 1), b'{"list":NaN}'):
        with refusal("status_list_malformed"):
            StatusList.from_json(text)


def test_indices_outside_a_list() -> None:
    with pytest.raises(AuthorityError):
        _ = a_list(LIST_SIZE).root


def test_the_last_root_of_a_list_stands() -> None:
    chain = MadeChain()
    assert standing_root(chain, ISSUER, 0) is None
    chain.status(ISSUER, status_root_of([1]), 100)
    chain.status(ISSUER, status_root_of([1, 2]), 200)
    chain.status(ISSUER, status_root_of([3]), 300, number=1)
    chain.status(Address(b"\x09" * 20), status_root_of([4]), 400)
    found = standing_root(chain, ISSUER, 0)
    assert found is not None
    assert (found.root, found.attested_at) == (status_root_of([1, 2]), 200)
    chain.attest(STATUS_ROOT, ISSUER, bytes(32) + FIELD_ORDER.to_bytes(32), 500)
    found = standing_root(chain, ISSUER, 0)
    assert found is not None
    assert not found.is_element
