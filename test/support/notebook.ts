import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * A plain HTTP service in a process of its own, to be killed at any moment: `node notebook.ts FILE PORT LAST`.
 * `POST /notes` appends the body to FILE, once for each Idempotency-Key; `GET /notes?since=N` gives up to four of the
 * numbers from N+1 to LAST, or is held. Prints its port.
 */
const [file = '', port = '0', last = '0'] = process.argv.slice(2);
const known = new Set(linesOf(file).map(({ key }) => key));

export interface Note {
  readonly key: string;
  readonly body: string;
}

function linesOf(name: string): Note[] {
  if (!existsSync(name)) return [];
  const lines = readFileSync(name, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Note);
}

async function write(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const note: Note = { key: String(request.headers['idempotency-key']), body: await text(request) };
  if (!known.has(note.key)) {
    known.add(note.key);
    appendFileSync(file, `${JSON.stringify(note)}\n`);
  }
  // Time in which the note is kept and its answer is not yet sent: that is where a kill hurts.
  setTimeout(() => response.end(), 1);
}

function read(url: URL, response: ServerResponse): void {
  const since = Number(url.searchParams.get('since'));
  const count = Math.min(4, Number(last) - since);
  if (count <= 0) return;
  const numbers = Array.from({ length: count }, (_, index) => since + index + 1);
  const body = JSON.stringify({ next: since + count, notes: numbers });
  response.writeHead(200, { 'content-length': body.length });
  response.write(body.slice(0, 10));
  setTimeout(() => response.end(body.slice(10)), 3);
}

const server = createServer((request, response) => {
  if (request.method === 'POST') void write(request, response);
  else read(new URL(request.url ?? '', 'http://notebook'), response);
});
server.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
