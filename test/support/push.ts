import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { startGateway, type TestGateway } from './gateway.ts';
import { within } from './patience.ts';
import { inboxOf, type ServiceRequest, startService } from './poll.ts';

/** A service without WebSockets that speaks first: a gateway before it, whose admin listener it pushes by. */

export const PUSH_SECRET = 'a-secret-of-services-that-speak-first';

/** A client, and what its service knows it by. */
export interface Pushed {
  readonly id: string;
  readonly client: WebSocket;
  readonly inbox: ReturnType<typeof inboxOf>;
}

export interface PushScene {
  readonly gateway: TestGateway;
  /** Connects to the service, which learns the connection's name by a first message. */
  connect(options?: ClientOptions): Promise<Pushed>;
  /** Asks the admin listener, with the secret unless other headers are given. */
  ask(path: string, options?: RequestInit): Promise<Response>;
  /** Sends a text as the service does. */
  push(id: string, text: string, query?: string): Promise<Response>;
}

const AUTHORIZED = { authorization: `Bearer ${PUSH_SECRET}` };

interface PushSceneOptions {
  /** The whole `admin` section, in YAML. */
  readonly admin?: string;
  readonly queueSize?: string;
  /** More keys of the configuration, each on a line of its own; more routes, as items of the list. */
  readonly more?: string;
  readonly routes?: string;
}

/** Starts both for the test that runs. */
export async function startPushing(options: PushSceneOptions = {}): Promise<PushScene> {
  const {
    admin = `{ port: 0, secret: "\${PUSH_SECRET}" }`,
    queueSize = '64KiB',
    more = '',
    routes = '',
  } = options;
  let hear: (request: ServiceRequest) => void = () => {};
  const service = await startService((request, response: ServerResponse) => {
    hear(request);
    response.writeHead(204).end();
  });
  const text = `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: ${admin}
${more}
routes:
  - { name: chat, match: { path: /chat }, auth: none, upstream: { post: { target: "${service.url}", queueSize: ${queueSize} } } }
${routes}`;
  const gateway = await startGateway(text, { PUSH_SECRET });
  const clients: WebSocket[] = [];
  onTestFinished(async () => {
    for (const client of clients) client.terminate();
    await gateway.close();
    await service.stop();
  });

  const ask = (path: string, asked: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${gateway.gateway.adminAddress?.port}${path}`, { headers: AUTHORIZED, ...asked });

  return {
    gateway,
    ask,
    push: (id, body, query = '') =>
      ask(`/connections/${id}${query}`, {
        method: 'POST',
        headers: { ...AUTHORIZED, 'content-type': 'text/plain' },
        body,
      }),
    async connect(clientOptions = {}) {
      const client = new WebSocket(gateway.url('/chat'), clientOptions);
      clients.push(client);
      const inbox = inboxOf(client);
      await within(once(client, 'open'), 'an open WebSocket');
      const heard = new Promise<ServiceRequest>((resolve) => {
        hear = resolve;
      });
      client.send('hello');
      const { headers } = await within(heard, 'the first message at the service');
      return { id: String(headers['x-connection-id']), client, inbox };
    },
  };
}
