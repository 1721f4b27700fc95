import dns from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { store } from '../../../src/config/store.ts';
import { lookUpOnce } from '../../../src/store/redis/connector.ts';
import { openRedis, type RedisLink } from '../../../src/store/redis/link.ts';
import { BUCKET } from '../../../src/store/redis/scripts.ts';

/** What goes over the connection to a Redis. */

/** Answers every command with the number 1, and keeps what came in one piece. */
async function linked(
  database = 0,
  answer: (piece: string, socket: Socket) => string = answerTo,
  more = {},
): Promise<{ link: RedisLink; pieces: string[] }> {
  const pieces: string[] = [];
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined).setEncoding('utf8');
    socket.on('data', (piece: string) => {
      pieces.push(piece);
      socket.write(answer(piece, socket));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const link = openRedis(store.parse({ redis: `redis://127.0.0.1:${port}/${database}`, ...more }));
  onTestFinished(() => {
    link.close();
    server.close();
  });
  await link.tried;
  pieces.length = 0;
  return { link, pieces };
}

/** Each command is a line `*COUNT`, and what follows (RESP 2). */
function answerTo(piece: string): string {
  const commands = piece.split(/^\*\d+\r\n/m).slice(1);
  return commands.map((each) => (/\binfo\b/i.test(each) ? '$9\r\nloading:0\r\n' : ':1\r\n')).join('');
}

test('what is asked in one turn of the event loop is written at once, in its order', async () => {
  const { link, pieces } = await linked();
  const [alone, together] = [vi.spyOn(Socket.prototype, '_write'), vi.spyOn(Socket.prototype, '_writev')];
  onTestFinished(() => void vi.restoreAllMocks());
  const asked = ['first', 'second', 'third'].map((key) => link.run(BUCKET, key, 1));
  expect(await Promise.all(asked)).toEqual([1, 1, 1]);
  const isAsked = (chunk: unknown) => String(chunk).includes('evalsha');
  expect(alone.mock.calls.filter(([chunk]) => isAsked(chunk))).toEqual([]);
  const gathered = together.mock.calls.map(([chunks]) => chunks.filter(({ chunk }) => isAsked(chunk)).length);
  expect(gathered.filter((count) => count > 0)).toEqual([3]);
  expect(pieces.join('')).toMatch(/first[\s\S]*second[\s\S]*third/);
  // And again in another turn.
  expect(await link.run(BUCKET, 'fourth', 1)).toBe(1);
});

test('what was asked right before the end is still written', async () => {
  const { link, pieces } = await linked();
  const asked = link.run(BUCKET, 'last', 1).catch(() => undefined);
  link.close();
  await asked;
  await expect.poll(() => pieces.join('')).toContain('last');
});

test('a name that is not looked up in time is looked up once, however often and by whomever it is asked for', async () => {
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation((() => undefined) as never);
  onTestFinished(() => void vi.restoreAllMocks());
  const links = [0, 1].map(() => openRedis(store.parse({ redis: 'redis://silent.test' })));
  onTestFinished(() => {
    for (const link of links) link.close();
  });
  await Promise.all(links.map(({ tried }) => tried));
  for (const { fault } of links) expect(String(fault)).toContain('ETIMEDOUT');
  expect(lookup).toHaveBeenCalledTimes(1);
});

type Tell = (error: null, address: string) => void;

test('a name is looked up anew when its last answer has come', async () => {
  const answers = ['127.0.0.1', '127.0.0.2'];
  const lookup = vi
    .spyOn(dns, 'lookup')
    .mockImplementation(((_name: string, _options: object, tell: Tell) =>
      setImmediate(() => tell(null, answers.shift() ?? ''))) as never);
  onTestFinished(() => void vi.restoreAllMocks());
  const ask = () =>
    new Promise((resolve) => lookUpOnce('some.test', {}, (_error, address) => resolve(address)));
  expect(await Promise.all([ask(), ask()])).toEqual(['127.0.0.1', '127.0.0.1']);
  expect(await ask()).toBe('127.0.0.2');
  expect(lookup).toHaveBeenCalledTimes(2);
});

test('who names a database that is not there is told so, and writes into no other', async () => {
  const refuse = (piece: string) =>
    answerTo(piece).replace(':1', /\bselect\b/i.test(piece) ? '-ERR DB index is out of range' : ':1');
  const { link } = await linked(99, refuse);
  await expect(link.run(BUCKET, 'key', 1)).rejects.toMatchObject({
    cause: { message: 'ERR DB index is out of range' },
  });
  expect(link.isReady).toBe(false);
});

test('a cluster that is down is not asked the same again: it could come behind what was said later', async () => {
  const cluster = (piece: string, { localPort = 0 }: Socket) => {
    if (/\bslots\b/i.test(piece)) return slotsOf(localPort);
    return piece.includes('first') ? '-CLUSTERDOWN The cluster is down\r\n' : answerTo(piece);
  };
  const { link, pieces } = await linked(0, cluster, { cluster: true });
  await expect(link.run(BUCKET, 'first', 1)).rejects.toThrow('CLUSTERDOWN');
  expect(pieces.filter((piece) => piece.includes('first'))).toHaveLength(1);
});

/** All of them are served at this port. */
function slotsOf(port: number): string {
  return `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${port}\r\n`;
}
