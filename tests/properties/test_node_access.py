"""Whatever comes to a token endpoint, it is a refusal of ours or a token that its client earned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartseal.consent import Scopes
from chartseal.errors import AccessError, PeerError, ScopeError, TokenRequestError
from chartseal.node.smart.b2b import B2b
from chartseal.node.smart.fetching import Reach, fetch
from chartseal.node.smart.grants import read_form
from chartseal.node.smart.identity import Statement
from chartseal.node.smart.jose import KeySet, Unverified
from chartseal.node.smart.replays import Replays
from tests.node_clients import B2B, NOW, Site, claims_of, ec_key, form_of, key_set, rsa_key, signed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
PUBLISHED = json.loads(key_set(ec_key(), rsa_key()))
SEVERAL = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Replays.open(str(tmp_path_factory.mktemp("tokens") / "tokens.db")) as store:
        yield Site(store)


def changed(good: dict[str, Any], draw: st.DrawFn) -> dict[str, Any]:
    """One member replaced, taken out or added."""
    name = draw(st.sampled_from([*good, "more"]))
    if draw(st.booleans()):
        return {key: value for key, value in good.items() if key != name}
    return {**good, name: draw(JSON)}


@st.composite
def altered_claims(draw: st.DrawFn) -> dict[str, Any]:
    return changed(claims_of(), draw)


@st.composite
def altered_sets(draw: st.DrawFn) -> dict[str, Any]:
    keys = list(PUBLISHED["keys"])
    at = draw(st.integers(0, len(keys) - 1))
    keys[at] = changed(keys[at], draw)
    return {"keys": keys}


@st.composite
def altered_extensions(draw: st.DrawFn) -> dict[str, Any]:
    return changed(dict(B2B), draw)


@SEVERAL
@given(
    st.binary(max_size=300)
    | st.dictionaries(st.text(max_size=9), st.text(max_size=9)).map(lambda d: urlencode(d).encode())
)
def test_any_bytes_are_a_form_or_refused(content: bytes) -> None:
    try:
        form = read_form(content)
    except TokenRequestError:
        return
    assert all(isinstance(each, str) for each in (*form, *form.values()))


@SEVERAL
@given(altered_claims())
def test_altered_claims_of_the_right_client_earn_a_token_or_a_refusal(site: Site, claims: dict[str, Any]) -> None:
    text = json.dumps(claims).encode()
    try:
        granted = site.grants.decide(form_of(signed(site.key, text)), NOW)
    except TokenRequestError as refusal:
        if refusal.oauth_error not in ("invalid_client", "invalid_grant"):
            raise
        return
    good = claims_of()
    for name in ("iss", "sub", "aud"):
        assert claims[name] == good[name] or claims[name] == [good[name]]
    assert NOW.timestamp() < claims["exp"] + 30
    assert granted.b2b == B2b.from_json(claims["extensions"]["hl7-b2b"])


@SEVERAL
@given(st.data())
def test_an_assertion_with_any_character_changed_earns_nothing(site: Site, data: st.DataObject) -> None:
    text = signed(site.key, claims_of())
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABab09-_.=\x00é"))
    forged = text[:at] + other + text[at + 1 :]
    is_padding = at == len(text) - 1 or text[at + 1] == "."  # a part's last character has bits that stand for nothing
    if forged == text or is_padding:
        return
    with pytest.raises(TokenRequestError) as caught:
        site.grants.decide(form_of(forged), NOW)
    assert caught.value.oauth_error == "invalid_client"


@SEVERAL
@given(
    JSON.map(lambda data: json.dumps(data).encode())
    | altered_sets().map(lambda data: json.dumps(data).encode())
    | st.binary(max_size=99)
)
def test_any_key_set_is_read_or_refused(text: bytes) -> None:
    try:
        found = KeySet.loads(text)
    except AccessError:
        return
    assert all(key.key_type in ("EC", "RSA") and not key.is_private for key in found.keys.values())


@SEVERAL
@given(JSON | altered_extensions())
def test_any_extension_is_read_or_refused(data: Any) -> None:
    try:
        found = B2b.from_json(data)
    except AccessError:
        return
    assert B2b.from_json(found.to_json()) == found


@SEVERAL
@given(JSON)
def test_any_statement_is_read_or_refused(data: Any) -> None:
    text = json.dumps({"keys": [], "chartseal": data}).encode()
    with pytest.raises(PeerError) as caught:
        Statement.of_key_set(text)
    assert caught.value.code == "peer_not_account"


@SEVERAL
@given(st.text(max_size=60) | st.text("aZ._-0", min_size=5, max_size=40))
def test_any_text_is_a_signed_text_or_refused(text: str) -> None:
    with pytest.raises(AccessError):
        Unverified.read(text)


@SEVERAL
@given(
    st.text(max_size=60)
    | st.from_regex(r"system/(\*|[A-Z][a-z]+)\.[cruds*]{1,5}(\?category=[a-z|%]+)?", fullmatch=True)
)
def test_any_scopes_are_read_and_written_the_same(text: str) -> None:
    try:
        found = Scopes.parse(text)
    except ScopeError:
        return
    assert Scopes.parse(str(found)) == found


@SEVERAL
@given(st.text(max_size=60) | st.text("htps:/.@[]#?%\\a0", max_size=40).map(lambda tail: f"https://{tail}"))
def test_any_text_leads_nowhere_inside(text: str) -> None:
    with pytest.raises(PeerError):
        fetch(text, Reach(resolve=lambda *_: ["127.0.0.1"]))
