"""`chartseal wallet view-key`, `proxy`, `delegate`, `successor`, `disclose --proxy`: a parent shows a child's chart."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_keyfile import keyfile

from chartseal.cli import cli
from chartseal.cli.wallets import memory_of, own_files
from chartseal.keys import IssuerKey, ProxyKey, SuccessorNotice, Wallet, verify_successor
from chartseal.wallet import WalletStore
from tests.mailboxes import MadeMailbox

ISSUER = IssuerKey.generate()
TO, NONCE = "https://school.example", "88" * 32
REQUEST = ("--open", "Observation.value", "--to", TO, "--nonce", NONCE, "--yes")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A child's wallet, a mailbox with two general records and a confidential one, a policy, and a parent's key."""
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)
    monkeypatch.setenv("CHARTSEAL_PASSPHRASE", "correct horse")
    monkeypatch.chdir(tmp_path)
    child = Wallet(b"\x07" * 32)
    child.save(Path("wallet.json"), "correct horse")
    box = MadeMailbox(tmp_path / "mailbox")
    general = box.deliver(ISSUER, child.sealing_address(), [1, 2])
    confidential = box.deliver(ISSUER, child.sealing_address(1), [3])
    Path("all.ndjson").write_bytes(b"".join(each.to_json() + b"\n" for each in [*general, *confidential]))
    issuer = f'address = "{ISSUER.address}"\nname = "Hospital"\n'
    Path("trust.toml").write_text(f'networks = ["sepolia"]\n[[issuer]]\n{issuer}')
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def done(*arguments: str) -> Result:
    found = run(*arguments)
    assert found.exit_code == 0, found.output
    return found


def code(*arguments: str) -> str:
    found = run(*arguments)
    assert found.exit_code != 0
    return str(getattr(found.exception, "code", ""))


def verified(*options: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(
        done("verify", "shown.json", "--trust", "trust.toml", "--as", TO, "--nonce", NONCE, "--json", *options).stdout
    )
    return members


def parents_key() -> str:
    return str(json.loads(done("wallet", "proxy", "init", "--json").stdout)["key"])


def test_a_parent_finds_reads_and_shows_and_the_school_sees_who_signed(folder: Path) -> None:
    key = parents_key()
    done("wallet", "view-key")
    told = done("wallet", "proxy", "read", "mailbox", "--view-key", "view.json", "-o", "read.ndjson")
    assert told.stderr == "2 records\n"
    given = ("--to", key, "--until", "2090-01-01", "--majority", "2040-05-06", "--audience", TO)
    assert done("wallet", "delegate", "all.ndjson", *given).stderr == "2 records, 1 left out\n"
    (folder / "wallet.json").unlink()
    signing = ("--proxy", "proxy.json", "--delegation", "delegation.json")
    done("disclose", "read.ndjson", *REQUEST, *signing, "-o", "shown.json")
    proxy = {
        "key": key,
        "until": "2090-01-01T00:00:00+00:00",
        "majority": "2040-05-06T00:00:00+00:00",
        "audience": TO,
    }
    assert [record["proxy"] for record in verified()["records"]] == [proxy] * 2
    printed = done("verify", "shown.json", "--trust", "trust.toml", "--as", TO, "--nonce", NONCE).stderr
    assert f"signed by a proxy: key {key}, until 2090-01-01, majority 2040-05-06" in printed
    assert "signed by a proxy" in done("show", "shown.json").output
    shown = json.loads(done("show", "shown.json", "--json").stdout)
    assert [record["proxy"] for record in shown["records"]] == [key] * 2
    asked = ("verify", "shown.json", "--trust", "strict.toml", "--as", TO, "--nonce", NONCE)
    (folder / "strict.toml").write_text("proxies = false\n" + (folder / "trust.toml").read_text())
    assert code(*asked) == "proxy_refused"


def test_confidential_records_are_delegated_only_when_asked_for(folder: Path) -> None:
    given = ("wallet", "delegate", "all.ndjson", "--to", parents_key(), "--until", "2090-01-01")
    done(*given)
    signing = ("--proxy", "proxy.json", "--delegation", "delegation.json", "-o", "shown.json")
    assert code("disclose", "all.ndjson", *REQUEST, *signing) == "delegation_missing"
    assert done(*given, "--number", "1").stderr == "1 records, 2 left out\n"
    assert code(*given, "--type", "Condition") == "records_missing"
    assert done(*given, "--type", "Observation").stderr == "2 records, 1 left out\n"


def test_another_proxy_and_a_missing_option(folder: Path) -> None:
    done("wallet", "delegate", "all.ndjson", "--to", parents_key(), "--until", "2090-01-01")
    ProxyKey.generate().save(folder / "other.json", "correct horse")
    general = (folder / "all.ndjson").read_bytes().splitlines()[0]
    (folder / "one.ndjson").write_bytes(general + b"\n")
    signing = ("--proxy", "other.json", "--delegation", "delegation.json")
    assert code("disclose", "one.ndjson", *REQUEST, *signing) == "proxy_other"
    for left in (("--proxy", "proxy.json"), ("--delegation", "delegation.json")):
        assert run("disclose", "one.ndjson", *REQUEST, *left).exit_code == 2
    assert run("disclose", *REQUEST, *signing).exit_code == 2
    assert run("wallet", "delegate", "all.ndjson", "--to", "0x00", "--until", "2090-01-01").exit_code == 2
    assert code("wallet", "delegate", "all.ndjson", "--to", "0x" + "ff" * 32, "--until", "2090-01-01") == (
        "delegation_malformed"
    )


def test_a_notice_that_an_address_has_a_successor(folder: Path) -> None:
    now = datetime.now(UTC)
    child, own = Wallet(b"\x07" * 32), Wallet(b"\x08" * 32)
    new = str(child.sealing_address(0, 1))
    done("wallet", "successor", "--to", new, "-o", "notice.json")
    notice = SuccessorNotice.loads((folder / "notice.json").read_bytes())
    assert (str(verify_successor(notice, current=child.sealing_address(), now=now)), notice.old) == (
        new,
        child.sealing_address(),
    )
    own.save(folder / "own.json", "correct horse")
    other = str(own.sealing_address())
    assert code("wallet", "successor", "--to", other) == "successor_unsigned"
    done("wallet", "successor", "--to", other, "--new-wallet", "own.json", "-o", "notice.json")
    taken = SuccessorNotice.loads((folder / "notice.json").read_bytes())
    assert str(verify_successor(taken, current=child.sealing_address(), now=now)) == other


@pytest.mark.parametrize("option", [("--wallet", "wallet.json"), ("--number", "0"), ("--epoch", "0")])
def test_what_is_a_wallets_is_no_proxys(folder: Path, option: tuple[str, str]) -> None:
    key = parents_key()
    done("wallet", "delegate", "all.ndjson", "--to", key, "--until", "2090-01-01")
    signing = ("--proxy", "proxy.json", "--delegation", "delegation.json", "-o", "shown.json")
    found = run("disclose", "all.ndjson", *REQUEST, *signing, *option)
    assert (found.exit_code, Path("shown.json").exists()) == (2, False)
    assert option[0] in found.stderr


@pytest.mark.parametrize(
    ("command", "own"),
    [
        (("disclose", "all.ndjson", *REQUEST), ()),
        (("disclose", *REQUEST), ()),
        (("prove", "all.ndjson", "--policy", "all.ndjson", "--to", TO, "--nonce", NONCE), ()),
        (
            ("prove", "--policy", "all.ndjson", "--to", TO, "--nonce", NONCE, "--memory", "memory"),
            ("memory", "memory-wal"),
        ),
        (("wallet", "delegate", "all.ndjson", "--to", f"0x{'11' * 32}", "--until", "2090-01-01"), ()),
        (("wallet", "successor", "--to", "x", "--new-wallet", "new.json"), ("new.json", "new.json.records")),
        (("wallet", "view-key", "--force"), ()),
    ],
)
def test_nothing_is_written_over_the_wallets_own_files(
    folder: Path, command: tuple[str, ...], own: tuple[str, ...]
) -> None:
    (folder / "hard").hardlink_to(folder / "wallet.json")
    (folder / "soft").symlink_to(folder / "wallet.json.records")
    answers = () if "--memory" in command else ("wallet.json.answers", "wallet.json.answers-wal")
    before = {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}
    names = ("wallet.json", "wallet.json.records", "wallet.json.records-wal", "hard", "soft", f"../{folder.name}/hard")
    for name in (*names, *answers, *own):
        assert (name, code(*command, "-o", name)) == (name, "output_is_own")
    assert getattr(run(*command, "-o", "wallet.json.other").exception, "code", "") != "output_is_own"
    after = {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}
    assert {name: after.get(name) for name in before} == before


def test_nothing_is_written_over_a_proxys_keys(folder: Path) -> None:
    done("wallet", "delegate", "all.ndjson", "--to", parents_key(), "--until", "2090-01-01")
    done("wallet", "view-key")
    signing = ("--proxy", "proxy.json", "--delegation", "delegation.json")
    for name in ("proxy.json", "delegation.json"):
        assert code("disclose", "all.ndjson", *REQUEST, *signing, "-o", name) == "output_is_own"
    assert code("wallet", "proxy", "read", "mailbox", "--view-key", "view.json", "-o", "view.json") == "output_is_own"


def test_a_wallets_own_files_are_where_commands_look_for_them() -> None:
    own = own_files(Path("folder/wallet.json"))
    assert {WalletStore.beside(Path("folder/wallet.json")), memory_of(Path("folder/wallet.json"))} < set(own)
