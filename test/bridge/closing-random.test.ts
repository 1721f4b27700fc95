import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Link, PeerName } from '../../src/bridge/contract.ts';
import { relay } from '../../src/bridge/relay.ts';
import { type ErrorCode, GatewayError } from '../../src/errors.ts';
import { connection, endingOf, type FarEnd, sessionOf } from '../support/ends.ts';
import { turns } from '../support/pairs.ts';
import { BINARY, CLOSE, closeFrame, type Frame, frame, framesIn, PING, PONG } from '../support/raw.ts';

/**
 * Peers that send, stop amid a frame, stop reading, close and fail in any order, while the gateway pings and ends: whatever
 * happens, each peer gets one Close at most and nothing behind it, and the end is over in its time and leaves nothing.
 */

const CLOSE_MS = 1_000;
const STALL_MS = 700;
const RUNS = 700;
const LONG = Buffer.alloc(100_000);

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** What a peer says next; `share` of what it has not sent yet is sent. */
interface Say {
  readonly kind: 'say';
  readonly from: PeerName;
  readonly what: 'message' | 'long message' | 'fragment' | 'rest' | 'ping' | 'pong' | 'close' | 'nonsense';
  readonly share: number;
}
/** What else may happen to a peer. */
interface Happen {
  readonly kind: 'FIN' | 'RST' | 'pause' | 'resume';
  readonly to: PeerName;
}
/** What the gateway does. */
type Act =
  | { readonly kind: 'ping' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'end'; readonly code: ErrorCode; readonly silent: PeerName | undefined };
type Step = Say | Happen | Act;

const name = fc.constantFrom<PeerName>('client', 'upstream');
const say: fc.Arbitrary<Say> = fc.record({
  kind: fc.constant('say'),
  from: name,
  what: fc.constantFrom('message', 'long message', 'fragment', 'rest', 'ping', 'pong', 'close', 'nonsense'),
  share: fc.constantFrom(0.3, 0.7, 1, 1),
});
const happen: fc.Arbitrary<Happen> = fc.record({
  kind: fc.constantFrom('FIN', 'RST', 'pause', 'resume'),
  to: name,
});
const end: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('end'),
  code: fc.constantFrom('GOING_AWAY', 'IDLE', 'TOKEN_EXPIRED', 'PEER_SILENT', 'UPSTREAM_TIMEOUT'),
  silent: fc.option(name, { nil: undefined }),
});
const wait: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant('wait'),
  ms: fc.integer({ min: 1, max: 900 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: say, weight: 10 },
  { arbitrary: happen, weight: 3 },
  { arbitrary: end, weight: 1 },
  { arbitrary: wait, weight: 2 },
  { arbitrary: fc.constant<Act>({ kind: 'ping' }), weight: 2 },
);
/** What a limit says to each message: milliseconds to wait, or that it is one too many. */
const admission = fc.constantFrom<(number | 'too many')[]>(0, 0, 0, 0, 50, 'too many');

/** A peer that keeps what it has not sent yet. */
class Talker {
  readonly far: FarEnd;
  readonly #masked: boolean;
  #unsent = Buffer.alloc(0);

  constructor(far: FarEnd, masked: boolean) {
    this.far = far;
    this.#masked = masked;
  }

  say({ what, share }: Say): void {
    if (!this.far.stream.writable) return;
    this.#unsent = Buffer.concat([this.#unsent, this.#frame(what)]);
    const sent = Math.ceil(this.#unsent.length * share);
    this.far.stream.write(this.#unsent.subarray(0, sent));
    this.#unsent = this.#unsent.subarray(sent);
  }

  #frame(what: Say['what']): Buffer {
    const masked = this.#masked;
    if (what === 'close') return closeFrame(1000, 'bye', masked);
    if (what === 'long message') return frame(BINARY, LONG, { masked });
    if (what === 'nonsense') return frame(BINARY, '', { masked, rsv: 1 });
    if (what === 'ping' || what === 'pong') return frame(what === 'ping' ? PING : PONG, 'p', { masked });
    const opcode = what === 'rest' ? 0 : BINARY;
    return frame(opcode, 'some payload', { masked, fin: what !== 'fragment' });
  }
}

function happenTo(far: FarEnd, ours: { destroy(error: Error): void }, kind: Happen['kind']): void {
  if (kind === 'FIN') far.stream.end();
  if (kind === 'RST') ours.destroy(new Error('reset'));
  if (kind === 'pause') far.stream.pause();
  if (kind === 'resume') far.stream.resume();
}

/** Nothing has been put into a frame that was on its way. */
function isWhole({ opcode, payload }: Frame): boolean {
  if (opcode === PING || opcode === PONG) return payload.toString() === 'p' || payload.length === 8;
  return opcode === CLOSE || payload.toString() === 'some payload' || payload.equals(LONG);
}

/** One Close at most, the last of all that has come; and frames masked or not, as they must be. */
function expectInOrder(far: FarEnd, masked: boolean): void {
  const frames = framesIn(far.got);
  expect(frames.filter((one) => !isWhole(one))).toEqual([]);
  const closes = frames.filter(({ opcode }) => opcode === CLOSE);
  expect(closes.length).toBeLessThanOrEqual(1);
  if (closes.length === 0) return;
  expect(frames.at(-1)?.opcode).toBe(CLOSE);
  const sizes = frames.map(({ opcode, payload }) => frame(opcode, payload, { masked }).length);
  expect(far.got.length).toBe(sizes.reduce((sum, size) => sum + size, 0));
}

async function play(
  steps: readonly Step[],
  limits: readonly (number | 'too many')[],
  doBothLeave: boolean,
): Promise<void> {
  vi.clearAllTimers();
  const [client, upstream] = [connection(), connection()];
  const waits = [...limits];
  const session = sessionOf({
    closeMs: CLOSE_MS,
    stallMs: STALL_MS,
    admitMessage() {
      const said = waits.shift() ?? 0;
      if (said === 'too many') throw new GatewayError('RATE_LIMITED');
      return said;
    },
  });
  const nothing = { clientHead: Buffer.alloc(0), upstreamHead: Buffer.alloc(0), deflate: false };
  let isOver = false;
  void relay({ client: client.ours, upstream: upstream.ours, ...nothing }, session).then(() => {
    isOver = true;
  });
  const link = session.link as Link;
  const peers = { client, upstream };
  const talkers = { client: new Talker(client.far, true), upstream: new Talker(upstream.far, false) };

  let begunAt = Infinity;
  const hasBegun = ({ kind }: Step) =>
    kind === 'end' ||
    kind === 'RST' ||
    client.far.opcodes.includes(CLOSE) ||
    upstream.far.opcodes.includes(CLOSE);

  for (const step of steps) {
    if (step.kind === 'say') talkers[step.from].say(step);
    else if (step.kind === 'ping') link.ping();
    else if (step.kind === 'wait') vi.advanceTimersByTime(step.ms);
    else if (step.kind === 'end') link.close(endingOf(step.code), step.silent);
    else happenTo(peers[step.to].far, peers[step.to].ours, step.kind);
    await turns(2);
    link.unresponsivePeer(performance.now());
    if (hasBegun(step)) begunAt = Math.min(begunAt, performance.now());
    if (performance.now() - begunAt >= CLOSE_MS) expect(isOver, 'the session is over in its time').toBe(true);
  }
  link.close(endingOf('GOING_AWAY'));
  if (doBothLeave) for (const { far } of [client, upstream]) far.stream.resume().end();
  await turns(10);
  // Whoever a limit has wait is heard later.
  if (!isOver) vi.advanceTimersByTime(CLOSE_MS);
  await turns(5);

  expect(isOver, 'the session is over').toBe(true);
  expect(vi.getTimerCount(), 'timers').toBe(0);
  for (const { ours, far } of [client, upstream]) {
    expect(ours.destroyed).toBe(true);
    far.stream.resume();
  }
  await turns(3);
  expectInOrder(client.far, false);
  expectInOrder(upstream.far, true);
}

test('whatever peers do, and in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.array(admission, { maxLength: 10 }),
      fc.boolean(),
      play,
    ),
    { numRuns: RUNS },
  );
});
