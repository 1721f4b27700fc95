import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Ending } from '../../../src/bridge/contract.ts';
import { Bytes } from '../../../src/bridge/tcp/framing/bytes.ts';
import { GatewayError } from '../../../src/errors.ts';
import { endingOf } from '../../support/ends.ts';
import { turns, turnsUntil } from '../../support/pairs.ts';
import { BINARY, CLOSE, closeFrame, frame, PING, PONG, TEXT } from '../../support/raw.ts';
import { tunnelScenes } from '../../support/tunnel.ts';

const join = tunnelScenes();

describe('payload', () => {
  test('goes up as it was before it was masked, whatever its frames and chunks', async () => {
    const { client, session, got } = await join({}, { head: frame(BINARY, 'head ') });
    await client.say(frame(BINARY, 'one '), frame(TEXT, 'two ', { fin: false }), frame(0, 'three '));
    const cut = frame(BINARY, 'four');
    for (const byte of cut) await client.say(Buffer.of(byte));
    await turnsUntil(() => got().length >= 23);
    expect(got()).toBe('head one two three four');
    expect(session.up).toEqual({ messages: 4, bytes: 23 });
  });

  test('of many messages of one chunk goes up as one write', async () => {
    const { client, got, ours } = await join();
    const writes: number[] = [];
    const { write } = ours;
    ours.write = function count(this: typeof ours, bytes: Buffer, ...rest: never[]) {
      writes.push(bytes.length);
      return write.call(this, bytes, ...rest);
    } as typeof write;
    const texts = Array.from({ length: 20 }, (_, i) => `message ${i} `);
    await client.say(...texts.map((text) => frame(BINARY, text)));
    await turnsUntil(() => got().length === texts.join('').length);
    expect([got(), writes]).toEqual([texts.join(''), [texts.join('').length]]);
  });

  test('comes down as one binary message a read', async () => {
    const { client, service, session } = await join();
    service.write('from the service');
    await turnsUntil(() => client.frames.length > 0);
    expect(client.frames).toMatchObject([
      { opcode: BINARY, fin: true, payload: Buffer.from('from the service') },
    ]);
    expect(session.down).toEqual({ messages: 1, bytes: 16 });
  });

  test('of text is refused where it is not wanted', async () => {
    const { client } = await join({}, { framing: new Bytes(false) });
    await client.say(frame(BINARY, 'x'), frame(TEXT, 'x'), frame(BINARY, 'x'));
    expect(client.closeCode).toBe(1003);
  });
});

describe('who does not read', () => {
  const MiB = 2 ** 20;

  test('as a service stops the client', async () => {
    const { client, service } = await join();
    service.socket.pause();
    const message = frame(BINARY, Buffer.alloc(MiB));
    for (let i = 0; i < 32; i++) await client.say(message);
    expect(client.stream.writableLength).toBeGreaterThan(16 * MiB);
  });

  test('as a client stops the service', async () => {
    const { client, service, ours } = await join();
    client.stream.pause();
    service.write(Buffer.alloc(32 * MiB));
    for (let before = -1; before !== ours.bytesRead; await turns(20)) before = ours.bytesRead;
    expect(ours.bytesRead).toBeLessThan(4 * MiB);
  });
});

describe('control frames', () => {
  test('a ping is answered here, and goes no further; a pong is nobody’s business', async () => {
    const { client, got } = await join();
    await client.say(frame(PING, 'hello'), frame(PONG, 'x'), frame(BINARY, 'last'));
    await turnsUntil(() => got() !== '');
    expect(client.frames).toMatchObject([{ opcode: PONG, payload: Buffer.from('hello') }]);
    expect(got()).toBe('last');
  });

  test('they are charged, and wait where the limit says so', async () => {
    let asked = 0;
    const { client } = await join({ admitMessage: () => (++asked === 1 ? 20 : 0) });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    await client.say(frame(PING, 'a'), frame(PING, 'b'));
    vi.advanceTimersByTime(19);
    await turns(3);
    expect([client.opcodes, asked]).toEqual([[], 1]);
    vi.advanceTimersByTime(1);
    await turnsUntil(() => client.opcodes.length === 2);
    expect(asked).toBe(3);
  });

  test('to a client that does not read no pongs pile up', async () => {
    const { client, service } = await join();
    client.stream.pause();
    service.write(Buffer.alloc(2 ** 20));
    await turnsUntil(() => client.stream.readableLength > 0);
    await turns(20);
    await client.say(...Array<Buffer>(100).fill(frame(PING, Buffer.alloc(125))));
    client.stream.resume();
    await turnsUntil(() => client.got.length > 2 ** 20);
    await turns(20);
    expect(client.opcodes.filter((opcode) => opcode === PONG)).toEqual([]);
  });
});

describe('the end', () => {
  async function leave({ client, service, done }: Awaited<ReturnType<typeof join>>): Promise<Ending> {
    client.stream.end();
    service.socket.end();
    return done;
  }

  test('a message and the Close behind it come in one chunk: both reach the service', async () => {
    const joined = await join();
    await joined.client.say(frame(BINARY, 'the last message'), closeFrame(1000, 'done'));
    await joined.service.until(() => joined.service.end !== undefined, 'the end');
    expect([joined.got(), joined.service.end]).toEqual(['the last message', 'fin']);
    expect(joined.client.frames).toMatchObject([{ opcode: CLOSE }]);
    expect(await leave(joined)).toEqual({ code: 1000, reason: 'done', by: 'client', clean: true });
  });

  test('a message comes in one chunk with one that is too much: the first one reaches the service', async () => {
    let left = 1;
    const joined = await join({
      admitMessage() {
        if (left-- === 0) throw new GatewayError('RATE_LIMITED');
        return 0;
      },
    });
    await joined.client.say(frame(BINARY, 'the last message'), frame(BINARY, 'too much'));
    await joined.service.until(() => joined.service.end !== undefined, 'the end');
    expect([joined.got(), joined.service.end]).toEqual(['the last message', 'reset']);
    joined.client.stream.end();
    expect(await joined.done).toMatchObject({ code: 1008, by: 'gateway' });
  });

  test('of the service is told to the client behind its last bytes', async () => {
    const joined = await join();
    joined.service.write('the last bytes');
    joined.service.socket.end();
    await turnsUntil(() => joined.client.closeCode !== undefined);
    expect(joined.client.opcodes).toEqual([BINARY, CLOSE]);
    expect(await leave(joined)).toMatchObject({ code: 1000, by: 'upstream', clean: true });
    expect(joined.service.end).toBe('fin');
  });

  test('what the service sends after our Close is dropped', async () => {
    const joined = await join();
    joined.link.close(endingOf('IDLE'));
    joined.service.write('late');
    await turnsUntil(() => joined.ours.bytesRead > 0);
    await turns(3);
    expect(joined.client.opcodes).toEqual([CLOSE]);
    expect(joined.session.down.messages).toBe(0);
    await leave(joined);
  });

  test('what the client sends until it closes still reaches the service where the end is graceful, and nothing later', async () => {
    const joined = await join();
    joined.link.close(endingOf('IDLE'));
    await joined.client.say(frame(BINARY, 'in time'), closeFrame(1001));
    await joined.service.until(() => joined.service.end !== undefined, 'the end');
    expect([joined.got(), joined.service.end]).toEqual(['in time', 'reset']);
    await leave(joined);
  });

  test('what the client sends behind the token’s end does not reach the service', async () => {
    const joined = await join();
    const write = vi.spyOn(joined.ours, 'write');
    joined.link.close(endingOf('TOKEN_EXPIRED'));
    await joined.client.say(frame(BINARY, 'late'));
    expect(write).not.toHaveBeenCalled();
    await joined.service.until(() => joined.service.end !== undefined, 'the end');
    expect(joined.got()).toBe('');
    await leave(joined);
  });
});
