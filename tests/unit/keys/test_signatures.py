"""Signatures and points: what must be refused, one step from what is accepted."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal import _core
from chartseal.errors import KeyFormatError, SignatureError

R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041

WALLET = _core.Wallet(b"\x22" * 64)
DELIVERY = _core.Delivery(WALLET.address(), b"\x44" * 32)
MESSAGE = (42).to_bytes(32)

seeds = st.binary(min_size=64, max_size=64)
elements = st.integers(0, R - 1).map(lambda value: value.to_bytes(32))


@settings(max_examples=25, deadline=None)
@given(seeds, elements, st.integers(0, 511))
def test_signatures_verify_and_altered_ones_do_not(seed: bytes, message: bytes, bit: int) -> None:
    wallet = _core.Wallet(seed)
    delivery = _core.Delivery(wallet.address())
    signature = wallet.sign_as(delivery.enc, delivery.subject, message)
    _core.verify_holder_signature(delivery.subject, message, signature)
    altered = bytearray(signature)
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignatureError):
        _core.verify_holder_signature(delivery.subject, message, bytes(altered))


def test_signatures_are_hedged() -> None:
    assert WALLET.sign(MESSAGE) != WALLET.sign(MESSAGE)


def refused_signature(public: bytes, message: bytes, signature: bytes) -> str:
    with pytest.raises(SignatureError) as caught:
        _core.verify_holder_signature(public, message, signature)
    return caught.value.code


def test_another_message_key_or_response_is_refused() -> None:
    signature = WALLET.sign(MESSAGE)
    public = WALLET.spend_public()
    assert refused_signature(public, (43).to_bytes(32), signature) == "signature_invalid"
    assert refused_signature(DELIVERY.subject, MESSAGE, signature) == "signature_invalid"
    response = int.from_bytes(signature[32:], "little")
    assert refused_signature(public, MESSAGE, signature[:32] + (response + ORDER).to_bytes(32, "little")) == (
        "signature_malformed"
    )


def test_a_message_is_below_the_field_order() -> None:
    WALLET.sign((R - 1).to_bytes(32))
    with pytest.raises(KeyFormatError) as caught:
        WALLET.sign(R.to_bytes(32))
    assert caught.value.code == "not_a_field_element"


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_has_64_bytes(length: int) -> None:
    with pytest.raises(KeyFormatError) as caught:
        _core.verify_holder_signature(WALLET.spend_public(), MESSAGE, bytes(length))
    assert caught.value.code == "wrong_length"


def test_only_a_recomputed_subject_signs() -> None:
    other = _core.Delivery(WALLET.address(), b"\x45" * 32)
    for enc, subject in ((DELIVERY.enc, other.subject), (other.enc, DELIVERY.subject)):
        with pytest.raises(KeyFormatError) as caught:
            WALLET.sign_as(enc, subject, MESSAGE)
        assert caught.value.code == "subject_not_ours"


def negated(packed: bytes) -> bytes:
    return packed[:31] + bytes([packed[31] ^ 0x80])


def plus_order_two(packed: bytes) -> bytes:
    """P + (0, -1) = (-x, -y): on the curve, outside the subgroup."""
    y = int.from_bytes(packed[:31] + bytes([packed[31] & 0x7F]), "little")
    sign = packed[31] & 0x80 ^ 0x80
    moved = (R - y).to_bytes(32, "little")
    return moved[:31] + bytes([moved[31] | sign])


def plus_r(packed: bytes) -> bytes:
    y = int.from_bytes(packed[:31] + bytes([packed[31] & 0x7F]), "little") + R
    return y.to_bytes(32, "little")


@pytest.mark.parametrize(
    ("packed", "code"),
    [
        (plus_r(WALLET.spend_public()), "point_not_canonical"),
        ((1).to_bytes(32, "little"), "point_is_identity"),
        ((1 | 1 << 255).to_bytes(32, "little"), "point_not_canonical"),
        ((R - 1).to_bytes(32, "little"), "point_outside_subgroup"),
        (plus_order_two(WALLET.spend_public()), "point_outside_subgroup"),
        ((2).to_bytes(32, "little"), "point_not_on_curve"),
        ((5).to_bytes(32, "little"), "point_outside_subgroup"),
        (b"\xff" * 32, "point_not_canonical"),
    ],
)
def test_points_that_would_betray_are_refused_everywhere(packed: bytes, code: str) -> None:
    uses = (
        lambda: _core.check_point(packed),
        lambda: _core.format_address(packed + WALLET.address()[32:]),
        lambda: _core.Delivery(packed + WALLET.address()[32:]),
        lambda: _core.verify_holder_signature(packed, MESSAGE, WALLET.sign(MESSAGE)),
        lambda: _core.holder_commitment(packed),
    )
    for use in uses:
        with pytest.raises(KeyFormatError) as caught:
            use()
        assert caught.value.code == code


def test_the_negated_point_is_another_key() -> None:
    public = WALLET.spend_public()
    x, y = _core.check_point(public)
    assert _core.check_point(negated(public)) == ((R - int.from_bytes(x)).to_bytes(32), y)
    assert refused_signature(negated(public), MESSAGE, WALLET.sign(MESSAGE)) == "signature_invalid"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_our_errors(data: bytes) -> None:
    for use in (_core.check_point, _core.format_address, _core.Delivery, _core.Wallet):
        with contextlib.suppress(KeyFormatError):
            use(data)
    with pytest.raises((KeyFormatError, SignatureError)):
        _core.verify_holder_signature(WALLET.spend_public(), MESSAGE, data)


@pytest.mark.parametrize("count", [0, 11])
def test_poseidon_takes_1_to_10_inputs(count: int) -> None:
    _core.poseidon_hash([MESSAGE] * 10)
    with pytest.raises(KeyFormatError):
        _core.poseidon_hash([MESSAGE] * count)


def test_a_proving_key_signs_and_is_canonical() -> None:
    secret = _core.ProvingKey.generate_secret()
    key = _core.ProvingKey(secret)
    signature = key.sign(MESSAGE)
    _core.verify_holder_signature(key.public(), MESSAGE, signature)
    assert refused_signature(_core.ProvingKey(_core.ProvingKey.generate_secret()).public(), MESSAGE, signature)
    raised = (int.from_bytes(secret, "little") + ORDER).to_bytes(32, "little")
    for bad in (raised, bytes(32), secret[:31]):
        with pytest.raises(KeyFormatError):
            _core.ProvingKey(bad)


def test_a_poseidon_tree_holds_so_many_leaves() -> None:
    leaf = (7).to_bytes(32)
    node = _core.poseidon_hash([leaf, leaf, bytes(32), bytes(32)])
    assert _core.poseidon_root([leaf, leaf], 1) == node
    assert _core.poseidon_root([leaf] * 16, 2) != _core.poseidon_root([leaf] * 15, 2)
    for leaves, depth in (([leaf] * 5, 1), ([], 7)):
        with pytest.raises(KeyFormatError) as caught:
            _core.poseidon_root(leaves, depth)
        assert caught.value.code == "tree_overfull"
