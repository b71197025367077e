"""What a proof's public inputs say, by circuit: format specification, section "Presentation"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chartseal.disclosure.binding import FIELD_ORDER
from chartseal.errors import ProofError

HOLDER, LINKED, ANONYMOUS = "holder", "linked", "anonymous"

_PUBLICS = {
    HOLDER: ("claimsRoot", "context", "pseudonym"),
    LINKED: ("claimsRoot", "policyHash", "context"),
    ANONYMOUS: ("trustRoot", "now", "policyHash", "scope", "context", "nullifier", "pseudonym"),
}
CIRCUITS = ("holder", "linked-1", "linked-4", "anonymous-1", "anonymous-4")


@dataclass(frozen=True, slots=True)
class Statement:
    """The public inputs of one proof by their names, each 32 bytes big-endian, below the field's order."""

    kind: str
    """`holder`, `linked` or `anonymous`."""
    size: int
    """The number of slots that the circuit has, 1 or 4; 0 for `holder`."""
    publics: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def read(cls, circuit: str, inputs: Sequence[bytes]) -> Statement:
        """The inputs of a proof of that circuit.

        Raises:
            ProofError: `circuit_unknown`, `inputs_wrong_number`, or `input_out_of_range` with the input's name: an
                input and the input plus the field's order are one to a verifier, and two to who stores nullifiers.
        """
        if circuit not in CIRCUITS:
            raise ProofError("no such circuit", "circuit_unknown")
        kind, _, size = circuit.partition("-")
        names = _PUBLICS[kind]
        if len(inputs) != len(names):
            raise ProofError(f"{circuit} has {len(names)} public inputs", "inputs_wrong_number", "inputs")
        for name, word in zip(names, inputs, strict=True):
            if int.from_bytes(word) >= FIELD_ORDER:
                raise ProofError("a public input is not below the field's order", "input_out_of_range", name)
        return cls(kind, int(size or 0), dict(zip(names, map(bytes, inputs), strict=True)))

    def __getitem__(self, name: str) -> bytes:
        """A public input by its name."""
        return self.publics[name]


def publics(circuit: str) -> tuple[str, ...]:
    """The names of a circuit's public inputs, in their order."""
    return _PUBLICS[circuit.partition("-")[0]]


def circuit_of(kind: str, size: int = 0) -> str:
    """The circuit of a kind, for a policy of that circuit size."""
    return f"{kind}-{size}" if size else kind
