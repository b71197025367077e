// Vectors of what authorities attest, by circomlibjs 0.1.7 and ethers 6, on standard output:
//   node tests/conformance/authority_vectors.cjs > tests/vectors/authority.json
// Nothing of Chartseal takes part; the inputs are made up.
const { buildEddsa } = require("circomlibjs");
const { AbiCoder, keccak256, solidityPackedKeccak256, getAddress, toBeHex, SigningKey, computeAddress } = require("ethers");

const abi = AbiCoder.defaultAbiCoder();
const ZERO_ADDRESS = "0x" + "00".repeat(20);
const NEVER = 2n ** 64n - 1n;
const hex = (bytes) => "0x" + Buffer.from(bytes).toString("hex");
const field = (name, types, values) =>
  BigInt(keccak256(abi.encode(["string", ...types], ["chartseal/1/" + name, ...values]))) >> 8n;

const SCHEMAS = {
  "private-data": ["bytes32 privateData", true],
  sample: ["bytes32 patientID,bytes32 diagnosis,uint64 dateOfTreatment,bytes32 evidenceHash", true],
  accreditation: [
    "string name,uint256 roles,bytes32 provingKey,bytes possession,bytes32 transportKey,string endpoint,uint64 validFrom,address predecessor",
    true,
  ],
  withdrawal: ["bytes32 accreditation,uint64 withdrawnFrom,uint8 cause", false],
  "status-root": ["uint32 list,bytes32 statusRoot", false],
  "trust-root": ["uint32 epoch,uint8 role,bytes32 trustRoot", true],
  "revocation-reason": ["bytes32 seal,uint8 reason", false],
};
const types = (text) => text.split(",").map((each) => each.split(" ")[0]);

async function main() {
  const eddsa = await buildEddsa();
  const { F, babyJub } = eddsa;
  const poseidon = (inputs) => F.toObject(eddsa.poseidon(inputs.map((each) => F.e(each))));
  const root = (leaves) => {
    let level = [...leaves, ...Array(4096 - leaves.length).fill(0n)];
    while (level.length > 1) {
      const above = [];
      for (let i = 0; i < level.length; i += 4) above.push(poseidon(level.slice(i, i + 4)));
      level = above;
    }
    return level[0];
  };

  const schemas = Object.fromEntries(
    Object.entries(SCHEMAS).map(([name, [text, revocable]]) => [
      name,
      { text, revocable, uid: solidityPackedKeccak256(["string", "address", "bool"], [text, ZERO_ADDRESS, revocable]) },
    ]),
  );

  const proven = (address, number) => {
    const secret = Buffer.alloc(32, number);
    const point = eddsa.prv2pub(secret);
    const provingKey = hex(babyJub.packPoint(point));
    const message = field("proving-key", ["address", "bytes32"], [address, provingKey]);
    const possession = hex(eddsa.packSignature(eddsa.signPoseidon(secret, F.e(message))));
    return { address, provingKey, point: point.map((each) => F.toObject(each)), message, possession };
  };
  const issuers = [1, 2, 3].map((number) => proven(getAddress("0x" + `0${number}`.repeat(20)), number));

  const accreditation = {
    name: "Beispiel-Apotheke am Markt",
    roles: ["pharmacy", "device"],
    provingKey: issuers[0].provingKey,
    possession: issuers[0].possession,
    transportKey: "0x" + "7a".repeat(32),
    endpoint: "https://pharmacy.example/node",
    validFrom: 1800000000,
    predecessor: issuers[1].address,
  };
  const encoded = (name, values) => abi.encode(types(SCHEMAS[name][0]), values);
  const uid = keccak256("0x01");

  const signing = new SigningKey("0x" + "33".repeat(32));
  const owner = proven(computeAddress(signing.publicKey), 0x33);
  const card = {
    address: owner.address,
    name: accreditation.name,
    endpoint: accreditation.endpoint,
    provingKey: owner.provingKey,
    possession: owner.possession,
    transportKey: accreditation.transportKey,
    predecessor: accreditation.predecessor,
  };
  const cardDigest = keccak256(
    abi.encode(
      ["string", "address", "string", "string", "bytes32", "bytes", "bytes32", "address"],
      ["chartseal/1/issuer-card", ...Object.values(card)],
    ),
  );

  const emptyList = root([]);
  const someList = root([1n << 5n, 0n, 1n << 249n]); // indices 5 and 2 * 250 + 249
  const tag = field("tag/issuer", [], []);
  const rows = [
    [issuers[2], 0, NEVER, emptyList],
    [issuers[0], 1, 1830000000n, someList],
    [issuers[0], 0, 1830000000n, emptyList],
    [issuers[1], 7, NEVER, someList],
  ].map(([issuer, list, notAfter, statusRoot]) => ({ issuer, list, notAfter, statusRoot }));
  rows.sort((a, b) => (BigInt(a.issuer.address) < BigInt(b.issuer.address) ? -1 : BigInt(a.issuer.address) > BigInt(b.issuer.address) ? 1 : a.list - b.list));
  const leaves = rows.map(({ issuer, list, notAfter, statusRoot }) => ({
    attester: issuer.address,
    ax: issuer.point[0],
    ay: issuer.point[1],
    list,
    notAfter,
    statusRoot: toBeHex(statusRoot, 32),
    leaf: toBeHex(poseidon([tag, BigInt(issuer.address), ...issuer.point, BigInt(list), notAfter, statusRoot]), 32),
  }));

  const vectors = {
    source: "tests/conformance/authority_vectors.cjs: circomlibjs 0.1.7, ethers 6",
    schemas,
    possession: issuers.map(({ address, provingKey, message, possession }) => ({
      input: { attester: address, provingKey },
      expected: { message: toBeHex(message, 32), possession },
    })),
    card: { input: card, expected: { digest: cardDigest, signature: signing.sign(cardDigest).serialized } },
    data: {
      accreditation: {
        input: accreditation,
        expected: encoded("accreditation", [
          accreditation.name,
          (1 << 2) | (1 << 5),
          ...["provingKey", "possession", "transportKey", "endpoint", "validFrom", "predecessor"].map((each) => accreditation[each]),
        ]),
      },
      withdrawal: {
        input: { accreditation: uid, withdrawnFrom: 1790000000, cause: "misconduct" },
        expected: encoded("withdrawal", [uid, 1790000000, 3]),
      },
      "status-root": {
        input: { list: 7, statusRoot: toBeHex(someList, 32) },
        expected: encoded("status-root", [7, toBeHex(someList, 32)]),
      },
      "trust-root": {
        input: { epoch: 20833, role: "public-health", trustRoot: toBeHex(emptyList, 32) },
        expected: encoded("trust-root", [20833, 7, toBeHex(emptyList, 32)]),
      },
    },
    statusRoots: [
      { input: { revoked: [] }, expected: toBeHex(emptyList, 32) },
      { input: { revoked: [5, 749] }, expected: toBeHex(someList, 32) },
    ],
    trustRoot: {
      tag: toBeHex(tag, 32),
      leaves,
      expected: { root: toBeHex(root(leaves.map((each) => BigInt(each.leaf))), 32), empty: toBeHex(root([]), 32) },
    },
  };
  const text = JSON.stringify(vectors, (_, value) => (typeof value === "bigint" ? value.toString() : value), 1);
  process.stdout.write(text + "\n", () => process.exit(0)); // exiting at once would cut what the pipe has not taken yet
}

main();
