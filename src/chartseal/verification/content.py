"""Steps 2 to 4: what a record opens is under its root, and holds together by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from chartseal import _core
from chartseal.disclosure.form import OpenedRecord
from chartseal.errors import ContentError, CoreError, MultiproofError, NothingOpenedError, VerificationError
from chartseal.record import Container, Field, rebuild, recount

LONGEST_TEXT_FIELD = 1_024
"""Characters of a base64 string that is a field of its own; a longer one is detached."""

_INDEX = re.compile(r"\[([0-9]{1,9})\]", re.ASCII)
_NAMES = "chartseal.names"
_NO_SALT = bytes(32)


@dataclass(frozen=True)
class Content:
    """One record's opened fields, checked."""

    fields: tuple[Field, ...] = field(repr=False)
    resource_type: str
    containers: tuple[Container, ...]
    is_complete: bool
    resource: str = field(repr=False)
    """FHIR JSON of only what is opened."""
    unopened: tuple[str, ...]
    """Array positions that are not opened, by the record's indices."""

    def control(self, name: str) -> object | None:
        """The value of the control field `chartseal.` + name, or None where it is not opened."""
        return next((each.value for each in self.fields if each.name == f"chartseal.{name}"), None)

    def text(self, name: str) -> str:
        """The text of a control field; empty where it is not opened."""
        value = self.control(name)
        return value if isinstance(value, str) else ""

    def word(self, name: str) -> bytes:
        """The 32 bytes of a control field; zeros where it is not opened."""
        value = self.control(name)
        return value if isinstance(value, bytes) else bytes(32)


@contextmanager
def refusing(error: type[VerificationError], place: str) -> Iterator[None]:
    """Give the core's refusals the step that met them; code and path stay.

    Raises:
        VerificationError: of the class given.
    """
    try:
        yield
    except VerificationError:
        raise
    except CoreError as exc:
        raise error(exc.detail, exc.code, f"{place} {exc.path}".strip()) from exc


def require_some_leaf(records: Sequence[OpenedRecord], *, has_proofs: bool) -> None:
    """An empty multiproof fits any root that it carries. Proofs can stand without a record.

    Raises:
        NothingOpenedError: neither record nor proof, or a record without an opened leaf.
    """
    if not records and not has_proofs:
        raise NothingOpenedError("the disclosure holds neither a record nor a proof", path="records")
    for at, record in enumerate(records):
        if not record.multiproof.leaves:
            raise NothingOpenedError("no leaf is opened", path=f"records[{at}]")


def check_leaves(record: OpenedRecord, place: str) -> tuple[Field, ...]:
    """The opened fields sorted by name, if they are leaves under the root that the seal states.

    Raises:
        MultiproofError: `root_mismatch`, `name_repeated`, `proof_…`, or a value that does not fit its type.
    """
    leaves = record.multiproof.leaves
    if len({leaf.name for leaf in leaves}) != len(leaves):
        raise MultiproofError("a field is opened twice", "name_repeated", place)
    with refusing(MultiproofError, place):
        root = record.multiproof.implied_root()
    if root != record.package.message.data:
        raise MultiproofError("the opened leaves do not give the sealed root", "root_mismatch", place)
    # The proof's order says nothing, and two leaves under one node may stand either way: the same facts, however shown.
    return tuple(sorted((Field(leaf.name, leaf.type, leaf.value) for leaf in leaves), key=_natural))


def _natural(field: Field) -> tuple[str | int, ...]:
    """Names with their indices as numbers, which `re.split` puts at the odd places."""
    return tuple(int(part) if at % 2 else part for at, part in enumerate(_INDEX.split(field.name)))


def check_content(record: OpenedRecord, fields: tuple[Field, ...], place: str, *, allow_test: bool) -> Content:
    """Check what a record's opened fields say of themselves and of each other.

    Raises:
        ContentError: `salt_zero`, `salt_repeated`, `control_…`, `about_mismatch`, `slots_…`, `twin_incomplete`,
            `base64_incomplete`, `detached_…`, … with the field's name.
    """
    _check_salts(record, place)
    with refusing(ContentError, place):
        resource_type = _core.check_control(list(fields), allow_test=allow_test)
        containers = recount(resource_type, fields)
        rebuilt = rebuild(resource_type, fields, record.detached, partial=True)
    _require_long(record.detached, place)
    return Content(fields, resource_type, tuple(containers), _is_complete(fields), *rebuilt)


def _check_salts(record: OpenedRecord, place: str) -> None:
    salts = [bytes(leaf.salt) for leaf in record.multiproof.leaves]
    if _NO_SALT in salts or any(len(salt) != len(_NO_SALT) for salt in salts):
        raise ContentError("a leaf has no salt", "salt_zero", place)
    if len(set(salts)) != len(salts):
        raise ContentError("two leaves share a salt", "salt_repeated", place)


def _is_complete(fields: Sequence[Field]) -> bool:
    """`chartseal.names` is opened and is the hash of just the names that are."""
    stated = next((each.value for each in fields if each.name == _NAMES), None)
    names = sorted((each.name for each in fields if each.name != _NAMES), key=lambda name: name.encode())
    return stated == _core.keccak256("\n".join(names).encode())


def _require_long(detached: Sequence[tuple[str, str]], place: str) -> None:
    """A short text is a field of its own: detached it could be spelled otherwise than it was sealed."""
    for name, text in detached:
        if len(text) <= LONGEST_TEXT_FIELD:
            raise ContentError("a text is detached though it is short", "detached_short", f"{place} {name}")
