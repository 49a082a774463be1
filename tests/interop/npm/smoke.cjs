// The official npm client, unchanged: one JSON line for each thing that happened.
const { ConvexClient, ConvexHttpClient } = require("convex/browser");
const { anyApi } = require("convex/server");
const WebSocket = require("ws");

const url = process.argv[2];
const tell = (what, value) => console.log(JSON.stringify({ what, value }));
const plain = (error) => ({ message: error.message, data: error.data ?? null });

async function main() {
  const client = new ConvexClient(url, { webSocketConstructor: WebSocket });
  let updates = 0;
  const three = new Promise((resolve) => {
    client.onUpdate(anyApi.notes.list, {}, (notes) => {
      updates += 1;
      tell("update", notes.map((note) => note.text));
      if (notes.length === 2) resolve();
    });
  });
  await client.mutation(anyApi.notes.add, { text: "from npm" });
  tell("ready", updates);
  await three;
  const value = { int64: 2n ** 62n, nan: NaN, zero: -0, bytes: new Uint8Array([1, 2]).buffer };
  const back = await client.action(anyApi.notes.echo, { value });
  tell("values", [
    back.int64 === value.int64,
    Number.isNaN(back.nan),
    Object.is(back.zero, -0),
    Buffer.from(back.bytes).equals(Buffer.from([1, 2])),
  ]);
  await client.mutation(anyApi.notes.add, { text: "" }).catch((error) => tell("error", plain(error)));
  await client.close();

  const http = new ConvexHttpClient(url);
  tell("http", (await http.query(anyApi.notes.list, {})).length);
  await http.mutation(anyApi.notes.add, { text: "" }).catch((error) => tell("error", plain(error)));
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
