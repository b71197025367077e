"""Findings: what is not as it must be, named by place and code."""

from __future__ import annotations

from typing import NamedTuple

from chartseal.errors import ChartsealError, VaultError


class Finding(NamedTuple):
    """One thing that is not as it must be."""

    place: str
    code: str
    detail: str

    @classmethod
    def of(cls, place: str, error: ChartsealError) -> Finding:
        """What an error says of a place; of errors that are not the vault's own no words, which might quote it."""
        return cls(place, error.code, error.detail if isinstance(error, VaultError) else "not a record that holds")
