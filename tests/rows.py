"""Table A turned into records: for each of its rows, fields that lie in its slot and one that lies beside it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

from chartseal import _core
from chartseal.record import Field

CONTAINED = "contained resource"
_SLOTS = "chartseal.slots."
_HOST = "Observation"
_DEEPEST = 5
_NEAR = 1
_INTEGERS = {"integer", "positiveInt", "unsignedInt"}
_HASH_OF_HELLO = bytes.fromhex("185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969")


class Row(NamedTuple):
    """A row of slots.tsv."""

    container: str
    slot: str
    travels: bool


class Element(NamedTuple):
    """An element of a type; `key` is its JSON key, `base` its name without the choice's type."""

    base: str
    key: str
    target: str
    is_list: bool


class Sample(NamedTuple):
    """A record in which `inside` lies in the row's slot and `beside` elsewhere in the same container."""

    resource_type: str
    fields: list[Field]
    inside: list[str]
    beside: str


def _lines(package: str, name: str) -> list[list[str]]:
    text = resources.files(package).joinpath(name).read_text()
    return [line.split("\t") for line in text.splitlines()[1:]]


@lru_cache(maxsize=1)
def rows() -> list[Row]:
    return [
        Row(container, slot, kind == "travel") for container, slot, kind, _ in _lines("chartseal.record", "slots.tsv")
    ]


@lru_cache(maxsize=1)
def elements() -> dict[str, list[Element]]:
    found: dict[str, list[Element]] = {}
    for _, owner, name, _, most, targets, *_ in _lines("chartseal.fhir", "r4_elements.tsv"):
        base = name.removesuffix("[x]")
        for target in targets.split("|"):
            key = base + target[0].upper() + target[1:] if base != name else base
            found.setdefault(owner, []).append(Element(base, key, target, most != "1"))
    return found


@lru_cache(maxsize=1)
def resource_types() -> list[str]:
    return [
        owner
        for kind, owner, name, *_ in _lines("chartseal.fhir", "r4_elements.tsv")
        if kind == "resource" and name == "id"
    ]


def _is_primitive(target: str) -> bool:
    return target[:1].islower()


def _step(path: str, element: Element) -> str:
    return f"{path}.{element.key}[0]" if element.is_list else f"{path}.{element.key}"


def _primitive(name: str, target: str) -> list[Field]:
    if target == "boolean":
        return [Field(name, "bool", True)]
    if target in _INTEGERS:
        return [Field(name, "int256", 1)]
    if target == "base64Binary":
        size, text = Field(f"{name}.size", "uint256", 5), Field(f"{name}.text", "string", "SGVsbG8=")
        return [Field(name, "bytes32", _HASH_OF_HELLO), size, text]
    return [Field(name, "string", "1")]


def _leaf(path: str, element: Element, depth: int = 0) -> list[Field]:
    """The fields of the nearest primitive at or beneath an element; none where there is no near one."""
    name = _step(path, element)
    if _is_primitive(element.target):
        return _primitive(name, element.target)
    others = ("id", "extension", "modifierExtension")
    children = [child for child in elements().get(element.target, []) if child.base not in others]
    for child in sorted(children, key=lambda child: not _is_primitive(child.target)):
        found = _leaf(name, child, depth + 1) if depth < _DEEPEST and child.target != "Resource" else []
        if found:
            return found
    return []


def _hosts(container: str) -> Iterator[tuple[str, str, list[Field]]]:
    """(resource type, path, fields that must be there) of places where a container of that kind may begin."""
    if container in resource_types():
        yield container, container, []
    elif container == CONTAINED:
        path = f"{_HOST}.contained[0]"
        named = [Field(f"{path}.id", "string", "c"), Field(f"{path}.resourceType", "string", "Medication")]
        yield _HOST, path, named
    elif "." in container:
        resource_type, *parts = container.split(".")
        owner, path = resource_type, resource_type
        for part in parts:
            element = next(each for each in elements()[owner] if each.key == part)
            owner, path = element.target, _step(path, element)
        yield resource_type, path, []
    else:
        for resource_type in resource_types():
            yield from ((resource_type, path, []) for path in _paths(resource_type, container))


def _paths(resource_type: str, target: str) -> Iterator[str]:
    waiting = deque([(resource_type, resource_type, 0)])
    while waiting:
        owner, path, depth = waiting.popleft()
        for element in elements().get(owner, []):
            if element.base in ("contained", "meta", "modifierExtension"):
                continue
            if element.target == target:
                yield _step(path, element)
            elif depth < _NEAR and not _is_primitive(element.target):
                waiting.append((element.target, _step(path, element), depth + 1))


def _type_of(row: Row) -> str:
    return "Medication" if row.container == CONTAINED else row.container


def _in_slot(row: Row, path: str) -> list[Field]:
    """Fields in the slot: for the whole datatype the second element that has one, else the slot's first."""
    if row.slot == "*":
        found = [fields for fields in (_leaf(path, each) for each in _plain(_type_of(row))) if fields]
        return found[1] if len(found) > 1 else []
    if row.container == CONTAINED and row.slot == "resourceType":
        return [Field(f"{path}.resourceType", "string", "Medication")]
    if row.slot == "contained":
        inner = f"{path}.contained[0]"
        return [Field(f"{inner}.id", "string", "c"), Field(f"{inner}.resourceType", "string", "Medication")]
    owner, at = _type_of(row), path
    *above, last = row.slot.split(".")
    for name in above:
        element = next(each for each in elements()[owner] if each.base == name)
        owner, at = element.target, _step(at, element)
    candidates = (each for each in elements()[owner] if each.base == last)
    return next((fields for fields in (_leaf(at, each) for each in candidates) if fields), [])


def _plain(owner: str) -> list[Element]:
    others = {"id", "extension", "contained", "meta", *(["text"] if owner in resource_types() else [])}
    return [each for each in elements()[owner] if each.base not in others]


def _beside(row: Row, path: str) -> list[list[Field]]:
    """Fields in the container and in none of its travelling slots; for a whole one, in its first element."""
    owner = _type_of(row)
    if row.slot == "*":
        found = [fields for fields in (_leaf(path, each) for each in _plain(owner)) if fields]
        return found[:1]
    travelling = {each.slot.split(".")[0] for each in rows() if each.container == row.container and each.travels}
    others = travelling | {row.slot.split(".")[0], "contained", "meta", "extension"}
    own = [each for each in elements()[owner] if each.base not in others]
    return [fields for fields in (_leaf(path, each) for each in own) if fields]


@lru_cache(maxsize=1_000)
def _host(container: str) -> tuple[str, str, list[Field]] | None:
    """The first place where a container of that kind begins: beneath a travelling slot none does."""
    for resource_type, path, named in _hosts(container):
        owner = "Medication" if container == CONTAINED else container
        leaf = next(fields for fields in (_leaf(path, each) for each in _plain(owner)) if fields)
        containers = {name for name, _, _ in _core.compute_slots(resource_type, [*named, *leaf])}
        if _SLOTS + path in containers:
            return resource_type, path, named
    return None


def sample(row: Row) -> Sample | None:
    """A record for the row, or None where no record can have it."""
    host = _host(row.container)
    if host is None:
        return None
    resource_type, path, named = host
    inside, beside = _in_slot(row, path), _beside(row, path)
    if not inside or not beside:
        return None
    fields = list({each.name: each for each in [*named, *beside[0], *inside]}.values())
    return Sample(resource_type, fields, [each.name for each in inside], beside[0][0].name)
