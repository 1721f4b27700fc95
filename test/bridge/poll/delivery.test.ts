import { expect, test } from 'vitest';
import type { Peer } from '../../../src/bridge/peer.ts';
import { deliver } from '../../../src/bridge/poll/delivery.ts';

/** A client whose socket takes all that it is given at once. */
function fastClient() {
  const written: Buffer[] = [];
  const sink = {
    write: (bytes: Buffer) => void written.push(bytes),
    whenOut: (then: () => void) => then(),
  };
  return { written, peer: { takesFrames: true, sink } as unknown as Peer };
}

test.each([
  ['many small messages', Array(10_000).fill({ data: 'x', binary: false })],
  ['a large one', [{ data: Buffer.alloc(2 ** 20), binary: true }]],
])('others are served while a client takes %s as fast as they are written', async (_, messages) => {
  const { written, peer } = fastClient();
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const traffic = { messages: 0, bytes: 0 };
  expect(await deliver(peer, messages, traffic)).toBe(true);
  isOver = true;
  expect(turns).toBeGreaterThan(7);
  expect(traffic.messages).toBe(messages.length);
  expect(written.length).toBeGreaterThanOrEqual(10);
});

test('small messages are written in one piece, and large ones as they lie in memory', async () => {
  const { written, peer } = fastClient();
  const small = ['a', 'b'].map((data) => ({ data, binary: false }));
  await deliver(peer, small, { messages: 0, bytes: 0 });
  expect(written.splice(0)).toEqual([Buffer.from('\x81\x01a\x81\x01b', 'latin1')]);
  const data = Buffer.alloc(10_000);
  await deliver(peer, [{ data, binary: true }], { messages: 0, bytes: 0 });
  expect(written.map(({ buffer }) => buffer === data.buffer)).toEqual([false, true]);
});
