#!/usr/bin/env bash
# @langchain/mcp-adapters on a tool whose optional argument is an `anyOf` of an enum and null: the model sees no values.
#
# Expected: the enum stays, as with @langchain/core alone, which passes JSON Schema on whole. Or null alone is dropped.
# Observed: the adapter flattens `anyOf` where its parts are objects, and drops it where they are not. What is left is the
# description: no type and no values. This is how Pydantic writes each optional argument, so it holds for most servers in
# Python. A model has to guess the values, and the adapter accepts any. A server should name them in the description too.
#
# Exits with 0 while this is so, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund '@langchain/mcp-adapters@1.1.4' '@langchain/core@1.4.0' '@modelcontextprotocol/sdk@1.32.2'

cat > server.mjs <<'JS'
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const status = { anyOf: [{ type: 'string', enum: ['Read', 'Unread'] }, { type: 'null' }], description: 'The new status.' };
const plain = { type: 'string', enum: ['Read', 'Unread'], description: 'The new status.' };
const tool = { name: 'mark', inputSchema: { type: 'object', properties: { status, plain } } };
const server = new Server({ name: 'messages', version: '1' }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [tool] }));
await server.connect(new StdioServerTransport());
JS

cat > client.mjs <<'JS'
import { MultiServerMCPClient } from '@langchain/mcp-adapters';

const client = new MultiServerMCPClient({ messages: { transport: 'stdio', command: 'node', args: ['server.mjs'] } });
const [tool] = await client.getTools();
const { status, plain } = tool.schema.properties;
console.log(`@langchain/mcp-adapters 1.1.4: anyOf of an enum and null -> ${JSON.stringify(status)}`);
console.log(`@langchain/mcp-adapters 1.1.4: the enum alone -> ${JSON.stringify(plain)}`);
await client.close();
process.exit(Object.keys(status).join() === 'description' && plain.enum.length === 2 ? 0 : 1);
JS
node client.mjs 2>errors.txt || { cat errors.txt >&2; exit 1; }
