import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { ListenerError } from '../../src/listener/error.ts';
import type { Backchannel } from '../../src/observe/admin/backchannel.ts';
import { type Admin, type Readiness, startAdmin } from '../../src/observe/admin.ts';
import { createLogger } from '../../src/observe/log.ts';
import { desks } from '../support/desks.ts';
import { startGateway } from '../support/gateway.ts';
import { Sink } from '../support/observe.ts';

const opened: Admin[] = [];
afterEach(() => Promise.all(opened.splice(0).map((admin) => admin.close())));

async function start({
  readiness = { ready: true } as Readiness,
  render = async () => 'up 1\n',
  names = [] as string[],
  secret = undefined as string | undefined,
  backchannel = {} as Partial<Backchannel>,
} = {}) {
  const log = new Sink();
  const admin = await startAdmin(
    { host: '127.0.0.1', port: 0, names, secret },
    {
      ...desks({ backchannel }),
      ready: () => readiness,
      metrics: { render, contentType: 'text/plain; version=0.0.4' },
      logger: createLogger({ destination: log }),
    },
  );
  opened.push(admin);
  const port = portOf(admin);
  return { admin, log, url: `http://127.0.0.1:${port}` };
}

function portOf({ address }: Admin): number {
  return address?.port ?? 0;
}

/** What the listener answers to these lines, whole. */
function ask(port: number | undefined, ...lines: string[]): Promise<string> {
  const socket = connect(port ?? 0, '127.0.0.1');
  socket.end(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  return text(socket);
}

describe('startAdmin', () => {
  test.each(['localhost', 'localhost:9090', 'app.localhost', '127.0.0.1', '[::1]:9090', 'gateway.internal'])(
    'answers to Host %s',
    async (host) => {
      const { admin } = await start({ names: ['gateway.internal'] });
      expect(await ask(portOf(admin), 'GET /metrics HTTP/1.1', `Host: ${host}`)).toMatch(
        /^HTTP\/1.1 200 .*up 1\n$/s,
      );
    },
  );

  test('answers to the names that the configuration gives', async () => {
    await using gate = await startGateway(`listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: 0, names: [Gateway.Internal] }
routes: [{ name: a, match: { path: /a }, auth: none, upstream: { websocket: "ws://127.0.0.1:1" } }]
`);
    const port = gate.gateway.adminAddress?.port;
    expect(await ask(port, 'GET /livez HTTP/1.1', 'Host: gateway.internal')).toMatch(/^HTTP\/1.1 200 /);
  });

  test.each(['/metrics', '/livez', '/readyz', '/'])(
    'refuses %s with 403 to a page whose name points here (DNS rebinding)',
    async (path) => {
      const { admin } = await start({ names: ['gateway.internal'] });
      const answer = await ask(portOf(admin), `GET ${path} HTTP/1.1`, 'Host: rebound.example.com:9090');
      expect(answer).toMatch(/^HTTP\/1.1 403 /);
      expect(answer).toMatch(/\r\n\r\nHOST_REFUSED: The admin listener does not answer to this name; .*\n$/);
      expect(answer).not.toContain('up 1');
    },
  );

  test.each([
    ['no Host', ['GET /metrics HTTP/1.1']],
    ['no Host in HTTP/1.0', ['GET /metrics HTTP/1.0']],
    ['an empty Host', ['GET /metrics HTTP/1.1', 'Host:']],
    ['a malformed Host', ['GET /metrics HTTP/1.1', 'Host: local host']],
    ['a Host with no valid port', ['GET /metrics HTTP/1.1', 'Host: localhost:0']],
    ['two Hosts', ['GET /metrics HTTP/1.1', 'Host: localhost', 'Host: rebound.example.com']],
  ])('refuses a request with %s with 400', async (_what, lines) => {
    const { admin } = await start();
    expect(await ask(portOf(admin), ...lines)).toMatch(/^HTTP\/1.1 400 /);
  });

  test.each([
    ['/livez', 200, 'alive\n'],
    ['/readyz', 200, 'ready\n'],
    ['/readyz?verbose', 200, 'ready\n'],
    ['/metrics', 200, 'up 1\n'],
    ['/', 404, 'NO_ROUTE: No route leads here.\n'],
    ['/metrics/', 404, 'NO_ROUTE: No route leads here.\n'],
  ])('answers GET %s with %i', async (path, status, body) => {
    const { url } = await start();
    const response = await fetch(url + path);
    expect(response.status).toBe(status);
    expect(await response.text()).toBe(body);
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('says why it is not ready', async () => {
    const { url } = await start({ readiness: { ready: false, why: 'draining' } });
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('not ready: draining\n');
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  test('gives the metrics the content type of their format', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4');
  });

  test('answers HEAD with the head alone', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/metrics`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('5');
    expect(await response.text()).toBe('');
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])(
    'refuses %s with 405 and what is allowed',
    async (method) => {
      const { url } = await start();
      const response = await fetch(`${url}/readyz`, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
      expect(await response.text()).toMatch(/^METHOD_NOT_ALLOWED: .*\n$/);
    },
  );

  test('answers 500 and logs the cause when the metrics fail', async () => {
    const { url, log } = await start({ render: () => Promise.reject(new Error('broken meter')) });
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('broken');
    expect(log.text).toContain('broken meter');
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  test('outlives a client that resets while its page is made', async () => {
    const asked = new EventEmitter();
    const { admin, url } = await start({
      render: async () => {
        asked.emit('render');
        await once(asked, 'answer');
        return 'x'.repeat(1_000_000);
      },
    });
    const rendering = once(asked, 'render');
    const socket = connect(portOf(admin), '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await rendering;
    socket.resetAndDestroy();
    asked.emit('answer');
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  test('rejects when the port is taken', async () => {
    const { admin } = await start();
    const port = portOf(admin);
    const deps = {
      ready: () => ({ ready: true }),
      metrics: { render: async () => '', contentType: '' },
      ...desks(),
    };
    const again = startAdmin(
      { host: '127.0.0.1', port },
      { ...deps, logger: createLogger({ level: 'silent' }) },
    );
    await expect(again).rejects.toThrow(
      new ListenerError(
        `the admin port 127.0.0.1:${port} is taken: stop the program that listens there, or choose another port`,
      ),
    );
  });

  test('ends every connection when closed, idle or waiting for its page, and may be closed twice', async () => {
    const asked = new EventEmitter();
    const { admin } = await start({
      render: async () => {
        asked.emit('render');
        await once(asked, 'never');
        return '';
      },
    });
    function ask(path: string) {
      const socket = connect(portOf(admin), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      return socket;
    }
    const rendering = once(asked, 'render');
    const [idle, waiting] = [ask('/livez'), ask('/metrics')];
    await Promise.all([once(idle, 'data'), rendering]);
    const gone = Promise.all([once(idle, 'close'), once(waiting, 'close')]);
    await admin.close();
    await gone;
    await admin.close();
  });
});
