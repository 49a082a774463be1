// Runs the functions of a convex/ folder: the process that `host.py` starts and supervises, on
// Node 20 or newer, or Deno.
//
// A frame is a u32 (little-endian) length, a head line `TYPE RUN CALL [OP]`, and a payload. One
// frame is handled at a time, with all that follows from it in JavaScript, so that the time it
// took is its run's. What the run reads arrives in batches; it is told to the host how much of
// them was consumed.
import { AsyncLocalStorage } from "node:async_hooks";
import { Buffer as RealBuffer } from "node:buffer";
import net from "node:net";
import realProcess from "node:process";
import vm from "node:vm";

import { analyze } from "./analyze.mjs";
import { installGlobals } from "./globals.mjs";
import { State, normalizeTables } from "./state.mjs";
import { SourceMap, framesOf } from "./stacks.mjs";

const current = new AsyncLocalStorage();
const states = new Map();
// What `process.exit` of user code must not reach.
const exit = globalThis.Deno ? globalThis.Deno.exit : realProcess.reallyExit.bind(realProcess);
const now = performance.now.bind(performance);

// ---- frames out

let pending = [];

export function post(type, run, call, op, ...payload) {
  const parts = payload.map((part) => (typeof part === "string" ? RealBuffer.from(part) : part));
  const line = RealBuffer.from(`${type} ${run} ${call} ${op}\n`);
  const head = RealBuffer.allocUnsafe(4);
  head.writeUInt32LE(parts.reduce((sum, part) => sum + part.length, line.length));
  if (pending.length === 0) nextTick(flush);
  pending.push(head, line, ...parts);
}

const nextTick = realProcess.nextTick.bind(realProcess);
const { queueMicrotask } = globalThis;
const later = globalThis.setImmediate;

function flush() {
  const all = RealBuffer.concat(pending);
  pending = [];
  port.write(all);
}

// ---- the bundle

let evaluate = null; // makes the modules anew
let nodeModules = {}; // of "use node" files: evaluated once
const maps = new Map();
const nodeMaps = new Map();
const frames = new WeakMap();

Error.prepareStackTrace = (error, sites) => {
  const found = framesOf(sites, (file) => maps.get(file) ?? nodeMaps.get(file));
  if (typeof error === "object" && error !== null) frames.set(error, found);
  let text;
  try {
    text = String(error);
  } catch {
    text = "Error";
  }
  // Functions of the Node bundle see their stacks as Node makes them, but for the folder's name.
  if (current.getStore()?.isNode)
    return [text, ...sites.map((site) => `    at ${nodeFrame(String(site))}`)].join("\n");
  return [text, ...found].join("\n");
};

let nodeRoot = null;

function nodeFrame(text) {
  return nodeRoot === null ? text : text.replaceAll(nodeRoot, "convex:/user/");
}

async function load(bundle) {
  maps.set("convex:/user/bundle.js", new SourceMap(bundle.map));
  const names = "__shared, process, Buffer, require, module, exports, global, __dirname, __filename, setImmediate, clearImmediate, Deno";
  const script = new vm.Script(
    `(function (${names}) { let __modules;\n${bundle.js}\nreturn __modules; })`,
    { filename: "convex:/user/bundle.js", lineOffset: -1 },
  );
  const factory = script.runInThisContext();
  maps.set("convex:/user/_deps/convex.js", new SourceMap(bundle.shared.map));
  const shared = new vm.Script(`(function (process) { let __shared;\n${bundle.shared.js}\nreturn __shared; })`, {
    filename: "convex:/user/_deps/convex.js",
    lineOffset: -1,
  }).runInThisContext()(globals.process);
  evaluate = () => factory(shared, globals.process);
  nodeModules = {};
  nodeRoot = bundle.nodeRoot ?? null;
  for (const [url, map] of Object.entries(bundle.nodeMaps ?? {})) nodeMaps.set(url, new SourceMap(map));
  for (const [name, url] of Object.entries(bundle.nodeModules ?? {})) {
    let loaded = null;
    // Outside of any run: it is evaluated once, and sees what Node has.
    nodeModules[name] = () => (loaded ??= current.exit(() => import(url)));
  }
}

/** The module of a name, in a fresh evaluation unless it is one of the Node bundle. */
function open(name, modules) {
  if (Object.hasOwn(nodeModules, name)) return nodeModules[name]();
  if (!Object.hasOwn(modules, name)) throw new Error(`Couldn't find module ${name}`);
  return modules[name]();
}

const globals = installGlobals(current, (state, level, text) => {
  post("log", state ? state.run : 0, 0, level, text);
});

// ---- runs

const INVOKE = {
  query: (fn, args) => fn.invokeQuery(args),
  mutation: (fn, args) => fn.invokeMutation(args),
  action: (fn, args) => fn.invokeAction("", args),
};

function begin(run, start, payload) {
  const state = new State(run, start, post);
  state.isNode = Object.hasOwn(nodeModules, start.module);
  states.set(run, state);
  if (states.size === 1) globals.sweep();
  state.fail = (error) => fail(state, error);
  current.run(state, () => {
    perform(state, start, payload).then(
      () => {},
      (error) => fail(state, error),
    );
  });
  if (state.isTransaction) state.watch();
}

async function perform(state, start, payload) {
  state.isImporting = true;
  const opened = open(start.module, state.isNode ? null : evaluate());
  const module = await opened;
  state.isImporting = false;
  if (start.kind === "http") {
    await answer(state, module.default, start, payload);
    return;
  }
  const fn = module[start.name];
  const result = await INVOKE[start.kind](fn, payload.toString());
  await state.settled();
  finish(state, "done", result);
}

async function answer(state, router, start, body) {
  const init = { method: start.method, headers: start.headers };
  if (body.length) init.body = new Uint8Array(body);
  const request = new Request(start.url, init);
  const found = router.lookup(start.path, start.method);
  if (!found) {
    finish(state, "done", JSON.stringify({ status: 404, headers: [] }), "\n", "No matching routes found");
    return;
  }
  const response = await found[0].invokeHttpAction(request);
  const content = response.body === null ? "" : RealBuffer.from(await response.arrayBuffer());
  await state.settled();
  const head = { status: response.status, headers: [...response.headers] };
  finish(state, "done", JSON.stringify(head), "\n", content);
}

function finish(state, type, ...payload) {
  if (states.get(state.run) !== state) return;
  state.end();
  states.delete(state.run);
  post(type, state.run, 0, "-", ...payload);
}

function fail(state, error) {
  if (states.get(state.run) !== state) return;
  finish(state, "fail", JSON.stringify(describe(error)));
}

/** What the host is told of an error: its message, its frames, and a ConvexError's data. */
function describe(error) {
  const described = { message: `Uncaught ${textOf(error)}`, frames: [] };
  if (typeof error === "object" && error !== null) {
    try {
      void error.stack; // fills `frames`
    } catch {}
    described.frames = frames.get(error) ?? [];
    if (error.ConvexErrorSymbol !== undefined && typeof error.data === "string")
      described.data = error.data;
  }
  return described;
}

/** As V8 names what was thrown. */
function textOf(error) {
  try {
    if (error instanceof Error || Object.prototype.toString.call(error) === "[object Error]")
      return Error.prototype.toString.call(error);
    if (typeof error === "object" && error !== null)
      return `#<${error.constructor?.name ?? "Object"}>`;
    return String(error);
  } catch {
    return "Error";
  }
}

realProcess.on("unhandledRejection", (reason) => {
  const state = current.getStore();
  if (state) fail(state, reason);
  else post("log", 0, 0, "ERROR", `Unhandled rejection: ${textOf(reason)}`);
});
realProcess.on("uncaughtException", (error) => {
  const state = current.getStore();
  if (state) {
    if (state.isNode && error instanceof Error) error.message = `uncaughtException: ${error.message}`;
    fail(state, error);
  } else post("log", 0, 0, "ERROR", `Uncaught exception: ${textOf(error)}`);
});

// ---- frames in

const HANDLERS = {
  init: async (run, call, payload) => {
    const message = JSON.parse(payload.toString());
    globals.setEnvironment(message.env);
    try {
      await load(message.bundle);
      const answer = message.analyze
        ? await current.run(
            new State(0, { kind: "analyze", now: message.now, seed: message.seed }, post),
            () => analyze(message.bundle, open, evaluate, nodeModules, describe),
          )
        : {};
      post("ready", 0, 0, "-", JSON.stringify(answer));
    } catch (error) {
      post("bad", 0, 0, "-", JSON.stringify(describe(error)));
    }
  },
  run: (run, call, payload) => {
    const cut = payload.indexOf(10);
    begin(run, JSON.parse(payload.subarray(0, cut).toString()), payload.subarray(cut + 1));
  },
  ok: (run, call, payload) => states.get(run)?.answer(call, payload),
  err: (run, call, payload) => states.get(run)?.refuse(call, JSON.parse(payload.toString())),
  drop: (run) => {
    states.get(run)?.end();
    states.delete(run);
  },
  env: (run, call, payload) => globals.setEnvironment(JSON.parse(payload.toString())),
  tables: (run, call, payload) => normalizeTables(JSON.parse(payload.toString())),
  ping: (run, call) => post("pong", 0, call, "-"),
  stats: (run, call) => {
    globalThis.gc?.();
    post("stats", 0, call, "-", JSON.stringify(realProcess.memoryUsage()));
  },
};

let queue = [];
let isBusy = false;

/** Handle the first frame, and those of the same run that follow it at once. */
function work() {
  if (isBusy || queue.length === 0) return;
  const [, first] = queue[0];
  let count = 1;
  while (count < queue.length && queue[count][1] === first && queue[count][0] === "ok") count++;
  const batch = queue.splice(0, count);
  const began = now();
  const state = states.get(first);
  for (const [type, run, call, payload] of batch) HANDLERS[type](run, call, payload);
  isBusy = true;
  // A tick that a microtask asks for comes once there are no microtasks left.
  queueMicrotask(() =>
    nextTick(() => {
      (state ?? states.get(first))?.spend(now() - began);
      isBusy = false;
      if (queue.length) later(work);
    }),
  );
}

let rest = RealBuffer.alloc(0);

function received(chunk) {
  rest = rest.length ? RealBuffer.concat([rest, chunk]) : chunk;
  let at = 0;
  while (rest.length - at >= 4) {
    const length = rest.readUInt32LE(at);
    if (rest.length - at - 4 < length) break;
    const end = rest.indexOf(10, at + 4);
    const [type, run, call] = rest.latin1Slice(at + 4, end).split(" ");
    queue.push([type, Number(run), Number(call), rest.subarray(end + 1, at + 4 + length)]);
    at += 4 + length;
  }
  rest = rest.subarray(at);
  if (queue.length && !isBusy) work();
}

const [address, secret] = realProcess.argv.slice(2);
const port = /^\d+$/.test(address) ? net.connect(Number(address), "127.0.0.1") : net.connect(address);
port.setNoDelay?.(true);
port.on("data", received);
port.on("error", () => exit(1));
port.on("close", () => exit(0));
globals.protect(() => {
  throw new Error("process.exit is not allowed in a function");
});
post("hello", 0, 0, "-", secret);
