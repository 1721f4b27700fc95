import type { AddressMatcher } from './address.ts';
import { normaliseAddress } from './address.ts';
import { badRequest, type Fields, parseParameters } from './fields.ts';

/** Whom a trusted proxy says it speaks for. */

/** The client behind a connection, after trusted proxies. */
export interface Client {
  readonly address: string;
  /** The client used TLS towards the first proxy that is ours, or towards us. */
  readonly secure: boolean;
  /** The `host[:port]` it asked the proxy for, in lower case; undefined where nobody trusted says. */
  readonly authority?: string | undefined;
}

/** What one kind of header says; undefined where it says nothing. */
interface Claim {
  readonly address: string | undefined;
  readonly secure: boolean | undefined;
  readonly authority: string | undefined;
}

const NO_CLAIM: Claim = { address: undefined, secure: undefined, authority: undefined };

/**
 * The client behind `peer`. Unless the peer is trusted that is the peer itself, whatever the headers say. The hops a
 * trusted peer names are walked from the right, each vouching for the one before it as long as it is trusted; a
 * hop that is no address ends the walk at the last good one.
 *
 * X-Forwarded-* and Forwarded may both be there if they agree; else BAD_REQUEST. A proxy sets one kind and passes the
 * other on as the client wrote it, so preferring either would let clients choose their address behind half the proxies.
 */
export function clientOf(peer: Client, fields: Fields, trusted: AddressMatcher): Client {
  if (!trusted(peer.address)) return peer;
  const legacy = readLegacy(peer.address, fields, trusted);
  const standard = readForwarded(peer.address, fields, trusted);
  return {
    address: agreed(legacy.address, standard.address, 'client addresses') ?? peer.address,
    secure: agreed(legacy.secure, standard.secure, 'protocols') ?? peer.secure,
    authority: agreed(legacy.authority, standard.authority, 'hosts'),
  };
}

function agreed<T>(one: T | undefined, other: T | undefined, what: string): T | undefined {
  if (one !== undefined && other !== undefined && one !== other) {
    throw badRequest(`X-Forwarded-* and Forwarded name different ${what}`);
  }
  return one ?? other;
}

function readLegacy(peer: string, fields: Fields, trusted: AddressMatcher): Claim {
  const hops = fields.all('x-forwarded-for').flatMap((value) => value.split(','));
  const reached = walk(peer, hops, trusted);
  return {
    address: hops.length === 0 ? undefined : reached.address,
    secure: isSecure(lastWord(fields.all('x-forwarded-proto'))),
    authority: readAuthority(lastWord(fields.all('x-forwarded-host'))),
  };
}

/** The nearest proxy's word comes last; what stands before it may be the client's own. */
function lastWord(values: readonly string[]): string | undefined {
  const last = values.at(-1);
  return last?.slice(last.lastIndexOf(',') + 1);
}

/** RFC 7239 §4. A malformed field is refused: its good end cannot be told from its bad beginning. */
function readForwarded(peer: string, fields: Fields, trusted: AddressMatcher): Claim {
  const values = fields.all('forwarded');
  if (values.length === 0) return NO_CLAIM;
  const elements = parseParameters(values.join(','));
  if (!elements) throw badRequest('Forwarded is malformed');
  const hops = elements.map(
    (element) => new Map(element.map(([name, value]) => [name.toLowerCase(), value])),
  );
  const reached = walk(
    peer,
    hops.map((hop) => hop.get('for') ?? ''),
    trusted,
  );
  const hop = hops[reached.index];
  return {
    address: reached.address,
    secure: isSecure(hop?.get('proto')),
    authority: readAuthority(hop?.get('host')),
  };
}

/** The last hop that somebody trusted vouches for, and where it stands; `peer` itself, before all hops, if there is none. */
function walk(peer: string, hops: readonly string[], trusted: AddressMatcher) {
  let reached = { address: peer, index: hops.length };
  for (let index = hops.length - 1; index >= 0; index -= 1) {
    const address = hopAddress(hops[index] as string);
    if (address === undefined || !trusted(reached.address)) break;
    reached = { address, index };
  }
  return reached;
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`. */
function hopAddress(hop: string): string | undefined {
  const text = hop.trim();
  const match = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? /^([\d.]+):\d+$/.exec(text);
  return normaliseAddress(match?.[1] ?? text);
}

function isSecure(proto: string | undefined): boolean | undefined {
  const name = proto?.trim().toLowerCase();
  if (name === 'https' || name === 'wss') return true;
  return name === 'http' || name === 'ws' ? false : undefined;
}

const AUTHORITY = /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

function readAuthority(text: string | undefined): string | undefined {
  const authority = text?.trim().toLowerCase();
  return authority !== undefined && AUTHORITY.test(authority) ? authority : undefined;
}

/** The X-Request-Id of a trusted proxy, if it can be taken over: one, of at most 128 visible characters. */
export function requestId(fields: Fields): string | undefined {
  const ids = fields.all('x-request-id');
  const [id = ''] = ids;
  return ids.length === 1 && /^[!-~]{1,128}$/.test(id) ? id : undefined;
}
