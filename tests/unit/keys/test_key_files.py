"""Wallet and issuer key files, and the commands that write them."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from eth_keyfile import keyfile

from chartseal.attestation import Address, Network, network, to_hex
from chartseal.attestation.signer import LocalSigner, make_keystore
from chartseal.chain.deployment import Deployment
from chartseal.cli import cli
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
from chartseal.keys.possession import verify_possession
from chartseal.keys.signing import load_signer
from chartseal.keys.transport import transport_public

# Source: BIP-39's English vectors (trezor/python-mnemonic), entropy 32 times 80.
WORDS = (
    "letter advice cage absurd amount doctor acoustic avoid " * 2
    + "letter advice cage absurd amount doctor acoustic bless"
)
PASSPHRASE = "correct horse"


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
