import type { Duplex } from 'node:stream';
import { scratch } from './write-batch.ts';

/** What one read takes at most: a 64 KiB message comes in one, its header included. */
const READ_BYTES = 128 * 1024;
/** A chunk this small is copied: that costs less than keeping a buffer for its socket. */
export const SMALL_BYTES = 4 * 1024;
/** Small reads in a row after which a socket does not stream any more. */
const QUIET_READS = 8;
/** Buffers that streaming sockets may hold at the same time, 16 MiB in all. */
const MAX_BUFFERS = 128;

/**
 * Where every socket reads that has no buffer of its own. What comes here is copied out before it is handed on, so it
 * is free again before the next read: one buffer serves any number of connections.
 */
const landing = Buffer.allocUnsafeSlow(READ_BYTES);

/** The buffers of sockets that stream: bounded, and those given back are taken again. */
const pool = {
  spare: [] as Buffer[],
  left: MAX_BUFFERS,

  take(): Buffer | undefined {
    if (this.left === 0) return undefined;
    this.left--;
    return this.spare.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
  },
  give(buffer: Buffer): void {
    this.left++;
    this.spare.push(buffer);
  },
};

/**
 * Who is handed what comes. A chunk that `isBorrowed` is overwritten soon: a small one at the end of the turn, a large one
 * when this returns, unless `keep` has been called.
 */
type Take = (chunk: Buffer, isBorrowed: boolean) => void;

/** What of a `net.Socket` is not public: the fields behind the `onread` option of `net.connect`, and its handle. */
interface Innards {
  _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null;
  [field: symbol]: unknown;
}

/** The keys of those fields; the same for every socket, once one has been seen. */
let fields: { buffer: symbol; callback: symbol; generator: symbol } | undefined;

function findFields(innards: Innards): typeof fields {
  const symbols = Object.getOwnPropertySymbols(innards);
  const field = (name: string) => symbols.find((symbol) => symbol.description === name);
  const [buffer, callback, generator] = [field('kBuffer'), field('kBufferCb'), field('kBufferGen')];
  return buffer && callback && generator && { buffer, callback, generator };
}

/**
 * Gives an open socket what only `net.connect({ onread })` can ask for: reads land in the buffer that `next` names after
 * each of them. Returns false, and changes nothing, if the socket has not the shape that Node 22 to 26 gave it.
 */
function reuseBuffers(
  socket: Duplex,
  onRead: (count: number, into: Buffer) => void,
  next: () => Buffer,
): boolean {
  const innards = socket as unknown as Innards;
  fields ??= findFields(innards);
  if (fields === undefined || innards[fields.buffer] !== null) return false;
  if (typeof innards._handle?.useUserBuffer !== 'function') return false;
  innards[fields.buffer] = next();
  innards[fields.callback] = onRead;
  innards[fields.generator] = next;
  innards._handle.useUserBuffer(next());
  return true;
}

/**
 * Reads a socket without a new buffer for every read, which is what reading costs most in Node. A socket with small
 * messages reads into the common `landing`; one that streams gets a buffer to itself and its chunks are not copied.
 * Where the socket is not of the shape that `reuseBuffers` knows, 'data' events serve.
 */
export class SocketReader {
  readonly #take: Take;
  #own: Buffer | undefined;
  #kept: Buffer | undefined;
  #quiet = 0;

  constructor(take: Take) {
    this.#take = take;
  }

  /** Begins to hand on what comes; the socket still has to be resumed. */
  open(socket: Duplex): void {
    // What the socket had read before; and all it reads, where its buffer cannot be ours.
    socket.on('data', (chunk: Buffer) => this.#take(chunk, false));
    const onRead = (count: number, into: Buffer) => this.#onRead(count, into);
    if (reuseBuffers(socket, onRead, () => this.#next())) socket.on('close', () => this.#onClosed());
  }

  /** The chunk at hand is still in use when `take` returns: nothing may be read over it until `release`. */
  keep(): void {
    this.#kept = this.#own;
    this.#own = pool.take();
  }

  /** What was kept is not in use any more. */
  release(): void {
    if (this.#kept === undefined) return;
    pool.give(this.#kept);
    this.#kept = undefined;
  }

  #onRead(count: number, into: Buffer): void {
    if (count <= SMALL_BYTES) this.#onSmall(count, into);
    else this.#onLarge(count, into);
  }

  #onSmall(count: number, into: Buffer): void {
    const chunk = scratch(count);
    into.copy(chunk, 0, 0, count);
    this.#take(chunk, true);
    if (this.#own !== undefined && ++this.#quiet > QUIET_READS) this.#giveBack();
  }

  #onLarge(count: number, into: Buffer): void {
    this.#quiet = 0;
    if (into === landing) {
      this.#own ??= pool.take();
      this.#take(Buffer.from(into.subarray(0, count)), false);
      return;
    }
    this.#take(count === into.length ? into : into.subarray(0, count), true);
  }

  /** Where the next read is to land. */
  #next(): Buffer {
    return this.#own ?? landing;
  }

  #giveBack(): void {
    if (this.#own !== undefined) pool.give(this.#own);
    this.#own = undefined;
  }

  #onClosed(): void {
    this.#giveBack();
    // It may still be on its way out: nobody else gets it, but its place in the pool is free.
    if (this.#kept !== undefined) pool.left++;
    this.#kept = undefined;
  }
}
