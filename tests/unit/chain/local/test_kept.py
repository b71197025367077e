"""A local chain's folder: kept state, one process at a time, and no child that outlives its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chartseal.attestation import Address, Digest
from chartseal.chain.contract import Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.local.devnet import accounts, find_anvil
from chartseal.chain.local.kept import KeptChain, is_locked, running
from chartseal.chain.registry import unregistered
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender
from chartseal.errors import DeploymentError, NodeError

ROOT = Digest(b"\x22" * 32)
PARENT = """
import sys, time
from pathlib import Path
from chartseal.chain.local.kept import KeptChain
chain = KeptChain(Path(sys.argv[1]), port=None)
print(chain.url, flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def anvil() -> None:
    try:
        find_anvil()
    except DeploymentError as error:
        pytest.skip(str(error))


def timestamp(chain: KeptChain, root: Digest = ROOT) -> None:
    eas = Contract.load("eas").at(chain.deployment.eas)
    Sender(chain.devnet.node, accounts()[1]).send(eas.write("timestamp", root))


def timestamped(chain: KeptChain, root: Digest = ROOT) -> int:
    found: int = chain.devnet.node.read(Contract.load("eas").at(chain.deployment.eas).read("getTimestamp", root))
    return found


def eventually(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_chain_goes_on_where_it_was_left(tmp_path: Path) -> None:
    with KeptChain(tmp_path, port=None) as chain:
        assert len(chain.registered) == 7
        timestamp(chain)
        at, head, deployment = timestamped(chain), chain.devnet.node.block(), chain.deployment
        assert running(tmp_path) == (chain.url, os.getpid())
    assert not is_locked(tmp_path)
    with KeptChain(tmp_path, port=None) as chain:
        assert (chain.deployment, chain.registered) == (deployment, [])
        assert unregistered(chain.devnet.node, deployment) == []
        assert timestamped(chain) == at > 0
        assert chain.devnet.node.block(head.number) == head
        [log] = chain.devnet.node.logs([deployment.eas], [], head.number, head.number)
        assert log.block_hash == head.hash
        timestamp(chain, Digest(b"\x23" * 32))
        assert chain.devnet.node.block().number == head.number + 1


def test_one_process_has_a_folder(tmp_path: Path) -> None:
    with KeptChain(tmp_path, port=None) as chain:
        with pytest.raises(DeploymentError) as caught:
            KeptChain(tmp_path, port=None)
        assert caught.value.code == "chain_running"
        with pytest.raises(DeploymentError) as caught:
            KeptChain(tmp_path / "other", port=chain.devnet.port)
        assert caught.value.code == "port_taken"
        assert timestamped(chain) == 0
    assert not is_locked(tmp_path / "other")
    with pytest.raises(DeploymentError) as caught:
        running(tmp_path)
    assert caught.value.code == "chain_not_running"


def test_a_killed_parent_leaves_no_anvil_and_loses_nothing(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    assert Node(url).chain_id == 31_337
    assert running(tmp_path) == (url, parent.pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not is_locked(tmp_path))
    with pytest.raises(NodeError):
        _ = Node(url, attempts=1).chain_id
    with pytest.raises(DeploymentError):
        running(tmp_path)  # what the killed one wrote is not believed
    with KeptChain(tmp_path, port=None) as chain:
        assert chain.registered == []


def test_a_torn_dump_falls_back_to_the_last_whole_state(tmp_path: Path) -> None:
    with KeptChain(tmp_path, port=None) as chain:
        timestamp(chain)
    dump = tmp_path / "dump.json"
    dump.write_bytes(dump.read_bytes()[:-1])
    with KeptChain(tmp_path, port=None) as chain:
        assert timestamped(chain) > 0


def test_each_dump_is_kept_while_it_runs(tmp_path: Path) -> None:
    with KeptChain(tmp_path, port=None) as chain:
        dumped = json.dumps({"a": 1}).encode()
        (tmp_path / "dump.json").write_bytes(dumped)
        ended = threading.Event()
        keeping = threading.Thread(target=chain.keep, args=(ended,))
        keeping.start()
        eventually(lambda: (tmp_path / "state.json").exists())
        ended.set()
        keeping.join()
        assert (tmp_path / "state.json").read_bytes() == dumped
    assert json.loads((tmp_path / "state.json").read_bytes())["blocks"]


def test_an_anvil_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    with KeptChain(tmp_path, port=None) as chain:
        os.kill(chain.devnet._process.pid, signal.SIGKILL)
        with pytest.raises(DeploymentError) as caught:
            chain.keep(threading.Event())
        assert caught.value.code == "anvil_failed"
    assert not is_locked(tmp_path)
    with KeptChain(tmp_path, port=None) as chain:  # nothing was dumped yet: begun anew, at the same addresses
        assert len(chain.registered) == 7


def test_a_folder_of_another_deployment_is_refused(tmp_path: Path) -> None:
    with KeptChain(tmp_path, port=None) as chain:
        made = chain.deployment
    elsewhere = Deployment(made.chain_id, made.version, Address(b"\x05" * 20), made.schema_registry)
    (tmp_path / "deployment.json").write_text(elsewhere.to_json())
    with pytest.raises(DeploymentError) as caught:
        KeptChain(tmp_path, port=None)
    assert (caught.value.code, caught.value.path) == ("contract_missing", "eas")
    assert not is_locked(tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeploymentError) as caught:
        KeptChain(tmp_path / "file", port=None)
    assert caught.value.code == "folder_unwritable"


def test_blocks_come_by_themselves_where_asked(tmp_path: Path) -> None:
    with KeptChain(tmp_path, port=None, block_time=0.05) as chain:
        head = chain.devnet.node.block().number
        eventually(lambda: chain.devnet.node.block().number > head)
