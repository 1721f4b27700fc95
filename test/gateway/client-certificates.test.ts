import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { type Application, startApplication } from '../support/application.ts';
import { makeAuthority, makeCertificate, type Pair, writePair } from '../support/certificates.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { within } from '../support/patience.ts';

/** Routes that ask for client certificates, alone and beside a token, for plain requests and WebSockets. */

let folder: string;
let app: Application;
let gateway: TestGateway;
let behindProxy: TestGateway;
let device: Pair;
let other: Pair;
let ca: Pair;
let foreign: Pair;

const IN_TEN_DAYS = new Date(Date.now() + 10 * 86_400_000 + 3_600_000);
const SUBJECTS = 'subjects: [device-7, short, proxy]';
const FORWARD =
  'forward: { x-client-dn: /certificate/subject, x-client-names: /certificate/dns, x-user: sub, x-role: role }';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-mtls-'));
  app = await startApplication('app');
  ca = await makeAuthority('devices');
  const own = await writePair(folder, 'gate', await makeCertificate({ dns: ['localhost'], to: IN_TEN_DAYS }));
  const { files } = await writePair(folder, 'ca', ca);
  [device, other, foreign] = await Promise.all([
    makeCertificate({ subject: 'O=Acme\\, Inc., CN=device-7', dns: ['a.test', 'b.test'] }, ca),
    makeCertificate({ subject: 'CN=device-8' }, ca),
    makeCertificate({ subject: 'CN=device-7' }),
  ]);
  const tls = `{ certificates: [{ cert: ${own.files.cert}, key: ${own.files.key} }], clientCa: ${files.cert}, clientAuth: optional }`;
  const upstream = `upstream: { http: "http://127.0.0.1:${app.port}" }`;
  const config = (
    top: string,
  ) => `listeners: [{ host: 127.0.0.1, port: 0, tls: ${tls} }, { host: 127.0.0.1, port: 0 }]
${TOKEN_ISSUER}
admin: { port: 0 }
drain: 1s
${top}
routes:
  - { name: alone, match: { path: /alone }, origins: [https://app.test], auth: { certificate: { ${SUBJECTS} }, ${FORWARD} }, ${upstream} }
  - { name: pages, match: { path: /pages }, origins: [https://app.test], cors: answer, auth: { certificate: { ${SUBJECTS} } }, ${upstream} }
  - { name: both, match: { path: /both }, auth: { certificate: { ${SUBJECTS} }, issuer: main, ${FORWARD} }, ${upstream} }
  - { name: acme, match: { path: /acme }, auth: { certificate: { ${SUBJECTS} }, require: { /certificate/commonName: device-9 } }, ${upstream} }
  - { name: close, match: { path: /close }, refuse: close, auth: { certificate: { ${SUBJECTS} } }, ${upstream} }
  - { name: token, match: { path: /token }, auth: { issuer: main, forward: { x-user: sub, x-role: role } }, ${upstream} }
  - { name: open, match: { path: /open }, auth: none, ${upstream} }`;
  gateway = await startGateway(config(''), TOKEN_ENV);
  behindProxy = await startGateway(config('trustedProxies: [127.0.0.1]'), TOKEN_ENV);
});
afterAll(async () => {
  await gateway.close();
  await behindProxy.close();
  await app.close();
  await rm(folder, { recursive: true });
});
afterEach(() => {
  (app.requests as unknown[]).length = 0;
});

type Fields = Readonly<Record<string, string>>;

interface Asked {
  readonly method?: string;
  readonly to?: TestGateway;
}

/** The answer to a plain request. */
async function ask(
  path: string,
  pair?: Pair,
  headers: Fields = {},
  { method = 'GET', to = gateway }: Asked = {},
) {
  const options = { host: '127.0.0.1', port: to.port, agent: false, rejectUnauthorized: false, ...pair };
  const sent = request({ ...options, path, method, headers }).end();
  const [answer] = await within(once(sent, 'response'), 'an answer');
  return { status: answer.statusCode as number, fields: answer.headers, body: await text(answer) };
}

/** A WebSocket that is open, or the status of the refusal. */
async function upgrade(path: string, pair?: Pair, headers: Fields = {}): Promise<WebSocket | number> {
  const options: ClientOptions = { rejectUnauthorized: false, headers, ...pair };
  const socket = new WebSocket(`wss://127.0.0.1:${gateway.port}${path}`, options);
  const refused = new Promise<number>((resolve) => {
    socket.on('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode));
  });
  const opened = once(socket, 'open').then(() => socket);
  return within(Promise.race([opened, refused]), 'the answer to a handshake');
}

async function statusOf(
  path: string,
  pair?: Pair,
  headers: Fields = {},
): Promise<{ plain: number; upgrade: number }> {
  const { status } = await ask(path, pair, headers);
  const socket = await upgrade(path, pair, headers);
  if (typeof socket === 'number') return { plain: status, upgrade: socket };
  socket.terminate();
  return { plain: status, upgrade: 101 };
}

const bearer = (changes: object = {}) => ({ authorization: `Bearer ${freshToken(changes)}` });
const LET_IN = { plain: 200, upgrade: 101 };
const REFUSED = { plain: 403, upgrade: 403 };

describe('alone, a certificate', () => {
  test('of a wanted subject lets in, and its names reach the service', async () => {
    expect(await statusOf('/alone', device)).toEqual(LET_IN);
    expect(app.requests).toHaveLength(2);
    for (const { headers } of app.requests)
      expect(headers).toMatchObject({
        'x-client-dn': 'CN=device-7,O=Acme\\, Inc.',
        'x-client-names': 'a.test,b.test',
      });
  });

  test.each([
    ['none', () => undefined, 'none was shown'],
    ['one of another subject', () => other, 'that of device-8 is not among the subjects of this route'],
    [
      'one of another authority',
      () => foreign,
      'the one that was shown is not believed: DEPTH_ZERO_SELF_SIGNED_CERT',
    ],
  ])('if it is %s, is refused', async (_what, pair, detail) => {
    expect(await statusOf('/alone', pair())).toEqual(REFUSED);
    const { body } = await ask('/alone', pair());
    expect(body).toMatch(/^CERTIFICATE_REFUSED: A client certificate that may connect here is required/);
    const line = await gateway.logged((one) => one.error === 'CERTIFICATE_REFUSED' && one.detail === detail);
    expect(line).toMatchObject({ route: 'alone', status: 403 });
    expect(app.requests).toEqual([]);
  });

  test('names what a client may not say of itself', async () => {
    await ask('/alone', device, { 'x-client-dn': 'CN=admin', 'X-Client_DN': 'CN=admin' });
    expect(app.requests[0]?.headers['x-client-dn']).toBe('CN=device-7,O=Acme\\, Inc.');
    expect(JSON.stringify(app.requests[0]?.rawHeaders)).not.toContain('admin');
  });

  test('must also have what the route requires', async () => {
    const { status, body } = await ask('/acme', device);
    expect([status, body]).toEqual([403, expect.stringMatching(/^FORBIDDEN/)]);
  });

  test('names the subject of a session', async () => {
    const socket = (await upgrade('/alone', device)) as WebSocket;
    const line = await gateway.logged(
      ({ msg, subject }) => msg === 'session opened' && subject === 'device-7',
    );
    expect(line).toMatchObject({ route: 'alone' });
    socket.terminate();
  });

  test('ends a session with itself, and lets nobody in after that', async () => {
    const short = await makeCertificate({ subject: 'CN=short', to: new Date(Date.now() + 3_000) }, ca);
    const socket = (await upgrade('/alone', short)) as WebSocket;
    const [code] = await within(once(socket, 'close'), 'the end of a certificate', 8_000);
    expect(code).toBe(3000);
    expect(await ask('/alone', short)).toMatchObject({ status: 403 });
  });

  test('can be missed by a script, too', async () => {
    const socket = (await upgrade('/close', other)) as WebSocket;
    expect(await within(once(socket, 'close'), 'a Close')).toEqual([
      3003,
      Buffer.from('A client certificate that may connect here is required.'),
    ]);
  });

  test('is not asked of a preflight', async () => {
    const fields = { origin: 'https://app.test', 'access-control-request-method': 'PUT' };
    expect(await ask('/alone', undefined, fields, { method: 'OPTIONS' })).toMatchObject({ status: 200 });
    expect(await ask('/alone', undefined, { origin: 'https://app.test' })).toMatchObject({ status: 403 });
  });

  test('may be shown for pages of the route’s origins, whose browsers are told so', async () => {
    const page = { origin: 'https://app.test' };
    const preflight = await ask(
      '/pages',
      undefined,
      { ...page, 'access-control-request-method': 'PUT' },
      { method: 'OPTIONS' },
    );
    expect(preflight).toMatchObject({ status: 204, fields: { 'access-control-allow-credentials': 'true' } });
    expect(await ask('/pages', device, page)).toMatchObject({
      status: 200,
      fields: {
        'access-control-allow-origin': 'https://app.test',
        'access-control-allow-credentials': 'true',
      },
    });
    expect(await ask('/pages', device, { origin: 'https://evil.test' })).toMatchObject({ status: 403 });
  });

  test('cannot be shown in plain text', async () => {
    const answer = await fetch(`http://127.0.0.1:${gateway.gateway.addresses[1]?.port}/alone`);
    expect([answer.status, await answer.text()]).toEqual([
      403,
      expect.stringMatching(/^CERTIFICATE_REFUSED/),
    ]);
  });
});

describe('beside a token', () => {
  test('both are needed', async () => {
    expect(await statusOf('/both', device, bearer())).toEqual(LET_IN);
    expect(await statusOf('/both', device)).toEqual({ plain: 401, upgrade: 401 });
    expect(await statusOf('/both', undefined, bearer())).toEqual(REFUSED);
    expect(await statusOf('/both', other, bearer())).toEqual(REFUSED);
  });

  test('both are known, and no token can pass for a certificate', async () => {
    const forged = { sub: 'ann', role: 'admin', certificate: { subject: 'CN=root', dns: ['root'] } };
    await ask('/both', device, bearer(forged));
    expect(app.requests[0]?.headers).toMatchObject({
      'x-client-dn': 'CN=device-7,O=Acme\\, Inc.',
      'x-client-names': 'a.test,b.test',
      'x-user': 'ann',
      'x-role': 'admin',
    });
  });
});

test('a route that does not ask for a certificate serves who has one, or none, or a bad one', async () => {
  for (const pair of [device, undefined, foreign]) expect(await statusOf('/open', pair)).toEqual(LET_IN);
  await ask('/token', device, bearer());
  expect(app.requests.at(-1)?.headers['x-client-dn']).toBeUndefined();
});

describe('a trusted proxy', () => {
  const FORWARDED = {
    'x-forwarded-for': '192.0.2.1',
    'x-forwarded-client-cert': 'Subject="CN=device-7"',
    'x-ssl-client-s-dn': 'CN=device-7',
    'x-client-dn': 'CN=device-7',
  };

  test('is not believed about the certificates of its clients', async () => {
    expect(await ask('/alone', undefined, FORWARDED, { to: behindProxy })).toMatchObject({ status: 403 });
    expect(await ask('/alone', other, FORWARDED, { to: behindProxy })).toMatchObject({ status: 403 });
  });

  test('is judged by its own', async () => {
    expect(await ask('/alone', device, FORWARDED, { to: behindProxy })).toMatchObject({ status: 200 });
    expect(app.requests[0]?.headers['x-client-dn']).toBe('CN=device-7,O=Acme\\, Inc.');
  });
});

test('one that is about to expire is told of at the start', async () => {
  const line = await gateway.logged(({ msg }) => /expires in/.test(String(msg)));
  expect(line).toMatchObject({
    level: 'warn',
    listener: '127.0.0.1:0',
    file: join(folder, 'gate.crt'),
    msg: 'the certificate expires in 10 days: renew it',
  });
});

test('certificates are in the metrics from the start', async () => {
  const metrics = await gateway.metrics();
  for (const name of ['gate', 'ca'])
    expect(metrics).toMatch(
      new RegExp(
        `^sallyport_certificate_not_after_seconds\\{listener="127.0.0.1:0",name="${folder}/${name}.crt"\\} \\d{10}$`,
        'm',
      ),
    );
  for (const outcome of ['renewed', 'refused'])
    expect(metrics).toContain(`sallyport_certificate_reloads_total{outcome="${outcome}"} 0`);
  expect(metrics).toContain('sallyport_tls_errors_total{reason="client_certificate"} 0');
});
