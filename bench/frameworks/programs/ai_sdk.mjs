// @ai-sdk/mcp with ai: generateText with a model that makes one call, and the prompt that it gets back.
import { createMCPClient, ElicitationRequestSchema } from '@ai-sdk/mcp';
import { generateText, stepCountIs } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import { ASKS, URL_OF_SERVER, partsOf, reply, serve } from './contract.mjs';

const capabilities = ASKS ? { elicitation: {} } : {};
const client = await createMCPClient({ transport: { type: 'http', url: URL_OF_SERVER }, capabilities });
if (ASKS) client.onElicitationRequest(ElicitationRequestSchema, reply);
const tools = await client.tools();
const usage = { inputTokens: {}, outputTokens: {} };

/** Run generateText with a model that makes this call, or none; give the last request that the model got. */
async function run(content, abortSignal) {
  const requests = [];
  const model = new MockLanguageModelV3({
    doGenerate: async (request) => {
      requests.push(request);
      const first = content && requests.length === 1;
      const said = first ? content : [{ type: 'text', text: 'done' }];
      return { content: said, finishReason: { unified: first ? 'tool-calls' : 'stop' }, usage, warnings: [] };
    },
  });
  await generateText({ model, tools, prompt: 'Call it.', stopWhen: stepCountIs(2), abortSignal });
  return requests.at(-1);
}

const shown = Object.fromEntries((await run()).tools.map((tool) => [tool.name, tool.inputSchema]));
await serve(shown, async (toolName, given, _, signal) => {
  const asked = [{ type: 'tool-call', toolCallId: '1', toolName, input: JSON.stringify(given) }];
  const { output } = (await run(asked, signal)).prompt.at(-1).content[0];
  const parts = output.type === 'content' ? output.value : output.value;
  return partsOf(typeof parts === 'string' || Array.isArray(parts) ? parts : JSON.stringify(parts));
});
await client.close();
