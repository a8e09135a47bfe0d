// @openai/agents: an agent whose model makes one call, and the items that it gets back.
import { Agent, MCPServerStreamableHttp, Runner, Usage, setTracingDisabled } from '@openai/agents';
import { URL_OF_SERVER, partsOf, serve } from './contract.mjs';

setTracingDisabled(true);
const server = new MCPServerStreamableHttp({ url: URL_OF_SERVER, name: 'ringcentral', timeout: 60_000 });
await server.connect();
const said = { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: '.' }] };

/** Run an agent whose model makes this call, or none; give the last request that the model got. */
async function run(convertSchemasToStrict, asked, signal) {
  const requests = [];
  const model = {
    getResponse: async (request) => {
      requests.push(structuredClone({ input: request.input, tools: request.tools }));
      return { usage: new Usage(), output: [asked && requests.length === 1 ? asked : said] };
    },
  };
  const agent = new Agent({ name: 'clerk', model, mcpServers: [server], mcpConfig: { convertSchemasToStrict } });
  await new Runner().run(agent, 'Call it.', { signal, maxTurns: 3 });
  return requests.at(-1);
}

const shown = async (strict) => Object.fromEntries((await run(strict)).tools
  .filter((tool) => tool.strict || !strict).map((tool) => [tool.name, tool.parameters]));
await serve(await shown(false), async (name, given, strict, signal) => {
  const asked = { type: 'function_call', callId: '1', name, status: 'completed', arguments: JSON.stringify(given) };
  const { output } = (await run(strict, asked, signal)).input.at(-1);
  return partsOf(Array.isArray(output) ? output : [output]);
}, await shown(true));
await server.close();
