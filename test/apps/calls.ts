import { EventEmitter, on, once } from 'node:events';
import { createServer } from 'node:http';

import { initTRPC } from '@trpc/server';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import { applyWSSHandler } from '@trpc/server/adapters/ws';
import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { serve } from './serve.ts';

/** What tells a procedure who calls it: the header that the gateway sets. */
interface Context {
  readonly user: unknown;
}

const { router, procedure } = initTRPC.context<Context>().create();
const asText = (value: unknown) => String(value);

function createRouter(posts: EventEmitter) {
  return router({
    me: procedure.query(({ ctx }) => `${ctx.user}`),
    double: procedure.input(asText).query(({ input }) => input.repeat(2)),
    post: procedure.input(asText).mutation(({ input }) => posts.emit('post', input)),
    /** What is posted next. */
    next: procedure.query(async ({ signal }) => `${await once(posts, 'post', { signal })}`),
    /** What is posted from now on, after a word that says who reads. */
    posts: procedure.subscription(async function* read({ ctx, signal }) {
      const coming = on(posts, 'post', { signal });
      yield `${ctx.user} reads`;
      for await (const [text] of coming) yield text as string;
    }),
  });
}

export type Calls = ReturnType<typeof createRouter>;

export interface CallServer {
  readonly port: number;
  /** The HTTP requests it has had. */
  readonly requests: readonly string[];
  /** How many read along at the moment. */
  readers(): number;
}

/** Starts a server of tRPC at `/trpc/`, by HTTP and by WebSocket; closed when the test has finished. */
export async function startCalls(): Promise<CallServer> {
  const posts = new EventEmitter();
  const options = {
    router: createRouter(posts),
    createContext: ({ req }: { req: { headers: NodeJS.Dict<unknown> } }) => ({ user: req.headers['x-user'] }),
  };
  const http = createServer(createHTTPHandler({ ...options, basePath: '/trpc/' }));
  const requests: string[] = [];
  http.on('request', ({ method, url }) => requests.push(`${method} ${url}`));
  const wss = new WebSocketServer({ server: http, path: '/trpc/socket' });
  applyWSSHandler({ ...options, wss });
  const port = await serve(http);
  onTestFinished(() => {
    for (const webSocket of wss.clients) webSocket.terminate();
  });
  return { port, requests, readers: () => posts.listenerCount('post') };
}
