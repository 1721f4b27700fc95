import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { PendingUpgrade } from '../../src/listener/pending-upgrade.ts';
import { eventually } from '../support/census.ts';
import { deferred, dial, flood, open, serverSocket } from '../support/listener.ts';

const UPGRADE =
  'GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** An upgrade that waits for a decision, its client, and the socket on the listener's side. */
async function pend(early = '') {
  const arrived = deferred<PendingUpgrade>();
  const listener = await open({ upgrade: arrived.resolve });
  const taken = serverSocket(listener);
  const client = dial(listener);
  client.write(UPGRADE + early);
  return { pending: await arrived.promise, client, socket: await taken };
}

test('what a client sends before it is answered is read up to a bound, and left waiting beyond', async () => {
  const { pending, client, socket } = await pend();
  flood(client);
  await eventually(
    () => socket.isPaused(),
    () => `still reading after ${socket.bytesRead} bytes`,
  );
  expect(pending.early.length).toBeLessThanOrEqual(128 * 1024);
  // The stream's own buffer comes on top.
  expect(socket.bytesRead).toBeLessThanOrEqual(320 * 1024);
});

test('all that came early is there when the upgrade is accepted, and what comes later is not lost', async () => {
  const { pending, client, socket } = await pend('a');
  client.write('b');
  await once(socket, 'data');
  const accepted = pending.accept('chat', [['X-More', '1']]);
  expect(String(pending.early)).toBe('ab');
  expect(accepted.isPaused()).toBe(true);
  client.write('c');
  expect(String((await once(accepted.resume(), 'data'))[0])).toBe('c');
  client.end();
  expect((await client.setEncoding('utf8').take(1).toArray()).join('')).toBe(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\nX-More: 1\r\n\r\n',
  );
});

test('a field that cannot be sent leaves the upgrade pending', async () => {
  const { pending, client } = await pend();
  expect(() => pending.accept(undefined, [['X-Split', 'a\r\nb']])).toThrow();
  expect(pending.gone).toBe(false);
  client.destroy();
  await once(pending.signal, 'abort');
  expect(pending.gone).toBe(true);
});

test.each([
  ['ends its side', 'end'],
  ['resets', 'resetAndDestroy'],
] as const)('a client that %s is gone', async (_what, leave) => {
  const { pending, client } = await pend();
  client[leave]();
  await once(pending.signal, 'abort');
  expect(pending.gone).toBe(true);
});

test('time that is up aborts, though nobody is gone; once accepted, it does not count', async () => {
  const [late, intime] = [await pend(), await pend()];
  intime.pending.allow(5);
  late.pending.allow(20);
  intime.pending.accept(undefined, []);
  await once(late.pending.signal, 'abort');
  expect(late.pending.gone).toBe(false);
  expect(intime.pending.signal.aborted).toBe(false);
});
