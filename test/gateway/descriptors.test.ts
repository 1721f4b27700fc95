import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { eventually, metric } from '../support/census.ts';
import { folderWith, Process } from '../support/cli.ts';
import { deadPort, startEcho } from '../support/faulty.ts';
import { startGateway } from '../support/gateway.ts';
import { handshake, open, say, TEXT, type Wire } from '../support/raw.ts';

/** A gateway whose process may have few files open. */

const OPEN_FILES = 256;
/** Two files each, less those kept back. */
const ROOM = 96;
/** Connections that may wait beyond those. */
const SPARE = 8;
/** And those that are just being told to leave. */
const PARTING = 8;
const CROWD = 500;

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const FULL = /^HTTP\/1.1 503 .*\r\nretry-after: 5\r\n.*GATEWAY_FULL: /s;

test('as many sessions fit as the configuration says, and the refused are counted and logged', async () => {
  await using echo = await startEcho();
  await using gateway = await startGateway(`limits: { connections: 2 }
routes:
  - { name: echo, match: { path: /echo }, auth: none, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }`);
  const { sessions } = await fill(gateway.port);
  expect(sessions).toHaveLength(2);
  const refused = await gateway.metrics();
  expect(metric(refused, 'sallyport_connections_refused_total', { reason: 'full' })).toBe(1);
  expect(metric(refused, 'sallyport_connections_open')).toBeGreaterThanOrEqual(2);
  await gateway.logged(({ level, reasons }) => level === 'warn' && (reasons as { full: number })?.full === 1);
});

/** Its port, and what a probe and a scraper read. */
async function start() {
  const echo = await startEcho();
  onTestFinished(() => echo.close());
  const admin = await deadPort();
  const folder = await folderWith({
    'gate.yaml': `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: ${admin} }
routes:
  - { name: echo, match: { path: /echo }, auth: none, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }
`,
  });
  const daemon = new Process(['serve', join(folder, 'gate.yaml')], {}, { openFiles: OPEN_FILES });
  const { port } = JSON.parse(await daemon.line(/"listening"/)) as { port: number };
  const read = async (path: string) => (await fetch(`http://127.0.0.1:${admin}${path}`)).text();
  await eventually(() => read('/livez').then(Boolean, () => false));
  return { port, read, expectAlive: async () => expect(await read('/livez')).toBe('alive\n') };
}

/** Opens sessions until one is refused. */
async function fill(port: number): Promise<{ sessions: Wire[]; refused: Wire }> {
  const sessions: Wire[] = [];
  for (;;) {
    const wire = await say(port, handshake('/echo'));
    onTestFinished(() => void wire.socket.destroy());
    if ((await wire.answer()).status !== 101) return { sessions, refused: wire };
    sessions.push(wire);
  }
}

test('the first session that does not fit is answered 503; those that do go on, and so does the next once there is room', async () => {
  const { port, expectAlive } = await start();
  const { sessions, refused } = await fill(port);
  expect(sessions).toHaveLength(ROOM);
  expect(await refused.answer()).toMatchObject({
    status: 503,
    headers: { 'retry-after': '5' },
    body: expect.stringMatching(/^GATEWAY_FULL: /),
  });
  await expectAlive();
  const [first, last] = [sessions[0] as Wire, sessions[ROOM - 1] as Wire];
  last.send(TEXT, 'still here');
  expect(String(await last.message())).toBe('still here');
  first.sendClose(1000);
  await first.ended();
  const endedAt = performance.now();
  await eventually(() => open(port, '/echo').then(Boolean, () => false));
  expect(performance.now() - endedAt).toBeLessThan(1_000);
  await expectAlive();
});

test('a crowd is told one by one, none is cut off without a word, and a silent one does not stay in the way', async () => {
  const { port, read, expectAlive } = await start();
  await fill(port);
  const answers: string[] = [];
  for (let i = 0; i < CROWD; i++) void hear(port).then((answer) => answers.push(answer));
  await expectAlive();
  await eventually(
    () => answers.length >= CROWD - SPARE,
    () => `${answers.length} of ${CROWD} have been answered`,
  );
  expect(answers.filter((answer) => !FULL.test(answer))).toEqual([]);
  const metrics = await read('/metrics');
  expect(metric(metrics, 'sallyport_connections_open')).toBeLessThanOrEqual(ROOM + SPARE + PARTING);
  expect(metric(metrics, 'process_open_fds')).toBeLessThan(OPEN_FILES);
  expect(await hear(port, GET)).toMatch(FULL);
  // The silent ones have their second; from then on they give way to whoever comes.
  async function someGiveWay(): Promise<boolean> {
    void hear(port);
    return metric(await read('/metrics'), 'sallyport_connections_refused_total', { reason: 'idle' }) > 0;
  }
  await eventually(someGiveWay, () => 'nobody has given way');
  await expectAlive();
});

test('a session that polls and sends at the same time is counted with both its connections', async () => {
  const folder = await folderWith({
    'gate.yaml': `listeners: [{ host: 127.0.0.1, port: 0 }]
routes:
  - { name: r, match: { path: /* }, auth: none, upstream: { poll: { target: "http://127.0.0.1:1", poll: { path: / }, send: { path: / } } } }
`,
  });
  const daemon = new Process(['serve', join(folder, 'gate.yaml')], {}, { openFiles: OPEN_FILES });
  expect(JSON.parse(await daemon.line(/are bounded/))).toMatchObject({ connections: (ROOM * 2) / 3 });
});

/** All that is said on a connection that says nothing itself, or `bytes`; empty if it is reset. */
function hear(port: number, bytes = ''): Promise<string> {
  // A reset may also come behind the end.
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  socket.write(bytes);
  return text(socket).catch(() => '');
}
