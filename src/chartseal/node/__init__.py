"""A provider's node: its vault, answered from over HTTP to those whom the patient allows.

In: requests of authenticated callers. Out: answers, each after one stage was called; errors with the library's codes.
"""
