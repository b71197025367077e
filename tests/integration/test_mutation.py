"""Random single changes of valid disclosures: none is accepted with another result than the original's."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.disclosure import select
from chartseal.errors import VerificationError
from chartseal.record import Field
from chartseal.sealing import SealedRecord
from chartseal.verification import TrustedIssuer, TrustPolicy, VerifiedDisclosure, verify
from tests.charts import (
    AUDIENCE,
    DOMAIN,
    EXPIRES_AT,
    ISSUER,
    NOW,
    chart,
    sealed,
    shown,
    vector_record,
)

POLICY = TrustPolicy(issuers=(TrustedIssuer(ISSUER, "Example hospital"),), domains=frozenset({DOMAIN}))
MUTATIONS = 100_000


@dataclass(frozen=True)
class Given:
    """What a verifier gets and knows."""

    text: bytes
    audience: str
    nonce: bytes
    now: datetime = NOW

    def verify(self) -> VerifiedDisclosure:
        return verify(self.text, POLICY, audience=self.audience, nonce=self.nonce, now=self.now)


Mutator = Callable[[random.Random, Given, list[Given]], Given]


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    for key, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
        yield data, key
        if isinstance(value, dict | list):
            yield from places(value)


def structural(change: Callable[[random.Random, Any, list[tuple[Any, Any]]], None]) -> Mutator:
    def mutate(chooser: random.Random, given: Given, others: list[Given]) -> Given:
        data = json.loads(given.text)
        change(chooser, data, list(places(data)))
        return replace(given, text=json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())

    return mutate


def drop(chooser: random.Random, data: Any, found: list[tuple[Any, Any]]) -> None:
    container, key = chooser.choice(found)
    del container[key]


def double(chooser: random.Random, data: Any, found: list[tuple[Any, Any]]) -> None:
    container, key = chooser.choice([place for place in found if isinstance(place[0], list)])
    container.insert(chooser.randrange(len(container) + 1), container[key])


def swap(chooser: random.Random, data: Any, found: list[tuple[Any, Any]]) -> None:
    container, key = chooser.choice(found)
    other, at = chooser.choice([place for place in found if type(place[0][place[1]]) is type(container[key])])
    container[key], other[at] = other[at], container[key]


def copy_over(chooser: random.Random, data: Any, found: list[tuple[Any, Any]]) -> None:
    (container, key), (other, at) = chooser.sample(found, 2)
    container[key] = json.loads(json.dumps(other[at]))


def rename(chooser: random.Random, data: Any, found: list[tuple[Any, Any]]) -> None:
    container, key = chooser.choice([place for place in found if isinstance(place[0], dict)])
    container[key + chooser.choice(["x", " ", "\u200b"])] = container.pop(key)


def retype(chooser: random.Random, data: Any, found: list[tuple[Any, Any]]) -> None:
    container, key = chooser.choice(found)
    value = container[key]
    choices = [None, True, [], {}, "", 0, -1, 2**64, 1.5, [value], str(value), {"": value}]
    container[key] = chooser.choice(choices)


def nudge(chooser: random.Random, data: Any, found: list[tuple[Any, Any]]) -> None:
    """One character of a text, one step of a number, the other truth."""
    container, key = chooser.choice([place for place in found if not isinstance(place[0][place[1]], dict | list)])
    value = container[key]
    if isinstance(value, bool):
        container[key] = not value
    elif isinstance(value, int):
        container[key] = value + chooser.choice([-1, 1])
    elif isinstance(value, str) and value:
        at = chooser.randrange(len(value))
        container[key] = value[:at] + chooser.choice("0123456789abcdefxyzAB =<") + value[at + 1 :]


def flip_byte(chooser: random.Random, given: Given, others: list[Given]) -> Given:
    text = bytearray(given.text)
    at = chooser.randrange(len(text))
    text[at] ^= 1 << chooser.randrange(8)
    return replace(given, text=bytes(text))


def cut_or_insert(chooser: random.Random, given: Given, others: list[Given]) -> Given:
    at, length = chooser.randrange(len(given.text)), chooser.choice([1, 1, 2, 32])
    middle = bytes(chooser.choices(given.text, k=length)) if chooser.random() < 0.5 else b""
    return replace(given, text=given.text[:at] + middle + given.text[at + (0 if middle else length) :])


def transplant(chooser: random.Random, given: Given, others: list[Given]) -> Given:
    """A part of another valid disclosure in the place of this one's: seals, leaves, signatures, subjects."""
    data, other = json.loads(given.text), json.loads(chooser.choice(others).text)
    part = chooser.choice(["seal", "multiproof", "signature", "detached", "record", "nonce", "expiry", "audience"])
    record, foreign = chooser.choice(data["records"]), chooser.choice(other["records"])
    if part == "record":
        data["records"][chooser.randrange(len(data["records"]))] = foreign
    elif part in ("nonce", "expiry", "audience"):
        data[part] = other[part]
    elif part in foreign:
        record[part] = foreign[part]
    else:
        record.pop(part, None)
    return replace(given, text=json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())


def other_request(chooser: random.Random, given: Given, others: list[Given]) -> Given:
    """The disclosure as it was, at another verifier, for another nonce, or too late."""
    changed: list[Given] = [
        replace(given, audience=given.audience + chooser.choice(["/", ".", " "])),
        replace(given, nonce=bytes(chooser.randbytes(32))),
        replace(given, now=EXPIRES_AT + timedelta(seconds=chooser.randrange(1_000))),
        replace(given, now=NOW - timedelta(days=chooser.randrange(1, 1_000))),
    ]
    return chooser.choice(changed)


def whitespace(chooser: random.Random, given: Given, others: list[Given]) -> Given:
    text = json.dumps(json.loads(given.text), ensure_ascii=False, indent=chooser.choice([None, 1, "\t"]))
    return replace(given, text=text.encode())


def member_order(chooser: random.Random, given: Given, others: list[Given]) -> Given:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in chooser.sample(list(value), len(value))}
        return [shuffled(each) for each in value] if isinstance(value, list) else value

    return replace(given, text=json.dumps(shuffled(json.loads(given.text)), ensure_ascii=False).encode())


def hex_case(chooser: random.Random, given: Given, others: list[Given]) -> Given:
    data = json.loads(given.text)
    hexes = [(c, k) for c, k in places(data) if isinstance(c[k], str) and c[k].startswith("0x")]
    container, key = chooser.choice(hexes)
    container[key] = "0x" + container[key][2:].upper()
    return replace(given, text=json.dumps(data, ensure_ascii=False).encode())


CHANGES: dict[str, Mutator] = {
    **{each.__name__: structural(each) for each in (drop, double, swap, copy_over, rename, retype, nudge)},
    **{each.__name__: each for each in (flip_byte, cut_or_insert, transplant, other_request)},
}
NEUTRAL: dict[str, Mutator] = {each.__name__: each for each in (whitespace, member_order, hex_case)}


@pytest.fixture(scope="module")
def originals(shared: Path) -> list[Given]:
    pair = chart(shared, "Observation", "Condition", "Observation_components")
    image = {"resourceType": "Patient", "photo": [{"contentType": "image/png", "data": "SGVsbG8h" * 200}]}
    kind, fields, detached, _ = _core.read_resource(json.dumps(image).encode())
    photo = sealed(kind, [Field(*each) for each in fields], detached=detached)
    chosen: list[tuple[Sequence[SealedRecord], list[str]]] = [
        (pair, ["Observation.value", "Condition.code"]),
        ([pair[0]], ["Observation.value"]),
        ([pair[2]], ["Observation.component[1].value", "chartseal.person", "chartseal.names"]),
        ([vector_record(shared, "x2")], ["Patient.name.given[1]"]),
        ([photo], ["Patient.photo"]),
        (pair, ["Condition.code"]),
    ]
    # Each for a request of its own: two disclosures for one nonce would both be what the holder made for it.
    requests = [("https://other.example" if at == 5 else AUDIENCE, bytes([0x80 + at]) * 32) for at in range(6)]
    return [
        Given(shown(select(*what), audience=audience, nonce=nonce).to_json(), audience, nonce)
        for what, (audience, nonce) in zip(chosen, requests, strict=True)
    ]


def outcome(changed: Given, original: Given, expected: VerifiedDisclosure, name: str) -> str:
    """`refused`, `unchanged` or `same result`; anything else fails."""
    if changed == original:
        return "unchanged"
    try:
        result = changed.verify()
    except VerificationError as refusal:
        return f"refused at step {refusal.step}"
    assert result == expected, f"{name}: accepted with another result"
    assert [fact.text for fact in result.facts] == [fact.text for fact in expected.facts]
    return "same result"


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_no_change_is_accepted_with_another_result(originals: list[Given], drill_scale: float) -> None:
    chooser = random.Random(20_261_124)
    expected = [given.verify() for given in originals]
    told: dict[str, Counter[str]] = {name: Counter() for name in (*CHANGES, *NEUTRAL)}
    for number in range(int(MUTATIONS * drill_scale)):
        at = number % len(originals)
        name = chooser.choice(list(CHANGES))
        changed = CHANGES[name](chooser, originals[at], originals)
        told[name][outcome(changed, originals[at], expected[at], name)] += 1
    for number in range(int(MUTATIONS * drill_scale) // 100 + 20):
        at = number % len(originals)
        name = chooser.choice(list(NEUTRAL))
        told[name][outcome(NEUTRAL[name](chooser, originals[at], originals), originals[at], expected[at], name)] += 1
    _print(told)
    assert all(not set(told[name]) - {"same result", "unchanged"} for name in ("whitespace", "member_order"))
    assert told["other_request"].keys() <= {"refused at step 7", "refused at step 11"}
    assert sum(counts.total() - counts["same result"] - counts["unchanged"] for counts in told.values()) > 100


def _print(told: dict[str, Counter[str]]) -> None:
    total = Counter[str]()
    for name, counts in told.items():
        total += counts if name in CHANGES else Counter()
        print(f"{name:>14}: " + ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(counts.items())))
    refused = sum(count for outcome, count in total.items() if outcome.startswith("refused"))
    print(
        f"{total.total():,} changes: {refused:,} refused, {total['same result']:,} accepted with the original's result "
        f"(spelling alone), {total['unchanged']:,} changed nothing, 0 accepted with another result"
    )
