"""What makes a node part of the network: who is accredited, who gets in, what patients allow, what is answered.

with opened(settings, settings.network, provider) as network:
parts = Parts(settings, routers=network.routers, custodian=network.account)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from fastapi import APIRouter

from chartseal.attestation import Address
from chartseal.consent import SitePolicy
from chartseal.consent.store import ConsentStore
from chartseal.disclosure import Selection, answer_record, everything
from chartseal.errors import NodeSettingsError
from chartseal.keys import IssuerKey
from chartseal.keys.contents import ContentKeys
from chartseal.node.caller import Admission, authenticated
from chartseal.node.client_auth import PeerTokens
from chartseal.node.consents import Gates, Pointers, consents_router
from chartseal.node.fhir import Answers, Cursors, capability_statement, fhir_router
from chartseal.node.health import Check
from chartseal.node.provider import Provider
from chartseal.node.rates import Identify
from chartseal.node.registry import accreditations_of
from chartseal.node.settings import NetworkSettings, Settings
from chartseal.node.smart import (
    CLIENT_KEYS,
    TOKEN_KEYS,
    Accreditations,
    Assertions,
    Clients,
    Grants,
    KeySets,
    Reach,
    RegisteredClient,
    Replays,
    SigningKeys,
    SmartParts,
    Tokens,
    smart_router,
    token_url,
)
from chartseal.sealing import SealedRecord
from chartseal.vault.keys import KeyProvider, open_keys

CONSENT_CONTENTS, CONSENT_LOOKUP, CURSORS = "consentcontents", "consentlookup", "cursors"
"""Secrets beside the signing keys: of the consents that are kept, and of the links between pages."""

_FULL_URL = "chartseal.fullUrl"
_LARGEST_POLICY = 1 << 20


@dataclass(frozen=True)
class Network:
    """The opened parts."""

    account: Address
    """Whose accreditation this node answers by."""
    routers: tuple[APIRouter, ...]
    checks: dict[str, Check]
    identify: Identify


def network_keys(settings: Settings, network: NetworkSettings, passphrase: str) -> KeyProvider:
    """Where the network's keys are, opened.

    Raises:
        VaultKeyError, WrongPassphraseError: as `open_keys`.
    """
    return open_keys(settings.place_at(network.keys), lambda: passphrase)


def make_keys(keys: KeyProvider) -> bool:
    """Make the network's keys where they are missing; whether any was.

    Raises:
        VaultKeyError: they cannot be made.
    """
    there = set(keys.names())
    plain = [name for name in (CONSENT_CONTENTS, CONSENT_LOOKUP, CURSORS) if name not in there]
    numbered = [each for each in (CLIENT_KEYS, TOKEN_KEYS) if not any(name.startswith(f"{each}-") for name in there)]
    for name in plain:
        keys.make(name)
    for purpose in numbered:
        SigningKeys(keys, purpose).rotate()
    return bool(plain or numbered)


@contextmanager
def opened(settings: Settings, network: NetworkSettings, provider: Provider) -> Iterator[Network]:
    """The network's parts, until the block ends.

    Raises:
        NodeSettingsError: the vault keeps no index, or a file that a setting names cannot be read.
        ChainError, ConsentStoreError, AccessError, VaultKeyError, SitePolicyError, PolicyError: a part cannot be used.
    """
    if not provider.vault.settings.searchable:
        raise NodeSettingsError("a node answers from a vault that keeps an index", "settings_invalid", "vault.place")
    keys = network_keys(settings, network, settings.secret(settings.passphrase, "passphrase"))
    account, clock = provider.issuer.signer.address, provider.clock
    with ExitStack() as stack:
        contents = ContentKeys(keys.get(CONSENT_CONTENTS), keys.get(CONSENT_LOOKUP))
        consents = ConsentStore.open(settings.place_at(network.consents), contents, custodian=account)
        stack.callback(consents.close)
        replays = stack.enter_context(closing(Replays.open(settings.place_at(network.tokens))))
        accreditations = stack.enter_context(accreditations_of(settings, network))
        clients = _clients(settings, network, accreditations)
        tokens = Tokens(SigningKeys(keys, TOKEN_KEYS), issuer=settings.base_url, audience=f"{settings.base_url}/fhir")
        grants = Grants(Assertions(clients, replays, token_url(settings.base_url)), tokens)
        smart = SmartParts(grants, SigningKeys(keys, CLIENT_KEYS), settings.base_url, provider.issuer.signer, now=clock)
        admission = Admission(tokens, clients, now=clock)
        answers = Answers(provider.vault, Cursors(keys.get(CURSORS)), shown_record, f"{settings.base_url}/fhir/")
        fhir = fhir_router(
            answers,
            caller=authenticated(admission),
            gate=Gates(consents, _policy(settings, network), clock).of,
            clock=clock,
            capability=capability_statement(
                answers.base, published=clock().date(), token_url=token_url(settings.base_url)
            ),
            pointed=Pointers(consents, provider.vault, account, clock).patient_of,
        )
        checks: dict[str, Check] = {
            "chain": lambda: _look(accreditations.find(account, clock())),
            "consents": lambda: _look(consents.in_force([bytes(32)], clock())),
        }
        routers = (smart_router(smart), consents_router(consents, provider.vault, account, clock), fhir)
        yield Network(account, routers, checks, admission.identify)


@contextmanager
def asking(settings: Settings, network: NetworkSettings) -> Iterator[PeerTokens]:
    """What gets tokens from other nodes in this one's name, until the block ends.

    Raises:
        NodeSettingsError, ChainError, PolicyError, VaultKeyError, KeyFileError: a part cannot be used.
    """
    passphrase = settings.secret(settings.passphrase, "passphrase")
    account = IssuerKey.load(settings.at(settings.issuer.key), passphrase).signer.address
    keys, reach = network_keys(settings, network, passphrase), Reach(allows_loopback=network.allow_loopback)
    with accreditations_of(settings, network) as accreditations:
        yield PeerTokens(account, SigningKeys(keys, CLIENT_KEYS), accreditations, KeySets(reach), reach)


def _look(_: object) -> None:
    """What was found says nothing of whether the place that was asked works."""


def shown_record(record: SealedRecord, opened: Selection | None) -> bytes:
    """The answer record of what is shown: of a whole one also its URL, by which references resolve where it is read."""
    control = ["fullUrl"] if any(each.name == _FULL_URL for each in record.fields) else []
    return answer_record(record, everything(record, control=control) if opened is None else opened)


def _clients(settings: Settings, network: NetworkSettings, accreditations: Accreditations) -> Clients:
    names = [each.id for each in network.clients]
    if len(set(names)) != len(names):
        raise NodeSettingsError("two clients have one id", "settings_invalid", "network.clients")
    registered = {
        each.id: RegisteredClient.from_file(
            each.id,
            settings.at(each.keys),
            each.scopes,
            roles=frozenset(each.roles),
            account=each.address,
        )
        for each in network.clients
    }
    key_sets = KeySets(Reach(allows_loopback=network.allow_loopback))
    return Clients(accreditations, key_sets, registered=lambda: MappingProxyType(registered))


def _policy(settings: Settings, network: NetworkSettings) -> SitePolicy:
    """What the site's law permits without a consent: nothing, where no file says otherwise."""
    if network.policy is None:
        return SitePolicy()
    try:
        with settings.at(network.policy).open("rb") as stream:
            text = stream.read(_LARGEST_POLICY + 1)
    except OSError as exc:
        detail = f"the site's policy cannot be read: {exc.strerror}"
        raise NodeSettingsError(detail, "settings_invalid", "network.policy") from None
    if len(text) > _LARGEST_POLICY:
        raise NodeSettingsError("the site's policy is too long", "settings_invalid", "network.policy")
    return SitePolicy.from_toml(text)
