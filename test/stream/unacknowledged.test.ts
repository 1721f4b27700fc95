import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { DeliveryTable, endsOf, lookAtDelivery, readLine } from '../../src/stream/unacknowledged.ts';
import { fileWith } from '../support/files.ts';
import { turns } from '../support/pairs.ts';
import { within } from '../support/patience.ts';

/** Lines as Linux 6.18 wrote them on a little-endian machine. */
const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const line = (ends: string, rest: string) =>
  `   3: ${ends} 01 ${rest} 0 8412 2 0000000000000000 20 4 30 10 -1\n`;
const V4 = '0100007F:1538 02E70A0A:C350';
const V6 = 'B80D0120000000000000000001000000:0050 B80D0120000000000000000002000000:01BB';

const v4 = { localAddress: '127.0.0.1', localPort: 5432, remoteAddress: '10.10.231.2', remotePort: 50_000 };
const v6 = { localAddress: '2001:db8::1', localPort: 80, remoteAddress: '2001:db8::2', remotePort: 443 };

test.each([
  ['sends again', v4, line(V4, '00000064:00000000 01:00000014 00000003     0'), [100, true]],
  ['sends again over IPv6', v6, line(V6, '00000064:00000000 01:00000014 0000000A     0'), [100, true]],
  [
    'waits for its first acknowledgement',
    v4,
    line(V4, '0000FFFF:00000000 01:00000014 00000000     0'),
    [65_535, false],
  ],
  [
    'asks whether a closed window has opened',
    v4,
    line(V4, '00000064:00000000 04:00000014 00000003     0'),
    [100, false],
  ],
  ['probes an idle peer', v4, line(V4, '00000000:00000000 02:00000014 00000003     0'), [0, false]],
  ['has bytes to be read', v4, line(V4, '00000000:00000064 00:00000000 00000000     0'), [0, false]],
] as const)('a connection that %s', (_name, connection, text, [unacknowledged, isRepeated]) => {
  expect(readLine(text)).toEqual({ ends: endsOf(connection), delivery: { unacknowledged, isRepeated } });
});

test('a heading is no line, and a socket that is lost has no ends', () => {
  expect(readLine(HEAD.trimEnd())).toBeUndefined();
  expect(endsOf({ ...v4, remoteAddress: undefined })).toBeUndefined();
});

describe('a long table', () => {
  const LINES = 20_000;
  const endsAt = (index: number) => `0100007F:1538 ${index.toString(16).toUpperCase().padStart(8, '0')}:C350`;
  const lines = Array.from({ length: LINES }, (_, index) =>
    line(
      endsAt(index),
      `${index.toString(16).toUpperCase().padStart(8, '0')}:00000000 00:00000000 00000000     0`,
    ),
  );

  test('is read for all who ask at a time, and others have their turns meanwhile', async () => {
    const table = new DeliveryTable(await fileWith(HEAD + lines.join('')));
    let hasEnded = false;
    const asked = Array.from({ length: 1_000 }, (_, index) => table.find(endsAt(index * 20 + 19)));
    const all = Promise.all([...asked, table.find('nobody')]);
    void all.finally(() => {
      hasEnded = true;
    });
    let count = 0;
    for (; !hasEnded; count++) await turns();
    const found = await all;
    expect(found.pop()).toBeUndefined();
    expect(found.map((delivery) => delivery?.unacknowledged)).toEqual(
      asked.map((_, index) => index * 20 + 19),
    );
    expect(count).toBeGreaterThan(20);
  });
});

test('it is looked on though the global clock stands still, for one look that never ends would be the last', async () => {
  const table = new DeliveryTable(await fileWith(line(V4, '00000064:00000000 00:00000000 00000000     0')));
  await table.find(V4);
  vi.useFakeTimers();
  const second = table.find(V4);
  for (let i = 0; i < 5; i++) await nextTurn();
  vi.useRealTimers();
  expect(await within(second, 'the second look')).toMatchObject({ unacknowledged: 100 });
});

test('of a table that is not there nothing is known', async () => {
  expect(await new DeliveryTable('/nowhere/tcp').find('nobody')).toBeUndefined();
});

describe.runIf(process.platform === 'linux')('a real connection', () => {
  async function connected(onConnection: (socket: Socket) => void): Promise<Socket> {
    const server = createServer(onConnection).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    onTestFinished(() => {
      socket.destroy();
      server.close();
    });
    await once(socket, 'connect');
    return socket;
  }

  test('whose peer reads has delivered what it sent', async () => {
    const socket = await connected((peer) => void peer.resume());
    socket.write('x');
    expect(await lookAtDelivery(socket)).toEqual({ unacknowledged: 0, isRepeated: false });
  });

  test('whose peer reads nothing has not, however often one looks', async () => {
    const socket = await connected((peer) => void peer.pause());
    socket.write(Buffer.alloc(32 * 2 ** 20));
    const [first, second] = await Promise.all([lookAtDelivery(socket), lookAtDelivery(socket)]);
    expect(first).toEqual(second);
    expect((await lookAtDelivery(socket))?.unacknowledged).toBeGreaterThan(0);
  });
});
