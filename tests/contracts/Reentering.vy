# pragma version 0.4.3
"""
@title A payee that, when it is paid, asks to be paid again, for tests
"""

interface ICredit:
    def withdraw(): nonpayable

CREDIT: immutable(address)
attempts: public(uint256)


@deploy
def __init__(credit: address):
    CREDIT = credit


@external
def withdraw():
    extcall ICredit(CREDIT).withdraw()


@payable
@external
def __default__():
    self.attempts += 1
    succeeded: bool = raw_call(CREDIT, method_id("withdraw()"), revert_on_failure=False)
    assert not succeeded, "paid twice"
