"""A presentation's proofs as somebody gave them: of which circuit, and what they state. Nothing is verified."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from chartseal.attestation import checksum_address, to_hex
from chartseal.cli.opened import new_table, printable
from chartseal.disclosure import Terms, UnverifiedDisclosure, UnverifiedProof
from chartseal.disclosure.statements import publics


def proofs_to_json(disclosure: UnverifiedDisclosure) -> list[dict[str, object]]:
    """Each proof's circuit, None where its key is not known here, and its public inputs by their names."""
    return [
        {"circuit": _circuit(proof), "key": to_hex(proof.key), "inputs": dict(_inputs(proof))}
        for proof in disclosure.proofs
    ]


def print_proofs(disclosure: UnverifiedDisclosure, console: Console) -> None:
    """The same as tables, and what the proofs are bound to."""
    for proof in disclosure.proofs:
        title = f"proof  {_circuit(proof) or f'of an unknown key {to_hex(proof.key)}'}"
        table = new_table(title, "public input", "value")
        for name, value in _inputs(proof):
            table.add_row(name, value)
        console.print(table)
    if disclosure.binding is not None:
        for line in _terms(disclosure.binding.terms):
            console.print(Text(line))


def _circuit(proof: UnverifiedProof) -> str | None:
    from chartseal.circuits import verifier_of  # who shows plain disclosures loads no keys

    known = verifier_of(proof.key)
    return None if known is None else known.circuit


def _inputs(proof: UnverifiedProof) -> Sequence[tuple[str, str]]:
    circuit = _circuit(proof)
    names = () if circuit is None else publics(circuit)
    if len(names) != len(proof.inputs):
        names = tuple(f"input {at}" for at in range(len(proof.inputs)))
    return [(name, to_hex(word)) for name, word in zip(names, proof.inputs, strict=True)]


def _terms(terms: Terms) -> list[str]:
    lines = []
    if terms.chain:
        contract, payee = checksum_address(terms.contract), checksum_address(terms.payee)
        lines.append(f"for contract {contract} on chain {terms.chain}, payee {payee}")
    if terms.spends:
        lines.append(f"spends a use for: {printable(terms.purpose)}, period {terms.period}")
    return lines
