import type { TokenSource } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { GatewayRequest, UpgradeRequest } from '../../http/request.ts';
import type { Credential } from '../grant.ts';

/** Where clients put their tokens. Finding one says nothing about its worth. */

/** A token as sent, and where it stood. */
export interface Found {
  readonly token: string;
  readonly credential: Credential;
}

const AUTHORIZATION_PREFIX = 'authorization.bearer.';
const MOST_SHOWN = 8;
const KUBERNETES_PREFIX = 'base64url.bearer.authorization.k8s.io.';

/**
 * Compiles the places to look at, in their order, into a function that finds every token there. What stands anywhere
 * else is the application's own, and no token of ours: an Authorization where neither `header` nor `basic` is among the
 * places, or one of another scheme. Throws BAD_REQUEST for two Authorization fields where one of these is among them.
 */
export function tokenFinder(sources: readonly TokenSource[]): (request: GatewayRequest) => readonly Found[] {
  const readings = readingsOf(sources);
  return function findTokens(request) {
    return sources.flatMap((source) => find(source, request, readings));
  };
}

/**
 * The subprotocol that a 101 may name to a client that is refused: one it offered that stands nowhere where a token
 * does, by any of the forms there are, for clients mistake one for another. Undefined where none does.
 */
export function refusalProtocol(
  sources: readonly TokenSource[],
  protocols: readonly string[],
): string | undefined {
  const lone = protocols.find((item) => item.toLowerCase() === 'bearer');
  return lone ?? harmlessProtocols(sources, protocols)[0];
}

/** Those that the log may name, of which more are no help than these. */
export function shownProtocols(sources: readonly TokenSource[], protocols: readonly string[]): string {
  return harmlessProtocols(sources, protocols).slice(0, MOST_SHOWN).join(', ');
}

/** The offered subprotocols that are no credential by any of the forms there are, nor look like one: fit for a 101 and for the log. */
export function harmlessProtocols(
  sources: readonly TokenSource[],
  protocols: readonly string[],
): readonly string[] {
  const taken = takenIn(protocols, [carrierAt, ...readingsOf(sources)]);
  return protocols.filter((item) => !taken.has(item) && item.length <= 32 && !/bearer\./i.test(item));
}

function find(
  { from, name }: TokenSource,
  request: GatewayRequest,
  readings: readonly Reading[],
): readonly Found[] {
  switch (from) {
    case 'header':
      return name === '' ? authorization(request, bearer) : named(from, name, fieldsOf(request, name));
    case 'basic':
      return authorization(request, basic);
    case 'cookie':
      return named(from, name, cookies(request, name));
    // For an upgrade only, and not looked for here.
    case 'ticket':
      return [];
    case 'query':
      return named(from, name, new URLSearchParams(request.query).getAll(name));
    case 'subprotocol': {
      const { protocols = [] } = request as Partial<UpgradeRequest>;
      return inProtocols(protocols, readingOf(name), readings);
    }
  }
}

function named(
  from: 'header' | 'cookie' | 'query',
  name: string,
  values: readonly string[],
): readonly Found[] {
  return values.filter((token) => token !== '').map((token) => ({ token, credential: { from, name } }));
}

function fieldsOf(request: GatewayRequest, name: string): readonly string[] {
  return request.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

function authorization(
  request: GatewayRequest,
  read: (field: string) => string | undefined,
): readonly Found[] {
  const fields = fieldsOf(request, 'authorization');
  if (fields.length > 1) throw new GatewayError('BAD_REQUEST', { detail: 'two Authorization fields' });
  const token = read(fields[0] ?? '');
  return token === undefined ? [] : [{ token, credential: { from: 'header', name: 'authorization' } }];
}

/** RFC 6750 §2.1; the scheme in any case (RFC 9110 §11.1). */
function bearer(field: string): string | undefined {
  return /^bearer +(\S.*)$/i.exec(field)?.[1];
}

/** RFC 7617 §2: the token is the password, or the user's name where there is no password. */
function basic(field: string): string | undefined {
  const text = /^basic +([a-z0-9+/]+={0,2})$/i.exec(field)?.[1];
  if (text === undefined) return undefined;
  const [user = '', ...password] = Buffer.from(text, 'base64').toString('utf8').split(':');
  return password.join(':') || user || undefined;
}

/** Every value of a cookie, for a neighbouring domain can add a second one of the same name (RFC 6265 §8.6). */
function cookies(request: GatewayRequest, name: string): readonly string[] {
  return fieldsOf(request, 'cookie')
    .flatMap((field) => field.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1).replace(/^"(.*)"$/, '$1'));
}

interface Carrier {
  readonly token: string;
  readonly items: readonly string[];
  /** The item a 101 may name although the upstream chose nothing. */
  readonly answer?: string;
}

/** Whether an item carries a token, by itself or with the one behind it. */
type Reading = (item: string, next?: string) => Carrier | undefined;

function readingsOf(sources: readonly TokenSource[]): readonly Reading[] {
  return sources.filter(({ from }) => from === 'subprotocol').map(({ name }) => readingOf(name));
}

function readingOf(prefix: string): Reading {
  return prefix === '' ? carrierAt : behindPrefix(prefix);
}

/**
 * Scripts in a browser can set no header but this list. A browser fails a connection whose 101 names none of the
 * protocols it offered, so something has to be named; never an item with a token, by whichever of the route's readings.
 */
function inProtocols(
  protocols: readonly string[],
  read: Reading,
  readings: readonly Reading[],
): readonly Found[] {
  const carriers = carriersIn(protocols, read);
  if (carriers.length === 0) return [];
  const taken = takenIn(protocols, readings);
  const real = protocols.find((item) => !taken.has(item));
  return carriers.map(({ token, items, answer = real }) => ({
    token,
    credential: { from: 'subprotocol', carriers: items, answer },
  }));
}

function carriersIn(protocols: readonly string[], read: Reading): readonly Carrier[] {
  return protocols.flatMap((item, index) => read(item, protocols[index + 1]) ?? []);
}

function takenIn(protocols: readonly string[], readings: readonly Reading[]): ReadonlySet<string> {
  return new Set(readings.flatMap((read) => carriersIn(protocols, read)).flatMap((carrier) => carrier.items));
}

function carrierAt(item: string, next?: string): Carrier | undefined {
  if (item.toLowerCase() === 'bearer' && next !== undefined)
    return { token: next, items: [item, next], answer: item };
  if (item.startsWith(AUTHORIZATION_PREFIX))
    return { token: item.slice(AUTHORIZATION_PREFIX.length), items: [item] };
  if (item.startsWith(KUBERNETES_PREFIX))
    return { token: decode(item.slice(KUBERNETES_PREFIX.length)), items: [item] };
  return undefined;
}

/** One item, which begins with the prefix that a vendor's clients put before their keys. */
function behindPrefix(prefix: string): Reading {
  return (item) =>
    item.startsWith(prefix) ? { token: item.slice(prefix.length), items: [item] } : undefined;
}

/** The text behind canonical base64url without padding; empty, which no token is, for anything else. */
function decode(text: string): string {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes.toString('utf8') : '';
}
