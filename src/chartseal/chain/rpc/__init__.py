"""A chain's node over JSON-RPC: requests, batches, complete logs, contracts' refusals by name.

In: a node's URL. Out: typed answers, of one block where that is asked, or a NodeError: nothing follows from silence.

    node = Node("http://127.0.0.1:8545", chain_id=31337)
    node.read(eas.read("getTimestamp", root), block=node.block().hash)
    for found in log_ranges(node, LogFilter.of([deployment.eas], []), first, last): ...

What is said to a node stands once, in generators (`dialogue`); `exchange` carries them, waiting or not.
"""

from chartseal.chain.rpc.filters import LogFilter
from chartseal.chain.rpc.logs import LogRange, complete_logs, log_ranges
from chartseal.chain.rpc.node import AsyncNode, Node, Which

__all__ = ["AsyncNode", "LogFilter", "LogRange", "Node", "Which", "complete_logs", "log_ranges"]
