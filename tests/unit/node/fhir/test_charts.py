"""A whole synthetic chart, sealed into a vault as issuers do, and answered: in both databases."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from gzip import decompress
from pathlib import Path
from typing import Any

import pytest

from chartseal.chain.anchors import AnchorQueue
from chartseal.consent import Part
from chartseal.record import read_fields
from chartseal.sealing import OnePatient, Source, seal_run
from chartseal.vault import Vault, VaultOutput
from tests.anchoring import issuing
from tests.anchoring import place as place
from tests.charts import DOMAIN, HOLDER, NOW
from tests.fhir_answers import Json, Node, entries, included, link, matches
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tests.vaults import MemoryKeys

CHART = Path("examples/Della_Hettinger_8386e1d9.json.gz")
HER = "77e01fab-3e19-4e1c-aa99-8d513f25aab7"


def parsed(text: bytes | str) -> Any:
    """JSON with each number as it is written."""
    return json.loads(text, parse_float=lambda lexeme: ("number", lexeme), parse_int=lambda lexeme: ("number", lexeme))


def sealed_chart(place: str) -> Vault:
    vault = Vault.create(place, MemoryKeys(), base=issuing(DOMAIN).base, now=NOW)
    output = VaultOutput(vault, "sealer", lambda: NOW, AnchorQueue(DOMAIN), 30)
    seal_run(Source(CHART), issuing(DOMAIN), OnePatient(HOLDER.keys.address()), output, now=NOW)
    return vault


@pytest.fixture
def chart(place: str) -> Iterator[Vault]:
    vault = sealed_chart(place)
    yield vault
    vault.close()


def source() -> dict[str, Json]:
    """The chart's resources by type and id."""
    found = (each["resource"] for each in parsed(decompress(CHART.read_bytes()))["entry"])
    return {f"{each['resourceType']}/{each['id']}": each for each in found}


def everything(node: Node) -> list[Json]:
    """All pages of $everything, numbers as written."""
    pages, text = [], "_count=100"
    while True:
        page = parsed(node.answers.everything(HER, text, node.asked).body)
        pages.append(page)
        following = link(page, "next")
        if following is None:
            return pages
        text = following.partition("?")[2]


def test_everything_comes_back_as_it_was_written(chart: Vault) -> None:
    pages = everything(Node(chart))
    found = [each for page in pages for each in entries(page, "match")]
    assert {f"{each['resourceType']}/{each['id']}": each for each in found} == source()
    assert len(found) == len(source()) == 252
    seals = [each for page in pages for each in entries(page, "include")]
    assert Counter(each["resourceType"] for each in seals) == {"Provenance": 252}
    assert {each["target"][0]["reference"] for each in seals} == {
        each["fullUrl"] for page in pages for each in page["entry"] if each["search"]["mode"] == "match"
    }


def test_searches_find_what_the_chart_holds(chart: Vault) -> None:
    node, resources = Node(chart), source().values()
    observations = [each for each in resources if each["resourceType"] == "Observation"]
    codes = Counter(each["code"]["coding"][0]["code"] for each in observations)
    for code, count in codes.most_common(5):
        assert len(node.ids("Observation", f"patient={HER}&code=http://loinc.org|{code}")) == count
    for year in {each["effectiveDateTime"][:4] for each in observations}:
        wanted = {each["id"] for each in observations if each["effectiveDateTime"].startswith(year)}
        assert set(node.ids("Observation", f"patient={HER}&date={year}")) == wanted
    total = node.search("Observation", f"patient={HER}&_total=accurate&_count=1")["total"]
    assert total == len(observations)
    encounter = observations[-1]["encounter"]["reference"].removeprefix("urn:uuid:")
    of_visit = {each["id"] for each in observations if each["encounter"]["reference"].endswith(encounter)}
    assert set(node.ids("Observation", f"patient={HER}&encounter=Encounter/{encounter}")) == of_visit


def test_a_visit_comes_with_what_it_refers_to(chart: Vault) -> None:
    node = Node(chart)
    text = f"patient={HER}&_count=3&_include=Encounter:patient&_include=Encounter:service-provider"
    bundle = node.search("Encounter", f"{text}&_include=Encounter:participant&_include=Encounter:location")
    types = Counter(each.partition("/")[0] for each in included(bundle))
    assert types["Patient"] == 1
    held = Counter(each.partition("/")[0] for each in source())
    assert all(types[each] <= held[each] for each in types)
    assert len(matches(bundle)) == 3


@pytest.mark.parametrize(("part", "is_cut"), [(Part.NARRATIVE, False), (Part.NOTES, False), (Part.ATTACHMENTS, True)])
def test_what_is_cut_is_r4_too(tmp_path: Path, part: Part, is_cut: bool) -> None:
    vault = sealed_chart(str(tmp_path / "vault.db"))
    node = Node(vault)
    node.rules.withhold(part)
    shown = entries(node.everything(HER, "_count=100&_type=DocumentReference,DiagnosticReport,Patient"), "match")
    assert len(shown) > 10
    cut = []
    for each in shown:
        tags = each.get("meta", {}).pop("tag", [])
        if not each.get("meta", {"": ""}):
            del each["meta"]
        cut += [each["resourceType"] for tag in tags if tag.get("code") == "SUBSETTED"]
        assert read_fields(json.dumps(each).encode()).resource_type == each["resourceType"]
    assert bool(cut) is is_cut
    vault.close()
