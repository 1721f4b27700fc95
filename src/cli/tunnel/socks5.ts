import type { Socket } from 'node:net';
import { ConnectionError } from '../../client/index.ts';
import { createTaker, SocksError, type Taker } from './taker.ts';

/** SOCKS 5 (RFC 1928), of the server: without authentication, CONNECT only. */

/** Where a client wants to go, as it has said it: names are the gateway's to resolve. */
export interface Destination {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const NO_METHOD = 0xff;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

/** RFC 1928 §6. */
export const REPLY = {
  succeeded: 0,
  failure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  commandNotSupported: 7,
  addressNotSupported: 8,
} as const;

/** A client says where it wants to go at once. */
const TALK_MS = 10_000;

/**
 * Hears where the client of this socket wants to go; what it sends beyond that stays in the socket. It has ten seconds, and reads
 * why where it is refused. Throws SocksError.
 */
export async function hearDestination(socket: Socket, signal: AbortSignal): Promise<Destination> {
  const taker = createTaker(socket, AbortSignal.any([signal, AbortSignal.timeout(TALK_MS)]));
  try {
    return await converse(socket, taker.take);
  } finally {
    taker.release();
  }
}

async function converse(socket: Socket, take: Taker['take']): Promise<Destination> {
  await agree();
  const [version, command, , kind = 0] = await take(4);
  if (version !== VERSION) throw new SocksError('the request is not one of SOCKS 5');
  const host = await hostOf(kind);
  const port = (await take(2)).readUInt16BE();
  if (command !== CONNECT) refuse(REPLY.commandNotSupported, 'only CONNECT is served, no BIND and no UDP');
  if (!isHost(host)) refuse(REPLY.notAllowed, 'the name of the host has signs in it that none has');
  return { host, port };

  async function agree(): Promise<void> {
    const [version, count = 0] = await take(2);
    if (version !== VERSION) throw new SocksError(strange(version as number));
    const methods = await take(count);
    const isOpen = methods.includes(NO_AUTHENTICATION);
    if (isOpen) {
      socket.write(Buffer.from([VERSION, NO_AUTHENTICATION]));
      return;
    }
    socket.end(Buffer.from([VERSION, NO_METHOD]));
    throw new SocksError('the client wants to authenticate itself: there are no passwords here');
  }

  async function hostOf(kind: number): Promise<string> {
    if (kind === IPV4) return [...(await take(4))].join('.');
    if (kind === IPV6) return ipv6Text(await take(16));
    if (kind === NAME) return (await take((await take(1)).readUInt8())).toString('latin1');
    return refuse(REPLY.addressNotSupported, `type ${kind} of address is unknown`);
  }

  function refuse(reply: number, message: string): never {
    socket.end(replyOf(reply));
    throw new SocksError(message);
  }
}

/** An answer; the address it was connected from is the gateway's affair. */
export function replyOf(reply: number): Buffer {
  return Buffer.from([VERSION, reply, 0, IPV4, 0, 0, 0, 0, 0, 0]);
}

/** By the proxy error types of RFC 9209 §2.3. */
const REPLIES: Readonly<Record<string, number>> = {
  connection_refused: REPLY.refused,
  dns_error: REPLY.hostUnreachable,
  dns_timeout: REPLY.hostUnreachable,
  connection_timeout: REPLY.hostUnreachable,
  destination_not_found: REPLY.hostUnreachable,
  destination_unavailable: REPLY.hostUnreachable,
  destination_ip_unroutable: REPLY.networkUnreachable,
  destination_ip_prohibited: REPLY.notAllowed,
  http_request_denied: REPLY.notAllowed,
};

const NOT_ALLOWED: ReadonlySet<number> = new Set([1008, 3000, 3003]);

/** How a connection that was not made is told to the client. */
export function replyTo(error: unknown): number {
  if (!(error instanceof ConnectionError)) return REPLY.failure;
  return REPLIES[error.error] ?? (NOT_ALLOWED.has(error.code) ? REPLY.notAllowed : REPLY.failure);
}

function strange(version: number): string {
  if (version === 4)
    return 'the client speaks SOCKS 4: tell it to use SOCKS 5, and to leave names to the proxy';
  return 'the client does not speak SOCKS: tell it that this is a SOCKS 5 proxy, no HTTP proxy';
}

function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Letters of names and addresses: nothing that would mean something else in a URL. */
function isHost(host: string): boolean {
  return /^[\w.:-]+$/.test(host) && !/^\.+$/.test(host);
}
