"""Single mutations of a resource's JSON: one place changed, the rest as it was.

A resource is kept as a tree in which members may repeat and numbers keep their lexemes, since both are mutated.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


class Members(list[tuple[str, Any]]):
    """An object's members in their order."""


class Lexeme(str):
    """JSON text that is written as it stands: a number, or what stands in for one."""


def parse(text: bytes) -> Any:
    return json.loads(text, object_pairs_hook=Members, parse_float=Lexeme, parse_int=Lexeme, parse_constant=Lexeme)


def write(node: Any) -> str:
    if isinstance(node, Members):
        return "{" + ",".join(f"{json.dumps(key)}:{write(value)}" for key, value in node) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(write, node)) + "]"
    return node if isinstance(node, Lexeme) else json.dumps(node)


@dataclass(frozen=True)
class Place:
    """One value: `holder[at]` is it (a member is the pair there), `path` leads to it without indices."""

    holder: Any
    at: int
    path: str

    @property
    def key(self) -> str:
        return self.path.rsplit(".", 1)[-1]

    @property
    def is_member(self) -> bool:
        return isinstance(self.holder, Members)

    @property
    def value(self) -> Any:
        return self.holder[self.at][1] if self.is_member else self.holder[self.at]

    def put(self, value: Any) -> None:
        self.holder[self.at] = (self.holder[self.at][0], value) if self.is_member else value

    def rename(self, key: str) -> None:
        self.holder[self.at] = (key, self.value)


def places(node: Any, path: str = "") -> Iterator[Place]:
    """Every value under `node`, outer ones first."""
    for at in range(len(node)):
        inner = f"{path}.{node[at][0]}" if isinstance(node, Members) else path
        place = Place(node, at, inner)
        yield place
        if isinstance(place.value, list):
            yield from places(place.value, inner)


@dataclass(frozen=True)
class Kind:
    """A kind of mutation: where it may strike, and what it does there."""

    applies: Callable[[Place], bool]
    strike: Callable[[random.Random, Place], None]


def _text(place: Place) -> bool:
    return isinstance(place.value, str) and not isinstance(place.value, Lexeme)


def _member(place: Place) -> bool:
    return place.is_member


def _object(place: Place) -> bool:
    return isinstance(place.value, Members)


def _array(place: Place) -> bool:
    return isinstance(place.value, list) and not _object(place)


def _matching(pattern: str) -> Callable[[Place], bool]:
    return lambda place: _text(place) and re.fullmatch(pattern, place.value) is not None


def _keyed(pattern: str) -> Callable[[Place], bool]:
    return lambda place: re.fullmatch(pattern, place.key) is not None


def _put(*choices: Any) -> Callable[[random.Random, Place], None]:
    return lambda chance, place: place.put(chance.choice(choices))


def _add(place: Place, key: str, value: Any) -> None:
    place.holder.insert(place.at + 1, (key, value))


def _another_type(chance: random.Random, place: Place) -> None:
    choices = ["text", Lexeme("7"), True, Members([("id", "a")]), ["text"]]
    place.put(chance.choice([choice for choice in choices if type(choice) is not type(place.value)]))


def _rename(chance: random.Random, place: Place) -> None:
    place.rename(place.key + chance.choice(["x", "_", "é", "[x]", " "]))


def _add_unknown(chance: random.Random, place: Place) -> None:
    _add(place, chance.choice(["extra", "__proto__", "$a", "a.b", "fhir_comments"]), "x")


def _insert_null(chance: random.Random, place: Place) -> None:
    place.value.insert(chance.randrange(len(place.value) + 1), None)


def _wrong_case(chance: random.Random, place: Place) -> None:
    key = place.holder[place.at][0]
    place.rename(chance.choice([key.swapcase(), key[0].swapcase() + key[1:]]))


def _swap_array(_: random.Random, place: Place) -> None:
    place.put(place.value[0] if _array(place) else [place.value])


def _affix(chance: random.Random, place: Place) -> None:
    affix = chance.choice([" ", "\t", "\n", "\u00a0", "\u200b", "\u0001", "\0"])
    place.put(chance.choice([affix + place.value, place.value + affix]))


def _lexeme(chance: random.Random, place: Place) -> None:
    value = place.value
    forms = [f"{value}e0", f"0{value}", f"+{value}", f"{value}.", "-0", "-1", ".5", "1e401", "9" * 70, f"{value}.0"]
    place.put(Lexeme(chance.choice([*forms, "NaN", "3000000000", "0"])))


def _twin(chance: random.Random, place: Place) -> None:
    twins = [
        None,
        Members(),
        Members([("id", "a b")]),
        Members([("id", "a")]),
        Members([("extension", [])]),
        [None],
        "x",
    ]
    _add(place, f"_{place.holder[place.at][0]}", chance.choice(twins))


def _second_choice(_: random.Random, place: Place) -> None:
    base = re.match(_CHOICES, place.key)
    assert base
    _add(place, f"{base[0]}{'Period' if not place.key.endswith('Period') else 'String'}", Members([("start", "2020")]))


def _break_extension(chance: random.Random, place: Place) -> None:
    inner = Members([("url", "http://example.org/a"), ("valueCode", "a")])
    both = Members([("url", "http://example.org/a"), ("valueCode", "a"), ("extension", [inner])])
    neither = Members([("url", "http://example.org/a")])
    nameless = Members([("valueCode", "a")])
    _add(place, "extension", [chance.choice([both, neither, nameless, inner])])


def _is_holder_without_extension(place: Place) -> bool:
    return place.is_member and place.at == 0 and all(key != "extension" for key, _ in place.holder)


def _delete(_: random.Random, place: Place) -> None:
    del place.holder[place.at]


_CHOICES = "value|effective|onset|medication|performed|occurrence|deceased"
_DATE = r"\d{4}(-\d\d(-\d\d(T.*)?)?)?"
_CODES = (
    r"status|use|intent|gender|comparator|linkType|clinicalStatus|verificationStatus|criticality|type|mode|priority"
)

KINDS: dict[str, Kind] = {
    "drop": Kind(lambda place: True, _delete),
    "repeat-key": Kind(_member, lambda _, place: _add(place, *place.holder[place.at])),
    "wrong-type": Kind(lambda place: not isinstance(place.value, list), _another_type),
    "text-for-object": Kind(_object, _put("text", Lexeme("1"), ["text"], True)),
    "rename-key": Kind(_member, _rename),
    "array-swap": Kind(_member, _swap_array),
    "bad-date": Kind(
        _matching(_DATE),
        _put(
            *("2020", "2020-06", "2020-02-30", "2020-13", "2020-1-1", "20", "0000-01-01"),
            *(f"2020-01-01{time}" for time in ("T10:00:00", "T24:00:00Z", "T10:00Z", "T10:00:60Z", "t10:00:00z")),
            "2020-01-01T10:00:00+15:00",
        ),
    ),
    "bad-code": Kind(
        lambda place: _text(place) and _keyed(_CODES)(place), _put("no-such-code", "a  b", " a", "ACTIVE", "a\tb")
    ),
    "null": Kind(lambda place: True, _put(None)),
    "empty": Kind(lambda place: True, lambda chance, place: place.put(chance.choice(["", " ", [], Members()]))),
    "wrong-case": Kind(_member, _wrong_case),
    "unknown-key": Kind(_member, _add_unknown),
    "lexeme": Kind(lambda place: isinstance(place.value, Lexeme), _lexeme),
    "affix": Kind(_text, _affix),
    "twin": Kind(lambda place: place.is_member and not place.key.startswith("_"), _twin),
    "second-choice": Kind(_keyed(f"({_CHOICES})[A-Z].*"), _second_choice),
    "null-in-array": Kind(_array, _insert_null),
    "resource-type": Kind(
        _keyed("resourceType"), _put("Nothing", "Basic", "Observation", "observation", "Resource", "Element")
    ),
    "bad-id": Kind(_keyed("id"), _put("a b", "a_b", "x" * 65, "é", "a/b", "a.b-C")),
    "bad-uri": Kind(
        _keyed("url|system|reference|profile|implicitRules"),
        _put("a b", "Nothing/1", "#nothing", "urn:uuid:x", "http://"),
    ),
    "extension": Kind(_is_holder_without_extension, _break_extension),
    "narrative": Kind(
        _keyed("div"),
        _put(
            "text",
            "<div>a</div>",
            *(
                f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'
                for inside in (
                    *("", "<script>1</script>", '<p onclick="a()">b</p>', "<p>b", "<b>a&nbsp;</b>", "<form>a</form>"),
                    *('<a href="javascript:a()">b</a>', '<img src="http://a/b"/>', "<!-- a --><p>b</p>", "<P>b</P>"),
                )
            ),
        ),
    ),
    "base64": Kind(_keyed("data|hash"), _put("QQ=", "QQ", "Q Q = =", "QR==", "QQ==\n", "QUJD QUJD", "é", "Q===")),
}


@dataclass(frozen=True)
class Mutant:
    """A resource with one place changed: the kind of change, the path of the place, the text."""

    kind: str
    path: str
    text: str


def mutate(chance: random.Random, text: bytes) -> Mutant:
    """One random mutation: a kind that applies somewhere, then a place where it does."""
    root = parse(text)
    type_name = next(value for key, value in root if key == "resourceType")
    everywhere = list(places(root, type_name))
    for name in chance.sample(list(KINDS), len(KINDS)):
        candidates = [place for place in everywhere if KINDS[name].applies(place)]
        if candidates:
            place = chance.choice(candidates)
            KINDS[name].strike(chance, place)
            return Mutant(name, place.path, write(root))
    raise AssertionError("no mutation applies")
