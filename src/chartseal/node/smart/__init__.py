"""SMART Backend Services: clients prove who they are by a key, and get a short token for what they may ask.

In: a client's signed assertion with UDAP's `hl7-b2b` object. Out: a token with the scopes that were granted.

    clients = Clients(ChainAccreditations(facts, authorities), KeySets(Reach()))
    tokens = Tokens(SigningKeys(keys, TOKEN_KEYS), issuer=base_url, audience=base_url + "/fhir")
    grants = Grants(Assertions(clients, Replays.open("tokens.db"), token_url(base_url)), tokens)
    app.include_router(smart_router(SmartParts(grants, SigningKeys(keys, CLIENT_KEYS), base_url, signer)))
"""

from chartseal.node.smart.accreditations import Accreditations, ChainAccreditations, Member, Relocated
from chartseal.node.smart.assertions import Assertions
from chartseal.node.smart.b2b import B2b
from chartseal.node.smart.clients import Client, Clients, RegisteredClient
from chartseal.node.smart.endpoint import SmartParts, smart_router, token_url
from chartseal.node.smart.fetching import Reach
from chartseal.node.smart.grants import Grants
from chartseal.node.smart.key_sets import KeySets
from chartseal.node.smart.replays import Replays
from chartseal.node.smart.signing_keys import CLIENT_KEYS, TOKEN_KEYS, SigningKeys
from chartseal.node.smart.tokens import Tokens

__all__ = [
    "CLIENT_KEYS",
    "TOKEN_KEYS",
    "Accreditations",
    "Assertions",
    "B2b",
    "ChainAccreditations",
    "Client",
    "Clients",
    "Grants",
    "KeySets",
    "Member",
    "Reach",
    "RegisteredClient",
    "Relocated",
    "Replays",
    "SigningKeys",
    "SmartParts",
    "Tokens",
    "smart_router",
    "token_url",
]
