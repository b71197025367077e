"""Every case that eas-sdk 2.10 itself produced, and case by case where its behaviour is a defect that is not copied."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chartseal.attestation import (
    Address,
    Domain,
    Form,
    LocalSigner,
    Multiproof,
    OffchainMessage,
    PrivateData,
    PrivateValue,
    Schema,
    address_from,
    attestation_uid,
    delegated,
    digest_from,
    from_hex,
    links,
    offchain_uid,
    packages,
    recover_offchain,
    schema_uid,
    sign_offchain,
    to_hex,
    verify_offchain,
)
from chartseal.errors import ChartsealError, DomainError, FieldEncodingError, PackageError, SchemaError, SignatureError

NOW = datetime(2024, 1, 1, tzinfo=UTC)
SIGNER = LocalSigner(b"\x11" * 32)
SALT = b"\x11" * 32


@pytest.fixture(scope="module")
def vectors(shared: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((shared / "vectors" / "eas_sdk_2.10.json").read_text())
    return loaded


def leaf(kind: str, value: Any, salt: bytes = SALT, name: str = "name") -> PrivateValue:
    return PrivateValue(kind, name, value, digest_from(to_hex(salt), ""))


def test_signer_address(vectors: dict[str, Any]) -> None:
    assert SIGNER.address == address_from(vectors["meta"]["signer"], "")


def test_schema_uids(vectors: dict[str, Any]) -> None:
    for case in vectors["schemas"]:
        resolver = address_from(case["resolver"], "")
        assert to_hex(schema_uid(case["schema"], resolver, case["revocable"])) == case["uid"]
        assert to_hex(schema_uid(case["schema"], resolver, not case["revocable"])) != case["uid"]


def test_private_data(vectors: dict[str, Any]) -> None:
    for case in vectors["privateData"]:
        tree = PrivateData.from_json({"root": case["root"], "values": case["values"]})
        assert tree.salts_sound
        assert [to_hex(value.leaf_hash()) for value in tree.values] == case["leafHashes"]
        if "dump" in case:
            assert [to_hex(node) for node in tree.nodes] == case["dump"]
        assert tree.to_json() == {"root": case["root"], "values": case["values"]}


def test_multiproofs(vectors: dict[str, Any]) -> None:
    for case in vectors["privateData"]:
        tree = PrivateData.from_json({"root": case["root"], "values": case["values"]})
        for proof in case["multiProofs"]:
            theirs = {name: proof[name] for name in ("leaves", "proof", "proofFlags")}
            if not proof["indexes"]:  # the SDK makes and accepts a proof of nothing, which fits any root it carries
                with pytest.raises(FieldEncodingError, match="no leaf"):
                    Multiproof.from_json(theirs).verify(tree.root)
                with pytest.raises(FieldEncodingError, match="no leaf"):
                    tree.multiproof([])
                continue
            assert tree.multiproof(proof["indexes"]).to_json() == theirs
            read = Multiproof.from_json(theirs)
            assert read.verify(tree.root) == tuple(tree.values[index] for index in proof["leafOrder"])


def hashes_to(case: dict[str, Any], key: str, kind: str, value: Any) -> None:
    assert case[key] == to_hex(leaf(kind, value).leaf_hash())


class TestPrivateDataBehaviour:
    """`privateDataBehaviour`: what the SDK does with odd input, and what we do."""

    @pytest.fixture
    def case(self, vectors: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = vectors["privateDataBehaviour"]
        return found

    def test_a_text_is_never_a_bool(self, case: dict[str, Any]) -> None:
        assert case["boolFromString"]["false"] == case["boolFromString"]["true"]  # the SDK's defect
        for text in ("false", "true"):
            with pytest.raises(FieldEncodingError):
                leaf("bool", text).leaf_hash()

    def test_short_salts_are_read_with_a_mark(self, case: dict[str, Any]) -> None:
        assert case["shortSalt"]["0x11"] == case["shortSalt"]["padded"]
        padded = PrivateData([leaf("string", "x", b"\x11".ljust(32, b"\0"))])
        data = padded.to_json()
        data["values"][0]["salt"] = "0x11"
        assert not PrivateData.from_json(data).salts_sound
        assert PrivateData.from_json(data).root == padded.root

    def test_refused_by_both(self, case: dict[str, Any]) -> None:
        assert all(
            case[name].startswith("throws")
            for name in (
                "saltWithout0x",
                "salt33bytes",
                "someSaltsMissing",
                "emptyList",
                "uint8Overflow",
                "loneSurrogate",
                "badType",
                "addressBadChecksum",
                "numberFloat",
                "generateDuplicatedIndex",
                "generateOutOfRange",
            )
        )
        bad_checksum = "0x742d35Cc6634C0532925a3b844Bc454e4438F44e"
        for kind, value in [
            ("uint8", 256),
            ("string", "\ud800"),
            ("invalid", "x"),
            ("string ", "x"),
            ("address", bad_checksum),
            ("uint256", 1.5),
        ]:
            with pytest.raises(FieldEncodingError):
                leaf(kind, value).leaf_hash()
        good = leaf("string", "x").to_json()
        salts: list[Any] = ["ab" * 32, "0x" + "ab" * 33, None]
        for salt in salts:
            with pytest.raises(PackageError):
                PrivateValue.from_json({**good, "salt": salt})
        with pytest.raises(FieldEncodingError):
            PrivateData([])
        tree = PrivateData.salted([("string", "a", "x"), ("string", "b", "y")])
        for indices in ([0, 0], [2], [-1]):
            with pytest.raises(FieldEncodingError):
                tree.multiproof(indices)

    def test_a_name_that_is_no_text(self, case: dict[str, Any]) -> None:
        assert case["loneSurrogateName"].startswith("0x")  # the SDK's defect: it hashes a replacement character
        with pytest.raises(FieldEncodingError):
            leaf("string", "x", name="\ud800").leaf_hash()

    def test_spellings_are_hashed_as_given(self, case: dict[str, Any]) -> None:
        spaced, plain = case["typeWithSpace"][" string"], case["typeWithSpace"]["string"]
        assert spaced != plain
        assert leaf(" string", "x").leaf_hash() != leaf("string", "x").leaf_hash()
        assert leaf("string x", "x").leaf_hash() not in (leaf("string", "x").leaf_hash(), case["typeWithName"])

    def test_integers_as_hex_text(self, case: dict[str, Any]) -> None:
        assert case["numberHexString"]["10"] == case["numberHexString"]["0x0a"]
        assert leaf("uint256", "0x0a").leaf_hash() == leaf("uint256", 10).leaf_hash()

    def test_verification(self, case: dict[str, Any]) -> None:
        assert case["verify"]["emptyProofOfRoot"] is True  # the SDK's defect, refused in test_multiproofs
        tree = PrivateData([leaf("string", text, bytes([at + 1]) * 32) for at, text in enumerate("abcde")])
        apart = [
            0,
            next(at for at in range(1, 5) if not tree.multiproof([0, at]).flags[0]),
        ]  # no siblings: order counts
        good = tree.multiproof(apart)
        assert good.verify(tree.root) == good.leaves
        hostile: list[Callable[[Multiproof], Multiproof]] = [
            lambda p: Multiproof(p.leaves[::-1], p.siblings, p.flags),
            lambda p: Multiproof((leaf("string", "z"), *p.leaves[1:]), p.siblings, p.flags),
            lambda p: Multiproof(
                (PrivateValue(" string", *(getattr(p.leaves[0], n) for n in ("name", "value", "salt"))), *p.leaves[1:]),
                p.siblings,
                p.flags,
            ),
            lambda p: Multiproof((*p.leaves, leaf("string", "z")), p.siblings, p.flags),
        ]
        for change in hostile:
            with pytest.raises(ChartsealError):
                change(good).verify(tree.root)


def message_of(sig: dict[str, Any]) -> OffchainMessage:
    return packages.from_json({"sig": sig, "signer": "0x" + "11" * 20}).message


class TestOffchain:
    def test_uids_and_digests(self, vectors: dict[str, Any]) -> None:
        for case in vectors["offchain"]:
            package = packages.from_json(case["package"])
            assert to_hex(package.digest()) == case["digest"]
            assert to_hex(package.domain.separator()) == case["domainSeparator"]
            assert to_hex(offchain_uid(package.message, package.form)) == case["uid"]
            if "uidWithUppercaseSchemaHex" in case:  # the SDK's uid depends on the case of the schema's text
                assert case["uidWithUppercaseSchemaHex"] != case["uid"]

    def test_signing_gives_the_same_bytes(self, vectors: dict[str, Any]) -> None:
        for case in vectors["offchain"]:
            theirs = packages.from_json(case["package"])
            message = theirs.message
            # A zero salt means "draw one" here; the SDK's vector has signed a zero one.
            ours = sign_offchain(message, theirs.domain, SIGNER, theirs.form, token_bytes=bytes)
            assert ours == theirs
            assert packages.to_json(ours) == case["package"]

    def test_verification(self, vectors: dict[str, Any]) -> None:
        for case in vectors["offchain"]:
            assert verify_offchain(packages.from_json(case["package"]), now=NOW).attester == SIGNER.address

    def test_links(self, vectors: dict[str, Any]) -> None:
        for case in vectors["offchain"]:
            package, url = packages.from_json(case["package"]), case["url"]
            assert links.from_url(url["path"]) == links.from_base64(url["base64"]) == package
            if "compact" in url:
                assert links.to_compact(package) == url["compact"]
                assert links.from_compact(json.loads(url["json"])) == package
            assert links.to_base64(package) == url["base64"]
            assert links.to_url(package) == url["path"]
            # The SDK forgets which legacy struct was signed and then refuses its own link; here it still verifies.
            assert recover_offchain(links.from_url(url["path"])).attester == SIGNER.address

    def test_links_found_in_the_documentation(self, vectors: dict[str, Any]) -> None:
        for case in vectors["realOffchainLinks"]:
            package = links.from_base64(case["base64"])
            assert packages.to_json(package)["sig"]["uid"] == case["decoded"]["sig"]["uid"]
            assert recover_offchain(package).attester == address_from(case["decoded"]["signer"], "")
            assert recover_offchain(packages.from_json(case["decoded"])) == recover_offchain(package)


class TestStrictness:
    """`offchainVerifierStrictness`: the SDK's verifier beside ours, one case each."""

    @pytest.fixture
    def good(self, vectors: dict[str, Any]) -> dict[str, Any]:
        case = vectors["offchain"][0]["package"]
        copied: dict[str, Any] = json.loads(json.dumps(case))
        return copied

    @pytest.fixture
    def strictness(self, vectors: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = vectors["offchainVerifierStrictness"]
        return found

    def verify(self, package: dict[str, Any], domain: Domain | None = None) -> Address:
        domains = None if domain is None else [domain]
        return verify_offchain(packages.from_json(package), now=NOW, domains=domains).attester

    def test_accepted_by_both(self, good: dict[str, Any], strictness: dict[str, Any]) -> None:
        assert strictness["ok"]
        assert strictness["chainIdAsNumber"]
        assert strictness["chainIdAsString"]
        assert strictness["lowercaseSigner"]
        assert self.verify(good) == SIGNER.address
        for chain_id in (1, "1"):
            good["sig"]["domain"]["chainId"] = chain_id
            assert self.verify(good) == SIGNER.address
        good["signer"] = good["signer"].lower()
        assert self.verify(good) == SIGNER.address

    def test_the_contract_in_lower_case(self, good: dict[str, Any], strictness: dict[str, Any]) -> None:
        assert strictness["lowercaseContractInDomain"] == "throws InvalidDomain"  # compared as text; as bytes here
        good["sig"]["domain"]["verifyingContract"] = good["sig"]["domain"]["verifyingContract"].lower()
        assert self.verify(good) == SIGNER.address
        good["sig"]["domain"]["verifyingContract"] = good["sig"]["domain"]["verifyingContract"].replace("a", "A", 1)
        with pytest.raises(PackageError, match="checksum"):
            self.verify(good)

    def test_another_version_of_the_contract(self, good: dict[str, Any], strictness: dict[str, Any]) -> None:
        assert strictness["otherDomainVersionFieldOnly"] is False
        assert strictness["configVersionDiffers"] is True  # the SDK takes any version; ours compares when told which
        domain = packages.from_json(good).domain
        assert self.verify(good, domain) == SIGNER.address
        with pytest.raises(DomainError):
            self.verify(good, Domain("1.0.1", domain.chain_id, domain.contract))
        good["sig"]["domain"]["version"] = "1.0.1"
        with pytest.raises(SignatureError):
            self.verify(good)

    def test_members_that_nothing_signs(self, good: dict[str, Any], strictness: dict[str, Any]) -> None:
        assert strictness["extraMessageField"] is True  # the SDK shows what nobody signed
        good["sig"]["message"]["diagnosis"] = "none"
        with pytest.raises(PackageError):
            self.verify(good)

    def test_upper_case_where_text_is_hashed(self, good: dict[str, Any], strictness: dict[str, Any]) -> None:
        assert strictness["uidUppercase"] is False
        for place in (good["sig"], good["sig"]["message"]):
            name = "uid" if place is good["sig"] else "schema"
            kept = place[name]
            place[name] = "0x" + kept[2:].upper()
            with pytest.raises(PackageError, match="lower case"):
                self.verify(good)
            place[name] = kept

    def test_types_in_another_order(self, good: dict[str, Any], strictness: dict[str, Any]) -> None:
        assert strictness["typesReordered"] == "throws InvalidTypes"
        good["sig"]["types"]["Attest"].reverse()
        with pytest.raises(PackageError):
            self.verify(good)

    def test_versions_that_contradict(self, good: dict[str, Any], strictness: dict[str, Any]) -> None:
        assert strictness["versionFieldOutsideMessageIgnored"] is True  # the SDK's defect
        assert strictness["messageVersion5SignedUnderV2Types"] is True  # the SDK's defect
        for place in (good["sig"], good["sig"]["message"]):
            for version in (1, 5, True):
                place["version"] = version
                with pytest.raises(PackageError) as raised:
                    self.verify(good)
                assert raised.value.code == "version_contradicts"
            place["version"] = 2

    def test_high_s_and_bad_signatures(self, good: dict[str, Any], strictness: dict[str, Any]) -> None:
        assert strictness["highS"] == "throws TypeError"
        assert strictness["badSignature"] is False
        order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
        signature = good["sig"]["signature"]
        kept = dict(signature)
        signature.update(s=f"0x{order - int(kept['s'], 16):064x}", v=55 - kept["v"])
        with pytest.raises(SignatureError, match="upper half"):
            self.verify(good)
        signature.update(kept, v=55 - kept["v"])
        with pytest.raises(SignatureError):
            self.verify(good)
        signature.update(kept, r="0x" + "00" * 32)
        with pytest.raises(SignatureError):
            self.verify(good)

    def test_either_legacy_struct(self, vectors: dict[str, Any], strictness: dict[str, Any]) -> None:
        assert strictness["v0or1"] is True
        forms = {packages.from_json(case["package"]).form for case in vectors["offchain"]}
        assert forms == set(Form)


def test_delegated(vectors: dict[str, Any]) -> None:
    for case in vectors["delegated"]:
        response = case["response"]
        signed = delegated.from_json(response, SIGNER.address)
        assert to_hex(signed.domain.separator()) == case["domainSeparator"]
        assert to_hex(delegated.digest(signed.request, signed.domain, SIGNER.address)) == case["digest"]
        assert delegated.verify(signed, signed.domain, now=1_700_000_000) == SIGNER.address
        assert delegated.sign(signed.request, signed.domain, SIGNER) == signed
        assert delegated.from_json(signed.to_json()) == signed
        assert {**signed.to_json(), "message": response["message"]} == response
        other = Domain("1.1.0", 1, signed.domain.contract, signed.domain.name)
        with pytest.raises(DomainError):
            delegated.verify(signed, other, now=0)


def test_onchain_uids(vectors: dict[str, Any]) -> None:
    for case in vectors["onchainUID"]:
        message = OffchainMessage(
            schema=digest_from(case["schema"], ""),
            time=int(case["time"]),
            data=from_hex(case["data"], ""),
            recipient=address_from(case["recipient"], ""),
            expiration_time=int(case["expirationTime"]),
            revocable=case["revocable"],
            ref_uid=digest_from(case["refUID"], ""),
        )
        uid = to_hex(attestation_uid(message, address_from(case["attester"], ""), int(case["bump"])))
        assert uid == case["contractUID"] != case["sdk_EAS_getAttestationUID"]


# Schemas whose handling by the SDK is a defect, and what Solidity's encoding has instead.
DEFECTIVE = {"(string system,string[] codes) c": "(string,string[])", "(uint8 a)[2] t": "(uint8)[2]"}


def test_schema_encoder(vectors: dict[str, Any]) -> None:
    for case in vectors["schemaEncoder"]:
        if case.get("throws") and "items" not in case:
            with pytest.raises(SchemaError):
                Schema.parse(case["schema"])
            continue
        schema = Schema.parse(case["schema"])
        if case["schema"] in DEFECTIVE:
            assert [item.type for item in schema.parameters] == [DEFECTIVE[case["schema"]]]
            values = [param["value"] for param in case["params"]]
            assert schema.to_json(schema.decode(schema.encode(values)))[0]["value"] == values[0]
            continue
        ours = [{"name": item.name, "type": item.type, "signature": item.signature} for item in schema.parameters]
        assert ours == [{name: item[name] for name in ("name", "type", "signature")} for item in case["items"]]
        if "throws" in case:
            with pytest.raises(FieldEncodingError):
                schema.encode([param["value"] for param in case["params"]])
        elif "data" in case:
            data = schema.encode([param["value"] for param in case["params"]])
            assert to_hex(data) == case["data"]
            assert schema.encode(schema.decode(data)) == data


def test_private_data_proof_found_in_the_documentation(vectors: dict[str, Any]) -> None:
    for case in vectors["realPrivateDataProofs"]:
        proof = Multiproof.from_json(case["proof"])
        assert to_hex(proof.leaves[0].leaf_hash()) == case["leafHash"]
        assert to_hex(proof.implied_root()) == case["impliedRoot"]
