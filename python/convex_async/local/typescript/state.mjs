// One run of a function: the calls it waits for, what it reads, its clock and random numbers.

const BATCHED = "1.0/queryStreamNext";
// Milliseconds of a query's or mutation's own time.
// Source: convex-backend crates/common/src/knobs.rs, DATABASE_UDF_USER_TIMEOUT.
const USER_TIME = 1000;
// Milliseconds that a promise may stay pending without any call: what is not a call (digests,
// streams) takes less.
const PATIENCE = 250;
const WRITES = new Set([
  "1.0/insert",
  "1.0/shallowMerge",
  "1.0/replace",
  "1.0/remove",
  "1.0/runUdf",
  "1.0/schedule",
  "1.0/cancel_job",
  "1.0/storageDelete",
  "1.0/storageStore",
]);
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const { setTimeout, clearTimeout, queueMicrotask, Buffer } = globalThis;

let tables = {};

/** Take over the numbers of the tables, by name. */
export function normalizeTables(numbers) {
  tables = numbers;
}

/** The table number of an id, or null if it is none. Source: convex-backend crates/value. */
export function tableNumber(id) {
  if (typeof id !== "string" || id.length < 31 || id.length > 37) return null;
  const bytes = [];
  let bits = 0;
  let buffer = 0;
  for (const character of id) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return null;
    buffer = ((buffer << 5) | digit) & 0xffff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((buffer >> bits) & 255);
    }
  }
  let number = 0;
  let shift = 0;
  let at = 0;
  for (;;) {
    if (at >= bytes.length || at > 4) return null;
    const byte = bytes[at++];
    number += (byte & 127) * 2 ** shift;
    shift += 7;
    if (byte < 128) break;
  }
  if (bytes.length !== at + 18) return null;
  let low = 0;
  let high = 0;
  for (const byte of bytes.slice(0, -2)) {
    low = (low + byte) & 255;
    high = (high + low) & 255;
  }
  return bytes.at(-2) === low && bytes.at(-1) === high ? number : null;
}

export class State {
  constructor(run, start, post) {
    this.run = run;
    this.kind = start.kind;
    this.tablePrefix = start.tablePrefix ?? "";
    this.now = start.now;
    this.snapshot = start.snapshot;
    this.isNode = false;
    this.isImporting = false;
    this.timers = new Map();
    this.fail = () => {};
    this.post = post;
    this.spent = 0;
    this.ended = false;
    this.seed = start.seed >>> 0;
    this.calls = new Map();
    this.next = 1;
    this.streams = new Map(); // query id → {lines, at, consumed}
    this.waiting = null;
    this.idle = null;
  }

  get isTransaction() {
    return this.kind === "query" || this.kind === "mutation";
  }

  /** The clock stands still in queries and mutations; while modules are imported, too. */
  clock(real) {
    return this.isTransaction || this.kind === "analyze" ? this.now : real;
  }

  /** Seeded random numbers (mulberry32). */
  random() {
    this.seed = (this.seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  // ---- calls to the host

  call(op, json, resolve, reject) {
    if (this.ended) return;
    if (op === BATCHED) {
      const id = JSON.parse(json).queryId;
      const stream = this.streams.get(id);
      if (stream && stream.at < stream.lines.length) {
        resolve(this.#line(stream));
        return;
      }
      this.#send(op, String(id), resolve, reject);
      return;
    }
    if (WRITES.has(op)) this.#rewind();
    this.#send(op, json, resolve, reject);
  }

  #send(op, payload, resolve, reject) {
    const call = this.next++;
    this.calls.set(call, [resolve, reject, op, payload]);
    this.#wait();
    this.post("sys", this.run, call, op, payload);
  }

  /** What was read ahead is stale once something is written: the host reads on from there. */
  #rewind() {
    for (const [id, stream] of this.streams)
      if (stream.at < stream.lines.length) {
        this.post("rewind", this.run, id, stream.at, "");
        stream.lines = [];
        stream.at = 0;
      }
  }

  #line(stream) {
    const line = stream.lines[stream.at++];
    return line ? `{"value":${line},"done":false}` : '{"value":null,"done":true}';
  }

  /** The host's answer to a call. */
  answer(call, payload) {
    const found = this.calls.get(call);
    if (!found || this.ended) return;
    this.calls.delete(call);
    const [resolve, , op, id] = found;
    if (op === BATCHED) {
      const stream = { lines: payload.toString().split("\n"), at: 0 };
      this.streams.set(Number(id), stream);
      resolve(this.#line(stream));
    } else resolve(op.startsWith("host/") ? payload : payload.toString());
    this.#wait();
  }

  /** The host's refusal of one. */
  refuse(call, { message, data }) {
    const found = this.calls.get(call);
    if (!found || this.ended) return;
    this.calls.delete(call);
    const error = new Error(message);
    if (data !== undefined) error.data = data;
    found[1](error);
    this.#wait();
  }

  syscall(op, json) {
    const args = JSON.parse(json);
    switch (op) {
      case "1.0/queryStream": {
        const queryId = this.next++;
        this.post("open", this.run, queryId, "-", JSON.stringify(args.query));
        return JSON.stringify({ queryId });
      }
      case "1.0/queryCleanup": {
        const stream = this.streams.get(args.queryId);
        this.streams.delete(args.queryId);
        this.post("close", this.run, args.queryId, stream ? stream.at : 0, "");
        return "true";
      }
      case "1.0/db/normalizeId": {
        const number = tables[this.tablePrefix + args.table] ?? tables[args.table.startsWith("_") ? args.table : ""];
        const fits = number !== undefined && tableNumber(args.idString) === number;
        return JSON.stringify({ id: fits ? args.idString : null });
      }
      case "1.0/getSnapshotTs":
        return this.snapshot;
      case "1.0/componentArgument":
        return "{}";
      case "throwOcc":
      case "throwOverloaded":
        // What the function does from here on reaches nobody.
        this.post("sys", this.run, this.next++, op, "");
        throw new Error(op);
      default:
        throw new Error(`Unknown operation ${op}`);
    }
  }

  async jsSyscall(op, args) {
    const ask = (name, ...payload) =>
      new Promise((resolve, reject) => {
        const call = this.next++;
        this.calls.set(call, [resolve, reject, name, ""]);
        this.post("sys", this.run, call, name, ...payload);
      });
    if (op === "storage/storeBlob") {
      const about = { contentType: args.blob.type || null, sha256: args.options?.sha256 ?? null };
      const bytes = Buffer.from(await args.blob.arrayBuffer());
      return JSON.parse((await ask("host/storeBlob", JSON.stringify(about), "\n", bytes)).toString());
    }
    if (op === "storage/getBlob") {
      const payload = await ask("host/getBlob", JSON.stringify(args.storageId));
      const cut = payload.indexOf(10);
      const about = JSON.parse(payload.subarray(0, cut).toString());
      if (about === null) return null;
      return new Blob([payload.subarray(cut + 1)], { type: about.contentType ?? "" });
    }
    throw new Error(`Unknown JS syscall: ${op}`);
  }

  // ---- its end

  /** Once no call is on its way: those that nobody awaited are finished, too. */
  async settled() {
    while (this.calls.size && !this.ended)
      await new Promise((resolve) => {
        this.idle = resolve;
      });
  }

  /** In a transaction that waits for nothing, a promise that is pending stays so. */
  #wait() {
    if (this.calls.size === 0 && this.idle !== null) {
      const idle = this.idle;
      this.idle = null;
      queueMicrotask(idle);
    }
    if (!this.isTransaction) return;
    if (this.waiting !== null) clearTimeout(this.waiting);
    this.waiting = null;
    if (this.calls.size === 0 && !this.ended) this.watch();
  }

  watch() {
    if (this.ended || this.calls.size || this.waiting !== null) return;
    this.waiting = setTimeout(() => {
      if (!this.ended && this.calls.size === 0)
        this.post("stuck", this.run, 0, "-", "");
    }, PATIENCE);
  }

  /** Note the time that it computed, ms. */
  spend(ms) {
    this.spent += ms;
    if (!this.ended && this.isTransaction && this.spent > USER_TIME)
      this.post("late", this.run, 0, "-", "");
  }

  /** Nothing that it still does counts; tell how far it read. */
  end() {
    this.ended = true;
    if (this.waiting !== null) clearTimeout(this.waiting);
    for (const [stop, timer] of this.timers.values()) stop(timer);
    this.timers.clear();
    for (const [id, stream] of this.streams)
      if (stream.at < stream.lines.length) this.post("close", this.run, id, stream.at, "");
    this.streams.clear();
  }
}
