"""Records found by name, in both databases: type and id, the newest first, of one patient where that is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chartseal.errors import VaultError
from chartseal.vault import Vault
from chartseal.vault.erasure import Basis, erase
from tests.charts import NOW
from tests.vault_records import create, identity, line_of, put


@pytest.fixture
def vault(place: str) -> Iterator[Vault]:
    made = create(place)
    yield made
    made.close()


def test_a_record_is_found_by_its_name(vault: Vault) -> None:
    first, again, other = line_of(1), line_of(1), line_of(1, "p2")
    for line in (first, again, other, line_of(2)):
        put(vault, [line])
    found = vault.named(["Observation/o1", "Observation/o9"])
    assert [each.entry.identity for each in found] == [identity(each) for each in (other, again)]
    assert {each.name for each in found} == {"Observation/o1"}
    of_first = vault.named(["Observation/o1"], patient=vault.pseudonym("Patient/p1"))
    assert [each.entry.identity for each in of_first] == [identity(again)]
    assert [each.patient for each in of_first] == [vault.pseudonym("Patient/p1")]
    assert [each.name for each in vault.named(["Observation/o1", "Observation/o2"])] == [
        *("Observation/o2", "Observation/o1", "Observation/o1"),
    ]
    assert len(vault.named(["Observation/o1", "Observation/o2"], most=2)) == 2
    assert vault.named(["Condition/o1"]) == vault.named(["Observation/o"]) == vault.named([]) == []
    assert list(vault.verify()) == []


def test_an_erased_record_has_no_name(vault: Vault) -> None:
    line = line_of(1)
    put(vault, [line])
    erase(vault, vault.find(), basis=Basis.PATIENT_REQUEST, actor="clerk", now=NOW)
    assert vault.named(["Observation/o1"]) == []


def test_without_an_index_no_name_is_found(place: str) -> None:
    vault = create(place, searchable=False)
    put(vault, [line_of(1)])
    with pytest.raises(VaultError) as caught:
        vault.named(["Observation/o1"])
    assert caught.value.code == "not_searchable"
    vault.close()
