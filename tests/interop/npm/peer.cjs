// The official npm clients, unchanged, doing what the lines on standard input say.
// The orders and answers are those of tests/interop/official.py.
const readline = require("readline");
const { BaseConvexClient, ConvexClient, ConvexHttpClient } = require("convex/browser");
const { makeFunctionReference } = require("convex/server");
const { ConvexError, convexToJson, jsonToConvex } = require("convex/values");
const WebSocket = require("ws");

const [kind, url] = process.argv.slice(2);
const options = { webSocketConstructor: WebSocket, unsavedChangesWarning: false };

// States that nobody has asked for yet, and those who wait for one.
class States {
  constructor() {
    this.kept = [];
    this.waiting = [];
  }
  push(state) {
    const waiting = this.waiting.shift();
    if (waiting) waiting(state);
    else this.kept.push(state);
  }
  next() {
    if (this.kept.length) return this.kept.shift();
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

const states = new States();
const pushError = (error) => states.push(Promise.reject(error));
// A failure that nobody has asked for yet is none of Node's business.
process.on("unhandledRejection", () => {});

// One face for the three clients: they differ in how functions are named and watched.
class Simple {
  client = new ConvexClient(url, options);
  call = (kind, path, args, more) => this.client[kind](makeFunctionReference(path), args, more);
  subscribe(path, args) {
    const push = (state) => states.push(state);
    this.client.onUpdate(makeFunctionReference(path), args, push, pushError);
  }
  logout = () => this.client.client.clearAuth();
}

class Base {
  client = new BaseConvexClient(url, (tokens) => tokens.forEach((token) => this.tell(token)), options);
  watched = new Map();
  tell(token) {
    const watcher = this.watched.get(token);
    if (!watcher) return;
    try {
      watcher.resolve(this.client.localQueryResultByToken(token));
    } catch (error) {
      watcher.reject(error);
    }
  }
  watch(path, args, resolve, reject) {
    const { queryToken, unsubscribe } = this.client.subscribe(path, args);
    this.watched.set(queryToken, { resolve, reject });
    return unsubscribe;
  }
  subscribe(path, args) {
    this.watch(path, args, (state) => states.push(state), pushError);
  }
  async call(kind, path, args, more) {
    if (kind !== "query") return this.client[kind](path, args, more);
    let unsubscribe;
    const result = new Promise((resolve, reject) => {
      unsubscribe = this.watch(path, args, resolve, reject);
    });
    return result.finally(unsubscribe);
  }
  logout = () => this.client.clearAuth();
}

class Http {
  client = new ConvexHttpClient(url);
  call = (kind, path, args) => this.client[kind](makeFunctionReference(path), args);
  logout = () => this.client.clearAuth();
}

const peer = new { simple: Simple, base: Base, http: Http }[kind]();
const { client } = peer;
const tokens = new States();
let loadMore;

const fetchToken = async ({ forceRefreshToken }) => {
  console.log(JSON.stringify({ token: forceRefreshToken }));
  return tokens.next();
};

// Writes `count` lines, reading all states, until there are `total` lines.
async function storm({ name, count, total }) {
  const write = async () => {
    for (let n = 0; n < count; n++) await peer.call("mutation", "log:append", { line: `${name}-${n}` });
  };
  const writing = write();
  const seen = [];
  do seen.push(await states.next());
  while (seen.at(-1).length < total);
  await writing;
  return seen;
}

async function carryOut(order) {
  const { path } = order;
  const args = jsonToConvex(order.args ?? {});
  switch (order.do) {
    case "query":
    case "mutation":
    case "action":
    case "consistentQuery":
      return peer.call(order.do, path, args);
    case "optimistic": // a mutation that adds to a list what it is going to add
      return peer.call("mutation", path, args, {
        optimisticUpdate: (store, { line }) => {
          const read = makeFunctionReference("log:read");
          store.setQuery(read, {}, [...(store.getQuery(read, {}) ?? []), `${line}?`]);
        },
      });
    case "subscribe":
      return void peer.subscribe(path, args);
    case "paginate":
      return void client.onPaginatedUpdate_experimental(
        makeFunctionReference(path), args, { initialNumItems: order.count },
        ({ results, status, loadMore: more }) => {
          loadMore = more;
          states.push({ results, status });
        }, pushError,
      );
    case "more":
      return loadMore(order.count);
    case "next":
      return states.next();
    case "storm":
      return storm(order);
    case "auth":
      if (kind === "http") return void client.setAuth(await fetchToken({ forceRefreshToken: false }));
      return void client.setAuth(fetchToken, () => {});
    case "logout":
      return void peer.logout();
    case "admin":
      return void client.setAdminAuth(order.key, order.user ?? undefined);
    default:
      throw new Error(`no such order: ${order.do}`);
  }
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const order = JSON.parse(line);
  if (order.do === "token") return tokens.push(order.value);
  let answer;
  try {
    answer = { value: convexToJson((await carryOut(order)) ?? null) };
  } catch (error) {
    answer = { error: String(error) };
    if (error instanceof ConvexError) answer.data = convexToJson(error.data);
  }
  console.log(JSON.stringify(answer));
}).on("close", () => process.exit(0));
