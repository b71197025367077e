// eas-sdk 2.10 behind JSON lines: one request a line, {"call": name, …}; one answer a line, {"result": …} or {"error": …}.
// With "times": n the call runs n times and the answer has "cpu_seconds" too.
"use strict";

const readline = require("node:readline");
const eas = require("@ethereum-attestation-service/eas-sdk");
const { JsonRpcProvider, Wallet } = require("ethers");
// The SDK has this class and does not export it.
const { Indexer } = require("./node_modules/@ethereum-attestation-service/eas-sdk/dist/lib.commonjs/indexer.js");

const classes = { ...eas, Indexer };

const plain = (value) => JSON.parse(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? v.toString() : v)));
const offchain = ({ domain, version }) =>
  new eas.Offchain(
    { address: domain.verifyingContract, version: domain.version, chainId: BigInt(domain.chainId) },
    version,
    undefined
  );

// On a chain: `of` is the SDK's class, `at` its contract's address.
const providers = {};
const provider = (url) => {
  // Without its quarter second of remembered answers, which would hide what the other side has just done.
  providers[url] ??= new JsonRpcProvider(url, undefined, {
    cacheTimeout: -1,
    batchMaxCount: 1, // else each request waits 10 ms for others
    polling: true,
    pollingInterval: 20,
  });
  return providers[url];
};
const contract = ({ url, key, of, at }) =>
  new classes[of](at).connect(key ? new Wallet(key, provider(url)) : provider(url));
const delegated = async ({ version, ...where }) => {
  const target = contract(where);
  if (!version) return target.getDelegated();
  const { chainId } = await provider(where.url).getNetwork();
  return new eas.Delegated({ address: where.at, version, chainId }, target); // one that the SDK does not list
};

const calls = {
  read: ({ method, args, ...where }) => contract(where)[method](...args),
  send: async ({ method, args, ...where }) => {
    const transaction = await contract(where)[method](...args);
    const result = await transaction.wait();
    return { result, data: transaction.data.data, block: transaction.receipt.blockNumber };
  },
  delegate: async ({ method, params, ...where }) =>
    (await delegated(where))[method](params, new Wallet(where.key, provider(where.url))),
  // Signs each request as `patron` and sends it with `key`, one after the other, `size` in one transaction.
  relay: async ({ patron, schema, data, size, ...where }) => {
    const target = contract(where);
    const helper = await target.getDelegated();
    const wallet = new Wallet(patron, provider(where.url));
    let nonce = await target.getNonce(wallet.address);
    const uids = [];
    for (let at = 0; at < data.length; at += size) {
      const part = data.slice(at, at + size).map((each) => ({ recipient: wallet.address, data: each }));
      const signatures = [];
      for (const { recipient, data } of part) {
        const request = { schema, recipient, data, expirationTime: 0n, revocable: true, value: 0n, deadline: 0n };
        const { signature } = await helper.signDelegatedAttestation({ ...request, refUID: eas.ZERO_BYTES32, nonce }, wallet);
        signatures.push(signature);
        nonce += 1n;
      }
      const attester = wallet.address;
      const transaction =
        size === 1
          ? await target.attestByDelegation({ schema, data: part[0], signature: signatures[0], attester })
          : await target.multiAttestByDelegation([{ schema, data: part, signatures, attester }]);
      uids.push(await transaction.wait());
    }
    return uids.flat();
  },
  verifyDelegated: async ({ method, signer, response, ...where }) => (await delegated(where))[method](signer, response),
  sign: async ({ key, domain, version, message }) => {
    const wallet = new Wallet(key);
    const sig = await offchain({ domain, version }).signOffchainAttestation(message, wallet);
    return { sig, signer: wallet.address };
  },
  verify: ({ pkg }) => {
    const { sig, signer } = pkg;
    return offchain(sig).verifyOffchainAttestationSignature(signer, sig);
  },
  zip: ({ pkg }) => eas.zipAndEncodeToBase64(pkg),
  url: ({ pkg }) => eas.createOffchainURL(pkg),
  unzip: ({ base64 }) => eas.decodeBase64ZippedBase64(base64),
  tree: ({ values }) => new eas.PrivateData(values).getFullTree(),
  multiproof: ({ values, indexes }) => new eas.PrivateData(values).generateMultiProof(indexes),
  verifyMultiproof: ({ root, proof }) => eas.PrivateData.verifyMultiProof(root, proof),
  verifyTree: ({ tree }) => eas.PrivateData.verifyFullTree(tree),
  encode: ({ schema, params }) => new eas.SchemaEncoder(schema).encodeData(params),
  decode: ({ schema, data }) => new eas.SchemaEncoder(schema).decodeData(data).map((item) => item.value.value),
  schemaUid: ({ schema, resolver, revocable }) => eas.SchemaRegistry.getSchemaUID(schema, resolver, revocable),
};

async function answer({ call, times, ...request }) {
  const start = process.cpuUsage();
  let result = await calls[call](request);
  for (let done = 1; done < (times ?? 1); done += 1) result = await calls[call](request);
  const used = process.cpuUsage(start);
  return { result: plain(result), cpu_seconds: (used.user + used.system) / 1e6 };
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const out = await answer(JSON.parse(line)).catch((error) => ({ error: String(error?.message ?? error) }));
    process.stdout.write(JSON.stringify(out) + "\n");
  }
})();
