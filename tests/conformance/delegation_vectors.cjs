// Vectors of what holders sign to let a proxy act, and to leave an address for another, by ethers 6, on standard output:
//   node tests/conformance/delegation_vectors.cjs > tests/vectors/delegation.json
// Nothing of Chartseal takes part; the inputs are made up.
const { AbiCoder, keccak256, toUtf8Bytes, toBeHex, ZeroHash } = require("ethers");

const abi = AbiCoder.defaultAbiCoder();
const field = (name, types, values) =>
  toBeHex(BigInt(keccak256(abi.encode(["string", ...types], ["chartseal/1/" + name, ...values]))) >> 8n, 32);

const word = (byte, count = 32) => "0x" + byte.repeat(count);
const TERMS = { notBefore: 1798588800, expiry: 1830124800, majority: 0, audience: "" };
const DELEGATIONS = [
  { subject: word("44"), proxy: word("55"), ...TERMS },
  { subject: word("45"), proxy: word("55"), ...TERMS },
  { subject: word("44"), proxy: word("56"), ...TERMS, audience: "https://verifier.example" },
  { subject: word("44"), proxy: word("55"), ...TERMS, audience: "Prüfstelle", majority: 1814400000 },
];
const SUCCESSIONS = [
  { from: word("aa", 64), to: word("bb", 64), at: 1798588800 },
  { from: word("bb", 64), to: word("aa", 64), at: 1798588800 },
  { from: word("aa", 64), to: word("cc", 64), at: 0 },
];

const delegations = DELEGATIONS.map((input) => {
  const audience = input.audience === "" ? ZeroHash : keccak256(toUtf8Bytes(input.audience));
  const message = field(
    "delegation",
    ["bytes32", "bytes32", "bytes32", "uint64", "uint64", "uint64"],
    [input.subject, input.proxy, audience, input.notBefore, input.expiry, input.majority],
  );
  return { input, expected: { message } };
});
const successions = SUCCESSIONS.map((input) => {
  const message = field("successor", ["bytes", "bytes", "uint64"], [input.from, input.to, input.at]);
  return { input, expected: { message } };
});
const source = "ethers 6 by tests/conformance/delegation_vectors.cjs";
console.log(JSON.stringify({ source, delegations, successions }, null, 1));
