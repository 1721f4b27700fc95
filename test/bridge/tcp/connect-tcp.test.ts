import { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { SessionHandle } from '../../../src/bridge/contract.ts';
import { CapsuleClient } from '../../../src/bridge/tcp/connect-tcp/client.ts';
import { capsuleTunnel } from '../../../src/bridge/tcp/connect-tcp/tunnel.ts';
import { type CapsuleTypes, CONNECT_TCP } from '../../../src/capsules/types.ts';
import { capsule } from '../../support/connect-tcp.ts';
import { Diary, endingOf, sessionOf } from '../../support/ends.ts';
import { type PairMaker, startPairs, turns, turnsUntil } from '../../support/pairs.ts';
import { within } from '../../support/patience.ts';

/** A client that speaks connect-tcp as a bridge has it, on a real connection. */

const TYPES = CONNECT_TCP.get('connect-tcp-12') as CapsuleTypes;
const DATA = TYPES.data;
const FINAL = Buffer.from('a028d7f300', 'hex');
const THROUGH = { code: 1000, reason: '', by: 'client', clean: true } as const;
const MUCH = 4 * 2 ** 20;

let pairs: PairMaker;
let securePairs: PairMaker;
beforeAll(async () => {
  pairs = await startPairs('accepted', false);
  securePairs = await startPairs('accepted', true);
});
afterAll(() => Promise.all([pairs[Symbol.asyncDispose](), securePairs[Symbol.asyncDispose]()]));

async function stand(changes: Partial<SessionHandle> = {}, isSecure = false) {
  const pair = await (isSecure ? securePairs : pairs).open();
  onTestFinished(() => pair[Symbol.dispose]());
  const events = new Diary();
  const session = sessionOf(changes);
  let got = '';
  const client = new CapsuleClient({
    socket: pair.ours,
    session,
    types: TYPES,
    events,
    onData: (bytes, from, to) => {
      got += bytes.toString('latin1', from, to);
    },
    onChunk: () => {},
  });
  client.start(Buffer.alloc(0));
  return { client, events, session, peer: pair.peer, ours: pair.ours, got: () => got };
}

/** What a peer reads from now on to its end: how much, and whether that is a reset. */
async function rest(peer: Socket): Promise<{ bytes: number; isReset: boolean }> {
  let bytes = 0;
  let isReset = false;
  peer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  peer.on('error', () => {
    isReset = true;
  });
  const closed = new Promise((resolve) => peer.on('close', resolve));
  peer.on('end', () => peer.end()).resume();
  await within(closed, 'the end');
  return { bytes, isReset };
}

test('an abrupt end comes behind all that was sent', async () => {
  const { client, peer } = await stand();
  peer.pause();
  client.send(Buffer.alloc(MUCH));
  client.tell(endingOf('UPSTREAM_LOST', { by: 'upstream' }));
  await turns(5);
  expect(await rest(peer)).toEqual({ bytes: MUCH + 8, isReset: true });
  expect(client.isFinished).toBe(true);
});

test('a good end is a FIN behind FINAL_DATA', async () => {
  const { client, peer, events } = await stand();
  peer.write(capsule(DATA + 1, 'all'));
  await turnsUntil(() => client.isFinal);
  client.finish();
  client.finish();
  client.tell(THROUGH);
  expect(await rest(peer)).toEqual({ bytes: 5, isReset: false });
  await turnsUntil(() => events.heard.includes('client is closed'));
  expect(events.failures).toEqual([]);
});

test('where it is not waited for it is reset at once', async () => {
  const { client, peer } = await stand();
  peer.pause();
  client.send(Buffer.alloc(MUCH));
  await turns(2);
  client.bury();
  client.tell(THROUGH);
  const { bytes, isReset } = await rest(peer);
  expect(bytes).toBeLessThan(MUCH);
  expect(isReset).toBe(true);
});

test('what is not read stops it, for so long', async () => {
  const { client, peer, events, ours } = await stand({ stallMs: 50 });
  peer.pause();
  client.send(Buffer.alloc(MUCH * 4));
  await turnsUntil(() => events.heard.includes('client stalls'));
  expect(ours.destroyed).toBe(true);
  expect(client.isTold).toBe(true);
});

test('what is over is read to its end, and means nothing', async () => {
  const { client, peer, events, got, session } = await stand();
  peer.write(capsule(DATA + 1, 'all'));
  await turnsUntil(() => client.isFinal);
  client.finish();
  client.tell(THROUGH);
  peer.write(capsule(DATA, 'more'));
  peer.end();
  await turnsUntil(() => events.heard.includes('client is closed'));
  expect([got(), session.up.messages, events.failures]).toEqual(['all', 1, []]);
});

test.each([
  ['before it is told', ['flood', 'tell']],
  ['after that', ['tell', 'flood']],
])('beyond so much it is not read, %s, and goes', async (_name, order) => {
  const { client, peer, events } = await stand();
  peer.resume().write(capsule(DATA + 1));
  await turnsUntil(() => client.isFinal);
  client.finish();
  client.limit(1024);
  for (const act of order) {
    if (act === 'flood') {
      peer.write(Buffer.alloc(MUCH));
      await turnsUntil(() => events.heard.includes('progress'));
      continue;
    }
    client.tell(THROUGH);
    client.release();
  }
  await turnsUntil(() => events.heard.includes('client is closed'));
});

test.each([
  ['in plain text', false],
  ['over TLS', true],
])(
  'it waits for its limits, and the last of it counts though its end has come, %s',
  async (_name, isSecure) => {
    let waits = 0;
    const { client, peer, events, got } = await stand(
      { admitMessage: () => (waits++ % 2 === 0 ? 1 : 0) },
      isSecure,
    );
    peer.end(Buffer.concat([capsule(DATA, 'a'), capsule(DATA, 'b'), capsule(DATA + 1, 'c')]));
    await turnsUntil(() => client.isFinal);
    await turns(3);
    expect([got(), events.heard]).toEqual(['abc', []]);
  },
);

test('an end without FINAL_DATA counts once the last of what came before it does', async () => {
  let waits = 0;
  const { peer, events, got } = await stand({ admitMessage: () => (waits++ % 2 === 0 ? 1 : 0) }, true);
  peer.end(Buffer.concat([capsule(DATA, 'a'), capsule(DATA, 'b')]));
  await turnsUntil(() => events.heard.includes('client is lost'));
  expect(got()).toBe('ab');
});

test('FINAL_DATA comes behind the last of a service that has ended while its client was slow', async () => {
  const services = await startPairs('dialled', true);
  onTestFinished(() => services[Symbol.asyncDispose]());
  const { ours: upstream, peer: service } = await services.open();
  const [client, far] = duplexPair({ highWaterMark: 1024 });
  const session = sessionOf();
  void capsuleTunnel({ client, clientHead: Buffer.alloc(0), upstream, types: TYPES }, session);
  onTestFinished(() => session.link?.destroy());
  // More than the client's stream holds, and little enough to come at once with the end.
  const some = 40 * 1024;
  service.end(Buffer.alloc(some));
  await turnsUntil(() => upstream.isPaused() || upstream.readableEnded);
  await turns(20);
  const got: Buffer[] = [];
  far.on('data', (chunk: Buffer) => void got.push(chunk));
  await turnsUntil(() => got.at(-1)?.subarray(-5).equals(FINAL) === true);
  expect(session.down.bytes).toBe(some);
});

test('TCP asks an idle one whether its host is there, and looks whether it takes what it is sent', async () => {
  const keepAlive = vi.spyOn(Socket.prototype, 'setKeepAlive');
  onTestFinished(() => keepAlive.mockRestore());
  const { client } = await stand();
  expect(keepAlive.mock.calls.at(-1)).toEqual([true, 60_000]);
  expect(client.silence(performance.now())).toBe(undefined);
  client.send(Buffer.from('x'));
  await turns(2);
  expect(client.silence(performance.now())).toBe(0);
  client.ping();
  await turnsUntil(() => client.silence(performance.now()) === undefined);
});

test('what a service says may be looked at, and changed, before its client gets it', async () => {
  const services = await startPairs('dialled', false);
  onTestFinished(() => services[Symbol.asyncDispose]());
  const { ours: upstream, peer: service } = await services.open();
  const [client, far] = duplexPair();
  const session = sessionOf();
  const overhear = (chunk: Buffer) => void chunk.write('B');
  void capsuleTunnel({ client, clientHead: Buffer.alloc(0), upstream, overhear, types: TYPES }, session);
  onTestFinished(() => session.link?.destroy());
  let got = '';
  far.on('data', (chunk: Buffer) => {
    got += chunk.toString('latin1');
  });
  service.write('A');
  await turnsUntil(() => got.endsWith('B'));
});
