"""Addresses, uids and hex as commands take them."""

from __future__ import annotations

from typing import Any

import click

from chartseal.attestation import Address, Digest, address_from, digest_from
from chartseal.errors import PackageError


class AddressOf(click.ParamType[Any]):
    """0x and 40 hex digits, with EIP-55's checksum or all of one case."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Read an address."""
        if isinstance(value, bytes):
            return Address(value)
        try:
            return address_from(value, "address")
        except PackageError as exc:
            self.fail(exc.detail, param, ctx)


class DigestOf(click.ParamType[Any]):
    """0x and 64 hex digits."""

    name = "hex"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Digest:
        """Read 32 bytes."""
        if isinstance(value, bytes):
            return Digest(value)
        try:
            return digest_from(value, "hex")
        except PackageError as exc:
            self.fail(exc.detail, param, ctx)
