import { createHash } from 'node:crypto';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createWebSocketStream, WebSocket } from 'ws';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { command, direct, mixedCommands, pipelined, redisCli, startForwarder } from '../support/redis.ts';
import { type RunningServer, startRedis } from '../support/servers.ts';

/** Debian's Redis behind the tcp bridge. What comes through is compared with what the same commands give without it. */

const COUNT = 100_000;

let redis: RunningServer;
let gateway: TestGateway;

beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(() => redis.close());
  gateway = await startGateway(
    `
${TOKEN_ISSUER}
routes:
  - name: redis
    match: { path: /redis }
    auth: { issuer: main, token: [subprotocol] }
    upstream: { tcp: "127.0.0.1:${redis.port}" }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
});

function protocols(): string[] {
  return ['binary', 'bearer', freshToken()];
}

/** Pieces that begin and end amid commands. */
function inPieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieces.at(-1)?.length as number) {
    pieces.push(bytes.subarray(at, at + (sizes[pieces.length % sizes.length] as number)));
  }
  return pieces;
}

function digest(bytes: Buffer): string {
  return `${bytes.length} bytes, ${createHash('sha256').update(bytes).digest('hex')}`;
}

test('a hundred thousand pipelined commands get the replies they get without a gateway', async () => {
  const pieces = inPieces(Buffer.concat(mixedCommands(COUNT)), [1, 65_536, 7, 200_000, 1_000]);
  const wanted = await pipelined(direct(redis.port), pieces);
  expect(wanted.length).toBeGreaterThan(1_000_000);
  await pipelined(direct(redis.port), [command('FLUSHALL'), ...mixedCommands(1)]);
  const socket = new WebSocket(gateway.url('/redis'), protocols());
  const heard = await pipelined(createWebSocketStream(socket), pieces);
  expect(digest(heard)).toBe(digest(wanted));
  const ended = await gateway.logged((line) => line.msg === 'session ended');
  const upBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  expect(ended).toMatchObject({
    up: { messages: pieces.length, bytes: upBytes },
    down: { bytes: wanted.length },
  });
});

test('redis-cli --pipe loads a hundred thousand commands through a forwarder', async () => {
  const forwarder = await startForwarder(gateway.url('/redis'), protocols());
  onTestFinished(() => forwarder.close());
  const commands = Array.from({ length: COUNT }, (_, index) =>
    command('SET', `key:${index}`, `value ${index}`),
  );
  const said = await redisCli(forwarder.port, ['--pipe'], Buffer.concat(commands));
  expect(said).toContain(`errors: 0, replies: ${COUNT}`);
  expect(await redisCli(redis.port, ['DBSIZE'])).toBe(`${COUNT}\n`);
  expect(await redisCli(redis.port, ['GET', `key:${COUNT - 1}`])).toBe(`value ${COUNT - 1}\n`);
});

test('redis-cli says the same through a forwarder as without it', async () => {
  const forwarder = await startForwarder(gateway.url('/redis'), protocols());
  onTestFinished(() => forwarder.close());
  const script = [
    'FLUSHALL',
    'SET greeting "κόσμε\\r\\n"',
    'GET greeting',
    'RPUSH list a b c',
    'LRANGE list 0 -1',
    'INCR greeting',
    'NOSUCHCOMMAND',
    "EVAL \"return {1, {2, redis.call('get', 'greeting')}}\" 0",
    'MULTI',
    'INCR counter',
    'EXEC',
    'CONFIG GET maxmemory',
  ].join('\n');
  const wanted = await redisCli(redis.port, [], script);
  expect(wanted.split('\n').length).toBeGreaterThan(15);
  expect(await redisCli(forwarder.port, [], script)).toBe(wanted);
});
