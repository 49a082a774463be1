// The official npm clients, unchanged: one JSON line for each thing that happened.
const { isDeepStrictEqual } = require("util");
const { ConvexClient, ConvexHttpClient } = require("convex/browser");
const { anyApi } = require("convex/server");
const { ConvexError } = require("convex/values");
const WebSocket = require("ws");

const url = process.argv[2];
const tell = (what, value) => console.log(JSON.stringify({ what, value }));

const VALUES = {
  null: null,
  bool: true,
  text: "é\u2028🙂",
  list: [1.5, []],
  object: { "a b": {} },
  int64: -(2n ** 63n),
  bytes: new Uint8Array([0, 255]).buffer,
  zero: -0,
  nan: NaN,
};

// A call of each kind, one that fails, and every type of value.
async function calls(client) {
  const back = await client.action(anyApi.notes.echo, { value: VALUES });
  // isDeepStrictEqual tells -0 from 0, and has NaN equal to itself.
  const same = Object.entries(VALUES).map(([k, v]) => [k, isDeepStrictEqual(back[k], v)]);
  tell("same", Object.fromEntries(same));
  await client.mutation(anyApi.notes.add, { text: "" }).catch((error) => {
    tell("error", error instanceof ConvexError ? error.data : String(error));
  });
  tell("mutation", await client.mutation(anyApi.notes.touch, {}));
  tell("query", (await client.query(anyApi.notes.list, {})).length);
}

async function main() {
  const client = new ConvexClient(url, { webSocketConstructor: WebSocket });
  const both = new Promise((resolve) => {
    client.onUpdate(anyApi.notes.list, {}, (notes) => {
      tell("update", notes.map((note) => note.text));
      if (notes.length === 2) resolve();
    });
  });
  await client.mutation(anyApi.notes.add, { text: "from npm" });
  tell("ready", null);
  await both;
  await calls(client);
  await client.close();
  await calls(new ConvexHttpClient(url));
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
