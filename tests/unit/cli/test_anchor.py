"""`chartseal seal --anchor-queue` and `chartseal anchor`, from sealed records to proofs on a local chain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from chartseal.attestation import recover_offchain
from chartseal.chain.anchors import AnchorFile, AnnouncementPage
from chartseal.cli import cli
from chartseal.disclosure import present, select
from chartseal.errors import DeploymentError, DisclosureFormError, QueueError
from chartseal.keys import IssuerKey, Wallet
from chartseal.sealing import read_records, seal_resource
from tests.anchoring import observations, records
from tests.chain import Local
from tests.chain import local as local

SECRET = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"  # anvil's second, known to everybody
MAIN = [sys.executable, "-c", "from chartseal.cli import main; main()"]


class Place(NamedTuple):
    """A folder, and what the commands find in the environment."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> Result:
        return CliRunner(env={**self.environment, "CHARTSEAL_PASSPHRASE": "p"}).invoke(cli, list(arguments))

    def told(self, *arguments: str, status: int = 0) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    def sealed(self, name: str, *, chain: Local, count: int = 4) -> str:
        path = self.folder / name
        path.write_bytes(b"\n".join(each.to_json() for each in records(chain.deployment.domain(), count)))
        return str(path)


@pytest.fixture
def place(local: Local, tmp_path: Path) -> Place:
    (tmp_path / "deployment.json").write_text(local.deployment.to_json())
    environment = {
        "CHARTSEAL_QUEUE": str(tmp_path / "queue.db"),
        "CHARTSEAL_RPC": local.url,
        "CHARTSEAL_DEPLOYMENT": str(tmp_path / "deployment.json"),
        "CHARTSEAL_KEY": SECRET,
    }
    return Place(tmp_path, environment)


def test_records_are_added_anchored_and_proved(local: Local, place: Place) -> None:
    path, output = place.sealed("sealed.ndjson", chain=local), str(place.folder / "anchors.ndjson")
    assert place.told("anchor", "add", path) == {"records": 4, "new": 4}
    assert place.told("anchor", "add", path, path) == {"records": 8, "new": 0}
    assert place.told("anchor", "check", path, status=1)["waiting"] == 4
    assert place.told("anchor", "proofs", path, "-o", output, status=3) == {"proofs": 0, "without": 4}
    [waiting] = place.told("anchor", "status")["queues"]
    assert (waiting["chainId"], waiting["waiting"], waiting["final"]) == (31_337, 4, 0)

    done = place.told("anchor", "run", "--once")
    assert (done["closed"], done["sent"], done["final"]) == (1, 1, 1)
    assert not any(place.told("anchor", "run", "--once").values())

    assert place.told("anchor", "proofs", path, "-o", output) == {"proofs": 4, "without": 0}
    anchors = AnchorFile.load(Path(output)).anchors
    seals = [recover_offchain(each.package) for each in read_records([path])]
    assert len({anchors[seal.attester, seal.uid].root(seal) for seal in seals}) == 1
    assert place.told("anchor", "proofs", "-o", output)["proofs"] == 4
    assert place.told("anchor", "check", path)["whole"] is True
    page = AnnouncementPage.from_json(place.run("anchor", "announcements").stdout_bytes)
    assert page.entries == sorted(each.announcement or b"" for each in read_records([path]))
    assert place.run("anchor", "announcements", "--since", "2100-01-01T00:00:00Z").stdout == ""


def test_what_is_sealed_today_waits_for_the_end_of_the_day_unless_told_otherwise(local: Local, place: Place) -> None:
    key, wallet = IssuerKey.generate(seals_for=local.deployment.network()), Wallet.generate()
    key.save(place.folder / "key.json", "p")
    (place.folder / "chart.json").write_bytes(observations(3))
    sealing = [
        "seal",
        str(place.folder / "chart.json"),
        *("--issuer", str(place.folder / "key.json")),
        *("--for", str(wallet.sealing_address())),
        *("-o", str(place.folder / "sealed")),
    ]
    assert "queued" not in place.told(*sealing)
    queue = ["--anchor-queue", place.environment["CHARTSEAL_QUEUE"]]
    first = place.told(*sealing, *queue)  # as after a crash between the folder and the queue
    assert (first["sealed"], first["queued"]) == (0, 3)
    assert place.told(*sealing, *queue)["queued"] == 0
    assert not any(place.told("anchor", "run", "--once").values())
    assert place.told("anchor", "run", "--once", "--period", "now")["final"] == 1
    (place.folder / "sealed" / "anchors.ndjson").write_bytes(b"{}")  # a file of proofs may lie beside the records
    assert place.told("anchor", "check", str(place.folder / "sealed"))["anchored"] == 3


def test_people_read_what_was_done(local: Local, place: Place) -> None:
    path = place.sealed("sealed.ndjson", chain=local)
    assert place.run("anchor", "add", path).output == "4 of 4 records are new in the queue\n"
    assert place.run("anchor", "run", "--once").output == "1 closed, 1 sent, 1 final\n"
    assert place.run("anchor", "run", "--once").output == "nothing to do\n"
    assert "31337" in place.run("anchor", "status").output
    assert "4  anchored" in place.run("anchor", "check", path).output


def test_a_run_ends_when_it_is_told_to_and_goes_on_next_time(local: Local, place: Place) -> None:
    place.told("anchor", "add", place.sealed("sealed.ndjson", chain=local))
    command = [*MAIN, "anchor", "run", "--every", "0.1", "--json"]
    process = subprocess.Popen(command, env={**os.environ, **place.environment}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["sent"] == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert place.told("anchor", "status")["queues"][0]["final"] == 1


def test_a_queue_that_cannot_be_used_and_another_chain_are_refused(local: Local, place: Place) -> None:
    result = place.run("anchor", "status", "--queue", "postgresql+psycopg://user:secret@127.0.0.1:1/none")
    assert isinstance(result.exception, QueueError)
    assert "secret" not in str(result.exception)
    other = local.deployment.to_json().replace('"version": "1.4.0"', '"version": "1.3.0"')
    (place.folder / "deployment.json").write_text(other)
    assert isinstance(place.run("anchor", "run", "--once").exception, DeploymentError)


def test_proofs_are_trimmed_to_a_disclosure(local: Local, place: Place) -> None:
    issuer, wallet = IssuerKey.generate(seals_for=local.deployment.network()), Wallet.generate()
    address = wallet.sealing_address().data
    texts = [f'{{"resourceType":"Patient","birthDate":"198{at}"}}' for at in range(3)]
    sealed = [seal_resource(text, issuer.issuing(), address) for text in texts]
    (place.folder / "sealed.ndjson").write_bytes(b"\n".join(each.to_json() for each in sealed))
    path, all_proofs, own = (str(place.folder / name) for name in ("sealed.ndjson", "all.ndjson", "own.ndjson"))
    place.told("anchor", "add", path)
    place.told("anchor", "run", "--once", "--period", "now")
    place.told("anchor", "proofs", path, "-o", all_proofs)
    expires_at = datetime.now(UTC) + timedelta(minutes=5)
    chosen = select(sealed[:1], ["Patient.birthDate"])
    shown = present(chosen, wallet, audience="a", nonce=bytes(32), expires_at=expires_at)
    for name, text in (("shown.json", shown.to_json()), ("shown.txt", shown.to_text())):
        (place.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        assert place.run("anchor", "trim", all_proofs, str(place.folder / name), "-o", own).exit_code == 0
        assert [seal.identity for seal in AnchorFile.load(Path(own)).entries] == [(sealed[0].attester, sealed[0].uid)]
    (place.folder / "none.ndjson").write_bytes(b"")
    without = place.run("anchor", "trim", str(place.folder / "none.ndjson"), str(place.folder / "shown.json"))
    assert without.exit_code == 3
    refused = place.run("anchor", "trim", all_proofs, path)
    assert isinstance(refused.exception, DisclosureFormError)
