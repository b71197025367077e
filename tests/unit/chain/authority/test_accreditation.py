"""The form of accreditations: what is made is read again, and what is not of the form is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest, Schema
from chartseal.chain.authority import Grant, read_accreditation, read_withdrawal
from chartseal.chain.authority.accreditation import encode_unchecked
from chartseal.chain.authority.withdrawal import encode_withdrawal
from chartseal.chain.facts import Attestation
from chartseal.chain.schemas import ACCREDITATION, WITHDRAWAL
from chartseal.errors import AuthorityError, SchemaError
from tests.issuers import AUTHORITY, granted, issuer
from tests.made_chain import MadeChain

UID = Digest(b"\x01" * 32)
ISSUER = issuer(1).address


def attested(data: bytes, recipient: Address = ISSUER, ref_uid: Digest = ZERO_DIGEST) -> Attestation:
    return Attestation(UID, ACCREDITATION.uid(), 1_000, 0, 0, ref_uid, recipient, AUTHORITY, True, data)


def read(grant: Grant) -> Grant:
    return read_accreditation(attested(encode_unchecked(grant), grant.issuer))


def test_what_is_granted_is_read_again() -> None:
    grant = granted(
        issuer(1), "hospital", "device", valid_from=7, expires_at=9_999, predecessor=issuer(2).address, endpoint=""
    )
    chain = MadeChain()
    uid = chain.accredit(AUTHORITY, grant, 1_000)
    chain.revoke(uid, 2_000)
    made = chain.attestation(uid)
    assert made is not None
    accredited = read_accreditation(made)
    assert grant.encode() == encode_unchecked(grant) == made.data
    for name in Grant.__slots__:
        assert getattr(accredited, name) == getattr(grant, name), name
    assert (accredited.uid, accredited.authority) == (uid, AUTHORITY)
    assert (accredited.attested_at, accredited.revoked_at, accredited.begins_at) == (1_000, 2_000, 1_000)


LONG_HOST = ".".join(["a" * 63] * 3 + ["b" * 61])


@pytest.mark.parametrize(
    ("good", "bad", "code"),
    [
        ({"name": "é" * 100}, {"name": "é" * 100 + "a"}, "name_refused"),
        ({"name": "a b"}, {"name": "a b "}, "name_refused"),
        ({"name": "x"}, {"name": ""}, "name_refused"),
        ({"name": "Sana 病院 Ωmega"}, {"name": "Sana\u202e 病院"}, "name_refused"),
        ({"name": "a-b"}, {"name": "a\u200bb"}, "name_refused"),
        ({"name": "ab"}, {"name": "a\x1b[31mb"}, "name_refused"),
        ({"name": "ab"}, {"name": "a\nb"}, "name_refused"),
        ({"name": "ab"}, {"name": "a\U000e0041b"}, "name_refused"),
        ({"endpoint": "https://a"}, {"endpoint": "http://a"}, "endpoint_refused"),
        ({"endpoint": "https://a.example:8443/x/y"}, {"endpoint": "https://a.example:0/x/y"}, "endpoint_refused"),
        ({"endpoint": "https://a.example/x"}, {"endpoint": "https://a.example/x?y"}, "endpoint_refused"),
        ({"endpoint": "https://a.example/x"}, {"endpoint": "https://u:p@a.example/x"}, "endpoint_refused"),
        ({"endpoint": "https://a.example/x"}, {"endpoint": "https://a.example/x#y"}, "endpoint_refused"),
        ({"endpoint": "https://a.example"}, {"endpoint": "https://a.example\n"}, "endpoint_refused"),
        ({"endpoint": "https://a.example"}, {"endpoint": "https://-a.example"}, "endpoint_refused"),
        ({"endpoint": "https://xn--tst-qla.example"}, {"endpoint": "https://täst.example"}, "endpoint_refused"),
        ({"endpoint": f"https://{LONG_HOST}"}, {"endpoint": f"https://{LONG_HOST}b"}, "endpoint_refused"),
        (
            {"endpoint": "https://a.example/" + "x" * 482},
            {"endpoint": "https://a.example/" + "x" * 483},
            "endpoint_refused",
        ),
        ({"possession": b"\x01" * 64}, {"possession": b"\x01" * 63}, "accreditation_malformed"),
        ({"possession": b""}, {"possession": b"\x01" * 65}, "accreditation_malformed"),
        ({"roles": frozenset({"clinic"})}, {"roles": frozenset()}, "accreditation_malformed"),
        ({"predecessor": issuer(2).address}, {"predecessor": issuer(1).address}, "accreditation_malformed"),
        ({}, {"issuer": ZERO_ADDRESS}, "accreditation_malformed"),
    ],
)
def test_the_form(good: dict[str, Any], bad: dict[str, Any], code: str) -> None:
    grant = granted(issuer(1))
    kept = replace(grant, **good)
    assert read(kept).name == kept.name
    with pytest.raises(AuthorityError) as caught:
        read(replace(grant, **bad))
    assert caught.value.code == code
    assert "a.example" not in str(caught.value)
    with pytest.raises(AuthorityError) as caught:
        replace(grant, **bad).encode()
    assert caught.value.code == code


def test_data_is_the_only_encoding() -> None:
    data = granted(issuer(1)).encode()
    read_accreditation(attested(data))
    for other in (data + b"\0" * 32, data[:-1], b"", data[:-32], b"\xff" * len(data), data + b"\0" * 2_048):
        with pytest.raises(AuthorityError) as caught:
            read_accreditation(attested(other))
        assert caught.value.code == "accreditation_malformed"


def test_unknown_role_bits_are_passed_over() -> None:
    made, schema = granted(issuer(1)), Schema.parse(ACCREDITATION.text)
    values = schema.decode(made.encode())
    values[1] = 1 << 200 | 1 << 2
    assert read_accreditation(attested(schema.encode(values))).roles == {"pharmacy"}
    values[1] = 1 << 200
    with pytest.raises(AuthorityError):
        read_accreditation(attested(schema.encode(values)))
    with pytest.raises(SchemaError):
        replace(made, roles=frozenset({"barber"})).encode()


def test_an_authority_asks_for_proof_of_possession() -> None:
    first, second = issuer(1), issuer(2)
    identity = b"\x01" + bytes(31)
    granted(first).encode()
    granted(first, proving_key=ZERO_DIGEST, possession=b"").encode()
    copied = granted(second, proving_key=first.proving_key, possession=first.possession())
    altered = bytes([first.possession()[0], *first.possession()[1:63], first.possession()[63] ^ 1])
    for grant, code in [
        (granted(first, possession=b""), "possession_missing"),
        (copied, "possession_invalid"),
        (granted(first, possession=second.possession()), "possession_invalid"),
        (granted(first, possession=altered), "possession_invalid"),
        (granted(first, proving_key=ZERO_DIGEST), "possession_invalid"),
        (granted(first, proving_key=identity), "possession_invalid"),
        (granted(first, proving_key=b"\xff" * 32), "possession_invalid"),
    ]:
        with pytest.raises(AuthorityError) as caught:
            grant.encode()
        assert caught.value.code == code
        assert read(grant).proving_key == grant.proving_key  # a reader still sees who is accredited


def test_a_withdrawal_that_cannot_be_read_still_ends_what_it_refers_to() -> None:
    schema = Schema.parse(WITHDRAWAL.text)
    fine = read_withdrawal(attested(encode_withdrawal(UID, 10, "ordinary")))
    assert (fine.accreditation, fine.ends_at, fine.is_for_cause) == (UID, 1_000, False)
    unknown = read_withdrawal(attested(schema.encode([UID, 10, 5])))
    assert (unknown.cause, unknown.ends_at) == ("other", 10)
    garbled = read_withdrawal(attested(b"\xff", ref_uid=UID))
    assert (garbled.accreditation, garbled.cause, garbled.ends_at) == (UID, "other", 1_000)
    with pytest.raises(AuthorityError) as caught:
        read_withdrawal(attested(b"\xff"))
    assert caught.value.code == "withdrawal_malformed"


def test_a_withdrawal_has_a_known_cause_and_a_time() -> None:
    encode_withdrawal(UID, 2**64 - 1, "other")
    for arguments, code in [
        ((UID, 0, "weather"), "cause_unknown"),
        ((UID, 2**64, "other"), "withdrawal_malformed"),
        ((UID, -1, "other"), "withdrawal_malformed"),
        ((Digest(UID[1:]), 0, "other"), "withdrawal_malformed"),
    ]:
        with pytest.raises(AuthorityError) as caught:
            encode_withdrawal(*arguments)
        assert caught.value.code == code
