"""A process that timestamps so many roots, one transaction after the other, from one of the devnet's keys."""

from __future__ import annotations

import secrets
import sys

from chartseal.attestation import Address
from chartseal.chain.contract import Contract
from chartseal.chain.local.devnet import accounts
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender


def main() -> None:
    """Arguments: the node's URL, EAS's address in hex, the key's position, how many, and how many at once."""
    url, eas_hex, key, count, together = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    eas = Contract.load("eas").at(Address(bytes.fromhex(eas_hex)))
    sender = Sender(Node(url), accounts()[key])
    roots = [secrets.token_bytes(32) for _ in range(count)]
    for at in range(0, count, together):
        sender.send_many([eas.write("timestamp", root) for root in roots[at : at + together]])
    print("\n".join(root.hex() for root in roots))


if __name__ == "__main__":
    main()
