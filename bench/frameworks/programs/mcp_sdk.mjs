// @modelcontextprotocol/sdk 1.x: the client that most hosts in JavaScript are built on.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { ASKS, URL_OF_SERVER, partsOf, reply, serve } from './contract.mjs';

const client = new Client({ name: 'frameworks', version: '1' }, { capabilities: ASKS ? { elicitation: {} } : {} });
if (ASKS) client.setRequestHandler(ElicitRequestSchema, reply);
await client.connect(new StreamableHTTPClientTransport(new URL(URL_OF_SERVER)));
const { tools } = await client.listTools();

await serve(Object.fromEntries(tools.map((tool) => [tool.name, tool.inputSchema])), async (name, given, _, signal) =>
  partsOf((await client.callTool({ name, arguments: given }, undefined, { signal })).content));
await client.close();
