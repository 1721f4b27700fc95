import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { isRetransmitting, isUnacknowledged } from '../../src/stream/unacknowledged.ts';

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
  ['sends again', v4, line(V4, '00000064:00000000 01:00000014 00000003     0'), true],
  ['sends again over IPv6', v6, line(V6, '00000064:00000000 01:00000014 0000000A     0'), true],
  [
    'waits for its first acknowledgement',
    v4,
    line(V4, '00000064:00000000 01:00000014 00000000     0'),
    false,
  ],
  [
    'asks whether a closed window has opened',
    v4,
    line(V4, '00000064:00000000 04:00000014 00000003     0'),
    false,
  ],
  ['probes an idle peer', v4, line(V4, '00000000:00000000 02:00000014 00000003     0'), false],
  ['is idle', v4, line(V4, '00000000:00000000 00:00000000 00000000     0'), false],
  ['is not there', v4, line(V6, '00000064:00000000 01:00000014 00000003     0'), false],
  ['has lost its socket', { ...v4, remoteAddress: undefined }, line(V4, ''), false],
] as const)('a connection that %s', (_name, connection, text, expected) => {
  expect(isRetransmitting(HEAD + text, connection)).toBe(expected);
});

test.runIf(process.platform === 'linux')('a real connection whose bytes arrive is heard', async () => {
  const server = createServer((socket) => void socket.resume()).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write('x');
  expect(await isUnacknowledged(socket)).toBe(false);
});
