"""Sets of codes from files: one code a line, or the expansion of a FHIR ValueSet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from chartseal import _json
from chartseal.errors import PredicatePolicyError
from chartseal.predicates.sets import LONGEST_CODE, LONGEST_SYSTEM, MOST_MEMBERS, CodeSet, is_plain
from chartseal.predicates.systems import by_alias

LARGEST_SET_FILE = 16 << 20
"""Bytes: a ValueSet carries designations in many languages beside its codes."""
_TOO_MANY = 20 * MOST_MEMBERS
_UNCLOSED = {
    "http://hl7.org/fhir/StructureDefinition/valueset-unclosed",
    "http://hl7.org/fhir/StructureDefinition/valueset-toocostly",
}
"""Extensions of an expansion that does not hold all its codes. Source: hl7.org/fhir/R4/valueset-profiles.html."""


def read_set(data: bytes) -> CodeSet:
    """The set of a file: JSON is a ValueSet with an expansion, anything else a list.

    A list is UTF-8 with one code a line; what follows `#` at the beginning of a line, and empty lines, are left out; a
    line `system: URI` (or an alias) may come first, else the policy names the system. Of a ValueSet, nested entries
    are read, abstract ones (which nobody can record) left out, inactive ones kept (older records have them).

    Raises:
        PredicatePolicyError: `policy_set_file`, `policy_set_incomplete`, `policy_set_system`, `policy_set_size`,
            `policy_set_twice`.
    """
    if len(data) > LARGEST_SET_FILE:
        _refuse(f"a set's file has at most {LARGEST_SET_FILE} bytes", "policy_set_file")
    found = _read_value_set(data) if data.lstrip()[:1] == b"{" else _read_list(data)
    if not 1 <= len(found.codes) <= MOST_MEMBERS:
        _refuse(f"a set has 1 to {MOST_MEMBERS} codes", "policy_set_size")
    return found


def _refuse(detail: str, code: str) -> NoReturn:
    raise PredicatePolicyError(detail, code)


def _read_list(data: bytes) -> CodeSet:
    try:
        lines = [line.strip() for line in data.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError as exc:
        raise PredicatePolicyError("a list of codes is UTF-8", "policy_set_file") from exc
    lines = [line for line in lines if line and not line.startswith("#")]
    system = ""
    if lines and lines[0].startswith("system:"):
        system = _system(lines.pop(0).removeprefix("system:").strip())
    codes = tuple(_code(line) for line in lines)
    if len(set(codes)) != len(codes):
        _refuse("a code stands twice in the list", "policy_set_twice")
    return CodeSet(system, codes)


def _read_value_set(data: bytes) -> CodeSet:
    try:
        value_set = _json.loads(data)
    except ValueError as exc:
        raise PredicatePolicyError("the file is not JSON", "policy_set_file") from exc
    if not isinstance(value_set, dict) or value_set.get("resourceType") != "ValueSet":
        _refuse("JSON, but no ValueSet", "policy_set_file")
    expansion = value_set.get("expansion")
    if not isinstance(expansion, dict):
        _refuse("the ValueSet has no expansion: let a terminology server expand it", "policy_set_file")
    entries = list(_entries(expansion, 0))
    _check_complete(expansion, len(entries))
    pairs = dict.fromkeys(_pair(entry) for entry in entries if not _is_abstract(entry))
    systems = {system for system, _ in pairs}
    if len(systems) > 1:
        _refuse("the ValueSet has codes of several systems, a set has one", "policy_set_system")
    return CodeSet(_system("".join(systems)) if systems else "", tuple(code for _, code in pairs))


def _entries(parent: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """All entries of `contains`, nested ones after the one that holds them."""
    waiting = [iter(_contained(parent))]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            continue
        if not isinstance(entry, dict):
            _refuse("an entry of the expansion is no object", "policy_set_file")
        count += 1
        if count > _TOO_MANY:
            _refuse(f"the expansion has more than {_TOO_MANY} entries", "policy_set_size")
        yield entry
        waiting.append(iter(_contained(entry)))


def _contained(parent: dict[str, Any]) -> list[Any]:
    found = parent.get("contains", [])
    if not isinstance(found, list):
        _refuse("`contains` is no list", "policy_set_file")
    return found


def _check_complete(expansion: dict[str, Any], count: int) -> None:
    """A page of an expansion would silently deny too little, or affirm too little."""
    total, offset = expansion.get("total"), expansion.get("offset", 0)
    extensions = expansion.get("extension", [])
    urls = {each.get("url") for each in extensions if isinstance(each, dict)} if isinstance(extensions, list) else set()
    if total is not None and type(total) is not int:
        _refuse("`total` is no whole number", "policy_set_file")
    if offset != 0 or count < (total or 0) or urls & _UNCLOSED:
        _refuse("the expansion does not hold all its codes: expand it whole", "policy_set_incomplete")


def _is_abstract(entry: dict[str, Any]) -> bool:
    abstract = entry.get("abstract", False)
    if not isinstance(abstract, bool):
        _refuse("`abstract` is neither true nor false", "policy_set_file")
    return abstract


def _pair(entry: dict[str, Any]) -> tuple[str, str]:
    system, code = entry.get("system"), entry.get("code")
    if not isinstance(system, str) or not isinstance(code, str):
        _refuse("an entry of the expansion that is not abstract has no system or no code", "policy_set_file")
    return system, _code(code)


def _code(text: str) -> str:
    if not is_plain(text, LONGEST_CODE):
        _refuse(f"a code has 1 to {LONGEST_CODE} visible characters", "policy_set_file")
    return text


def _system(text: str) -> str:
    row = by_alias().get(text)
    if row is not None:
        return row.uri
    if not is_plain(text, LONGEST_SYSTEM):
        _refuse(f"a system has 1 to {LONGEST_SYSTEM} visible characters", "policy_set_file")
    return text
