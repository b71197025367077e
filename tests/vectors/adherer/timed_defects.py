"""Rows of episodes and sliding windows in which AdhereR 0.8.1 is wrong and we are not: each by parameter set, patient,
number of the episode or window, and defect."""

from __future__ import annotations

from tests.vectors.adherer.defects import SOLE_EVENT_ON_LAST_DAY

BREAK_RULE = "a gap as long as the permissible one ends an episode at the end of follow-up, and nowhere else"
CMA8_WITHOUT_A_DAY = "CMA8 is 0 where supply from before the window leaves no day of it"

EPISODE_DEFECTS = {
    ("sy_epi_30days_mc0", "900014", "2"): BREAK_RULE,
    ("sy_epi_100percent_mc0", "900014", "2"): BREAK_RULE,
    ("sy_epi_defaults30_append0", "900014", "2"): BREAK_RULE,
}

PER_EPISODE_DEFECTS = {
    ("sy_perepi_CMA1_100percent_nomc", "900014", "2"): BREAK_RULE,
    ("sy_perepi_CMA7_100percent_nomc", "900014", "2"): BREAK_RULE,
    ("sy_perepi_CMA2_30d", "900018", "2"): SOLE_EVENT_ON_LAST_DAY,
    ("sy_perepi_CMA4_30d", "900018", "2"): SOLE_EVENT_ON_LAST_DAY,
    ("sy_perepi_CMA8_30d", "900018", "2"): CMA8_WITHOUT_A_DAY,
}

_SOLE_EVENTS = (
    ("7", "9"),
    ("8", "2"),
    ("34", "7"),
    ("900007", "2"),
    ("900009", "3"),
    ("900018", "2"),
    ("900020", "10"),
)

SLIDING_DEFECTS = {
    (name, *place): SOLE_EVENT_ON_LAST_DAY
    for name in ("sy_slide_CMA2_d90s30", "sy_slide_CMA2_m3s1")
    for place in _SOLE_EVENTS
}
