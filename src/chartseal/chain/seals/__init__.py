"""What is done to seals on a chain: revoking, amending, and the sample schema.

In: sealed records and a key. Out: revocations with their reasons, amended records, attestations that tell nothing.

    Revoker(sender, facts).revoke([Target(record.uid, record.attester)], "entered-in-error")
"""

from chartseal.chain.seals.amending import Amended, Amendment
from chartseal.chain.seals.revoking import Outcome, Revoker, Target
from chartseal.chain.seals.sample import CheckedSample, Sample, SampleAttester, check_sample, sample_of, sample_package

__all__ = [
    "Amended",
    "Amendment",
    "CheckedSample",
    "Outcome",
    "Revoker",
    "Sample",
    "SampleAttester",
    "Target",
    "check_sample",
    "sample_of",
    "sample_package",
]
