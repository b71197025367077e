# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title What every resolver has: its EAS, which alone may call, and no wish for ether.
"""

EAS: immutable(address)


@deploy
def __init__(eas: address):
    assert eas.is_contract, "EasMissing"
    EAS = eas


@view
@internal
def _only_eas():
    assert msg.sender == EAS, "CallerNotEas"


@view
@external
def eas() -> address:
    return EAS


@pure
@external
def isPayable() -> bool:
    return False


@pure
@external
def version() -> String[5]:
    # The interface of SchemaResolver.sol as it stands in eas-contracts 1.4.0.
    return "1.4.0"
