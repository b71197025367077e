"""Rows in which AdhereR 0.8.1 is wrong and we are not: each by parameter set, patient and defect."""

from __future__ import annotations

SOLE_EVENT_ON_LAST_DAY = (
    "a sole supply on the day a window ends is used for an estimate over no days: infinity, 1 or NA"
)
FRACTION_OF_A_DAY = "CMA8 counts a lagged start within a day as whole days in the window but not in the gaps"

CMA_DEFECTS = {
    ("sy_CMA2_W1", "900004"): SOLE_EVENT_ON_LAST_DAY,
    ("sy_CMA4_W1", "900004"): SOLE_EVENT_ON_LAST_DAY,
    ("sy_CMA6_W1", "900004"): SOLE_EVENT_ON_LAST_DAY,
    ("sy_CMA8_W1_dose", "1"): FRACTION_OF_A_DAY,
    ("sy_CMA8_W1_dose", "2"): FRACTION_OF_A_DAY,
    ("sy_CMA8_W1_dose", "12"): FRACTION_OF_A_DAY,
}
"""(parameter set, patient): why."""
