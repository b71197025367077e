"""Inclusion proofs: out of the queue, into a file beside the sealed records, and into verification.

The file (`anchors.ndjson`) has one JSON object a line: attester, uid, signatureHash, root, path (siblings, from the
leaf up). It is no secret, and proves nothing that the chain does not confirm.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, Row, select

from chartseal import _core, _json
from chartseal.attestation import (
    Address,
    Digest,
    UnverifiedPackage,
    address_from,
    checksum_address,
    digest_from,
    to_hex,
)
from chartseal.chain.anchors.database import storing
from chartseal.chain.anchors.leaves import AnchorTree, implied_root, seal_leaf
from chartseal.chain.anchors.tables import BATCH, FINAL, LEAF, MINED, SEAL
from chartseal.errors import LimitError, PackageError
from chartseal.verification.chain import AnchorProof

Identity = tuple[Address, Digest]
"""(attester, uid) of a seal."""

LONGEST_LINE = 8_192
"""Bytes: several times what 64 siblings take."""
MOST_LINES = 1_000_000
_MEMBERS = {"attester", "uid", "root", "path"}
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class AnchoredSeal:
    """One seal's place in an anchor."""

    attester: Address
    uid: Digest
    signature_hash: Digest | None
    """keccak256 of the seal's signature; files of other makers may leave it out."""
    root: Digest
    proof: AnchorProof

    @property
    def identity(self) -> Identity:
        """(attester, uid)."""
        return self.attester, self.uid

    def to_json(self) -> bytes:
        """One line, without its end."""
        members: dict[str, Any] = {"attester": checksum_address(self.attester), "uid": to_hex(self.uid)}
        if self.signature_hash is not None:
            members["signatureHash"] = to_hex(self.signature_hash)
        members |= {"root": to_hex(self.root), "path": self.proof.to_json()}
        return json.dumps(members, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> AnchoredSeal:
        """Read one line; other members are for other tools.

        Raises:
            LimitError: `limit_exceeded`.
            PackageError: malformed, or `anchor_path`: the path does not lead from the seal to the root.
        """
        if len(text) > LONGEST_LINE:
            raise LimitError("the line is too long")
        try:
            data = _json.loads(text)
        except ValueError as exc:
            raise PackageError("not JSON") from exc
        if not isinstance(data, dict) or not data.keys() >= _MEMBERS:
            raise PackageError("expected an object with attester, uid, root and path")
        stated = data.get("signatureHash")
        made = cls(
            attester=address_from(data["attester"], "attester"),
            uid=digest_from(data["uid"], "uid"),
            signature_hash=None if stated is None else digest_from(stated, "signatureHash"),
            root=digest_from(data["root"], "root"),
            proof=AnchorProof.from_json(data["path"]),
        )
        if made.signature_hash and implied_root(seal_leaf(made.uid, made.signature_hash), made.proof) != made.root:
            raise PackageError("the path does not lead from the seal to the root", "anchor_path", "path")
        return made


@dataclass(frozen=True)
class AnchorFile:
    """Proofs for seals; `anchors` is what `verification.verify` takes. A seal has one: of several the first stands."""

    entries: tuple[AnchoredSeal, ...] = ()

    @classmethod
    def of(cls, seals: Iterable[AnchoredSeal]) -> AnchorFile:
        """From proofs.

        Raises:
            LimitError: more than MOST_LINES.
        """
        entries: dict[tuple[Identity, Digest | None], AnchoredSeal] = {}
        for seal in seals:
            entries.setdefault((seal.identity, seal.signature_hash), seal)
            if len(entries) > MOST_LINES:
                raise LimitError(f"more than {MOST_LINES} proofs")
        return cls(tuple(entries.values()))

    @property
    def anchors(self) -> dict[Identity, AnchorProof]:
        """Inclusion proofs by identity, as verification takes them; of seals that differ in their signature alone,
        that of the first: `trim` tells them apart.
        """
        return {seal.identity: seal.proof for seal in reversed(self.entries)}

    def trim(self, packages: Iterable[UnverifiedPackage]) -> AnchorFile:
        """Only the proofs of these very seals: what goes along with one disclosure."""
        known = {(seal.identity, seal.signature_hash): seal for seal in self.entries}
        found = []
        for each in packages:
            identity = (each.signer, each.uid)
            exact = known.get((identity, Digest(_core.keccak256(each.signature)))) or known.get((identity, None))
            found += [exact] if exact else []
        return AnchorFile.of(found)

    def to_ndjson(self) -> bytes:
        """The file's bytes, ordered by identity: the order tells nothing."""
        ordered = sorted(self.entries, key=lambda seal: (seal.identity, seal.signature_hash or b""))
        return b"".join(seal.to_json() + b"\n" for seal in ordered)

    @classmethod
    def read(cls, stream: BinaryIO, name: str = "anchors") -> AnchorFile:
        """Read a file.

        Raises:
            LimitError: a line is too long, or there are too many.
            PackageError: a line is malformed; its number is in the path.
        """
        return cls.of(_lines(stream, name))

    @classmethod
    def load(cls, path: Path) -> AnchorFile:
        """Read a file by its path.

        Raises:
            PackageError, LimitError: as `read`; `file_unreadable`.
        """
        try:
            with path.open("rb") as stream:
                return cls.read(stream, path.name)
        except OSError as exc:
            raise PackageError(f"cannot be read: {exc.strerror}", "file_unreadable", path.name) from exc


def _lines(stream: BinaryIO, name: str) -> Iterator[AnchoredSeal]:
    for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE + 2), b""), 1):
        try:
            if not line.isspace():
                yield AnchoredSeal.from_json(line.rstrip(b"\r\n"))
        except (LimitError, PackageError) as exc:
            raise type(exc)(exc.detail, exc.code, f"{name} line {number} {exc.path}".strip()) from exc


def read_proofs(
    connection: Connection, identities: Collection[Identity] | None = None, *, young: bool = False
) -> Iterator[AnchoredSeal]:
    """Proofs of these seals, or of all, as far as their anchors are final (with `young`: or mined).

    Raises:
        QueueError: `queue_unavailable`.
    """
    states = (FINAL, MINED) if young else (FINAL,)
    with storing():
        if identities is None:
            chosen = select(BATCH.c.id, BATCH.c.root).where(BATCH.c.state.in_(states)).order_by(BATCH.c.id)
            for batch in connection.execute(chosen).all():
                tree, rows = _tree(connection, batch.id)
                yield from (_anchored(row, batch.root, tree) for row in rows if row.kind == SEAL)
            return
        places = _places(connection, set(identities), states)
        for number, found in groupby(places, key=lambda row: row.batch_id):
            tree, _ = _tree(connection, number)
            yield from (_anchored(row, row.root, tree) for row in found)


def _places(connection: Connection, wanted: set[Identity], states: Collection[str]) -> list[Row[Any]]:
    """The wanted seals' leaves, batch by batch."""
    uids = sorted({uid for _, uid in wanted})
    joined = select(*LEAF.c, BATCH.c.root).join(BATCH, LEAF.c.batch_id == BATCH.c.id)
    found: list[Any] = []
    for start in range(0, len(uids), _CHUNK):
        some = LEAF.c.uid.in_(uids[start : start + _CHUNK])
        found += connection.execute(joined.where(some, BATCH.c.state.in_(states))).all()
    return sorted((row for row in found if (row.attester, row.uid) in wanted), key=lambda row: (row.batch_id, row.id))


def _tree(connection: Connection, batch: int) -> tuple[AnchorTree, list[Row[Any]]]:
    rows = list(connection.execute(select(LEAF).where(LEAF.c.batch_id == batch).order_by(LEAF.c.id)))
    return AnchorTree([row.leaf for row in rows]), rows


def _anchored(row: Row[Any], root: bytes, tree: AnchorTree) -> AnchoredSeal:
    identity = Address(row.attester), Digest(row.uid)
    return AnchoredSeal(*identity, Digest(row.signature_hash), Digest(root), tree.proof(row.leaf))


def leaf_proof(connection: Connection, leaf: Digest) -> tuple[Digest, AnchorProof] | None:
    """(root, proof) of any value of an anchor that is final, an audit statement's say; None while there is none.

    Raises:
        QueueError: `queue_unavailable`.
    """
    with storing():
        joined = select(LEAF.c.batch_id, BATCH.c.root).join(BATCH, LEAF.c.batch_id == BATCH.c.id)
        row = connection.execute(joined.where(LEAF.c.leaf == leaf, BATCH.c.state == FINAL)).first()
        if row is None:
            return None
        return Digest(row.root), _tree(connection, row.batch_id)[0].proof(leaf)
