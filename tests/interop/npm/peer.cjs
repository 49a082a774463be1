// The npm client as one of several: tells each state, and writes when it is ordered to.
const readline = require("readline");
const { ConvexClient } = require("convex/browser");
const { anyApi } = require("convex/server");
const WebSocket = require("ws");

const client = new ConvexClient(process.argv[2], { webSocketConstructor: WebSocket });

client.onUpdate(anyApi.notes.list, {}, (notes) => {
  const state = notes.map((note) => note.text);
  console.log(JSON.stringify({ what: "state", value: state }));
});

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const [order, text] = line.split(" ");
  if (order === "write") await client.mutation(anyApi.notes.add, { text });
  if (order === "stop") {
    await client.close();
    process.exit(0);
  }
});
