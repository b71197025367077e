"""Ask: policies over claims, written in a small language, compiled to slots and shown in words.

In: a policy's text, sets of codes, a record's claims. Out: slots with their hashes, the canonical text, words, and
which claims satisfy which slot. The language: docs/policies.md.

    policy = compile_policy("Observation[loinc|4548-4].value < 7.0 % and effective >= 2026-05-01")
    print(policy.words())
    positions = match(policy, lift(record.fields, holder)[0])
"""

from chartseal.predicates.grammar import set_names
from chartseal.predicates.inference import Inference, narrowed
from chartseal.predicates.matching import HeldClaim, Unmet, key_of, match
from chartseal.predicates.policy import LARGEST_POLICY, Policy, compile_policy
from chartseal.predicates.printing import asked_by, slot_text
from chartseal.predicates.setfiles import LARGEST_SET_FILE, read_set
from chartseal.predicates.sets import CodeSet
from chartseal.predicates.slots import ClaimKey, Slot
from chartseal.predicates.words import Speaker, describe_claim

__all__ = [
    "LARGEST_POLICY",
    "LARGEST_SET_FILE",
    "ClaimKey",
    "CodeSet",
    "HeldClaim",
    "Inference",
    "Policy",
    "Slot",
    "Speaker",
    "Unmet",
    "asked_by",
    "compile_policy",
    "describe_claim",
    "key_of",
    "match",
    "narrowed",
    "read_set",
    "set_names",
    "slot_text",
]
