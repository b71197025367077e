"""Contracts that only tests deploy, compiled when they are asked for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vyper.compiler import compile_code  # type: ignore[import-untyped]  # it has no types

from chartseal.chain.contract import Contract

_FOLDER = Path(__file__).resolve().parent / "contracts"


@lru_cache(maxsize=8)
def compiled(name: str) -> Contract:
    """The contract of `tests/contracts/NAME.vy`."""
    made = compile_code((_FOLDER / f"{name}.vy").read_text(), output_formats=["abi", "bytecode"])
    return Contract.of_abi(made["abi"], bytes.fromhex(made["bytecode"][2:]))
