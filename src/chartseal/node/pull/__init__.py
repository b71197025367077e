"""Pull: ask another node, and verify here all of what it answers before anything of it is shown.

In: an HTTP client, the node, what is asked, a trust policy, consents. Out: verified facts, and what was not proved.

    peer = Peer(custodian=account, base="https://hospital.example/fhir")
    pulled = pull(httpx.Client(), peer, everything_of("42"), trust, consent=check, consents=[document], now=now)
    for fact in pulled.facts: ...

Nothing but verified facts is in what is returned: of a resource's own text only whether it tells the same.
"""

from chartseal.node.pull.pages import HttpClient, Peer, PullLimits
from chartseal.node.pull.pulling import Pulled, RefusedRecord, State, ToldState, pull
from chartseal.node.pull.questions import everything_of, everything_under, search

__all__ = [
    "HttpClient",
    "Peer",
    "PullLimits",
    "Pulled",
    "RefusedRecord",
    "State",
    "ToldState",
    "everything_of",
    "everything_under",
    "pull",
    "search",
]
