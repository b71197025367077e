// Vectors of what binds proofs to a request, by ethers 6, on standard output:
//   node tests/conformance/binding_vectors.cjs > tests/vectors/binding.json
// Nothing of Chartseal takes part; the inputs are made up.
const { AbiCoder, keccak256, toUtf8Bytes, getAddress, toBeHex, ZeroAddress } = require("ethers");

const abi = AbiCoder.defaultAbiCoder();
const field = (name, types, values) =>
  toBeHex(BigInt(keccak256(abi.encode(["string", ...types], ["chartseal/1/" + name, ...values]))) >> 8n, 32);

const word = (byte) => "0x" + byte.repeat(32);
const address = (byte) => getAddress("0x" + byte.repeat(20));
const NONE = { chain: 0, contract: ZeroAddress, payee: ZeroAddress, purpose: "", period: 0 };
const REQUESTS = [
  { audience: "https://verifier.example", nonce: word("88"), holderNonce: word("05"), expiry: 1798761600, ...NONE },
  { audience: "https://verifier.example", nonce: word("89"), holderNonce: word("05"), expiry: 1798761600, ...NONE },
  { audience: "Prüfstelle", nonce: word("88"), holderNonce: word("06"), expiry: 1, ...NONE, purpose: "refill", period: 20786 },
  {
    audience: "https://pharmacy.example",
    nonce: word("00"),
    holderNonce: word("ff"),
    expiry: 1798761600,
    chain: 31337,
    contract: address("5f"),
    payee: address("c0"),
    purpose: "dispense credit",
    period: 0,
  },
];

const vectors = REQUESTS.map((input) => {
  const audience = keccak256(toUtf8Bytes(input.audience));
  const context = field(
    "context",
    ["bytes32", "bytes32", "bytes32", "uint64", "uint256", "address", "address"],
    [audience, input.nonce, input.holderNonce, input.expiry, input.chain, input.contract, input.payee],
  );
  const scope = field(
    "scope",
    ["string", "bytes32", "uint256", "address", "uint64"],
    [input.purpose, audience, input.chain, input.contract, input.period],
  );
  return { input, expected: { context, scope: input.purpose === "" ? context : scope } };
});
const source = "ethers 6 by tests/conformance/binding_vectors.cjs";
const tags = Object.fromEntries(
  ["claim", "holder", "slot", "policy", "set", "cred", "issuer", "null", "pseud"].map((name) => [name, field("tag/" + name, [], [])]),
);
console.log(JSON.stringify({ source, requests: vectors, tags }, null, 1));
