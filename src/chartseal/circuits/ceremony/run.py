"""A ceremony in a folder, which goes from hand to hand: `circuit.r1cs`, a `.zkey` for each step, the record of them."""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chartseal import _core
from chartseal.circuits.ceremony import contributions, transcript
from chartseal.circuits.ceremony.contributions import Made
from chartseal.circuits.ceremony.phase1 import Phase1
from chartseal.circuits.ceremony.sections import unreadable
from chartseal.circuits.ceremony.tool import Snarkjs
from chartseal.circuits.ceremony.transcript import BEACON, CONTRIBUTION, SETUP, Step, Transcript
from chartseal.errors import CeremonyError

_CONSTRAINTS, _LOCK = "circuit.r1cs", ".lock"
_LARGEST_KEY = 2**28
_LONGEST_NAME = 64
_LONGEST_BEACON = 255
_ITERATIONS = range(10, 64)


class Ceremony:
    """The ceremony of one folder, its last file unaltered and its circuit the one that is built here."""

    def __init__(self, folder: Path) -> None:
        """Take up a ceremony.

        Raises:
            CeremonyError: `ceremony_malformed`, `ceremony_altered`, `circuit_changed`, `file_unreadable`.
            CircuitKeyError: `circuit_unknown`.
        """
        self.folder = folder
        self.transcript = transcript.load(folder)
        if hashlib.sha256(_core.circuit_r1cs(self.transcript.circuit)).digest() != self.transcript.r1cs:
            raise CeremonyError("the circuit is not the one that the ceremony began with", "circuit_changed")
        self._read_last()
        self.contributions()

    @classmethod
    def begin(cls, folder: Path, circuit: str, phase1: Phase1, tool: Snarkjs) -> Ceremony:
        """Export a circuit's constraints into a new folder and run the setup, to which everybody contributes then.

        Raises:
            CeremonyError: `ceremony_exists`, `phase1_small`, `file_unwritable`, `snarkjs_failed`.
            CircuitKeyError: `circuit_unknown`; as `import_zkey` where the setup is not one of this circuit.
        """
        r1cs = _core.circuit_r1cs(circuit)
        _require_power(circuit, phase1)
        with _new_folder(folder):
            (folder / _CONSTRAINTS).write_bytes(r1cs)
            with _made(folder, 0) as file:
                given = [str(path.resolve()) for path in (folder / _CONSTRAINTS, phase1.path)]
                tool.run(["groth16", "setup", *given, str(file)])
                data = _read(file)
                _core.import_zkey(circuit, data)
            setup = Step(SETUP, "", b"", hashlib.sha256(data).digest())
            digest = hashlib.sha256(r1cs).digest()
            Transcript(circuit, digest, phase1.sha256, phase1.blake2b, tool.version, (setup,)).save(folder)
        return cls(folder)

    def contribute(self, name: str, tool: Snarkjs) -> Step:
        """Add randomness that nobody knows afterwards: the operating system's, given to snarkjs on its standard input.

        Raises:
            CeremonyError: `ceremony_finished`, `name_refused`, `snarkjs_failed`, `contribution_refused`,
                `ceremony_altered`.
        """
        if not name.isprintable() or not 1 <= len(name.encode()) <= _LONGEST_NAME:
            raise CeremonyError(f"a name has 1 to {_LONGEST_NAME} bytes of printable text", "name_refused")
        return self._add(CONTRIBUTION, ["contribute"], [f"--name={name}"], tool, secret=secrets.token_hex(64))

    def finish(self, beacon: bytes, iterations: int, tool: Snarkjs) -> Step:
        """Add the beacon, a value that was public only after the last contribution, hashed 2^iterations times.

        Raises:
            CeremonyError: `ceremony_finished`, `contribution_missing`, `beacon_refused`, `snarkjs_failed`,
                `contribution_refused`, `ceremony_altered`.
        """
        if not 1 <= len(beacon) <= _LONGEST_BEACON or iterations not in _ITERATIONS:
            raise CeremonyError("a beacon has 1 to 255 bytes and 10 to 63 as iterations", "beacon_refused")
        if len(self.transcript.steps) < 2:
            raise CeremonyError("nobody has contributed", "contribution_missing")
        values = [beacon.hex(), str(iterations)]
        step = self._add(BEACON, ["beacon"], [*values, "--name=beacon"], tool)
        last = self.contributions()[-1]
        if (last.beacon, last.iterations) != (beacon, iterations):
            raise CeremonyError("the beacon in the key is another", "contribution_refused")
        return step

    def verify(self, phase1: Phase1, tool: Snarkjs) -> tuple[Made, ...]:
        """Check the last file against our own constraints, exported anew, and the phase-1 file; gives what made it.

        Raises:
            CeremonyError: `phase1_other`, `ceremony_altered`, `snarkjs_failed`: the key does not follow from them.
        """
        if phase1.sha256 != self.transcript.phase1_sha256:
            raise CeremonyError("the ceremony began with another phase-1 file", "phase1_other")
        with tempfile.TemporaryDirectory() as folder:
            r1cs = Path(folder).resolve() / _CONSTRAINTS
            r1cs.write_bytes(_core.circuit_r1cs(self.transcript.circuit))
            output = tool.run(["zkey", "verify", str(r1cs), str(phase1.path.resolve()), str(self.last.resolve())])
        if "ZKey Ok!" not in output:
            raise CeremonyError("snarkjs does not say that the key is right", "snarkjs_failed")
        self._read_last()  # what was verified is what was read before
        return self.contributions()

    @property
    def last(self) -> Path:
        """The newest file."""
        return self.folder / _name(len(self.transcript.steps) - 1)

    def contributions(self) -> tuple[Made, ...]:
        """What the newest file says of its making, which must be what the record says.

        Raises:
            CeremonyError: `ceremony_altered`, `file_malformed`, `file_unreadable`.
        """
        made = contributions.read(self.last)
        if [(each.name, each.hash, each.beacon is not None) for each in made] != [
            (step.name, step.hash, step.kind == BEACON) for step in self.transcript.steps[1:]
        ]:
            raise CeremonyError("the key was made by other steps than those recorded", "ceremony_altered")
        return made

    def zkey(self) -> bytes:
        """The newest file's bytes.

        Raises:
            CeremonyError: `ceremony_altered`, `file_unreadable`.
        """
        return self._read_last()

    def _read_last(self) -> bytes:
        data = _read(self.last)
        if hashlib.sha256(data).digest() != self.transcript.steps[-1].sha256:
            raise CeremonyError("the file was altered since it was made", "ceremony_altered", self.last.name)
        return data

    def _add(
        self, kind: str, command: Sequence[str], options: Sequence[str], tool: Snarkjs, *, secret: str | None = None
    ) -> Step:
        if self.transcript.is_finished:
            raise CeremonyError("the beacon ended the ceremony", "ceremony_finished")
        before = self.contributions()
        with _made(self.folder, len(self.transcript.steps)) as file:
            if transcript.load(self.folder) != self.transcript:
                raise CeremonyError("another process has added to the ceremony", "ceremony_busy")
            tool.run(["zkey", *command, str(self.last.resolve()), str(file), *options], secret=secret)
            made = contributions.read(file)
            if made[:-1] != before or (made[-1].beacon is not None) != (kind == BEACON):
                raise CeremonyError("the new key does not follow from the one before", "contribution_refused")
            step = Step(kind, made[-1].name, made[-1].hash, hashlib.sha256(_read(file)).digest())
        self.transcript = self.transcript.and_then(step)
        self.transcript.save(self.folder)
        return step


def _require_power(circuit: str, phase1: Phase1) -> None:
    constraints, _, publics = _core.circuit_counts(circuit)
    power = (constraints + publics).bit_length()
    if phase1.power < power:
        raise CeremonyError(f"the circuit needs a phase-1 file of power {power} or more", "phase1_small")


def _name(number: int) -> str:
    return f"{number:04}.zkey"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_KEY + 1)
    except OSError as exc:
        raise unreadable(path, exc) from exc
    if len(data) > _LARGEST_KEY:
        raise CeremonyError("the file is too long", "limit_exceeded", path.name)
    return data


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """A folder to begin in; if something is raised, nothing is left in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CeremonyError("the folder is not empty", "ceremony_exists", folder.name)
        try:
            yield
        except BaseException:
            for path in folder.iterdir():
                path.unlink()
            raise
    except OSError as exc:
        raise CeremonyError(f"cannot be written: {exc.strerror}", "file_unwritable", folder.name) from exc


@contextmanager
def _made(folder: Path, number: int) -> Iterator[Path]:
    """A path for snarkjs to write to; what stands there becomes the numbered file if nothing was raised.

    Raises:
        CeremonyError: `ceremony_busy`: another process adds a step; `file_unwritable`.
    """
    beside = folder.resolve() / f".{secrets.token_hex(8)}.part"
    try:
        with (folder / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield beside
            beside.replace(folder / _name(number))
    except BlockingIOError as exc:
        raise CeremonyError("another process adds to the ceremony", "ceremony_busy") from exc
    except OSError as exc:
        raise CeremonyError(f"cannot be written: {exc.strerror}", "file_unwritable", folder.name) from exc
    finally:
        beside.unlink(missing_ok=True)
