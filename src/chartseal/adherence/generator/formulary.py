"""The medications that generated patients take: RxNorm clinical drugs, by class and ingredient.

Source: RxNorm (US National Library of Medicine), term type SCD. The same classes as a table for users:
`examples/adherence/classes.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


@dataclass(frozen=True)
class Product:
    """One tablet of one strength, so many of them a day."""

    rxnorm: str
    display: str
    medication_class: str
    ingredient: str
    strength_mg: int
    tablets_a_day: int = 1
    is_long_term: bool = True

    @property
    def daily_dose(self) -> float:
        """Milligrams a day."""
        return float(self.strength_mg * self.tablets_a_day)


LONG_TERM: Mapping[str, tuple[tuple[Product, Product], ...]] = {
    "statins": (
        (
            Product("617310", "atorvastatin 20 MG Oral Tablet", "statins", "atorvastatin", 20),
            Product("617311", "atorvastatin 40 MG Oral Tablet", "statins", "atorvastatin", 40),
        ),
        (
            Product("312961", "simvastatin 20 MG Oral Tablet", "statins", "simvastatin", 20),
            Product("198211", "simvastatin 40 MG Oral Tablet", "statins", "simvastatin", 40),
        ),
    ),
    "ras_antagonists": (
        (
            Product("314076", "lisinopril 10 MG Oral Tablet", "ras_antagonists", "lisinopril", 10),
            Product("314077", "lisinopril 20 MG Oral Tablet", "ras_antagonists", "lisinopril", 20),
        ),
        (
            Product("979492", "losartan potassium 50 MG Oral Tablet", "ras_antagonists", "losartan", 50),
            Product("979480", "losartan potassium 100 MG Oral Tablet", "ras_antagonists", "losartan", 100),
        ),
    ),
    "diabetes": (
        (
            Product("861007", "metformin hydrochloride 500 MG Oral Tablet", "diabetes", "metformin", 500, 2),
            Product("861004", "metformin hydrochloride 1000 MG Oral Tablet", "diabetes", "metformin", 1000, 2),
        ),
        (
            Product("310490", "glipizide 5 MG Oral Tablet", "diabetes", "glipizide", 5),
            Product("310488", "glipizide 10 MG Oral Tablet", "diabetes", "glipizide", 10),
        ),
    ),
}
"""By class: ingredients, each in its lower and its higher strength."""

AS_NEEDED = Product("310965", "ibuprofen 200 MG Oral Tablet", "nsaids", "ibuprofen", 200, 4, is_long_term=False)
