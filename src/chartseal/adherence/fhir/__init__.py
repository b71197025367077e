"""FHIR R4 to events: what dispenses, requests, claims and encounters tell of supply, and what they leave open.

In: charts, Bundles, NDJSON, folders of them, or the facts of a verified disclosure. Out: the table of events that every
measure takes, and counts of what is not in it.

    found = read_events("chart.json", ClassTable.read("classes.csv"))
    pdc(found.events, window, columns=Columns(group="class"))
    found.counts("reason"), found.dropped.to_pylist()

Days of supply that nothing states or soundly implies stay unknown, with a reason; none is guessed.
"""

from chartseal.adherence.fhir.classes import ClassOf, ClassTable
from chartseal.adherence.fhir.events import FhirEvents, Supplies, read_events
from chartseal.adherence.fhir.reader import Source

__all__ = ["ClassOf", "ClassTable", "FhirEvents", "Source", "Supplies", "read_events"]
