"""Keys of holders, issuers and authorities.

In: 24 words, a provider's challenge, a record's `enc`. Out: a sealing address, signatures, key files.

    wallet = Wallet.generate()
    delivery = deliver(wallet.sealing_address())
    assert wallet.receive(delivery.enc).subject == delivery.subject
"""

from chartseal.keys.address import SealingAddress
from chartseal.keys.answers import Answers, GivenAnswer
from chartseal.keys.authority import AuthorityKey
from chartseal.keys.card import IssuerCard
from chartseal.keys.delivery import DeliveryReceipt, Inbox, deliver, matches
from chartseal.keys.issuer import IssuerKey
from chartseal.keys.proxy import ProxyKey
from chartseal.keys.registration import Challenge, verify_registration
from chartseal.keys.successor import SuccessorNotice, verify_successor
from chartseal.keys.view import ViewKey
from chartseal.keys.wallet import Received, Wallet

__all__ = [
    "Answers",
    "AuthorityKey",
    "Challenge",
    "DeliveryReceipt",
    "GivenAnswer",
    "Inbox",
    "IssuerCard",
    "IssuerKey",
    "ProxyKey",
    "Received",
    "SealingAddress",
    "SuccessorNotice",
    "ViewKey",
    "Wallet",
    "deliver",
    "matches",
    "verify_registration",
    "verify_successor",
]
