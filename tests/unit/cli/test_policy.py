"""`chartseal policy`, and `chartseal show --claims`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chartseal.cli import cli
from chartseal.errors import DisclosureFormError, PredicatePolicyError
from chartseal.predicates import Policy, compile_policy
from tests.charts import sealed, texts

A1C = "Observation[http://loinc.org|4548-4].value < 7.0 % and effective >= 2026-05-01"
COVID = "Immunization.vaccineCode in {} and occurrence >= 2026-05-01"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["policy", *arguments], input=given)


def test_compile_show_check(folder: Path) -> None:
    made = run("compile", A1C, "-o", "a1c.json", "--name", "HbA1c under 7 %", "--version", "2")
    assert made.exit_code == 0
    assert "the holder's HbA1c (LOINC 4548-4) is under 7 %" in made.output
    policy = Policy.from_json((folder / "a1c.json").read_bytes())
    assert (policy, policy.hash) == (compile_policy(A1C, name="HbA1c under 7 %", version=2), compile_policy(A1C).hash)
    shown = run("show", "a1c.json").output
    assert policy.hash.hex() in shown
    assert policy.text in shown
    assert policy.hash.hex() in run("check", "a1c.json").output
    described = json.loads(run("show", "a1c.json", "--json").output)
    assert described["words"] == policy.words()
    assert described["slots"][0]["claim"]["kind"] == "quantity-hi"
    assert json.loads(run("check", "a1c.json", "--json").output)["circuitSize"] == 4


def test_text_comes_from_a_file_or_standard_input_too(folder: Path) -> None:
    (folder / "a1c.policy").write_text(f"# HbA1c\n{A1C}\n")
    written = [run("compile", "a1c.policy").output, run("compile", "-", given=A1C).output, run("compile", A1C).output]
    assert {Policy.from_json(text).hash for text in written} == {compile_policy(A1C).hash}
    assert json.loads(run("compile", A1C, "-o", "a.json", "--json").output)["text"] == compile_policy(A1C).text


def test_sets_come_from_files(folder: Path) -> None:
    (folder / "covid.txt").write_text("207\n208\n")
    entries = [{"system": "http://hl7.org/fhir/sid/cvx", "code": code} for code in ("207", "208")]
    (folder / "covid.json").write_text(json.dumps({"resourceType": "ValueSet", "expansion": {"contains": entries}}))
    expected = compile_policy(COVID.format("cvx{207, 208}"))
    for text, options in [
        (COVID.format("cvx@covid.txt"), []),
        (COVID.format("@covid.json"), []),
        (COVID.format("@covid"), ["--set", "covid=covid.json"]),
        (COVID.format("cvx@covid"), ["--set", f"covid={folder / 'covid.txt'}"]),
    ]:
        assert Policy.from_json(run("compile", text, *options).output) == expected


def test_a_text_reads_no_file_outside_of_the_folder(folder: Path) -> None:
    (folder / "inside").mkdir()
    (folder / "secret.txt").write_text("207\n")
    for name in (f"cvx@{folder / 'secret.txt'}", "cvx@inside/../secret.txt"):
        error = run("compile", COVID.format(name)).exception
        assert isinstance(error, PredicatePolicyError)
        assert error.code == "policy_set_unknown"


def test_refusals_show_the_place(folder: Path) -> None:
    refused = run("compile", "Observation[loinc|4548-4].value < 7 %")
    assert isinstance(refused.exception, PredicatePolicyError)
    assert refused.exception.code == "policy_time_missing"
    assert refused.output == "Observation[loinc|4548-4].value < 7 %\n^\n"
    assert run("compile", A1C, "--set", "x").exit_code == 2
    assert isinstance(run("show", "missing.json").exception, DisclosureFormError)
    (folder / "other.json").write_text("{}")
    assert isinstance(run("check", "other.json").exception, PredicatePolicyError)
    (folder / "long.json").write_bytes(b" " * ((1 << 20) + 1))
    assert isinstance(run("check", "long.json").exception, PredicatePolicyError)
    assert isinstance(run("compile", "x" * 5_000).exception, PredicatePolicyError)


def test_show_claims(folder: Path) -> None:
    fields = texts(
        {
            "Condition.clinicalStatus.coding[0].system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
            "Condition.clinicalStatus.coding[0].code": "active",
            "Condition.verificationStatus.coding[0].system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
            "Condition.verificationStatus.coding[0].code": "confirmed",
            "Condition.code.coding[0].system": "http://hl7.org/fhir/sid/icd-10-cm",
            "Condition.code.coding[0].code": "C50.911",
            "Condition.subject.reference": "Patient/p",
        }
    )
    (folder / "sealed.ndjson").write_bytes(sealed("Condition", fields).to_json() + b"\n")
    shown = " ".join(CliRunner().invoke(cli, ["show", "sealed.ndjson", "--claims"]).output.split())
    assert "that the record is yours" in shown
    assert "C50" not in shown
    record = json.loads(CliRunner().invoke(cli, ["show", "sealed.ndjson", "--claims", "--json"]).output)
    assert {claim["kind"] for claim in record["claims"]} == {"holder", "code", "packed", "sole-code", "sole-packed"}
    packed = next(claim for claim in record["claims"] if claim["kind"] == "packed")
    assert packed["policy"] == "Condition.code in icd10cm:…*"
    assert compile_policy(packed["policy"].replace("…", "C50")).slots[0].key.hex() == packed["key"][2:]


def test_a_disclosure_holds_no_claims(folder: Path) -> None:
    (folder / "shown.json").write_text("{}")
    assert CliRunner().invoke(cli, ["show", "shown.json", "--claims"]).exit_code == 2
