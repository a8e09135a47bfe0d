#!/usr/bin/env bash
# The TypeScript MCP SDK's client on an output schema with an `$id`: it checks answers against the first schema that it ever
# saw under that id.
#
# Expected: each tool's own schema from the latest tools/list. Without an `$id` it is so.
# Observed: a second schema with the same `$id` is ignored. A server that adds a field to a closed schema, and sends
# list_changed, gets its new answers refused until the client restarts; listing the tools again does not help. Two tools
# that share an `$id` (a generator that names a schema after its type) are both checked against the first one's schema.
# AjvJsonSchemaValidator asks Ajv for the id before it compiles. Without `$id`, or with a version in it, all is well.
# Known: a review in pull request 2337 of the SDK says so, and pull request 2674, open, fixes it.
#
# Exits with 0 while the fault exists, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @modelcontextprotocol/sdk@1.32.2 >/dev/null

cat > schemas.mjs <<'JS'
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const schema = (id, names) => ({
  ...id,
  type: "object",
  properties: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
  required: names,
  additionalProperties: false,
});

async function outcome(id) {
  const server = new Server({ name: "server", version: "1" }, { capabilities: { tools: { listChanged: true } } });
  let names = ["id"];
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [{ name: "read", inputSchema: { type: "object" }, outputSchema: schema(id, names) }],
  }));
  server.setRequestHandler(CallToolRequestSchema, () => ({
    content: [],
    structuredContent: Object.fromEntries(names.map((name) => [name, "x"])),
  }));
  const client = new Client({ name: "client", version: "1" });
  const [near, far] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(near), client.connect(far)]);
  const call = async () => {
    await client.listTools();
    return client.callTool({ name: "read" }).then(() => "accepted", (error) => error.message);
  };
  const first = await call();
  names = ["id", "subject"];
  await server.sendToolListChanged();
  return [first, await call()];
}

const [without, withId] = [await outcome({}), await outcome({ $id: "https://example.com/message" })];
console.log("@modelcontextprotocol/sdk 1.32.2, before and after the schema grew:");
console.log("  without $id:", without.join(" | "));
console.log("  with $id:   ", withId.join(" | "));
const right = without.join() === "accepted,accepted" && withId[0] === "accepted";
process.exit(right && withId[1].includes("must NOT have additional properties") ? 0 : 1);
JS
node schemas.mjs
