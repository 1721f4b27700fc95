import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startGateway } from '../support/gateway.ts';
import { curl } from '../support/programs.ts';
import { portOf } from '../support/servers.ts';
import { type Heard, type Reply, startVerbatim } from '../support/verbatim.ts';

/** Debian's curl through the gateway to a service whose every octet is in the test's hands. */

const FINE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';

/** Of a fixed length of any size: with it, -i shows heads as they came and then the body. */
const SHOW_ALL = ['--include'];

async function startFront(port: number): Promise<string> {
  const gateway = await startGateway(`
routes:
  - { name: all, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:${port}" } }`);
  onTestFinished(() => gateway.close());
  return `http://127.0.0.1:${gateway.port}`;
}

/** One request of curl's, and what the service heard of it. `{}` in the arguments is the gateway. */
async function ask(reply: Reply, args: readonly string[], input: string | Buffer = '') {
  const { port, requests } = await startVerbatim(reply);
  const url = await startFront(port);
  const given = args.map((arg) => arg.replace('{}', url));
  const ran = await curl([...SHOW_ALL, ...given], input);
  expect(ran).toMatchObject({ code: 0, errors: '' });
  return { output: ran.output, requests, heard: requests[0] as Heard, url };
}

test('an offer of HTTP/2 in plain text is not taken, and the request is served', async () => {
  const { output, heard } = await ask(FINE, ['--http2', '{}/page']);
  expect(output).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nok$/s);
  expect(heard.head).toMatch(/^GET \/page HTTP\/1\.1\r\n/);
  expect(heard.head).not.toMatch(/^(upgrade|http2-settings):/im);
});

test('a client of HTTP/1.0 gets a body without chunks, up to the end of the connection', async () => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nay!\r\n0\r\n\r\n';
  const { output, heard } = await ask(chunked, ['--http1.0', '{}/page']);
  expect(output).toMatch(/^HTTP\/1\.[01] 200 OK\r\n/);
  expect(output).not.toMatch(/^transfer-encoding:/im);
  expect(output).toMatch(/\r\n\r\nokay!$/);
  expect(heard.head).toMatch(/^GET \/page HTTP\/1\.1\r\n/);
});

test('a client of HTTP/1.0 that names no host is served under the address it came to', async () => {
  const { output, heard, url } = await ask(FINE, ['--http1.0', '--header', 'Host:', '{}/page']);
  expect(output).toMatch(/^HTTP\/1\.[01] 200 OK\r\n/);
  expect(heard.head.toLowerCase()).toContain(`\r\nhost: ${new URL(url).host}\r\n`);
});

test.each([
  { form: '--request-target', args: ['--request-target', 'http://app.localhost/a/page?x=1', '{}/'] },
  { form: '--proxy', args: ['--proxy', '{}', 'http://app.localhost/a/page?x=1'] },
])('a target in absolute form, by $form, is taken as path and host', async ({ args }) => {
  const { output, heard } = await ask(FINE, args);
  expect(output).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(heard.head).toMatch(/^GET \/a\/page\?x=1 HTTP\/1\.1\r\n/);
  expect(heard.head).toMatch(/^host: app\.localhost\r\n/im);
});

test('early hints come before the answer', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n';
  const { output } = await ask(`${hints}${FINE}`, ['{}/page']);
  expect(output).toMatch(
    /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style\.css>; rel=preload; as=style\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
  );
});

test('trailers come behind the body for who takes them', async () => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n';
  const { output, heard } = await ask(`${head}2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n`, [
    '--header',
    'TE: trailers',
    '{}/page',
  ]);
  expect(heard.head).toMatch(/^te: trailers\r\n/im);
  expect(heard.head).toMatch(/^connection: keep-alive, te\r\n/im);
  expect(output).toMatch(/^Trailer: X-Sum\r\n/m);
  // curl shows them like a head, behind the body.
  expect(output).toMatch(/\r\n\r\nokX-Sum: 42\r\n$/);
});

/** A body that curl sends only after a 100; it waits for longer than the test would. */
const EXPECTING = [
  '--header',
  'Expect: 100-continue',
  '--expect100-timeout',
  '60',
  '--data-binary',
  'payload',
];

test.each(['413 Far Too Much', '417 Expectation Failed'])(
  'of a body that is refused with %s nothing is sent',
  async (status) => {
    const refusal = `HTTP/1.1 ${status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno`;
    const { output, heard } = await ask(refusal, [...EXPECTING, '{}/notes']);
    expect(output).toMatch(new RegExp(`^HTTP/1\\.1 ${status}\r\n.*\r\n\r\nno$`, 's'));
    expect(heard.head).toMatch(/^expect: 100-continue\r\n/im);
    expect(heard.body).toBe('');
  },
);

test('a body follows when the service has said 100', async () => {
  function reply(socket: Socket): void {
    socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    socket.once('data', () => socket.end(FINE));
  }
  const { output, heard } = await ask(reply, [...EXPECTING, '{}/notes']);
  expect(output).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  expect(heard.body).toBe('payload');
});

test.each(['/a%2Fb', '/a//b', '/caf%E9', '/a%20b;v=1/c?q=%2F..', '/%F0%9F%9A%AA', "/a'b(c)*!$&,"])(
  'the path %s comes as it was sent',
  async (path) => {
    const { output, heard } = await ask(FINE, ['--path-as-is', '--globoff', `{}${path}`]);
    expect(output).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(heard.head.split('\r\n', 1)).toEqual([`GET ${path} HTTP/1.1`]);
  },
);

test('octets beyond ASCII in header values come through both ways', async () => {
  const answer = FINE.replace('Connection', 'X-Answer: gr\u00fc\u00dfe\r\nConnection');
  const { output, heard } = await ask(
    answer,
    ['--header', '@-', '{}/page'],
    Buffer.from('X-Asked: caf\u00e9\n', 'latin1'),
  );
  expect(heard.head).toMatch(/^x-asked: caf\u00e9\r\n/im);
  expect(output).toMatch(/^x-answer: gr\u00fc\u00dfe\r\n/im);
});

test('HEAD is answered with the length of what GET would give, and no body', async () => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nConnection: close\r\n\r\n';
  const { output, heard } = await ask(head, ['--head', '{}/page']);
  expect(heard.head).toMatch(/^HEAD \/page HTTP\/1\.1\r\n/);
  expect(output).toMatch(/^HTTP\/1\.1 200 OK\r\n.*content-length: 12345\r\n.*\r\n\r\n$/is);
});

test('a part of a page is asked for and given', async () => {
  const part = 'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-3/10\r\nContent-Length: 2\r\n\r\n23';
  const { output, heard } = await ask(part, ['--range', '2-3', '{}/page']);
  expect(heard.head).toMatch(/^range: bytes=2-3\r\n/im);
  expect(output).toMatch(
    /^HTTP\/1\.1 206 Partial Content\r\n.*content-range: bytes 2-3\/10\r\n.*\r\n\r\n23$/is,
  );
});

test('a page that has not changed is not sent again', async () => {
  const same = 'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nConnection: close\r\n\r\n';
  const { output, heard } = await ask(same, ['--header', 'If-None-Match: "v1"', '{}/page']);
  expect(heard.head).toMatch(/^if-none-match: "v1"\r\n/im);
  expect(output).toMatch(/^HTTP\/1\.1 304 Not Modified\r\n.*etag: "v1"\r\n.*\r\n\r\n$/is);
});

test.each(['299 Quite Fine', '404 Nothing Here, Sorry', '503 caf\u00e9 closed', '200 '])(
  'the status %j comes in the words of the service',
  async (status) => {
    const answer = `HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
    const { output } = await ask(answer, ['{}/page']);
    expect(output.split('\r\n', 1)).toEqual([`HTTP/1.1 ${status}`]);
  },
);

test.each([
  { how: 'with its length', args: [] },
  { how: 'in chunks', args: ['--header', 'Transfer-Encoding: chunked'] },
])('ten megabytes $how come through octet for octet, and back', async ({ args }) => {
  const service = createServer((request, response) => request.pipe(response)).listen(0, '127.0.0.1');
  onTestFinished(() => {
    service.closeAllConnections();
    service.close();
  });
  await once(service, 'listening');
  const url = await startFront(portOf(service));
  const sent = randomBytes(10_000_000);
  const ran = await curl([...args, '--data-binary', '@-', `${url}/files`], sent);
  expect(ran).toMatchObject({ code: 0, errors: '' });
  const hash = (octets: Buffer) => createHash('sha256').update(octets).digest('hex');
  expect(hash(Buffer.from(ran.output, 'latin1'))).toBe(hash(sent));
});
