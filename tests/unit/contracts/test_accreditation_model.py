"""Random lives of accreditations, the resolver beside a model that only knows the rules of liveness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from chartseal.attestation import ZERO_DIGEST, Address, Digest
from chartseal.chain.authority import Standing
from chartseal.chain.facts import Attestation
from chartseal.chain.schemas import ACCREDITATION, TRUST_ROOT, WITHDRAWAL, role_bits
from tests.evm import START, Eas, accreditation, named, refused, trust_root, withdrawal

AUTHORITY, STRANGER = named(11), named(12)
ISSUERS = (named(21), named(22))
ROLES = (1, 2, 4)
NEVER = 2**64 - 1
DAY = 86_400
MOMENTS = st.integers(-200, 400)
"""Seconds from now, around which everything happens."""


@dataclass
class Life:
    """One accreditation as its attestations say, each kept as it was made."""

    issuer: Address
    roles: int
    valid_from: int
    attested_at: int
    expiration: int
    revoked_at: int | None = None
    withdrawals: list[int] = field(default_factory=list)
    """Effective times."""

    @property
    def begins(self) -> int:
        return max(self.valid_from, self.attested_at)

    @property
    def ends(self) -> int:
        revoked = [] if self.revoked_at is None else [self.revoked_at]
        return min([self.expiration or NEVER, *revoked, *self.withdrawals])

    def is_live(self, now: int) -> bool:
        return self.begins <= now < self.ends


class Setting:
    """A chain with one resolver, built once: every run begins at its start."""

    def __init__(self) -> None:
        self.chain = Eas()
        self.resolver = self.chain.deploy("accreditation_resolver", self.chain.eas.address, AUTHORITY)
        register = self.chain.register
        self.schemas = {each: register(each, self.resolver.address) for each in (ACCREDITATION, WITHDRAWAL, TRUST_ROOT)}


@cache
def built() -> Setting:
    return Setting()


class Accreditations(RuleBasedStateMachine):
    uids = Bundle("uids")
    roots = Bundle("roots")

    def __init__(self) -> None:
        super().__init__()
        self.setting = built()
        self.chain = self.setting.chain
        self.known: dict[Digest, Life] = {}
        self.withdrawn: list[Digest] = []
        self.stated: dict[tuple[int, int], Digest] = {}
        self.undone = self.chain.undone()
        self.undone.__enter__()

    def teardown(self) -> None:
        self.undone.__exit__(None, None, None)
        super().teardown()

    @initialize()
    def begin(self) -> None:
        self.chain.now = START

    def attest(self, schema: Any, data: bytes, by: Address = AUTHORITY, **members: Any) -> Digest:
        return self.chain.attest(self.setting.schemas[schema], by, data, **members)

    @rule(seconds=st.integers(1, 300))
    def wait(self, seconds: int) -> None:
        self.chain.now += seconds

    @rule(
        target=uids,
        issuer=st.sampled_from(ISSUERS),
        roles=st.integers(1, 7),
        begins=MOMENTS,
        lasts=st.none() | st.integers(1, 400),
    )
    def accredit(self, issuer: Address, roles: int, begins: int, lasts: int | None) -> Digest:
        now = self.chain.now
        made = Life(issuer, roles, now + begins, now, 0 if lasts is None else now + lasts)
        members: dict[str, Any] = {"recipient": issuer, "expiration": made.expiration}
        data = accreditation(roles=roles, valid_from=made.valid_from)
        pending = [each for each in self.known.values() if each.issuer == issuer and each.ends > now]
        if made.begins >= made.ends or len(pending) >= 8:
            with refused("NeverValid" if made.begins >= made.ends else "AccreditationsTooMany"):
                self.attest(ACCREDITATION, data, **members)
            return ZERO_DIGEST
        with refused("AttesterNotAuthority"):
            self.attest(ACCREDITATION, data, STRANGER, **members)
        uid = self.attest(ACCREDITATION, data, **members)
        self.known[uid] = made
        return uid

    @rule(uid=uids, since=MOMENTS, cause=st.integers(0, 5), issuer=st.sampled_from(ISSUERS))
    def withdraw(self, uid: Digest, since: int, cause: int, issuer: Address) -> None:
        made = self.known.get(uid)
        now = self.chain.now
        data = withdrawal(uid, now + since, cause)
        members: dict[str, Any] = {"recipient": issuer, "ref": uid, "revocable": False}
        if cause > 4:
            with refused("CauseUnknown"):
                self.attest(WITHDRAWAL, data, **members)
        elif made is None or made.issuer != issuer:
            with refused("AccreditationUnknown"):
                self.attest(WITHDRAWAL, data, **members)
        else:
            self.withdrawn.append(self.attest(WITHDRAWAL, data, **members))
            made.withdrawals.append(max(now + since, now) if cause == 0 else now + since)

    @rule()
    def a_reader_of_the_attestations_agrees(self) -> None:
        """Off chain the same attestations are judged by chain/authority: one world, two judges."""
        standing = Standing(self.read(self.known), self.read(self.withdrawn))
        assert not standing.malformed
        for issuer in ISSUERS:
            live = standing.live(issuer, self.chain.now)
            for role in ROLES:
                assert self.ask("isAccredited", issuer, role) == any(role_bits(each.roles) & role for each in live)

    def read(self, uids: Iterable[Digest]) -> list[Attestation]:
        found = [self.chain.read(self.chain.eas.read("getAttestation", uid)) for uid in uids]
        return [each for each in map(Attestation.from_tuple, found) if each]

    @rule(uid=uids)
    def revoke(self, uid: Digest) -> None:
        made = self.known.get(uid)
        schema = self.setting.schemas[ACCREDITATION]
        if made is None or made.revoked_at is not None:
            with refused("NotFound" if made is None else "AlreadyRevoked"):
                self.chain.revoke(schema, AUTHORITY, uid)
            return
        self.chain.revoke(schema, AUTHORITY, uid)
        made.revoked_at = self.chain.now

    @rule(target=roots, ago=st.integers(-1, 1), role=st.integers(0, 1), root=st.integers(1, 9))
    def state_root(self, ago: int, role: int, root: int) -> Any:
        epoch = self.chain.now // DAY - ago
        data = trust_root(epoch, role, root.to_bytes(32, "big"))
        if ago < 0 or (epoch, role) in self.stated:
            with refused("EpochNotBegun" if ago < 0 else "RootStands"):
                self.attest(TRUST_ROOT, data)
            return None
        uid = self.attest(TRUST_ROOT, data)
        self.stated[epoch, role] = Digest(root.to_bytes(32, "big"))
        return uid, epoch, role

    @rule(given=consumes(roots))
    def clear_root(self, given: Any) -> None:
        if given is not None:
            uid, epoch, role = given
            self.chain.revoke(self.setting.schemas[TRUST_ROOT], AUTHORITY, uid)
            del self.stated[epoch, role]

    def ask(self, name: str, *arguments: Any) -> Any:
        return self.chain.read(self.setting.resolver.read(name, *arguments))

    @invariant()
    def agrees(self) -> None:
        now = self.chain.now
        for issuer in ISSUERS:
            live = [each for each in self.known.values() if each.issuer == issuer and each.is_live(now)]
            for role in ROLES:
                assert self.ask("isAccredited", issuer, role) == any(each.roles & role for each in live)
        for uid, made in self.known.items():
            found = self.ask("accreditationOf", made.issuer, uid)
            assert found == (uid, made.roles, made.begins, made.ends)
        for epoch in range(now // DAY - 1, now // DAY + 2):
            for role in (0, 1):
                assert self.ask("trustRoot", epoch, role) == self.stated.get((epoch, role), ZERO_DIGEST)

    @invariant()
    def lists_all_that_are_not_over(self) -> None:
        for issuer in ISSUERS:
            listed = {each[0] for each in self.ask("accreditationsOf", issuer)}
            pending = {uid for uid, made in self.known.items() if made.issuer == issuer and made.ends > self.chain.now}
            assert pending <= listed <= self.known.keys()


PROFILE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_lives() -> None:
    run_state_machine_as_test(Accreditations, settings=settings(PROFILE, max_examples=4, stateful_step_count=25))


@pytest.mark.long
def test_long_lives(drill_scale: float) -> None:
    examples = max(2, round(200 * drill_scale))
    run_state_machine_as_test(Accreditations, settings=settings(PROFILE, max_examples=examples, stateful_step_count=60))
