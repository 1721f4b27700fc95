import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Ending, Link, SessionHandle } from '../../src/bridge/contract.ts';
import { relay } from '../../src/bridge/relay.ts';
import { connection, endingOf, sessionOf } from '../support/ends.ts';
import { turns, turnsUntil } from '../support/pairs.ts';
import { BINARY, CLOSE, closeFrame, frame, PING, PONG, TEXT } from '../support/raw.ts';

/** Two WebSocket peers joined, on connections in memory. */

const NOTHING = Buffer.alloc(0);

interface Heads {
  readonly client?: Buffer;
  readonly upstream?: Buffer;
  readonly deflate?: boolean;
}

function join(changes: Partial<SessionHandle> = {}, heads: Heads = {}) {
  const client = connection();
  const upstream = connection();
  const session = sessionOf(changes);
  const parts = {
    client: client.ours,
    upstream: upstream.ours,
    clientHead: heads.client ?? NOTHING,
    upstreamHead: heads.upstream ?? NOTHING,
    deflate: heads.deflate ?? false,
  };
  const done = relay(parts, session);
  return { client: client.far, upstream: upstream.far, session, link: session.link as Link, done };
}

type Joined = ReturnType<typeof join>;

/** Both peers end, as they do once they have said all. */
async function leave({ client, upstream, done }: Joined): Promise<Ending> {
  client.stream.end();
  upstream.stream.end();
  return done;
}

const toClient = (opcode: number, text: string, rest = {}) => frame(opcode, text, { masked: false, ...rest });
const WHOLE = toClient(BINARY, 'half a frame');
const [HALF, REST] = [WHOLE.subarray(0, 8), WHOLE.subarray(8)];

describe('frames', () => {
  test('pass both ways as the bytes they came as, and are counted', async () => {
    const { client, upstream, session } = join();
    const up = [
      frame(TEXT, 'one', { fin: false }),
      frame(0, 'two'),
      frame(PING, 'p'),
      frame(BINARY, 'three'),
    ];
    const down = [toClient(TEXT, 'a'), toClient(PONG, 'p')];
    await client.say(...up);
    await upstream.say(...down);
    expect(upstream.got).toEqual(Buffer.concat(up));
    expect(client.got).toEqual(Buffer.concat(down));
    expect([session.up, session.down]).toEqual([
      { messages: 2, bytes: 11 },
      { messages: 1, bytes: 1 },
    ]);
  });

  test('pass that came behind the handshakes', async () => {
    const { client, upstream } = join({}, { client: frame(TEXT, 'up'), upstream: toClient(TEXT, 'down') });
    await turns(3);
    expect([client.frames[0]?.payload.toString(), upstream.frames[0]?.payload.toString()]).toEqual([
      'down',
      'up',
    ]);
  });

  test('may be compressed where that was agreed upon', async () => {
    const compressed = frame(TEXT, 'x', { rsv: 4 });
    const agreed = join({}, { deflate: true });
    await agreed.client.say(compressed);
    expect(agreed.upstream.got).toEqual(compressed);
    const other = join();
    await other.client.say(compressed);
    expect(other.client.closeCode).toBe(1002);
  });

  test('of the client are charged to its limits, those of the upstream are not', async () => {
    const charged = { messages: 0, bytes: 0 };
    const { client, upstream } = join({
      admitMessage: () => {
        charged.messages++;
        return 0;
      },
      admitBytes: (count) => {
        charged.bytes += count;
        return 0;
      },
    });
    await client.say(frame(TEXT, 'x'), frame(PING));
    await upstream.say(toClient(TEXT, 'x'), toClient(PING, ''));
    expect(charged).toEqual({ messages: 2, bytes: frame(TEXT, 'x').length + frame(PING).length });
  });
});

test.each(['client', 'upstream'] as const)(
  'a %s that does not read stops the other peer, until it reads on',
  async (name) => {
    const joined = join();
    const other = name === 'client' ? joined.upstream : joined.client;
    const piece = frame(BINARY, Buffer.alloc(2 ** 16), { masked: name === 'upstream' });
    joined[name].stream.pause();
    for (let i = 0; i < 16; i++) await other.say(piece);
    expect(other.stream.writableLength).toBeGreaterThan(2 ** 19);
    joined[name].stream.resume();
    await turnsUntil(() => joined[name].got.length === 16 * piece.length);
  },
);

describe('after our Close', () => {
  test.each(['client', 'upstream'] as const)('nothing goes to the %s any more', async (name) => {
    const joined = join();
    const other = name === 'client' ? joined.upstream : joined.client;
    const masked = name === 'upstream';
    joined.link.close(endingOf('TOKEN_EXPIRED'));
    await other.say(frame(TEXT, 'late', { masked }), frame(PING, 'late', { masked }));
    joined.link.ping();
    await turns(3);
    expect(joined[name].opcodes).toEqual([CLOSE]);
  });

  test('messages of the client still reach the upstream where it is told later', async () => {
    const { client, upstream, link } = join();
    link.close(endingOf('GOING_AWAY'));
    await client.say(frame(TEXT, 'one'));
    expect([client.opcodes, upstream.opcodes]).toEqual([[CLOSE], [TEXT]]);
    await client.say(frame(TEXT, 'two'), closeFrame(1001));
    expect(upstream.opcodes).toEqual([TEXT, TEXT, CLOSE]);
  });
});

describe('amid a frame', () => {
  test('a Close waits for its end', async () => {
    const { client, upstream, link } = join();
    await upstream.say(HALF);
    link.close(endingOf('TOKEN_EXPIRED'));
    link.close(endingOf('INTERNAL'));
    await turns(3);
    expect([client.got, upstream.closeCode]).toEqual([HALF, 3000]);
    await upstream.say(REST, toClient(TEXT, 'late'));
    expect([client.opcodes, client.closeCode]).toEqual([[BINARY, CLOSE], 3000]);
  });

  test('a ping waits for its end', async () => {
    const { client, upstream, link } = join();
    await upstream.say(HALF);
    link.ping();
    await turns(3);
    expect([client.got, upstream.opcodes]).toEqual([HALF, [PING]]);
    await upstream.say(REST, toClient(TEXT, 'next'));
    expect(client.opcodes).toEqual([BINARY, PING, TEXT]);
  });

  test('a frame is finished though its sender has exceeded a limit, then the upstream is told', async () => {
    let left = 1;
    const { client, upstream } = join({
      admitBytes() {
        if (left-- === 0) throw endingOf('RATE_LIMITED').error;
        return 0;
      },
    });
    const whole = frame(BINARY, 'a frame in three');
    await client.say(whole.subarray(0, 8));
    await client.say(whole.subarray(8, 12));
    expect([client.closeCode, upstream.got.length]).toEqual([1008, 12]);
    await client.say(whole.subarray(12), frame(BINARY, 'late'));
    expect([upstream.opcodes, upstream.closeCode]).toEqual([[BINARY, CLOSE], 1001]);
  });

  test('who has lost its sender is sent nothing into it', async () => {
    const joined = join({ closeMs: 100 });
    await joined.upstream.say(HALF);
    joined.upstream.stream.destroy();
    await turns(3);
    expect([joined.client.got, joined.client.hasEnded]).toEqual([HALF, true]);
    expect(await leave(joined)).toMatchObject({ code: 1014, by: 'upstream' });
  });
});

describe('pings of the gateway', () => {
  test('go to both, masked and unmasked, and their pongs go no further', async () => {
    const { client, upstream, link } = join();
    link.ping();
    await turns(3);
    const [toTheClient, toTheUpstream] = [client.frames[0]?.payload, upstream.frames[0]?.payload];
    expect(link.unresponsivePeer(performance.now())).toBeDefined();
    await client.say(frame(PONG, toTheClient));
    expect(link.unresponsivePeer(performance.now())).toMatchObject({ name: 'upstream' });
    await upstream.say(frame(PONG, toTheUpstream, { masked: false }));
    expect(link.unresponsivePeer(performance.now())).toBeUndefined();
    expect([client.opcodes, upstream.opcodes]).toEqual([[PING], [PING]]);
  });

  test('a pong that is not ours passes on, even if one of ours is awaited', async () => {
    const { client, upstream, link } = join();
    link.ping();
    await client.say(frame(PONG, 'theirs'), frame(PONG, ''));
    expect(upstream.frames.map(({ payload }) => payload.toString()).slice(1)).toEqual(['theirs', '']);
  });
});

describe('the end', () => {
  test('a Close of the client is answered by the upstream', async () => {
    const joined = join();
    await joined.client.say(closeFrame(4000, 'bye'));
    expect([joined.upstream.closeCode, joined.client.closeCode]).toEqual([4000, undefined]);
    await joined.upstream.say(closeFrame(4001, '', false));
    expect(joined.client.closeCode).toBe(4001);
    expect(await leave(joined)).toEqual({ code: 4000, reason: 'bye', by: 'client', clean: true });
  });

  test('a Close of the upstream is answered by the client', async () => {
    const joined = join();
    await joined.upstream.say(closeFrame(4000, 'bye', false));
    expect([joined.upstream.closeCode, joined.client.closeCode]).toEqual([undefined, 4000]);
    await joined.client.say(closeFrame(4001));
    expect(joined.upstream.closeCode).toBe(4001);
    expect(await leave(joined)).toEqual({ code: 4000, reason: 'bye', by: 'upstream', clean: true });
  });

  test('that was there before the bridge is told at once', async () => {
    const ending = endingOf('TOKEN_EXPIRED');
    const joined = join({ attach: (link) => link.close(ending) });
    await turns(3);
    expect([joined.client.closeCode, joined.upstream.closeCode]).toEqual([3000, 3000]);
    expect(await leave(joined)).toBe(ending);
  });

  test('by force leaves nothing open', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const joined = join();
    joined.link.destroy();
    expect(await joined.done).toMatchObject({ code: 1001, by: 'gateway' });
    expect(vi.getTimerCount()).toBe(0);
  });
});
