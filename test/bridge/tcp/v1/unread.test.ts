import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Grant } from '../../../../src/admission/grant.ts';
import type { Renew } from '../../../../src/bridge/tcp/v1/authentication.ts';
import { TcpV1 } from '../../../../src/bridge/tcp/v1/index.ts';
import type { RouteConfig } from '../../../../src/config/schema.ts';
import { decodeMessage } from '../../../../src/tcp-protocol/decode.ts';
import { encodeMessage } from '../../../../src/tcp-protocol/encode.ts';
import {
  MAX_CREDIT,
  TCP_PROTOCOL,
  type TcpMessage,
  WINDOW_BYTES,
} from '../../../../src/tcp-protocol/types.ts';
import type { AdmittedRequest } from '../../../../src/upstream/forward.ts';
import { parsed, sampleConfig } from '../../../support/config.ts';
import { connection, type FarEnd, sessionOf } from '../../../support/ends.ts';
import { type PairMaker, startPairs, turns, turnsUntil } from '../../../support/pairs.ts';
import { BINARY, closeFrame, frame } from '../../../support/raw.ts';

/** A client that says all it likes, and reads nothing: what waits for it in this process is little, whatever credit it has given. */

/** A stream's own room, and what is read of the service at once. */
const LITTLE = 512 * 1024;
const PLENTY = 8 * 2 ** 20;

let pairs: PairMaker;
beforeAll(async () => {
  pairs = await startPairs('dialled', false);
});
afterAll(() => pairs[Symbol.asyncDispose]());

async function come(resume: string, renew?: Renew) {
  const text = sampleConfig().replace(/upstream: .*/, `upstream: { tcp: "127.0.0.1:1" ${resume} }`);
  const [route] = parsed(text).routes as [RouteConfig];
  const pair = await pairs.open();
  onTestFinished(() => pair[Symbol.dispose]());
  const reached = { socket: pair.ours, name: 'service', label: 'service', release() {} };
  const v1 = new TcpV1(route, { reach: async () => reached, renew });
  onTestFinished(() => v1.close());
  const grant = { claims: {}, releases: [] };
  const request = { protocols: [TCP_PROTOCOL], grant, connectionId: 'c' } as unknown as AdmittedRequest;
  const bridge = await v1.dial(request, AbortSignal.timeout(5_000));
  const { ours, far } = connection();
  onTestFinished(() => void far.stream.destroy());
  void bridge.run(ours, Buffer.alloc(0), sessionOf({ closeMs: 5_000 }));
  await turnsUntil(() => heard(far).length > 0);
  return { pair, ours, far };
}

const heard = (far: FarEnd) =>
  far.frames.filter(({ opcode }) => opcode === BINARY).map(({ payload }) => decodeMessage(payload));
const say = (far: FarEnd, message: TcpMessage) => far.say(frame(BINARY, Buffer.from(encodeMessage(message))));

const has = (far: FarEnd, wanted: TcpMessage['type']) => heard(far).some(({ type }) => type === wanted);

function dataOf(far: FarEnd): number {
  const sizes = heard(far).map((message) => (message.type === 'DATA' ? message.data.length : 0));
  return sizes.reduce((total, size) => total + size, 0);
}

test('credit does not fill the memory: the service is read as the client takes what it is sent', async () => {
  const { pair, ours, far } = await come('');
  far.stream.pause();
  await say(far, { type: 'WINDOW', credit: PLENTY });
  pair.peer.write(Buffer.alloc(PLENTY));
  await turnsUntil(() => ours.writableLength > 0);
  await turns(200);
  expect(ours.writableLength).toBeLessThan(LITTLE);
  far.stream.resume();
  await turnsUntil(() => dataOf(far) === PLENTY);
});

test('nor where it acknowledges what it has not read, on a connection that can be resumed', async () => {
  const { pair, ours, far } = await come(', resume: 60s');
  far.stream.pause();
  await say(far, { type: 'WINDOW', credit: MAX_CREDIT - WINDOW_BYTES });
  pair.peer.write(Buffer.alloc(PLENTY));
  await turnsUntil(() => ours.writableLength > 0);
  for (let offset = 0; offset < PLENTY && ours.writable; offset += WINDOW_BYTES) {
    await say(far, { type: 'ACK', offset });
    await turns(20);
    expect(ours.writableLength).toBeLessThan(LITTLE);
  }
});

test('an answer to AUTH that is not taken is the last one', async () => {
  const { pair, ours, far } = await come('');
  far.stream.pause();
  pair.peer.write(Buffer.alloc(WINDOW_BYTES));
  await turnsUntil(() => ours.writableLength > 0);
  await turns(20);
  const before = ours.writableLength;
  for (let count = 0; count < 50; count++) await say(far, { type: 'AUTH', accessToken: 'x' });
  expect(ours.writableLength - before).toBeLessThan(300);
  far.stream.resume();
  await turnsUntil(() => has(far, 'RESET'));
  const answers = heard(far).filter(({ type }) => type === 'AUTH_OK' || type === 'RESET');
  expect(answers).toMatchObject([{ type: 'AUTH_OK' }, { type: 'RESET', code: 1002 }]);
});

test('a token that is judged only behind the Close changes nothing', async () => {
  const gate = Promise.withResolvers<Grant>();
  const { pair, ours, far } = await come('', () => gate.promise);
  const errors: Error[] = [];
  ours.on('error', (error) => errors.push(error));
  far.stream.pause();
  pair.peer.write(Buffer.alloc(WINDOW_BYTES));
  await turnsUntil(() => ours.writableLength > 0);
  await say(far, { type: 'AUTH', accessToken: 'x' });
  await far.say(closeFrame(1000));
  await turnsUntil(() => ours.writableEnded);
  gate.resolve({ claims: {}, releases: [] });
  await turns(20);
  expect(errors).toEqual([]);
  far.stream.resume();
  await turnsUntil(() => far.hasEnded);
  expect(far.closeCode).toBe(1000);
});
