"""Steps 10 and 11 of a disclosure: every record's holder made it, for us, for this request, and in time."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chartseal import _core
from chartseal.attestation import Digest
from chartseal.disclosure.delegation import Delegation
from chartseal.disclosure.form import UnverifiedDisclosure
from chartseal.errors import AudienceError, HolderError
from chartseal.verification.content import Content, refusing
from chartseal.verification.inside import Inside
from chartseal.verification.report import Proxy, Report
from chartseal.verification.seals import Setting

_LAST_MOMENT = 253_402_300_799


class NonceStore(Protocol):
    """The nonces that a verifier gave out, each good for one disclosure."""

    def spend(self, nonce: bytes, expires_at: datetime) -> bool:
        """Whether this nonce was given out and is spent now for the first time; must be atomic."""


@dataclass(frozen=True)
class Holders:
    """Who stands behind a disclosure: the holder of each record, or her proxy, signed it for one request."""

    disclosure: UnverifiedDisclosure
    setting: Setting
    audience: str | None
    """Ours, or None where we do not know it; likewise the nonce that we gave."""
    nonce: bytes | None
    has_store: bool
    """Whether a store of nonces will be asked."""

    def check(self, contents: Sequence[Content], report: Report) -> list[Proxy | None]:
        """Both steps, as `Vouching`.

        Raises:
            HolderError, AudienceError, NotCheckedError.
        """
        shown, now = self.disclosure, self.setting.now
        subjects = [content.word("subject") for content in contents]
        signers = check_signatures(shown, subjects, now, proxies=self.setting.trust.proxies)  # 10. made by the holders
        report.checked(10, "; ".join(filter(None, [Inside.of(shown).holder, _by_proxies(signers)])))
        problem = check_request(shown, self.audience, self.nonce, now, has_store=self.has_store)
        report.either(11, problem)  # 11. for us, now
        return signers


def _by_proxies(signers: Sequence[Proxy | None]) -> str:
    count = sum(signer is not None for signer in signers)
    return f"{count} of {len(signers)} records signed by a proxy" if count else ""


def check_signatures(
    disclosure: UnverifiedDisclosure, subjects: Sequence[bytes], now: datetime, *, proxies: bool
) -> list[Proxy | None]:
    """Each record's subject, or its proxy, signed the digest for this audience, nonce and expiry; records ascend.

    `proxies` tells whether proxies may. Who they are is returned, None where the holder signed.

    Raises:
        HolderError: `record_repeated`, `records_unordered`, a refused point, `signature_malformed`,
            `signature_invalid`; of a proxy `proxy_refused`, or as `Delegation.check`.
    """
    identities = [record.identity for record in disclosure.records]
    if len(set(identities)) != len(identities):
        raise HolderError("a record stands twice", "record_repeated", "records")
    if identities != sorted(identities):
        raise HolderError("records do not ascend by attester and uid", "records_unordered", "records")
    with refusing(HolderError, ""):
        digest = disclosure.digest()
    signers: list[Proxy | None] = []
    for at, (record, subject) in enumerate(zip(disclosure.records, subjects, strict=True)):
        with refusing(HolderError, f"records[{at}]"):
            proxy = None
            if record.delegation is not None:
                proxy = _proxy(record.delegation, subject, disclosure.audience, now, allowed=proxies)
            message = _message(disclosure, digest, subject)
            _core.verify_holder_signature(subject if proxy is None else proxy.key, message, record.signature)
        signers.append(proxy)
    return signers


def _proxy(delegation: Delegation, subject: bytes, audience: str, now: datetime, *, allowed: bool) -> Proxy:
    """Who signs in the holder's place, once its delegation holds."""
    if not allowed:
        raise HolderError("signed by a proxy, which the policy does not take", "proxy_refused")
    delegation.check(subject, audience, now)
    mandate = delegation.mandate
    return Proxy(mandate.proxy, mandate.until, mandate.of_age_at, mandate.audience)


def _message(disclosure: UnverifiedDisclosure, digest: Digest, subject: bytes) -> bytes:
    return _core.holder_message(digest, subject, disclosure.audience, disclosure.nonce, disclosure.expiry)


def check_request(
    disclosure: UnverifiedDisclosure,
    audience: str | None,
    nonce: bytes | None,
    now: datetime,
    *,
    has_store: bool,
) -> str:
    """Check expiry, and audience and nonce where the caller knows them; what it did not know, or an empty text.

    A store of nonces is asked by `spend_nonce`, once all else has held.

    Raises:
        AudienceError: `audience_mismatch`, `nonce_mismatch`, `disclosure_expired`.
    """
    if disclosure.expiry > _LAST_MOMENT or disclosure.expiry <= now.timestamp():
        raise AudienceError("the disclosure has expired", "disclosure_expired", "expiry")
    if audience is not None and disclosure.audience != audience:
        raise AudienceError("made for another verifier", "audience_mismatch", "audience")
    if nonce is not None and not secrets.compare_digest(disclosure.nonce, nonce):
        raise AudienceError("made for another request", "nonce_mismatch", "nonce")
    unknown = [] if audience is not None else ["audience"]
    if nonce is None and not has_store:
        unknown.append("nonce")
    return f"no {' and no '.join(unknown)} given to compare with" if unknown else ""


def spend_nonce(nonce: bytes, expires_at: datetime, nonces: NonceStore | None) -> None:
    """Spend a nonce, the last of all that is done: what is refused leaves it to whom it was given.

    Raises:
        AudienceError: `nonce_spent`.
    """
    if nonces is not None and not nonces.spend(nonce, expires_at):
        raise AudienceError("the nonce was not given out, or is spent", "nonce_spent", "nonce")
