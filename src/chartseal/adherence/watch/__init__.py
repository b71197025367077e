"""Watching: dispensings come in as they arrive, alerts go out as they change.

with Watch(Path("clinic.db"), WatchPolicy()) as watch:
    changed = watch.tick(date.today())      # time passes: refills become late
    changed += watch.add(events)            # a table of events, or rows of one
    flags = [to_flag(alert) for alert in changed]
"""

from chartseal.adherence.watch.alert import Alert, Phase, Status
from chartseal.adherence.watch.feed import FhirFeed
from chartseal.adherence.watch.flags import to_detected_issue, to_flag
from chartseal.adherence.watch.policy import Kind, Severity, WatchPolicy
from chartseal.adherence.watch.watch import Watch, alerts_of

__all__ = [
    "Alert",
    "FhirFeed",
    "Kind",
    "Phase",
    "Severity",
    "Status",
    "Watch",
    "WatchPolicy",
    "alerts_of",
    "to_detected_issue",
    "to_flag",
]
