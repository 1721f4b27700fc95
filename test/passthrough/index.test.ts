import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { generate } from 'selfsigned';
import { afterEach, describe, expect, test } from 'vitest';
import { createPassthrough } from '../../src/passthrough/index.ts';
import { gatewayRequest } from '../support/observe.ts';
import { closeAll, dial, httpUpstream, openFront, tcpUpstream } from '../support/passthrough.ts';
import { httpRoute } from '../support/route.ts';

afterEach(closeAll);

const SHORT = { timeouts: { response: '200ms', idle: '200ms', stall: '200ms' } };

/** An upstream that answers every request with what it saw of it. */
function mirror() {
  return httpUpstream(async (request, response) => {
    const { method, url, rawHeaders, headers } = request;
    response.end(JSON.stringify({ method, url, rawHeaders, headers, body: await text(request) }));
  });
}

/** The first request's bytes as they reach the upstream, which answers with `answer` once they match `until`. */
async function recorder(answer = 'HTTP/1.1 204 No Content\r\n\r\n', until = /\r\n\r\n/) {
  const seen = { text: '', connections: 0, closed: 0 };
  const url = await tcpUpstream((socket) => {
    let asked = '';
    seen.connections += 1;
    socket.on('close', () => {
      seen.closed += 1;
    });
    socket.on('data', (chunk) => {
      asked += chunk.toString('latin1');
      seen.text += chunk.toString('latin1');
      if (!until.test(asked)) return;
      asked = '';
      socket.write(answer);
    });
  });
  return { url, seen };
}

describe('what passes through', () => {
  test('a request and its answer: method, path, query, body, status, headers', async () => {
    const upstream = await httpUpstream(async (request, response) => {
      const body = await text(request);
      response.writeHead(
        201,
        [
          ['X-Seen', `${request.method} ${request.url} ${body}`],
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
        ].flat(),
      );
      response.end('made');
    });
    const front = await openFront(httpRoute(upstream));
    const response = await fetch(`${front.url}/things?x=1&y=%20`, { method: 'POST', body: 'hello' });
    expect(response.status).toBe(201);
    expect(response.headers.get('x-seen')).toBe('POST /things?x=1&y=%20 hello');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(await response.text()).toBe('made');
    expect(await front.outcome()).toEqual({ status: 201, bytes: 4 });
  });

  test.each([
    ['', '/a/b', '/a/b'],
    ['/', '/a/b', '/a/b'],
    ['/base', '/a', '/base/a'],
    ['/base/', '/a/?q=1', '/base/a/?q=1'],
    ['/base?k=v', '/a?q=1', '/base/a?k=v&q=1'],
    ['', '/a//b?next=//c', '/a//b?next=//c'],
    ['', '//user@[x/a', '//user@[x/a'],
    ['', `/a'b{c}"d|e?f=g?h`, `/a'b{c}"d|e?f=g?h`],
  ])('an upstream at "%s" gets %s as %s', async (base, target, expected) => {
    const { url, seen } = await recorder();
    const front = await openFront(httpRoute(url + base));
    const client = await dial(front.port);
    client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await front.outcome();
    expect(seen.text.split('\r\n')[0]).toBe(`GET ${expected} HTTP/1.1`);
  });

  test('50 MB each way unharmed, with bounded buffers on the way', async () => {
    const upstream = await httpUpstream((request, response) => request.pipe(response));
    const front = await openFront(httpRoute(upstream));
    const body = randomBytes(50_000_000);
    const response = await fetch(front.url, { method: 'PUT', body });
    const hash = createHash('sha256').update(new Uint8Array(await response.arrayBuffer()));
    expect(hash.digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
    expect(await front.outcome()).toEqual({ status: 200, bytes: 50_000_000 });
  });

  test('an answer stops flowing while the client does not read', async () => {
    let sent = 0;
    const paused = new EventEmitter();
    const upstream = await httpUpstream((_request, response) => {
      const block = Buffer.alloc(1_000_000);
      function pump(): void {
        while (sent < 300_000_000 && response.write(block)) sent += block.length;
        sent += block.length;
        paused.emit('full');
      }
      response.on('drain', pump);
      pump();
    });
    const front = await openFront(httpRoute(upstream, { timeouts: { stall: '500ms' } }));
    const client = await dial(front.port);
    client.pause();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await front.outcome()).toMatchObject({ code: 'PEER_STALLED' });
    expect(sent).toBeLessThan(60_000_000);
  });

  test.each([
    ['an answer', {}],
    ['an answer of which only the head goes out', { isUnproven: true }],
  ])('%s whose end the client leaves unread is cut off after `stall`', async (_name, grant) => {
    const upstream = await httpUpstream((_request, response) => {
      response.setHeader('x-filler', 'x'.repeat(15_000));
      response.end(Buffer.alloc(30_000));
    });
    const front = await openFront(httpRoute(upstream, { timeouts: { stall: '500ms' } }), grant);
    const client = await dial(front.port);
    client.pause();
    // Each answer fits into the buffer of its socket, and all of them into nothing.
    for (let count = 0; count < 700; count += 1) client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect
      .poll(() => front.outcomes, { timeout: 5_000 })
      .toContainEqual(expect.objectContaining({ code: 'PEER_STALLED' }));
  });

  test('the head of a stream goes out before its first byte', async () => {
    const upstream = await httpUpstream((_request, response) => {
      response.setHeader('content-type', 'text/event-stream').flushHeaders();
    });
    const front = await openFront(httpRoute(upstream));
    const abort = new AbortController();
    const response = await fetch(front.url, { signal: abort.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    abort.abort();
    expect(await front.outcome()).toMatchObject({ code: 'CLIENT_LOST' });
  });

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n', /200 OK[\s\S]*content-length: 99\r\n/i],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', /304 Not Modified/],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', /204 No Content/],
  ])('an answer without a body: %s %j', async (method, answer, expected) => {
    const { url } = await recorder(answer);
    const front = await openFront(httpRoute(url));
    const client = await dial(front.port);
    client.write(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(await front.outcome()).toMatchObject({ bytes: 0 });
    await expect.poll(() => client.text).toMatch(expected);
    await expect.poll(() => client.text).toMatch(/\r\n\r\n$/);
  });

  test('connections to the upstream are used again, and closed with the passthrough', async () => {
    const { url, seen } = await recorder();
    const front = await openFront(httpRoute(url));
    for (let round = 0; round < 3; round += 1) await (await fetch(front.url)).arrayBuffer();
    expect(seen.connections).toBe(1);
    front.passthrough.close();
    await expect.poll(() => seen.closed).toBe(1);
    front.passthrough.close();
  });

  test('a client that goes on sending after an early answer loses its connection, and has read the answer', async () => {
    const { url } = await recorder('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
    const front = await openFront(httpRoute(url));
    const client = await dial(front.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
    expect(await front.outcome()).toEqual({ status: 413, bytes: 0 });
    client.write(Buffer.alloc(100_000_000));
    await new Promise((resolve) => client.once('close', resolve));
    expect(client.text).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('the early answer of an upstream that closes over the rest of a large body reaches the client', async () => {
    const url = await httpUpstream((_request, response) => {
      response.writeHead(413, { connection: 'close', 'content-length': 2 }).end('no');
    });
    const front = await openFront(httpRoute(url));
    for (let round = 0; round < 5; round += 1) {
      const client = await dial(front.port);
      client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n');
      client.write(Buffer.alloc(20_000_000));
      expect(await front.outcome()).toEqual({ status: 413, bytes: 2 });
      await expect.poll(() => client.text).toMatch(/^HTTP\/1\.1 413 .*no$/s);
    }
  });

  test('an early answer frees the client connection although the body was not read', async () => {
    const { url, seen } = await recorder('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
    const front = await openFront(httpRoute(url));
    const client = await dial(front.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n');
    expect(await front.outcome()).toEqual({ status: 413, bytes: 0 });
    await expect.poll(() => seen.closed).toBe(1);
    client.write(Buffer.alloc(200_000));
    client.write('GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await front.outcome()).toEqual({ status: 413, bytes: 0 });
    expect(seen.text).toContain('GET /next');
  });

  test('https upstreams are verified by their own name, whatever Host the client sends', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'passthrough-'));
    const names = [{ type: 7 as const, ip: '127.0.0.1' }];
    const pems = await generate([{ name: 'commonName', value: 'upstream' }], {
      extensions: [{ name: 'subjectAltName', altNames: names }],
    });
    const ca = join(folder, 'ca.pem');
    await writeFile(ca, pems.cert);
    const server = createSecureServer({ key: pems.private, cert: pems.cert }, (_request, response) =>
      response.end('safe'),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const trusted = await openFront(httpRoute(url, { upstream: { tls: { ca } } }));
      const client = await dial(trusted.port);
      client.write('GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n');
      expect(await trusted.outcome()).toEqual({ status: 200, bytes: 4 });
      const untrusted = await openFront(httpRoute(url));
      expect((await fetch(untrusted.url)).status).toBe(502);
      expect(await untrusted.outcome()).toMatchObject({ code: 'UPSTREAM_REFUSED' });
      const misnamed = await openFront(
        httpRoute(url, { upstream: { tls: { ca, servername: 'other.example' } } }),
      );
      expect((await fetch(misnamed.url)).status).toBe(502);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    }
  });
});

describe('guard: request smuggling', () => {
  const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

  test.each(['DELETE', 'OPTIONS', 'GET', 'HEAD', 'POST'])(
    'the chunked body of a %s stays its body',
    async (method) => {
      const { url, seen } = await recorder(undefined, /\r\n0\r\n\r\n|^GET \/smuggled/);
      const front = await openFront(httpRoute(url));
      const client = await dial(front.port);
      const chunk = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`;
      client.write(`${method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`);
      expect(await front.outcome()).toEqual({ status: 204, bytes: 0 });
      const [head, ...body] = seen.text.split('\r\n\r\n');
      expect(head).toMatch(/transfer-encoding: chunked/i);
      expect(head).not.toMatch(/content-length/i);
      expect(body.join('\r\n\r\n')).toBe(chunk);
    },
  );

  test.each(['DELETE', 'OPTIONS', 'GET'])(
    'a %s with a body has a connection of its own, so that an upstream that skips the body reads nothing into it',
    async (method) => {
      const { url, seen } = await recorder();
      const front = await openFront(httpRoute(url));
      for (let round = 0; round < 2; round += 1) {
        const client = await dial(front.port);
        client.write(`${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`);
        await front.outcome();
      }
      expect(seen.connections).toBe(2);
      expect(seen.text).toMatch(/connection: close/i);
      await expect.poll(() => seen.closed).toBe(2);
    },
  );

  test('a transfer coding that Node leaves on is refused', async () => {
    const { url, seen } = await recorder();
    const front = await openFront(httpRoute(url));
    const client = await dial(front.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n');
    expect(await front.outcome()).toMatchObject({ code: 'BAD_REQUEST' });
    expect(seen.connections).toBe(0);
  });

  test.each([
    ['GET', /^(?![\s\S]*(content-length|transfer-encoding))/i],
    ['POST', /content-length: 0\r\n/i],
    ['PROPFIND', /content-length: 0\r\n/i],
  ])('a %s without a body says so', async (method, expected) => {
    const { url, seen } = await recorder();
    const front = await openFront(httpRoute(url));
    const client = await dial(front.port);
    client.write(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    await front.outcome();
    expect(seen.text).toMatch(expected);
  });
});

describe('guard: headers', () => {
  test('hop-by-hop fields and those Connection nominates end here; what the gateway says of the client is its own', async () => {
    const front = await openFront(httpRoute(await mirror()));
    const client = await dial(front.port);
    client.write(
      [
        'GET / HTTP/1.1',
        'Host: app.example.com',
        'Connection: keep-alive, X-Nominated, X-Forwarded-For',
        'Connection: x_second',
        'X-Second: 1',
        'Keep-Alive: timeout=5',
        'TE: gzip, trailers;q=1',
        'Proxy-Authorization: Basic eDp5',
        'X-Nominated: 1',
        'X-Forwarded-For: 6.6.6.6',
        'X-Forwarded-Host: evil',
        'Forwarded: for=6.6.6.6',
        'X-Kept: one',
        'X-Kept: two',
        '\r\n',
      ].join('\r\n'),
    );
    await expect.poll(() => client.text).toMatch(/\}$|\}\r\n0\r\n\r\n$/);
    const { headers } = JSON.parse(client.text.replace(/^[^{]*/, '').replace(/[^}]*$/, ''));
    expect(headers).toMatchObject({
      host: 'app.example.com',
      'x-kept': 'one, two',
      'x-forwarded-for': '127.0.0.1',
    });
    expect(headers).toMatchObject({ 'x-forwarded-host': 'app.example.com', 'x-request-id': 'r-1' });
    for (const name of ['proxy-authorization', 'x-nominated', 'x-second', 'keep-alive'])
      expect(headers).not.toHaveProperty(name);
    expect(JSON.stringify(headers)).not.toMatch(/6\.6\.6\.6|evil/);
  });

  test('the token goes no further: not in the query, not in the header', async () => {
    const auth = { issuer: 'main', token: ['query:access_token', 'header'] };
    const credential = { from: 'query', name: 'access_token' } as const;
    const front = await openFront(httpRoute(await mirror(), { auth }), { credential });
    const seen = (await (await fetch(`${front.url}/x?a=1&access_token=hidden&b=2`)).json()) as {
      url: string;
    };
    expect(seen.url).toBe('/x?a=1&b=2');
    const byHeader = await openFront(httpRoute(await mirror(), { auth }), {
      credential: { from: 'header', name: 'authorization' },
    });
    const response = await fetch(byHeader.url, { headers: { authorization: 'Bearer hidden' } });
    expect(await response.text()).not.toContain('hidden');
  });

  test('hop-by-hop fields of the answer end here', async () => {
    const { url } = await recorder(
      [
        'HTTP/1.1 200 OK',
        'Connection: X-Nominated, keep-alive, X-Second',
        'Connection: X_Third',
        'X-Nominated: 1',
        'X-Second: 2',
        'X-Third: 3',
        'Keep-Alive: timeout=77',
        'Proxy-Authenticate: Basic',
        'Trailer: X-T',
        'X-Kept: yes',
        'Transfer-Encoding: chunked',
        '',
        '2\r\nok\r\n0\r\n\r\n',
      ].join('\r\n'),
    );
    const front = await openFront(httpRoute(url));
    const client = await dial(front.port);
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await once(client, 'close');
    expect(client.text).toMatch(
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*x-kept: yes\r\n[\s\S]*\r\n\r\n2\r\nok\r\n0\r\n\r\n$/i,
    );
    expect(client.text).toMatch(/connection: close\r\n/i);
    expect(client.text).not.toMatch(/x-nominated|x-second|x.third|timeout=77|proxy-authenticate|trailer/i);
  });
});

describe('guard: clients that leave', () => {
  test.each(['end', 'resetAndDestroy'] as const)(
    'ends the upstream request when a waiting client does %s',
    async (leave) => {
      const events = new EventEmitter();
      const upstream = await httpUpstream((_request, response) => {
        response.on('close', () => events.emit('gone'));
        events.emit('asked');
      });
      const front = await openFront(httpRoute(upstream));
      const [asked, gone] = [once(events, 'asked'), once(events, 'gone')];
      const client = await dial(front.port);
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await asked;
      client[leave]();
      await gone;
      expect(await front.outcome()).toMatchObject({ code: 'CLIENT_LOST' });
    },
  );

  test.each(['end', 'resetAndDestroy'] as const)(
    'ends the upstream request when a client does %s amid its body',
    async (leave) => {
      const events = new EventEmitter();
      const upstream = await httpUpstream((request) => {
        request.on('error', () => events.emit('gone')).once('data', () => events.emit('asked'));
      });
      const front = await openFront(httpRoute(upstream));
      const [asked, gone] = [once(events, 'asked'), once(events, 'gone')];
      const client = await dial(front.port);
      client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n12345');
      await asked;
      client[leave]();
      await gone;
      expect(await front.outcome()).toMatchObject({ code: 'CLIENT_LOST' });
    },
  );

  test('ends the upstream request when the client resets amid the answer', async () => {
    const events = new EventEmitter();
    const upstream = await httpUpstream((_request, response) => {
      response.on('close', () => events.emit('gone')).write('part');
    });
    const front = await openFront(httpRoute(upstream));
    const gone = once(events, 'gone');
    const client = await dial(front.port);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(client, 'data');
    client.resetAndDestroy();
    await gone;
    expect(await front.outcome()).toMatchObject({ code: 'CLIENT_LOST' });
  });

  test('asks the upstream nothing for a client that has left already', async () => {
    const { url, seen } = await recorder();
    const passthrough = createPassthrough(httpRoute(url));
    const served = new EventEmitter();
    const front = await httpUpstream((message: IncomingMessage, response: ServerResponse) => {
      response.on('close', () => {
        const outcome = passthrough.serve(gatewayRequest(), { claims: {}, releases: [] }, message, response);
        outcome.catch((error) => served.emit('failed', error));
      });
      message.socket.destroy();
    });
    const failed = once(served, 'failed');
    await fetch(front).catch(() => {});
    expect((await failed)[0]).toMatchObject({ code: 'CLIENT_LOST' });
    passthrough.close();
    expect(seen.connections).toBe(0);
  });
});

describe('guard: upstreams that fail', () => {
  test('refused: 502', async () => {
    const front = await openFront(httpRoute('http://127.0.0.1:1'));
    expect((await fetch(front.url)).status).toBe(502);
    expect(await front.outcome()).toMatchObject({
      code: 'UPSTREAM_REFUSED',
      cause: { code: 'ECONNREFUSED' },
    });
  });

  test.each([
    ['not HTTP', 'SSH-2.0-OpenSSH\r\n\r\n', 'UPSTREAM_INVALID'],
    ['a head beyond 16 KiB', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 'UPSTREAM_INVALID'],
    ['a status that is none', 'HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n', 'UPSTREAM_INVALID'],
    [
      'two framings',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'UPSTREAM_INVALID',
    ],
    [
      'an upgrade nobody asked for',
      'HTTP/1.1 101 Sw\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
      'UPSTREAM_INVALID',
    ],
  ])('%s: 502', async (_name, answer, code) => {
    const { url } = await recorder(answer);
    const front = await openFront(httpRoute(url));
    expect((await fetch(front.url)).status).toBe(502);
    expect(await front.outcome()).toMatchObject({ code });
  });

  test.each(['end', 'resetAndDestroy'] as const)('%s before the head: 502', async (leave) => {
    const url = await tcpUpstream((socket) => socket.once('data', () => socket[leave]()));
    const front = await openFront(httpRoute(url));
    expect((await fetch(front.url)).status).toBe(502);
    expect(await front.outcome()).toMatchObject({ code: 'UPSTREAM_LOST' });
  });

  test.each([
    ['end', 'Content-Length: 10'],
    ['resetAndDestroy', 'Content-Length: 10'],
    ['end', 'Transfer-Encoding: chunked'],
    ['resetAndDestroy', 'X-Delimited-By: close'],
  ] as const)('%s amid a body with %s: the client sees the answer cut, not ended', async (leave, framing) => {
    const events = new EventEmitter();
    const url = await tcpUpstream((socket) => {
      socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n3\r\nabc\r\n`));
      events.once('leave', () => socket[leave]());
    });
    const front = await openFront(httpRoute(url));
    const response = await fetch(front.url);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    events.emit('leave');
    await expect(reader.read()).rejects.toThrow();
    expect(await front.outcome()).toMatchObject({ code: 'UPSTREAM_LOST' });
  });

  test('no answer in time: 504, and the connection to it is ended', async () => {
    const { url, seen } = await recorder('');
    const front = await openFront(httpRoute(url, SHORT));
    expect((await fetch(front.url)).status).toBe(504);
    expect(await front.outcome()).toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
    await expect.poll(() => seen.closed).toBe(1);
  });

  test('an upstream that stops reading the body: 504', async () => {
    const url = await tcpUpstream((socket) => socket.pause());
    const front = await openFront(httpRoute(url, { timeouts: { stall: '200ms' } }));
    const client = await dial(front.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
    client.write(Buffer.alloc(30_000_000));
    expect(await front.outcome()).toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
  });

  test('a client that stops sending its body: 408', async () => {
    const { url } = await recorder('');
    const front = await openFront(httpRoute(url, SHORT));
    const client = await dial(front.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n12345');
    expect(await front.outcome()).toMatchObject({ code: 'REQUEST_TIMEOUT' });
    await expect.poll(() => client.text).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('silence in an answer ends it after `idle`, and only then', async () => {
    const url = await tcpUpstream((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')),
    );
    const front = await openFront(httpRoute(url, { timeouts: { response: '100ms', idle: '300ms' } }));
    const response = await fetch(front.url);
    await expect(response.text()).rejects.toThrow();
    expect(await front.outcome()).toMatchObject({ code: 'IDLE' });
  });

  test.each([
    ['a 101 that names no protocol', '101 Switching Protocols\r\n\r\n'],
    ['a transfer coding that Node leaves on', '200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc'],
    ['one beside chunked', '200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ])('%s is an invalid answer: 502', async (_name, rest) => {
    const { url } = await recorder(`HTTP/1.1 ${rest}`);
    const front = await openFront(httpRoute(url));
    expect((await fetch(front.url)).status).toBe(502);
    expect(await front.outcome()).toMatchObject({ code: 'UPSTREAM_INVALID' });
  });

  test('a broken chunk amid the answer cuts it', async () => {
    const { url } = await recorder('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n');
    const front = await openFront(httpRoute(url));
    await expect(fetch(front.url).then((response) => response.text())).rejects.toThrow();
    expect(await front.outcome()).toMatchObject({ code: 'UPSTREAM_LOST' });
  });

  test('an upstream that answers and then stops reading the body is cut off after `stall`', async () => {
    const url = await tcpUpstream((socket) =>
      socket.once('data', () => socket.pause().write('HTTP/1.1 200 OK\r\n\r\nabc')),
    );
    const front = await openFront(httpRoute(url, { timeouts: { stall: '200ms' } }));
    const client = await dial(front.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
    client.write(Buffer.alloc(30_000_000));
    expect(await front.outcome()).toMatchObject({ code: 'PEER_STALLED' });
  });

  test('neither `idle` nor `stall` ends an answer that keeps coming', async () => {
    const upstream = await httpUpstream((_request, response) => {
      let left = 20;
      const timer = setInterval(function onTick() {
        response.write(Buffer.alloc(1_000_000));
        left -= 1;
        if (left > 0) return;
        clearInterval(timer);
        response.end();
      }, 50);
    });
    const front = await openFront(httpRoute(upstream, { timeouts: { idle: '500ms', stall: '500ms' } }));
    await (await fetch(front.url)).arrayBuffer();
    expect(await front.outcome()).toEqual({ status: 200, bytes: 20_000_000 });
  });

  test('a body that takes longer than every deadline is fine while it keeps coming', async () => {
    const front = await openFront(
      httpRoute(await mirror(), {
        timeouts: { response: '600ms', idle: '600ms', stall: '600ms' },
        limits: { uploads: { min: '1B', per: '600ms' } },
      }),
    );
    const client = await dial(front.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n');
    let left = 20;
    const timer = setInterval(function onTick() {
      client.write('x');
      left -= 1;
      if (left === 0) clearInterval(timer);
    }, 50);
    expect(await front.outcome()).toMatchObject({ status: 200 });
  });

  test.each([
    ['slower than `uploads` asks for', { min: '1KiB', per: '200ms' }, 'REQUEST_TIMEOUT'],
    ['as slowly as it likes with `uploads: off`', 'off', { status: 200 }],
  ])('a body that comes %s', async (_how, uploads, outcome) => {
    const taker = await httpUpstream((request, response) => request.resume().on('end', () => response.end()));
    const front = await openFront(httpRoute(taker, { limits: { uploads } }));
    const client = await dial(front.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n');
    let left = 12;
    const timer = setInterval(function onTick() {
      client.write('x');
      left -= 1;
      if (left === 0) clearInterval(timer);
    }, 50);
    const expected = typeof outcome === 'string' ? { code: outcome } : outcome;
    expect(await front.outcome()).toMatchObject(expected);
    clearInterval(timer);
  });

  test('an answer may begin as late as `response` after a long upload', async () => {
    const upstream = await httpUpstream((request, response) => {
      request.resume().on('end', () => setTimeout(() => response.end('late'), 700));
    });
    const times = { response: '5s', idle: '500ms', stall: '500ms' };
    const front = await openFront(httpRoute(upstream, { timeouts: times }));
    const answer = await fetch(front.url, { method: 'POST', body: 'x'.repeat(100_000) });
    expect(await answer.text()).toBe('late');
  });

  test('a failed request leaves the client connection usable for refusals and the gateway alive', async () => {
    const front = await openFront(httpRoute('http://127.0.0.1:1'));
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => (await fetch(front.url)).status),
    );
    expect(new Set(statuses)).toEqual(new Set([502]));
  });
});

describe('guard: a kept connection the upstream closes as it is used', () => {
  /** Answers one request on each connection, and resets when the second comes. */
  async function grudging() {
    const seen = { connections: 0 };
    const url = await tcpUpstream((socket: Socket) => {
      seen.connections += 1;
      socket.once('data', () => {
        socket.write('HTTP/1.1 204 No Content\r\n\r\n');
        socket.once('data', () => socket.resetAndDestroy());
      });
    });
    return { url, seen };
  }

  test('a safe request is sent again on a fresh one', async () => {
    const { url, seen } = await grudging();
    const front = await openFront(httpRoute(url));
    for (let round = 0; round < 3; round += 1) expect((await fetch(front.url)).status).toBe(204);
    expect(seen.connections).toBe(3);
  });

  test('any other request is not sent twice', async () => {
    const { url, seen } = await grudging();
    const front = await openFront(httpRoute(url));
    await fetch(front.url);
    expect((await fetch(front.url, { method: 'POST' })).status).toBe(502);
    expect(seen.connections).toBe(1);
  });
});

test.each([
  ['served', () => mirror(), '200'],
  ['failed', async () => 'http://127.0.0.1:1', 'UPSTREAM_REFUSED'],
])(
  'a request that is %s prints nothing, no deprecation either, and leaves no timer',
  async (_name, upstream, outcome) => {
    const file = fileURLToPath(new URL('../support/passthrough-child.ts', import.meta.url));
    const child = spawn(process.execPath, [file, await upstream()]);
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(err).toBe('');
    expect(JSON.parse(out)).toEqual({ outcomes: [outcome], timers: 0 });
  },
);
