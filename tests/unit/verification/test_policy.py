"""Trust policies: what TOML says, and what it may not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chartseal.attestation import Digest, Domain, address_from, checksum_address, network
from chartseal.errors import PolicyError
from chartseal.verification import (
    AttestedTrustRoot,
    Limits,
    TrustedAuthority,
    TrustedIssuer,
    TrustPolicy,
    UnsafeTrustAnyone,
)
from tests.charts import CONTRACT, ISSUER

ADDRESS = checksum_address(ISSUER)
ROOT = "0x" + "0c" * 32
WHOLE = f"""
clock_skew_seconds = 30
largest_delay_seconds = 3600
networks = ["sepolia"]
required = ["revocation", "anchor"]
test_records = ["Example hospital"]
development_keys = ["holder", "anonymous-4"]
keys = ["0x{"ab" * 32}"]
largest_root_age_seconds = 86400
[limits]
size = 1000
records = 2
[[domain]]
version = "1.4.0"
chain_id = 31337
contract = "{checksum_address(CONTRACT)}"
[[issuer]]
address = "{ADDRESS}"
name = "Example hospital"
valid_from = 2026-01-01
valid_until = 2027-01-01T12:00:00+01:00
[[authority]]
address = "{ADDRESS}"
roles = ["hospital", "pharmacy"]
name = "Example board"
[[trust_root]]
authority = "{ADDRESS}"
role = "pharmacy"
epoch = 20786
root = "{ROOT}"
"""


def test_a_whole_policy() -> None:
    policy = TrustPolicy.from_toml(WHOLE)
    begins, ends = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, 11, tzinfo=UTC)
    assert policy == TrustPolicy(
        issuers=(TrustedIssuer(ISSUER, "Example hospital", begins, ends),),
        domains=frozenset({network("sepolia").domain(), Domain("1.4.0", 31337, CONTRACT)}),
        authorities=(TrustedAuthority(ISSUER, frozenset({"hospital", "pharmacy"}), "Example board"),),
        clock_skew=timedelta(seconds=30),
        largest_delay=timedelta(hours=1),
        required=frozenset({8, 9}),
        test_issuers=frozenset({"Example hospital"}),
        limits=Limits(size=1000, records=2),
        development_keys=frozenset({"holder", "anonymous-4"}),
        keys=frozenset({Digest(b"\xab" * 32)}),
        trust_roots=(AttestedTrustRoot(ISSUER, "pharmacy", datetime(2026, 11, 29, tzinfo=UTC), Digest(b"\x0c" * 32)),),
        largest_root_age=timedelta(days=1),
    )
    assert policy.allows_test(ISSUER)
    assert not policy.trusts_anyone


def test_an_empty_policy_trusts_nobody() -> None:
    policy = TrustPolicy.from_toml("")
    assert policy == TrustPolicy()
    assert policy.issuer(ISSUER, []) is None
    assert policy.domains == frozenset()
    assert policy.required == {6, 11}
    assert not policy.allows_test(ISSUER)


def test_a_period_has_a_first_and_no_last_moment() -> None:
    policy, second = TrustPolicy.from_toml(WHOLE), timedelta(seconds=1)
    begins, ends = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, 11, tzinfo=UTC)
    assert policy.issuer(ISSUER, [begins]) == "Example hospital"
    assert policy.issuer(ISSUER, [begins - second]) is None
    assert policy.issuer(ISSUER, [ends - second]) == "Example hospital"
    assert policy.issuer(ISSUER, [ends]) is None
    assert policy.issuer(ISSUER, [begins, ends]) is None
    assert policy.issuer(address_from("0x" + "11" * 20, ""), [begins]) is None


@pytest.mark.parametrize(
    "text",
    [
        "=",
        "unknown = 1",
        "clock_skew_seconds = -1",
        "clock_skew_seconds = 1.5",
        "clock_skew_seconds = true",
        'networks = ["nowhere"]',
        "networks = [1]",
        'networks = "sepolia"',
        'required = ["holder"]',
        "required = [11]",
        "limits = 1",
        "[limits]\nsize = 0",
        "[limits]\nunknown = 1",
        "[[issuer]]",
        f'[[issuer]]\naddress = "{ADDRESS}"',
        f'[[issuer]]\naddress = "{ADDRESS}"\nname = ""',
        f'[[issuer]]\naddress = "{ADDRESS}"\nname = " "',
        f'[[issuer]]\naddress = "{ADDRESS}"\nname = "a\\nb"',
        f'[[issuer]]\naddress = "{ADDRESS}"\nname = "a"\nunknown = 1',
        f'[[issuer]]\naddress = "{ADDRESS}"\nname = "a"\nvalid_from = 2026-01-01T00:00:00',
        f'[[issuer]]\naddress = "{ADDRESS}"\nname = "a"\nvalid_from = "2026-01-01"',
        f'[[issuer]]\naddress = "{ADDRESS[:-1]}"\nname = "a"',
        '[[issuer]]\nname = "a"',
        "issuer = [1]",
        '[[domain]]\nversion = "1.4.0"\nchain_id = 1',
        f'[[domain]]\nversion = "1.4.0"\nchain_id = -1\ncontract = "{ADDRESS}"',
        "[[authority]]",
        f'[[authority]]\naddress = "{ADDRESS}"',
        f'[[authority]]\naddress = "{ADDRESS}"\nroles = []',
        f'[[authority]]\naddress = "{ADDRESS}"\nroles = ["hopsital"]',
        f'[[authority]]\naddress = "{ADDRESS}"\nroles = "hospital"',
        f'[[authority]]\naddress = "{ADDRESS}"\nroles = ["hospital"]\nname = " "',
        f'[[authority]]\naddress = "{ADDRESS}"\nroles = ["hospital"]\nunknown = 1',
        '[[authority]]\nroles = ["hospital"]',
        'test_records = ["Nobody"]',
        'development_keys = "holder"',
        'development_keys = ["holder-1"]',
        'keys = ["0x00"]',
        "keys = [1]",
        "largest_root_age_seconds = -1",
        "[[trust_root]]",
        f'[[trust_root]]\nauthority = "{ADDRESS}"\nrole = "pharmacy"\nepoch = 1',
        f'[[trust_root]]\nauthority = "{ADDRESS}"\nrole = "pharmacy"\nroot = "{ROOT}"',
        f'[[trust_root]]\nauthority = "{ADDRESS}"\nrole = "patient"\nepoch = 1\nroot = "{ROOT}"',
        f'[[trust_root]]\nauthority = "{ADDRESS}"\nrole = "pharmacy"\nepoch = -1\nroot = "{ROOT}"',
        f'[[trust_root]]\nauthority = "{ADDRESS}"\nrole = "pharmacy"\nepoch = 4000000\nroot = "{ROOT}"',
        f'[[trust_root]]\nrole = "pharmacy"\nepoch = 1\nroot = "{ROOT}"',
        f'[[trust_root]]\nauthority = "{ADDRESS}"\nrole = "pharmacy"\nepoch = 1\nroot = "{ROOT}"\nmore = 1',
        "a = " + "[" * 100_000,
    ],
)
def test_malformed_policies_are_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        TrustPolicy.from_toml(text)


def test_a_policy_file(tmp_path: Path) -> None:
    path = tmp_path / "trust.toml"
    with pytest.raises(PolicyError) as refused:
        TrustPolicy.load(path)
    assert refused.value.code == "policy_unreadable"
    path.write_text(WHOLE)
    assert TrustPolicy.load(path) == TrustPolicy.from_toml(WHOLE.encode())
    path.write_bytes(b"\xff")
    with pytest.raises(PolicyError):
        TrustPolicy.load(path)


def test_trusting_anyone_allows_test_records_only_when_told() -> None:
    assert not UnsafeTrustAnyone().allows_test(ISSUER)
    assert UnsafeTrustAnyone(allow_test=True).allows_test(ISSUER)
