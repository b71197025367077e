// Prove and verify in a page. All work is done in workers, so that the page stays responsive.
//
//   const circuits = await Circuits.open({ threads: 2 });
//   await circuits.loadProver("anonymous-1", keyBytes);
//   const { proof, inputs } = await circuits.prove("anonymous-1", statementJson, secret);

import type { Answer, Call, Part } from "./calls.js";

/** An error of the circuits; `code` is the same word as in Python and in logs. */
export class CircuitError extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message);
    this.name = "CircuitError";
  }
}

/** A proof (256 bytes, as EIP-197 orders points) and its public inputs (32 bytes each, big-endian). */
export type Proof = { proof: Uint8Array; inputs: Uint8Array[] };

type Waiting = { resolve: (value: unknown) => void; reject: (error: Error) => void };

const WORD = 32;
const PARTS: readonly Part[] = ["b2", "l", "a", "b1"]; // the longest first
const ORDER: readonly Part[] = ["a", "b1", "b2", "h", "l"];

class Thread {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;

  constructor() {
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const waiting = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.error) waiting?.reject(new CircuitError(data.error.message, data.error.code));
      else waiting?.resolve(data.value);
    };
    this.worker.onerror = (event) => this.fail(event.message);
  }

  call<T>(call: Call): Promise<T> {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.worker.postMessage({ id, call });
    });
  }

  close(): void {
    this.worker.terminate();
    this.fail("closed");
  }

  private fail(message: string): void {
    for (const { reject } of this.waiting.values()) reject(new CircuitError(message, "worker_failed"));
    this.waiting.clear();
  }
}

/** The circuits over some threads. Each thread has its own copy of every proving key. */
export class Circuits {
  private proving: Promise<unknown> = Promise.resolve();

  private constructor(private readonly threads: readonly [Thread, ...Thread[]]) {}

  /** Starts the threads; the module is fetched once, from beside this file. */
  static async open({ threads = 1 }: { threads?: number } = {}): Promise<Circuits> {
    const response = await fetch(new URL("./chartseal_wasm_bg.wasm", import.meta.url));
    const module = await WebAssembly.compileStreaming(response);
    const all = Array.from({ length: Math.max(1, threads) }, () => new Thread());
    await Promise.all(all.map((thread) => thread.call({ name: "open", module })));
    return new Circuits(all as [Thread, ...Thread[]]);
  }

  /** Loads a proving key's file. Rejects with `key_malformed`, `key_altered`, `key_other_circuit`. */
  async loadProver(circuit: string, key: Uint8Array): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.call({ name: "loadProver", circuit, key })));
  }

  /** Loads a verification key; resolves to its hash. Rejects with `key_malformed`. */
  loadVerifier(circuit: string, key: Uint8Array): Promise<Uint8Array> {
    return this.threads[0].call({ name: "loadVerifier", circuit, key });
  }

  /**
   * Proves a statement in JSON: a text, since JavaScript's numbers do not hold times of 64 bits. `secret` is the holder's spend secret (32 bytes, little-endian) where the circuit takes one.
   * Rejects with `inputs_malformed`, `secret_missing`, `secret_needless`, `statement_unsatisfied`.
   */
  prove(circuit: string, statement: string, secret?: Uint8Array): Promise<Proof> {
    const made = this.proving.then(() => this.make(circuit, statement, secret));
    this.proving = made.catch(() => undefined); // one at a time: a worker keeps one witness
    return made;
  }

  /** Resolves when the proof holds. Rejects with `proof_malformed`, `input_out_of_range`, `inputs_wrong_number`, `proof_invalid`. */
  async verify(circuit: string, { proof, inputs }: Proof): Promise<void> {
    if (inputs.some((word) => word.length !== WORD)) throw new CircuitError("a public input has 32 bytes", "inputs_wrong_number");
    await this.threads[0].call({ name: "verify", circuit, inputs: joined(inputs), proof });
  }

  /** Ends the threads; what is under way rejects with `worker_failed`. */
  close(): void {
    for (const thread of this.threads) thread.close();
  }

  private async make(circuit: string, inputs: string, secret: Uint8Array | undefined): Promise<Proof> {
    const [first, ...others] = this.threads;
    if (others.length === 0) return split(await first.call<Made>({ name: "prove", circuit, inputs, secret }));
    try {
      const scalars = await first.call<Uint8Array>({ name: "assign", circuit, inputs, secret });
      const parts = await this.sums(circuit, scalars, first, others);
      scalars.fill(0);
      return split(await first.call<Made>({ name: "finish", circuit, parts }));
    } catch (error) {
      await first.call({ name: "drop" }).catch(() => undefined);
      throw error;
    }
  }

  /** The proof's five sums, in the order of their names; the first thread begins with the quotient. */
  private async sums(circuit: string, scalars: Uint8Array, first: Thread, others: Thread[]): Promise<Uint8Array> {
    const left = [...PARTS];
    const done = new Map<Part, Uint8Array>();
    const take = async (thread: Thread): Promise<void> => {
      for (let part = left.shift(); part !== undefined; part = left.shift()) {
        done.set(part, await thread.call({ name: "part", circuit, part, scalars }));
      }
    };
    const begin = async (): Promise<void> => {
      const quotient = await first.call<Uint8Array>({ name: "quotient", circuit });
      done.set("h", await first.call({ name: "part", circuit, part: "h", scalars: quotient }));
      await take(first);
    };
    await Promise.all([begin(), ...others.map(take)]);
    return joined(ORDER.map((part) => done.get(part) ?? new Uint8Array()));
  }
}

type Made = { proof: Uint8Array; inputs: Uint8Array };

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function split({ proof, inputs }: Made): Proof {
  const words = Array.from({ length: inputs.length / WORD }, (_, at) => inputs.slice(at * WORD, (at + 1) * WORD));
  return { proof, inputs: words };
}
