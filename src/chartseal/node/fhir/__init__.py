"""FHIR R4 answers over a vault: reads, searches, `$everything`, each record through one gate, with its seal.

In: a request's words, who asks, a gate that decides on each record. Out: resources as they were sealed, numbers
included, cut where the gate withholds, entered into the audit chain before they leave.

    answers = Answers(vault, Cursors(key), answer_record, "https://node.example/fhir/")
    answers.read("Observation", "o1", Asked(caller, gate, now)).body
    app.include_router(fhir_router(answers, caller=authenticated, gate=gate_of, clock=clock, capability=statement))
"""

from chartseal.node.fhir.answering import LARGEST_PAGE, Answers, Asked, Duty
from chartseal.node.fhir.capability import capability_statement
from chartseal.node.fhir.cursors import Cursors
from chartseal.node.fhir.gate import Caller, Gate
from chartseal.node.fhir.outcomes import Answer
from chartseal.node.fhir.provenance import AnswerRecord
from chartseal.node.fhir.routes import fhir_router

__all__ = [
    "LARGEST_PAGE",
    "Answer",
    "AnswerRecord",
    "Answers",
    "Asked",
    "Caller",
    "Cursors",
    "Duty",
    "Gate",
    "capability_statement",
    "fhir_router",
]
