"""One authority's accreditations, withdrawals and trust roots: each accept beside its reject."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from eth_abi.abi import encode

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from chartseal.chain.calls import Receipt
from chartseal.chain.contract import Bound
from chartseal.chain.schemas import ACCREDITATION, PRIVATE_DATA, STATUS_ROOT, TRUST_ROOT, WITHDRAWAL
from tests.evm import START, Done, Eas, accreditation, named, refused, request, trust_root, withdrawal

AUTHORITY, STRANGER, ISSUER, OTHER = named(11), named(12), named(13), named(14)
NEVER = 2**64 - 1
PHARMACY, LABORATORY = 1 << 2, 1 << 3
DAY = 86_400
TODAY = START // DAY
BN254_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
KEY = Digest(b"\x01" * 32)


class World:
    """EAS, one resolver and its three schemas."""

    def __init__(self) -> None:
        self.chain = Eas()
        self.resolver: Bound = self.chain.deploy("accreditation_resolver", self.chain.eas.address, AUTHORITY)
        register = self.chain.register
        self.accreditation = register(ACCREDITATION, self.resolver.address)
        self.withdrawal = register(WITHDRAWAL, self.resolver.address)
        self.trust_root = register(TRUST_ROOT, self.resolver.address)

    def ask(self, name: str, *arguments: Any) -> Any:
        return self.chain.read(self.resolver.read(name, *arguments))

    def accredit(
        self, data: bytes | None = None, *, by: Address = AUTHORITY, issuer: Address = ISSUER, **members: Any
    ) -> Digest:
        data = accreditation() if data is None else data
        return self.chain.attest(self.accreditation, by, data, recipient=issuer, **members)

    def withdraw(
        self, uid: Digest, since: int = 0, cause: int = 0, *, by: Address = AUTHORITY, **members: Any
    ) -> Digest:
        members = {"recipient": ISSUER, "ref": uid, "revocable": False, **members}
        return self.chain.attest(self.withdrawal, by, withdrawal(uid, since, cause), **members)

    def state_root(self, epoch: int, role: int, root: bytes, **members: Any) -> Digest:
        return self.chain.attest(self.trust_root, AUTHORITY, trust_root(epoch, role, root), **members)

    def is_live(self, roles: int = PHARMACY, issuer: Address = ISSUER) -> bool:
        return bool(self.ask("isAccredited", issuer, roles))

    def term(self, uid: Digest, issuer: Address = ISSUER) -> tuple[int, int, int]:
        """Roles, begin and end of one accreditation."""
        found, *rest = self.ask("accreditationOf", issuer, uid)
        assert found == uid
        roles, begins, ends = rest
        return roles, begins, ends

    def events(self, name: str, done: Done) -> list[dict[str, Any]]:
        return self.resolver.events_in(Receipt(ZERO_DIGEST, 0, ZERO_DIGEST, True, 0, None, done.logs), name)


@pytest.fixture(scope="module")
def built() -> World:
    return World()


@pytest.fixture
def world(built: World) -> Iterator[World]:
    with built.chain.undone():
        yield built


def test_computes_the_registered_uids(world: World) -> None:
    for name, schema in (
        ("accreditationSchemaUid", ACCREDITATION),
        ("withdrawalSchemaUid", WITHDRAWAL),
        ("trustRootSchemaUid", TRUST_ROOT),
    ):
        assert world.ask(name) == schema.uid(world.resolver.address)
    assert world.ask("authority") == AUTHORITY
    assert world.ask("eas") == world.chain.eas.address
    assert world.ask("isPayable") is False
    assert world.ask("version") == "1.4.0"


def test_an_accreditation_counts_for_its_roles_and_issuer_alone(world: World) -> None:
    assert not world.is_live()
    uid = world.accredit(accreditation(roles=PHARMACY | LABORATORY))
    assert world.term(uid) == (PHARMACY | LABORATORY, START, NEVER)
    assert world.is_live(PHARMACY)
    assert world.is_live(LABORATORY | 1)
    assert not world.is_live(1)
    assert not world.is_live(0)
    assert not world.is_live(issuer=OTHER)
    assert world.ask("accreditationsOf", ISSUER) == ((uid, PHARMACY | LABORATORY, START, NEVER),)
    assert world.ask("accreditationOf", OTHER, uid) == (uid, 0, 0, 0)


def test_tells_what_happened_in_events(world: World) -> None:
    data = accreditation()
    done = world.chain.send(
        world.chain.attestation(world.accreditation, data, recipient=ISSUER, expiration=START + 9), AUTHORITY
    )
    uid = Digest(done.output)
    [event] = world.events("Accredited", done)
    assert event == {"issuer": ISSUER, "uid": uid, "roles": PHARMACY, "begins": START, "ends": START + 9}
    write = world.chain.attestation(
        world.withdrawal, withdrawal(uid, START - 5, 1), recipient=ISSUER, ref=uid, revocable=False
    )
    [event] = world.events("Withdrawn", world.chain.send(write, AUTHORITY))
    assert event == {"issuer": ISSUER, "uid": uid, "ends": START - 5, "cause": 1}
    [event] = world.events("Revoked", world.chain.revoke(world.accreditation, AUTHORITY, uid))
    assert event == {"issuer": ISSUER, "uid": uid, "ends": START - 5}
    write = world.chain.attestation(world.trust_root, trust_root(TODAY, 2, KEY))
    done = world.chain.send(write, AUTHORITY)
    assert world.events("TrustRootAttested", done) == [{"epoch": TODAY, "role": 2, "root": KEY}]
    done = world.chain.revoke(world.trust_root, AUTHORITY, Digest(done.output))
    assert world.events("TrustRootCleared", done) == [{"epoch": TODAY, "role": 2, "root": KEY}]


def test_begins_when_it_says_but_never_before_its_block(world: World) -> None:
    later = world.accredit(accreditation(valid_from=START + 100))
    assert world.term(later)[1] == START + 100
    assert not world.is_live()
    world.chain.now = START + 99
    assert not world.is_live()
    world.chain.now = START + 100
    assert world.is_live()
    earlier = world.accredit(accreditation(valid_from=5, roles=LABORATORY))
    assert world.term(earlier)[1] == START + 100


def test_ends_when_it_expires(world: World) -> None:
    world.accredit(expiration=START + 10)
    world.chain.now = START + 9
    assert world.is_live()
    world.chain.now = START + 10
    assert not world.is_live()


def test_one_that_would_end_before_it_begins_is_refused(world: World) -> None:
    with refused("NeverValid"):
        world.accredit(accreditation(valid_from=START + 10), expiration=START + 10)
    world.accredit(accreditation(valid_from=START + 9), expiration=START + 10)
    with refused("NeverValid"):
        world.accredit(accreditation(valid_from=NEVER))
    world.accredit(accreditation(valid_from=NEVER - 1))


@pytest.mark.parametrize(("since", "ends"), [(0, START + 50), (START + 50, START + 50), (START + 60, START + 60)])
def test_an_ordinary_withdrawal_never_reaches_back(world: World, since: int, ends: int) -> None:
    uid = world.accredit()
    world.chain.now = START + 50
    world.withdraw(uid, since, cause=0)
    assert world.term(uid)[2] == ends
    assert world.is_live() == (ends > START + 50)
    world.chain.now = ends
    assert not world.is_live()


@pytest.mark.parametrize("cause", [1, 2, 3, 4])
def test_a_withdrawal_for_cause_does(world: World, cause: int) -> None:
    uid = world.accredit()
    world.chain.now = START + 50
    world.withdraw(uid, START + 20, cause)
    assert world.term(uid)[2] == START + 20
    assert not world.is_live()


def test_a_withdrawal_never_lengthens(world: World) -> None:
    uid = world.accredit(expiration=START + 10)
    for since in (START + 20, NEVER):
        world.withdraw(uid, since, cause=4)
        assert world.term(uid)[2] == START + 10
    world.withdraw(uid, START + 5, cause=0)
    world.withdraw(uid, START + 7, cause=0)
    assert world.term(uid)[2] == START + 5


def test_what_is_over_can_still_be_withdrawn_for_cause(world: World) -> None:
    uid = world.accredit(expiration=START + 10)
    world.chain.now = START + 20
    again = world.accredit()
    assert [each[0] for each in world.ask("accreditationsOf", ISSUER)] == [again]
    world.withdraw(uid, START + 3, cause=1)
    assert world.term(uid) == (PHARMACY, START, START + 3)
    assert world.is_live()


def test_withdrawing_what_never_was_or_is_anothers_is_refused(world: World) -> None:
    uid = world.accredit()
    with refused("AccreditationUnknown"):
        world.withdraw(uid, recipient=OTHER)
    stranger = world.chain.register(PRIVATE_DATA)
    foreign = world.chain.attest(stranger, AUTHORITY, KEY, recipient=ISSUER)
    with refused("AccreditationUnknown"):
        world.withdraw(foreign)
    with refused("ReferenceMismatch"):
        world.withdraw(uid, ref=foreign)
    with refused("ReferenceMismatch"):
        world.withdraw(uid, ref=ZERO_DIGEST)
    with refused("CauseUnknown"):
        world.withdraw(uid, cause=5)
    with refused("MustNotExpire"):
        world.withdraw(uid, expiration=START + 5)
    assert world.is_live()


def test_a_revocation_ends_it_at_once(world: World) -> None:
    uid = world.accredit()
    kept = world.accredit(accreditation(roles=LABORATORY))
    world.chain.now = START + 30
    world.chain.revoke(world.accreditation, AUTHORITY, uid)
    assert world.term(uid)[2] == START + 30
    assert not world.is_live(PHARMACY)
    assert world.is_live(LABORATORY)
    with refused("AlreadyRevoked"):
        world.chain.revoke(world.accreditation, AUTHORITY, uid)
    with refused("AccessDenied"):
        world.chain.revoke(world.accreditation, STRANGER, kept)


def test_only_the_authority_attests(world: World) -> None:
    uid = world.accredit()
    with refused("AttesterNotAuthority"):
        world.accredit(by=STRANGER)
    with refused("AttesterNotAuthority"):
        world.accredit(by=ISSUER)
    with refused("AttesterNotAuthority"):
        world.withdraw(uid, by=ISSUER)
    with refused("AttesterNotAuthority"):
        world.chain.attest(world.trust_root, STRANGER, trust_root(TODAY, 2, KEY))


@pytest.mark.parametrize("name", ["attest", "revoke", "multiAttest", "multiRevoke"])
def test_only_eas_calls(world: World, name: str) -> None:
    one = (ZERO_DIGEST, world.accreditation, START, 0, 0, ZERO_DIGEST, ISSUER, AUTHORITY, True, accreditation())
    arguments = ([one], [0]) if name.startswith("multi") else (one,)
    for sender in (STRANGER, AUTHORITY):
        with refused("CallerNotEas"):
            world.chain.send(world.resolver.write(name, *arguments), sender)
    assert not world.is_live()


def test_other_schemas_with_this_resolver_are_refused(world: World) -> None:
    for schema in (STATUS_ROOT, PRIVATE_DATA):
        uid = world.chain.register(schema, world.resolver.address)
        with refused("SchemaUnknown"):
            world.chain.attest(uid, AUTHORITY, KEY, revocable=False)


def test_a_schema_of_the_same_text_but_another_flag_is_refused(world: World) -> None:
    write = world.chain.registry.write("register", ACCREDITATION.text, world.resolver.address, False)
    uid = Digest(world.chain.send(write, STRANGER).output)
    with refused("SchemaUnknown"):
        world.chain.attest(uid, AUTHORITY, accreditation(), recipient=ISSUER, revocable=False)


def test_must_be_revocable_and_name_an_issuer(world: World) -> None:
    with refused("NotRevocable"):
        world.accredit(revocable=False)
    with refused("NotRevocable"):
        world.state_root(TODAY, 2, KEY, revocable=False)
    with refused("IssuerMissing"):
        world.accredit(issuer=ZERO_ADDRESS)


def test_lengths_have_limits(world: World) -> None:
    world.accredit(accreditation(name="n" * 200, endpoint="e" * 500, key=KEY, possession=b"\x02" * 64))
    with refused("NameTooLong"):
        world.accredit(accreditation(name="n" * 201))
    with refused("EndpointTooLong"):
        world.accredit(accreditation(endpoint="e" * 501))
    world.accredit(accreditation(name="n", endpoint=""))
    with refused("NameMissing"):
        world.accredit(accreditation(name=""))
    world.accredit(accreditation(name="ä" * 100))
    with refused("NameTooLong"):
        world.accredit(accreditation(name="ä" * 100 + "a"))


def test_nobody_succeeds_itself(world: World) -> None:
    with refused("PredecessorInvalid"):
        world.accredit(accreditation(predecessor=ISSUER))
    world.accredit(accreditation(predecessor=OTHER))


@pytest.mark.parametrize(("key", "size"), [(KEY, 0), (KEY, 63), (KEY, 65), (ZERO_DIGEST, 64), (ZERO_DIGEST, 1)])
def test_a_key_comes_with_its_possession(world: World, key: Digest, size: int) -> None:
    with refused("PossessionMalformed"):
        world.accredit(accreditation(key=key, possession=b"\x02" * size))


@pytest.mark.parametrize("roles", [0, 1 << 128, (1 << 256) - 1])
def test_roles_have_bounds(world: World, roles: int) -> None:
    with refused("RolesInvalid"):
        world.accredit(accreditation(roles=roles))
    world.accredit(accreditation(roles=(1 << 128) - 1))
    assert world.is_live(1 << 127)


GOOD = accreditation(name="Test", key=KEY, possession=b"\x02" * 64, valid_from=7, predecessor=OTHER)


def changed(at: int, value: int) -> bytes:
    """Good data with one word replaced."""
    return GOOD[: 32 * at] + value.to_bytes(32, "big") + GOOD[32 * (at + 1) :]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:-1],
        GOOD[:-32],
        GOOD[:256],
        GOOD[:255],
        GOOD + b"\0",
        GOOD + bytes(32),
        changed(0, 0),
        changed(0, 288),
        changed(0, 2**256 - 1),
        changed(3, 256),
        changed(5, 256),
        changed(6, 2**64),
        changed(7, 1 << 160),
        changed(9, int.from_bytes(b"Test".ljust(31, b"\0") + b"x", "big")),
        changed(9, int.from_bytes(b"Test\x80".ljust(32, b"\0"), "big")),
    ],
)
def test_data_that_is_not_the_canonical_encoding_is_refused(world: World, data: bytes) -> None:
    with refused("DataMalformed"):
        world.accredit(data)
    world.accredit(GOOD)


@pytest.mark.parametrize("size", [0, 64, 95, 97, 128])
def test_withdrawals_and_roots_have_three_words(world: World, size: int) -> None:
    uid = world.accredit()
    for schema, data in (
        (world.withdrawal, withdrawal(uid)),
        (world.trust_root, trust_root(TODAY, 2, KEY)),
    ):
        given = (data + bytes(32))[:size]
        with refused("DataMalformed"):
            world.chain.attest(
                schema, AUTHORITY, given, recipient=ISSUER, ref=uid, revocable=schema == world.trust_root
            )
    for words in ([uid, 2**64, 0], [uid, 2**255, 1]):
        data = encode(["bytes32", "uint256", "uint256"], words)
        with refused("DataMalformed"):
            world.chain.attest(world.withdrawal, AUTHORITY, data, recipient=ISSUER, ref=uid, revocable=False)
    with refused("DataMalformed"):
        world.chain.attest(world.trust_root, AUTHORITY, encode(["uint256"] * 3, [2**32, 2, 1]))


def test_at_most_eight_that_are_not_over(world: World) -> None:
    uids = [world.accredit(expiration=START + 100 + at) for at in range(8)]
    with refused("AccreditationsTooMany"):
        world.accredit()
    world.accredit(issuer=OTHER)
    world.chain.now = START + 100
    extra = world.accredit()
    assert [each[0] for each in world.ask("accreditationsOf", ISSUER)] == [*uids[1:], extra]
    with refused("AccreditationsTooMany"):
        world.accredit()
    world.withdraw(uids[4])
    world.accredit()
    assert len(world.ask("accreditationsOf", ISSUER)) == 8


def test_batches(world: World) -> None:
    good = request(accreditation(), recipient=ISSUER)
    uids = world.chain.attest_many(
        world.accreditation, AUTHORITY, [good, request(accreditation(roles=8), recipient=OTHER)]
    )
    assert world.is_live()
    assert world.is_live(8, OTHER)
    world.chain.revoke(world.accreditation, AUTHORITY, *uids)
    assert not world.is_live()
    assert not world.is_live(8, OTHER)
    with refused("RolesInvalid"):
        world.chain.attest_many(
            world.accreditation, AUTHORITY, [good, request(accreditation(roles=0), recipient=OTHER)]
        )
    assert not world.is_live()


def test_a_batch_has_at_most_sixteen(world: World) -> None:
    each = [request(accreditation(), recipient=named(100 + at)) for at in range(17)]
    with refused(""):
        world.chain.attest_many(world.accreditation, AUTHORITY, each)
    world.chain.attest_many(world.accreditation, AUTHORITY, each[:16])
    assert world.is_live(issuer=named(115))


def test_a_trust_root_stands_until_it_is_revoked(world: World) -> None:
    assert world.ask("trustRoot", TODAY, 2) == ZERO_DIGEST
    uid = world.state_root(TODAY, 2, KEY)
    assert world.ask("trustRoot", TODAY, 2) == KEY
    assert world.ask("trustRoot", TODAY, 3) == ZERO_DIGEST
    assert world.ask("trustRoot", TODAY - 1, 2) == ZERO_DIGEST
    other = Digest(b"\x03" * 32)
    with refused("RootStands"):
        world.state_root(TODAY, 2, other)
    with refused("RootStands"):
        world.state_root(TODAY, 2, KEY)
    world.state_root(TODAY, 3, other)
    world.chain.revoke(world.trust_root, AUTHORITY, uid)
    assert world.ask("trustRoot", TODAY, 2) == ZERO_DIGEST
    assert world.ask("trustRoot", TODAY, 3) == other
    world.state_root(TODAY, 2, other)
    assert world.ask("trustRoot", TODAY, 2) == other


def test_a_trust_root_is_of_a_begun_epoch_and_a_field_element(world: World) -> None:
    for later in (TODAY + 1, 2**32 - 1):
        with refused("EpochNotBegun"):
            world.state_root(later, 2, KEY)
    for wrong in (ZERO_DIGEST, BN254_ORDER.to_bytes(32, "big"), b"\xff" * 32):
        with refused("RootInvalid"):
            world.state_root(TODAY, 2, wrong)
    with refused("RoleInvalid"):
        world.state_root(TODAY, 128, KEY)
    with refused("MustNotExpire"):
        world.state_root(TODAY, 2, KEY, expiration=START + 5)
    world.state_root(TODAY, 127, (BN254_ORDER - 1).to_bytes(32, "big"))
    world.chain.now = (TODAY + 1) * DAY - 1
    with refused("EpochNotBegun"):
        world.state_root(TODAY + 1, 2, KEY)
    world.chain.now = (TODAY + 1) * DAY
    world.state_root(TODAY + 1, 2, KEY)


def test_a_revocation_under_another_schema_is_refused_even_from_eas(world: World) -> None:
    """EAS lets none through: withdrawals are irrevocable, and nothing is attested under another schema."""
    uid = world.accredit()
    for schema in (world.withdrawal, ZERO_DIGEST):
        one = (uid, schema, START, 0, START, ZERO_DIGEST, ISSUER, AUTHORITY, True, withdrawal(uid))
        with refused("SchemaUnknown"):
            world.chain.send(world.resolver.write("revoke", one), world.chain.eas.address)
    assert world.is_live()


def test_takes_no_ether(world: World) -> None:
    with refused("NotPayable"):
        world.chain.send(
            world.chain.attestation(world.accreditation, accreditation(), recipient=ISSUER, value=1), AUTHORITY, 1
        )
    with refused(""):
        world.chain.call(world.resolver.address, b"", STRANGER, 1)
    with refused(""):
        world.chain.deploy("accreditation_resolver", world.chain.eas.address, AUTHORITY, value=1)


def test_is_not_deployed_without_eas_or_authority(world: World) -> None:
    with refused("EasMissing"):
        world.chain.deploy("accreditation_resolver", STRANGER, AUTHORITY)
    with refused("AuthorityMissing"):
        world.chain.deploy("accreditation_resolver", world.chain.eas.address, ZERO_ADDRESS)
