import type { ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startGateway } from './gateway.ts';
import { within } from './patience.ts';
import { inboxOf, type ServiceHandler, type ServiceRequest, startService } from './poll.ts';

/** Services to which a gateway posts each message of its clients. Call these within a test; all ends with it. */

/** `post` is what the route says besides where the service is; without it all is said by the URL. */
export async function startRoute(handler: ServiceHandler, post = '') {
  const backend = await startService(handler);
  onTestFinished(() => backend.stop());
  const upstream = post === '' ? `${backend.url}/message` : `{ target: "${backend.url}", ${post} }`;
  const gateway = await startGateway(`
routes:
  - name: r
    match: { path: "/rooms/{room}" }
    auth: none
    upstream: { post: ${upstream} }`);
  onTestFinished(() => gateway.close());
  return { backend, gateway };
}

/** The same, and a client. */
export async function startScene(handler: ServiceHandler, post = '', path = '/rooms/blue?a=1') {
  const { backend, gateway } = await startRoute(handler, post);
  const client = new WebSocket(gateway.url(path), []);
  onTestFinished(() => client.terminate());
  const inbox = inboxOf(client);
  await within(new Promise((resolve) => client.once('open', resolve)), 'an open WebSocket');
  return { backend, gateway, client, inbox };
}

/** Answers each message in upper case. */
export function shout({ body, headers }: ServiceRequest, response: ServerResponse): void {
  response.setHeader('content-type', headers['content-type'] ?? '').end(String(body).toUpperCase());
}
