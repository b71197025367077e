"""`verify` with a node or an index, `revoke` and `amend`: a hospital, an authority and a pharmacy on one chain."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chartseal import _core
from chartseal.attestation import Digest, checksum_address, packages, to_hex
from chartseal.chain.anchors.leaves import AnchorTree, seal_leaf
from chartseal.chain.anchors.proofs import AnchoredSeal, AnchorFile
from chartseal.chain.authority import Grant
from chartseal.chain.index import Follower, NodeSource, Store
from chartseal.chain.index import connect as connect_index
from chartseal.cli import cli
from chartseal.errors import (
    AmendmentError,
    ChartsealError,
    DeploymentError,
    IndexingError,
    IssuerError,
    NodeError,
    RevokedError,
    SampleError,
)
from chartseal.keys import IssuerKey, SealingAddress
from chartseal.sealing import SealedRecord, read_records, seal_resource
from tests.chain import Local
from tests.chain import local as local
from tests.chain_actions import Actor, register_schemas
from tests.charts import AUDIENCE, HOLDER, NONCE, open_paths

SECRET = b"\x21" * 32
CONDITION = {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "code": {"text": "asthma"}}
CHART = [{**CONDITION, "code": {"text": text}} for text in ("asthma", "eczema", "gout")]


@dataclass(frozen=True)
class World:
    """A folder with three sealed records, anchors of two, a policy that names the authority alone, an index."""

    local: Local
    folder: Path
    issuer: IssuerKey
    board: Actor

    @property
    def chain(self) -> list[str]:
        return ["--rpc", self.local.url, "--deployment", str(self.folder / "deployment.json")]

    @property
    def index(self) -> str:
        return f"sqlite:///{self.folder / 'index.db'}"

    def follow(self) -> None:
        (self.folder / "index.db").touch()
        engine = connect_index(self.index)
        store = Store(engine, self.local.deployment)
        store.migrate()
        Follower(NodeSource(self.local.node, self.local.deployment), store).sync()
        engine.dispose()

    def run(self, *arguments: str, given: bytes | None = None) -> Result:
        environment = {"CHARTSEAL_PASSPHRASE": "secret", "CHARTSEAL_KEY": SECRET.hex()}
        return CliRunner(env=environment).invoke(cli, list(arguments), input=given)

    def done(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    def refused(self, error: type[ChartsealError], code: str, *arguments: str) -> ChartsealError:
        result = self.run(*arguments)
        assert isinstance(result.exception, error), result.output
        assert result.exception.code == code
        return result.exception

    def record(self, at: int) -> SealedRecord:
        return list(read_records([self.folder / "sealed"]))[at]

    def shown(self, record: SealedRecord) -> Path:
        path = self.folder / f"{record.uid.hex()}.json"
        path.write_bytes(open_paths([record], "Condition.code", "chartseal.amends").to_json())
        return path

    def verifying(self, record: SealedRecord, *options: str) -> list[str]:
        trust = str(self.folder / "trust.toml")
        return ["verify", str(self.shown(record)), "--trust", trust, "--as", AUDIENCE, "--nonce", NONCE.hex(), *options]


@pytest.fixture(scope="module")
def world(local: Local, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    (folder / "deployment.json").write_text(local.deployment.to_json())
    network = local.deployment.network()
    key = IssuerKey(SECRET, b"\x22" * 32, base="https://hospital.example/fhir/", seals_for=network)
    local.node.request("anvil_setBalance", [key.address, hex(10**20)])
    register_schemas(local)
    board = Actor.of(local, 0)
    board.accredit(Grant(issuer=key.signer.address, name="Example hospital", roles=frozenset({"hospital", "device"})))
    world = World(local, folder, key, board)
    lines = [seal_resource(json.dumps(each), key.issuing(), HOLDER.keys.address()).to_json() for each in CHART]
    (folder / "sealed").mkdir()
    (folder / "sealed" / "all.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    anchor(world, 2)
    (folder / "trust.toml").write_text(
        f"""[[domain]]
version = "{local.deployment.version}"
chain_id = {local.deployment.chain_id}
contract = "{checksum_address(local.deployment.eas)}"
[[authority]]
address = "{checksum_address(board.address)}"
roles = ["hospital", "pharmacy"]
"""
    )
    world.follow()
    return world


def anchor(world: World, count: int) -> None:
    """Timestamp one root over the first records, and write their proofs."""
    records = [world.record(at) for at in range(count)]
    hashes = [Digest(_core.keccak256(each.package.signature)) for each in records]
    leaves = [seal_leaf(each.uid, hash_) for each, hash_ in zip(records, hashes, strict=True)]
    tree = AnchorTree(leaves)
    world.board.timestamp(tree.root)
    proofs = [
        AnchoredSeal(each.attester, each.uid, hash_, tree.root, tree.proof(leaf))
        for each, hash_, leaf in zip(records, hashes, leaves, strict=True)
    ]
    (world.folder / "anchors.ndjson").write_bytes(AnchorFile.of(proofs).to_ndjson())


@pytest.fixture(autouse=True)
def _undone(local: Local) -> Iterator[None]:
    mark = local.node.request("evm_snapshot")
    yield
    local.node.request("evm_revert", [mark])


def test_a_node_alone_tells_issuer_revocation_and_anchor(world: World) -> None:
    anchors = ["--anchors", str(world.folder / "anchors.ndjson")]
    for source in (world.chain, ["--index", world.index], ["--index", world.index, *world.chain]):
        output = world.done(*world.verifying(world.record(0), *source, *anchors))
        board = checksum_address(world.board.address)
        assert f"by Example hospital (hospital, accredited by {board}), existed by 20" in output
        assert "8. revocation: checked" in output
        assert "9. anchor: checked" in output
        told = json.loads(world.done(*world.verifying(world.record(0), *source, *anchors, "--json")))
        assert told["records"][0]["issuedUnder"] == {"authority": board, "roles": ["hospital"]}
        assert told["records"][0]["evidenceTime"]
        assert told["records"][0]["amends"] is None
    output = world.done(*world.verifying(world.record(2), *world.chain, *anchors))
    assert "not anchored" in output


def test_without_a_chain_an_accredited_issuer_is_nobody(world: World) -> None:
    world.refused(IssuerError, "issuer_untrusted", *world.verifying(world.record(0)))
    deployment = ["--deployment", str(world.folder / "deployment.json")]
    assert world.run(*world.verifying(world.record(0), *deployment)).exit_code == 2
    environment = {"CHARTSEAL_DEPLOYMENT": deployment[1]}  # as `chartseal chain up` says, for all commands
    alone = CliRunner(env=environment).invoke(cli, world.verifying(world.record(0)))
    assert isinstance(alone.exception, IssuerError), alone.output


def test_a_chain_that_cannot_be_asked_verifies_nothing(world: World) -> None:
    deployment = ["--deployment", str(world.folder / "deployment.json")]
    refused = world.refused(
        NodeError,
        "node_unreachable",
        *world.verifying(world.record(0), "--rpc", "http://127.0.0.1:9/key-in-path", *deployment),
    )
    assert "key-in-path" not in str(refused)
    empty = f"sqlite:///{world.folder / 'empty.db'}"
    world.refused(IndexingError, "index_empty", *world.verifying(world.record(0), "--index", empty))
    world.refused(DeploymentError, "deployment_unknown", *world.verifying(world.record(0), "--rpc", world.local.url))


def test_verifying_without_a_chain_loads_nothing_of_it() -> None:
    packages = "{'web3', 'sqlalchemy', 'tenacity', 'requests'}"
    code = f"import sys, chartseal.cli.verify; print(sorted({packages} & sys.modules.keys()))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def revoking(world: World, *given: str, reason: str = "entered-in-error") -> list[str]:
    return ["revoke", *given, "--reason", reason, *world.chain]


def test_revoked_seals_are_refused_with_the_reason(world: World) -> None:
    record = world.record(0)
    (world.folder / "wrong.ndjson").write_bytes(record.to_json() + b"\n")
    output = world.done(*revoking(world, str(world.folder / "wrong.ndjson")))
    assert to_hex(record.uid) in output
    assert "as its attester, entered-in-error" in output
    again = json.loads(world.done(*revoking(world, str(world.folder / "wrong.ndjson")), "--json"))
    assert [(each["uid"], each["already"]) for each in again["revoked"]] == [(to_hex(record.uid), True)]
    refused = world.refused(RevokedError, "seal_revoked", *world.verifying(record, *world.chain))
    assert "by its attester, reason entered-in-error" in str(refused)
    world.done(*world.verifying(world.record(1), *world.chain))


def test_a_uid_alone_is_revoked_with_what_that_counts_for(world: World) -> None:
    output = world.done(*revoking(world, to_hex(world.record(1).uid)), "--no-reason-on-chain")
    assert "counts only if" in output
    refused = world.refused(RevokedError, "seal_revoked", *world.verifying(world.record(1), *world.chain))
    assert "reason" not in str(refused)
    assert world.run(*revoking(world, "0x12")).exit_code == 1
    assert world.run(*revoking(world, to_hex(world.record(1).uid), reason="because")).exit_code == 2


def test_a_strangers_key_revokes_nothing(world: World) -> None:
    (world.folder / "stranger.key").write_text("55" * 32)
    given = ["revoke", str(world.folder / "sealed"), "--reason", "other", "--key-fd", "{}", *world.chain]
    with (world.folder / "stranger.key").open("rb") as key:
        given[given.index("{}")] = str(key.fileno())
        refused = world.refused(AmendmentError, "revoker_refused", *given)
    assert "3 of 3" in str(refused)


def test_an_amendment_verifies_and_the_old_record_no_longer(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = world.record(0)
    (tmp_path / "new.json").write_text(json.dumps({**CONDITION, "code": {"text": "asthma, mild"}}))
    (tmp_path / "key.json").touch()  # opening key files takes seconds, and is tested for itself
    monkeypatch.setattr(IssuerKey, "load", lambda path, passphrase: world.issuer)
    to = str(SealingAddress(HOLDER.keys.address()))
    given = ["amend", str(world.folder / "sealed"), "--with", str(tmp_path / "new.json"), "--for", to]
    given += ["--issuer", str(tmp_path / "key.json"), "-o", str(tmp_path / "out"), *world.chain]
    world.refused(AmendmentError, "record_ambiguous", *given)
    told = json.loads(world.done(*given, "--uid", to_hex(old.uid), "--json"))
    assert (told["resumed"], told["revoked"]["reason"]) == (False, "amended")
    [new] = read_records([tmp_path / "out"])
    output = world.done(*world.verifying(new, *world.chain))
    assert f"says that it replaces seal {to_hex(old.uid)}" in output
    assert "reason amended" in str(world.refused(RevokedError, "seal_revoked", *world.verifying(old, *world.chain)))


CODED = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J45.909"}]}


def test_a_sample_is_attested_and_read_back(world: World, tmp_path: Path) -> None:
    text = json.dumps({**CONDITION, "code": CODED, "recordedDate": "2026-03-14"})
    record = seal_resource(text, world.issuer.issuing(), HOLDER.keys.address())
    (tmp_path / "one.ndjson").write_bytes(record.to_json() + b"\n")
    given = ["sample", "attest", str(tmp_path / "one.ndjson"), *world.chain]
    [made] = json.loads(world.done(*given, "--json"))["attested"]
    assert made["seal"] == to_hex(record.uid)
    assert made["sample"] in world.done(*given), "a second run attests nothing"
    world.done("sample", "attest", str(tmp_path / "one.ndjson"), "--off-chain", str(tmp_path / "sample.json"))
    options = ["--trust", str(world.folder / "trust.toml"), "--as", AUDIENCE, "--nonce", NONCE.hex(), *world.chain]
    check = ["--disclosure", str(world.shown(record)), *options]
    for sample in (made["sample"], str(tmp_path / "sample.json")):
        told = json.loads(world.done("sample", "check", sample, *check, "--json"))
        assert (told["seal"], told["diagnosis"]) == (to_hex(record.uid), "Condition.code.coding[0].code")
        assert (told["year"], told["yearShown"]) == (2026, False)
        assert "no date of the record is shown" in world.done("sample", "check", sample, *check)
    package = packages.loads((tmp_path / "sample.json").read_bytes())
    other = ["--disclosure", str(world.shown(world.record(0))), *options]
    world.refused(SampleError, "sample_unmatched", "sample", "check", made["sample"], *other)
    world.refused(SampleError, "sample_unknown", "sample", "check", to_hex(package.uid), *check)
    world.done(*revoking(world, to_hex(package.uid), made["sample"]))
    world.refused(SampleError, "sample_revoked", "sample", "check", made["sample"], *check)
    world.refused(RevokedError, "seal_revoked", "sample", "check", str(tmp_path / "sample.json"), *check)
