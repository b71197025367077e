"""Dispense credits: a contract that pays pharmacies for dispensings that patients prove, without knowing them.

In: a question, an amount, presentations. Out: a contract, funded; each use credited once to the payee it was made for.

    deployed = deploy_credit(sender, verifier, question, Terms(amount_wei, role_bits(["pharmacy"]), funder))
    credit = Credit.at(node, deployed.address)
    redeemed = credit.redeem(sender, presentation)

The contract is an example, contracts/DispenseCredit.vy; what it promises stands in docs/contracts.md.
"""

from chartseal.chain.credits.credit import Credit, Redeemed, Status
from chartseal.chain.credits.deploying import Verifiers, deploy_credit, deploy_verifiers
from chartseal.chain.credits.terms import Terms

__all__ = ["Credit", "Redeemed", "Status", "Terms", "Verifiers", "deploy_credit", "deploy_verifiers"]
