// OpenZeppelin's StandardMerkleTree over one bytes32 a leaf: {"values": […]} in, {"root", "proofs"} out.
"use strict";

const { StandardMerkleTree } = require("@openzeppelin/merkle-tree");
const { readFileSync } = require("node:fs");

const { values } = JSON.parse(readFileSync(0, "utf8"));
const tree = StandardMerkleTree.of(
  values.map((value) => [value]),
  ["bytes32"]
);
process.stdout.write(JSON.stringify({ root: tree.root, proofs: values.map((_, at) => tree.getProof(at)) }));
