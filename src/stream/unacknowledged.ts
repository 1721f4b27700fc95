import { readFile } from 'node:fs/promises';
import { isIPv6, type Socket } from 'node:net';
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

/** The retransmission timer runs; 4 would be a window that is closed: a peer that is there, but does not read. */
const RETRANSMITTING = '01';
/** A look reads the whole table, however many connections ask for it. */
const LOOK_EVERY_MS = 100;

/** The kernel's table is the same for the whole process, and so are the looks at it: the last one's time, the next one. */
const lastLooks = new Map<string, number>();
const nextLooks = new Map<string, Promise<string>>();

/** Looks, after the call, at what has become of what was sent. Resolves with undefined where nobody can tell. Never rejects. */
export async function lookAtDelivery(connection: Connection): Promise<Delivery | undefined> {
  const { remoteAddress } = connection;
  if (remoteAddress === undefined) return undefined;
  return readDelivery(await nextLook(isIPv6(remoteAddress) ? '/proc/net/tcp6' : '/proc/net/tcp'), connection);
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

/** The table as it stands at the next look, which everybody who asks before it shares. */
function nextLook(file: string): Promise<string> {
  const next = nextLooks.get(file) ?? look(file);
  nextLooks.set(file, next);
  return next;
}

async function look(file: string): Promise<string> {
  await wait((lastLooks.get(file) ?? 0) + LOOK_EVERY_MS - performance.now());
  lastLooks.set(file, performance.now());
  nextLooks.delete(file);
  return readFile(file, 'latin1').catch(() => '');
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms <= 0) setImmediate(resolve);
    else setTimeout(resolve, ms);
  });
}

/** Reads the line of a connection in the table's text; undefined if there is none. Pure. */
export function readDelivery(table: string, connection: Connection): Delivery | undefined {
  const local = endpoint(connection.localAddress, connection.localPort);
  const remote = endpoint(connection.remoteAddress, connection.remotePort);
  if (local === undefined || remote === undefined) return undefined;
  const start = table.indexOf(` ${local} ${remote} `);
  if (start < 0) return undefined;
  const [, , , , queues = '', timer = '', count = ''] = table.slice(start, start + 200).split(/\s+/);
  return {
    unacknowledged: Number.parseInt(queues, 16) || 0,
    isRepeated: timer.startsWith(RETRANSMITTING) && Number.parseInt(count, 16) > 0,
  };
}

/** An endpoint as the table writes it: each four bytes of the address as the machine would read them, then the port. */
function endpoint(address: string | undefined, port: number | undefined): string | undefined {
  if (address === undefined || port === undefined || !ipaddr.isValid(address)) return undefined;
  const bytes = Buffer.from(ipaddr.parse(address.split('%', 1)[0] as string).toByteArray());
  if (LITTLE_ENDIAN) bytes.swap32();
  return `${bytes.toString('hex').toUpperCase()}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
