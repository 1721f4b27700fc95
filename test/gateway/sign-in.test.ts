import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

/** Clients that bring their token in other ways than a Bearer, and browsers that bring none. */

let gateway: TestGateway;
let service: Server;

beforeAll(async () => {
  service = createServer((request, response) => response.end(JSON.stringify(request.headers)));
  const sockets = new WebSocketServer({ server: service });
  sockets.on('connection', (socket, { headers }) => socket.send(JSON.stringify(headers)));
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const upstream = `upstream: { http: "http://127.0.0.1:${(service.address() as AddressInfo).port}" }`;
  const token = 'token: [header, basic, "header:x-api-key", "subprotocol:key."]';
  gateway = await startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
${TOKEN_ISSUER}
routes:
  - { name: app, match: { path: /app }, auth: { issuer: main, ${token} }, login: "/login?to={return}", ${upstream} }
  - { name: login, match: { path: /login }, auth: none, ${upstream} }`,
    TOKEN_ENV,
  );
});
afterAll(async () => {
  await gateway.close();
  service.close();
});

/** The header fields that the service saw. */
async function seen(url: string, protocols: string[] = [], headers = {}): Promise<Record<string, string>> {
  const socket = new WebSocket(url, protocols, { headers });
  const [text] = await once(socket, 'message');
  socket.close();
  await once(socket, 'close');
  return JSON.parse(String(text)) as Record<string, string>;
}

const BASIC = () => `Basic ${Buffer.from(`station-7:${freshToken()}`).toString('base64')}`;

describe('a token', () => {
  test('may be the password in the address', async () => {
    const headers = await seen(`ws://x:${freshToken()}@127.0.0.1:${gateway.port}/app`);
    expect(headers.authorization).toBeUndefined();
  });

  test('may be in a header of its own, beside an Authorization that passes', async () => {
    const headers = await seen(gateway.url('/app'), [], {
      'x-api-key': freshToken(),
      authorization: 'Digest x',
    });
    expect(headers['x-api-key']).toBeUndefined();
    expect(headers.authorization).toBe('Digest x');
  });

  test('may be a subprotocol with the prefix of a vendor', async () => {
    const headers = await seen(gateway.url('/app'), ['chat', `key.${freshToken()}`]);
    expect(headers['sec-websocket-protocol']).toBe('chat');
  });

  test('may be the password of a plain request', async () => {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/app`, {
      headers: { authorization: BASIC() },
    });
    expect([answer.status, await answer.text()]).toEqual([200, expect.not.stringContaining('Basic')]);
  });

  test('that is missing is asked for in each way that HTTP has a name for', async () => {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/app`);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(
      'Bearer realm="127.0.0.1", Basic realm="127.0.0.1", charset="UTF-8"',
    );
  });
});

describe('a browser without one', () => {
  /** The answer to a browser that opens a page. */
  async function opened(path: string): Promise<IncomingMessage> {
    const fields = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };
    const asked = get({ host: '127.0.0.1', port: gateway.port, path, headers: fields });
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return answer.resume();
  }

  test('is sent to where people sign in, and the log says why', async () => {
    const { statusCode, headers } = await opened('/app?x=1');
    expect([statusCode, headers.location]).toEqual([302, '/login?to=%2Fapp%3Fx%3D1']);
    expect(headers['cache-control']).toBe('no-store');
    await gateway.logged(({ error, status }) => error === 'TOKEN_MISSING' && status === 302);
  });

  test('gets there', async () => {
    const { location = '' } = (await opened('/app')).headers;
    expect((await opened(location)).statusCode).toBe(200);
  });

  test('is not sent there by what a script asks for', async () => {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/app`, { headers: { accept: 'text/html' } });
    expect(answer.status).toBe(401);
  });
});
