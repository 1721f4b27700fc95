import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { folderWith, startServing } from '../support/cli.ts';
import { CapsulePeer } from '../support/connect-tcp.ts';
import { certificate } from '../support/listener.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** Much through one connection of connect-tcp: all of it comes through, each way, and its ends too. */

const VOLUME = 64 * 2 ** 20;
const PIECE = 100_000;

test.each([
  ['in plain text', false],
  ['over TLS', true],
])('64 MiB go each way, byte for byte, %s', async (_name, isSecure) => {
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket));
  await listenAt({ host: '127.0.0.1', port: 0 }, echo);
  const { cert, key } = await certificate(await folderWith({}), ['localhost']);
  const tls = isSecure ? `, tls: { certificates: [{ cert: "${cert}", key: "${key}" }] }` : '';
  const { port } = await startServing(`
listeners: [{ host: 127.0.0.1, port: 0${tls} }]
routes: [{ name: r, match: { path: /tcp }, auth: none, upstream: { tcp: "127.0.0.1:${portOf(echo)}", connectTcp: true } }]`);
  const client = await CapsulePeer.open(port, isSecure ? { ca: await readFile(cert, 'utf8') } : {});
  const sent = createHash('sha256');
  const noise = randomBytes(2 * PIECE);
  for (let left = VOLUME; left > 0; left -= PIECE) {
    const from = left % PIECE;
    const piece = Buffer.from(noise.subarray(from, from + Math.min(left, PIECE)));
    piece.writeUInt32BE(left, 0);
    sent.update(piece);
    if (!client.send(piece)) await once(client.socket, 'drain');
  }
  client.final();
  await client.until(() => client.isFinal, 'FINAL_DATA', 60_000);
  expect(client.received).toBe(VOLUME);
  expect(client.hash.digest('hex')).toBe(sent.digest('hex'));
  expect(await client.ended()).toBe('fin');
});
