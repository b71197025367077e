"""Bundles: whole resources out of collections, searches, transactions and documents.

Resources are handed out as the bytes they came in. Source: hl7.org/fhir/R4/bundle.html; invariants by their keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chartseal import _core, _json
from chartseal.errors import FhirError, LimitError

SPLIT = frozenset({"batch", "collection", "document", "searchset", "transaction"})
"""Types whose entries are resources to read."""
REFUSED = frozenset({"batch-response", "history", "message", "transaction-response"})
"""Types of R4 whose entries are events, answers or past versions."""
_REQUESTS = frozenset({"batch", "transaction"})
_WRITES = frozenset({"POST", "PUT"})


class Piece(NamedTuple):
    """One resource of an input. `place`: "line 17", "Bundle.entry[3]", "line 17 Bundle.entry[3]" or ""."""

    place: str
    text: bytes
    full_url: str


class Refused(NamedTuple):
    """A line, an entry or an input that holds no resource to read; what follows it goes on."""

    place: str
    error: FhirError | LimitError


class Document(NamedTuple):
    """A document's own record, after its entries: the Bundle reduced to head and fullUrls, its entries' places."""

    place: str
    text: bytes
    entries: tuple[str, ...]


def split(chunks: Iterable[bytes], bundle_type: str | None, place: str = "") -> Iterator[Piece | Refused | Document]:
    """The resources of one Bundle, whose type is known from a first look at it.

    An error of the Bundle itself, a truncated or trailing part say, comes last, as `Refused` at `place`.
    """
    if bundle_type not in SPLIT:
        yield Refused(place, _type_error(bundle_type))
        return
    splitter, reader = _core.BundleSplitter(), _Reader(bundle_type, place)
    try:
        for chunk in chunks:
            for text in splitter.feed(chunk):
                found = reader.entry(text)
                if found is not None:
                    yield found
        _, head = splitter.finish()
        document = reader.end(head)
    except (FhirError, LimitError) as exc:
        yield Refused(place, exc)
        return
    if document is not None:
        yield document


def _type_error(bundle_type: str | None) -> FhirError:
    if bundle_type in REFUSED:
        return FhirError("a Bundle of this type holds no records to seal", "bundle_type_refused", "Bundle.type")
    return FhirError("not a Bundle type of R4", "bundle_type_unknown", "Bundle.type")


class _Reader:
    """What the type of a Bundle makes of its entries, one after the other."""

    def __init__(self, bundle_type: str, place: str) -> None:
        self.bundle_type = bundle_type
        self.place = place
        self.count = 0
        self.refused = 0
        self.full_urls: list[str] = []
        self.places: list[str] = []
        self.first_type: str | None = None

    def _here(self, rest: str = "") -> str:
        return f"{self.place} Bundle{rest}".lstrip()

    def entry(self, text: bytes) -> Piece | Refused | None:
        """The resource of the next entry; None where a search tells of itself."""
        place = self._here(f".entry[{self.count}]")
        self.count += 1
        try:
            full_url, resource = self._resource(text)
        except (FhirError, LimitError) as exc:
            self.refused += 1
            return Refused(place, exc)
        if resource is None:
            return None
        if self.bundle_type == "document":
            self.full_urls.append(full_url)
            self.places.append(place)
        return Piece(place, resource, full_url)

    def _resource(self, text: bytes) -> tuple[str, bytes | None]:
        full_url, resource, method, mode, has_response = _core.bundle_entry(text)
        if has_response:
            raise FhirError("an answer is no record", "bundle_entry_response")
        if self.bundle_type in _REQUESTS:
            _require_write(method)
        elif method is not None:
            raise FhirError("only transactions and batches have requests (bdl-3)", "bundle_entry_request")
        if resource is None:
            raise FhirError("has no resource", "bundle_entry_empty")
        if self.bundle_type == "searchset" and _is_outcome(mode, resource):
            return full_url, None
        if self.bundle_type == "document" and self.count == 1:
            self.first_type = _core.resource_kind(resource)[0]
        return full_url, resource

    def end(self, head: bytes) -> Document | None:
        """The document's own record, once all entries are read.

        Raises:
            FhirError: `bundle_document`, `bundle_implicit_rules`.
        """
        if self.bundle_type != "document":
            # A document keeps them in its own record, where they are judged as any resource's are.
            if "implicitRules" in _json.loads(head):
                raise FhirError("may change what its entries mean", "bundle_implicit_rules", "Bundle.implicitRules")
            return None
        if self.refused:
            raise FhirError(f"{self.refused} entries are refused", "bundle_document")
        if self.first_type != "Composition":
            raise FhirError("begins with no Composition (bdl-11)", "bundle_document")
        return Document(self._here(), _core.bundle_document(head, self.full_urls), tuple(self.places))


def _require_write(method: str | None) -> None:
    if method is None:
        raise FhirError("has no request (bdl-3)", "bundle_request_missing")
    if method not in _WRITES:
        raise FhirError("its request writes no whole resource", "bundle_method_refused")


def _is_outcome(mode: str | None, resource: bytes) -> bool:
    """Whether a search tells of itself here; any other word than R4's is refused."""
    if mode is None:
        return _core.resource_kind(resource)[0] == "OperationOutcome"
    if mode not in {"match", "include", "outcome"}:
        raise FhirError("not a search mode of R4", "bundle_search_mode")
    return mode == "outcome"
