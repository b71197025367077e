"""Transactions of one key: fees under caps, nonces for many workers, replacement of what is stuck.

In: writes and a signer. Out: what their receipts say, each write sent once, whoever else uses the key.

    sender = Sender(node, signer, fees=FeePolicy(max_fee_per_gas=50 * 10**9))
    uid = sender.send(operations.attest(request))
    results = sender.send_each(writes)
"""

from chartseal.chain.sending.fees import FeePolicy, Fees, GasPolicy
from chartseal.chain.sending.outbox import SendPolicy
from chartseal.chain.sending.sender import AsyncSender, Sender, batches

__all__ = ["AsyncSender", "FeePolicy", "Fees", "GasPolicy", "SendPolicy", "Sender", "batches"]
