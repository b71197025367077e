"""What a node counts, in a registry of its own. Labels are routes as they are declared, methods, statuses and codes."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One app's counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "chartseal_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "chartseal_request_seconds", "Time to answer", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.in_flight = Gauge("chartseal_requests_in_flight", "Requests being answered", registry=self.registry)
        self.refused = Counter(
            "chartseal_requests_refused", "Requests refused before any stage", ["code"], registry=self.registry
        )
        self.sealed = Counter("chartseal_records_sealed", "Records sealed", registry=self.registry)
        self.rejected = Counter("chartseal_records_refused", "Resources not sealed", ["code"], registry=self.registry)
        self.imports = Gauge("chartseal_imports", "Imports by state", ["state"], registry=self.registry)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self.registry)
