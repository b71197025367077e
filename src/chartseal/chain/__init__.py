"""EAS on chain, and what Chartseal keeps there: accreditations, anchors, revocations. Needs the extra `chain`."""
