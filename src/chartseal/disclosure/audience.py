"""The audience: the authenticated origin or key of the verifier that a disclosure is made for."""

from __future__ import annotations

import re
from typing import Any

from chartseal.errors import DisclosureFormError

LONGEST_AUDIENCE = 2_048
"""Characters."""

_REFUSED = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def audience_from(value: Any) -> str:
    """An audience: a text without control characters and halves of surrogate pairs, not empty.

    Raises:
        DisclosureFormError: not so, or too long.
    """
    if not isinstance(value, str) or not value or len(value) > LONGEST_AUDIENCE or _REFUSED.search(value):
        raise DisclosureFormError("expected an origin or a key's name", path="audience")
    return value
