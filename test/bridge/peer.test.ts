import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LAST_READ_MS } from '../../src/bridge/closing.ts';
import type { PeerName, SessionHandle } from '../../src/bridge/contract.ts';
import { Peer } from '../../src/bridge/peer.ts';
import { GatewayError } from '../../src/errors.ts';
import { type FrameHandler, PASS } from '../../src/frames/reader.ts';
import { connection, Diary, endingOf, type FarEnd, sessionOf } from '../support/ends.ts';
import { turns } from '../support/pairs.ts';
import { BINARY, CLOSE, closeFrame, frame, PING, PONG } from '../support/raw.ts';

/** One WebSocket peer of a bridge, on a connection in memory; a second one where its frames matter. */

const CONTINUATION = 0;
const STALL_MS = 1_000;
const NOTHING = Buffer.alloc(0);

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

interface Stood {
  readonly peer: Peer;
  readonly far: FarEnd;
  /** Opcodes of the frames it has sent, of those that were the bridge's business. */
  readonly passed: number[];
}

function stand(name: PeerName, session: SessionHandle, events: Diary, to: () => Peer | undefined): Stood {
  const { ours, far } = connection();
  const passed: number[] = [];
  const frames: FrameHandler = {
    frame(reader) {
      const action = peer.admitFrame(reader);
      if (action === 0) passed.push(reader.opcode);
      return action;
    },
    control(opcode, payload) {
      const own = peer.onControl(opcode, payload);
      if (own === undefined) passed.push(opcode);
      return own ?? peer.admit();
    },
    payload() {},
    raw: (bytes, from, end) => to()?.sink.write(bytes.subarray(from, end)),
    boundary: () => to()?.flushWaiting(),
    violation: (violation, detail) => peer.onViolation(violation, detail),
  };
  const peer: Peer = new Peer({ name, socket: ours, session, deflate: false, frames, events });
  return { peer, far, passed };
}

/** One peer that nobody talks to but the gateway. */
function alone(name: PeerName = 'client', changes: Partial<SessionHandle> = {}) {
  const events = new Diary();
  const session = sessionOf({ stallMs: STALL_MS, ...changes });
  const stood = stand(name, session, events, () => undefined);
  stood.peer.start(NOTHING);
  return { ...stood, events, session };
}

/** A client, and an upstream whose frames go to it. */
function together(changes: Partial<SessionHandle> = {}) {
  const events = new Diary();
  const session = sessionOf({ stallMs: STALL_MS, ...changes });
  const client = stand('client', session, events, () => undefined);
  const upstream = stand('upstream', session, events, () => client.peer);
  client.peer.carry(upstream.peer);
  client.peer.start(NOTHING);
  upstream.peer.start(NOTHING);
  return { client, upstream, events };
}

const fromServer = { masked: false };
/** Half of a frame from a server, and the rest of it. */
const WHOLE = frame(BINARY, 'half a frame', fromServer);
const [HALF, REST] = [WHOLE.subarray(0, 8), WHOLE.subarray(8)];

describe('what it is told', () => {
  test('a client gets a Close without a mask, an upstream one with', async () => {
    for (const name of ['client', 'upstream'] as const) {
      const { peer, far } = alone(name);
      peer.tell(endingOf('TOKEN_EXPIRED'));
      await turns(3);
      expect((far.got[1] as number) >= 0x80).toBe(name === 'upstream');
      expect(far.closeCode).toBe(3000);
    }
  });

  test('the first Close counts, and nothing follows it', async () => {
    const { peer, far } = alone();
    peer.tell(endingOf('TOKEN_EXPIRED'));
    peer.tell(endingOf('IDLE'));
    peer.ping();
    peer.sendPong(Buffer.from('x'));
    await turns(3);
    expect([far.closeCode, far.opcodes, peer.isTold, peer.takesFrames]).toEqual([3000, [CLOSE], true, false]);
  });

  test('amid a frame the Close waits for its end, and no later one takes its place', async () => {
    const { client, upstream, events } = together();
    await upstream.far.say(HALF);
    client.peer.tell(endingOf('TOKEN_EXPIRED'));
    client.peer.tell(endingOf('IDLE'));
    await turns(3);
    expect([client.peer.isTold, client.far.got.length]).toEqual([false, HALF.length]);
    await upstream.far.say(REST);
    expect([client.far.opcodes, client.far.closeCode]).toEqual([[BINARY, CLOSE], 3000]);
    expect(events.heard).toEqual(['progress']);
  });

  test('what it did wrong itself, whatever the ending is', async () => {
    const { peer, far } = alone();
    await far.say(frame(BINARY, 'x', { rsv: 2 }));
    peer.tell(endingOf('TOKEN_EXPIRED'));
    await turns(3);
    expect(far.closeCode).toBe(1002);
  });

  test('the answer of the other peer to its Close, but not where the end has another reason', async () => {
    for (const [ending, code] of [
      [{ code: 1000, reason: '', by: 'client', clean: true }, 4001],
      [endingOf('TOKEN_EXPIRED'), 3000],
    ] as const) {
      const { client, upstream } = together();
      await upstream.far.say(closeFrame(4001, 'the answer', false));
      client.peer.tell(ending);
      await turns(3);
      expect(client.far.closeCode).toBe(code);
    }
  });
});

describe('a frame to it that will never be finished', () => {
  test.each<[string, (upstream: Stood) => unknown, boolean]>([
    ['because the other peer is gone', ({ far }) => far.stream.destroy(), true],
    ['because the other peer is not read any more', ({ peer, far }) => far.say(cutOff(peer)), true],
    ['though the other peer has closed its socket in between two frames', finishAndLeave, false],
  ])('leaves nothing to be said: %s', async (_name, fail, isStuck) => {
    const { client, upstream } = together();
    await upstream.far.say(HALF);
    expect([client.peer.isTold, client.peer.isFinished]).toEqual([false, false]);
    await fail(upstream);
    await turns(3);
    expect([client.peer.isTold, client.peer.isFinished]).toEqual([isStuck, isStuck]);
    client.peer.tell(endingOf('TOKEN_EXPIRED'));
    await turns(3);
    expect(client.far.opcodes).toEqual(isStuck ? [] : [BINARY, CLOSE]);
  });

  /** Too little to finish its frame, and too much to be read. */
  function cutOff(peer: Peer): Buffer {
    peer.limit(1);
    return Buffer.from('x');
  }

  async function finishAndLeave({ far }: Stood): Promise<void> {
    await far.say(REST);
    far.stream.destroy();
  }
});

describe('it is finished', () => {
  test.each<[string, (stood: ReturnType<typeof alone>) => unknown, string[]]>([
    ['when it has closed', ({ far }) => far.say(closeFrame(4000, 'bye')), ['client closes 4000 bye']],
    ['when it has sent a FIN', ({ far }) => far.stream.end(), ['client is lost']],
    [
      'when it broke a rule',
      ({ far }) => far.say(frame(BINARY, '', { rsv: 2 })),
      ['client fails PROTOCOL_ERROR'],
    ],
    ['when it is known not to answer', ({ peer }) => peer.bury(), []],
    [
      'when it sends too much after the end',
      ({ peer, far }) => {
        peer.limit(10);
        return far.say(frame(BINARY, Buffer.alloc(20)));
      },
      ['progress'],
    ],
  ])('%s', async (_name, act, heard) => {
    const stood = alone();
    await act(stood);
    await turns(3);
    expect(stood.peer.isFinished).toBe(true);
    expect(stood.events.heard).toEqual(heard);
  });

  test('what it sends after it broke a rule is not looked at', async () => {
    const { far, passed, events } = alone();
    await far.say(frame(BINARY, '', { rsv: 2 }), frame(BINARY, 'x'));
    await far.say(frame(PING, 'x'), closeFrame(1000));
    expect([passed, events.heard]).toEqual([[], ['client fails PROTOCOL_ERROR']]);
  });
});

describe('alive', () => {
  const at = () => performance.now();

  test('who is not asked owes nothing; who does not answer, since the ping left', async () => {
    const { peer, far } = alone();
    expect(peer.silence(at())).toBeUndefined();
    peer.ping();
    await turns(3);
    vi.advanceTimersByTime(300);
    expect([far.opcodes, peer.silence(at())]).toEqual([[PING], 300]);
  });

  test('whoever sends anything is alive', async () => {
    const { peer, far } = alone();
    peer.ping();
    await turns(3);
    await far.say(frame(BINARY, 'x'));
    vi.advanceTimersByTime(300);
    expect(peer.silence(at())).toBeUndefined();
  });

  test('a pong is ours only if it carries our payload, and only once: others are the bridge’s business', async () => {
    const { peer, far, passed } = alone();
    await far.say(frame(PONG, ''));
    peer.ping();
    await turns(3);
    const [ping] = far.frames;
    await far.say(frame(PONG, 'another'), frame(PONG, ''));
    expect(passed).toEqual([PONG, PONG, PONG]);
    await far.say(frame(PONG, ping?.payload));
    expect(passed).toHaveLength(3);
    await far.say(frame(PONG, ping?.payload));
    expect(passed).toHaveLength(4);
  });

  test('payloads of pings are not to be guessed', async () => {
    const { peer, far } = alone();
    peer.ping();
    peer.ping();
    await turns(3);
    const payloads = far.frames.map(({ payload }) => payload.toString('hex'));
    expect([new Set(payloads).size, payloads[0]?.length]).toEqual([2, 16]);
  });

  test('amid a frame a ping waits for its end and is not forgotten; its clock starts when it has left', async () => {
    const { client, upstream } = together();
    await upstream.far.say(HALF);
    client.peer.ping();
    client.peer.ping();
    vi.advanceTimersByTime(5_000);
    await turns(3);
    expect([client.far.got.length, client.peer.silence(at())]).toEqual([HALF.length, 0]);
    await upstream.far.say(REST);
    expect(client.far.opcodes).toEqual([BINARY, PING]);
    vi.advanceTimersByTime(300);
    expect(client.peer.silence(at())).toBe(300);
  });

  test('a ping and a Close that wait both go out, the ping first', async () => {
    const { client, upstream } = together();
    await upstream.far.say(HALF);
    client.peer.ping();
    client.peer.tell(endingOf('TOKEN_EXPIRED'));
    await upstream.far.say(REST);
    expect(client.far.opcodes).toEqual([BINARY, PING, CLOSE]);
  });

  /** The far end stops reading, and what it does not read fills the sink. */
  async function fill({ peer, far }: Stood): Promise<void> {
    far.stream.pause();
    peer.sink.write(frame(BINARY, Buffer.alloc(2 ** 18), fromServer));
    await turns(3);
    expect(peer.sink.isFull).toBe(true);
  }

  test('a ping behind what is not read has not left; whoever then reads has time to answer', async () => {
    const stood = alone();
    const { peer, far } = stood;
    await fill(stood);
    peer.ping();
    vi.advanceTimersByTime(900);
    expect(peer.silence(at())).toBe(0);
    far.stream.resume();
    await turns(10);
    expect(far.opcodes).toEqual([BINARY, PING]);
    // It took until now to read: that is the stall deadline's business.
    vi.advanceTimersByTime(STALL_MS);
    expect(peer.silence(at())).toBe(0);
    vi.advanceTimersByTime(300);
    expect(peer.silence(at())).toBe(300);
  });

  /** A peer on a stream whose writes are out when the test says so. */
  function behindSlowWrites() {
    const waiting: (() => void)[] = [];
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => void waiting.push(done) });
    const frames = {
      control: (opcode: number, payload: Buffer) => peer.onControl(opcode, payload) ?? PASS,
      raw() {},
    } as unknown as FrameHandler;
    const session = sessionOf({ stallMs: STALL_MS });
    const peer = new Peer({
      name: 'client',
      socket: stream,
      session,
      deflate: false,
      frames,
      events: new Diary(),
    });
    peer.start(NOTHING);
    async function finishAll(): Promise<void> {
      for (let done = waiting.shift(); done !== undefined; done = waiting.shift()) {
        done();
        await turns(2);
      }
    }
    return { peer, stream, finishAll };
  }

  test('a ping behind a little that is on its way has not left either', async () => {
    const { peer, finishAll } = behindSlowWrites();
    peer.sink.write(frame(BINARY, 'a little', fromServer));
    await turns(2);
    peer.ping();
    vi.advanceTimersByTime(5_000);
    expect([peer.sink.isFull, peer.silence(at())]).toEqual([false, 0]);
    await finishAll();
    vi.advanceTimersByTime(300);
    expect(peer.silence(at())).toBe(300);
  });

  test('a pong counts that comes before its ping is known to have left', async () => {
    const { peer, stream, finishAll } = behindSlowWrites();
    const written = vi.spyOn(stream, 'write');
    peer.ping();
    const ping = written.mock.calls[0]?.[0] as Buffer;
    stream.push(frame(PONG, ping.subarray(2)));
    await turns(2);
    await finishAll();
    vi.advanceTimersByTime(5_000);
    expect(peer.silence(at())).toBeUndefined();
  });

  test('a ping that waits is not taken for one that has been answered', async () => {
    const { client, upstream } = together();
    client.peer.ping();
    await turns(3);
    await client.far.say(frame(PONG, client.far.frames[0]?.payload));
    await upstream.far.say(HALF);
    client.peer.ping();
    expect(client.peer.silence(at())).toBe(0);
    await upstream.far.say(REST);
    vi.advanceTimersByTime(300);
    expect(client.peer.silence(at())).toBe(300);
  });

  test('whoever is not read from cannot answer', async () => {
    const { peer } = alone();
    peer.source.hold();
    peer.ping();
    await turns(3);
    peer.source.release();
    vi.advanceTimersByTime(5_000);
    expect(peer.silence(at())).toBeUndefined();
    peer.ping();
    await turns(3);
    peer.source.hold();
    peer.source.release();
    vi.advanceTimersByTime(5_000);
    expect(peer.silence(at())).toBeUndefined();
    // The next ping counts again.
    peer.ping();
    await turns(3);
    vi.advanceTimersByTime(5_000);
    expect(peer.silence(at())).toBe(5_000);
  });

  test('whoever is told the end owes nothing more', async () => {
    const { peer } = alone();
    peer.ping();
    await turns(3);
    peer.tell(endingOf('TOKEN_EXPIRED'));
    expect(peer.silence(at() + 5_000)).toBeUndefined();
  });

  test('a peer that does not read gets no pongs', async () => {
    const stood = alone();
    const { peer, far } = stood;
    peer.sendPong(Buffer.from('read'));
    await turns(3);
    await fill(stood);
    for (let i = 0; i < 100; i++) peer.sendPong(Buffer.alloc(125));
    far.stream.resume();
    await turns(10);
    expect(far.opcodes).toEqual([PONG, BINARY]);
  });
});

describe('limits', () => {
  /** A session that keeps count, and lets pass what `wait` says. */
  function counted(wait: (message: number) => number = () => 0) {
    const seen = { messages: 0, bytes: 0 };
    const session: Partial<SessionHandle> = {
      admitMessage: () => wait(++seen.messages),
      admitBytes: (count) => {
        seen.bytes += count;
        return 0;
      },
    };
    return { seen, session };
  }

  const small = Buffer.alloc(1023);
  const large = Buffer.alloc(1024);
  test.each([
    ['a message', [frame(BINARY, 'x')], 1],
    ['a ping', [frame(PING)], 1],
    ['a message in large fragments', [begun(large), more(large), ended(large)], 1],
    ['each small fragment but the last', [begun(small), more(small), more(small), ended(small)], 3],
    ['each empty fragment', [begun(), ...Array<Buffer>(5).fill(more()), ended()], 6],
  ])('%s counts', async (_name, frames, count) => {
    const { seen, session } = counted();
    const { far } = alone('client', session);
    await far.say(...frames);
    expect(seen).toEqual({ messages: count, bytes: Buffer.concat(frames).length });
  });

  function begun(payload = NOTHING): Buffer {
    return frame(BINARY, payload, { fin: false });
  }
  function more(payload = NOTHING): Buffer {
    return frame(CONTINUATION, payload, { fin: false });
  }
  function ended(payload = NOTHING): Buffer {
    return frame(CONTINUATION, payload);
  }

  test('more fragments than there may be: the message is too big', async () => {
    const { far, events } = alone('client', { fragments: 3 });
    await far.say(begun(), more(), ended(), begun(), more());
    expect(events.heard).toEqual([]);
    await far.say(more());
    expect(events.heard).toEqual(['client fails MESSAGE_TOO_BIG']);
  });

  test('an upstream is charged nothing, and may send messages of any size', async () => {
    const { seen, session } = counted();
    const { far, events } = alone('upstream', { ...session, messageSize: 1, fragments: 1 });
    await far.say(frame(BINARY, 'large', { ...fromServer, fin: false }), frame(0, 'x', fromServer));
    expect([seen.messages, seen.bytes, events.heard]).toEqual([0, 0, []]);
  });

  test('what has to wait does, in its order, and nothing is read meanwhile', async () => {
    const { session } = counted((message) => (message === 2 ? 500 : 0));
    const { far, passed } = alone('client', session);
    await far.say(frame(BINARY, '1'), frame(BINARY, '2'), frame(PING));
    await far.say(frame(PONG));
    expect(passed).toEqual([BINARY]);
    vi.advanceTimersByTime(499);
    expect(passed).toEqual([BINARY]);
    vi.advanceTimersByTime(1);
    await turns(3);
    expect(passed).toEqual([BINARY, BINARY, PING, PONG]);
  });

  test('a debt of bytes is waited for', async () => {
    let debt = 500;
    const admitBytes = () => debt;
    const { far, passed } = alone('client', { admitBytes });
    await far.say(frame(BINARY, '1'));
    debt = 0;
    await far.say(frame(BINARY, '2'));
    expect(passed).toEqual([BINARY]);
    vi.advanceTimersByTime(500);
    await turns(3);
    expect(passed).toEqual([BINARY, BINARY]);
  });

  test('what came before the message that was one too many is on its way', async () => {
    const { session } = counted((message) => {
      if (message === 3) throw new GatewayError('RATE_LIMITED');
      return 0;
    });
    const events = new Diary();
    const other = connection();
    const to = new Peer({
      name: 'upstream',
      socket: other.ours,
      session: sessionOf(),
      deflate: false,
      frames: {} as FrameHandler,
      events,
    });
    const { peer, far } = stand('client', sessionOf(session), events, () => to);
    peer.start(NOTHING);
    await far.say(frame(BINARY, '1'), frame(BINARY, '2'), frame(BINARY, '3'));
    await far.say(frame(BINARY, '4'));
    expect(events.heard).toEqual(['client fails RATE_LIMITED']);
    expect(other.far.frames.map(({ payload }) => payload.toString())).toEqual(['1', '2']);
  });

  test('a frame that has begun when its bytes are too many is read to its end', async () => {
    const session = {
      admitBytes: (): number => {
        throw new GatewayError('RATE_LIMITED');
      },
    };
    const { peer, far, events } = alone('client', session);
    const whole = frame(BINARY, 'half a frame');
    await far.say(whole.subarray(0, 10));
    expect([events.heard, peer.reader.remaining > 0]).toEqual([['client fails RATE_LIMITED'], true]);
    await far.say(whole.subarray(10));
    expect(peer.reader.remaining).toBe(0);
  });

  test('after the end nothing is charged, and nothing waits', async () => {
    const { seen, session } = counted(() => 500);
    const { peer, far, passed } = alone('client', session);
    await far.say(frame(BINARY, '1'));
    peer.limit(1_000);
    await far.say(frame(BINARY, '2'));
    expect([passed, seen.messages]).toEqual([[BINARY, BINARY], 1]);
  });
});

describe('its socket', () => {
  test('is ended when it is let go of, behind what was written, and closes when the peer ends too', async () => {
    const { peer, far, events } = alone();
    peer.tell(endingOf('TOKEN_EXPIRED'));
    peer.release();
    await turns(3);
    expect([far.opcodes, far.hasEnded, peer.socket.destroyed]).toEqual([[CLOSE], true, false]);
    far.stream.end();
    await turns(5);
    expect(events.heard).toEqual(['client is lost', 'client is closed']);
  });

  test.each<[string, (peer: Peer, far: FarEnd) => unknown]>([
    ['who is known not to answer', (peer) => peer.bury()],
    [
      'who sends too much',
      (peer, far) => {
        peer.limit(1);
        return far.say(Buffer.from('xx'));
      },
    ],
  ])('is destroyed once all is written: %s', async (_name, act) => {
    const { peer, far } = alone();
    await act(peer, far);
    peer.tell(endingOf('TOKEN_EXPIRED'));
    peer.release();
    await turns(5);
    vi.advanceTimersByTime(LAST_READ_MS);
    expect([far.closeCode, far.hasEnded, peer.socket.destroyed]).toEqual([3000, true, true]);
  });

  test('is destroyed when too much comes after it was let go of', async () => {
    const { peer, far } = alone();
    peer.limit(1);
    peer.tell(endingOf('TOKEN_EXPIRED'));
    peer.release();
    await turns(5);
    expect(peer.socket.destroyed).toBe(false);
    await far.say(Buffer.from('xx'));
    vi.advanceTimersByTime(LAST_READ_MS - 1);
    expect(peer.socket.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(peer.socket.destroyed).toBe(true);
  });

  test('is destroyed when the peer has left our writes unread for too long, and that is told once', async () => {
    const { peer, far, events } = alone();
    far.stream.pause();
    peer.sink.write(frame(BINARY, Buffer.alloc(2 ** 18), fromServer));
    await turns(3);
    vi.advanceTimersByTime(STALL_MS - 1);
    expect(peer.isTold).toBe(false);
    vi.advanceTimersByTime(1);
    await turns(3);
    expect(events.heard).toEqual(['client stalls', 'client is closed']);
    expect([peer.isTold, peer.isFinished, vi.getTimerCount()]).toEqual([true, true, 0]);
  });

  test.each<[string, (peer: Peer) => unknown, string[]]>([
    ['closed', (peer) => peer.socket.destroy(), ['client is lost', 'client is closed']],
    ['ended', (peer) => peer.socket.resume().push(null), ['client is lost']],
  ])('may have been %s before it was ours', async (_name, act, heard) => {
    const events = new Diary();
    const { peer } = stand('client', sessionOf(), events, () => undefined);
    peer.socket.on('error', () => {});
    act(peer);
    await turns(3);
    peer.start(NOTHING);
    expect(events.heard).toEqual([]);
    await turns(3);
    expect(events.heard).toEqual(heard);
  });

  test('what came behind the handshake is read first', async () => {
    const events = new Diary();
    const { peer, far, passed } = stand('client', sessionOf(), events, () => undefined);
    far.stream.write(closeFrame(1000));
    peer.start(frame(PING, 'first'));
    await turns(3);
    expect([passed, events.heard]).toEqual([[PING], ['client closes 1000']]);
  });
});
