"""Only accredited issuers attest under it, and whoever attested can always revoke."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chartseal.attestation import ZERO_DIGEST, Digest
from chartseal.chain.schemas import ACCREDITATION, PRIVATE_DATA, SAMPLE, WITHDRAWAL
from tests.evm import START, Eas, accreditation, named, refused, request, withdrawal

AUTHORITY, ISSUER, STRANGER = named(11), named(13), named(12)
PHARMACY, LABORATORY = 1 << 2, 1 << 3
DATA = b"\x05" * 32


class World:
    def __init__(self) -> None:
        self.chain = Eas()
        eas = self.chain.eas.address
        self.accreditations = self.chain.deploy("accreditation_resolver", eas, AUTHORITY)
        self.resolver = self.chain.deploy("record_resolver", eas, self.accreditations.address, PHARMACY | LABORATORY)
        self.accreditation = self.chain.register(ACCREDITATION, self.accreditations.address)
        self.withdrawal = self.chain.register(WITHDRAWAL, self.accreditations.address)
        self.records = self.chain.register(PRIVATE_DATA, self.resolver.address)
        self.samples = self.chain.register(SAMPLE, self.resolver.address)

    def accredit(self, roles: int, expiration: int = 0) -> Digest:
        data = accreditation(roles=roles)
        return self.chain.attest(self.accreditation, AUTHORITY, data, recipient=ISSUER, expiration=expiration)


@pytest.fixture(scope="module")
def built() -> World:
    return World()


@pytest.fixture
def world(built: World) -> Iterator[World]:
    with built.chain.undone():
        yield built


def test_says_what_it_asks(world: World) -> None:
    read = world.chain.read
    assert read(world.resolver.read("eas")) == world.chain.eas.address
    assert read(world.resolver.read("accreditations")) == world.accreditations.address
    assert read(world.resolver.read("roles")) == PHARMACY | LABORATORY
    assert read(world.resolver.read("isPayable")) is False
    assert read(world.resolver.read("version")) == "1.4.0"


def test_refuses_whoever_is_not_accredited(world: World) -> None:
    for sender in (ISSUER, AUTHORITY, STRANGER):
        with refused("NotAccredited"):
            world.chain.attest(world.records, sender, DATA)
    world.accredit(LABORATORY)
    world.chain.attest(world.records, ISSUER, DATA)
    world.chain.attest(world.samples, ISSUER, DATA * 4)
    with refused("NotAccredited"):
        world.chain.attest(world.records, STRANGER, DATA)


def test_refuses_another_role(world: World) -> None:
    world.accredit(1)
    with refused("NotAccredited"):
        world.chain.attest(world.records, ISSUER, DATA)
    world.accredit(1 | PHARMACY)
    world.chain.attest(world.records, ISSUER, DATA)


def test_refuses_after_the_end(world: World) -> None:
    uid = world.accredit(PHARMACY, expiration=START + 100)
    world.chain.now = START + 99
    world.chain.attest(world.records, ISSUER, DATA)
    with world.chain.undone():
        world.chain.now = START + 100
        with refused("NotAccredited"):
            world.chain.attest(world.records, ISSUER, DATA)
    given = {"recipient": ISSUER, "ref": uid, "revocable": False}
    world.chain.attest(world.withdrawal, AUTHORITY, withdrawal(uid, 0, 1), **given)
    with refused("NotAccredited"):
        world.chain.attest(world.records, ISSUER, DATA)


def test_revocations_always_pass(world: World) -> None:
    accredited = world.accredit(PHARMACY)
    uids = [world.chain.attest(world.records, ISSUER, DATA) for _ in range(3)]
    world.chain.revoke(world.accreditation, AUTHORITY, accredited)
    world.chain.revoke(world.records, ISSUER, uids[0])
    world.chain.revoke(world.records, ISSUER, *uids[1:])
    for uid in uids:
        assert world.chain.read(world.chain.eas.read("getAttestation", uid))[4] == START
    with refused("AlreadyRevoked"):
        world.chain.revoke(world.records, ISSUER, uids[0])


def test_a_batch_needs_an_accredited_attester_and_fits_sixty_four(world: World) -> None:
    each = [request(bytes([at]) * 32) for at in range(65)]
    with refused("NotAccredited"):
        world.chain.attest_many(world.records, ISSUER, each[:2])
    world.accredit(PHARMACY)
    with refused(""):
        world.chain.attest_many(world.records, ISSUER, each)
    uids = world.chain.attest_many(world.records, ISSUER, each[:64])
    world.chain.revoke(world.records, ISSUER, *uids)


def test_data_has_at_most_512_bytes(world: World) -> None:
    world.accredit(PHARMACY)
    world.chain.attest(world.records, ISSUER, bytes(512))
    with refused(""):
        world.chain.attest(world.records, ISSUER, bytes(513))


def test_each_attester_of_a_batch_is_asked_for(world: World) -> None:
    """EAS gives a batch one attester; were it to give more, the second would be asked for too."""
    world.accredit(PHARMACY)
    batch = [
        (ZERO_DIGEST, world.records, START, 0, 0, ZERO_DIGEST, ISSUER, attester, True, DATA)
        for attester in (ISSUER, ISSUER, STRANGER)
    ]
    eas = world.chain.eas.address
    with refused("NotAccredited"):
        world.chain.send(world.resolver.write("multiAttest", batch, [0] * 3), eas)
    world.chain.send(world.resolver.write("multiAttest", batch[:2], [0] * 2), eas)


@pytest.mark.parametrize("name", ["attest", "revoke", "multiAttest", "multiRevoke"])
def test_only_eas_calls(world: World, name: str) -> None:
    world.accredit(PHARMACY)
    one = (ZERO_DIGEST, world.records, START, 0, 0, ZERO_DIGEST, ISSUER, ISSUER, True, DATA)
    arguments = ([one], [0]) if name.startswith("multi") else (one,)
    with refused("CallerNotEas"):
        world.chain.send(world.resolver.write(name, *arguments), ISSUER)


def test_is_deployed_with_one_eas_and_some_role(world: World) -> None:
    eas, accreditations = world.chain.eas.address, world.accreditations.address
    with refused("RolesInvalid"):
        world.chain.deploy("record_resolver", eas, accreditations, 0)
    with refused("EasMissing"):
        world.chain.deploy("record_resolver", STRANGER, accreditations, 1)
    other = world.chain.deploy("eas", world.chain.registry.address)
    with refused("EasMismatch"):
        world.chain.deploy("record_resolver", other.address, accreditations, 1)
    with refused(""):
        world.chain.deploy("record_resolver", eas, STRANGER, 1)


def test_takes_no_ether(world: World) -> None:
    world.accredit(PHARMACY)
    with refused("NotPayable"):
        world.chain.send(world.chain.attestation(world.records, DATA, value=1), ISSUER, 1)
    with refused(""):
        world.chain.call(world.resolver.address, b"", STRANGER, 1)
