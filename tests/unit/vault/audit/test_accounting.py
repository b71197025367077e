"""Whom a patient's records went to, over six years."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from chartseal.errors import VaultKeyError
from chartseal.vault.audit import Act, Action, AuditLog
from chartseal.vault.audit.accounting import Disclosure, account
from chartseal.vault.database import writing
from tests.audit_log import NOW, PATIENT, a_log, looked, told


def _act(action: Action, purpose: str, basis: str = "", patient: bytes = PATIENT) -> Act:
    return Act("clerk-7", action, "record 1", patient, purpose, basis)


def test_a_disclosure_has_what_the_rule_asks(engine: Engine) -> None:
    with writing(engine) as connection:
        a_log().append(connection, [looked(1), told(2)], now=NOW)
        found = account(a_log(), connection, PATIENT, now=NOW)
    assert found == [Disclosure(2, NOW, "Lakeside Registry", "Quay 4", "record 2", "PUBHLTH", None)]


@pytest.mark.parametrize(
    ("action", "purpose", "basis", "exemption"),
    [
        (Action.DISCLOSE, "TREAT", "", "treatment"),
        (Action.DISCLOSE, "HPAYMT", "", "payment"),
        (Action.DISCLOSE, "HOPERAT", "", "operations"),
        (Action.DISCLOSE, "PATRQT", "", "individual"),
        (Action.DISCLOSE, "COC", "", "treatment"),
        (Action.DISCLOSE, "BTG", "", "treatment"),
        (Action.DISCLOSE, "CAREMGT", "", "operations"),
        (Action.DISCLOSE, "COORDINATION", "", None),
        (Action.DISCLOSE, "CLINTRL", "", None),
        (Action.DISCLOSE, "FAMRQT", "", None),
        (Action.DISCLOSE, "", "164.502(a)(1)(iii)", "incident"),
        (Action.DISCLOSE, "", "164.502(a)(1)(vi)", None),
        (Action.DELIVER, "", "", "individual"),
        (Action.DISCLOSE, "HRESCH", "164.508", "authorization"),
        (Action.EXPORT, "HRESCH", "45 CFR 164.508(a)(1)", "authorization"),
        (Action.DISCLOSE, "HRESCH", "164.514(e)", "limited data set"),
        (Action.DISCLOSE, "HRESCH", "164.5081", None),
        (Action.DISCLOSE, "HRESCH", "164.512(i)", None),
        (Action.DISCLOSE, "treat", "", None),
        (Action.EXPORT, "HLEGAL", "164.512(e)", None),
    ],
)
def test_what_need_not_be_accounted_for(
    engine: Engine, action: Action, purpose: str, basis: str, exemption: str | None
) -> None:
    with writing(engine) as connection:
        a_log().append(connection, [_act(action, purpose, basis)], now=NOW)
        owed = account(a_log(), connection, PATIENT, now=NOW)
        [shown] = account(a_log(), connection, PATIENT, now=NOW, exempt=True)
    assert shown.exemption == exemption
    assert len(owed) == (1 if exemption is None else 0)


def test_neither_reading_nor_another_patient_is_a_disclosure(engine: Engine) -> None:
    acts = [_act(Action.READ, "HLEGAL"), _act(Action.DISCLOSE, "HLEGAL", patient=b"\x08" * 16)]
    with writing(engine) as connection:
        a_log().append(connection, acts, now=NOW)
        assert account(a_log(), connection, PATIENT, now=NOW, exempt=True) == []


def test_six_years_and_no_longer(engine: Engine) -> None:
    six = timedelta(days=2_192)
    with writing(engine) as connection:
        a_log().append(connection, [told(1)], now=NOW)
        assert len(account(a_log(), connection, PATIENT, now=NOW + six)) == 1
        assert account(a_log(), connection, PATIENT, now=NOW + six + timedelta(seconds=1)) == []


def test_without_the_key_there_is_no_accounting(engine: Engine) -> None:
    with writing(engine) as connection:
        a_log().append(connection, [told(1)], now=NOW)
        with pytest.raises(VaultKeyError):
            account(AuditLog(b"p" * 32, None), connection, PATIENT, now=NOW)
