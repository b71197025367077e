"""Clients: registered ones as settings may name them, accredited ones as the chain does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chartseal.attestation import Address, checksum_address
from chartseal.consent import Scopes
from chartseal.errors import AccessError, NodeError
from chartseal.node.smart.accreditations import Member, Relocated
from chartseal.node.smart.clients import Clients, RegisteredClient
from chartseal.node.smart.jose import KeySet
from tests.node_clients import CLIENT_ID, ENDPOINT, HOSPITAL, NOW, Site, ec_key, key_set

SCOPES = Scopes.parse("system/Observation.rs")
KEYS = KeySet.loads(key_set(ec_key("e")))


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": ""},
        {"client_id": "c" * 201},
        {"client_id": "a\nb"},
        {"client_id": CLIENT_ID},
        {"client_id": "0Xanything"},
        {"roles": frozenset({"king"})},
        {"roles": frozenset({"hospital"}), "account": HOSPITAL},
    ],
)
def test_a_registration_is_nobody_else(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {"client_id": "ehr", "keys": KEYS, "allowed": SCOPES, "roles": frozenset({"insurer"})}
    assert RegisteredClient(**good).client_id == "ehr"
    with pytest.raises(AccessError) as caught:
        RegisteredClient(**{**good, **change})
    assert caught.value.code == "client_setting"


def test_a_registration_has_a_key_and_a_scope(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(key_set(ec_key("e")))
    found = RegisteredClient.from_file("ehr", file, "system/Observation.read")
    assert (set(found.keys.keys), str(found.allowed)) == ({"e"}, "system/Observation.rs")
    with pytest.raises(AccessError) as caught:
        RegisteredClient.from_file("ehr", file, "user/*.rs")
    assert caught.value.code == "client_setting"
    file.write_bytes(json.dumps({"keys": []}).encode())
    with pytest.raises(AccessError) as caught:
        RegisteredClient.from_file("ehr", file, "system/*.rs")
    assert caught.value.code == "client_setting"
    file.write_bytes(b"x" * 70_000)
    with pytest.raises(AccessError) as caught:
        RegisteredClient.from_file("ehr", file, "system/*.rs")
    assert caught.value.code == "limit_exceeded"
    with pytest.raises(AccessError) as caught:
        RegisteredClient.from_file("ehr", tmp_path / "none", "system/*.rs")
    assert (caught.value.code, str(tmp_path) in str(caught.value)) == ("client_setting", False)


def test_an_accounts_registration_stands_with_its_accreditation(site: Site) -> None:
    site.registered["ehr"] = RegisteredClient("ehr", KEYS, SCOPES, account=HOSPITAL)
    found = site.clients.find("ehr", NOW)
    assert found is not None
    assert (found.account, found.is_accredited) == (HOSPITAL, True)
    assert found.roles == {"hospital", "laboratory"}
    assert site.clients.key(found, "e", "ES384") is not None
    del site.accreditations.members[HOSPITAL]
    assert site.clients.find("ehr", NOW) is None


def test_an_account_is_found_however_it_is_written(site: Site) -> None:
    for text in (CLIENT_ID, CLIENT_ID.lower(), "0x" + CLIENT_ID[2:].upper()):
        found = site.clients.find(text, NOW)
        assert found is not None
        assert (found.client_id, found.account, found.is_accredited) == (CLIENT_ID, HOSPITAL, True)
        assert found.key_set_url == f"{ENDPOINT}/.well-known/jwks.json"
    mixed = CLIENT_ID[:-1] + CLIENT_ID[-1].swapcase()
    for text in ("", "ehr", "0x", CLIENT_ID + "00", "0x" + "zz" * 20, checksum_address(bytes(20))):
        assert site.clients.find(text, NOW) is None
    assert mixed == CLIENT_ID or site.clients.find(mixed, NOW) is None


def test_a_registration_cannot_stand_in_for_an_account(site: Site) -> None:
    site.registered[CLIENT_ID] = RegisteredClient("ehr", KEYS, SCOPES)
    found = site.clients.find(CLIENT_ID, NOW)
    assert found is not None
    assert found.key_set_url


def test_who_has_no_node_has_no_keys(site: Site) -> None:
    site.accreditations.members[HOSPITAL] = Member(HOSPITAL, frozenset({"hospital"}), "General", "")
    found = site.clients.find(CLIENT_ID, NOW)
    assert found is not None
    assert found.key_set_url == ""
    assert site.clients.key(found, "k1", "ES384") is None
    assert site.called == []


def test_a_setting_may_say_where_a_node_is(site: Site) -> None:
    moved = Relocated(site.accreditations, {HOSPITAL: "http://127.0.0.1:8081/"})
    clients = Clients(moved, site.key_sets)
    found = clients.find(CLIENT_ID, NOW)
    assert found is not None
    assert found.key_set_url == "http://127.0.0.1:8081/.well-known/jwks.json"
    assert clients.find(checksum_address(Address(b"\xb2" * 20)), NOW) is None


def test_what_the_chain_does_not_say_is_not_known(site: Site) -> None:
    site.registered["ehr"] = RegisteredClient("ehr", KEYS, SCOPES)
    site.accreditations.is_broken = True
    assert site.clients.find("ehr", NOW) is not None
    with pytest.raises(NodeError):
        site.clients.find(CLIENT_ID, NOW)
