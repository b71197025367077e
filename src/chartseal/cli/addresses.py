"""Addresses and uids as commands take them."""

from __future__ import annotations

from typing import Any

import click

from chartseal.attestation import Address, Digest, address_from, digest_from
from chartseal.errors import PackageError


class Bytes32(click.ParamType[Any]):
    """32 bytes of 0x hex: a uid or a digest."""

    name = "bytes32"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Digest:
        """Read them."""
        try:
            return Digest(value) if isinstance(value, bytes) else digest_from(value, "")
        except PackageError:
            self.fail("expected 32 bytes of hex with 0x", param, ctx)


class Account(click.ParamType[Any]):
    """An address, with the right checksum or all of one case."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Read it."""
        try:
            return Address(value) if isinstance(value, bytes) else address_from(value, "")
        except PackageError as exc:
            self.fail(exc.detail, param, ctx)
