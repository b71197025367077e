"""Charts and exports through a whole run: whose records they are, what is refused, and what a crash leaves."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chartseal.attestation import Address
from chartseal.errors import PatientError, SealingError
from chartseal.fhir import Reading
from chartseal.keys import IssuerKey, Wallet
from chartseal.sealing import (
    Addresses,
    Done,
    Issuing,
    OnePatient,
    PatientMap,
    SealedRecord,
    Source,
    StatusStore,
    read_records,
    seal_chart,
    seal_run,
)

BASE = "https://hospital.example/fhir/"
SNOMED = "http://snomed.info/sct"


@pytest.fixture(scope="module")
def key() -> IssuerKey:
    return IssuerKey.generate(base=BASE)


@pytest.fixture(scope="module")
def wallet() -> Wallet:
    return Wallet.generate()


def patient(name: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": name, "gender": "female"}


def observation(name: str, subject: str, performer: str | None = None) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"text": "weight"},
        "subject": {"reference": subject},
        **({"performer": [{"reference": performer}]} if performer else {}),
        "valueQuantity": {"value": 71, "unit": "kg"},
    }


def role(name: str, practitioner: str) -> dict[str, Any]:
    return {"resourceType": "PractitionerRole", "id": name, "practitioner": {"reference": practitioner}}


def practitioner(name: str) -> dict[str, Any]:
    return {"resourceType": "Practitioner", "id": name, "active": True}


def collection(resources: Sequence[dict[str, Any]], prefix: str = BASE) -> bytes:
    entries = [
        {
            "fullUrl": f"urn:uuid:{each['id']}" if prefix == "urn" else f"{prefix}{each['resourceType']}/{each['id']}",
            "resource": each,
        }
        for each in resources
    ]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def names(records: Sequence[SealedRecord]) -> list[str]:
    return sorted(
        f"{record.resource_type}/{each.value!s}"
        for record in records
        for each in record.fields
        if each.name == f"{record.resource_type}.id"
    )


def control(record: SealedRecord, name: str) -> Any:
    return next(each.value for each in record.fields if each.name == f"chartseal.{name}")


def test_a_chart_seals_its_patient_and_companions_and_refuses_another(key: IssuerKey, wallet: Wallet) -> None:
    chart = collection(
        [
            observation("mine", "Patient/a", "PractitionerRole/r"),
            observation("other", "Patient/b", "Practitioner/only-b"),
            patient("a"),
            role("r", "Practitioner/p"),
            practitioner("p"),
            practitioner("only-b"),
            practitioner("nobody"),
        ]
    )
    sealing = seal_chart(chart, key.issuing(), wallet.sealing_address().data)
    assert names(sealing.records) == ["Observation/mine", "Patient/a", "Practitioner/p", "PractitionerRole/r"]
    refused = {place: error.code for place, error in sealing.refused}
    assert refused == {
        "Bundle.entry[1]": "another_patient",
        "Bundle.entry[5]": "another_patient",
        "Bundle.entry[6]": "companion_unreferenced",
    }
    for record in sealing.records:
        record.check()
        assert wallet.is_mine(record.enc, record.subject)
    persons = {control(record, "person") for record in sealing.records if record.resource_type != "Practitioner"}
    assert len(persons - {bytes(32)}) == 1


@pytest.mark.parametrize("prefix", [BASE, "urn"])
def test_references_resolve_by_the_bundle(prefix: str, key: IssuerKey, wallet: Wallet) -> None:
    reference = (
        "urn:uuid:11111111-1111-4111-8111-111111111111"
        if prefix == "urn"
        else "Patient/11111111-1111-4111-8111-111111111111"
    )
    resources = [
        observation("22222222-2222-4222-8222-222222222222", reference),
        patient("11111111-1111-4111-8111-111111111111"),
    ]
    sealing = seal_chart(collection(resources, prefix), key.issuing(), wallet.sealing_address().data)
    assert not sealing.refused
    assert {control(record, "about") for record in sealing.records} == {"patient"}
    assert len({control(record, "person") for record in sealing.records}) == 1


def test_several_patients_need_a_name(key: IssuerKey, wallet: Wallet) -> None:
    chart = collection([patient("a"), patient("b"), observation("o", "Patient/b")])
    address = wallet.sealing_address().data
    with pytest.raises(SealingError) as refused:
        seal_chart(chart, key.issuing(), address)
    assert refused.value.code == "patient_ambiguous"
    assert names(seal_chart(chart, key.issuing(), OnePatient(address, "b")).records) == ["Observation/o", "Patient/b"]


def test_a_companion_goes_to_every_patient_that_refers_to_it(key: IssuerKey, tmp_path: Path) -> None:
    wallets = {name: Wallet.generate() for name in "ab"}
    addresses = {name: wallet.sealing_address().data for name, wallet in wallets.items()}
    lines = [
        practitioner("p"),
        patient("a"),
        patient("b"),
        observation("1", "Patient/a", "Practitioner/p"),
        observation("2", f"{BASE}Patient/b", f"{BASE}Practitioner/p"),
        observation("3", "Patient/c"),
        observation("4", "Patient?identifier=x|1"),
    ]
    path = tmp_path / "export.ndjson.gz"
    path.write_bytes(gzip.compress(b"\n".join(json.dumps(line).encode() for line in lines)))
    summary = seal_run(Source(path), key.issuing(), PatientMap(addresses), tmp_path / "sealed")
    records = list(read_records([tmp_path / "sealed"]))
    for name, wallet in wallets.items():
        mine = [record for record in records if wallet.is_mine(record.enc, record.subject)]
        assert names(mine) == sorted([f"Observation/{1 if name == 'a' else 2}", f"Patient/{name}", "Practitioner/p"])
    assert summary.codes == {"patient_unmapped": 1, "patient_unresolved": 1}
    rejects = [json.loads(line) for line in (tmp_path / "sealed/rejects.ndjson").read_text().splitlines()]
    assert [(each["position"], each["place"], each["code"]) for each in rejects] == [
        (6, "line 6", "patient_unmapped"),
        (7, "line 7", "patient_unresolved"),
    ]


def test_a_companion_shared_with_a_stranger_still_goes_along(key: IssuerKey, wallet: Wallet) -> None:
    chart = collection(
        [
            practitioner("p"),
            practitioner("q"),
            patient("a"),
            observation("1", "Patient/a", "Practitioner/p"),
            observation("2", "Patient/b", "Practitioner/p"),
            observation("3", "Patient/b", "Practitioner/q"),
        ]
    )
    address = wallet.sealing_address().data
    for addresses, code in (
        (OnePatient(address, "a"), "another_patient"),
        (PatientMap({"a": address}), "patient_unmapped"),
    ):
        sealing = seal_chart(chart, key.issuing(), addresses)
        assert names(sealing.records) == ["Observation/1", "Patient/a", "Practitioner/p"]
        assert [(place, error.code) for place, error in sealing.refused] == [
            (f"Bundle.entry[{at}]", code) for at in (1, 4, 5)
        ]


def test_a_document_is_sealed_by_its_entries_and_itself(key: IssuerKey, wallet: Wallet) -> None:
    composition = {
        "resourceType": "Composition",
        "id": "c",
        "status": "final",
        "type": {"text": "summary"},
        "subject": {"reference": f"{BASE}Patient/a"},
        "date": "2026-01-01",
        "author": [{"reference": f"{BASE}Practitioner/p"}],
        "title": "Summary",
    }
    document = json.loads(collection([composition, patient("a"), practitioner("p")]))
    document.update(
        type="document",
        identifier={"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2"},
        timestamp="2026-01-01T00:00:00Z",
    )
    sealing = seal_chart(json.dumps(document), key.issuing(), wallet.sealing_address().data)
    assert not sealing.refused
    *entries, own = sealing.records
    own.check()
    assert own.resource_type == "Bundle"
    assert [control(own, f"entry[{at}]") for at in range(3)] == [record.root for record in entries]
    assert [each.value for each in own.fields if each.name.endswith("fullUrl")][:3] == [
        f"{BASE}Composition/c",
        f"{BASE}Patient/a",
        f"{BASE}Practitioner/p",
    ]
    document["entry"][2]["resource"]["active"] = "yes"
    sealing = seal_chart(json.dumps(document), key.issuing(), wallet.sealing_address().data)
    assert [error.code for _, error in sealing.refused] == ["json_type", "document_incomplete"]


def read_map(path: Path) -> PatientMap:
    found = PatientMap.read(path)
    found.patient_of_chart({}, BASE)
    return found


def test_the_map_is_read_strictly(tmp_path: Path) -> None:
    address = str(Wallet.generate().sealing_address())
    path = tmp_path / "map.csv"
    path.write_text(f"patient,address\r\na,{address}\r\n")
    assert len(read_map(path).address_of(f"{BASE}Patient/a")) == 64
    path.write_text(f"Patient/a,{address}\n{BASE}Patient/c,{address}\n")
    for name in "ac":
        assert len(read_map(path).address_of(f"{BASE}Patient/{name}")) == 64
    with pytest.raises(PatientError):
        read_map(path).address_of(f"{BASE}Patient/b")
    for text in [f"a,{address}\na,{address}", f"a,{address}\nPatient/a,{address}", "a,b\nc,d", "a", f",{address}"]:
        path.write_text(text)
        with pytest.raises(SealingError) as refused:
            PatientMap.read(path)
        assert refused.value.code == "map_malformed"
        assert address not in str(refused.value)


def test_a_finished_run_is_not_repeated_and_another_is_refused(key: IssuerKey, wallet: Wallet, tmp_path: Path) -> None:
    chart = tmp_path / "chart.json"
    chart.write_bytes(collection([patient("a"), observation("o", "Patient/a"), observation("x", "Patient/b")]))
    output, address = tmp_path / "sealed", OnePatient(wallet.sealing_address().data)
    first = seal_run(Source(chart), key.issuing(), address, output)
    assert (first.sealed, first.refused, first.resumed_at) == (2, 1, 0)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    again = seal_run(Source(chart), key.issuing(), OnePatient(wallet.sealing_address().data), output)
    assert (again.sealed, again.refused, again.resumed_at) == (0, 1, 3)
    assert again.codes == first.codes == {"another_patient": 1}
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in output.iterdir() if path.suffix == ".ndjson")
    chart.write_bytes(collection([patient("a")]))
    with pytest.raises(SealingError) as refused:
        seal_run(Source(chart), key.issuing(), address, output)
    assert refused.value.code == "sealing_other_run"


def test_a_run_with_another_address_or_option_is_another_run(key: IssuerKey, wallet: Wallet, tmp_path: Path) -> None:
    chart, output, address = tmp_path / "chart.json", tmp_path / "sealed", wallet.sealing_address().data
    chart.write_bytes(collection([patient("a"), observation("o", "Patient/a")]))
    assert seal_run(Source(chart), key.issuing(), OnePatient(address), output).sealed == 2
    other = OnePatient(Wallet.generate().sealing_address().data)
    named, many = OnePatient(address, "a"), PatientMap({"a": address})
    again: list[tuple[Issuing, Addresses, Reading]] = [
        *((key.issuing(), each, Reading()) for each in (other, named, many)),
        (key.issuing(), OnePatient(address), Reading(test=True)),
        (key.issuing(validity=timedelta(days=1)), OnePatient(address), Reading()),
    ]
    for issuing, addresses, reading in again:
        with pytest.raises(SealingError) as refused:
            seal_run(Source(chart), issuing, addresses, output, reading=reading)
        assert refused.value.code == "sealing_other_run"
    assert seal_run(Source(chart), key.issuing(), OnePatient(address), output).resumed_at == 2


class Dying(StatusStore):
    """The process ends after it has reserved places, before the batch is written."""

    def reserve(self, attester: Address, uids: Sequence[bytes]) -> Sequence[tuple[int, int]]:
        super().reserve(attester, uids)
        raise SealingError("dead", "sealing_refused")


def test_a_run_that_died_wastes_its_places(key: IssuerKey, wallet: Wallet, tmp_path: Path) -> None:
    chart, output, address = tmp_path / "chart.json", tmp_path / "sealed", OnePatient(wallet.sealing_address().data)
    chart.write_bytes(collection([patient("a"), observation("o", "Patient/a")]))
    store = StatusStore(tmp_path / "key.status.db")
    with pytest.raises(SealingError):
        seal_run(Source(chart), key.issuing(places=Dying(store.path)), address, output)
    assert [each.given for each in store.lists(key.signer.address)] == [2]
    assert seal_run(Source(chart), key.issuing(places=store), address, output).sealed == 2
    records = list(read_records([output]))
    given = [record.credential for record in records]
    assert [each.given for each in store.lists(key.signer.address)] == [4]
    assert len({each.index for each in given if each is not None}) == 2
    for record in records:
        record.check()
    with pytest.raises(SealingError) as refused:  # the rest of a run has credentials like its beginning
        seal_run(Source(chart), key.issuing(), address, output)
    assert refused.value.code == "sealing_other_run"


def test_a_run_that_did_nothing_is_in_nobodys_way(key: IssuerKey, wallet: Wallet, tmp_path: Path) -> None:
    chart, output, address = tmp_path / "chart.json", tmp_path / "sealed", wallet.sealing_address().data
    chart.write_bytes(collection([patient("a"), patient("b")]))
    with pytest.raises(SealingError) as refused:
        seal_run(Source(chart), key.issuing(), OnePatient(address), output)
    assert refused.value.code == "patient_ambiguous"
    assert seal_run(Source(chart), key.issuing(), OnePatient(address, "b"), output).sealed == 1


def test_two_runs_do_not_share_a_folder(key: IssuerKey, wallet: Wallet, tmp_path: Path) -> None:
    chart, output = tmp_path / "chart.json", tmp_path / "sealed"
    chart.write_bytes(collection([patient("a")]))

    def again(_: Done) -> None:
        seal_run(Source(chart), key.issuing(), OnePatient(wallet.sealing_address().data), output)

    with pytest.raises(SealingError) as refused:
        seal_run(Source(chart), key.issuing(), OnePatient(wallet.sealing_address().data), output, progress=again)
    assert refused.value.code == "sealing_in_progress"
    assert len(list(read_records([output]))) == 1


def test_an_address_serves_several_charts(key: IssuerKey, wallet: Wallet) -> None:
    address = OnePatient(wallet.sealing_address().data)
    for name in "ab":
        sealing = seal_chart(collection([patient(name)]), key.issuing(), address)
        assert names(sealing.records) == [f"Patient/{name}"]


def test_a_pipe_is_kept_to_be_read_again(key: IssuerKey, wallet: Wallet, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.ndjson"
    os.mkfifo(pipe)
    lines = "\n".join(map(json.dumps, [patient("a"), observation("o", "Patient/a")]))
    with subprocess.Popen(["tee", pipe], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as writer:
        assert writer.stdin is not None
        writer.stdin.write(lines.encode())
        writer.stdin.close()
        sealing = seal_chart(pipe, key.issuing(), wallet.sealing_address().data)
    assert names(sealing.records) == ["Observation/o", "Patient/a"]


_RUN = """
import sys
from pathlib import Path
from chartseal.keys import IssuerKey
from chartseal.sealing import PatientMap, Source, seal_run
key = IssuerKey.load(Path(sys.argv[1]), "p")
seal_run(Source(Path(sys.argv[2])), key.issuing(), PatientMap.read(Path(sys.argv[3])), Path(sys.argv[4]))
"""


@pytest.mark.long
def test_kills_leave_whole_batches_and_the_run_goes_on(key: IssuerKey, tmp_path: Path, drill_scale: float) -> None:
    """SIGKILL at random moments; then every resource is sealed once, no file is torn, no refusal lost or doubled."""
    wallet = Wallet.generate()
    key.save(tmp_path / "key.json", "p")
    (tmp_path / "map.csv").write_text(f"a,{wallet.sealing_address()}\n")
    lines = [patient("a")] + [
        observation(str(at), "Patient/b" if at % 500 == 0 else "Patient/a") for at in range(12_000)
    ]
    (tmp_path / "export.ndjson").write_text("\n".join(map(json.dumps, lines)))
    arguments = [str(tmp_path / name) for name in ("key.json", "export.ndjson", "map.csv", "sealed")]
    command = [sys.executable, "-c", _RUN, *arguments]
    generator, kills = random.Random(7), 0
    for _ in range(max(3, round(50 * drill_scale))):
        with subprocess.Popen(command) as process:
            time.sleep(generator.uniform(0.8, 3.0))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
            else:
                assert process.returncode == 0
    subprocess.run(command, check=True)
    records = list(read_records([tmp_path / "sealed"]))
    refused = [json.loads(line) for line in (tmp_path / "sealed/rejects.ndjson").read_text().splitlines()]
    sealed = names(records)
    print(f"\nkills: {kills}; sealed {len(sealed)}, refused {len(refused)} of {len(lines)}")
    assert kills > 0
    assert len(sealed) == len(set(sealed)) == len(lines) - 24
    assert sorted(each["position"] for each in refused) == [at + 2 for at in range(0, 12_000, 500)]
    for record in records[::997]:
        record.check()


@pytest.mark.parametrize("packed", [False, True])
def test_lines_without_a_name_are_told_from_a_document(packed: bool, key: IssuerKey, wallet: Wallet) -> None:
    lines = b"\n".join(json.dumps(each).encode() for each in [patient("a"), observation("o", "Patient/a")])
    chart = json.dumps(json.loads(collection([patient("a"), observation("o", "Patient/a")])), indent=1).encode()
    for text in (lines, chart, json.dumps(patient("a")).encode() + b"\n"):
        given = gzip.compress(text) if packed else text
        sealing = seal_chart(given, key.issuing(), wallet.sealing_address().data)
        assert not sealing.refused
        assert names(sealing.records)[-1] == "Patient/a"


def test_what_no_reader_takes_is_told_before_whose_it_is(key: IssuerKey, tmp_path: Path) -> None:
    addresses = {name: Wallet.generate().sealing_address().data for name in "ab"}
    shared = {**practitioner("p"), "active": "yes"}
    resources: list[dict[str, Any]] = [
        {"resourceType": "Nothing", "id": "n"},
        {"resourceType": "Organization", "id": "o", "unknown": 1},
        shared,
        patient("a"),
        observation("1", "Patient/a", "Practitioner/p"),
        observation("2", "Patient/b", "Practitioner/p"),
    ]
    sealing = seal_chart(collection(resources), key.issuing(), PatientMap(addresses))
    assert [(place, error.code) for place, error in sealing.refused] == [
        ("Bundle.entry[0]", "resource_type_unknown"),
        ("Bundle.entry[1]", "element_unknown"),
        ("Bundle.entry[2]", "json_type"),
    ]
