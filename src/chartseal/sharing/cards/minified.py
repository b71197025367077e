"""A Bundle as a card carries it in a QR code: nothing that only people read, references as short as they can be.

What a card may not carry for its size must not change what it says. So a Bundle is refused, not cut, where that would
happen: an element coded by words alone, a resource that says it is a part of another, a reference that leads nowhere.
Source: spec.smarthealth.cards, "Health Cards are Compact".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chartseal import _json
from chartseal.errors import HealthCardError

MOST_ENTRIES = 500
LARGEST_BUNDLE = 1 << 20
"""Bytes."""

_WORDED = frozenset({"name", "address", "note", "dosage", "dosageInstruction", "annotation"})
"""Elements whose type has a `text` that is not a CodeableConcept's (HumanName, Address, Dosage, Annotation)."""
_CODING = frozenset({"system", "version", "code", "display", "userSelected", "id", "extension"})
_CONCEPT = frozenset({"coding", "text", "id", "extension"})


class _Lexeme(str):
    """A number as it was written."""

    __slots__ = ()


def read_bundle(data: bytes | str) -> dict[str, Any]:
    """A Bundle, its numbers as they were written.

    Raises:
        HealthCardError: `card_bundle_refused`: no Bundle of resources; `limit_exceeded`.
    """
    if len(data) > LARGEST_BUNDLE:
        raise HealthCardError("the Bundle is too long", "limit_exceeded")
    try:
        bundle = _json.loads(data, parse_float=_Lexeme)
    except ValueError as exc:
        raise _refused("not JSON") from exc
    entries = bundle.get("entry") if isinstance(bundle, dict) and bundle.get("resourceType") == "Bundle" else None
    if not isinstance(entries, list) or not 0 < len(entries) <= MOST_ENTRIES:
        raise _refused(f"expected a Bundle of 1 to {MOST_ENTRIES} resources")
    for at, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise _refused("an entry holds no resource", f"entry[{at}]")
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def write(value: Any) -> str:
    """JSON without a space, its numbers as they were read."""
    if isinstance(value, _Lexeme):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{write(name)}:{write(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(write(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def minified(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """The same Bundle for a QR code.

    Raises:
        HealthCardError: `card_bundle_refused`: `path` is the element that a QR code's card cannot carry.
    """
    entries = bundle["entry"]
    links = _links(entries)
    made = []
    for at, entry in enumerate(entries):
        resource, place = entry["resource"], f"entry[{at}].resource"
        made.append({"fullUrl": f"resource:{at}", "resource": _resource(resource, links, place)})
    return {"resourceType": "Bundle", "type": "collection", "entry": made}


def _links(entries: list[dict[str, Any]]) -> dict[str, str]:
    """What each reference that may be in the Bundle becomes; one that two resources answer to leads nowhere."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for at, entry in enumerate(entries):
        resource, full_url = entry["resource"], entry.get("fullUrl")
        names = {full_url} if isinstance(full_url, str) else set()
        if isinstance(resource.get("id"), str):
            names.add(f"{resource['resourceType']}/{resource['id']}")
        for name in names:
            twice |= {name} & found.keys()
            found[name] = f"resource:{at}"
    return {name: target for name, target in found.items() if name not in twice}


def _resource(resource: dict[str, Any], links: Mapping[str, str], place: str) -> dict[str, Any]:
    if "contained" in resource:
        raise _refused("a resource contains another, which needs an id", f"{place}.contained")
    kept = {name: value for name, value in resource.items() if name not in ("id", "_id", "meta", "text")}
    made: dict[str, Any] = {name: _element(value, name, links, f"{place}.{name}") for name, value in kept.items()}
    security = _security(resource.get("meta"), f"{place}.meta")
    if security:
        made["meta"] = {"security": _element(security, "security", links, f"{place}.meta.security")}
    return made


def _security(meta: Any, place: str) -> list[Any]:
    """The labels of a resource, which travel with it."""
    if meta is None:
        return []
    if not isinstance(meta, dict):
        raise _refused("not an element", place)
    tags = meta.get("tag", [])
    if not isinstance(tags, list) or any(isinstance(tag, dict) and tag.get("code") == "SUBSETTED" for tag in tags):
        raise _refused("the resource says that it is a part, which the card could not say", f"{place}.tag")
    security = meta.get("security", [])
    if not isinstance(security, list):
        raise _refused("not a list of labels", f"{place}.security")
    return security


def _element(value: Any, name: str, links: Mapping[str, str], place: str) -> Any:
    if isinstance(value, list):
        return [_element(each, name, links, f"{place}[{at}]") for at, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "resourceType" in value:
        raise _refused("a resource stands inside another", place)
    dropped = _dropped(value, name, place)
    made = {
        each: _element(inner, each, links, f"{place}.{each}") for each, inner in value.items() if each not in dropped
    }
    if isinstance(value.get("reference"), str):
        made["reference"] = _target(value["reference"], links, place)
    return made


def _dropped(value: Mapping[str, Any], name: str, place: str) -> frozenset[str]:
    """Members that people alone read: `display` of a Coding, `text` of a CodeableConcept."""
    members = {each.removeprefix("_") for each in value}  # `_text` holds what is beside `text`
    if "coding" in members and members <= _CONCEPT:
        if not value.get("coding"):
            raise _refused("an element is coded by words alone", place)
        return frozenset({"text", "_text"})
    if name == "coding" or ("display" in members and members & {"system", "code"} and members <= _CODING):
        if "code" not in value:
            raise _refused("a coding has no code", place)
        return frozenset({"display", "_display"})
    if "text" in members and members <= _CONCEPT and name not in _WORDED:
        raise _refused("an element is coded by words alone", place)
    return frozenset()


def _target(reference: str, links: Mapping[str, str], place: str) -> str:
    if reference not in links:
        raise _refused("a reference leads out of the Bundle", f"{place}.reference")
    return links[reference]


def _refused(detail: str, place: str = "") -> HealthCardError:
    return HealthCardError(detail, "card_bundle_refused", place)
