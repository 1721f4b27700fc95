import { describe, expect, test } from 'vitest';
import { startUpstream } from '../support/faulty.ts';
import { startGateway } from '../support/gateway.ts';
import { handshake, say, switching } from '../support/raw.ts';

/** Which header fields reach the service and the client, byte for byte, on plain requests, refusals and 101s. */

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';

interface Talk {
  /** Keys of the upstream beside its target, and of the file beside its route. */
  readonly upstream?: string;
  readonly top?: string;
  readonly kind?: 'http' | 'websocket';
  readonly path?: string;
  /** The route's own path. */
  readonly match?: string;
  readonly request: string;
  /** What the service answers; made of the request's head. */
  readonly answer?: (head: string, port: number) => string;
}

/** What the service has read and what the client has, both in Latin-1; `port` is the service's, `id` is the log's. */
async function talk({
  upstream = '',
  top = '',
  kind = 'http',
  path = '',
  match = '/*',
  request,
  answer = () => ANSWER,
}: Talk) {
  await using service = await startUpstream(async function onWire(wire) {
    await wire.until(() => wire.head !== undefined || wire.end !== undefined, 'a request');
    wire.write(Buffer.from(answer(wire.head ?? '', service.port), 'latin1'));
  });
  const scheme = kind === 'http' ? 'http' : 'ws';
  await using gateway = await startGateway(`${top}
routes:
  - name: r
    match: { path: ${match} }
    auth: none
    timeouts: { close: 100ms }
    upstream: { ${kind}: "${scheme}://127.0.0.1:${service.port}${path}"${upstream} }`);
  using client = await say(gateway.port, Buffer.from(request, 'latin1'));
  const { status } = await client.answer();
  client.socket.end();
  const line = await gateway.logged(({ id }) => id !== undefined);
  return {
    seen: service.wires[0]?.head ?? '',
    got: client.head ?? '',
    status,
    id: line.id,
    port: service.port,
  };
}

function get(...fields: readonly string[]): string {
  return ['GET /x HTTP/1.1', 'Host: site.localhost', ...fields, '\r\n'].join('\r\n');
}

/** An answer of the service with these fields. */
function ok(...fields: readonly string[]): () => string {
  return () => ANSWER.replace('\r\n\r\n', `\r\n${fields.join('\r\n')}\r\n\r\n`);
}

const BYTES = Array.from({ length: 128 }, (_, index) => String.fromCharCode(0x80 + index)).join('');
const TRUSTED = 'trustedProxies: [127.0.0.0/8]';

describe('every byte of a value passes', () => {
  const field = `X-Bytes: \t${BYTES}"'`;
  const disposition = `CONTENT-Disposition: attachment; filename="\xe4\xf6\xfc.txt"`;
  const spelled = [field.replace('\t', ''), disposition];

  test('on a plain request and its answer', async () => {
    const { seen, got } = await talk({ request: get(field, disposition), answer: ok(field, disposition) });
    for (const line of spelled) {
      expect(seen).toContain(`\r\n${line}\r\n`);
      expect(got).toContain(`\r\n${line}\r\n`);
    }
  });

  test('on a request whose body comes later, and on an answer whose body does', async () => {
    const request = `POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n${disposition}\r\n\r\nhi`;
    const answer = () => `HTTP/1.1 200 OK\r\nConnection: close\r\n${field}\r\n\r\nok`;
    const { seen, got } = await talk({ request, answer });
    expect(seen).toContain(`\r\n${disposition}\r\n`);
    expect(got).toContain(`\r\n${spelled[0]}\r\n`);
  });

  test('on a handshake and its 101', async () => {
    const { seen, got, status } = await talk({
      kind: 'websocket',
      request: handshake('/x', { 'X-Bytes': `${BYTES}"'` }),
      answer: (head) => switching(head, `${spelled[0]}\r\n`),
    });
    expect(status).toBe(101);
    expect(seen).toContain(`\r\n${spelled[0]}\r\n`);
    expect(got).toContain(`\r\n${spelled[0]}\r\n`);
  });

  test('on a refused handshake', async () => {
    const answer = () => ok(field, disposition)().replace('200 OK', '403 No');
    const { got, status } = await talk({ kind: 'websocket', request: handshake('/x'), answer });
    expect(status).toBe(403);
    expect(got).toContain(`${BYTES}"'`);
    expect(got).toContain('filename="\xe4\xf6\xfc.txt"');
  });
});

describe('a 101', () => {
  test('passes but for what is said of the connection, of the handshake and of a body', async () => {
    const { got } = await talk({
      request: handshake('/x', { 'Sec-WebSocket-Protocol': 'a, b' }),
      answer: (head) =>
        switching(
          head,
          [
            'SERVER: s',
            'date: d',
            'X-Two: 1',
            'x-two: 2',
            'Set-Cookie: a=1',
            'Keep-Alive: timeout=7',
            'Proxy-Authenticate: Basic',
            'Content-Length: 0',
            'X-Dropped: 1',
            'Sec-WebSocket-Protocol: b',
            'Sec-WebSocket-Version: 13',
            '',
          ].join('\r\n'),
        ).replace('Connection: Upgrade', 'Connection: Upgrade, X_Dropped'),
    });
    const lines = got.split('\r\n');
    expect(lines.slice(lines.indexOf('SERVER: s')).filter((line) => line !== '')).toEqual([
      'SERVER: s',
      'date: d',
      'X-Two: 1',
      'x-two: 2',
      'Set-Cookie: a=1',
    ]);
    expect(got.match(/^sec-websocket-protocol: b/gim)).toHaveLength(1);
    expect(got).not.toMatch(/keep-alive|proxy|content-length|dropped|sec-websocket-version/i);
  });
});

describe('field names', () => {
  test('keep their case both ways', async () => {
    const { seen, got } = await talk({
      request: get('x-LOWER: 1', 'X-Upper: 2', 'X-UPPER: 3', 'Cookie: a=1'),
      answer: ok('eTaG: "x"'),
    });
    expect(seen).toMatch(/\r\nx-LOWER: 1\r\nX-Upper: 2\r\nX-Upper: 3\r\nCookie: a=1\r\n/);
    expect(got).toContain('\r\neTaG: "x"\r\n');
  });
});

describe('who the client is', () => {
  const lies = [
    'X-Real-IP: 6.6.6.6',
    'True-Client-IP: 6.6.6.6',
    'CF-Connecting-IP: 6.6.6.6',
    'x_client_ip: 6.6.6.6',
    'X-Original-URL: /6.6.6.6',
    'X-Rewrite-URL: /6.6.6.6',
    'X-Forwarded-Host: 6.6.6.6',
    'X-Forwarded-Port: 6666',
    'X-Forwarded-Prefix: /6.6.6.6',
    'X-Request-Id: 6.6.6.6',
    'Forwarded: for=6.6.6.6',
  ];

  test.each(['http', 'websocket'] as const)('is not told a %s service by strangers', async (kind) => {
    const upgrade = handshake('/x').replace('\r\n\r\n', `\r\n${lies.join('\r\n')}\r\n\r\n`);
    const request = kind === 'http' ? get(...lies, 'X-HTTP-Method-Override: PUT') : upgrade;
    const { seen, id } = await talk({
      kind,
      request,
      answer: kind === 'http' ? ok() : (head) => switching(head),
    });
    expect(seen).not.toMatch(/6\.6\.6\.6|6666/);
    expect(seen).toContain(`\r\nx-request-id: ${id}\r\n`);
    if (kind === 'http') expect(seen).toContain('\r\nX-HTTP-Method-Override: PUT\r\n');
  });

  test('is told by a trusted proxy, whose name for the request is the log’s, too', async () => {
    const { seen, id } = await talk({
      top: TRUSTED,
      request: get(
        'X-Forwarded-For: 192.0.2.7',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: public.test',
        'X-Forwarded-Port: 8443',
        'X-Forwarded-Prefix: /front',
        'X-Request-Id: theirs-1',
        'True-Client-IP: 192.0.2.7',
      ),
    });
    expect(id).toBe('theirs-1');
    expect(seen).toMatch(/^Host: site\.localhost\r$/m);
    for (const line of [
      'X-Forwarded-Port: 8443',
      'True-Client-IP: 192.0.2.7',
      'x-forwarded-for: 192.0.2.7, 127.0.0.1',
      'x-forwarded-proto: https',
      'x-forwarded-host: public.test',
      'x-forwarded-prefix: /front',
      'forwarded: for=192.0.2.7;host=public.test;proto=https, for=127.0.0.1',
      'x-request-id: theirs-1',
    ])
      expect(seen).toContain(`\r\n${line}\r\n`);
  });

  test('and an upgrade or a request, refused or not, goes by that name', async () => {
    const request = handshake('/x', { 'X-Request-Id': 'theirs-2' });
    const opened = await talk({ top: TRUSTED, request, answer: (head) => switching(head) });
    const refused = await talk({ top: TRUSTED, request, answer: () => ANSWER.replace('200', '403') });
    const unserved = await talk({ top: TRUSTED, kind: 'websocket', request: get('X-Request-Id: theirs-2') });
    expect([opened.id, refused.id, unserved.id]).toEqual(['theirs-2', 'theirs-2', 'theirs-2']);
  });
});

describe('the Host a service is asked for', () => {
  test.each(['http', 'websocket'] as const)(
    'of kind %s is what the client sent, its own, or a name',
    async (kind) => {
      const request = kind === 'http' ? get() : handshake('/x', { Host: 'site.localhost' });
      const answer = kind === 'http' ? ok() : (head: string) => switching(head);
      const hostIn = async (upstream: string) => {
        const { seen, port } = await talk({ kind, upstream, request, answer });
        expect(seen).toContain('\r\nx-forwarded-host: site.localhost\r\n');
        return /^Host: (.*)\r$/im.exec(seen)?.[1]?.replace(String(port), 'PORT');
      };
      expect(await hostIn('')).toBe('site.localhost');
      expect(await hostIn(', host: client')).toBe('site.localhost');
      expect(await hostIn(', host: upstream')).toBe('127.0.0.1:PORT');
      expect(await hostIn(', host: App.internal:81')).toBe('app.internal:81');
    },
  );
});

describe('a service behind polls', () => {
  async function opened(upstream: string, fields: Record<string, string> = {}) {
    await using service = await startUpstream(async function onWire(wire) {
      await wire.until(() => wire.head !== undefined || wire.end !== undefined, 'a request');
      wire.write(ANSWER.replace('200', '403'));
    });
    await using gateway = await startGateway(`${TRUSTED}
routes:
  - name: r
    match: { path: /x }
    auth: none
    upstream:
      poll: { target: "http://127.0.0.1:${service.port}", open: { method: GET, path: /open }, poll: { path: /news } }
      ${upstream}`);
    using client = await say(gateway.port, handshake('/x', { Host: 'site.localhost', ...fields }));
    await client.answer();
    return (service.wires[0]?.head ?? '').replace(String(service.port), 'PORT');
  }

  test('is asked by its own name unless the route says another', async () => {
    expect(await opened('')).toMatch(/^host: 127\.0\.0\.1:PORT\r$/im);
    expect(await opened('host: upstream')).toMatch(/^host: 127\.0\.0\.1:PORT\r$/im);
    expect(await opened('host: client')).toMatch(/^host: site\.localhost\r$/im);
    expect(await opened('host: app.internal')).toMatch(/^host: app\.internal\r$/im);
  });

  test('gets what the route sets, and not what it removes', async () => {
    const seen = await opened('headers: { set: { X-Env: prod }, remove: [User-Agent, Forwarded] }', {
      'User-Agent': 'test',
    });
    expect(seen).toMatch(/^x-env: prod\r$/im);
    expect(seen).not.toMatch(/^(user-agent|forwarded):/im);
  });

  test('knows its session by a name that nobody else gives', async () => {
    const seen = await opened('', { 'X-Request-Id': 'theirs' });
    expect(seen).toMatch(/^x-request-id: theirs\r$/im);
    expect(seen).toMatch(/^x-connection-id: [0-9a-f-]{36}\r$/im);
  });
});

describe('the places a service names', () => {
  /** Location and cookies of an answer to a client, by what the service says of itself. */
  async function placesOf(
    upstream: string,
    path: string,
    answer: NonNullable<Talk['answer']>,
    request = get(),
  ) {
    const { got } = await talk({ upstream, path, request, answer });
    return got.split('\r\n').filter((line) => /^(location|set-cookie)/i.test(line));
  }
  const redirect = (to: (port: number) => string) => (_head: string, port: number) =>
    ok(`Location: ${to(port)}`, 'Set-Cookie: a=1; Path=/base; HttpOnly')().replace('200 OK', '302 Found');
  const own = redirect((port) => `http://127.0.0.1:${port}/base/x`);

  test('are the client’s: by the name it asked for', async () => {
    const cookie = 'Set-Cookie: a=1; Path=/base; HttpOnly';
    expect(await placesOf(', host: upstream', '', own)).toEqual([
      'Location: http://site.localhost/base/x',
      cookie,
    ]);
  });

  test('are the client’s: without the target’s path', async () => {
    const rest = 'Set-Cookie: a=1; Path=/; HttpOnly';
    expect(
      await placesOf(
        '',
        '/base',
        redirect(() => '/base/x'),
      ),
    ).toEqual(['Location: /x', rest]);
    expect(await placesOf(', host: upstream', '/base', own)).toEqual([
      'Location: http://site.localhost/x',
      rest,
    ]);
  });

  test('are the client’s where a handshake is refused', async () => {
    const request = handshake('/x', { Host: 'site.localhost' });
    expect(await placesOf(', host: upstream', '/base', own, request)).toEqual([
      'Location: http://site.localhost/x',
      'Set-Cookie: a=1; Path=/; HttpOnly',
    ]);
  });

  test('are the client’s on a 101', async () => {
    const answer: Talk['answer'] = (head) => switching(head, 'Set-Cookie: lb=1; Path=/base\r\n');
    expect(await placesOf('', '/base', answer, handshake('/x'))).toEqual(['Set-Cookie: lb=1; Path=/']);
  });

  test('are the operator’s where a prefix is left out, which the service hears of', async () => {
    const upstream = ', stripPrefix: /app';
    const request = get().replace('/x', '/app/x');
    const answer = ok('Location: /y', 'Set-Cookie: a=1; Path=/');
    const { seen, got } = await talk({ match: '/app/*', upstream, request, answer });
    expect(seen).toMatch(/^GET \/x /);
    expect(seen).toContain('\r\nx-forwarded-prefix: /app\r\n');
    expect(got).toContain('\r\nLocation: /app/y\r\nSet-Cookie: a=1; Path=/app\r\n');
  });
});

describe('what the operator changes', () => {
  const upstream =
    ', headers: { set: { X-Env: prod, Authorization: Basic eDp5 }, remove: [X-Drop, Forwarded] }' +
    ', answerHeaders: { set: { X-Frame-Options: DENY }, remove: [Server] }';
  const fields = ['X-ENV: dev', 'x_env: dev', 'X_Drop: 1', 'Authorization: Bearer x'];

  function expectChanged(seen: string, got: string): void {
    expect(seen).toMatch(/\r\nx-env: prod\r\n/);
    expect(seen).toMatch(/\r\nauthorization: Basic eDp5\r\n/);
    expect(seen).not.toMatch(/dev|drop|^forwarded|Bearer/im);
    expect(got).toMatch(/\r\nx-frame-options: DENY\r\n/);
    expect(got).not.toMatch(/^server|SAMEORIGIN/im);
  }

  test('is changed on a plain request and its answer', async () => {
    const answer = ok('Server: s', 'X-Frame-Options: SAMEORIGIN');
    const { seen, got } = await talk({ upstream, request: get(...fields), answer });
    expectChanged(seen, got);
  });

  test('is changed on a handshake, on its 101 and on its refusal', async () => {
    const request = handshake('/x').replace('\r\n\r\n', `\r\n${fields.join('\r\n')}\r\n\r\n`);
    const said = ['Server: s', 'X-Frame-Options: SAMEORIGIN'];
    const opened = await talk({
      kind: 'websocket',
      upstream,
      request,
      answer: (head) => switching(head, `${said.join('\r\n')}\r\n`),
    });
    expect(opened.status).toBe(101);
    expectChanged(opened.seen, opened.got);
    const answer = () => ok(...said)().replace('200 OK', '401 No');
    const refused = await talk({ kind: 'websocket', upstream, request, answer });
    expect(refused.status).toBe(401);
    expectChanged(refused.seen, refused.got);
  });
});

describe('a 426 of the service passes with its Upgrade, which Connection names', () => {
  const answer = () => ok('Upgrade: HTTP/3.0')().replace('200 OK', '426 No').replace('close', 'Upgrade');

  test.each([
    ['a request', 'http', get(), 'keep-alive, Upgrade'],
    ['a request that is the last', 'http', get('Connection: close'), 'close, Upgrade'],
    ['a handshake', 'websocket', handshake('/x'), 'close, upgrade'],
  ] as const)('%s', async (_name, kind, request, connection) => {
    const { got, status } = await talk({ kind, request, answer });
    expect(status).toBe(426);
    expect(got).toMatch(/^upgrade: HTTP\/3\.0\r$/im);
    expect(got.match(/^connection: .*(?=\r$)/gim)?.map((line) => line.slice(12))).toEqual([connection]);
  });
});

describe('trailers', () => {
  const chunked = (...fields: string[]) =>
    ['HTTP/1.1 200 OK', 'Connection: close', 'Transfer-Encoding: chunked', ...fields, '', '0\r\n\r\n'].join(
      '\r\n',
    );

  test('are asked for and announced where the client takes them', async () => {
    const answer = () => chunked('Trailer: X-Sum');
    const asked = await talk({ request: get('TE: trailers, gzip', 'Connection: TE'), answer });
    expect(asked.seen).toMatch(/^te: trailers\r$/im);
    expect(asked.got).toMatch(/^Trailer: X-Sum\r$/m);
    const unasked = await talk({ request: get('TE: gzip'), answer });
    expect(unasked.seen).not.toMatch(/^te:/im);
    expect(unasked.got).not.toMatch(/^trailer/im);
  });

  test('of a request are announced', async () => {
    const body = '2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n';
    const request = `POST /x HTTP/1.1\r\nHost: localhost\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
    expect((await talk({ request })).seen).toMatch(/^trailer: X-Sum\r$/im);
  });
});
