import { once } from 'node:events';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { SessionHandle } from '../../../src/bridge/contract.ts';
import { PollClient } from '../../../src/bridge/poll/client.ts';
import { Outbox } from '../../../src/bridge/poll/outbox.ts';
import type { Message } from '../../../src/bridge/poll/profile.ts';
import { connection, Diary, endingOf, sessionOf } from '../../support/ends.ts';
import { startPairs, turns } from '../../support/pairs.ts';
import { within } from '../../support/patience.ts';
import { BINARY, CLOSE, closeFrame, type Frame, frame, PING, PONG, TEXT } from '../../support/raw.ts';

/** The client's side of a poll session, on a connection in memory. */

function stand(changes: Partial<SessionHandle> = {}, onMessage: (message: Message) => void = () => {}) {
  const { ours, far } = connection();
  const events = new Diary();
  const session = sessionOf(changes);
  const messages: string[] = [];
  const client = new PollClient({
    socket: ours,
    session,
    events,
    onMessage(message) {
      messages.push(message.data.toString());
      onMessage(message);
    },
  });
  client.peer.start(Buffer.alloc(0));
  return { client, far, events, session, messages };
}

/** From here on to the end of the test timers wait to be told. */
function holdTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
}

describe('what it sends', () => {
  test('is put together to messages and counted', async () => {
    const { far, session, messages } = stand();
    await far.say(frame(TEXT, 'one '), frame(BINARY, 'two ', { fin: false }), frame(0, 'three'));
    expect(messages).toEqual(['one ', 'two three']);
    expect(session.up).toEqual({ messages: 2, bytes: 13 });
  });

  test('may be a mebibyte at most, unless the route says otherwise', async () => {
    const MiB = 2 ** 20;
    for (const [messageSize, limit] of [
      [Infinity, MiB],
      [2 * MiB, 2 * MiB],
    ] as const) {
      const { far, events } = stand({ messageSize });
      await far.say(frame(BINARY, '', { length: limit }));
      expect(events.heard).toEqual([]);
      const other = stand({ messageSize });
      await other.far.say(frame(BINARY, '', { length: limit + 1 }));
      expect(other.events.heard).toEqual(['client fails MESSAGE_TOO_BIG']);
    }
  });

  test('ends the session if it is text and not UTF-8', async () => {
    const { far, events, messages } = stand();
    await far.say(frame(TEXT, Buffer.of(0xff)), frame(TEXT, 'x'));
    expect([events.heard, messages]).toEqual([['client fails INVALID_PAYLOAD'], []]);
  });

  test('waits where the queue is full, though one read has brought it all', async () => {
    const outbox = new Outbox(300, { onFull: () => source().hold(), onRoom: () => source().release() });
    const queue: Message[] = [];
    const { client, far, messages, events } = stand({}, (message) => outbox.push(message, queue));
    const source = () => client.peer.source;
    const texts = Array.from({ length: 9 }, (_, i) => `message ${i}`);
    await far.say(...texts.map((text) => frame(TEXT, text)), closeFrame(1000));
    expect([messages, events.heard]).toEqual([texts.slice(0, 2), []]);
    for (const text of texts) {
      expect(outbox.take(queue, 1).map(({ data }) => data.toString())).toEqual([text]);
      await turns(2);
    }
    expect(events.heard).toEqual(['client closes 1000']);
  });

  test('is charged, and waits where the limit says so', async () => {
    let asked = 0;
    const { far, messages } = stand({ admitMessage: () => (++asked === 2 ? 10 : 0) });
    holdTimers();
    await far.say(frame(TEXT, 'a'), frame(TEXT, 'b'));
    vi.advanceTimersByTime(9);
    await turns(3);
    expect([messages, asked]).toEqual([['a'], 2]);
    vi.advanceTimersByTime(1);
    while (messages.length < 2) await turns();
    expect([messages, asked]).toEqual([['a', 'b'], 3]);
  });
});

describe('its pings', () => {
  test('are answered here, in their order; its pongs are nobody’s business', async () => {
    const { far, messages } = stand();
    await far.say(frame(PING, 'a'), frame(PONG, 'x'), frame(PING, 'b'), frame(TEXT, 'text'));
    expect(far.frames.map(({ opcode, payload }) => [opcode, payload.toString()])).toEqual([
      [PONG, 'a'],
      [PONG, 'b'],
    ]);
    expect(messages).toEqual(['text']);
  });

  test('are charged like messages', async () => {
    let asked = 0;
    const { far } = stand({ admitMessage: () => (++asked === 1 ? 10 : 0) });
    holdTimers();
    await far.say(frame(PING, 'a'));
    vi.advanceTimersByTime(9);
    await turns(3);
    expect([far.opcodes, asked]).toEqual([[], 1]);
    vi.advanceTimersByTime(1);
    while (far.opcodes.length < 1) await turns();
    expect(asked).toBe(2);
  });

  test('are not answered after our Close', async () => {
    const { client, far } = stand();
    client.peer.tell(endingOf('TOKEN_EXPIRED'));
    await far.say(frame(PING, 'late'));
    expect(far.opcodes).toEqual([CLOSE]);
  });
});

describe('what it has', () => {
  const pings = (frames: readonly Frame[]) =>
    frames.filter(({ opcode }) => opcode === PING).map(({ payload }) => payload);

  test('is known by its answer to a ping behind it, which is no message of its own', async () => {
    let asked = 0;
    const { client, far } = stand({ admitMessage: () => 0 * ++asked });
    await client.deliver([{ data: 'a', binary: false }]);
    const confirmed = client.confirm(new AbortController().signal);
    await turns(2);
    expect(far.opcodes).toEqual([TEXT, PING]);
    const [payload] = pings(far.frames);
    await far.say(frame(PONG, payload as Buffer));
    expect([await confirmed, asked]).toEqual([true, 0]);
  });

  test('is not known by any other pong', async () => {
    const { client, far } = stand();
    let isKnown = false;
    void client.confirm(new AbortController().signal).then((answer) => {
      isKnown = answer;
    });
    await far.say(frame(PONG, 'x'), frame(PONG, ''));
    expect(isKnown).toBe(false);
    client.peer.destroy();
  });

  test('is asked for again where another ping was answered, for one answer may stand for both', async () => {
    const { client, far } = stand();
    const confirmed = client.confirm(new AbortController().signal);
    client.peer.ping();
    await turns(2);
    const [first, second] = pings(far.frames);
    await far.say(frame(PONG, second as Buffer));
    await turns(2);
    expect(pings(far.frames).at(-1)).toEqual(first);
    await far.say(frame(PONG, first as Buffer));
    expect(await confirmed).toBe(true);
  });

  test('is not waited for once the session is over', async () => {
    const { client } = stand();
    const aborting = new AbortController();
    const confirmed = client.confirm(aborting.signal);
    aborting.abort();
    expect(await confirmed).toBe(false);
    expect(await client.confirm(aborting.signal)).toBe(false);
    client.peer.destroy();
  });

  test('ends the session if it is not said in time', async () => {
    const silent = Promise.withResolvers<void>();
    const { ours } = connection();
    const session = sessionOf({ stallMs: 20 });
    const client = new PollClient({
      socket: ours,
      session,
      events: new Diary(),
      onMessage() {},
      onSilence: silent.resolve,
    });
    client.peer.start(Buffer.alloc(0));
    const aborting = new AbortController();
    void client.confirm(aborting.signal);
    await within(silent.promise, 'the silence');
    aborting.abort();
    client.peer.destroy();
  });

  test('may take longer while the client is not read', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const events: string[] = [];
    const { ours, far } = connection();
    const client = new PollClient({
      socket: ours,
      session: sessionOf({ stallMs: 1_000 }),
      events: new Diary(),
      onMessage() {},
      onSilence: () => events.push('silence'),
    });
    client.peer.start(Buffer.alloc(0));
    client.peer.source.hold();
    const confirmed = client.confirm(new AbortController().signal);
    vi.advanceTimersByTime(5_000);
    await turns(2);
    const [payload] = pings(far.frames);
    await far.say(frame(PONG, payload as Buffer));
    client.peer.source.release();
    expect([await confirmed, events]).toEqual([true, []]);
    client.peer.destroy();
  });
});

describe('what it is sent', () => {
  const text = (data: string): Message => ({ data, binary: false });

  test('comes in order, and is counted when the kernel has it', async () => {
    const { client, far, session } = stand();
    const delivered = client.deliver([text('one'), { data: Buffer.from('two'), binary: true }, text('')]);
    expect(session.down.messages).toBe(0);
    expect(await delivered).toBe(true);
    await turns(3);
    expect(far.frames.map(({ opcode, payload }) => [opcode, payload.toString()])).toEqual([
      [TEXT, 'one'],
      [BINARY, 'two'],
      [TEXT, ''],
    ]);
    expect(session.down).toEqual({ messages: 3, bytes: 6 });
  });

  test('is cut into fragments that another frame may go between', async () => {
    const { client, far, session } = stand();
    const delivered = client.deliver([text('x'.repeat(150_000))]);
    client.peer.ping();
    expect(await delivered).toBe(true);
    await turns(3);
    const data = far.frames.filter(({ opcode }) => opcode < CLOSE);
    expect(data.map(({ opcode, fin, payload }) => [opcode, fin, payload.length])).toEqual([
      [TEXT, false, 65_536],
      [0, false, 65_536],
      [0, true, 150_000 - 2 * 65_536],
    ]);
    expect(far.opcodes.indexOf(PING)).toBeLessThan(far.opcodes.lastIndexOf(0));
    expect(session.down).toEqual({ messages: 1, bytes: 150_000 });
  });

  test('nothing comes after our Close, and whoever delivers is told', async () => {
    const { client, far, session } = stand();
    client.peer.tell(endingOf('TOKEN_EXPIRED'));
    expect(await client.deliver([text('late')])).toBe(false);
    await turns(3);
    expect([far.opcodes, session.down.messages]).toEqual([[CLOSE], 0]);
  });

  test('what is on its way when we close still comes before the Close, and nothing more is wanted', async () => {
    const { client, far, session } = stand();
    far.stream.pause();
    client.peer.sink.write(frame(BINARY, Buffer.alloc(200_000), { masked: false }));
    const delivered = client.deliver([text('on its way')]);
    await turns(3);
    client.peer.tell(endingOf('TOKEN_EXPIRED'));
    far.stream.resume();
    expect(await delivered).toBe(false);
    await turns(3);
    expect([far.opcodes, session.down.messages]).toEqual([[BINARY, TEXT, CLOSE], 1]);
  });

  test('what a client does not take before it goes is not counted', async () => {
    await using pairs = await startPairs('dialled', false);
    using pair = await pairs.open();
    const session = sessionOf();
    const client = new PollClient({ socket: pair.ours, session, events: new Diary(), onMessage() {} });
    client.peer.start(Buffer.alloc(0));
    // The kernel takes some mebibytes for a peer that does not read.
    const message = { data: Buffer.alloc(64 * 1024), binary: true };
    const delivered = client.deliver(Array<Message>(512).fill(message));
    for (let before = -1; before !== session.down.messages; await turns(50)) before = session.down.messages;
    client.peer.destroy();
    expect(await delivered).toBe(false);
    let received = 0;
    pair.peer.on('data', ({ length }: Buffer) => {
      received += length;
    });
    await within(once(pair.peer, 'end'), 'the end of the client');
    expect(session.down.messages).toBe(Math.floor(received / (64 * 1024)));
  });
});
