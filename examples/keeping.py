"""Keeping in the demo: a hospital's vault delivers to the patient's wallet; what is erased is gone from every byte."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from predicates import Scene, console
from sqlalchemy import select as select_one

from chartseal import present, select, verify
from chartseal.chain.anchors import AnchorQueue, AnchorWorker
from chartseal.chain.local.devnet import accounts
from chartseal.chain.sending.sender import Sender
from chartseal.chain.view import FactsView
from chartseal.errors import VaultError
from chartseal.keys import Answers, DeliveryReceipt
from chartseal.sealing import OnePatient, Source, seal_run
from chartseal.vault import DELIVERY_DAYS, Vault, VaultOutput
from chartseal.vault.audit import verify_log
from chartseal.vault.database import reading
from chartseal.vault.deliveries import accepted, publish
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.keys import open_keys
from chartseal.vault.tables import RECORD
from chartseal.verification import TrustedIssuer, VerifiedDisclosure
from chartseal.verification.report import OPTIONAL
from chartseal.wallet import CANDIDATE, KEPT, WalletStore, accept, open_mailbox, scan

CHART = Path(__file__).parent / "Olivia_Bauch_844ccbe1.json.gz"
CLINIC, CLERK, OPENED = "https://clinic.example", "records-office", "AllergyIntolerance.code"
NONCE = secrets.token_bytes(32)


def run(scene: Scene) -> None:
    """The stages, after those of adherence."""
    folder = scene.folder / "hospital"
    folder.mkdir()
    vault = Vault.create(str(folder / "vault.db"), open_keys(str(folder / "keys"), lambda: "demo"), now=scene.now())
    with WalletStore.open(scene.folder / "records", scene.wallet) as store:
        console.rule("15. A hospital seals into its vault and announces; the patient's wallet finds it", align="left")
        deliver(scene, vault, folder / "mailbox")
        receive(scene, vault, store, folder / "mailbox")
        console.rule("16. The patient shows a clinic her allergies, out of her wallet", align="left")
        shown = show(scene, store)
        console.rule("17. She has one erased, at the hospital and at home: it is gone", align="left")
        forget(scene, vault, store, shown)
    vault.close()


def deliver(scene: Scene, vault: Vault, mailbox: Path) -> None:
    """Sealed, encrypted, anchored, announced."""
    issuing, queue = scene.hospital.issuing(places=scene.statuses), AnchorQueue(scene.deployment.domain())
    output = VaultOutput(vault, CLERK, scene.now, queue, DELIVERY_DAYS)
    sealed = seal_run(Source(CHART), issuing, OnePatient(scene.wallet.sealing_address().data), output).sealed
    sender = Sender(scene.node, accounts()[2])
    AnchorWorker(vault.engine, scene.node, sender, scene.deployment, period=None).step()
    done = publish(vault, mailbox, actor=CLERK, now=scene.now())
    console.print(
        f"{sealed} records in the vault, {done.pages} page of announcements, {done.new} ciphertexts to fetch."
    )


def receive(scene: Scene, vault: Vault, store: WalletStore, mailbox: Path) -> None:
    """Found among announcements, checked, kept; the hospital deletes what was delivered."""
    found = scan(store, scene.wallet, [open_mailbox(str(mailbox))])
    with Answers.open(scene.folder / "answers of the kept", scene.wallet) as answers:
        done = accept(store, scene.wallet, store.records(CANDIDATE), answers, chain=FactsView([scene.facts()]))
    kept = [each.held for each in done if each.is_kept]
    receipts = [DeliveryReceipt.of(each.parcel.locator, each.record.seed) for each in kept]
    gone = accepted(vault, receipts, actor=CLERK, now=scene.now()).deleted
    console.print(
        f"{found.matched} announcements matched, {len(kept)} records checked and kept, {gone} deliveries deleted."
    )


def show(scene: Scene, store: WalletStore) -> bytes:
    """As ever, from what the wallet keeps."""
    records, now = [held.record for held in store.records(KEPT)], scene.now()
    expires_at = now + timedelta(minutes=10)
    selection = select(records, [OPENED])
    shown = present(selection, scene.wallet, audience=CLINIC, nonce=NONCE, expires_at=expires_at, now=now)
    verified = check(scene, shown.to_json())
    console.print(f"{len(verified.records)} records verified, of {len(records)} that the wallet keeps.")
    return shown.to_json()


def check(scene: Scene, shown: bytes) -> VerifiedDisclosure:
    """The clinic takes this hospital's word by name."""
    issuer = TrustedIssuer(scene.hospital.signer.address, "Example hospital")
    trust = replace(scene.trust, issuers=(issuer,), required=scene.trust.required - {OPTIONAL["anchor"]})
    return verify(shown, trust, audience=CLINIC, nonce=NONCE, now=scene.now(), chain=FactsView([scene.facts()]))


def forget(scene: Scene, vault: Vault, store: WalletStore, shown: bytes) -> None:
    """Key, ciphertext and terms go; the tombstone, the log and what others were shown stay."""
    held = next(each for each in store.records(KEPT) if each.record.resource_type == "AllergyIntolerance")
    identity = (held.record.attester, held.record.uid)
    with reading(vault.engine) as connection:
        row = select_one(RECORD.c.blob).where(RECORD.c.uid == held.record.uid)
        ciphertext = vault.blobs.get(connection, bytes(connection.scalars(row).one()))
    console.print(
        f"before: {found_in(scene.folder / 'hospital', ciphertext)} of the hospital's files hold its ciphertext"
    )
    erase(vault, [vault.entry(*identity)], basis=Basis.PATIENT_REQUEST, actor=CLERK, now=scene.now())
    store.erase(held.number)
    console.print(f"after: {found_in(scene.folder / 'hospital', ciphertext)} of them do")
    try:
        vault.get(*identity, actor=CLERK, now=scene.now())
    except VaultError as error:
        console.print(f"asked for it again, the vault says {error.code}; what she showed before still verifies:")
    else:
        raise SystemExit("what was erased was given out")
    console.print(f"{len(check(scene, shown).records)} records verified.")
    with reading(vault.engine) as connection:
        checked = verify_log(connection, now=scene.now())
    console.print(f"The audit log of {checked.entries} entries is whole.")


def found_in(folder: Path, ciphertext: bytes) -> int:
    """How many files hold a part of it: SQLite spreads a long one over its pages."""
    part = ciphertext[:64]
    return sum(part in file.read_bytes() for file in folder.rglob("*") if file.is_file())
