import type { Socket } from 'node:net';
import type { ProxyProtocol } from '../config/tcp/proxy-protocol.ts';
import type { StartTlsKind } from '../config/upstream-tls.ts';
import type { Ends } from '../proxy-protocol/types.ts';
import { type Facts, writeLocal, writeVersion1, writeVersion2 } from '../proxy-protocol/write.ts';
import { startTls } from './starttls/index.ts';

/**
 * What is said on a new connection in plain text, before TLS and before anything of a client. Resolves with what the service
 * has said in turn and the client is still to read. Rejects with a GatewayError; the socket is then the caller's to destroy.
 */
export type Preamble = (socket: Socket, signal: AbortSignal) => Promise<Buffer>;

/** Whom a connection is for. */
export interface Introduction {
  /** Absent: it cannot be said. */
  readonly ends: Ends | undefined;
  readonly facts: Facts;
}

export interface PreambleParts {
  readonly proxyProtocol?: ProxyProtocol | undefined;
  readonly starttls?: StartTlsKind | undefined;
}

const NOTHING = Buffer.alloc(0);

/**
 * The preamble of an upstream's connections: a PROXY header, then the way its protocol comes to TLS. `client` says whom a
 * connection is for; absent: for the gateway itself. Undefined where nothing is to be said.
 */
export function preambleOf(
  { proxyProtocol, starttls }: PreambleParts,
  client: (() => Introduction) | undefined,
): Preamble | undefined {
  if (proxyProtocol === undefined && starttls === undefined) return undefined;
  return async function sayFirst(socket, signal) {
    if (proxyProtocol !== undefined) socket.write(headerOf(proxyProtocol, client?.()));
    return starttls === undefined ? NOTHING : startTls(starttls, socket, signal);
  };
}

function headerOf(version: ProxyProtocol, { ends, facts }: Partial<Introduction> = {}): Buffer {
  if (ends === undefined) return writeLocal(version);
  return version === 'v1' ? writeVersion1(ends) : writeVersion2(ends, facts ?? {});
}
