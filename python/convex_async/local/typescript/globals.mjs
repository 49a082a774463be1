// What functions find in the global object: Convex's syscalls, a clock and random numbers that are
// the run's, a console that is its log, and refusals of what queries and mutations may not do.
//
// Functions run in the process's own realm, so that `instanceof` holds for what Web APIs give;
// what differs between runs asks which run is on.
import realProcess from "node:process";
import { AsyncLocalStorage } from "node:async_hooks";

import { inspect } from "./inspect.mjs";

const define = (target, name, value) =>
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });

/** The text with which Convex refuses something in queries and mutations. */
function refusal(what) {
  return (
    `Can't use ${what} in queries and mutations. Please consider using an action. ` +
    "See https://docs.convex.dev/functions/actions for more details."
  );
}

function installClock(current) {
  const Real = globalThis.Date;
  const realNow = Real.now.bind(Real);
  const read = () => {
    const state = current.getStore();
    return state ? Math.floor(state.clock(realNow())) : realNow();
  };
  // eslint-disable-next-line func-style
  const Fake = function Date(...args) {
    if (!new.target) return new Real(read()).toString();
    return Reflect.construct(Real, args.length ? args : [read()], new.target);
  };
  Fake.now = read;
  Fake.parse = Real.parse;
  Fake.UTC = Real.UTC;
  Object.defineProperty(Fake, "length", { value: 7 });
  Fake.prototype = Real.prototype;
  define(Fake.prototype, "constructor", Fake);
  define(globalThis, "Date", Fake);

  const realRandom = Math.random.bind(Math);
  define(Math, "random", () => {
    const state = current.getStore();
    return state?.isTransaction || state?.isImporting ? state.random() : realRandom();
  });
}

function installConsole(current, log) {
  const emit = (level, parts) => log(current.getStore(), level, parts.join(" "));
  const show = (args) => args.map((arg) => inspect(arg));
  const label = (value) => (value === undefined ? "default" : String(value));
  const timers = (state) => (state ? (state.consoleTimers ??= new Map()) : new Map());
  const clock = performance.now.bind(performance);
  const elapsed = (name, extra, isEnd) => {
    const known = timers(current.getStore());
    if (!known.has(name)) return emit("WARN", [`Timer '${name}' does not exist`]);
    const took = `${name}: ${Math.round(clock() - known.get(name))}ms`;
    if (isEnd) known.delete(name);
    // Convex's Node runtime logs it as it logs any text.
    return emit("INFO", [current.getStore().isNode ? inspect(took) : took, ...extra]);
  };
  const console = Object.assign(Object.create({}), {
    debug: (...args) => emit("DEBUG", show(args)),
    error: (...args) => emit("ERROR", show(args)),
    info: (...args) => emit("INFO", show(args)),
    log: (...args) => emit("LOG", show(args)),
    warn: (...args) => emit("WARN", show(args)),
    trace: (...args) => {
      const [, ...frames] = new Error().stack.split("\n");
      emit("LOG", [...show(args), `\n${frames.map((frame) => `${frame}\n`).join("")}`]);
    },
    time: (name) => {
      const known = timers(current.getStore());
      if (known.has(label(name))) emit("WARN", [`Timer '${label(name)}' already exists`]);
      else known.set(label(name), clock());
    },
    timeLog: (name, ...args) => elapsed(label(name), show(args), false),
    timeEnd: (name) => elapsed(label(name), [], true),
  });
  Object.defineProperty(console, Symbol.toStringTag, { value: "console", configurable: true });
  define(globalThis, "console", console);
}

function installRefusals(current) {
  const guard = (target, name, what) => {
    const real = target[name];
    if (typeof real !== "function") return;
    define(target, name, function (...args) {
      if (current.getStore()?.isTransaction) throw new Error(refusal(what));
      return Reflect.apply(real, this === undefined ? target : this, args);
    });
  };
  guard(globalThis, "fetch", "fetch()");
  guard(Object.getPrototypeOf(globalThis.crypto), "getRandomValues", "cryptographic randomness");
  guard(Object.getPrototypeOf(globalThis.crypto), "randomUUID", "cryptographic randomness");
  // A run's timers end with it, unless it is of the Node bundle.
  for (const [name, stop] of [
    ["setTimeout", globalThis.clearTimeout],
    ["setInterval", globalThis.clearInterval],
  ]) {
    const real = globalThis[name];
    const kept = { ...Object.getOwnPropertyDescriptors(real) };
    const wrapped = function (handler, ms, ...args) {
      const state = current.getStore();
      if (state?.isTransaction) throw new Error(refusal(name));
      const timer = real(handler, ms, ...args);
      if (state && !state.isNode && !state.ended) state.timers.set(timer, [stop, timer]);
      return timer;
    };
    for (const symbol of Object.getOwnPropertySymbols(kept))
      Object.defineProperty(wrapped, symbol, kept[symbol]); // util.promisify
    define(globalThis, name, wrapped);
  }
}

function installConvex(current) {
  const state = () => {
    const found = current.getStore();
    if (!found) throw new Error("Convex functions can't be used outside of a run");
    return found;
  };
  define(globalThis, "Convex", {
    syscall: (op, json) => state().syscall(op, json),
    asyncSyscall: (op, json) =>
      new Promise((resolve, reject) => state().call(op, json, resolve, reject)),
    jsSyscall: (op, args) => state().jsSyscall(op, args),
  });
  define(globalThis, "AsyncLocalStorage", AsyncLocalStorage);
  globalThis.self ??= globalThis;
}

/**
 * Put all of it in place.
 *
 * @param log takes the run, a level and the text of each log line
 */
export function installGlobals(current, log) {
  let environment = {};
  for (const name of Object.keys(realProcess.env)) delete realProcess.env[name];
  const env = new Proxy(
    {},
    {
      get: (_, name) => {
        if (typeof name !== "string") return undefined;
        if (Object.hasOwn(environment, name)) return environment[name];
        return name === "inspect" ? () => "[process.env]" : undefined;
      },
      has: (_, name) => Object.hasOwn(environment, name),
      ownKeys: () => Object.keys(environment),
      getOwnPropertyDescriptor: (_, name) =>
        Object.hasOwn(environment, name)
          ? { value: environment[name], enumerable: true, configurable: true }
          : undefined,
      set: () => true,
    },
  );
  const isolated = { env };
  installClock(current);
  installRefusals(current);
  installConsole(current, log);
  installConvex(current);
  // Node's own `process`, as functions that are not "use node" see it. (`Buffer` is hidden from
  // them by the bundle's parameters alone: Node's Web APIs look for it in the global object.)
  Object.defineProperty(globalThis, "process", {
    get: () => {
      const state = current.getStore();
      return state && !state.isNode ? isolated : realProcess;
    },
    set: () => {},
    configurable: true,
  });
  const known = new Set(Object.getOwnPropertyNames(globalThis));
  return {
    process: isolated,
    /** Take away what earlier runs left in the global object. */
    sweep() {
      for (const name of Object.keys(globalThis)) if (!known.has(name)) delete globalThis[name];
    },
    setEnvironment(variables) {
      environment = { ...variables };
      for (const name of Object.keys(realProcess.env)) delete realProcess.env[name];
      Object.assign(realProcess.env, environment);
    },
    /** Keep functions from ending the process, whose other runs would end with it. */
    protect(refuse) {
      for (const name of ["exit", "reallyExit", "abort", "kill"])
        try {
          realProcess[name] = refuse;
        } catch {}
      // Deno's own modules need the rest of its namespace.
      if (globalThis.Deno)
        try {
          Object.defineProperty(globalThis.Deno, "exit", { value: refuse });
        } catch {}
    },
  };
}
