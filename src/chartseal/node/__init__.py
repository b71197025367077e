"""A provider's node: it answers from its vault to those whom the patient allows, and asks others.

In: requests, and other nodes' answers. Out: answers after one stage was called, and facts that were verified here.
"""
