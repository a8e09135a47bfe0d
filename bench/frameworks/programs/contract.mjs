// What the programs in JavaScript share: see contract.py, which says what goes over stdin and stdout.
import { createInterface } from 'node:readline';

const plan = JSON.parse(process.argv[2]);
export const URL_OF_SERVER = plan.url;
export const ASKS = plan.asks;
export const person = { reply: 'decline', asked: 0 };

/** Answer a question, as the callback of the MCP SDKs. */
export function reply() {
  person.asked += 1;
  return person.reply === 'accept' ? { action: 'accept', content: { confirm: true } } : { action: person.reply };
}

const say = (seen) => process.stdout.write(`${JSON.stringify(seen)}\n`);

/** Say what became of the tools, then answer each request with call(name, arguments, strict, signal). */
export async function serve(tools, call, strict = null) {
  say({ tools, strict });
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    Object.assign(person, { reply: request.reply, asked: 0 });
    say({ ...(await seen(call, request)), asked: person.asked });
  }
}

async function seen(call, { tool, arguments: given, strict, patience_s }) {
  const cancelling = new AbortController();
  const timer = setTimeout(() => cancelling.abort(), patience_s * 1000);
  try {
    return { parts: await call(tool, given, strict, cancelling.signal) };
  } catch (error) {
    return cancelling.signal.aborted ? { cancelled: true } : { raised: `${error.name}: ${error.message}` };
  } finally {
    clearTimeout(timer);
  }
}

/** The parts of MCP content, of a text, or of the blocks that most frameworks make of it. */
export const partsOf = (content) => (typeof content === 'string' ? [{ text: content }] : content.map(partOf));

function partOf(block) {
  if (typeof block.text === 'string') return { text: block.text };
  const start = JSON.stringify(block).slice(0, 4000);
  const kind = ['image', 'audio'].find((name) => start.includes(name)) ?? 'file';
  return { [kind === 'image' ? 'picture' : kind]: largest(block) };
}

function largest(found) {
  if (typeof found === 'string') return found.length;
  return found && typeof found === 'object' ? Math.max(0, ...Object.values(found).map(largest)) : 0;
}
