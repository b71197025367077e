"""What the demo proves without opening it: one fact beside its seal, and one that shows neither record nor hospital.

The chain's clock is set to the next day, since a trust root is that of what was known before its day began.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console

from chartseal import IssuerKey, TrustPolicy, Wallet, verify
from chartseal.attestation import Address, Digest, checksum_address
from chartseal.chain.anchors import AnchorFile
from chartseal.chain.authority import Authority, StatusList, find_membership
from chartseal.chain.authority.authority import newest_epoch, publish_status_root
from chartseal.chain.authority.trust_root import EPOCH_SECONDS
from chartseal.chain.credits import Credit, Terms, deploy_credit, deploy_verifiers
from chartseal.chain.credits.deploying import register
from chartseal.chain.deploy import Deployments
from chartseal.chain.deployment import Deployment
from chartseal.chain.local.devnet import accounts
from chartseal.chain.presentations import OnChainQuestion, audience_hash
from chartseal.chain.rpc.node import Node
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.schemas import ROLES
from chartseal.chain.sending.sender import Sender
from chartseal.chain.view import FactsView
from chartseal.circuits import development
from chartseal.circuits.verifying import verification_key
from chartseal.disclosure import Answer, HeldRecord, Membership, Proving, UnverifiedDisclosure, choose, prove, prover_of
from chartseal.disclosure.binding import NO_TERMS
from chartseal.disclosure.binding import Terms as Binding
from chartseal.errors import ChartsealError
from chartseal.keys import Answers
from chartseal.predicates import Policy, compile_policy
from chartseal.sealing import SealedRecord, StatusStore
from chartseal.verification import VerifiedDisclosure
from chartseal.verification.report import OPTIONAL

SCHOOL, INSURER = "https://school.example", "https://insurer.example"
MEASLES = compile_policy("Immunization.vaccineCode = cvx|03 and occurrence >= 2022-05-17", name="measles")
INJECTOR = compile_policy("MedicationRequest.medication = rxnorm|1870230 and authoredOn >= 2023-01-01", name="injector")
CIRCUITS = ("linked-4", "anonymous-4")
PURPOSE = "dispense"
AMOUNT = 10**16
"""What the insurer pays for one dispensing, in wei."""

console = Console(width=132, highlight=False)


@dataclass(frozen=True)
class Scene:
    """Who is there: an authority with its contract, a hospital and its lists, a patient with records and a wallet."""

    url: str
    node: Node
    deployment: Deployment
    authority: Authority
    resolver: Address
    hospital: IssuerKey
    statuses: StatusStore
    wallet: Wallet
    records: Sequence[SealedRecord]
    anchors: AnchorFile
    trust: TrustPolicy
    folder: Path

    def facts(self) -> RpcFacts:
        """The chain as it is now."""
        return RpcFacts(Node(self.url), self.deployment)

    def now(self) -> datetime:
        """The chain's time."""
        return datetime.fromtimestamp(self.node.block().timestamp, UTC)


def run(scene: Scene) -> None:
    """The stages, after those of the disclosure."""
    console.rule("8. The patient proves a vaccination to the school, and opens nothing of its record", align="left")
    keys = {circuit: development.make(circuit) for circuit in CIRCUITS}
    console.print(f"development keys made for {', '.join(keys)}: anybody can forge under them, which is fine in a demo")
    prove_linked(scene)
    console.rule("9. A day later the authority attests its trust root", align="left")
    listed = publish(scene)
    console.rule("10. The patient proves a prescription to a contract: no name, no record, no hospital", align="left")
    credit = deploy(scene, verification_key(keys["anonymous-4"]))
    shown = prove_anonymous(scene, listed, credit)
    console.rule("11. The contract pays once", align="left")
    redeem(scene, listed, credit, shown)


def prove_linked(scene: Scene) -> None:
    """The seal is shown, with whom it is about and what type it is; the rest stays shut."""
    nonce = secrets.token_bytes(32)
    answers = choose(scene.records, [MEASLES], now=scene.now())
    shown = proved(scene, answers, SCHOOL, nonce)
    print_predicates(checked(scene, shown, SCHOOL, nonce, [MEASLES]))


def publish(scene: Scene) -> StatusList:
    """The hospital publishes its list of revoked credentials, the authority the root over its issuers."""
    attester = scene.hospital.signer.address
    listed = StatusList(attester, 0, scene.statuses.revoked(attester, 0))
    publish_status_root(Sender(scene.node, scene.hospital.signer), scene.deployment, 0, listed.root)
    tomorrow = (scene.node.block().timestamp // EPOCH_SECONDS + 1) * EPOCH_SECONDS
    scene.node.request("evm_setNextBlockTimestamp", [tomorrow + 60])
    scene.node.request("evm_mine", [])
    facts = scene.facts()
    uid, root = scene.authority.publish_trust_root(facts, "hospital", newest_epoch(facts))
    console.print(f"trust root of epoch {root.epoch} over {len(root.leaves)} issuer, attested as 0x{uid.hex()[:16]}…")
    return listed


def deploy(scene: Scene, key: bytes) -> Credit:
    """The insurer's contract: what is to be proved, to whom, and what a dispensing is worth."""
    sender = Sender(scene.node, accounts()[3])
    verifiers = deploy_verifiers(sender, Deployments(scene.node.chain_id))
    key_hash = register(sender, verifiers.groth16.address, "anonymous-4", key)
    policy, audience = Digest(INJECTOR.hash), audience_hash(INSURER)
    asked = OnChainQuestion(key_hash, policy, scene.resolver, ROLES.index("hospital"), audience, purpose=PURPOSE)
    made = deploy_credit(sender, verifiers, asked, Terms(AMOUNT, 0, sender.address))
    credit = Credit.at(scene.node, made.address)
    credit.fund(sender, 5 * AMOUNT)
    console.print(f"The contract {checksum_address(made.address)} asks: {INJECTOR.words('verifier')}")
    return credit


def prove_anonymous(scene: Scene, listed: StatusList, credit: Credit) -> UnverifiedDisclosure:
    """For one pharmacy, one use; the insurer's own program checks it as the contract will."""
    facts, nonce = scene.facts(), secrets.token_bytes(32)

    def membership_of(record: HeldRecord) -> Membership:
        if record.credential is None:
            raise SystemExit("the hospital gave no credential")
        attester = record.package.signer
        return find_membership(facts, scene.authority.address, "hospital", attester, record.credential, [listed])

    pharmacy = accounts()[2].address
    terms = Binding(scene.node.chain_id, credit.contract.address, pharmacy, PURPOSE)
    answers = choose(scene.records, [INJECTOR], now=scene.now(), membership_of=membership_of)
    shown = proved(scene, answers, INSURER, nonce, terms)
    print_predicates(checked(scene, shown, INSURER, nonce, [INJECTOR], terms))
    return shown


def redeem(scene: Scene, listed: StatusList, credit: Credit, shown: UnverifiedDisclosure) -> None:
    """The pharmacy is paid; the second time everybody refuses."""
    pharmacy = Sender(scene.node, accounts()[2])
    [use] = credit.answers(shown)
    paid = credit.redeem(pharmacy, use)
    console.print(f"{paid.amount_wei / 1e18} ether for {checksum_address(paid.payee)}, for {paid.gas_used:,} gas.")
    require_refused("the contract", lambda: credit.redeem(pharmacy, use))
    require_refused("the wallet", lambda: prove_anonymous(scene, listed, credit))


def proved(
    scene: Scene,
    answers: Sequence[Answer],
    audience: str,
    nonce: bytes,
    terms: Binding = NO_TERMS,
) -> UnverifiedDisclosure:
    """Prove for ten minutes; the wallet remembers which uses it spent."""
    now = scene.now()
    with Answers.open(scene.folder / "wallet.answers", scene.wallet) as uses:
        return prove(
            answers,
            scene.wallet,
            audience=audience,
            nonce=nonce,
            expires_at=now + timedelta(minutes=10),
            now=now,
            terms=terms,
            uses=uses,
            proving=Proving(partial(prover_of, unsafe_development_keys=True)),
        )


def checked(
    scene: Scene,
    shown: UnverifiedDisclosure,
    audience: str,
    nonce: bytes,
    policies: Sequence[Policy],
    terms: Binding = NO_TERMS,
) -> VerifiedDisclosure:
    """What the verifier does, asking a node of the chain alone."""
    anchors = scene.anchors.trim(record.package for record in shown.records).anchors
    trust = scene.trust
    if not shown.records:  # a proof that shows no seal shows no anchor either
        trust = replace(trust, required=trust.required - {OPTIONAL["anchor"]})
    return verify(
        shown.to_json(),
        trust,
        audience=audience,
        nonce=nonce,
        now=scene.now(),
        chain=FactsView([scene.facts()]),
        anchors=anchors,
        policies=policies,
        terms=terms,
    )


def print_predicates(verified: VerifiedDisclosure) -> None:
    """What was proved, in words, and how."""
    names = [field.name for record in verified.records for field in record.fields]
    for each in verified.predicates:
        console.print(f"{each.kind}: {each.words}")
    opened = sum(not name.startswith("chartseal.") for name in names)
    console.print(f"{len(verified.records)} records shown, {opened} of their elements opened.")


def require_refused(by: str, act: Callable[[], object]) -> None:
    """Show by whom and why, or end the demo."""
    try:
        act()
    except ChartsealError as error:
        console.print(f"refused by {by}: {error.code}: {error}")
    else:
        raise SystemExit("what must be refused was accepted")
