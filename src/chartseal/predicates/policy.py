"""A policy: a question about one sealed record, compiled to one to four slots, and its file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chartseal import _json
from chartseal.attestation.hexes import to_hex
from chartseal.errors import PredicatePolicyError
from chartseal.predicates import grammar, printing
from chartseal.predicates.checks import Compiled, check
from chartseal.predicates.compiling import slots_of
from chartseal.predicates.sets import CodeSet
from chartseal.predicates.slots import OPERATIONS, Slot, policy_hash
from chartseal.predicates.subjects import subjects
from chartseal.predicates.words import Speaker, policy_words

FORMAT = "chartseal/1"
KIND = "policy"
LARGEST_POLICY = 1 << 20
"""Bytes of a policy's file."""
_MEMBERS = {"format", "kind", "name", "version", "text", "slots", "sets", "hash"}
_NAME = re.compile(r"[^\s].{0,126}[^\s]|[^\s]|")
_LAST_VERSION = (1 << 31) - 1


@dataclass(frozen=True)
class Policy:
    """One to four slots; name and version are for people and are not hashed."""

    slots: tuple[Slot, ...]
    name: str = ""
    version: int = 1
    text: str = field(default="", compare=False)
    """The canonical text."""

    @cached_property
    def hash(self) -> bytes:
        """What verifiers and contracts know, 32 bytes."""
        return policy_hash(self.slots)

    @property
    def circuit_size(self) -> int:
        """K of the circuits that prove it: 1 for one slot, else 4."""
        return 1 if len(self.slots) == 1 else 4

    def words(self, speaker: Speaker = "holder") -> str:
        """The policy in plain English, said to the holder ("your …") or to the verifier ("the holder's …")."""
        return policy_words(self.slots, speaker)

    def to_json(self) -> bytes:
        """The policy's file, as people read it.

        Raises:
            PredicatePolicyError: `policy_too_long`: its sets and its text do not fit.
        """
        data = json.dumps(_members(self), ensure_ascii=False, indent=1).encode() + b"\n"
        if len(data) > LARGEST_POLICY:
            raise PredicatePolicyError(f"the file would have more than {LARGEST_POLICY} bytes", "policy_too_long")
        return data

    @classmethod
    def from_json(cls, data: bytes | str) -> Policy:
        """Read a policy's file: compile its text, and refuse whatever differs from what that gives.

        Raises:
            PredicatePolicyError: `policy_too_long`, `policy_file`, `policy_file_differs`, or the text does not compile.
        """
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        if len(raw) > LARGEST_POLICY:
            raise PredicatePolicyError(f"the file has more than {LARGEST_POLICY} bytes", "policy_too_long")
        try:
            found = _json.loads(raw)
        except (ValueError, RecursionError) as exc:
            raise PredicatePolicyError("not JSON", "policy_file") from exc
        return _from_members(found)


def _members(policy: Policy) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "kind": KIND,
        "name": policy.name,
        "version": policy.version,
        "text": policy.text,
        "slots": [_slot_members(slot) for slot in policy.slots],
        "sets": [
            {"root": to_hex(slot.set_root), "system": slot.claim.unit, "codes": list(slot.codes)}
            for slot in policy.slots
            if slot.members
        ],
        "hash": to_hex(policy.hash),
    }


def _slot_members(slot: Slot) -> dict[str, Any]:
    claim = slot.claim
    return {
        "op": OPERATIONS[slot.op],
        "key": to_hex(slot.key),
        "lo": str(slot.lo),
        "hi": str(slot.hi),
        "setRoot": to_hex(slot.set_root),
        "claim": {
            "path": claim.path,
            "sense": claim.sense,
            "qualifierSystem": claim.qualifier_system,
            "qualifierCode": claim.qualifier_code,
            "kind": claim.kind,
            "unit": claim.unit,
            "scale": claim.scale,
        },
    }


def _from_members(found: Any) -> Policy:
    if not isinstance(found, dict) or found.keys() != _MEMBERS:
        raise PredicatePolicyError("expected an object with the members of a policy", "policy_file")
    if (found["format"], found["kind"]) != (FORMAT, KIND):
        raise PredicatePolicyError(f"not a {KIND} of {FORMAT}", "policy_file")
    text, name, version = found["text"], found["name"], found["version"]
    if not isinstance(text, str) or not isinstance(name, str) or type(version) is not int:
        raise PredicatePolicyError("name and text are texts, the version a number", "policy_file")
    policy = compile_policy(text, name=name, version=version)
    expected = _members(policy)
    for member in ("text", "slots", "sets", "hash"):
        if not _is_same(found[member], expected[member]):
            raise PredicatePolicyError("not what the text compiles to", "policy_file_differs", member)
    return policy


def _is_same(found: Any, expected: Any) -> bool:
    """Equality of JSON values: Python's own holds 1, 1.0 and true for equal."""
    return json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)


def compile_policy(text: str, *, name: str = "", version: int = 1, sets: Mapping[str, CodeSet] | None = None) -> Policy:
    """Compile a policy's text; `sets` are what it names by `@name`.

    Raises:
        PredicatePolicyError: with a stable code, the place in the text and an excerpt of it.
        MissingExtraError: the text converts units, and the extra `ucum` is not installed.
    """
    if not (_NAME.fullmatch(name) and name.isprintable()):
        raise PredicatePolicyError("a name has at most 128 visible characters", "policy_name")
    if not 1 <= version <= _LAST_VERSION:
        raise PredicatePolicyError(f"a version is 1 to {_LAST_VERSION}", "policy_version")
    try:
        slots = _slots(text, sets or {})
    except PredicatePolicyError as exc:
        exc.excerpt = grammar.excerpt(text, exc.path)
        raise
    canonical = printing.text_of(slots)
    if len(canonical) > grammar.LONGEST_TEXT:
        raise PredicatePolicyError("the canonical text is too long", "policy_too_long")
    return Policy(tuple(slots), name, version, canonical)


def _slots(text: str, sets: Mapping[str, CodeSet]) -> Sequence[Slot]:
    predicates = grammar.parse(text)
    compiled = []
    for subject, predicate in zip(subjects(predicates), predicates, strict=True):
        slots = slots_of(subject, predicate, sets)
        compiled += [Compiled(slot, subject, predicate.place) for slot in slots]
    check(compiled)
    return [each.slot for each in compiled]
