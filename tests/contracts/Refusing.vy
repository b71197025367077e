# pragma version 0.4.3
"""
@title A payee that takes no ether, for tests
"""


@external
def withdraw(credit: address):
    raw_call(credit, method_id("withdraw()"))
