"""The circuits in a real Chromium: what a page proves, Python verifies, and the reverse."""

from __future__ import annotations

from collections.abc import Iterator

import _browser as browser
import pytest
from _statements import SEED, spend_secret, statement
from playwright.sync_api import Error, Page

from chartseal import _core

pytestmark = pytest.mark.skipif(bool(browser.why_not()), reason=browser.why_not() or "there is a browser")

KEY_SEED = b"browser"
CIRCUITS = ["holder", "linked-1", "anonymous-1"]

VERIFY = """
async ([circuit, key, proof, inputs]) => {
  const { Circuits } = await import("/web/circuits.js");
  const circuits = await Circuits.open();
  const hash = await circuits.loadVerifier(circuit, Uint8Array.from(key));
  let code = "";
  try {
    const words = inputs.map((word) => Uint8Array.from(word));
    await circuits.verify(circuit, { proof: Uint8Array.from(proof), inputs: words });
  } catch (error) {
    code = error.code;
  }
  circuits.close();
  return { hash: Array.from(hash), code };
}
"""

REFUSED = """
async ([circuit, key, statement, threads]) => {
  const { Circuits } = await import("/web/circuits.js");
  const circuits = await Circuits.open({ threads });
  const codes = [];
  const bytes = Uint8Array.from(atob(key), (char) => char.charCodeAt(0));
  try { await circuits.loadProver(circuit, bytes); } catch (error) { codes.push(error.code); }
  try { await circuits.prove(circuit, statement); } catch (error) { codes.push(error.code); }
  circuits.close();
  return codes;
}
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser.page() as opened:
        yield opened


@pytest.fixture(scope="module")
def keys() -> dict[str, tuple[bytes, bytes]]:
    return {circuit: _core.development_key(circuit, KEY_SEED) for circuit in CIRCUITS}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("circuit", CIRCUITS)
def test_what_a_page_proves_python_verifies(
    page: Page, keys: dict[str, tuple[bytes, bytes]], circuit: str, threads: int
) -> None:
    proving, verifying = keys[circuit]
    inputs, wallet = statement(circuit)
    secret = spend_secret(SEED) if wallet is not None else None
    made = browser.prove(page, circuit, proving, inputs, secret, threads=threads)
    words = [bytes(word) for word in made["inputs"]]
    verifier = _core.CircuitVerifier(circuit, verifying)
    verifier.verify(words, bytes(made["proof"]))
    assert words == _core.CircuitProver(circuit, proving).prove(inputs, wallet)[1]


def test_what_python_proves_a_page_verifies(page: Page, keys: dict[str, tuple[bytes, bytes]]) -> None:
    proving, verifying = keys["linked-1"]
    proof, inputs = _core.CircuitProver("linked-1", proving).prove(*statement("linked-1"))
    words = [list(word) for word in inputs]
    found = page.evaluate(VERIFY, ["linked-1", list(verifying), list(proof), words])
    assert found == {"hash": list(_core.CircuitVerifier("linked-1", verifying).hash), "code": ""}
    other = [words[0], words[1], [*words[2][:-1], words[2][-1] ^ 1]]
    assert page.evaluate(VERIFY, ["linked-1", list(verifying), list(proof), other])["code"] == "proof_invalid"
    above = [[255] * 32, *words[1:]]
    assert page.evaluate(VERIFY, ["linked-1", list(verifying), list(proof), above])["code"] == "input_out_of_range"
    assert page.evaluate(VERIFY, ["linked-1", list(verifying), [1, 2], words])["code"] == "proof_malformed"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_page_is_told_what_is_refused(page: Page, keys: dict[str, tuple[bytes, bytes]], threads: int) -> None:
    proving = bytearray(keys["linked-1"][0])
    assert page.evaluate(REFUSED, ["linked-1", browser.text(bytes(proving)), '{"context": "7"}', threads]) == [
        "inputs_malformed"
    ]
    proving[len(proving) // 2] ^= 1
    assert page.evaluate(REFUSED, ["linked-1", browser.text(bytes(proving)), "{}", threads])[0] == "key_altered"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_page_proves_nothing_that_does_not_hold(
    page: Page, keys: dict[str, tuple[bytes, bytes]], threads: int
) -> None:
    other = spend_secret(bytes(64))
    inputs, _ = statement("anonymous-1")
    with pytest.raises(Error, match="do not satisfy the statement"):
        browser.prove(page, "anonymous-1", keys["anonymous-1"][0], inputs, other, threads=threads)
