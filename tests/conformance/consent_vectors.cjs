// Vectors of consents, by ethers 6 and OpenZeppelin's tree, on standard output:
//   node tests/conformance/consent_vectors.cjs > tests/vectors/consent.json
// Nothing of Chartseal takes part; the inputs are made up. Salts are keccak256 of the field's name.
const { AbiCoder, concat, keccak256, toBeHex, toUtf8Bytes } = require("ethers");
const { SimpleMerkleTree } = require("@openzeppelin/merkle-tree");

const abi = AbiCoder.defaultAbiCoder();
const field = (name, types, values) =>
  toBeHex(BigInt(keccak256(abi.encode(["string", ...types], ["chartseal/1/" + name, ...values]))) >> 8n, 32);

const word = (byte, count = 32) => "0x" + byte.repeat(count);
// The sealing address of the shared wallet vector: seed 64 x 0x22, address 0, epoch 0.
const PATIENT = concat([
  "0x0af392448f67d68c47d519ae739ee81a1b2cf759ebac7ad967241e3a62bade87",
  "0xa85240f9cd397fca147891449ca52a40939783ca5818cce12535a2d0eb6b821b",
]);
const TYPES = {
  format: "string",
  kind: "string",
  patient: "bytes",
  custodian: "address",
  "grantee.account": "address",
  "grantee.role": "string",
  purposes: "string[]",
  notBefore: "uint64",
  expiry: "uint64",
  types: "string[]",
  codes: "string[]",
  since: "string",
  until: "string",
  labels: "string[]",
  "except.types": "string[]",
  "except.codes": "string[]",
  "except.labels": "string[]",
};
const PLAIN = {
  format: "chartseal/1",
  kind: "consent",
  patient: PATIENT,
  custodian: word("a1", 20),
  "grantee.account": word("b2", 20),
  "grantee.role": "",
  purposes: ["TREAT"],
  notBefore: 1798588800,
  expiry: 1830124800,
  types: [],
  codes: [],
  since: "",
  until: "",
  labels: [],
  "except.types": [],
  "except.codes": [],
  "except.labels": [],
};
const ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode|";
const CONSENTS = [
  PLAIN,
  {
    ...PLAIN,
    "grantee.account": word("00", 20),
    "grantee.role": "hospital",
    purposes: ["ETREAT", "TREAT"],
    types: ["Condition", "Observation"],
    codes: ["http://loinc.org|2339-0", "http://snomed.info/sct|73211009"],
    since: "2020-01-01",
    until: "2026-12-31",
    labels: [ACT + "HIV"],
    "except.types": ["Claim"],
    "except.codes": ["http://loinc.org|1-8"],
    "except.labels": [ACT + "ETH"],
  },
];

const consents = CONSENTS.map((input) => {
  const leaves = Object.entries(input).map(([name, value]) => {
    const salt = keccak256(toUtf8Bytes(name));
    const encoded = abi.encode([TYPES[name]], [value]);
    return keccak256(keccak256(abi.encode(["string", "string", "bytes", "bytes32"], [TYPES[name], name, encoded, salt])));
  });
  const root = SimpleMerkleTree.of(leaves).root;
  const consent = field("consent", ["bytes32", "address"], [root, input.custodian]);
  const withdrawal = field("consent-withdrawal", ["bytes32"], [root]);
  return { input, expected: { root, consent, withdrawal } };
});
const source = "ethers 6 and @openzeppelin/merkle-tree by tests/conformance/consent_vectors.cjs";
console.log(JSON.stringify({ source, consents }, null, 1));
