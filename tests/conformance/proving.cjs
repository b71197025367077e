// snarkjs proves and verifies over files of ours: {"folder", "times"} on stdin, seconds and bytes on stdout.
"use strict";

const fs = require("fs");
const path = require("path");
const snarkjs = require("../../tools/ceremony/node_modules/snarkjs");

const seconds = async (times, run) => {
  let best = Infinity;
  for (let at = 0; at <= times; at++) {
    const begun = process.hrtime.bigint();
    await run();
    const took = Number(process.hrtime.bigint() - begun) / 1e9;
    if (at > 0) best = Math.min(best, took); // the first one warms up
  }
  return best;
};

const main = async () => {
  const { folder, times } = JSON.parse(fs.readFileSync(0, "utf8"));
  const [zkey, wtns] = ["c.zkey", "c.wtns"].map((name) => new Uint8Array(fs.readFileSync(path.join(folder, name))));
  const key = JSON.parse(fs.readFileSync(path.join(folder, "vk.json"), "utf8"));
  let made;
  const prove = await seconds(times, async () => {
    made = await snarkjs.groth16.prove(zkey, wtns);
  });
  // resourceUsage would count what its parent had when it began.
  const peak = Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
  const verify = await seconds(times, async () => {
    if (!(await snarkjs.groth16.verify(key, made.publicSignals, made.proof))) throw new Error("snarkjs refuses its own proof");
  });
  console.log(JSON.stringify({ prove, verify, peak }));
};

main().then(
  () => process.exit(0), // its workers would keep the process up
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
