# pragma version 0.4.3
"""
@title Deploys wallets at addresses that are known beforehand (CREATE2), for tests
"""


@external
def make(code: Bytes[8192]) -> address:
    return raw_create(code, salt=empty(bytes32))
