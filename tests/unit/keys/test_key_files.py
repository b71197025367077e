"""Wallet and issuer key files, and the commands that write them."""

import hashlib
import json
import os
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from eth_keyfile import keyfile

from chartseal import _core
from chartseal.attestation import Address, Network, network, to_hex
from chartseal.attestation.signer import LocalSigner, make_keystore
from chartseal.chain.deployment import Deployment
from chartseal.cli import cli
from chartseal.cli.passphrase import read_words_passphrase
from chartseal.errors import (
    ChartsealError,
    DomainError,
    KeyFileError,
    KeyFormatError,
    KeystoreError,
    SignatureError,
    WordsError,
    WrongPassphraseError,
)
from chartseal.keys import AuthorityKey, IssuerKey, SealingAddress, Wallet, _files
from chartseal.keys.issuer import SECP256K1_ORDER
from chartseal.keys.possession import verify_possession
from chartseal.keys.signing import load_signer
from chartseal.keys.transport import transport_public

# Source: BIP-39's English vectors (trezor/python-mnemonic), entropy 32 times 80.
WORDS = (
    "letter advice cage absurd amount doctor acoustic avoid " * 2
    + "letter advice cage absurd amount doctor acoustic bless"
)
PASSPHRASE = "correct horse"

# Source: the same vectors: entropy of 32 bytes, words, and the seed under the passphrase TREZOR.
TREZOR = [
    (
        "00" * 32,
        "abandon " * 23 + "art",
        "bda85446c68413707090a52022edd26a1c9462295029f2e60cd7c4f2bbd30971"
        "70af7a4d73245cafa9c3cca8d561a7c3de6f5d4a10be8ed2a5e608d68f92fcc8",
    ),
    (
        "80" * 32,
        WORDS,
        "c0c519bd0e91a2ed54357d9d1ebef6f5af218a153624cf4f2da911a0ed8f7a09"
        "e2ef61af0aca007096df430022f7a2b6fb91661a9589097069720d015e4e982f",
    ),
    (
        "ff" * 32,
        "zoo " * 23 + "vote",
        "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e16"
        "13912f0a5b694407be899ffd31ed3992c456cdf60f5d4564b8ba3f05a69890ad",
    ),
]


@pytest.fixture(autouse=True)
def fast_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key files of these tests use 2^10 rounds: the same format, a second less for each."""
    monkeypatch.setattr(keyfile, "get_default_work_factor_for_kdf", lambda _kdf: 1024)


def test_words_restore_the_wallet() -> None:
    wallet = Wallet.from_words(WORDS.upper().replace(" ", "  "))
    assert wallet.words() == WORDS
    generated = Wallet.generate()
    assert len(generated.words().split()) == 24
    assert Wallet.from_words(generated.words()).sealing_address() == generated.sealing_address()


@pytest.mark.parametrize(
    "words",
    ["", WORDS.rsplit(" ", 1)[0], f"{WORDS} bless", WORDS.replace("bless", "blast"), WORDS.replace("bless", "x")],
)
def test_other_words_are_refused(words: str) -> None:
    with pytest.raises(WordsError) as caught:
        Wallet.from_words(words)
    assert "letter" not in str(caught.value)


@pytest.mark.parametrize(("entropy", "words", "seed"), TREZOR)
def test_words_and_their_passphrase_are_those_of_bip_39(entropy: str, words: str, seed: str, tmp_path: Path) -> None:
    expected = SealingAddress(_core.Wallet(bytes.fromhex(seed)).address())
    wallet = Wallet.from_words(words, "TREZOR")
    assert wallet.words() == words
    assert wallet.sealing_address() == Wallet(bytes.fromhex(entropy), "TREZOR").sealing_address() == expected
    if 0 < int(entropy, 16) < SECP256K1_ORDER:  # what has no passphrase is kept as a key of that curve
        Wallet.from_words(words).save(tmp_path / "plain.json", PASSPHRASE)
        assert Wallet.load(tmp_path / "plain.json", PASSPHRASE).sealing_address() != expected
    wallet.save(tmp_path / "wallet.json", PASSPHRASE)
    assert Wallet.load(tmp_path / "wallet.json", PASSPHRASE).sealing_address() == expected


def test_another_passphrase_is_another_wallet_and_none_is_wrong() -> None:
    texts = ["", "TREZOR", "trezor", "TREZOR ", "p\u00e4ss"]
    addresses = [str(Wallet.from_words(WORDS, each).sealing_address()) for each in texts]
    assert len(set(addresses)) == len(texts)
    composed, decomposed = "p\u00e4ss \u2168", "pa\u0308ss IX"  # NFKD makes them one
    salt = b"mnemonic" + decomposed.encode()
    peer = hashlib.pbkdf2_hmac("sha512", WORDS.encode(), salt, 2_048)
    for each in (composed, decomposed):
        assert Wallet.from_words(WORDS, each).sealing_address() == SealingAddress(_core.Wallet(peer).address())
    with pytest.raises(WordsError):
        Wallet.from_words(WORDS, "\ud800")


def test_a_file_of_words_with_a_passphrase_keeps_neither(tmp_path: Path) -> None:
    path = tmp_path / "wallet.json"
    wallet = Wallet.from_words(WORDS, "TREZOR")
    wallet.save(path, PASSPHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(path.read_text())) == {"format", "kind", "key", "seed", "checksum"}
    opened = Wallet.load(path, PASSPHRASE)
    assert (opened.has_passphrase, Wallet.from_words(WORDS).has_passphrase) == (True, False)
    with pytest.raises(WordsError) as caught:
        opened.words()
    assert caught.value.code == "words_not_kept"
    assert opened.sealing_address(3, 4) == wallet.sealing_address(3, 4)
    opened.save(tmp_path / "again.json", "other")
    assert Wallet.load(tmp_path / "again.json", "other").sealing_address() == wallet.sealing_address()
    with pytest.raises(WrongPassphraseError):
        Wallet.load(path, "TREZOR")
    keys = [each.content_keys("records") for each in (wallet, opened, Wallet.from_words(WORDS))]
    assert keys[0] == keys[1] != keys[2]


def test_every_damaged_seed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "wallet.json"
    Wallet.from_words(WORDS, "TREZOR").save(path, PASSPHRASE)
    members = _files.decode("wallet", path.read_bytes())
    seed = members["seed"]
    for other in (seed[2:], "zz" + seed[2:], f"{int(seed[:2], 16) ^ 1:02x}{seed[2:]}", "", None, 7):
        path.write_bytes(_files.encode("wallet", {"key": members["key"], "seed": other}))
        with pytest.raises(KeyFileError) as caught:
            Wallet.load(path, PASSPHRASE)
        assert caught.value.code == "key_file_damaged"


def test_nothing_secret_is_shown() -> None:
    wallet = Wallet.from_words(WORDS)
    assert repr(wallet).startswith("<chartseal.keys.wallet.Wallet object at")
    with pytest.raises(TypeError):
        __import__("pickle").dumps(wallet)


def test_a_wallet_file_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "wallet.json"
    wallet = Wallet.from_words(WORDS)
    wallet.save(path, PASSPHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(path.read_text())) == {"format", "kind", "entropy", "checksum"}
    assert "address" not in json.loads(path.read_text())["entropy"]
    assert Wallet.load(path, PASSPHRASE).words() == WORDS
    with pytest.raises(WrongPassphraseError):
        Wallet.load(path, PASSPHRASE + "?")


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "wallet.json"
    Wallet.from_words(WORDS).save(path, PASSPHRASE)
    before = path.read_bytes()
    with pytest.raises(KeyFileError) as caught:
        Wallet.generate().save(path, PASSPHRASE)
    assert caught.value.code == "key_file_exists"
    assert path.read_bytes() == before
    Wallet.generate().save(path, PASSPHRASE, force=True)
    assert path.read_bytes() != before
    assert os.listdir(tmp_path) == ["wallet.json"]


def test_every_damaged_byte_is_told_from_a_wrong_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "wallet.json"
    Wallet.from_words(WORDS).save(path, PASSPHRASE)
    data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        try:
            opened = Wallet.load(path, PASSPHRASE)
        except KeyFileError:
            continue
        assert opened.words() == WORDS  # white space


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff", b'{"format":"chartseal/1","kind":"wallet"}']
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "wallet.json"
    path.write_bytes(data)
    with pytest.raises(KeyFileError):
        Wallet.load(path, PASSPHRASE)
    with pytest.raises(KeyFileError):
        Wallet.load(tmp_path / "absent.json", PASSPHRASE)


def test_an_issuer_file_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    key = IssuerKey.generate(base="https://issuer.example/fhir")
    key.save(path, PASSPHRASE)
    opened = IssuerKey.load(path, PASSPHRASE)
    assert (opened.address, opened.person_secret, opened.base) == (key.address, key.person_secret, key.base)
    assert opened.base == "https://issuer.example/fhir/"
    with pytest.raises(WrongPassphraseError):
        IssuerKey.load(path, "")
    with pytest.raises(KeyFileError) as caught:
        Wallet.load(path, PASSPHRASE)
    assert caught.value.code == "key_file_kind"


@pytest.mark.parametrize(
    "base", ["issuer.example/fhir", "ftp://issuer.example", "https://", "https://a/?q", "https://[a"]
)
def test_a_base_is_an_absolute_url(base: str) -> None:
    with pytest.raises(KeyFormatError):
        IssuerKey.generate(base=base)


def test_a_network_is_of_the_table() -> None:
    with pytest.raises(DomainError):
        IssuerKey.generate(seals_for="nowhere")


def test_a_network_of_ones_own_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    own = Network("local", 31_337, "1.4.0", Address(b"\x01" * 20), Address(b"\x02" * 20))
    IssuerKey.generate(seals_for=own).save(path, PASSPHRASE)
    assert IssuerKey.load(path, PASSPHRASE).network == own
    assert json.loads(path.read_text())["network"]["chainId"] == 31_337
    IssuerKey.generate(seals_for="base").save(path, PASSPHRASE, force=True)
    assert json.loads(path.read_text())["network"] == "base"
    assert IssuerKey.load(path, PASSPHRASE).issuing().domain == network("base").domain()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("chainId", True),
        ("chainId", 2**64),
        ("chainId", -1),
        ("chainId", "1"),
        ("version", None),
        ("name", None),
        ("eas", "0x00"),
        ("eas", None),
        ("schemaRegistry", 7),
    ],
)
def test_a_malformed_network_of_ones_own_is_refused(tmp_path: Path, member: str, value: object) -> None:
    path = tmp_path / "key.json"
    own = Network("local", 31_337, "1.4.0", Address(b"\x01" * 20), Address(b"\x02" * 20))
    IssuerKey.generate(seals_for=own).save(path, PASSPHRASE)
    members = _files.decode("issuer-key", path.read_bytes())
    members["network"][member] = value
    body = {name: kept for name, kept in members.items() if name not in ("format", "kind")}
    path.write_bytes(_files.encode("issuer-key", body))
    with pytest.raises(KeyFileError):
        IssuerKey.load(path, PASSPHRASE)


def test_a_command_takes_a_deployment_file(tmp_path: Path) -> None:
    deployment, path = tmp_path / "deployment.json", tmp_path / "key.json"
    kept = Deployment(31_337, "1.4.0", Address(b"\x01" * 20), Address(b"\x02" * 20), name="local")
    deployment.write_text(kept.to_json())
    run("issuer", "init", "-o", str(path), "--deployment", str(deployment))
    assert IssuerKey.load(path, PASSPHRASE).issuing().domain == kept.domain()
    with pytest.raises(SystemExit):
        run("issuer", "init", "-o", str(tmp_path / "b.json"), "--deployment", str(deployment), "--network", "base")


PROVING_MEMBERS = ("proving", "provingKey", "transport", "transportKey")


def of_the_earlier_form(path: Path) -> IssuerKey:
    """Write a file as it was before issuers had proving and transport keys."""
    key = IssuerKey.generate(base="https://issuer.example/fhir")
    key.save(path, PASSPHRASE, force=True)
    change(path, **dict.fromkeys(PROVING_MEMBERS))
    return key


def change(path: Path, **members: object) -> None:
    """Set members of an issuer key file, None taking them away, with a checksum that matches."""
    whole = {**_files.decode("issuer-key", path.read_bytes()), **members}
    kept = {name: value for name, value in whole.items() if value is not None and name not in ("format", "kind")}
    path.write_bytes(_files.encode("issuer-key", kept))


def test_an_issuer_proves_and_reads_with_keys_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    key = IssuerKey.generate()
    key.save(path, PASSPHRASE)
    opened = IssuerKey.load(path, PASSPHRASE)
    assert (opened.proving_key, opened.transport_key) == (key.proving_key, key.transport_key)
    assert opened.transport_secret() == key.transport_secret()
    assert opened.proving().public() == opened.proving_key
    assert opened.transport_key != IssuerKey.generate().transport_key
    address = opened.signer.address
    verify_possession(address, opened.proving_key, opened.possession())
    with pytest.raises(SignatureError):
        verify_possession(Address(b"\x01" * 20), opened.proving_key, opened.possession())
    assert opened.upgraded().proving_key == key.proving_key
    assert IssuerKey.stated_address(path) == address


def test_only_what_is_used_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, unlock = tmp_path / "key.json", _files.unlock
    opened: list[object] = []

    def counted(keystore: object, passphrase: str) -> bytes:
        opened.append(keystore)
        return unlock(keystore, passphrase)

    IssuerKey.generate().save(path, PASSPHRASE)
    monkeypatch.setattr(_files, "unlock", counted)
    key = IssuerKey.load(path, PASSPHRASE)
    assert (len(key.proving_key), len(key.transport_key), len(opened)) == (32, 32, 2)
    key.possession()
    assert len(opened) == 3


def test_a_file_of_the_earlier_form_still_seals(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    older = of_the_earlier_form(path)
    key = IssuerKey.load(path, PASSPHRASE)
    assert (key.address, key.person_secret, key.is_complete) == (older.address, older.person_secret, False)
    for name in ("proving_key", "transport_key", "possession", "transport_secret"):
        with pytest.raises(KeyFileError) as caught:
            getattr(key, name)()
        assert caught.value.code == "key_file_outdated"
    key.save(path, PASSPHRASE, force=True)
    assert not set(PROVING_MEMBERS) & json.loads(path.read_text()).keys()


def test_upgrading_adds_what_is_missing_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    older = of_the_earlier_form(path)
    shown = run("issuer", "upgrade", "--issuer", str(path))
    upgraded = IssuerKey.load(path, PASSPHRASE)
    assert shown["provingKey"] == to_hex(upgraded.proving_key)
    assert (upgraded.address, upgraded.base, upgraded.network) == (older.address, older.base, older.network)
    assert upgraded.person_secret == older.person_secret
    before = path.read_bytes()
    assert run("issuer", "upgrade", "--issuer", str(path)) == shown
    assert path.read_bytes() == before


def test_a_public_key_that_is_not_the_secrets_is_found_out(tmp_path: Path) -> None:
    path, other = tmp_path / "key.json", IssuerKey.generate()
    IssuerKey.generate().save(path, PASSPHRASE)
    change(path, provingKey=to_hex(other.proving_key), transportKey=to_hex(other.transport_key))
    key = IssuerKey.load(path, PASSPHRASE)
    for use in (key.proving, key.possession, key.transport_secret, key.upgraded):
        with pytest.raises(KeyFileError):
            use()
    for name in PROVING_MEMBERS:
        IssuerKey.generate().save(path, PASSPHRASE, force=True)
        change(path, **{name: None})
        with pytest.raises(KeyFileError):
            IssuerKey.load(path, PASSPHRASE).upgraded()


def test_a_transport_key_is_of_x25519() -> None:
    # Source: RFC 7748, section 6.1.
    secret = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    assert transport_public(secret).hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    for wrong in (secret[:-1], secret + b"\0"):
        with pytest.raises(KeyFormatError):
            transport_public(wrong)


def test_an_authority_file_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "authority.json"
    key = AuthorityKey.generate()
    key.save(path, PASSPHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert AuthorityKey.load(path, PASSPHRASE).address == key.address
    assert AuthorityKey.stated_address(path) == key.signer.address
    with pytest.raises(WrongPassphraseError):
        AuthorityKey.load(path, PASSPHRASE + "?")
    with pytest.raises(KeyFileError) as caught:
        IssuerKey.load(path, PASSPHRASE)
    assert caught.value.code == "key_file_kind"
    members = _files.decode("authority-key", path.read_bytes())
    body = {"address": AuthorityKey.generate().address, "accredit": members["accredit"]}
    path.write_bytes(_files.encode("authority-key", body))
    with pytest.raises(KeyFileError):
        AuthorityKey.load(path, PASSPHRASE)


def run(*arguments: str, passphrase: str | None = PASSPHRASE) -> dict[str, str]:
    result = CliRunner().invoke(cli, [*arguments, "--json"], env={"CHARTSEAL_PASSPHRASE": passphrase})
    if result.exception is not None:
        raise result.exception
    shown: dict[str, str] = json.loads(result.stdout)
    return shown


def test_commands_make_keys(tmp_path: Path) -> None:
    wallet, issuer = str(tmp_path / "w.json"), str(tmp_path / "key.json")
    made = run("wallet", "init", "-o", wallet)
    assert run("wallet", "address", "-w", wallet)["address"] == made["address"]
    assert run("wallet", "address", "-w", wallet, "--number", "1")["address"] != made["address"]
    SealingAddress.parse(made["address"])
    assert run("issuer", "init", "-o", issuer, "--base", "https://a.example")["address"].startswith("0x")
    with pytest.raises(ChartsealError):
        run("issuer", "init", "-o", issuer)
    run("issuer", "init", "-o", issuer, "--force")
    with pytest.raises(SystemExit):
        run("wallet", "address", "-w", wallet, passphrase=None)


def test_words_are_shown_once_and_restore(tmp_path: Path) -> None:
    environment = {"CHARTSEAL_PASSPHRASE": PASSPHRASE}
    made = CliRunner().invoke(cli, ["wallet", "init", "-o", str(tmp_path / "a.json"), "--json"], env=environment)
    words = Wallet.load(tmp_path / "a.json", PASSPHRASE).words()
    assert all(word in made.stderr for word in words.split())
    assert words.split()[0] not in made.stdout
    reader, writer = os.pipe()
    os.write(writer, words.encode() + b"\n")
    os.close(writer)
    restored = run("wallet", "init", "-o", str(tmp_path / "b.json"), "--words-from", str(reader))
    assert restored["address"] == json.loads(made.stdout)["address"]


def fed(text: str) -> str:
    """A descriptor that gives a text."""
    reader, writer = os.pipe()
    os.write(writer, text.encode() + b"\n")
    os.close(writer)
    return str(reader)


def test_words_with_a_passphrase_restore_by_both(tmp_path: Path) -> None:
    environment = {"CHARTSEAL_PASSPHRASE": PASSPHRASE}

    def init(name: str, *options: str) -> tuple[str, str]:
        made = CliRunner().invoke(
            cli, ["wallet", "init", "-o", str(tmp_path / name), "--json", *options], env=environment
        )
        assert made.exit_code == 0, made.output
        return json.loads(made.stdout)["address"], made.stderr

    made, told = init("a.json", "--words-passphrase-fd", fed("TREZOR"))
    numbered = {int(at): word for at, word in re.findall(r"(\d+)\. ([a-z]+)", told)}
    words = " ".join(numbered[at] for at in range(1, 25))
    assert "no file keeps" in told
    assert "TREZOR" not in told
    given = ("--words-from", fed(words), "--words-passphrase-fd", fed("TREZOR"))
    assert init("b.json", *given)[0] == made
    other, warned = init("c.json", "--words-from", fed(words), "--words-passphrase-fd", fed("trezor"))
    assert other != made
    assert warned.startswith("Compare the address")
    assert init("d.json", "--words-from", fed(words))[0] not in (made, other)
    with pytest.raises(SystemExit):
        run("wallet", "init", "-o", str(tmp_path / "e.json"), "--words-passphrase")  # no terminal to ask on
    with pytest.raises(SystemExit):
        run("wallet", "init", "-o", str(tmp_path / "e.json"), "--words-passphrase-fd", fed(""))
    assert not (tmp_path / "e.json").exists()


def test_a_new_passphrase_of_words_is_asked_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def prompt(text: str, *, confirmation_prompt: bool, **_: object) -> str:
        asked.append((text, confirmation_prompt))
        return "TREZOR"

    monkeypatch.setattr("chartseal.cli.passphrase.sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "prompt", prompt)
    for confirm in (True, False):
        assert read_words_passphrase(None, confirm=confirm) == "TREZOR"
    assert asked == [("Passphrase of the words", True), ("Passphrase of the words", False)]


def test_a_signing_key_comes_from_any_kind_of_key_file(tmp_path: Path) -> None:
    issuer, authority = IssuerKey.generate(), AuthorityKey.generate()
    plain = tmp_path / "plain.json"
    issuer.save(tmp_path / "issuer.json", PASSPHRASE)
    authority.save(tmp_path / "authority.json", PASSPHRASE)
    Wallet.generate().save(tmp_path / "wallet.json", PASSPHRASE)
    plain.write_text(json.dumps(make_keystore(b"\x07" * 32, PASSPHRASE)))
    assert load_signer(tmp_path / "issuer.json", PASSPHRASE).address == issuer.signer.address
    assert load_signer(tmp_path / "authority.json", PASSPHRASE).address == authority.signer.address
    assert load_signer(plain, PASSPHRASE).address == LocalSigner(b"\x07" * 32).address
    assert load_signer(plain, PASSPHRASE, of_authority=True).address == LocalSigner(b"\x07" * 32).address
    for name, of_authority in (("wallet.json", False), ("issuer.json", True)):
        with pytest.raises(KeyFileError) as caught:
            load_signer(tmp_path / name, PASSPHRASE, of_authority=of_authority)
        assert caught.value.code == "key_file_kind"
    with pytest.raises(WrongPassphraseError):
        load_signer(tmp_path / "issuer.json", "another")
    plain.write_text('{"kind": 5, "format": "chartseal/1"}')
    with pytest.raises(KeystoreError):
        load_signer(plain, PASSPHRASE)
