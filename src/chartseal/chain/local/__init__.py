"""A chain of one's own: anvil as a child process, with EAS deployed; kept in a folder, or gone when it ends.

In: a folder, or nothing. Out: a URL, a deployment, accounts with money whose keys everybody knows.

    with Devnet() as devnet:
        Sender(devnet.node, accounts()[0]).send(...)
"""

from chartseal.chain.local.devnet import CHAIN_ID, Devnet, accounts, deploy_eas, find_anvil, fund
from chartseal.chain.local.kept import KeptChain

__all__ = ["CHAIN_ID", "Devnet", "KeptChain", "accounts", "deploy_eas", "find_anvil", "fund"]
