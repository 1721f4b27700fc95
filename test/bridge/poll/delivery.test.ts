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
  expect(written.length).toBeGreaterThan(2 * 10);
});
