"""`chartseal credit`: deployed, funded, redeemed once a use, taken out; each refusal by its code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chartseal.attestation import Address, Digest, LocalSigner, checksum_address, to_hex
from chartseal.chain.authority import Authority, Grant
from chartseal.chain.authority.trust_root import encode_trust_root
from chartseal.chain.credits import Credit
from chartseal.chain.deploy import deploy, load_deployments
from chartseal.chain.presentations import OnChainQuestion, answers_in, audience_hash, gas_of_check
from chartseal.chain.schemas import ROLES, TRUST_ROOT
from chartseal.circuits import CircuitEntry, KeyEntry, Manifest
from chartseal.cli import cli, credit
from chartseal.disclosure.binding import Binding, Terms
from chartseal.disclosure.form import UnverifiedDisclosure, UnverifiedProof
from chartseal.errors import ChartsealError, PresentationError, RevertError
from chartseal.predicates import compile_policy
from tests.chain import Local
from tests.chain import local as local
from tests.chain_actions import register_schemas
from tests.groth16 import R, Trapdoor

DOOR = Trapdoor.of("anonymous-4", 7)
POLICY = compile_policy("MedicationRequest.medication in atc:C10AA* and authoredOn >= 2026-01-01")
AUDIENCE, PURPOSE, AMOUNT = "https://benefit.example", "dispense", 5_000
ROOT = Digest((123).to_bytes(32))
CIRCUIT = CircuitEntry(
    "anonymous-4",
    (),
    1,
    1,
    bytes(32),
    (KeyEntry("anonymous-4", "development", True, DOOR.hash, bytes(32), 1, None),),
)


@dataclass(frozen=True)
class World:
    """A chain with an authority, an accredited pharmacy, and a deployed credit."""

    local: Local
    folder: Path
    resolver: Address
    epoch: int
    credit: str

    @property
    def contract(self) -> Address:
        return load_deployments(self.folder / "deployments.json").find("dispense_credit").address

    def run(self, *arguments: str, key: int | None = None) -> Any:
        return run(self.local, *arguments, "--credit", self.credit, key=key)

    def refused(self, *arguments: str, key: int | None = None) -> str:
        with pytest.raises(ChartsealError) as caught:
            self.run(*arguments, key=key)
        error = caught.value
        return error.name if isinstance(error, RevertError) else error.code

    def binding(self, **terms: Any) -> Binding:
        given = {
            "chain": self.local.node.chain_id,
            "contract": self.contract,
            "payee": self.local.keys[2].address,
            "purpose": PURPOSE,
        }
        return Binding(Digest(b"\x0c" * 32), Terms(**{**given, **terms}))

    def present(self, *nullifiers: int, audience: str = AUDIENCE, **terms: Any) -> UnverifiedDisclosure:
        """What a wallet makes: one anonymous proof for each use."""
        binding, nonce = self.binding(**terms), b"\x0d" * 32
        expiry = self.local.node.block().timestamp + 600
        context = binding.context(audience, nonce, expiry)
        words = [ROOT, (self.epoch * 86_400).to_bytes(32), POLICY.hash, binding.scope(audience, context), context]
        proofs = []
        for nullifier in nullifiers:
            inputs = [*map(int.from_bytes, words), nullifier, 7]
            made = tuple(Digest(each.to_bytes(32)) for each in inputs)
            proofs.append(UnverifiedProof(DOOR.hash, made, DOOR.prove(inputs)))
        return UnverifiedDisclosure(audience, nonce, expiry, (), tuple(proofs), binding)

    def write(self, shown: UnverifiedDisclosure) -> str:
        path = self.folder / "presentation.json"
        path.write_bytes(shown.to_json())
        return str(path)


def run(local: Local, *arguments: str, key: int | None = None) -> Any:
    environment = {"CHARTSEAL_RPC": local.url, "CHARTSEAL_DEPLOYMENT": None, "CHARTSEAL_CREDIT": None}
    secret = None if key is None else SECRETS[key]
    with_eas = ["--deployment", str(arguments_folder(local) / "eas.json")]
    result = CliRunner().invoke(
        cli, ["credit", *arguments, *with_eas, "--json"], env={**environment, "CHARTSEAL_KEY": secret}
    )
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


SECRETS = [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",  # anvil's, known to everybody
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
]
_folders: dict[str, Path] = {}


def arguments_folder(local: Local) -> Path:
    return _folders[local.url]


def asked(folder: Path, resolver: Address, *more: str) -> list[str]:
    (folder / "policy.json").write_bytes(POLICY.to_json())
    return [
        *("deploy", "--policy", str(folder / "policy.json"), "--audience", AUDIENCE, "--purpose", PURPOSE),
        *("--amount", str(AMOUNT), "--resolver", checksum_address(resolver), "--role", "hospital"),
        *("--payee-role", "pharmacy", "--into", str(folder / "deployments.json"), *more),
    ]


@pytest.fixture(scope="module")
def world(local: Local, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("credit")
    _folders[local.url] = folder
    (folder / "eas.json").write_text(local.deployment.to_json())
    resolver = deploy(local.sender(), "accreditation_resolver", local.deployment.eas, local.keys[0].address).address
    register_schemas(local, resolver)
    authority = Authority(local.sender(), local.deployment, resolver=resolver)
    authority.accredit(Grant(issuer=local.keys[2].address, name="Pharmacy", roles=frozenset({"pharmacy"})))
    epoch = local.node.block().timestamp // 86_400
    authority.attesting.attest(TRUST_ROOT, encode_trust_root(epoch, "hospital", ROOT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credit, "manifest", lambda: Manifest({"anonymous-4": CIRCUIT}))
        patch.setattr(credit, "verification_key", lambda key: DOOR.key)
        made = run(local, *asked(folder, resolver, "--unsafe-development-keys"), key=1)
        yield World(local, folder, resolver, epoch, made["credit"])


@pytest.fixture
def fresh(world: World) -> Iterator[World]:
    mark = world.local.node.request("evm_snapshot")
    yield world
    world.local.node.request("evm_revert", [mark])


def test_what_was_deployed_says_what_it_asks(world: World) -> None:
    shown = world.run("status", "--payee", checksum_address(world.local.keys[2].address))
    assert shown["policyHash"] == to_hex(POLICY.hash)
    assert (shown["key"], shown["role"], shown["payeeRoles"]) == (to_hex(DOOR.hash), "hospital", ["pharmacy"])
    assert (shown["purpose"], shown["amount"], shown["free"], shown["usesLeft"]) == (PURPOSE, str(AMOUNT), "0", 0)
    assert shown["funder"] == checksum_address(world.local.keys[1].address)
    assert list(shown["owed"].values()) == ["0"]


def test_a_second_one_uses_the_verifiers_that_stand(fresh: World) -> None:
    before = load_deployments(fresh.folder / "deployments.json")
    run(fresh.local, *asked(fresh.folder, fresh.resolver, "--unsafe-development-keys"), key=1)
    after = load_deployments(fresh.folder / "deployments.json")
    (fresh.folder / "deployments.json").write_text(before.to_json())
    assert [each.contract for each in after.contracts[len(before.contracts) :]] == ["dispense_credit"]


def test_a_development_key_is_taken_only_when_asked(world: World) -> None:
    for more in ([], ["--circuit-key", "development"]):
        with pytest.raises(ChartsealError) as caught:
            run(world.local, *asked(world.folder, world.resolver, *more), key=1)
        assert caught.value.code == "key_unsafe"
    with pytest.raises(ChartsealError) as caught:
        run(world.local, *asked(world.folder, world.resolver, "--circuit-key", "ceremony-1"), key=1)
    assert caught.value.code == "key_unknown"


def test_each_use_is_paid_once_to_whom_it_was_made_for(fresh: World) -> None:
    """Three refills: three times, and not a fourth."""
    assert fresh.run("fund", "--amount", str(4 * AMOUNT), key=1) == {"free": str(4 * AMOUNT), "usesLeft": 4}
    payee = checksum_address(fresh.local.keys[2].address)
    for nullifier in (1, 2, 3):
        path = fresh.write(fresh.present(nullifier))
        assert fresh.run("status", "--presentation", path)["uses"][0]["payee"] == payee
        [done] = fresh.run("redeem", path, key=0)["redeemed"]
        assert (done["payee"], done["amount"], int(done["nullifier"], 16)) == (payee, str(AMOUNT), nullifier)
        assert fresh.refused("redeem", path, key=0) == "use_spent"
        assert fresh.refused("redeem", fresh.write(fresh.present(nullifier)), key=0) == "use_spent"
    assert fresh.run("status", "--payee", payee)["owed"] == {payee: str(3 * AMOUNT)}
    assert fresh.run("withdraw", key=2) == {"amount": str(3 * AMOUNT)}
    assert fresh.refused("withdraw", key=2) == "NothingOwed"


def test_a_presentation_of_several_uses(fresh: World) -> None:
    fresh.run("fund", "--amount", str(2 * AMOUNT), key=1)
    assert len(fresh.run("redeem", fresh.write(fresh.present(1, 2)), key=0)["redeemed"]) == 2
    assert fresh.refused("redeem", fresh.write(fresh.present(3, 3)), key=0) == "presentation_refused"


def test_what_is_not_there_is_not_paid(fresh: World) -> None:
    path = fresh.write(fresh.present(1))
    assert fresh.refused("redeem", path, key=0) == "FundsShort"
    fresh.run("fund", "--amount", str(AMOUNT), key=0)
    assert fresh.refused("reclaim", "--amount", str(AMOUNT), key=0) == "funder_only"
    assert fresh.refused("reclaim", "--amount", str(AMOUNT + 1), key=1) == "FundsShort"
    assert fresh.run("reclaim", "--amount", "1", key=1)["usesLeft"] == 0
    assert fresh.refused("redeem", path, key=0) == "FundsShort"


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"chain": 1}, "presentation_other_chain"),
        ({"contract": Address(b"\x01" * 20)}, "presentation_other_contract"),
        ({"purpose": "refill"}, "presentation_other_use"),
        ({"period": 1}, "presentation_other_use"),
        ({"audience": "https://another.example"}, "presentation_other_audience"),
        ({"payee": Address(b"\x02" * 20)}, "PayeeNotAccredited"),
    ],
)
def test_made_for_something_else(fresh: World, terms: dict[str, Any], code: str) -> None:
    fresh.run("fund", "--amount", str(AMOUNT), key=1)
    assert fresh.refused("redeem", fresh.write(fresh.present(1, **terms)), key=0) == code


def question(world: World) -> OnChainQuestion:
    asked = (DOOR.hash, Digest(POLICY.hash), world.resolver, ROLES.index("hospital"))
    return OnChainQuestion(*asked, audience_hash(AUDIENCE), PURPOSE)


def with_input(shown: UnverifiedDisclosure, at: int, value: int) -> UnverifiedDisclosure:
    [proof] = shown.proofs
    inputs = (*proof.inputs[:at], Digest(value.to_bytes(32)), *proof.inputs[at + 1 :])
    return replace(shown, proofs=(replace(proof, inputs=inputs),))


def test_an_error_says_what_differs(world: World) -> None:
    shown, chain_id, contract = world.present(1), world.local.node.chain_id, world.contract
    assert len(answers_in(shown, question(world), chain_id, contract)) == 1
    [proof] = shown.proofs
    number = [int.from_bytes(each) for each in proof.inputs]
    for wrong, code in [
        (replace(shown, proofs=(), binding=None), "answer_missing"),
        (replace(shown, proofs=(replace(proof, key=Digest(bytes(32))),)), "answer_missing"),
        (replace(shown, proofs=(replace(proof, inputs=proof.inputs[:6]),)), "answer_missing"),
        (with_input(shown, 2, 1), "answer_missing"),
        (with_input(shown, 3, number[3] + 1), "scope_differs"),
        (with_input(shown, 4, number[4] + 1), "context_differs"),
        (replace(shown, nonce=bytes(32)), "context_differs"),
        (replace(shown, expiry=shown.expiry + 1), "context_differs"),
        (with_input(shown, 0, R), "input_out_of_range"),
        (with_input(shown, 5, number[5] + R), "input_out_of_range"),
        (with_input(shown, 1, number[1] + 1), "epoch_malformed"),
        (with_input(shown, 1, 2**32 * 86_400), "epoch_malformed"),
        (replace(shown, proofs=(replace(proof, proof=proof.proof[:-1]),)), "proof_malformed"),
    ]:
        with pytest.raises(PresentationError) as caught:
            answers_in(wrong, question(world), chain_id, contract)
        assert caught.value.code == code


def test_the_chain_checks_before_anything_is_sent(fresh: World) -> None:
    fresh.run("fund", "--amount", str(AMOUNT), key=1)
    head = fresh.local.node.block().number
    shown = fresh.present(1)
    for wrong, reason in [
        (with_input(shown, 6, 8), "ProofInvalid"),
        (with_input(shown, 1, (fresh.epoch - 2) * 86_400), "EpochRefused"),
        (with_input(shown, 1, (fresh.epoch - 1) * 86_400), "TrustRootMissing"),
    ]:
        assert fresh.refused("redeem", fresh.write(wrong), key=0) == reason
    assert fresh.local.node.block().number == head


def test_gas_of_a_check(world: World) -> None:
    found = Credit.at(world.local.node, world.contract)
    [answer] = answers_in(world.present(9), found.question, world.local.node.chain_id, world.contract)
    assert 232_000 < gas_of_check(world.local.node, found.verifier, found.question, answer, world.contract) < 300_000


def test_another_contract_is_no_credit(world: World) -> None:
    other = checksum_address(load_deployments(world.folder / "deployments.json").find("groth16_verifier").address)
    with pytest.raises(ChartsealError) as caught:
        run(world.local, "status", "--credit", other)
    assert caught.value.code == "deployment_mismatch"


def test_the_key_is_of_the_account(world: World) -> None:
    assert [LocalSigner(bytes.fromhex(each)).address for each in SECRETS] == [
        each.address for each in world.local.keys[:3]
    ]
