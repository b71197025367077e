"""What a wallet says before it proves: policies in words, what they tell together with earlier answers, and uses."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click
from rich.console import Console
from rich.text import Text

from chartseal.attestation import checksum_address, to_hex
from chartseal.cli.opened import value_text
from chartseal.disclosure import Answer, Terms
from chartseal.disclosure.binding import scope
from chartseal.keys import Answers
from chartseal.predicates.inference import narrowed


@dataclass(frozen=True)
class Told:
    """One answer with what its holder should know before giving it."""

    answer: Answer
    inferences: tuple[str, ...]
    """What the verifier could then know, by its earlier questions too."""
    uses_left: int | None
    """Of the record, in the scope that is asked for; None where no use is spent."""


def told_of(chosen: Sequence[Answer], audience: str, terms: Terms, answers: Answers) -> list[Told]:
    """Look up what the wallet remembers of that verifier.

    Raises:
        KeyFileError: the memory cannot be read.
    """
    earlier = [given.policy for given in answers.given(audience)]
    told = []
    for answer in chosen:
        inferences = tuple(found.text for found in narrowed(earlier, answer.policy))
        told.append(Told(answer, inferences, _uses_left(answer, audience, terms, answers)))
        earlier.append(answer.policy)
    return told


def _uses_left(answer: Answer, audience: str, terms: Terms, answers: Answers) -> int | None:
    credential = answer.record.credential
    if not terms.spends or answer.membership is None or credential is None:
        return None
    return len(answers.unspent(credential.claim_id, scope(audience, terms), credential.uses))


def print_told(told: Sequence[Told], audience: str, console: Console) -> None:
    """For a person."""
    console.print(Text(f"to be proved to {value_text(audience)}:"))
    for each in told:
        console.print(Text(f"  {each.answer.policy.words()}"), soft_wrap=True)
        for line in _lines(each):
            console.print(Text(f"    {line}"), soft_wrap=True)
        for text in each.inferences:
            console.print(Text(f"    with your earlier answers, it could know: {text}", style="yellow"), soft_wrap=True)
        membership = each.answer.membership
        if membership is not None and membership.is_small:
            few = "one issuer stands" if membership.crowd == 1 else f"{membership.crowd} issuers stand"
            warning = f"    only {few} there: this says much of who the issuer is"
            console.print(Text(warning, style="yellow"), soft_wrap=True)


def _lines(told: Told) -> list[str]:
    record, membership = told.answer.record, told.answer.membership
    signer, uid = checksum_address(record.package.signer), to_hex(record.package.uid)
    if membership is None:
        return [f"record: {record.resource_type}, uid {uid}; its seal is shown, by {signer}"]
    lines = [
        f"record: {record.resource_type}, uid {uid}; it is not shown",
        f"of one of {membership.crowd} issuers ({membership.role}) that {checksum_address(membership.authority)} "
        "stands for",
    ]
    if told.uses_left is None:
        return lines
    return [*lines, f"spends one of {told.uses_left} uses that are left" if told.uses_left else "no use of it is left"]


def told_to_json(told: Sequence[Told], audience: str) -> dict[str, object]:
    """The same for a program."""
    return {"audience": audience, "answers": [_to_json(each) for each in told]}


def _to_json(told: Told) -> dict[str, object]:
    answer, membership = told.answer, told.answer.membership
    stands = None
    if membership is not None:
        authority = checksum_address(membership.authority)
        stands = {"authority": authority, "role": membership.role, "epoch": membership.epoch, "crowd": membership.crowd}
    return {
        "policy": answer.policy.name,
        "hash": to_hex(answer.policy.hash),
        "words": answer.policy.words(),
        "kind": answer.kind,
        "resourceType": answer.record.resource_type,
        "attester": checksum_address(answer.record.package.signer),
        "uid": to_hex(answer.record.package.uid),
        "standing": stands,
        "inferences": list(told.inferences),
        "usesLeft": told.uses_left,
    }


def confirm(question: str) -> None:
    """Ask on the terminal.

    Raises:
        click.UsageError: there is none.
        click.Abort: no.
    """
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: give --yes, or --preview to look only")
    click.confirm(question, abort=True, err=True)
