import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Renew } from '../../../../src/bridge/tcp/v1/authentication.ts';
import { TcpV1 } from '../../../../src/bridge/tcp/v1/index.ts';
import type { RouteConfig } from '../../../../src/config/schema.ts';
import { decodeMessage } from '../../../../src/tcp-protocol/decode.ts';
import { encodeMessage } from '../../../../src/tcp-protocol/encode.ts';
import { TCP_PROTOCOL, TCP_RESUME_PROTOCOL, type TcpMessage } from '../../../../src/tcp-protocol/types.ts';
import type { AdmittedRequest } from '../../../../src/upstream/forward.ts';
import { parsed, sampleConfig } from '../../../support/config.ts';
import { connection, type FarEnd, sessionOf } from '../../../support/ends.ts';
import { type PairMaker, startPairs, turns, turnsUntil } from '../../../support/pairs.ts';
import { BINARY, frame } from '../../../support/raw.ts';

/** A connection whose target a claim has named is for that claim only. */

let pairs: PairMaker;
beforeAll(async () => {
  pairs = await startPairs('dialled', false);
});
afterAll(() => pairs[Symbol.asyncDispose]());

const text = sampleConfig().replace(/upstream: .*/, 'upstream: { tcp: "127.0.0.1:1", resume: 60s }');
const [route] = parsed(text).routes as [RouteConfig];

async function start(renew?: Renew) {
  const pair = await pairs.open();
  onTestFinished(() => pair[Symbol.dispose]());
  const reached = { name: 'db', label: 'db', asked: 'db.internal:5432', namedBy: ['db'], release() {} };
  const v1 = new TcpV1(route, { reach: async () => ({ socket: pair.ours, ...reached }), renew });
  onTestFinished(() => v1.close());
  async function come(db: string, ...protocols: string[]): Promise<FarEnd> {
    const grant = { claims: { db }, releases: [], subject: 'ann' };
    const request = { protocols: [TCP_PROTOCOL, ...protocols], grant, connectionId: 'c' };
    const bridge = await v1.dial(request as unknown as AdmittedRequest, AbortSignal.timeout(5_000));
    const { ours, far } = connection();
    onTestFinished(() => void far.stream.destroy());
    void bridge.run(ours, Buffer.alloc(0), sessionOf({ closeMs: 100 }));
    await turns(3);
    return far;
  }
  return { come };
}

const heard = (far: FarEnd) =>
  far.frames.filter(({ opcode }) => opcode === BINARY).map(({ payload }) => decodeMessage(payload));
const say = (far: FarEnd, message: TcpMessage) => far.say(frame(BINARY, Buffer.from(encodeMessage(message))));

test('OPENED names it as the client has', async () => {
  const far = await (await start()).come('blue');
  expect(heard(far)).toMatchObject([{ type: 'OPENED', peer: 'db.internal:5432', resumeMs: 60_000 }]);
});

test.each([
  ['the same', 'blue', { type: 'AUTH_OK' }],
  ['another', 'red', { type: 'RESET', code: 3003 }],
])('a new token that names %s', async (_name, db, answer) => {
  const far = await (await start(async () => ({ claims: { db }, releases: [] }))).come('blue');
  await say(far, { type: 'AUTH', accessToken: 'x' });
  await turnsUntil(() => heard(far).length > 1);
  expect(heard(far)[1]).toMatchObject(answer);
});

test.each([
  ['the same', 'blue', { type: 'RESUMED' }],
  ['another', 'red', { type: 'FAILED', code: 4410 }],
])('who comes back with a claim that names %s', async (_name, db, answer) => {
  const { come } = await start();
  const first = await come('blue');
  const [opened] = heard(first);
  first.stream.destroy();
  const second = await come(db, TCP_RESUME_PROTOCOL);
  const { resumeId } = opened as Extract<TcpMessage, { type: 'OPENED' }>;
  await say(second, { type: 'RESUME', resumeId, offset: 0, credit: 0 });
  await turnsUntil(() => heard(second).length > 0);
  expect(heard(second)[0]).toMatchObject(answer);
});
