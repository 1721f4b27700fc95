import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TcpV1 } from '../../../../src/bridge/tcp/v1/index.ts';
import type { RouteConfig } from '../../../../src/config/schema.ts';
import { decodeMessage } from '../../../../src/tcp-protocol/decode.ts';
import { encodeMessage } from '../../../../src/tcp-protocol/encode.ts';
import {
  MAX_CREDIT,
  TCP_PROTOCOL,
  TCP_RESUME_PROTOCOL,
  type TcpMessage,
  WINDOW_BYTES,
} from '../../../../src/tcp-protocol/types.ts';
import type { AdmittedRequest } from '../../../../src/upstream/forward.ts';
import { parsed, sampleConfig } from '../../../support/config.ts';
import { connection, type FarEnd, sessionOf } from '../../../support/ends.ts';
import { type Pair, type PairMaker, startPairs, turns } from '../../../support/pairs.ts';
import { within } from '../../../support/patience.ts';
import { BINARY, CLOSE, closeFrame, frame } from '../../../support/raw.ts';

/**
 * Clients that say anything in any order, are lost and come back, and a service that sends, stops reading and ends as it likes:
 * whatever happens, nobody throws, the client hears only what is legal and no more than it has given credit for, what is held
 * for the service is at most a window, and all comes to an end.
 */

const RUNS = 40;
const CLOSE_MS = 20;

let pairs: PairMaker;
beforeAll(async () => {
  pairs = await startPairs('dialled', false);
});
afterAll(() => pairs[Symbol.asyncDispose]());

type Step =
  | { readonly kind: 'say'; readonly message: TcpMessage; readonly pieces: number }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'ack'; readonly share: number }
  | { readonly kind: 'close'; readonly code: number }
  | { readonly kind: 'lost'; readonly knows: boolean; readonly share: number }
  | {
      readonly kind: 'service';
      readonly does: 'write' | 'end' | 'reset' | 'pause' | 'resume';
      readonly bytes: number;
    }
  | { readonly kind: 'wait' };

const code = fc.constantFrom(1000, 1001, 1005, 1011, 3000, 4000, 7, 65_535);
const reason = { code, error: fc.string({ maxLength: 10 }), text: fc.string({ maxLength: 200 }) };
const type = <T extends TcpMessage['type']>(name: T) => fc.constant(name);
const message: fc.Arbitrary<TcpMessage> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: type('DATA'),
      data: fc.integer({ min: 1, max: 65_536 }).map((size) => new Uint8Array(size)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: type('WINDOW'),
      credit: fc.constantFrom(1, 1000, WINDOW_BYTES, MAX_CREDIT, 2 ** 32 - 1),
    }),
  },
  fc.record({ type: type('FIN') }),
  fc.record({ type: type('RESET'), ...reason }),
  fc.record({ type: type('FAILED'), ...reason }),
  fc.record({ type: type('AUTH'), accessToken: fc.string({ minLength: 1, maxLength: 50 }) }),
  fc.record({ type: type('AUTH_OK'), expiresAt: fc.nat() }),
  fc.record({ type: type('ACK'), offset: fc.nat(100_000) }),
  fc.record({
    type: type('RESUME'),
    resumeId: fc.constant(new Uint8Array(16)),
    offset: fc.nat(10),
    credit: fc.nat(),
  }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('say' as const),
      message,
      pieces: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('bytes' as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('ack' as const), share: fc.constantFrom(0, 0.5, 1) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('close' as const), code: fc.constantFrom(1000, 1001, 4000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('lost' as const),
      knows: fc.boolean(),
      share: fc.constantFrom(0, 0.5, 1, 1),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('service' as const),
      does: fc.constantFrom('write', 'write', 'write', 'end', 'reset', 'pause', 'resume'),
      bytes: fc.integer({ min: 1, max: 300_000 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'wait' as const }) },
);

/** One client of one connection, over all its WebSockets. */
class Scene {
  readonly #v1: TcpV1;
  readonly #pair: Pair;
  readonly #running: Promise<unknown>[] = [];
  far!: FarEnd;
  #resumeId: Uint8Array = new Uint8Array(16);
  /** Messages of WebSockets before this one that have been judged. */
  received = 0;
  #credit = 0;

  constructor(route: RouteConfig, pair: Pair) {
    this.#pair = pair;
    this.#v1 = new TcpV1(route, {
      reach: async () => ({ socket: pair.ours, name: 'service', label: 'service', release() {} }),
    });
  }

  async come(protocols: readonly string[]): Promise<void> {
    const grant = { claims: {}, releases: [] };
    const request = { protocols, grant, connectionId: 'c' } as unknown as AdmittedRequest;
    const bridge = await this.#v1.dial(request, AbortSignal.timeout(5_000));
    const { ours, far } = connection();
    this.far = far;
    const session = sessionOf({ closeMs: CLOSE_MS, stallMs: 5_000 });
    this.#running.push(bridge.run(ours, Buffer.alloc(0), session));
    this.#credit = WINDOW_BYTES;
    await turns(2);
  }

  async act(step: Step): Promise<void> {
    if (step.kind === 'say') await this.#say(step.message, step.pieces);
    if (step.kind === 'bytes') await this.far.say(frame(BINARY, Buffer.from(step.bytes)));
    if (step.kind === 'ack')
      await this.#say({ type: 'ACK', offset: Math.floor(this.#judge() * step.share) }, 1);
    if (step.kind === 'close') await this.far.say(closeFrame(step.code));
    if (step.kind === 'lost') await this.#comeBack(step.knows, step.share);
    if (step.kind === 'service') this.#serve(step.does, step.bytes);
    await turns(3);
    expect(this.#pair.ours.writableLength).toBeLessThanOrEqual(WINDOW_BYTES);
    this.#judge();
  }

  async end(): Promise<void> {
    this.far.stream.destroy();
    this.#pair.peer.resume();
    await within(Promise.all([...this.#running, this.#v1.close()]), 'the end of all');
    this.#judge();
  }

  async #say(message: TcpMessage, pieces: number): Promise<void> {
    if (message.type === 'WINDOW') this.#credit += message.credit;
    const bytes = Buffer.from(encodeMessage(message));
    const size = Math.ceil(bytes.length / pieces);
    const cuts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => index * size);
    const frames = cuts.map((from, index) =>
      frame(index === 0 ? BINARY : 0, bytes.subarray(from, from + size), {
        fin: from + size >= bytes.length,
      }),
    );
    await this.far.say(...frames);
  }

  async #comeBack(knows: boolean, share: number): Promise<void> {
    const received = this.#judge();
    this.far.stream.destroy();
    await turns(3);
    await this.come([TCP_PROTOCOL, TCP_RESUME_PROTOCOL]);
    const resumeId = knows ? this.#resumeId : new Uint8Array(16);
    const offset = Math.floor(received * share);
    this.received = offset;
    this.#credit = WINDOW_BYTES;
    await this.#say({ type: 'RESUME', resumeId, offset, credit: WINDOW_BYTES }, 1);
  }

  #serve(does: Extract<Step, { kind: 'service' }>['does'], bytes: number): void {
    const { peer, reset } = this.#pair;
    if (does === 'write' && peer.writable) peer.write(Buffer.alloc(bytes));
    if (does === 'end') peer.end();
    if (does === 'reset' && !peer.destroyed) reset();
    if (does === 'pause') peer.pause();
    if (does === 'resume') peer.resume();
  }

  /** What this WebSocket has heard must be legal; returns how many bytes of the stream the client has by now. */
  #judge(): number {
    let [bytes, isOver, isFinished] = [0, false, false];
    for (const { opcode, payload } of this.far.frames) {
      if (opcode === CLOSE) {
        isOver = true;
        continue;
      }
      expect([isOver, opcode]).toEqual([false, BINARY]);
      const said = decodeMessage(payload);
      if (said.type === 'DATA') {
        expect(isFinished).toBe(false);
        bytes += said.data.length;
      }
      if (said.type === 'OPENED') this.#resumeId = said.resumeId;
      if (said.type === 'FIN') isFinished = true;
      expect(said.type).not.toMatch(/^(AUTH|RESUME)$/);
      isOver ||= said.type === 'RESET' || said.type === 'FAILED';
    }
    expect(bytes).toBeLessThanOrEqual(this.#credit);
    return this.received + bytes;
  }
}

test.each(['', ', resume: 60s'])('nothing breaks with {%s }', async (resume) => {
  const text = sampleConfig().replace(
    /upstream: .*/,
    `upstream: { tcp: "127.0.0.1:1" ${resume} }\n    timeouts: { close: ${CLOSE_MS}ms }`,
  );
  const [route] = parsed(text).routes as [RouteConfig];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      using pair = await pairs.open();
      pair.peer.resume();
      const scene = new Scene(route, pair);
      await scene.come([TCP_PROTOCOL]);
      for (const each of steps) {
        if (each.kind === 'lost' && resume === '') continue;
        await scene.act(each);
      }
      await scene.end();
    }),
    { numRuns: RUNS },
  );
});
