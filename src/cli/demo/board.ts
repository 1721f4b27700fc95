import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listenOnLoopback, type Service } from './service.ts';

const MAX_NOTES = 50;
const MAX_NOTE_BYTES = 4096;
const MAX_WAIT_S = 60;

interface Note {
  readonly id: number;
  readonly from: string;
  readonly text: string;
  readonly at: number;
}

/**
 * A notice board over HTTP/1.1 that has never heard of WebSockets.
 * `POST /notes` (text) pins a note; `GET /notes?after=ID&wait=SECONDS` answers `{ cursor, notes }` as soon as there
 * is one after ID, or 204 when the wait is over: a long poll.
 */
export async function startBoard(): Promise<Service> {
  const board = createBoard();
  const server = createServer(function onRequest(request, response) {
    const url = new URL(request.url ?? '/', 'http://board');
    if (url.pathname !== '/notes') response.writeHead(404).end();
    else if (request.method === 'GET') poll(board, url.searchParams, response);
    else if (request.method === 'POST') void pin(board, request, response);
    else response.writeHead(405, { allow: 'GET, POST' }).end();
  });
  const port = await listenOnLoopback(server);
  return {
    port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

type Board = ReturnType<typeof createBoard>;

function createBoard() {
  const notes: Note[] = [];
  const waiting = new Set<() => void>();
  let last = 0;

  function add(from: string, text: string): void {
    last += 1;
    notes.push({ id: last, from, text, at: Date.now() });
    if (notes.length > MAX_NOTES) notes.shift();
    for (const wake of waiting) wake();
  }

  function since(id: number): { cursor: number; notes: Note[] } {
    // A cursor from before a restart lies ahead of every note.
    return { cursor: last, notes: notes.filter((note) => note.id > (id > last ? 0 : id)) };
  }

  return { add, since, waiting };
}

function poll(board: Board, query: URLSearchParams, response: ServerResponse): void {
  const after = Number(query.get('after')) || 0;
  const waitMs = Math.min(Number(query.get('wait')) || 0, MAX_WAIT_S) * 1000;
  const timer = setTimeout(() => settle(204), waitMs);
  board.waiting.add(wake);
  response.once('close', forget);
  wake();

  function wake(): void {
    const found = board.since(after);
    if (found.notes.length > 0) settle(200, JSON.stringify(found));
  }
  function settle(status: number, body?: string): void {
    forget();
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(body);
  }
  function forget(): void {
    clearTimeout(timer);
    board.waiting.delete(wake);
  }
}

async function pin(board: Board, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_NOTE_BYTES) {
        response.writeHead(413, { connection: 'close' }).end();
        return;
      }
      chunks.push(chunk);
    }
    board.add(String(request.headers['x-user'] ?? 'somebody'), Buffer.concat(chunks).toString());
    response.writeHead(204).end();
  } catch {
    response.destroy();
  }
}
