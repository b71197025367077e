"""Typed face of the Rust core (chartseal-core)."""
