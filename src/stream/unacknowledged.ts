import { createReadStream } from 'node:fs';
import { isIPv6, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import ipaddr from 'ipaddr.js';

/**
 * Whether a peer's host still takes what is sent to it, as Linux tells in /proc/net/tcp (proc(5)). A host that has vanished
 * acknowledges nothing, and without this nobody would know for a quarter of an hour: a kernel sends again and again, Node
 * has no TCP_USER_TIMEOUT, and a protocol that is not ours cannot be pinged. Elsewhere nothing is known.
 */

/** What makes a connection one: both ends. */
export type Connection = Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>;

/** What a kernel knows of what was sent on a connection. */
export interface Delivery {
  /** Bytes that the peer's system has not acknowledged yet. */
  readonly unacknowledged: number;
  /** Some of them are being sent again for want of that: the host may have vanished. */
  readonly isRepeated: boolean;
}

/** Number, ends, state, queues, timer, retransmissions. */
const LINE = /^ *\d+: (\S+ \S+) \S+ (\w+):\S+ (\w+):\S+ (\w+)/;
/** The retransmission timer runs; 4 would be a window that is closed: a peer that is there, but does not read. */
const RETRANSMITTING = '01';
/** A look reads a whole table: there are so many at most, the event loop is theirs for a sixth of the time, a thread for half of it. */
const LOOK_EVERY_MS = 100;
const REST = 5;

/** Looks, after the call, at what has become of what was sent. Resolves with undefined where nobody can tell. Never rejects. */
export async function lookAtDelivery(connection: Connection): Promise<Delivery | undefined> {
  const ends = endsOf(connection);
  if (ends === undefined) return undefined;
  return TABLES[isIPv6(connection.remoteAddress ?? '') ? 'tcp6' : 'tcp'].find(ends);
}

/**
 * Resolves when all that has left this process is acknowledged, or never will be: what is not a reset would take with it (RFC
 * 9293 §3.10.5). So it does when the socket is destroyed, when `isGone` says so, and where nobody can tell. Never rejects.
 */
export async function untilDelivered(socket: Socket, isGone: () => boolean): Promise<void> {
  while (!socket.destroyed && !isGone() && socket.bytesWritten > 0) {
    const delivery = await lookAtDelivery(socket);
    if (delivery === undefined || delivery.unacknowledged === 0 || delivery.isRepeated) return;
  }
}

/** The looks at one of the kernel's tables: each is for all who have asked before it begins. */
export class DeliveryTable {
  readonly #file: string;
  /** By the ends of their connections. */
  #asking = new Map<string, PromiseWithResolvers<Delivery | undefined>>();
  #lastLook: Promise<void> = Promise.resolve();
  #restsUntil = 0;
  /** For how long the last look has kept everybody else waiting. */
  #heldMs = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** What the table has of a connection at the next look. Never rejects. */
  find(ends: string): Promise<Delivery | undefined> {
    if (this.#asking.size === 0) this.#lastLook = this.#lastLook.then(() => this.#look());
    const asked = this.#asking.get(ends) ?? Promise.withResolvers();
    this.#asking.set(ends, asked);
    return asked.promise;
  }

  async #look(): Promise<void> {
    const rest = this.#restsUntil - performance.now();
    await (rest > 0 ? sleep(rest) : nextTurn());
    const asking = this.#asking;
    this.#asking = new Map();
    const began = performance.now();
    this.#heldMs = 0;
    await this.#read(asking).catch(() => {});
    for (const { resolve } of asking.values()) resolve(undefined);
    const now = performance.now();
    this.#restsUntil = Math.max(began + LOOK_EVERY_MS, now + REST * this.#heldMs, now + (now - began));
  }

  /** Line by line, and piece by piece: with 50,000 connections it has 7 MB. */
  async #read(asking: Map<string, PromiseWithResolvers<Delivery | undefined>>): Promise<void> {
    let begun = '';
    for await (const piece of createReadStream(this.#file, 'latin1')) {
      const began = performance.now();
      const lines = `${begun}${piece}`.split('\n');
      begun = lines.pop() ?? '';
      answer(lines, asking);
      this.#heldMs += performance.now() - began;
      if (asking.size === 0) return;
    }
  }
}

function answer(
  lines: readonly string[],
  asking: Map<string, PromiseWithResolvers<Delivery | undefined>>,
): void {
  for (const line of lines) {
    const found = readLine(line);
    if (found === undefined) continue;
    asking.get(found.ends)?.resolve(found.delivery);
    asking.delete(found.ends);
  }
}

/**
 * The same for the whole process, and so are the looks at them: one that begins while somebody has replaced the global clock
 * goes by the clock of Node, or nobody would be answered from then on.
 */
const TABLES = { tcp: new DeliveryTable('/proc/net/tcp'), tcp6: new DeliveryTable('/proc/net/tcp6') };

/** What a line of the table says; undefined for its heading. Pure. */
export function readLine(line: string): { readonly ends: string; readonly delivery: Delivery } | undefined {
  const [, ends, queue = '', timer, count = ''] = LINE.exec(line) ?? [];
  if (ends === undefined) return undefined;
  const isRepeated = timer === RETRANSMITTING && Number.parseInt(count, 16) > 0;
  return { ends, delivery: { unacknowledged: Number.parseInt(queue, 16), isRepeated } };
}

/** Both ends of a connection as the table writes them; undefined of one that has none. Pure. */
export function endsOf({
  localAddress,
  localPort,
  remoteAddress,
  remotePort,
}: Connection): string | undefined {
  const local = endpoint(localAddress, localPort);
  const remote = endpoint(remoteAddress, remotePort);
  return local === undefined || remote === undefined ? undefined : `${local} ${remote}`;
}

/** An endpoint as the table writes it: each four bytes of the address as the machine would read them, then the port. */
function endpoint(address: string | undefined, port: number | undefined): string | undefined {
  if (address === undefined || port === undefined || !ipaddr.isValid(address)) return undefined;
  const bytes = Buffer.from(ipaddr.parse(address.split('%', 1)[0] as string).toByteArray());
  if (LITTLE_ENDIAN) bytes.swap32();
  return `${bytes.toString('hex').toUpperCase()}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
