// What the page asks of a worker, and what it gets.

export type Part = "a" | "b1" | "b2" | "h" | "l";

export type Call =
  | { name: "open"; module: WebAssembly.Module }
  | { name: "loadProver"; circuit: string; key: Uint8Array }
  | { name: "loadVerifier"; circuit: string; key: Uint8Array }
  | { name: "prove"; circuit: string; inputs: string; secret: Uint8Array | undefined }
  | { name: "assign"; circuit: string; inputs: string; secret: Uint8Array | undefined }
  | { name: "quotient"; circuit: string }
  | { name: "part"; circuit: string; part: Part; scalars: Uint8Array }
  | { name: "finish"; circuit: string; parts: Uint8Array }
  | { name: "drop" }
  | { name: "verify"; circuit: string; inputs: Uint8Array; proof: Uint8Array };

export type Answer = { id: number; value?: unknown; error?: { message: string; code: string } };
