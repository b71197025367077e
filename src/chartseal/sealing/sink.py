"""Where a run of sealing puts its records: a folder, or whatever keeps whole batches and knows how far it got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from chartseal.errors import CoreError
from chartseal.sealing.seal import SealedLine

Rejection = tuple[int, str, CoreError]
"""Position of an item of the input, from 1; its place; why it is refused."""


class Sink(Protocol):
    """Takes one run's batches, each wholly or not at all."""

    done: int
    """Items of the input that are done."""
    refused: Counter[str]
    """How many refusals bear each code."""

    def write(self, done: int, lines: Sequence[SealedLine], refused: Sequence[Rejection]) -> None:
        """Keep one batch, after which `done` items of the input are done.

        Raises:
            CoreError: it cannot be kept; the run ends, and the same run goes on here.
        """


class Output(Protocol):
    """Where runs go."""

    def begin(self, identity: Mapping[str, str]) -> AbstractContextManager[Sink]:
        """The sink of the run of that identity, begun or found again.

        Raises:
            SealingError: `sealing_in_progress`, `sealing_other_run`, `output_unwritable`.
        """
