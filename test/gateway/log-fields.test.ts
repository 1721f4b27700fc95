import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { createAccessLog } from '../../src/observe/access-log.ts';
import { createLogger } from '../../src/observe/log.ts';
import { folderWith } from '../support/cli.ts';
import { deadPort, startUpstream, startWebSocket } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { certificate } from '../support/listener.ts';
import { Sink, sessionRecord } from '../support/observe.ts';
import { handshake, TEXT, Wire } from '../support/raw.ts';

/** config/LOG.md: every field of the access log is in its table, in the right columns, and every row in some line. */

const COLUMNS = ['opened', 'ended', 'refused', 'served'] as const;
type Column = (typeof COLUMNS)[number];
const COLUMN_OF: Readonly<Record<string, Column>> = {
  'session opened': 'opened',
  'session ended': 'ended',
  'connection ended': 'ended',
  'upgrade refused': 'refused',
  'request refused': 'refused',
  'request served': 'served',
};

/** `field column` of every mark in the table. */
function documented(): string[] {
  const rows = [...readFileSync('config/LOG.md', 'utf8').matchAll(/^\| `([\w.]+)` \|([^`]*?)\| [^|]+\|$/gm)];
  return rows.flatMap(([, field, marks]) =>
    (marks as string)
      .split('|')
      .flatMap((mark, index) => (mark.trim() === '●' ? [`${field} ${COLUMNS[index]}`] : [])),
  );
}

/** `field column` of all that is in a line; what is within a list goes by the list's name. */
function fieldsOf(line: Record<string, unknown>): string[] {
  const column = COLUMN_OF[line.msg as string];
  return column === undefined ? [] : names(line).map((name) => `${name} ${column}`);
}

function names(fields: object): string[] {
  return Object.entries(fields).flatMap(([name, value]: [string, unknown]) => {
    // An error is what it is.
    if (name === 'err' || typeof value !== 'object' || value === null) return [name];
    const parts = Array.isArray(value) ? value.flatMap(names) : names(value);
    return parts.map((part) => `${name}.${part}`);
  });
}

/** A gateway with a route for each kind of line; `drain` ends it while a handshake is under way. */
async function gatewayWithAll() {
  const { cert, key } = await certificate(await folderWith({}), ['localhost']);
  const speaking = await startWebSocket(() => {}, 'Sec-WebSocket-Protocol: chat\r\n');
  const plain = await startWebSocket();
  const lossy = await startWebSocket((wire) => wire.socket.once('data', () => wire.socket.resetAndDestroy()));
  const haughty = await startUpstream((wire) => wire.write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'));
  const slow = await startUpstream();
  const pages = await startUpstream((wire) => {
    wire.socket.once('data', () => wire.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage'));
  });
  const gateway = await startGateway(
    `
listeners:
  - { host: 127.0.0.1, port: 0, tls: { certificates: [{ cert: "${cert}", key: "${key}" }] } }
${TOKEN_ISSUER}
routes:
  - { name: chat, match: { path: /chat }, ${GUARDED}, upstream: { websocket: "ws://127.0.0.1:${speaking.port}" } }
  - { name: small, match: { path: /small }, auth: none, limits: { messages: { rate: 1/h, per: connection, over: close } }, upstream: { websocket: "ws://127.0.0.1:${plain.port}" } }
  - { name: lossy, match: { path: /lossy }, auth: none, upstream: { websocket: "ws://127.0.0.1:${lossy.port}" } }
  - { name: haughty, match: { path: /haughty }, ${GUARDED}, upstream: { websocket: "ws://127.0.0.1:${haughty.port}" } }
  - { name: outage, match: { path: /outage }, auth: none, upstream: { poll: { target: "http://127.0.0.1:${await deadPort()}", poll: { path: / }, outage: 50ms } } }
  - { name: slow, match: { path: /slow }, auth: none, upstream: { websocket: "ws://127.0.0.1:${slow.port}" } }
  - { name: dead, match: { path: /dead }, auth: none, upstream: { http: "http://127.0.0.1:${await deadPort()}" } }
  - { name: tunnel, match: { path: "/tcp/{target}" }, auth: none, upstream: { tcp: "{path.target}", allow: "127.0.0.1:*" } }
  - { name: pages, match: { path: /* }, ${GUARDED}, upstream: { http: "http://127.0.0.1:${pages.port}" } }`,
    TOKEN_ENV,
  );
  onTestFinished(async () => {
    await gateway.close();
    for (const upstream of [speaking, plain, lossy, haughty, slow, pages]) await upstream.close();
  });
  return {
    gateway,
    slow,
    tunnel: `/tcp/127.0.0.1:${plain.port}`,
    nowhere: `/tcp/127.0.0.1:${await deadPort()}`,
  };
}

type All = Awaited<ReturnType<typeof gatewayWithAll>>;

const GUARDED = 'origins: ["https://app.test"], auth: { issuer: main, token: [header] }';

/** Says something over TLS. */
async function say(port: number, bytes: string): Promise<Wire> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false });
  const wire = new Wire(socket, { client: true });
  onTestFinished(() => wire[Symbol.dispose]());
  await once(socket, 'secureConnect');
  wire.write(bytes);
  return wire;
}

async function fetchPage(port: number, path: string, headers: Record<string, string>): Promise<void> {
  const fields = Object.entries({ Host: 'localhost', 'Content-Length': '4', ...headers });
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  const wire = await say(port, `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\nbody`);
  await wire.answer();
}

/** Brings about a line of every kind that clients and services can bring about. */
async function useAll({ gateway: { gateway, port, logged }, slow, tunnel, nowhere }: All): Promise<void> {
  const token = freshToken({ sub: 'ada' });
  const headers = { 'User-Agent': 'fields/1', Origin: 'https://app.test', Authorization: `Bearer ${token}` };

  const chat = await say(port, handshake('/chat', { ...headers, 'Sec-WebSocket-Protocol': 'chat' }));
  await chat.answer();
  chat.sendClose(1000, 'bye');
  for (const path of ['/small', '/lossy']) {
    const wire = await say(port, handshake(path));
    await wire.answer();
    for (let message = 0; message < 2; message += 1) wire.send(TEXT, 'x');
    await logged((line) => line.msg === 'session ended' && line.path === path);
  }
  await logged((line) => line.msg === 'session ended' && line.route === 'chat');
  await (await say(port, handshake('/haughty', headers))).answer();
  await fetchPage(port, '/page', headers);
  await fetchPage(port, '/page', { ...headers, Authorization: 'Bearer nonsense' });
  await fetchPage(port, '/dead', {});
  await (await say(port, handshake('/outage'))).answer();
  await logged((line) => line.msg === 'session ended' && line.route === 'outage');

  const through = await say(port, handshake(tunnel, { 'Sec-WebSocket-Protocol': 'mqtt' }));
  await through.answer();
  through.sendClose(1000);
  await logged((line) => line.msg === 'session ended' && line.route === 'tunnel');
  await (await say(port, handshake(nowhere))).answer();

  const late = await say(port, handshake('/slow'));
  const wire = await slow.wire();
  await wire.until(() => wire.head !== undefined, 'a handshake');
  const closing = gateway.close();
  await late.answer();
  await closing;
}

/** What nobody foresaw, nobody can bring about. */
function unforeseen(): Record<string, unknown>[] {
  const sink = new Sink();
  const log = createAccessLog(createLogger({ destination: sink }));
  const error = new GatewayError('INTERNAL', { cause: new Error('bug') });
  const ending = { code: 1011, reason: '', by: 'gateway', clean: false } as const;
  log.ended(sessionRecord(), ending, 1, { code: 'INTERNAL', cause: error });
  log.refused({ id: 'r', kind: 'upgrade', peerAddress: '::1' }, error, 1);
  return sink.lines;
}

/** A client that was refused behind its 101, for what its service said. */
function closed(): Record<string, unknown>[] {
  const sink = new Sink();
  const refused = { id: 'r', kind: 'upgrade', peerAddress: '::1', isOpen: true, target: 'db:1' } as const;
  createAccessLog(createLogger({ destination: sink })).refused(refused, new GatewayError('TOKEN_MISSING'), 1);
  return sink.lines;
}

/** Lines of a session that goes on with one whose client was lost. */
function resumed(): Record<string, unknown>[] {
  const sink = new Sink();
  const log = createAccessLog(createLogger({ destination: sink }));
  const session = sessionRecord({ awayMs: 1.2 });
  log.opened(session, {});
  log.ended(session, { code: 1000, reason: '', by: 'client', clean: true }, 1);
  return sink.lines;
}

test('the table tells of every field in every kind of line, and of none that there is not', async () => {
  const all = await gatewayWithAll();
  const { gateway } = all;
  await useAll(all);
  const page = gateway.log.find(({ msg }) => msg === 'request served');
  expect(page).toMatchObject({ subject: 'ada', userAgent: 'fields/1', bytes: 4, requestBytes: 4 });
  const found = new Set([...gateway.log, ...unforeseen(), ...closed(), ...resumed()].flatMap(fieldsOf));
  expect([...found].sort()).toEqual(documented().sort());
});
