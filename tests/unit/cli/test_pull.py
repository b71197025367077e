"""`chartseal pull` against a node on this machine, which may lie."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from chartseal.attestation import checksum_address, network
from chartseal.cli import cli
from chartseal.consent import Consent, Grantee, Terms, Withdrawal
from chartseal.errors import AudienceError, ChartsealError, ConsentError, NotCheckedError, PullError
from chartseal.keys import IssuerKey, Wallet
from chartseal.sealing import SealedRecord, seal_fields
from tests.answering import CUSTODIAN, GRANTEE
from tests.answering_nodes import SITE_POLICY, Node, by_consent, entries_of
from tests.charts import texts

WALLET = Wallet(b"\1" * 32)
EVERYTHING = "Patient/p/$everything"


def terms(**changes: Any) -> Terms:
    now = int(datetime.now(UTC).timestamp())
    purposes = frozenset({"TREAT"})
    made = Terms(WALLET.sealing_address(), CUSTODIAN, Grantee(GRANTEE), purposes, now - 3_600, now + 3_600)
    return replace(made, **changes)


@contextmanager
def served(node: Node) -> Iterator[str]:
    """The node's FHIR base on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            request = httpx.Request("GET", f"http://127.0.0.1{self.path}", headers=dict(self.headers.items()))
            answer = node.handle(request)
            body = answer.read()
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/fhir"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Hospital:
    """A custodian's node with three records, a consent to them, and a reader's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        issuing = IssuerKey.generate(base="https://issuer.example/fhir/").issuing()
        self.records = [self._sealed(issuing, at) for at in range(3)]
        self.consent = Consent.sign(terms(), WALLET)
        self.node = Node({EVERYTHING: entries_of(self.records, policy=self.policy)})
        address = checksum_address(issuing.signer.address)
        folder.joinpath("trust.toml").write_text(
            f'networks = ["sepolia"]\nissuer = [{{address = "{address}", name = "Example hospital"}}]\n'
        )
        folder.joinpath("strict.toml").write_text(
            f'networks = ["sepolia"]\nrequired = ["issuer", "consent"]\n'
            f'issuer = [{{address = "{address}", name = "Example hospital"}}]\n'
        )
        folder.joinpath("consent.json").write_bytes(self.consent.to_json())
        assert issuing.domain == network("sepolia").domain()

    @staticmethod
    def _sealed(issuing: Any, at: int) -> SealedRecord:
        fields = {"Condition.code.text": f"made-up condition {at}", "Condition.subject.reference": "Patient/p"}
        return seal_fields("Condition", texts(fields), issuing, WALLET.sealing_address().data)

    @property
    def policy(self) -> list[str]:
        return by_consent(self.consent.root)

    def pull(self, *arguments: str, trust: str = "trust.toml") -> Result:
        with served(self.node) as base:
            given = ["pull", "--from", base, "--custodian", checksum_address(CUSTODIAN), "--allow-loopback"]
            given += ["--trust", str(self.folder / trust)]
            return CliRunner().invoke(cli, [*given, *arguments])

    def by_consent(self, *arguments: str, **options: str) -> Result:
        consent = ["--consent", str(self.folder / "consent.json"), "--as", checksum_address(GRANTEE)]
        return self.pull(*consent, *arguments, **options)


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


def refused(result: Result, error: type[ChartsealError], code: str) -> None:
    assert isinstance(result.exception, error), result.output
    assert result.exception.code == code
    assert "made-up" not in result.output


def test_a_patients_records_are_pulled_and_shown(hospital: Hospital) -> None:
    result = hospital.by_consent("--patient", "p")
    assert result.exit_code == 0, result.output
    assert "10. holder's consent: checked" in result.stderr
    assert "11. channel, nonce: checked" in result.stderr
    assert f"shown by consent 0x{hospital.consent.root.hex()}" in result.stderr
    facts = [entry["resource"] for entry in json.loads(result.stdout)["entry"]]
    shown = [each["code"]["text"] for each in facts if each["resourceType"] == "Condition"]
    assert shown == [f"made-up condition {at}" for at in range(3)]


def test_the_consent_alone_is_a_pointer(hospital: Hospital) -> None:
    path = f"Patient/$everything?consent=0x{hospital.consent.root.hex()}"
    hospital.node.pages = {path: hospital.node.pages[EVERYTHING]}
    assert hospital.by_consent().exit_code == 0
    assert [request.url.raw_path.decode() for request in hospital.node.asked] == [f"/fhir/{path}"]


def test_a_search_is_asked(hospital: Hospital) -> None:
    hospital.node.pages = {"Condition?code=x&_revinclude=Provenance:target": hospital.node.pages[EVERYTHING][:2]}
    result = hospital.by_consent("--search", "Condition?code=x", "--json")
    assert (result.exit_code, len(json.loads(result.stdout)["records"])) == (0, 1)


def test_as_json_with_a_file(hospital: Hospital) -> None:
    told = json.loads(hospital.by_consent("--patient", "p", "--json").stdout)
    assert (told["verified"], told["holdsWhole"], told["custodian"]) == (True, True, checksum_address(CUSTODIAN))
    assert [step["number"] for step in told["steps"]] == list(range(1, 13))
    assert told["records"][0]["ground"] == {"consent": f"0x{hospital.consent.root.hex()}"}
    assert (told["refused"], len(told["told"]), len(told["facts"]["entry"])) == ([], 3, 6)
    output = hospital.folder / "facts.json"
    result = hospital.by_consent("--patient", "p", "-o", str(output))
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(output.read_text()) == told["facts"]
    assert output.stat().st_mode & 0o777 == 0o600


def test_a_liars_text_is_not_shown(hospital: Hospital) -> None:
    hospital.node.pages[EVERYTHING][0]["resource"]["code"]["text"] = "invented"
    hospital.node.pages[EVERYTHING].append({"resource": {"resourceType": "Condition", "code": {"text": "invented"}}})
    result = hospital.by_consent("--patient", "p")
    assert result.exit_code == 3
    assert "1 of 4 resources are told otherwise than they were sealed" in result.stderr
    assert "1 of 4 resources are not shown: no record proves them" in result.stderr
    assert "invented" not in result.output
    assert "made-up condition 0" in result.stdout


def test_a_record_that_does_not_hold_is_named_by_its_step(hospital: Hospital) -> None:
    for entry in entries_of(hospital.records[:1], policy=["urn:chartseal:basis:because"]):
        hospital.node.pages[EVERYTHING].append(entry)
    hospital.node.pages[EVERYTHING] = hospital.node.pages[EVERYTHING][2:]
    result = hospital.by_consent("--patient", "p")
    assert result.exit_code == 3
    assert "a record is refused at step 10: basis_unknown" in result.stderr
    assert "1 of 3 resources are not shown: their records do not hold" in result.stderr
    assert "made-up condition 0" not in result.stdout


def test_an_empty_answer_says_nothing(hospital: Hospital) -> None:
    hospital.node.pages[EVERYTHING] = []
    result = hospital.by_consent("--patient", "p")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "that says nothing of whether there is one" in result.stderr
    told = json.loads(hospital.by_consent("--patient", "p", "--json").stdout)
    assert (told["verified"], told["facts"]["entry"]) == (False, [])


def test_site_policy_is_the_custodians_word(hospital: Hospital) -> None:
    hospital.node.pages[EVERYTHING] = entries_of(hospital.records, policy=SITE_POLICY)
    result = hospital.pull("--patient", "p")
    assert result.exit_code == 0
    assert "10. holder's consent: not checked" in result.stderr
    assert "shown by site-policy, unproved" in result.stderr
    strict = hospital.pull("--patient", "p", "--json", trust="strict.toml")
    assert strict.exit_code == 3
    assert json.loads(strict.stdout)["refused"] == [{"step": 10, "code": NotCheckedError.code}] * 3
    assert "made-up" not in strict.stdout


CHANGED: list[tuple[Callable[[], Terms], str]] = [
    (lambda: terms(custodian=GRANTEE), "consent_other_custodian"),
    (lambda: terms(grantee=Grantee(CUSTODIAN)), "consent_other_grantee"),
    (lambda: terms(grantee=Grantee(role="pharmacy")), "consent_other_grantee"),
    (lambda: terms(not_before=1, expiry=2), "consent_expired"),
    (lambda: terms(not_before=int((datetime.now(UTC) + timedelta(seconds=1_800)).timestamp())), "consent_not_begun"),
]


@pytest.mark.parametrize(("changed", "code"), CHANGED)
def test_a_consent_that_does_not_hold_asks_nothing(changed: Callable[[], Terms], code: str, hospital: Hospital) -> None:
    hospital.folder.joinpath("consent.json").write_bytes(Consent.sign(changed(), WALLET).to_json())
    refused(hospital.by_consent("--patient", "p"), ConsentError, code)
    assert hospital.node.asked == []


def test_a_consent_to_a_role_counts_for_it(hospital: Hospital) -> None:
    hospital.consent = Consent.sign(terms(grantee=Grantee(role="pharmacy")), WALLET)
    hospital.folder.joinpath("consent.json").write_bytes(hospital.consent.to_json())
    hospital.node.pages[EVERYTHING] = entries_of(hospital.records, policy=hospital.policy)
    path = str(hospital.folder / "consent.json")
    assert hospital.pull("--patient", "p", "--consent", path, "--role", "pharmacy").exit_code == 0
    refused(hospital.pull("--consent", path, "--role", "clinic"), ConsentError, "consent_other_grantee")


def test_a_consent_of_other_types_opens_nothing(hospital: Hospital) -> None:
    for changes in (
        {"types": frozenset({"Observation"})},
        {"exceptions": terms().exceptions.__class__(types=frozenset({"Condition"}))},
    ):
        hospital.consent = Consent.sign(terms(**changes), WALLET)
        hospital.folder.joinpath("consent.json").write_bytes(hospital.consent.to_json())
        hospital.node.pages[EVERYTHING] = entries_of(hospital.records, policy=hospital.policy)
        told = json.loads(hospital.by_consent("--patient", "p", "--json").stdout)
        assert told["refused"] == [{"step": 10, "code": "consent_type"}] * 3


def test_a_withdrawal_that_reached_us_counts(hospital: Hospital) -> None:
    path = hospital.folder / "withdrawal.json"
    path.write_bytes(Withdrawal.sign(hospital.consent.root, Wallet(b"\2" * 32)).to_json())
    assert hospital.by_consent("--patient", "p", "--withdrawal", str(path)).exit_code == 0  # a stranger's
    path.write_bytes(Withdrawal.sign(hospital.consent.root, WALLET).to_json())
    refused(hospital.by_consent("--patient", "p", "--withdrawal", str(path)), ConsentError, "consent_withdrawn")


def test_another_custodian_and_a_replay_are_refused(hospital: Hospital) -> None:
    hospital.node.custodian = GRANTEE
    refused(hospital.by_consent("--patient", "p"), AudienceError, "channel_mismatch")
    hospital.node.custodian, hospital.node.nonce = CUSTODIAN, "0x" + "11" * 32
    refused(hospital.by_consent("--patient", "p"), AudienceError, "nonce_mismatch")


def test_a_token_comes_out_of_a_file(hospital: Hospital) -> None:
    path = hospital.folder / "token"
    path.write_text("abc.DEF-123\n")
    assert hospital.by_consent("--patient", "p", "--token-file", str(path)).exit_code == 0
    assert hospital.node.asked[0].headers["Authorization"] == "Bearer abc.DEF-123"
    for text in ("", "two words", "a\r\nX: y", "é", "a" * 40_000):
        path.write_text(text)
        refused(hospital.by_consent("--patient", "p", "--token-file", str(path)), PullError, "token_malformed")


def test_no_proxy_of_the_environment_sees_a_request(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert hospital.by_consent("--patient", "p").exit_code == 0


def test_a_node_without_tls_is_not_asked(hospital: Hospital) -> None:
    given = [
        "--custodian",
        checksum_address(CUSTODIAN),
        "--trust",
        str(hospital.folder / "trust.toml"),
        "--patient",
        "p",
    ]
    for base in ("http://127.0.0.1:1/fhir", "http://a.example/fhir"):
        refused(CliRunner().invoke(cli, ["pull", "--from", base, *given]), PullError, "peer_insecure")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--patient", "p", "--search", "Condition"],
        ["--patient", "p", "--consent", "consent.json"],
        ["--patient", "p", "--json", "-o", "-"],
        ["--as", "0x00"],
    ],
)
def test_misuse_is_told(arguments: list[str], hospital: Hospital) -> None:
    assert hospital.pull(*arguments).exit_code == 2
    assert hospital.node.asked == []
