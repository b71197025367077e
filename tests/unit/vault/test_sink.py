"""Sealing into a vault: the same records as into a folder, and a run that was broken off goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chartseal.chain.anchors import AnchorQueue
from chartseal.errors import SealingError
from chartseal.sealing import OnePatient, PatientMap, Source, Summary, seal_run
from chartseal.vault import Vault, VaultOutput
from tests.anchoring import issuing
from tests.charts import DOMAIN, HOLDER
from tests.vault_records import create

AT = datetime(2026, 5, 4, tzinfo=UTC)


def export(folder: Path, count: int) -> Path:
    lines: list[dict[str, Any]] = [{"resourceType": "Patient", "id": "p"}]
    for number in range(count):
        status = "final" if number % 5 else 7  # every fifth is refused
        lines.append(
            {
                "resourceType": "Observation",
                "id": f"o{number}",
                "status": status,
                "code": {"text": "w"},
                "subject": {"reference": "Patient/p"},
            }
        )
    path = folder / "export.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path


def run(vault: Vault, path: Path, monkey: pytest.MonkeyPatch | None = None) -> tuple[Summary, VaultOutput]:
    output = VaultOutput(vault, "sealer", lambda: AT, AnchorQueue(DOMAIN), 30)
    addresses = OnePatient(HOLDER.keys.address())
    return seal_run(Source(path), issuing(DOMAIN), addresses, output, now=AT), output


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartseal.sealing.batch.MOST_ITEMS", 10)


def test_a_run_goes_into_a_vault_and_never_twice(place: str, tmp_path: Path, small_batches: None) -> None:
    vault, path = create(place), export(tmp_path, 30)
    summary, output = run(vault, path)
    assert (summary.sealed, summary.refused) == (25, 6)
    assert [json.loads(line)["position"] for line in output.rejects().splitlines()] == [2, 7, 12, 17, 22, 27]
    assert len(vault.find()) == 25
    again, output = run(vault, path)
    assert (again.sealed, again.resumed_at, again.refused) == (0, 31, 6)
    assert len(output.rejects().splitlines()) == 6
    assert list(vault.verify()) == []


def test_records_are_filed_by_the_patient_whose_chart_they_are_in(place: str, tmp_path: Path) -> None:
    """Also where the record itself names a device, a target, or nobody at all."""
    contained: dict[str, Any] = {"resourceType": "Patient", "id": "x"}
    chart: list[dict[str, Any]] = [{"resourceType": "Organization", "id": "lab"}]
    for patient in ("p", "q"):
        mine = {"reference": f"Patient/{patient}"}
        device = {"subject": {"reference": "Device/d"}, "performer": [mine]}
        own = {"subject": {"reference": "#x"}, "contained": [contained], "performer": [mine]}
        both = {"status": "final", "code": {"text": "w"}}
        provenance = {"recorded": "2026-05-04T10:00:00Z", "agent": [{"who": {"reference": "Organization/lab"}}]}
        chart += [
            {"resourceType": "Patient", "id": patient, "managingOrganization": {"reference": "Organization/lab"}},
            {"resourceType": "Observation", "id": f"{patient}1", **both, **device},
            {"resourceType": "Observation", "id": f"{patient}2", **both, **own},
            {"resourceType": "Provenance", "id": f"{patient}3", "target": [mine], **provenance},
        ]
    path = tmp_path / "charts.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in chart))
    vault = create(place)
    output = VaultOutput(vault, "sealer", lambda: AT, AnchorQueue(DOMAIN), 30)
    addresses = PatientMap({each: HOLDER.keys.address() for each in ("p", "q")})
    assert seal_run(Source(path), issuing(DOMAIN), addresses, output, now=AT).sealed == 10
    found = {each: vault.find(patient=f"{issuing(DOMAIN).base}Patient/{each}") for each in ("p", "q")}
    kinds = ["Observation", "Observation", "Organization", "Patient", "Provenance"]
    for entries in found.values():
        assert sorted(each.resource_type for each in vault.read(entries, actor="c", now=AT)) == kinds
    assert {each.id for each in vault.beside(found["p"])} == {each.id for each in found["q"]}
    assert list(vault.verify()) == []


def document(patient: str) -> dict[str, Any]:
    composition = {
        "resourceType": "Composition",
        "id": f"c{patient}",
        "status": "final",
        "type": {"text": "summary"},
        "subject": {"reference": f"Patient/{patient}"},
        "date": "2026-05-04",
        "author": [{"reference": "Practitioner/dr"}],
        "title": "t",
    }
    resources: list[dict[str, Any]] = [
        composition,
        {"resourceType": "Patient", "id": patient},
        {"resourceType": "Practitioner", "id": "dr"},
    ]
    entries = [
        {"fullUrl": f"{issuing(DOMAIN).base}{each['resourceType']}/{each['id']}", "resource": each}
        for each in resources
    ]
    name = {"system": "urn:x", "value": f"doc-{patient}"}
    head: dict[str, Any] = {"resourceType": "Bundle", "type": "document", "identifier": name}
    return {**head, "timestamp": "2026-05-04T10:00:00Z", "entry": entries}


def test_documents_of_two_patients_of_one_wallet_stay_apart(place: str, tmp_path: Path) -> None:
    path = tmp_path / "documents.ndjson"
    path.write_text("".join(json.dumps(document(each)) + "\n" for each in "pq"))
    vault = create(place)
    output = VaultOutput(vault, "sealer", lambda: AT, AnchorQueue(DOMAIN), 30)
    addresses = PatientMap({each: HOLDER.keys.address() for each in "pq"})
    assert seal_run(Source(path), issuing(DOMAIN), addresses, output, now=AT).sealed == 10
    for patient in "pq":
        found = list(vault.read(vault.find(patient=f"{issuing(DOMAIN).base}Patient/{patient}"), actor="c", now=AT))
        kinds = ["Bundle", "Composition", "Patient", "Practitioner", "Practitioner"]  # hers, and hers of the other
        assert sorted(each.resource_type for each in found) == kinds
        [whole] = [each for each in found if each.resource_type == "Bundle"]
        entries = [each.value for each in whole.fields if each.name.startswith("chartseal.entry[")]
        assert len(entries) == 3
        assert set(entries) <= {each.root for each in found}


def test_a_run_that_broke_off_goes_on(
    place: str, tmp_path: Path, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, path = create(place), export(tmp_path, 30)
    with monkeypatch.context() as patch:
        patch.setattr("chartseal.vault.audit.log.AuditLog.append", _failing(2))
        with pytest.raises(RuntimeError):
            run(vault, path)
    assert 0 < len(vault.find()) < 25
    summary, output = run(vault, path)
    assert summary.resumed_at in (10, 20)
    assert len(vault.find()) == 25
    assert len(output.rejects().splitlines()) == 6
    assert list(vault.verify()) == []


def _failing(after: int) -> object:
    from chartseal.vault.audit import AuditLog

    append, calls = AuditLog.append, []

    def failing(*args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == after:
            raise RuntimeError
        return append(*args, **options)  # type: ignore[arg-type]

    return failing


def test_two_of_the_same_run_do_not_seal_twice(place: str, tmp_path: Path) -> None:
    vault, path = create(place), export(tmp_path, 3)
    identity = {"input": "x"}
    output = VaultOutput(vault, "sealer", lambda: AT)
    with output.begin(identity) as first, output.begin(identity) as second:
        first.write(5, [], [])
        with pytest.raises(SealingError) as caught:
            second.write(5, [], [])
        assert caught.value.code == "sealing_in_progress"
        first.write(6, [], [])
    with output.begin(identity) as third:
        assert third.done == 6
    assert run(vault, path)[0].resumed_at == 0
