import { setImmediate as nextTurn } from 'node:timers/promises';
import { BINARY, CONTINUATION, TEXT } from '../../frames/opcodes.ts';
import { frameHeader } from '../../frames/writer.ts';
import type { Traffic } from '../contract.ts';
import type { Peer } from '../peer.ts';
import type { Message } from './profile.ts';

/**
 * Bytes given to the socket at a time. Long messages are sent in fragments of this size (RFC 6455 §5.4), so that a
 * client that reads slowly can be told from one that has stopped, and pings go in between.
 */
const WINDOW = 64 * 1024;
/** And frames, each of which may be written by itself. */
const MOST_FRAGMENTS = 1_024;
/** A frame of so many bytes is small. */
const SMALL = 4 * 1024;

interface Fragment {
  readonly opcode: number;
  readonly data: Buffer;
  readonly isLast: boolean;
}

/**
 * Writes messages to a client, a window at a time, and counts them. Resolves with true when the kernel has the last byte,
 * with false as soon as nothing may be sent to it any more. A client that stops reading is the sink's to notice.
 */
export async function deliver(
  client: Peer,
  messages: readonly Message[],
  traffic: Traffic,
): Promise<boolean> {
  let isFirst = true;
  for (const window of windowsOf(messages)) {
    // A client may be as fast as we are: others are served between two windows.
    if (!isFirst) await nextTurn();
    isFirst = false;
    if (!client.takesFrames) return false;
    for (const piece of piecesOf(window)) client.sink.write(piece);
    if (!(await isOut(client))) return false;
    count(window, traffic);
  }
  return client.takesFrames;
}

/** The frames of a window, in one piece where they are small: to write two costs more than to copy so few bytes. */
function piecesOf(window: readonly Fragment[]): Buffer[] {
  const pieces = window.flatMap(({ opcode, data, isLast }) => [
    frameHeader(opcode, data.length, { fin: isLast }),
    data,
  ]);
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  return size > SMALL * window.length ? pieces : [Buffer.concat(pieces, size)];
}

/** False if the client went away meanwhile. */
function isOut({ sink }: Peer): Promise<boolean> {
  return new Promise((resolve) => sink.whenOut((error) => resolve(!error)));
}

function count(window: readonly Fragment[], traffic: Traffic): void {
  for (const { data, isLast } of window) {
    traffic.bytes += data.length;
    if (isLast) traffic.messages++;
  }
}

/** Groups the fragments of all messages into lots of about a window. */
function* windowsOf(messages: readonly Message[]): Generator<Fragment[]> {
  let window: Fragment[] = [];
  let size = 0;
  for (const fragment of fragmentsOf(messages)) {
    window.push(fragment);
    size += fragment.data.length;
    if (size < WINDOW && window.length < MOST_FRAGMENTS) continue;
    yield window;
    window = [];
    size = 0;
  }
  if (window.length > 0) yield window;
}

function* fragmentsOf(messages: readonly Message[]): Generator<Fragment> {
  for (const { data, binary } of messages) {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    let at = 0;
    do {
      const end = at + WINDOW;
      const opcode = at > 0 ? CONTINUATION : binary ? BINARY : TEXT;
      yield { opcode, data: bytes.subarray(at, end), isLast: end >= bytes.length };
      at = end;
    } while (at < bytes.length);
  }
}
