// circomlibjs 0.1.7 as a peer: one JSON request on standard input, one JSON answer on standard output.
// Integers travel as decimal text, points and signatures as circomlib packs them, in hex.
const { buildEddsa } = require("circomlibjs");

const fromHex = (text) => Uint8Array.from(Buffer.from(text, "hex"));
const toHex = (bytes) => Buffer.from(bytes).toString("hex");

async function main() {
  const eddsa = await buildEddsa();
  const { F, babyJub } = eddsa;
  const element = (text) => F.e(BigInt(text));
  const calls = {
    poseidon: (inputs) => F.toObject(eddsa.poseidon(inputs.map(element))).toString(),
    // A tree of arity 4; an empty leaf is 0, and empty subtrees are hashed like any other, each once for its level.
    root: ({ leaves, depth }) => {
      let [level, empty] = [leaves.map(element), F.e(0n)];
      for (let i = 0; i < depth; i++) {
        const above = [];
        for (let at = 0; at < level.length; at += 4)
          above.push(eddsa.poseidon([0, 1, 2, 3].map((digit) => level[at + digit] ?? empty)));
        [level, empty] = [above, eddsa.poseidon([empty, empty, empty, empty])];
      }
      return F.toObject(level[0] ?? empty).toString();
    },
    unpack: (packed) => {
      const point = babyJub.unpackPoint(fromHex(packed));
      const subgroup = point !== null && babyJub.inSubgroup(point);
      return { point: point && point.map((c) => F.toObject(c).toString()), subgroup, packed: point && toHex(babyJub.packPoint(point)) };
    },
    sign: ({ key, message }) => {
      const signature = eddsa.packSignature(eddsa.signPoseidon(fromHex(key), element(message)));
      return { public: toHex(babyJub.packPoint(eddsa.prv2pub(fromHex(key)))), signature: toHex(signature) };
    },
    verify: ({ public: key, message, signature }) =>
      eddsa.verifyPoseidon(element(message), eddsa.unpackSignature(fromHex(signature)), babyJub.unpackPoint(fromHex(key))),
  };
  const { call, arguments: list, times = 1 } = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const answers = list.map(calls[call]);
  const begun = process.cpuUsage();
  for (let i = 1; i < times; i++) calls[call](list[i % list.length]);
  const { user, system } = process.cpuUsage(begun);
  const answer = JSON.stringify({ answers, cpu_seconds: (user + system) / 1e6 / Math.max(1, times - 1) });
  process.stdout.write(answer, () => process.exit(0)); // exiting at once would cut what the pipe has not taken yet
}

main();
