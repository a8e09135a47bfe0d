// @langchain/mcp-adapters: the tools as agents of LangChain.js call them.
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { convertToOpenAITool } from '@langchain/core/utils/function_calling';
import { URL_OF_SERVER, partsOf, serve } from './contract.mjs';

const client = new MultiServerMCPClient({ mcpServers: { ringcentral: { transport: 'http', url: URL_OF_SERVER } } });
const listed = await client.getTools();
const tools = Object.fromEntries(listed.map((tool) => [tool.name, tool]));
const shown = listed.map((tool) => [tool.name, convertToOpenAITool(tool).function.parameters]);

await serve(Object.fromEntries(shown), async (name, args, _, signal) =>
  partsOf((await tools[name].invoke({ type: 'tool_call', id: '1', name, args }, { signal })).content));
await client.close();
