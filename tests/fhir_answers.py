"""A small chart in a vault, a gate that a test may set, and answers over both."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from fastapi import FastAPI, Header, HTTPException

from chartseal.attestation import Address
from chartseal.consent import Basis, Decision, Interaction, Part, RecordFacts, Requester, Scopes
from chartseal.disclosure import Selection
from chartseal.node.fhir import (
    AnswerRecord,
    Answers,
    Asked,
    Caller,
    Cursors,
    Gate,
    capability_statement,
    fhir_router,
)
from chartseal.node.fhir.answering import LARGEST_PAGE, Duty
from chartseal.record import read_fields
from chartseal.sealing import SealedLine, SealedRecord
from chartseal.vault import Vault
from chartseal.vault.audit import Entry
from chartseal.vault.database import reading
from tests.charts import HOLDER, NOW, sealed
from tests.vault_records import BASE, LOINC, put

NODE = "https://node.example/fhir/"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
HIV = {"system": ACT_CODE, "code": "HIV"}

Json = dict[str, Any]


def concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def patient(identifier: str = "p1") -> Json:
    return {"resourceType": "Patient", "id": identifier, "birthDate": "1970-02-03", "gender": "female"}


def observation(identifier: str, **members: Any) -> Json:
    """A final laboratory result of p1, with a note and a narrative."""
    return {
        "resourceType": "Observation",
        "id": identifier,
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">told in words</div>'},
        "status": "final",
        "category": [concept(CATEGORY, "laboratory")],
        "code": concept(LOINC, "2823-3"),
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-05-04T09:30:00+02:00",
        "valueQuantity": {"value": 4.1, "unit": "mmol/L"},
        "note": [{"text": "a note of Olivia Bauch"}],
        **members,
    }


def line_of(resource: Json | str, *, full_url: str | None = None, patient: str | None = None) -> SealedLine:
    """A resource, sealed for the tests' holder."""
    text = resource if isinstance(resource, str) else json.dumps(resource)
    parsed = json.loads(text)
    url = f"{BASE}{parsed['resourceType']}/{parsed['id']}" if full_url is None else full_url
    ikm = secrets.token_bytes(32)
    read = read_fields(text.encode())
    record = sealed(read.resource_type, read.fields, detached=read.detached, full_url=url, ikm=ikm)
    return SealedLine(record.to_json(), ikm, HOLDER.keys.address(), patient)


def keep(vault: Vault, *resources: Json | str, patient: str | None = None) -> None:
    """Keep resources one after another, so that the last is the newest."""
    for each in resources:
        put(vault, [line_of(each, patient=patient)], queue=None, delivery_days=0)


HOSPITAL_B = Address(b"\xb0" * 20)


def who(account: Address | None = HOSPITAL_B, purpose: str = "TREAT") -> Requester:
    scopes = Scopes.parse("system/*.rs")
    return Requester(account, frozenset({"hospital"}), account is not None, purpose, scopes, "Dr. Ada", "Hospital B")


@dataclass(frozen=True)
class Client:
    """A caller of tests."""

    client_id: str = "client-b"
    requester: Requester = field(default_factory=who)


PERMITTED = Decision(True, Basis.CONSENT, consent=None, reasons=("consented",))
REFUSED = Decision(False, Basis.NONE, reasons=("no-consent",))


@dataclass
class Rules:
    """A gate that a test sets, and what it was asked."""

    decide: Callable[[RecordFacts], Decision] = lambda _: PERMITTED
    asked: list[tuple[RecordFacts, str]] = field(default_factory=list)

    def __call__(self, record: RecordFacts, interaction: Interaction) -> Decision:
        self.asked.append((record, interaction))
        return self.decide(record)

    def refuse_all(self) -> None:
        self.decide = lambda _: REFUSED

    def refuse(self, is_refused: Callable[[RecordFacts], bool]) -> None:
        self.decide = lambda facts: REFUSED if is_refused(facts) else PERMITTED

    def withhold(self, *parts: Part) -> None:
        self.decide = lambda _: Decision(True, Basis.CONSENT, withheld=frozenset(parts))


def answer_record(record: SealedRecord, opened: Selection | None) -> bytes:
    """Stands in the place of the disclosure stage's: the seal's uid, and the names of what opens."""
    names = None if opened is None else [each.name for choice in opened.choices for each in choice.opened]
    return json.dumps({"uid": record.uid.hex(), "opened": names}).encode()


@dataclass
class Node:
    """Answers over a vault for one caller, as JSON."""

    vault: Vault
    rules: Rules = field(default_factory=Rules)
    client: Client = field(default_factory=Client)
    now: datetime = NOW
    most_bytes: int = LARGEST_PAGE
    duties: dict[str, Duty] = field(default_factory=dict)
    answer_record: AnswerRecord = answer_record

    @property
    def answers(self) -> Answers:
        return Answers(self.vault, Cursors(b"\x01" * 32), self.answer_record, NODE, self.most_bytes, self.duties)

    @property
    def asked(self) -> Asked:
        return Asked(self.client, self.rules, self.now)

    def read(self, name: str) -> str:
        resource_type, _, identifier = name.partition("/")
        return self.answers.read(resource_type, identifier, self.asked).body.decode()

    def search(self, resource_type: str, text: str, **options: Any) -> Json:
        found: Json = json.loads(self.answers.search(resource_type, text, self.asked, **options).body)
        return found

    def everything(self, identifier: str, text: str = "") -> Json:
        found: Json = json.loads(self.answers.everything(identifier, text, self.asked).body)
        return found

    def ids(self, resource_type: str, text: str) -> list[str]:
        """Names of all matches, page after page."""
        return [each for page in self.pages(resource_type, text) for each in matches(page)]

    def pages(self, resource_type: str, text: str) -> Iterator[Json]:
        while True:
            page = self.search(resource_type, text)
            yield page
            following = link(page, "next")
            if following is None:
                return
            text = following.partition("?")[2]

    def log(self) -> list[Entry]:
        """What was entered since the records were stored."""
        with reading(self.vault.engine) as connection:
            return [each for each in self.vault.audit.find(connection) if each.action != "create"]


def link(bundle: Json, relation: str) -> str | None:
    return next((each["url"] for each in bundle["link"] if each["relation"] == relation), None)


def entries(bundle: Json, mode: str) -> list[Json]:
    return [each["resource"] for each in bundle.get("entry", []) if each["search"]["mode"] == mode]


def matches(bundle: Json) -> list[str]:
    return [each["id"] for each in entries(bundle, "match")]


def included(bundle: Json) -> list[str]:
    found = (each for each in entries(bundle, "include") if not each.get("id", "").startswith("seal-"))
    return [f"{each['resourceType']}/{each['id']}" for each in found]


def issues(bundle: Mapping[str, Any]) -> list[str]:
    outcomes = entries(dict(bundle), "outcome")
    return [each["details"]["coding"][0]["code"] for outcome in outcomes for each in outcome["issue"]]


def app_of(node: Node, base: str = NODE) -> FastAPI:
    """An app whose caller is who the Authorization header names."""

    def caller(authorization: str = Header(default="")) -> Caller:
        if not authorization.startswith("Bearer "):
            raise HTTPException(401)
        return Client(authorization.removeprefix("Bearer "))

    def gate(_: Caller) -> Gate:
        return node.rules

    made = FastAPI()
    statement = capability_statement(base, published=date(2026, 11, 30))
    answers = node.answers
    if base != NODE:
        answers = type(answers)(answers.vault, answers.cursors, answers.answer_record, base)
    made.include_router(fhir_router(answers, caller=caller, gate=gate, clock=lambda: node.now, capability=statement))
    return made
