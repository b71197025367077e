"""A provider's node: who may ask it for what, over HTTP, and how it asks others.

In: requests of accredited or registered clients. Out: answers, each after one stage was called; errors with the
library's own codes.
"""
