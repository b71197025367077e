"""`chartseal credit`: pay for dispensings that patients prove without being known, each use once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from chartseal.attestation import Address, Digest, checksum_address, to_hex
from chartseal.chain.credits import Credit, Redeemed, Terms, deploy_credit, deploy_verifiers
from chartseal.chain.credits.deploying import register
from chartseal.chain.deploy import Deployed, Deployments, save_deployments
from chartseal.chain.presentations import OnChainQuestion, audience_hash
from chartseal.chain.schemas import ROLES, role_bits, roles_of
from chartseal.chain.sending.sender import Sender
from chartseal.circuits import manifest
from chartseal.circuits.entries import KeyEntry
from chartseal.circuits.verifying import verification_key
from chartseal.cli.addresses import Account
from chartseal.cli.chain_deploy import known_deployments
from chartseal.cli.chain_options import Chain, Signing, key_options
from chartseal.cli.chain_state import json_option, placed
from chartseal.cli.files import parse_disclosure, read_disclosure
from chartseal.cli.questions import read_policies
from chartseal.errors import CircuitKeyError, CreditError

_FILE = click.Path(dir_okay=False, path_type=Path)
_MOST = 2**96
_at = click.option(
    "--credit",
    "at",
    type=Account(),
    required=True,
    envvar="CHARTSEAL_CREDIT",
    metavar="ADDRESS",
    help="The contract (else CHARTSEAL_CREDIT).",
)


class Wei(click.ParamType[Any]):
    """Money: a whole number of wei."""

    name = "wei"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        if not (value.isascii() and value.isdigit()) or len(value) > len(str(_MOST)) or not 0 < int(value) <= _MOST:
            self.fail("expected a whole number of wei, 1 or more", param, ctx)
        return int(value)


@click.group()
def credit() -> None:
    """Pay for dispensings that patients prove, without knowing them: each use once, to the pharmacy it was made for."""


@credit.command("deploy")
@click.option("--policy", "policy_path", type=_FILE, required=True, help="What is to be proved, one policy.")
@click.option("--audience", required=True, metavar="ORIGIN", help="By what wallets know who asks.")
@click.option("--purpose", required=True, help="What a use is spent for, 64 bytes at most.")
@click.option("--period", type=click.IntRange(0, 2**64 - 1), default=0, help="0 for a limited number of uses.")
@click.option("--amount", type=Wei(), required=True, metavar="WEI", help="What a use is worth.")
@click.option("--resolver", type=Account(), required=True, help="The AccreditationResolver of the issuers' authority.")
@click.option("--role", type=click.Choice(ROLES), required=True, help="As what the issuer is accredited.")
@click.option("--payee-role", "payee_roles", multiple=True, type=click.Choice(ROLES), help="Pay only such; repeatable.")
@click.option("--funder", type=Account(), help="Who may take back what nobody was credited.  [default: the key's]")
@click.option("--circuit-key", metavar="NAME", help="The key that proofs are made under.  [default: a ceremony's]")
@click.option("--unsafe-development-keys", is_flag=True, help="Take a key under which anybody can forge proofs.")
@click.option("--into", type=_FILE, required=True, metavar="FILE", help="Where it is written down, with the verifiers.")
@placed
@key_options
@json_option
def credit_deploy(
    policy_path: Path,
    audience: str,
    purpose: str,
    period: int,
    amount: int,
    resolver: Address,
    role: str,
    payee_roles: tuple[str, ...],
    funder: Address | None,
    circuit_key: str | None,
    unsafe_development_keys: bool,
    into: Path,
    on: Chain,
    signer: Signing,
    as_json: bool,
) -> None:
    """Deploy a dispense credit, with verifiers and verification key where the chain has none that FILE knows."""
    [policy] = read_policies((policy_path,))
    key = _key(f"anonymous-{policy.circuit_size}", circuit_key, unsafe=unsafe_development_keys)
    asked = (Digest(policy.hash), resolver, ROLES.index(role), audience_hash(audience))
    question = OnChainQuestion(Digest(key.verification_key), *asked, purpose=purpose, period=period)
    known = known_deployments(into, on.node.chain_id)
    sender = Sender(on.node, signer())
    terms = Terms(amount, role_bits(payee_roles), funder or sender.address)
    verifiers = deploy_verifiers(sender, known)
    known = _keep(into, known, *verifiers)
    register(sender, verifiers.groth16.address, key.circuit, verification_key(key))
    made = deploy_credit(sender, verifiers, question, terms)
    try:
        _keep(into, known, made)
    finally:  # it stands, and was paid for: the address must not get lost
        members = {"credit": checksum_address(made.address), "block": made.block_number, "policy": policy.text}
        _show(as_json, f"dispense credit at {members['credit']}, block {members['block']}\n{policy.text}", members)


def _key(circuit: str, name: str | None, *, unsafe: bool) -> KeyEntry:
    """The named key; else the newest of a ceremony, else the development one where that is asked for.

    Raises:
        CircuitKeyError: `circuit_unknown`, `key_unknown`, `key_unsafe`.
    """
    whole = manifest()
    if name is not None:
        found = whole.key(circuit, name)
    else:
        every = whole.circuit(circuit).keys
        found = next((each for each in reversed(every) if not each.is_unsafe), every[-1])
    if found.is_unsafe and not unsafe:
        raise CircuitKeyError("anybody can forge proofs under a development key", "key_unsafe", circuit)
    return found


def _keep(into: Path, known: Deployments, *made: Deployed) -> Deployments:
    for each in made:
        if each not in known.contracts:
            known = known.with_(each)
    save_deployments(into, known)
    return known


@credit.command("status")
@_at
@click.option("--payee", type=Account(), help="Show what this one can take out.")
@click.option("--presentation", metavar="FILE", help="Check a presentation, - for standard input, and spend nothing.")
@placed
@json_option
def credit_status(at: Address, payee: Address | None, presentation: str | None, on: Chain, as_json: bool) -> None:
    """Show what a dispense credit asks and has; its code and its verifiers' are compared with this package's."""
    found = Credit.at(on.node, at)
    members = _members(found)
    if payee is not None:
        members["owed"] = {checksum_address(payee): str(found.owed_to(payee))}
    if presentation is not None:
        answers = found.answers(parse_disclosure(read_disclosure(presentation)))
        members["uses"] = [{"payee": checksum_address(each.payee), "expiry": each.expiry} for each in answers]
    _show(as_json, "\n".join(f"{name}: {value}" for name, value in _lines(members)), members)


def _members(found: Credit) -> dict[str, Any]:
    asked, terms, state = found.question, found.terms, found.status()
    return {
        "credit": checksum_address(found.contract.address),
        "chainId": found.node.chain_id,
        "key": to_hex(asked.key_hash),
        "policyHash": to_hex(asked.policy_hash),
        "resolver": checksum_address(asked.resolver),
        "role": ROLES[asked.role] if asked.role < len(ROLES) else str(asked.role),
        "audienceHash": to_hex(asked.audience_hash),
        "purpose": asked.purpose,
        "period": asked.period,
        "amount": str(terms.amount_wei),
        "payeeRoles": sorted(roles_of(terms.payee_roles)),
        "funder": checksum_address(terms.funder),
        "free": str(state.free),
        "usesLeft": state.uses_left,
    }


def _lines(members: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, ", ".join(map(str, value)) if isinstance(value, list) else value) for name, value in members.items()]


@credit.command("fund")
@_at
@click.option("--amount", type=Wei(), required=True, metavar="WEI", help="How much.")
@placed
@key_options
@json_option
def credit_fund(at: Address, amount: int, on: Chain, signer: Signing, as_json: bool) -> None:
    """Put money into a dispense credit."""
    found = Credit.at(on.node, at)
    found.fund(Sender(on.node, signer()), amount)
    _show_free(found, as_json)


@credit.command("redeem")
@click.argument("presentation", default="-")
@_at
@placed
@key_options
@json_option
def credit_redeem(presentation: str, at: Address, on: Chain, signer: Signing, as_json: bool) -> None:
    """Spend the uses of a PRESENTATION (file, or - for standard input); its payee is credited, whoever sends.

    All of it is checked before anything is sent. Make it with `chartseal prove --anonymous --spend PURPOSE --chain-id …
    --contract … --payee …`.
    """
    found = Credit.at(on.node, at)
    answers = found.answers(parse_disclosure(read_disclosure(presentation)))
    sender = Sender(on.node, signer())
    done = [found.redeem(sender, each) for each in answers]
    text = "\n".join(f"{checksum_address(each.payee)} is credited {each.amount_wei} wei" for each in done)
    _show(as_json, text, {"redeemed": [_redeemed(each) for each in done]})


def _redeemed(each: Redeemed) -> dict[str, Any]:
    return {
        "payee": checksum_address(each.payee),
        "nullifier": to_hex(each.nullifier),
        "amount": str(each.amount_wei),
        "transaction": to_hex(each.tx_hash),
        "block": each.block_number,
        "gas": each.gas_used,
    }


@credit.command("withdraw")
@_at
@placed
@key_options
@json_option
def credit_withdraw(at: Address, on: Chain, signer: Signing, as_json: bool) -> None:
    """Take out all that the key's account was credited."""
    found = Credit.at(on.node, at)
    amount = found.withdraw(Sender(on.node, signer()))
    _show(as_json, f"{amount} wei taken out", {"amount": str(amount)})


@credit.command("reclaim")
@_at
@click.option("--amount", type=Wei(), required=True, metavar="WEI", help="How much.")
@placed
@key_options
@json_option
def credit_reclaim(at: Address, amount: int, on: Chain, signer: Signing, as_json: bool) -> None:
    """Give the funder, whose key this is, back what nobody was credited."""
    found, sender = Credit.at(on.node, at), Sender(on.node, signer())
    if sender.address != found.terms.funder:
        raise CreditError("only the funder may take money back", "funder_only")
    found.reclaim(sender, amount)
    _show_free(found, as_json)


def _show_free(found: Credit, as_json: bool) -> None:
    state = found.status()
    text = f"{state.free} wei free, enough for {state.uses_left} uses"
    _show(as_json, text, {"free": str(state.free), "usesLeft": state.uses_left})


def _show(as_json: bool, text: str, members: dict[str, Any]) -> None:
    click.echo(json.dumps(members, ensure_ascii=False) if as_json else text)
