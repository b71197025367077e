"""The wallet's memory: what it keeps, that nobody else reads it, and that no use is spent twice."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chartseal.errors import KeyFileError, PredicateError
from chartseal.keys import Wallet
from chartseal.keys.answers import VERSION, Answers, GivenAnswer
from chartseal.predicates import compile_policy
from chartseal.record.credential import Event

WALLET = Wallet(b"\x07" * 32)
VERIFIER = "https://insurer.example"
POLICY = compile_policy("Observation[loinc|4548-4].value < 7.0 % and effective >= 2026-05-01", name="sugar")
ANSWER = GivenAnswer(POLICY, (b"\x01" * 20, b"\x02" * 32), True, datetime(2026, 11, 29, tzinfo=UTC))
EVENT = Event(b"\x11" * 20, b"\x12" * 32, "Observation", "https://issuer.example/fhir/Observation/1", "1", bytes(32))
CLAIM, SCOPE = b"\x03" * 31, b"\x04" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet.answers"


def refused(code: str, path: Path, wallet: Wallet = WALLET) -> None:
    with pytest.raises(KeyFileError) as caught:
        Answers.open(path, wallet)
    assert caught.value.code == code


def test_answers_come_back_by_verifier(path: Path) -> None:
    with Answers.open(path, WALLET) as answers:
        assert answers.given(VERIFIER) == []
        answers.note(VERIFIER, [ANSWER, ANSWER])
        answers.note("https://other.example", [ANSWER])
    with Answers.open(path, WALLET) as answers:
        assert answers.given(VERIFIER) == [ANSWER, ANSWER]
        [first, _] = answers.given(VERIFIER)
        assert (first.policy.name, first.policy.text) == ("sugar", POLICY.text)
        assert answers.given("https://insurer.example/") == []


def test_nothing_is_readable_without_the_wallet(path: Path) -> None:
    with Answers.open(path, WALLET) as answers:
        answers.note(VERIFIER, [ANSWER] * 5)
        answers.spend(CLAIM, SCOPE, 2)
        answers.hold(CLAIM, EVENT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    data = path.read_bytes()
    secrets = [
        VERIFIER.encode(),
        b"insurer",
        b"4548",
        b"sugar",
        POLICY.hash,
        *ANSWER.record,
        CLAIM,
        SCOPE,
        b"the event",
    ]
    assert not [secret for secret in secrets if secret in data or secret.hex().encode() in data]
    refused("answers_other_wallet", path, Wallet(b"\x08" * 32))


def test_uses_are_spent_in_turn_and_by_scope(path: Path) -> None:
    with Answers.open(path, WALLET) as answers:
        assert [answers.spend(CLAIM, SCOPE, 3) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(PredicateError) as caught:
            answers.spend(CLAIM, SCOPE, 3)
        assert caught.value.code == "uses_spent"
        assert answers.unspent(CLAIM, SCOPE, 3) == []
        assert answers.unspent(CLAIM, SCOPE, 4) == [3]
        assert answers.spend(CLAIM, b"\x05" * 32, 3) == 0
        assert answers.spend(b"\x06" * 31, SCOPE, 3) == 0
        answers.release(CLAIM, SCOPE, 1)
        assert answers.unspent(CLAIM, SCOPE, 3) == [1]
        assert answers.spend(CLAIM, SCOPE, 3) == 1


def test_a_use_can_be_shown_again_by_its_number(path: Path) -> None:
    with Answers.open(path, WALLET) as answers:
        assert answers.spend(CLAIM, SCOPE, 2, use=1) == 1
        assert answers.spend(CLAIM, SCOPE, 2, use=1) == 1
        assert answers.unspent(CLAIM, SCOPE, 2) == [0]
        for use in (-1, 2):
            with pytest.raises(PredicateError) as caught:
                answers.spend(CLAIM, SCOPE, 2, use=use)
            assert caught.value.code == "use_unknown"


def test_two_commands_at_once_spend_two_uses(path: Path) -> None:
    def spend(_: int) -> int:
        with Answers.open(path, WALLET) as answers:
            return answers.spend(CLAIM, SCOPE, 40)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(spend, range(40))) == list(range(40))


def test_attack_a_claim_id_of_two_events(path: Path) -> None:
    amended = EVENT._replace(uid=b"\x0b" * 32, full_url="", amends=EVENT.uid)
    with Answers.open(path, WALLET) as answers:
        for event in (EVENT, EVENT, EVENT._replace(uid=b"\x0a" * 32), amended):
            answers.hold(CLAIM, event)
        another = EVENT._replace(
            uid=b"\x0c" * 32, full_url="https://issuer.example/fhir/Observation/2", resource_id="2"
        )
        answers.hold(b"\x06" * 31, another)
        for event in (another, amended._replace(uid=b"\x0d" * 32, resource_id="", amends=bytes(32))):
            with pytest.raises(PredicateError) as caught:
                answers.hold(CLAIM, event)
            assert caught.value.code == "claim_id_reused"


def test_what_is_no_memory_is_refused(path: Path) -> None:
    refused("answers_unreadable", path.parent / "missing" / "file")
    refused("answers_unreadable", path.parent)
    path.write_bytes(b"no database, but long enough to look at" * 100)
    refused("answers_damaged", path)
    path.unlink()
    Answers.open(path, WALLET).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    refused("answers_newer", path)


def test_a_damaged_entry_is_refused(path: Path) -> None:
    with Answers.open(path, WALLET) as answers:
        answers.note(VERIFIER, [ANSWER])
    with sqlite3.connect(path) as database:
        [[entry]] = database.execute("SELECT entry FROM answers")
        database.execute("UPDATE answers SET entry = ?", [entry[:-1] + bytes([entry[-1] ^ 1])])
    database.close()
    with Answers.open(path, WALLET) as answers, pytest.raises(KeyFileError) as caught:
        answers.given(VERIFIER)
    assert caught.value.code == "answers_damaged"


def test_a_database_in_use_is_waited_for_and_then_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartseal.keys.answers._WAIT_SECONDS", 0.1)
    Answers.open(path, WALLET).close()
    holding = sqlite3.connect(path, isolation_level=None)
    holding.execute("BEGIN IMMEDIATE")
    refused("answers_busy", path)
    holding.close()
    Answers.open(path, WALLET).close()
