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

/** The retransmission timer runs; 4 would be a window that is closed: a peer that is there, but does not read. */
const RETRANSMITTING = '01';
/** A look reads the whole table, however many connections ask for it. */
const FRESH_MS = 1_000;

interface Look {
  readonly at: number;
  readonly table: Promise<string>;
}

/** The kernel's table is the same for the whole process, and so are the last looks at it. */
const looks = new Map<string, Look>();

/**
 * Resolves with true while what was sent on a connection is being sent again for want of an acknowledgement; with false if
 * it is not, or nobody can tell. Never rejects.
 */
export async function isUnacknowledged(connection: Connection): Promise<boolean> {
  const { remoteAddress } = connection;
  if (remoteAddress === undefined) return false;
  const text = await lookAt(isIPv6(remoteAddress) ? '/proc/net/tcp6' : '/proc/net/tcp');
  return isRetransmitting(text, connection);
}

function lookAt(file: string): Promise<string> {
  const last = looks.get(file);
  if (last !== undefined && performance.now() - last.at < FRESH_MS) return last.table;
  const table = readFile(file, 'latin1').catch(() => '');
  looks.set(file, { at: performance.now(), table });
  return table;
}

/** Reads the table's text: whether the line of a connection says that segments have been sent again. Pure. */
export function isRetransmitting(table: string, connection: Connection): boolean {
  const local = endpoint(connection.localAddress, connection.localPort);
  const remote = endpoint(connection.remoteAddress, connection.remotePort);
  if (local === undefined || remote === undefined) return false;
  const start = table.indexOf(` ${local} ${remote} `);
  if (start < 0) return false;
  const [, , , , , timer = '', count = ''] = table.slice(start, start + 200).split(/\s+/);
  return timer.startsWith(RETRANSMITTING) && Number.parseInt(count, 16) > 0;
}

/** An endpoint as the table writes it: each four bytes of the address as the machine would read them, then the port. */
function endpoint(address: string | undefined, port: number | undefined): string | undefined {
  if (address === undefined || port === undefined || !ipaddr.isValid(address)) return undefined;
  const bytes = Buffer.from(ipaddr.parse(address.split('%', 1)[0] as string).toByteArray());
  if (LITTLE_ENDIAN) bytes.swap32();
  return `${bytes.toString('hex').toUpperCase()}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
