import type { ClientRequest, IncomingMessage } from 'node:http';
import { headerClass } from '../http/header-classes.ts';

/**
 * The trailer fields that have come behind a body, as `addTrailers` takes them; empty before its end. Framing, routing
 * and the like have no place there (RFC 9110 §6.5.1).
 */
export function trailersOf({ rawTrailers }: IncomingMessage): [string, string][] {
  const trailers: [string, string][] = [];
  for (let at = 0; at < rawTrailers.length; at += 2) {
    const name = rawTrailers[at] as string;
    if (headerClass(name.toLowerCase()) === undefined) trailers.push([name, rawTrailers[at + 1] as string]);
  }
  return trailers;
}

/** Whether a client takes trailers, by its TE (RFC 9110 §10.1.4). */
export function takesTrailers({ headers: { te } }: IncomingMessage): boolean {
  return te !== undefined && /(?:^|,)[ \t]*trailers[ \t]*(?:,|;|$)/i.test(String(te));
}

/** Says in Connection that the TE of a request is this connection's own, as it must (RFC 9110 §10.1.4). */
export function nominateTe(upstream: ClientRequest): void {
  // Node writes this field by itself only where nobody else does.
  upstream.setHeader('Connection', upstream.shouldKeepAlive ? 'keep-alive, TE' : 'close, TE');
}
