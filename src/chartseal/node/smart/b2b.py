"""Who asks, for which organisation, and why: UDAP's `hl7-b2b` extension of a client's assertion.

Source: HL7 UDAP Security 1.0 and 2.0, "B2B Authorization Extension Object"; HL7 v3 PurposeOfUse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from chartseal.errors import AccessError

NAME = "hl7-b2b"
LONGEST_TEXT = 256
"""Characters of each member."""
MOST_MEMBERS = 20

_VERSION = "1"
_TEXTS = ("subject_id", "subject_name", "subject_role", "organization_id", "organization_name")
_PURPOSE = re.compile(
    r"(?:(?:urn:oid:2\.16\.840\.1\.113883\.5\.8|https?://terminology\.hl7\.org/CodeSystem/v3-ActReason)#)?"
    r"([A-Z][A-Z0-9]{1,15})",
    re.ASCII,
)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class B2b:
    """What a client says of the person and the organisation that it asks for. It is the client's own word.

    Raises:
        AccessError: `b2b_malformed`: a part is not what it may be.
    """

    organization_id: str
    """URI of the organisation."""
    purpose: str
    """Code of PurposeOfUse: TREAT, ETREAT, …"""
    organization_name: str = ""
    subject_id: str = field(default="", repr=False)
    """URI of the person, or an NPI; empty for a client that asks by itself."""
    subject_name: str = field(default="", repr=False)
    subject_role: str = ""

    def __post_init__(self) -> None:
        """Refuse what the extension does not have."""
        for name in _TEXTS:
            _require_text(getattr(self, name), name)
        if not self.organization_id:
            raise _malformed("an organisation is named", "organization_id")
        _code(self.purpose)

    @property
    def person(self) -> str:
        """Who asks, as the shortest that names him or her: the id, else the name; empty for nobody."""
        return self.subject_id or self.subject_name

    def to_json(self) -> dict[str, Any]:
        """The extension's object, without what is empty."""
        texts = {name: getattr(self, name) for name in _TEXTS if getattr(self, name)}
        return {"version": _VERSION, **texts, "purpose_of_use": [self.purpose]}

    @classmethod
    def from_json(cls, data: Any) -> B2b:
        """Read the object. Members that are not known are passed over.

        One purpose is taken: a decision has one, and of several the client would have the most convenient.

        Raises:
            AccessError: `b2b_missing`, `b2b_malformed`.
        """
        if data is None:
            raise AccessError("the extension hl7-b2b is missing", "b2b_missing", NAME)
        if not isinstance(data, dict) or len(data) > MOST_MEMBERS or data.get("version") != _VERSION:
            raise _malformed("expected an object of version 1", "version")
        purposes = data.get("purpose_of_use")
        if not isinstance(purposes, list) or len(purposes) != 1:
            raise _malformed("expected one purpose", "purpose_of_use")
        return cls(purpose=_code(purposes[0]), **{name: data.get(name, "") for name in _TEXTS})


def _code(text: Any) -> str:
    found = _PURPOSE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise _malformed("a purpose is a code of HL7's PurposeOfUse", "purpose_of_use")
    return found[1]


def _require_text(value: Any, name: str) -> None:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or _UNSEEN.search(value):
        raise _malformed(f"expected a text of at most {LONGEST_TEXT} characters", name)


def _malformed(detail: str, name: str) -> AccessError:
    return AccessError(detail, "b2b_malformed", f"{NAME}.{name}")
