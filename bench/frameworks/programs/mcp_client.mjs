// @modelcontextprotocol/client 2.x: the same for the protocol of 2026-07-28, which it uses where the server has it.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { ASKS, URL_OF_SERVER, partsOf, reply, serve } from './contract.mjs';

const capabilities = ASKS ? { elicitation: { form: {} } } : {};
const client = new Client({ name: 'frameworks', version: '1' }, { capabilities, versionNegotiation: { mode: 'auto' } });
if (ASKS) client.setRequestHandler('elicitation/create', reply);
await client.connect(new StreamableHTTPClientTransport(new URL(URL_OF_SERVER)));
const { tools } = await client.listTools();

await serve(Object.fromEntries(tools.map((tool) => [tool.name, tool.inputSchema])), async (name, given, _, signal) =>
  partsOf((await client.callTool({ name, arguments: given }, { signal })).content));
await client.close();
