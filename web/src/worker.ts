// One thread of the prover: holds its own copy of the module and of the keys, and answers calls in order.

import init, { Prover, Verifier, type Witness } from "./chartseal_wasm.js";
import type { Answer, Call } from "./calls.js";

const provers = new Map<string, Prover>();
const verifiers = new Map<string, Verifier>();
let witness: Witness | undefined;

function found<T>(all: Map<string, T>, name: string): T {
  const one = all.get(name);
  if (one === undefined) throw new Error("the circuit's key is not loaded");
  return one;
}

function drop(): void {
  witness?.free(); // erases it
  witness = undefined;
}

async function answer(call: Call): Promise<unknown> {
  switch (call.name) {
    case "open":
      await init({ module_or_path: call.module });
      return undefined;
    case "loadProver":
      provers.get(call.circuit)?.free();
      provers.set(call.circuit, new Prover(call.circuit, call.key));
      return undefined;
    case "loadVerifier": {
      verifiers.get(call.circuit)?.free();
      const verifier = new Verifier(call.circuit, call.key);
      verifiers.set(call.circuit, verifier);
      return verifier.hash;
    }
    case "prove": {
      const proof = found(provers, call.circuit).prove(call.inputs, call.secret);
      call.secret?.fill(0);
      return { proof: proof.proof, inputs: proof.inputs };
    }
    case "assign":
      drop();
      witness = found(provers, call.circuit).assign(call.inputs, call.secret);
      call.secret?.fill(0);
      return witness.scalars;
    case "quotient":
      if (witness === undefined) throw new Error("nothing is assigned");
      return found(provers, call.circuit).quotient(witness);
    case "part": {
      const sum = found(provers, call.circuit).part(call.part, call.scalars);
      call.scalars.fill(0);
      return sum;
    }
    case "finish": {
      if (witness === undefined) throw new Error("nothing is assigned");
      const proof = found(provers, call.circuit).finish(witness, call.parts);
      drop();
      return { proof: proof.proof, inputs: proof.inputs };
    }
    case "drop":
      drop();
      return undefined;
    case "verify":
      found(verifiers, call.circuit).verify(call.inputs, call.proof);
      return undefined;
  }
}

let last: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<{ id: number; call: Call }>) => {
  last = last.then(async () => {
    let sent: Answer;
    try {
      sent = { id: data.id, value: await answer(data.call) };
    } catch (error) {
      const { message, code } = error as { message?: string; code?: string };
      sent = { id: data.id, error: { message: message ?? String(error), code: code ?? "failed" } };
    }
    self.postMessage(sent);
  });
};
