"""Our reader beside the HAPI validator, on resources with one place changed.

Where one accepts what the other refuses, a row of `EXPLAINED` says who is right and why, or the test fails. HAPI's
errors count whatever they are about; ours is the one that reading stopped at.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from mutations import Mutant, mutate

from chartseal import _core
from chartseal.errors import FhirError

FOLDER = Path(__file__).parent
COUNT = 2_000
LARGEST = 20_000
"""Bytes of a resource that is mutated: larger ones are slow to judge and hold nothing else."""

Verdict: TypeAlias = tuple[Mutant, str, list[dict[str, str]]]
"""A resource, our code, HAPI's errors."""

pytestmark = [pytest.mark.hapi, pytest.mark.timeout(1_800)]


@dataclass(frozen=True)
class Rule:
    """A disagreement that is understood. Exactly one of `ours` and `theirs` is given, a pattern of our code where we
    refuse alone, or of HAPI's message id where it does."""

    who: str
    why: str
    ours: str = ""
    theirs: str = ""
    text: str = ""
    """Pattern that HAPI's message must have besides."""


BEYOND = "sealing checks required bindings of modifier elements alone; others are left to the optional validation"
OPAQUE = "R4's uri and string are opaque text (datatypes.html#uri): what does not resolve stays text and is reported so"
INVARIANT = "an invariant that does not change what a field means is left to the optional validation"

EXPLAINED = [
    # HAPI refuses, we accept.
    Rule("both", BEYOND, theirs="Terminology_.*"),
    Rule("both", OPAQUE, theirs="REFERENCE_REF_INVALID_REF|Reference_REF_.*|Type_Specific_Checks_DT_(UUID|OID)_Valid"),
    Rule(
        "both",
        OPAQUE,
        theirs="Type_Specific_Checks_DT_Identifier_System|Extension_EXT_URL_Absolute|TYPE_SPECIFIC_CHECKS_CANONICAL_ABSOLUTE",
    ),
    Rule("both", INVARIANT, theirs="con-4|ppc-1|tim-[0-9]+|TYPE_SPECIFIC_CHECKS_DT_ATT_HASH_MISMATCH"),
    Rule(
        "we",
        "XHTML in FHIR may use the entities of HTML 4.0 (narrative.html#xhtml)",
        theirs="",
        text="Invalid entity in the XHTML",
    ),
    Rule(
        "both",
        r"R4's patterns have \s without saying whose: ours is ASCII's, as in XML Schema, HAPI's takes U+00A0 too",
        theirs="Type_Specific_Checks_DT_(URI|Code)_WS",
        text="\u00a0",
    ),
    # We refuse, HAPI accepts.
    Rule("we", "FHIR texts hold no control characters but tab, LF and CR (datatypes.html#string)", ours="json_control"),
    Rule(
        "we", "an object's keys are unique (json.html); HAPI overlooks a second resourceType", ours="json_duplicate_key"
    ),
    Rule("we", "an array is never empty (json.html)", ours="list_empty"),
    Rule(
        "we", "a text of spaces fits no pattern but string's (datatypes.html)", ours="(code|uri|datetime|date)_invalid"
    ),
    Rule("we", "characters that hide or turn text are refused where it is a code, uri or id", ours="format_character"),
    Rule("we", "R4 sets no bound; ours is exponents within 400 and 64 characters", ours="decimal_limit"),
    Rule("we", "base64 has one form (RFC 4648 section 3.5), whitespace only between groups", ours="base64_invalid"),
    Rule("we", "loading a picture tells its server who reads the record", ours="narrative_load"),
    Rule("we", "Extension.url is an XML attribute: it has neither id nor extensions", ours="element_unknown"),
]


def judge(texts: list[str]) -> list[list[dict[str, str]]]:
    """HAPI's errors of each resource."""
    classpath = FOLDER / "target" / "classpath"
    if not classpath.is_file():
        pytest.fail("the validator is not built: run `make conformance`")
    command = ["java", "-cp", f"target/classes:{classpath.read_text()}", "Judge"]
    run = subprocess.run(
        command, cwd=FOLDER, input="".join(f"{text}\n" for text in texts), capture_output=True, text=True
    )
    answers = [json.loads(line)["errors"] for line in run.stdout.splitlines()]
    assert len(answers) == len(texts), run.stderr[-2_000:]
    return answers


def our_code(text: str) -> str:
    """The code of our refusal, or nothing."""
    try:
        _core.read_resource(text.encode())
    except FhirError as refused:
        return refused.code
    return ""


@pytest.fixture(scope="module")
def pack(shared: Path) -> list[Mutant]:
    """Resources as they are: all of HL7's examples, some of each file of the synthetic exports."""
    chance, chosen = random.Random(1), []
    for file in sorted((shared / "data" / "fhir-pack").glob("*/*.ndjson.gz")):
        lines = [line for line in gzip.decompress(file.read_bytes()).splitlines() if 0 < len(line) < LARGEST]
        chosen += lines if len(lines) < 200 else chance.sample(lines, 10)
    named = [(json.loads(line).get("resourceType", ""), line.decode()) for line in chosen]
    return [Mutant("nothing", name, text) for name, text in named if name not in {"", "Bundle"}]


@pytest.fixture(scope="module")
def verdicts(pack: list[Mutant]) -> list[Verdict]:
    return judged(pack)


def judged(mutants: list[Mutant]) -> list[Verdict]:
    texts = [mutant.text for mutant in mutants]
    return list(zip(mutants, map(our_code, texts), judge(texts), strict=True))


def unexplained(mutant: Mutant, ours: str, theirs: list[dict[str, str]]) -> str:
    """What no rule covers, or nothing."""
    if bool(ours) == bool(theirs):
        return ""
    if ours:
        known = any(rule.ours and re.fullmatch(rule.ours, ours) for rule in EXPLAINED)
        return "" if known else f"only we refuse {mutant.kind} at {mutant.path}: {ours}"
    for error in theirs:
        name = error["id"].rsplit("#", 1)[-1]
        rules = [rule for rule in EXPLAINED if not rule.ours and re.fullmatch(rule.theirs, name)]
        if not any(re.search(rule.text, error["text"]) for rule in rules):
            return f"only HAPI refuses {mutant.kind} at {mutant.path}: {name} {error['text'][:80]}"
    return ""


def require_explained(verdicts: list[Verdict]) -> Counter[tuple[bool, bool]]:
    """How often (we, HAPI) refuse, after checking that every disagreement is understood."""
    counts = Counter((bool(ours), bool(theirs)) for _, ours, theirs in verdicts)
    print(
        {f"we {'refuse' if a else 'accept'}, HAPI {'refuses' if b else 'accepts'}": n for (a, b), n in counts.items()}
    )
    found = [report for verdict in verdicts if (report := unexplained(*verdict))]
    assert not found, f"{len(found)} disagreements:\n" + "\n".join(found)
    return counts


def test_resources_as_they_are(verdicts: list[Verdict]) -> None:
    counts = require_explained(verdicts)
    assert counts[False, False] > len(verdicts) * 0.9


def test_single_mutations(verdicts: list[Verdict]) -> None:
    sound = [mutant.text.encode() for mutant, ours, theirs in verdicts if not ours and not theirs]
    chance = random.Random(2026)
    counts = require_explained(judged([mutate(chance, chance.choice(sound)) for _ in range(COUNT)]))
    assert counts[True, True] > COUNT / 2
    assert counts[False, False] > 0
