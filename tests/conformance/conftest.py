"""The peer that several tests ask."""

from collections.abc import Iterator

import pytest
from _peer import Peer


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    try:
        with Peer() as running:
            yield running
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
