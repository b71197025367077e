"""Proofs out of the queue: their file, what it refuses, pages, and the recount."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, update

from chartseal import _core
from chartseal.attestation import Digest, Domain, LocalSigner, recover_offchain, sign_offchain
from chartseal.chain.anchors import (
    AnchoredSeal,
    AnchorFile,
    AnchorQueue,
    AnnouncementPage,
    implied_root,
    leaf_proof,
    open_queue,
    proofs,
    read_pages,
    read_proofs,
    reading,
    recount,
    statement_leaf,
    writing,
)
from chartseal.chain.anchors.tables import ANNOUNCEMENT, BATCH, FINAL, LEAF, MINED, STATEMENT
from chartseal.chain.contract import Contract
from chartseal.chain.deploy import deploy
from chartseal.errors import LimitError, PackageError
from chartseal.sealing import SealedRecord
from chartseal.verification.chain import AnchorProof
from tests.anchoring import records, worker
from tests.chain import Local
from tests.charts import DOMAIN

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def sealed() -> list[SealedRecord]:
    return records(DOMAIN, 7, at=NOW)


@pytest.fixture
def filled(engine: Engine, sealed: list[SealedRecord]) -> Engine:
    """Two batches of the records and a statement, final, and one record that waits."""
    queue = AnchorQueue(DOMAIN)
    with writing(engine) as connection:
        for some in (sealed[:2], sealed[2:6]):
            queue.add(connection, some)
            queue.add_statement(connection, b"statement %d" % len(some), b"signature")
            queue.close(connection, now=NOW, period=None)
        connection.execute(update(BATCH).values(state=FINAL, timestamp=5))
        queue.add(connection, sealed[6:])
    return engine


def test_proofs_lead_from_each_seal_to_its_anchor(filled: Engine, sealed: list[SealedRecord]) -> None:
    with reading(filled) as connection:
        everything = list(read_proofs(connection))
        some = list(read_proofs(connection, [(each.attester, each.uid) for each in (*sealed[1:3], sealed[6])]))
    by_uid = {each.uid: each for each in everything}
    assert set(by_uid) == {record.uid for record in sealed[:6]}
    assert {each.uid for each in some} == {record.uid for record in sealed[1:3]}
    assert all(each == by_uid[each.uid] for each in some)
    for record in sealed[:6]:
        found = by_uid[record.uid]
        assert found.proof.root(recover_offchain(record.package)) == found.root
    assert len({each.root for each in everything}) == 2


def test_young_anchors_count_only_on_request(filled: Engine) -> None:
    with writing(filled) as connection:
        connection.execute(update(BATCH).values(state=MINED))
        assert list(read_proofs(connection)) == []
        assert len(list(read_proofs(connection, young=True))) == 6
        assert leaf_proof(connection, statement_leaf(b"statement 2", b"signature")) is None
        assert list(read_pages(connection)) == []


def test_a_statement_and_a_page_have_proofs_too(filled: Engine, sealed: list[SealedRecord]) -> None:
    leaf = statement_leaf(b"statement 4", b"signature")
    with reading(filled) as connection:
        found = leaf_proof(connection, leaf)
        both = list(read_pages(connection))
        assert list(read_pages(connection, since=6)) == []
        assert leaf_proof(connection, statement_leaf(b"another", b"signature")) is None
    assert found is not None
    assert implied_root(leaf, found[1]) == found[0]
    announced = [sorted(each.announcement or b"" for each in some) for some in (sealed[:2], sealed[2:6])]
    assert [page.entries for page in both] == announced
    assert [AnnouncementPage.from_json(page.to_json()) for page in both] == both


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"page": "0x" + "00" * 34}, "anchor_path"),
        ({"page": "0x"}, "page_order"),
        ({"page": "0x" + "00" * 33}, "page_order"),
        ({"page": "0x" + "00" * 68}, "page_order"),
        ({"root": "0x" + "00" * 32}, "anchor_path"),
        ({"path": []}, "anchor_path"),
        ({"path": ["0x00"]}, "package_malformed"),
        ({"time": -1}, "package_malformed"),
        ({"time": True}, "package_malformed"),
    ],
)
def test_a_page_that_does_not_stand_under_its_root_is_refused(
    filled: Engine, change: dict[str, Any], code: str
) -> None:
    with reading(filled) as connection:
        [page, _] = read_pages(connection)
    text = json.dumps({**json.loads(page.to_json()), **change}).encode()
    with pytest.raises(PackageError) as caught:
        AnnouncementPage.from_json(text)
    assert caught.value.code == code


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"root": 1}', b"\xff"])
def test_what_is_no_page_is_refused(text: bytes) -> None:
    with pytest.raises(PackageError):
        AnnouncementPage.from_json(text)


# The file


@pytest.fixture(scope="module")
def anchored(sealed: list[SealedRecord], tmp_path_factory: pytest.TempPathFactory) -> AnchorFile:
    engine = open_queue(str(tmp_path_factory.mktemp("file") / "queue.db"))
    with writing(engine) as connection:
        AnchorQueue(DOMAIN).add(connection, sealed)
        AnchorQueue(DOMAIN).close(connection, now=NOW, period=None)
        connection.execute(update(BATCH).values(state=FINAL))
        return AnchorFile.of(read_proofs(connection))


def test_a_file_comes_back(anchored: AnchorFile, sealed: list[SealedRecord], tmp_path: Path) -> None:
    path = tmp_path / "anchors.ndjson"
    path.write_bytes(anchored.to_ndjson() + b"\n")
    again = AnchorFile.load(path)
    assert again.to_ndjson() == anchored.to_ndjson()
    assert set(again.anchors) == {(record.attester, record.uid) for record in sealed}
    assert again.anchors == anchored.anchors


def test_a_trimmed_file_has_the_proofs_of_those_seals_alone(anchored: AnchorFile, sealed: list[SealedRecord]) -> None:
    other = records(DOMAIN, 1, at=NOW)
    trimmed = anchored.trim(record.package for record in (*sealed[2:4], *other))
    assert set(trimmed.anchors) == {(record.attester, record.uid) for record in sealed[2:4]}


def test_seals_that_differ_in_their_signature_alone_are_told_apart(anchored: AnchorFile) -> None:
    first = anchored.entries[0]
    twin = replace(first, signature_hash=Digest(b"\x01" * 32), proof=AnchorProof(()))
    both = AnchorFile.of([twin, *anchored.entries, first])
    assert len(both.entries) == len(anchored.entries) + 1
    assert both.anchors[first.identity] == twin.proof


def test_a_proof_without_a_signature_hash_stands_for_the_seal(anchored: AnchorFile, sealed: list[SealedRecord]) -> None:
    bare = [replace(each, signature_hash=None) for each in anchored.entries]
    read = AnchorFile.read(BytesIO(AnchorFile.of(bare).to_ndjson()))
    assert read.trim([sealed[0].package]).anchors[sealed[0].attester, sealed[0].uid]


@pytest.mark.parametrize(
    "change",
    [
        {"attester": "0x00"},
        {"attester": "0x" + "aB" * 20},
        {"uid": "0x" + "00" * 31},
        {"uid": "0x" + "00" * 32},
        {"uid": None},
        {"signatureHash": "0x" + "00" * 32},
        {"signatureHash": 0},
        {"root": "0x" + "00" * 32},
        {"path": "0x"},
        {"path": ["0x" + "00" * 32]},
        {"path": ["0x" + "00" * 32] * 65},
    ],
)
def test_a_malformed_line_is_refused_with_its_number(anchored: AnchorFile, change: dict[str, Any]) -> None:
    lines = anchored.to_ndjson().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), **change}).encode()
    with pytest.raises(PackageError) as caught:
        AnchorFile.read(BytesIO(b"\n".join(lines)))
    assert caught.value.path.startswith("anchors line 3")


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b'{"a":1,"a":2}', b"[" * 500])
def test_what_is_no_line_is_refused(line: bytes) -> None:
    with pytest.raises(PackageError):
        AnchorFile.read(BytesIO(line))


def test_limits_hold(anchored: AnchorFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    line = anchored.entries[0].to_json()
    padded = line[:-1] + b" " * (8_192 - len(line)) + b"}"
    assert AnchoredSeal.from_json(padded) == anchored.entries[0]
    for text in (padded[:-1] + b" }", b"\n\n" + padded[:-1] + b" " * 9_000 + b"}"):
        with pytest.raises(LimitError):
            AnchorFile.read(BytesIO(text))
    monkeypatch.setattr(proofs, "MOST_LINES", 6)
    with pytest.raises(LimitError):
        AnchorFile.read(BytesIO(anchored.to_ndjson()))
    with pytest.raises(PackageError) as caught:
        AnchorFile.load(tmp_path / "none")
    assert caught.value.code == "file_unreadable"


# The recount


def spoil_leaf(connection: Any) -> None:
    connection.execute(delete(LEAF).where(LEAF.c.kind == STATEMENT))


def spoil_page(connection: Any) -> None:
    one = ANNOUNCEMENT.c.id.in_([1])
    connection.execute(update(ANNOUNCEMENT).where(one).values(entry=bytes(34)))


def spoil_root(connection: Any) -> None:
    connection.execute(update(BATCH).values(root=bytes(32)))


def spoil_time(connection: Any) -> None:
    connection.execute(update(BATCH).values(timestamp=7))


@pytest.mark.parametrize("spoil", [spoil_leaf, spoil_page, spoil_root, spoil_time])
def test_a_recount_finds_what_does_not_hold_together(
    local: Local, tmp_path: Path, spoil: Callable[[Any], None]
) -> None:
    engine = open_queue(str(tmp_path / "queue.db"))
    queue, some = AnchorQueue(local.deployment.domain()), records(local.deployment.domain(), 4)
    with writing(engine) as connection:
        queue.add(connection, some)
        queue.add_statement(connection, b"statement", b"signature")
    worker(engine, local.sender(), local.deployment).step()
    with writing(engine) as connection:
        assert recount(connection, some, local.node, local.deployment).is_whole
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        spoil(connection)
        found = recount(connection, some, local.node, local.deployment)
        connection.rollback()
    assert (found.anchored, found.wrong, found.is_whole) == (0, 1, False)


def test_a_recount_tells_what_waits_what_is_missing_and_what_is_in_two_queues(local: Local, tmp_path: Path) -> None:
    engine = open_queue(str(tmp_path / "queue.db"))
    domain = local.deployment.domain()
    some, other = records(domain, 5), records(Domain("1.4.0", 5, domain.contract), 1)
    with writing(engine) as connection:
        AnchorQueue(domain).add(connection, some[:3])
    worker(engine, local.sender(), local.deployment).step()
    with writing(engine) as connection:
        AnchorQueue(domain).add(connection, some[3:4])
        AnchorQueue(other[0].package.domain).add(connection, other)
        found = recount(connection, [*some, *some, *other], local.node, local.deployment)
        assert found[:5] == (6, 3, 1, 2, 0)
        connection.execute(update(LEAF).where(LEAF.c.uid == other[0].uid).values(leaf=leaf_of(connection, some[0])))
        assert recount(connection, some, local.node, local.deployment).doubled == 1


def leaf_of(connection: Any, record: SealedRecord) -> bytes:
    found: bytes = connection.execute(LEAF.select().where(LEAF.c.uid == record.uid)).one().leaf
    return found


def test_a_proof_verifies_on_the_chain_through_nothing_but_the_file(local: Local, tmp_path: Path) -> None:
    engine = open_queue(str(tmp_path / "queue.db"))
    some = records(local.deployment.domain(), 3)
    with writing(engine) as connection:
        AnchorQueue(local.deployment.domain()).add(connection, some)
    worker(engine, local.sender(), local.deployment).step()
    with reading(engine) as connection:
        text = AnchorFile.of(read_proofs(connection)).to_ndjson()
    anchors = AnchorFile.read(BytesIO(text)).anchors
    eas = Contract.load("eas").at(local.deployment.eas)
    verifier = deploy(local.sender(), "anchor_verifier", local.deployment.eas)
    contract = Contract.load("anchor_verifier").at(verifier.address)
    for record in some:
        seal = recover_offchain(record.package)
        proof = anchors[seal.attester, seal.uid]
        existed = local.node.read(eas.read("getTimestamp", proof.root(seal)))
        assert abs(existed - datetime.now(UTC).timestamp()) < 86_400
        known = (seal.uid, _core.keccak256(seal.signature), proof.siblings)
        assert local.node.read(contract.read("existedBy", *known)) == existed
        forged = sign_offchain(seal.message, seal.domain, LocalSigner(b"\x12" * 32))
        other = anchors[seal.attester, seal.uid].root(recover_offchain(forged))
        assert local.node.read(eas.read("getTimestamp", other)) == 0
