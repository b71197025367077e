"""`chartseal share` and `chartseal card`, against a server of links on loopback."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_keyfile import keyfile

from chartseal.cli import cli
from chartseal.disclosure import present, select
from chartseal.sharing._encoding import to_base64url
from chartseal.sharing.links import ShareLink, ShareStore
from tests.charts import AUDIENCE, HOLDER, ISSUER, NONCE, sealed, texts
from tests.link_server import link_server

ISS = "https://clinic.example/cards"
CODE = {"coding": [{"system": "http://loinc.org", "code": "2823-3", "display": "K"}], "text": "Potassium"}
OBSERVATION = {"resourceType": "Observation", "status": "final", "code": CODE, "valueQuantity": {"value": 4.5}}
BUNDLE = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": OBSERVATION}]}


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShareStore]:
    """A store that is served, in a folder with a Bundle to share."""
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)
    monkeypatch.setenv("CHARTSEAL_PASSPHRASE", "correct horse")
    monkeypatch.chdir(tmp_path)
    Path("bundle.json").write_text(json.dumps(BUNDLE))
    with link_server("shares.db") as store:
        monkeypatch.setenv("CHARTSEAL_SHARES_BASE", store.base)
        yield store


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(arguments), input=text)


def done(*arguments: str, text: str | None = None) -> Result:
    found = run(*arguments, text=text)
    assert found.exit_code == 0, (found.output, found.exception)
    return found


def code(*arguments: str, text: str | None = None) -> str:
    found = run(*arguments, text=text)
    assert found.exit_code != 0
    return str(getattr(found.exception, "code", ""))


def members(*arguments: str, text: str | None = None) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(done(*arguments, "--json", text=text).stdout)
    return read


OPEN = ("share", "open", "-", "--recipient", "Dr. Adams", "--allow-loopback", "-o")


def test_a_bundle_is_shared_opened_told_of_and_revoked(served: ShareStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTSEAL_PASSCODE", "7351")
    shared = members(
        "share", "link", "--bundle", "bundle.json", "--passcode", "--label", "Potassium", "--expires", "7d"
    )
    link = shared["link"]
    assert (shared["flags"], shared["files"]) == ("P", 1)
    found = members(*OPEN, "received", text=link + "\n")
    assert found == {"label": "Potassium", "files": [{"file": "received/1.json", "type": "application/fhir+json"}]}
    assert Path("received/1.json").read_bytes() == Path("bundle.json").read_bytes()
    assert (Path("received").stat().st_mode & 0o777, Path("received/1.json").stat().st_mode & 0o777) == (0o700, 0o600)
    assert code(*OPEN, "received", text=link) == "folder_exists"
    state = members("share", "status", link)
    assert (state["active"], state["attemptsLeft"], state["openings"][0]["recipient"]) == (True, 10, "Dr. Adams")
    monkeypatch.setenv("CHARTSEAL_PASSCODE", "0000")
    wrong = run(*OPEN, "again", text=link)
    assert str(wrong.exception) == "the passcode is wrong: 9 tries remain"
    assert not Path("again").exists()
    assert members("share", "revoke", "-", text=link) == {"revoked": True}
    assert code("share", "revoke", link) == "link_inactive"
    assert code(*OPEN, "again", text=link) == "link_inactive"
    assert done("share", "status", link).stdout.startswith("ended, 0 files\n")


def test_a_link_for_once_and_a_direct_one_and_one_that_changes(served: ShareStore) -> None:
    once = done("share", "link", "--bundle", "bundle.json", "--once", "--direct").stdout.strip()
    assert done(*OPEN, "first", text=once).stdout == "first/1.json  application/fhir+json\n"
    assert code(*OPEN, "second", text=once) == "link_inactive"
    Path("newer.json").write_text('{"resourceType":"Patient"}')
    lasting = done("share", "link", "--bundle", "bundle.json", "--long-term").stdout.strip()
    assert members("share", "update", "-", "--bundle", "newer.json", text=lasting) == {"files": 1}
    done(*OPEN, "third", text=lasting)
    assert Path("third/1.json").read_text() == '{"resourceType":"Patient"}'
    assert code("share", "update", once, "--bundle", "newer.json") == "terms_refused"


def test_loopback_is_not_asked_unless_somebody_says_so(served: ShareStore) -> None:
    link = done("share", "link", "--bundle", "bundle.json").stdout.strip()
    assert code("share", "open", link, "--recipient", "x", "-o", "out") == "url_refused"
    assert served.state(ShareLink.from_uri(link), now=_now()).openings == ()


def test_a_disclosure_is_shared_with_its_verified_facts_and_verifies_there(served: ShareStore) -> None:
    fields = texts({"Observation.status": "final", "Observation.code.text": "weight"})
    record = sealed("Observation", fields, at=_now() - timedelta(days=1))
    shown = _shown(record)
    Path("shown.json").write_bytes(shown)
    domain = 'version = "1.4.0"\nchain_id = 31337\ncontract = "0x5FbDB2315678afecb367f032d93F642f64180aa3"\n'
    issuer = f'[[issuer]]\naddress = "0x{ISSUER.hex()}"\nname = "Hospital"\n'
    Path("trust.toml").write_text(f"[[domain]]\n{domain}{issuer}")
    given = ("--trust", "trust.toml", "--as", AUDIENCE, "--nonce", NONCE.hex())
    link = done("share", "link", "--disclosure", "shown.json", *given).stdout.strip()
    found = members(*OPEN, "received", text=link)
    assert [each["type"] for each in found["files"]] == ["application/fhir+json", "disclosure"]
    facts = json.loads(Path("received/1.json").read_text())
    assert [each["resource"]["resourceType"] for each in facts["entry"]] == ["Observation", "Provenance"]
    assert facts["entry"][1]["resource"]["signature"][0]["sigFormat"] == "application/chartseal+json"
    assert Path("received/2.disclosure").read_bytes() == shown
    assert members("verify", "received/2.disclosure", *given)["verified"] is True
    stranger = Path("trust.toml").read_text().replace(ISSUER.hex(), "11" * 20)
    Path("stranger.toml").write_text(stranger)
    refused = ("--trust", "stranger.toml", *given[2:])
    assert code("share", "link", "--disclosure", "shown.json", *refused) == "issuer_untrusted"


def _shown(record: Any) -> bytes:
    now = _now()
    selection = select([record], ["Observation.code"])
    given: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "expires_at": now + timedelta(hours=1), "now": now}
    return present(selection, HOLDER, **given).to_json()


def _now() -> datetime:
    return datetime.now(UTC)


def test_codes_are_drawn(served: ShareStore) -> None:
    link = done(
        "share", "link", "--bundle", "bundle.json", "--viewer", "https://v.example", "--qr", "a.svg"
    ).stdout.strip()
    assert link.startswith("https://v.example#shlink:/")
    assert Path("a.svg").read_bytes().startswith(b"<?xml")
    done("share", "qr", link, "-o", "b.png")
    assert Path("b.png").read_bytes().startswith(b"\x89PNG")
    assert Path("b.png").stat().st_mode & 0o777 == 0o600
    assert len(done("share", "qr", "-", text=link).stdout.splitlines()) > 20
    assert run("share", "link", "--bundle", "bundle.json", "--qr", "a.gif").exit_code == 2
    assert code("share", "qr", "shlink:/e30") == "link_malformed"


@pytest.mark.parametrize(
    "arguments",
    [
        ("share", "link"),
        ("share", "link", "--bundle", "bundle.json", "--as", "https://a.example"),
        ("share", "link", "--bundle", "bundle.json", "--passcode"),
        ("card", "issue", "bundle.json", "--iss", ISS, "--file", "--qr", "a.png"),
    ],
)
def test_misuse_is_told_as_misuse(arguments: tuple[str, ...], served: ShareStore) -> None:
    assert run(*arguments).exit_code == 2


def test_terms_are_told_by_their_codes(served: ShareStore, monkeypatch: pytest.MonkeyPatch) -> None:
    link = ("share", "link", "--bundle", "bundle.json")
    monkeypatch.setenv("CHARTSEAL_PASSCODE", "73")
    assert code(*link, "--passcode") == "terms_refused"
    assert code(*link, "--once", "--long-term") == "terms_refused"
    assert code(*link, "--base", "http://share.example") == "base_refused"
    assert code(*link, "--label", "x" * 81) == "link_malformed"
    assert code("share", "link", "--bundle", "none.json") == "file_unreadable"
    assert code("share", "link", "--card", "bundle.json") == "file_refused"
    assert code("share", "revoke", "shlink:/e30") == "link_malformed"
    other = ShareLink("https://share.example/s/" + "A" * 43, bytes(32)).to_uri()
    assert code("share", "revoke", other) == "link_inactive"
    assert code("share", "revoke", other, "--store", "none.db") == "share_missing"


def test_a_card_is_issued_drawn_published_and_verified_and_shared(served: ShareStore) -> None:
    kid = members("card", "key", "init")["kid"]
    told = done("card", "key", "publish", "card-key.json", "-o", "jwks.json", "--json")
    assert json.loads(told.stderr) == {"kids": [kid]}
    issue = ("card", "issue", "bundle.json", "--iss", ISS, "--type", "laboratory")
    told = done(*issue, "-o", "k.smart-health-card", "--qr", "k.png", "--json")
    assert json.loads(told.stderr)["characters"] < 1_195
    Path("cards.toml").write_text(f'[[issuer]]\niss = "{ISS}"\nname = "Clinic"\njwks = "jwks.json"\n')
    verify = ("--trust", "cards.toml", "--offline")
    [card] = members("card", "verify", "k.smart-health-card", *verify)["cards"]
    assert (card["name"], card["kid"], card["revocation"]) == ("Clinic", kid, "no list")
    [entry] = card["claims"]["vc"]["credentialSubject"]["fhirBundle"]["entry"]
    assert entry["resource"]["code"] == {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]}
    link = done("share", "link", "--card", "k.smart-health-card").stdout.strip()
    done(*OPEN, "received", text=link)
    found = done("card", "verify", "received/1.smart-health-card", *verify)
    assert found.stderr.startswith("Clinic: issued ")
    assert json.loads(found.stdout)["iss"] == ISS
    Path("cards.toml").write_text('[[issuer]]\niss = "https://other.example"\n')
    assert code("card", "verify", "k.smart-health-card", *verify) == "card_issuer_untrusted"


def test_a_card_that_fits_no_code_is_for_a_file(served: ShareStore) -> None:
    done("card", "key", "init")
    chance = random.Random(4)
    noisy = [{"resource": {"resourceType": "Basic", "language": chance.randbytes(30).hex()}} for _ in range(40)]
    Path("large.json").write_text(json.dumps({"resourceType": "Bundle", "entry": noisy}))
    issue = ("card", "issue", "large.json", "--iss", ISS)
    assert code(*issue) == "card_too_large"
    assert json.loads(done(*issue, "--file").stdout)["verifiableCredential"]


def test_no_output_holds_a_key_or_a_passcode(served: ShareStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTSEAL_PASSCODE", "hush-7351")
    link = done("share", "link", "--bundle", "bundle.json", "--passcode").stdout.strip()
    key = to_base64url(ShareLink.from_uri(link).key)
    told = [done(*OPEN, "a", text=link), done("share", "status", link), run(*OPEN, "a", text=link)]
    monkeypatch.setenv("CHARTSEAL_PASSCODE", "wrong-7351")
    told += [run(*OPEN, "b", text=link), done("share", "revoke", link), run(*OPEN, "c", text=link)]
    for each in told:
        whole = each.output + each.stderr + str(each.exception)
        assert "7351" not in whole
        assert key not in whole
        assert link not in whole
