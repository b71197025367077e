"""`chartseal index` as somebody runs it beside a chain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from chartseal.attestation import Digest, checksum_address, to_hex
from chartseal.chain.anchors.leaves import AnchorTree, seal_leaf
from chartseal.chain.anchors.proofs import AnchoredSeal, AnchorFile
from chartseal.chain.authority import Grant
from chartseal.chain.index import sole_follower, tables
from chartseal.chain.index.engine import connect
from chartseal.chain.schemas import PRIVATE_DATA
from chartseal.cli import cli
from chartseal.errors import ChartsealError, IndexingError
from tests.chain import Local
from tests.chain import local as local
from tests.chain_actions import Actor, register_schemas

UID, OTHER, SIGNATURE = (Digest(bytes([each]) * 32) for each in (1, 2, 3))


@dataclass(frozen=True)
class World:
    local: Local
    folder: Path
    attested: list[Digest]
    root: Digest

    @property
    def db(self) -> str:
        return f"sqlite:///{self.folder / 'index.db'}"

    def run(self, name: str, *arguments: str, status: int = 0) -> Any:
        found = CliRunner().invoke(cli, ["index", name, "--db", self.db, "--json", *arguments])
        assert found.exit_code == status, (found.output, found.exception)
        return json.loads(found.output)

    def refused(self, *arguments: str) -> str:
        found = CliRunner().invoke(cli, ["index", *arguments])
        assert isinstance(found.exception, ChartsealError), found.output
        return found.exception.code

    @property
    def chain(self) -> list[str]:
        return ["--rpc", self.local.url, "--deployment", str(self.folder / "deployment.json")]


@pytest.fixture(scope="module")
def world(local: Local, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Attestations, an accreditation that is withdrawn, revocations of both kinds, an anchor; an index of all."""
    folder = tmp_path_factory.mktemp("index")
    (folder / "deployment.json").write_text(local.deployment.to_json())
    register_schemas(local)
    issuer, board = Actor.of(local, 0), Actor.of(local, 1)
    attested = [issuer.attest(PRIVATE_DATA, bytes([at]) * 32, recipient=board.address) for at in range(3)]
    issuer.revoke(PRIVATE_DATA, attested[1])
    issuer.revoke_offchain(UID)
    tree = AnchorTree([seal_leaf(UID, SIGNATURE), seal_leaf(OTHER, SIGNATURE)])
    issuer.timestamp(tree.root)
    proof = tree.proof(seal_leaf(UID, SIGNATURE))
    anchored = AnchoredSeal(issuer.address, UID, SIGNATURE, tree.root, proof)
    (folder / "anchors.ndjson").write_bytes(AnchorFile.of([anchored]).to_ndjson())
    granted = board.accredit(Grant(issuer=issuer.address, name="Example hospital", roles=frozenset({"hospital"})))
    made = World(local, folder, attested, tree.root)
    assert made.run("run", "--once", *made.chain)["events"] == 7
    local.node.request("evm_increaseTime", [hex(1_000)])
    board.withdraw(granted, issuer.address, 0, "ordinary")
    return made


def test_status_says_how_far_it_has_got(world: World) -> None:
    world.run("run", "--once", *world.chain)
    found = world.run("status")
    assert (found["head"], found["chainId"]) == (world.local.node.block().number, 31_337)
    assert [found[name] for name in ("attestations", "revocations", "offchainRevocations", "timestamps")] == [
        5,
        1,
        1,
        1,
    ]
    shown = CliRunner().invoke(cli, ["index", "status", "--db", world.db]).output
    assert "syncedAt" in shown


def test_attestations_are_listed_by_each_of_their_members_in_pages(world: World) -> None:
    world.run("run", "--once", *world.chain)
    uids = [to_hex(each) for each in world.attested]
    issuer, board = (checksum_address(world.local.keys[at].address) for at in range(2))
    for filters in (
        ["--schema", "private-data"],
        ["--schema", to_hex(PRIVATE_DATA.uid())],
        ["--attester", issuer],
        ["--recipient", board],
    ):
        assert [each["uid"] for each in world.run("attestations", *filters)["items"]] == uids
    assert world.run("attestations", "--ref-uid", uids[0])["items"] == []
    first = world.run("attestations", "--attester", issuer, "--limit", "2")
    rest = world.run("attestations", "--attester", issuer, "--limit", "2", "--after", first["next"])
    assert [each["uid"] for each in first["items"] + rest["items"]] == uids
    assert rest["next"] is None
    when = first["items"][1]["time"]
    early = world.run("attestations", "--attester", issuer, "--to", when)["items"]
    late = world.run("attestations", "--attester", issuer, "--from", when)["items"]
    assert [each["uid"] for each in early + late] == uids
    assert late
    revoked = [each["uid"] for each in late + early if each["revocationTime"]]
    assert revoked == [uids[1]]


def test_revocations_of_both_kinds_are_listed(world: World) -> None:
    both = world.run("revocations")["items"]
    assert [(each["uid"], each["kind"]) for each in both] == [
        (to_hex(world.attested[1]), "on-chain"),
        (to_hex(UID), "off-chain"),
    ]
    assert world.run("revocations", "--uid", to_hex(UID))["items"] == both[1:]
    other = checksum_address(world.local.keys[1].address)
    assert world.run("revocations", "--revoker", other)["items"] == []


def test_an_anchor_is_found_by_its_root_and_by_its_seal(world: World) -> None:
    [stamped] = world.run("timestamps")["items"]
    assert stamped["data"] == to_hex(world.root)
    assert world.run("timestamps", "--data", to_hex(UID))["items"] == []
    proofs = ["--anchors", str(world.folder / "anchors.ndjson")]
    [found] = world.run("anchors", to_hex(UID), *proofs)["items"]
    assert (found["root"], found["time"]) == (to_hex(world.root), stamped["time"])
    assert found["proven"] is True
    assert found["final"] is True
    assert world.run("anchors", to_hex(OTHER), *proofs)["items"] == []
    assert world.run("anchors", to_hex(UID))["items"] == []
    [itself] = world.run("anchors", to_hex(world.root))["items"]
    assert itself["attester"] is None


def test_accreditations_are_those_of_that_time(world: World) -> None:
    world.run("run", "--once", *world.chain)
    [made] = world.run("attestations", "--schema", "accreditation")["items"]
    [ended] = world.run("attestations", "--schema", "withdrawal")["items"]
    [live] = world.run("accreditations", "--at", made["time"])["items"]
    assert (live["name"], live["roles"]) == ("Example hospital", ["hospital"])
    assert world.run("accreditations", "--at", ended["time"])["items"] == []
    issuer, board = (checksum_address(world.local.keys[at].address) for at in range(2))
    asked = ["--at", made["time"], "--issuer", issuer]
    assert len(world.run("accreditations", *asked, "--authority", board)["items"]) == 1
    assert world.run("accreditations", *asked, "--authority", issuer)["items"] == []


def test_an_old_index_is_refused_where_age_matters(world: World) -> None:
    world.run("run", "--once", *world.chain)
    assert world.run("status", "--max-age", "1h")["attestations"] == 5
    engine = connect(world.db)
    with engine.begin() as connection:
        connection.execute(update(tables.cursor).values(synced_at=int(time.time()) - 3_602))
    engine.dispose()
    assert world.refused("status", "--db", world.db, "--max-age", "1h") == "index_behind"


def test_what_is_no_index_is_refused(world: World) -> None:
    missing = f"sqlite:///{world.folder / 'none.db'}"
    assert world.refused("status", "--db", missing) == "index_empty"
    assert not (world.folder / "none.db").exists()
    assert world.refused("status", "--db", "mysql://u:hunter2@h/d") == "index_url"


def test_rebuilding_gives_the_same(world: World) -> None:
    world.run("run", "--once", *world.chain)
    before = world.run("attestations")["items"]
    assert world.run("run", "--once", "--rebuild", "--thorough", *world.chain)["events"] == 8
    assert world.run("attestations")["items"] == before


def test_it_follows_until_it_is_told_to_end(world: World) -> None:
    command = [sys.executable, "-c", "from chartseal.cli import main; main()", "index", "run", "--db", world.db]
    command += ["--interval", "1s", "--json", *world.chain]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout
        Actor.of(world.local, 2).revoke_offchain(Digest(os.urandom(32)))
        assert json.loads(process.stdout.readline())["events"] > 0
        with pytest.raises(IndexingError) as refused, sole_follower(connect(world.db)):
            pytest.fail("two hold the index")
        assert refused.value.code == "index_in_use"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    with sole_follower(connect(world.db)):
        pass
