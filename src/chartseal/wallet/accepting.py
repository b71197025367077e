"""Accepting: what a wallet checks before it keeps a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chartseal.attestation import recover_offchain
from chartseal.errors import ChainError, ChartsealError, DeliveryError, KeyFileError, WalletStoreError
from chartseal.keys import Answers, Wallet
from chartseal.sealing import SealedRecord
from chartseal.verification import ChainView
from chartseal.wallet.scanning import GENERAL, OwnAddress, require_own
from chartseal.wallet.store import Held, Parcel, WalletStore


@dataclass(frozen=True)
class Acceptance:
    """What became of one candidate: kept, or why not. `revocation` says whether the chain was asked."""

    held: Held
    error: ChartsealError | None = None
    revocation: str = "not checked"

    @property
    def is_kept(self) -> bool:
        """Whether the wallet has it now."""
        return self.error is None


def accept(
    store: WalletStore,
    wallet: Wallet,
    candidates: Iterable[Held],
    answers: Answers,
    *,
    chain: ChainView | None = None,
    tell: Callable[[Acceptance], None] | None = None,
) -> list[Acceptance]:
    """Check candidates and keep those that hold: a refused one stays a candidate, to be looked at or erased.

    Checked are the fields against the sealed root, the claims, slots, names and pads, the seal's signature, the
    credential, that the subject is the one that this wallet computes, that its claimId stands for no other event, and,
    where a chain is given, that its attester did not revoke it. `tell` hears of each as soon as it is settled: what was
    kept stays so, also where the chain fails at a later one.

    Raises:
        ChainError: as the view.
        WalletStoreError, KeyFileError: the store or the memory of answers cannot be used.
    """
    found = []
    for held in candidates:
        try:
            told = _check(wallet, held, answers, chain)
            store.keep(held)
        except (ChainError, KeyFileError):
            raise
        except ChartsealError as exc:
            found.append(Acceptance(held, exc))
        else:
            found.append(Acceptance(held, revocation=told))
        if tell is not None:
            tell(found[-1])
    return found


def take_in(
    store: WalletStore, wallet: Wallet, record: SealedRecord, addresses: Sequence[OwnAddress] = (GENERAL,)
) -> Held:
    """Hold a record that came as a file, as a candidate.

    Raises:
        DeliveryError: `address_not_ours`: it was sealed to none of these addresses; `delivery_refused`.
        WalletStoreError: `record_repeated`, or the store cannot be used.
        KeyFormatError: `enc_invalid`.
        ChartsealError: it does not hold, as `SealedRecord.check` says.
    """
    for own in addresses:
        if record.address == str(wallet.sealing_address(*own)):
            received = wallet.receive(record.enc, address=own.address, epoch=own.epoch)
            parcel = Parcel(record.enc, received.locator, *own, "")
            require_own(wallet, record, parcel)
            return store.add(record, parcel)
    raise DeliveryError("the record was sealed to none of the addresses", "address_not_ours")


def _check(wallet: Wallet, held: Held, answers: Answers, chain: ChainView | None) -> str:
    record = held.record
    require_own(wallet, record, held.parcel)
    told = _revocation(record, chain)
    if record.credential is not None:
        answers.hold(record.credential.claim_id, record.event)
    return told


def _revocation(record: SealedRecord, chain: ChainView | None) -> str:
    if chain is None:
        return "not checked"
    seal = recover_offchain(record.package)
    if chain.revocation(record.package.domain, seal.attester, seal.uid, frozenset()) is not None:
        raise WalletStoreError("the seal is revoked", "seal_revoked")
    return "not revoked"
