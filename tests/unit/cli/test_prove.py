"""`chartseal prove`, `show` and `verify --policy`, from sealed records to what is proved, in words."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chartseal.attestation import checksum_address
from chartseal.cli import _report, cli
from chartseal.disclosure.statements import CIRCUITS
from chartseal.errors import ChartsealError
from chartseal.keys import Wallet
from chartseal.predicates import compile_policy
from chartseal.sealing import seal_fields
from tests.charts import DOMAIN
from tests.issuers import AUTHORITY
from tests.proving import ROLE, World, hba1c, install

NONCE, TO = "88" * 32, "https://verifier.example"
OURS = ("--as", TO, "--nonce", NONCE)
SUGAR = compile_policy("Observation[loinc|4548-4].value < 7.0 % and effective >= 2026-05-01", name="sugar")
HIGHER = compile_policy("Observation[loinc|4548-4].value >= 6.5 % and effective >= 2026-05-01", name="higher")
OUT_OF_REACH = compile_policy("Observation[loinc|4548-4].value < 5.0 % and effective >= 2026-05-01", name="low")


class Place:
    """A wallet, its records, policies and a verifier's trust."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder, self.world = folder, world
        wallet = Wallet(b"\x07" * 32)
        wallet.save(folder / "wallet.json", "secret")
        (folder / "sealed").mkdir()
        address = wallet.sealing_address().data
        record = seal_fields("Observation", hba1c("6.7"), world.issuing, address, now=world.now - timedelta(days=1))
        (folder / "sealed" / "all.ndjson").write_bytes(record.to_json() + b"\n")
        for policy in (SUGAR, HIGHER, OUT_OF_REACH):
            (folder / f"{policy.name}.json").write_bytes(policy.to_json())
        (folder / "list.json").write_bytes(world.lists[0].to_json())
        (folder / "trust.toml").write_text(
            f"development_keys = {json.dumps(CIRCUITS)}\n"
            f'[[domain]]\nversion = "1.4.0"\nchain_id = {DOMAIN.chain_id}\n'
            f'contract = "{checksum_address(DOMAIN.contract)}"\n'
            f'[[issuer]]\naddress = "{checksum_address(world.lab.address)}"\nname = "Example laboratory"\n'
            f'[[authority]]\naddress = "{checksum_address(AUTHORITY)}"\nroles = ["{ROLE}"]\n'
        )

    def run(self, *arguments: str) -> Result:
        return CliRunner(env={"CHARTSEAL_PASSPHRASE": "secret"}).invoke(cli, list(arguments))

    def prove(self, *options: str, to: str = TO) -> Result:
        base = ["prove", str(self.folder / "sealed"), "--to", to, "--nonce", NONCE]
        return self.run(*base, "-w", str(self.folder / "wallet.json"), *options)

    def proved(self, name: str, *options: str) -> Path:
        path = self.folder / name
        done = self.prove("--unsafe-development-keys", "-y", "-o", str(path), *options)
        assert done.exit_code == 0, (done.output, done.exception)
        return path

    def verify(self, path: Path, *options: str) -> Result:
        return self.run("verify", str(path), "--trust", str(self.folder / "trust.toml"), *OURS, *options)

    def policy(self, name: str) -> tuple[str, str]:
        return "--policy", str(self.folder / f"{name}.json")

    def anonymous(self) -> tuple[str, ...]:
        authority = ("--authority", checksum_address(AUTHORITY), "--role", ROLE)
        return (
            "--anonymous",
            *authority,
            "--status-list",
            str(self.folder / "list.json"),
            "--rpc",
            "http://node.example",
        )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    world = World(datetime.now(UTC))

    @contextmanager
    def facts(*_: Any) -> Iterator[Any]:
        yield world.chain

    @contextmanager
    def view(rpc: str | None, *_: Any) -> Iterator[Any]:
        yield world.view if rpc else None

    install(monkeypatch)
    monkeypatch.setattr("chartseal.cli.memberships.chain_facts", facts)
    monkeypatch.setattr("chartseal.cli.chain_view.chain_view", view)
    return Place(tmp_path, world)


def refused(done: Result, code: str) -> ChartsealError:
    assert isinstance(done.exception, ChartsealError), (done.output, done.exception)
    assert done.exception.code == code
    return done.exception


def test_linked(place: Place) -> None:
    path = place.proved("shown.json", *place.policy("sugar"))
    assert path.stat().st_mode & 0o777 == 0o600
    done = place.verify(path, *place.policy("sugar"))
    assert done.exit_code == 0, done.output
    assert "proved: the holder's" in done.stderr
    assert "sealed by Example laboratory" in done.stderr
    assert "12. proofs: checked (one proof)" in done.stderr
    refused(place.verify(path, *place.policy("higher")), "policy_unknown")
    refused(place.verify(path), "policy_unknown")


def test_anonymous_and_as_text(place: Place) -> None:
    path = place.proved("shown.txt", *place.policy("sugar"), *place.anonymous(), "--text")
    assert path.read_bytes().startswith(b"CS1:")
    done = place.verify(path, *place.policy("sugar"), "--rpc", "http://node.example")
    assert done.exit_code == 0, done.output
    for words in ("of a record that is not shown", "one of the issuers of laboratory", "as of", "nullifier 0x"):
        assert words in done.stderr
    assert done.stdout == ""
    told = json.loads(place.verify(path, *place.policy("sugar"), "--rpc", "x", "--json").stdout)
    [predicate] = told["predicates"]
    assert (predicate["policy"], predicate["kind"], predicate["record"]) == ("sugar", "anonymous", None)
    assert (told["records"], told["facts"]["entry"]) == ([], [])
    refused(place.verify(path, *place.policy("sugar")), "trust_root_unknown")


def test_a_use_is_spent_and_remembered(place: Place) -> None:
    spend = (*place.policy("sugar"), *place.anonymous(), "--spend", "study")
    told = place.prove(*spend, "--preview")
    assert "spends one of 1 uses that are left" in told.stderr
    path = place.proved("shown.json", *spend)
    verified = place.verify(path, *place.policy("sugar"), "--spend", "study", "--rpc", "x", "--json")
    [first] = json.loads(verified.stdout)["predicates"]
    refused(place.verify(path, *place.policy("sugar"), "--rpc", "x"), "terms_mismatch")
    refused(place.prove(*spend, "-y", "--unsafe-development-keys"), "uses_spent")
    assert "no use of it is left" in place.prove(*spend, "--preview").stderr
    again = place.proved("again.json", *spend, "--use", "0")
    verified = place.verify(again, *place.policy("sugar"), "--spend", "study", "--rpc", "x", "--json")
    assert json.loads(verified.stdout)["predicates"][0]["nullifier"] == first["nullifier"]


def test_attack_a_claim_id_of_two_events(place: Place) -> None:
    address, by, at = Wallet(b"\x07" * 32).sealing_address().data, place.world.issuing, place.world.now
    for number in (1, 2):
        url = f"https://issuer.example/fhir/Observation/{number}"
        fields = hba1c(f"6.{number}")
        record = seal_fields("Observation", fields, by, address, now=at, full_url=url, claim_id=b"\x31" * 31)
        (place.folder / "sealed" / "all.ndjson").write_bytes(record.to_json() + b"\n")
        if number == 1:
            place.proved("first.json", *place.policy("sugar"))
    refused(place.prove(*place.policy("sugar"), "-y", "--unsafe-development-keys"), "claim_id_reused")


def test_what_earlier_answers_tell_is_said_before_proving(place: Place) -> None:
    place.proved("first.json", *place.policy("sugar"))
    told = place.prove(*place.policy("higher"), "--preview")
    assert "with your earlier answers" in told.stderr
    assert (
        "with your earlier answers"
        not in place.prove(*place.policy("higher"), "--preview", to="https://b.example").stderr
    )
    as_json = json.loads(place.prove(*place.policy("higher"), "--preview", "--json").stderr)
    [answer] = as_json["answers"]
    assert (answer["policy"], answer["kind"], len(answer["inferences"])) == ("higher", "linked", 1)


def test_records_of_others_in_the_folder_are_passed_over(place: Place) -> None:
    theirs = Wallet(b"\x08" * 32).sealing_address().data
    record = seal_fields("Observation", hba1c("4.0"), place.world.issuing, theirs, now=place.world.now)
    ours = place.folder / "sealed" / "all.ndjson"
    ours.write_bytes(ours.read_bytes() + record.to_json() + b"\n")
    assert place.prove(*place.policy("sugar"), "--preview").exit_code == 0
    refused(place.prove(*place.policy("low"), "--preview"), "nothing_satisfies")
    ours.write_bytes(record.to_json() + b"\n")
    refused(place.prove(*place.policy("low"), "--preview"), "record_not_ours")


def test_what_opens_besides_is_said_before_proving(place: Place) -> None:
    opening = (*place.policy("sugar"), "--open", "Observation.value", "--preview")
    told = place.prove(*opening)
    assert "fields stay" in told.stderr
    assert "6.7" in told.stderr
    [shown] = json.loads(place.prove(*opening, "--json").stderr)["opens"]
    assert "Observation.valueQuantity.value" in [each["name"] for each in shown["opens"]]
    assert json.loads(place.prove(*place.policy("sugar"), "--preview", "--json").stderr)["opens"] == []


def test_why_nothing_satisfies_is_not_told_on_standard_output(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """It may lead to the verifier."""
    refusal = refused(place.prove(*place.policy("low"), "-y"), "nothing_satisfies")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["chartseal", "prove", "--json"])
        _report(refusal)
    told = capsys.readouterr()
    assert told.out == ""
    assert json.loads(told.err)["error"]["reasons"] == list(refusal.reasons)  # type: ignore[attr-defined]


def test_nothing_satisfies_is_said_with_reasons(place: Place) -> None:
    refusal = refused(place.prove(*place.policy("low"), "-y"), "nothing_satisfies")
    assert len(refusal.reasons) == 1  # type: ignore[attr-defined]
    assert "6.7" not in str(refusal.reasons)  # type: ignore[attr-defined]
    born = compile_policy("Patient.birthDate < 2000-01-01")
    (place.folder / "born.json").write_bytes(born.to_json())
    refusal = refused(place.prove(*place.policy("born"), "-y"), "nothing_satisfies")
    assert refusal.reasons == ("besides 1 of other types than Patient",)  # type: ignore[attr-defined]


def test_nothing_is_proved_unasked_or_under_development_keys(place: Place) -> None:
    asked = place.prove(*place.policy("sugar"), "--unsafe-development-keys")
    assert asked.exit_code == 2
    assert "--yes" in asked.output
    refused(place.prove(*place.policy("sugar"), "-y"), "development_key")
    assert place.prove("-y").exit_code == 2
    for options in (("--anonymous",), ("--role", ROLE), ("--authority", checksum_address(AUTHORITY))):
        assert place.prove(*place.policy("sugar"), "-y", *options).exit_code == 2


def test_a_policy_that_is_none_is_refused(place: Place) -> None:
    bad = place.folder / "bad.json"
    for text in (b"{}", b"\xff", b"[" * 10_000, SUGAR.to_json().replace(b"7.0", b"7.5"), b"x" * (2 << 20)):
        bad.write_bytes(text)
        done = place.prove("--policy", str(bad), "-y")
        assert isinstance(done.exception, ChartsealError)
    refused(place.prove("--policy", str(place.folder / "missing.json")), "policy_unreadable")


def test_show(place: Place) -> None:
    path = place.proved("shown.json", *place.policy("sugar"), *place.anonymous(), "--spend", "study", "--period", "3")
    done = place.run("show", str(path))
    assert done.exit_code == 0, done.output
    for words in ("not verified", "anonymous-4", "nullifier", "spends a use for: study, period 3"):
        assert words in done.stdout
    told = json.loads(place.run("show", str(path), "--json").stdout)
    assert told["proofs"][0]["circuit"] == "anonymous-4"
    assert told["binding"]["purpose"] == "study"
