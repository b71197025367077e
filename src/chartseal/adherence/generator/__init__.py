"""Seeded histories of made-up patients: a seed in, FHIR R4 or columns of events out, the same on every machine.

for history in histories(seed=7, patients=100):
    history.bundle()        # Patient, MedicationRequest, MedicationDispense, Encounter, Coverage, ExplanationOfBenefit
    history.behaviours      # {"statins": ("gaps", "switch")}: what is true of the patient
event_table(seed=7, patients=1_000_000, events_per_patient=12)
"""

from chartseal.adherence.generator.history import History, Supply, histories
from chartseal.adherence.generator.table import event_table
from chartseal.adherence.generator.therapy import BEHAVIOURS, Behaviour

__all__ = ["BEHAVIOURS", "Behaviour", "History", "Supply", "event_table", "histories"]
