import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import { isLabel } from '../http/target.ts';
import type { Check } from './grant.ts';

/** An origin taken apart: `https://app.example.com:8443` as scheme `https`, host `app.example.com`, port `8443` (empty if the scheme's default). */
interface Origin {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
}

const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

/** Origins that have no host. Sandboxed frames, local files and redirects say `null` (HTML standard, "origin"); pages on disk `file://`. */
const OPAQUE: readonly string[] = ['null', 'file://'];

/** Stands for `*.` while an allowed origin is parsed, since `*` is in no URL. */
const WILDCARD = 'wildcard.';

/**
 * Lets pages pass that `originRule` allows. Throws ORIGIN_REFUSED for every other origin. A request without Origin does
 * not come from a page and passes; a token from a cookie is refused to it elsewhere.
 */
export function checkOrigin(origins: readonly string[] | undefined): Check {
  const patternOf = originPattern(origins);
  return function origin(request, grant) {
    if (request.origin === undefined) return;
    grant.originPattern = patternOf(request);
    if (grant.originPattern !== undefined) return;
    throw new GatewayError('ORIGIN_REFUSED', { detail: `origin ${request.origin}` });
  };
}

/**
 * Compiles which pages are allowed, by the Origin of their requests: those of the given origins, scheme, host and port
 * equal, with default ports left out, or one label in the place of a leading `*.`, any port in that of `*`; `null`, `file://`
 * and every page (`*`) where the list says so; without a list, pages of the same host and port. Never a request without
 * Origin.
 */
export function originRule(origins: readonly string[] | undefined): (request: GatewayRequest) => boolean {
  const patternOf = originPattern(origins);
  return (request) => patternOf(request) !== undefined;
}

/** The same, naming the entry of `origins` that allows a page; without a list it is called `same host`. */
function originPattern(
  origins: readonly string[] | undefined,
): (request: GatewayRequest) => string | undefined {
  const patternOf = origins ? patternAmong(origins) : sameHost;
  const opaque = new Set(origins?.filter((text) => OPAQUE.includes(text)));
  const everything = origins?.includes('*') ? '*' : undefined;
  return function patternFor(request) {
    if (request.origin === undefined) return undefined;
    const text = request.origin.toLowerCase();
    if (opaque.has(text)) return text;
    const origin = parseOrigin(text);
    return (origin && patternOf(origin, request)) ?? everything;
  };
}

/** Compiles whether a host, without a port, is that of an allowed origin, on whatever scheme and port. */
export function hostRule(origins: readonly string[]): (host: string) => boolean {
  const patterns = origins.filter(hasHost).map(readPattern);
  return (host) => patterns.some((pattern) => isHostOf(host, pattern));
}

/** One spelling of an Origin header, to count by; undefined for `null` and for what is no origin. */
export function normaliseOrigin(text: string): string | undefined {
  const origin = parseOrigin(text);
  return origin && format(origin);
}

function format({ scheme, host, port }: Origin): string {
  return `${scheme}://${host}${port === '' ? '' : `:${port}`}`;
}

function parseOrigin(text: string): Origin | undefined {
  const match = ORIGIN.exec(text.toLowerCase());
  const url = match && URL.parse(match[0]);
  return url ? { scheme: url.protocol.slice(0, -1), host: url.hostname, port: url.port } : undefined;
}

function patternAmong(origins: readonly string[]): (origin: Origin) => string | undefined {
  const exact = new Map<string, string>();
  const wildcards: Wildcard[] = [];
  for (const text of origins.filter(hasHost)) {
    const wildcard = readPattern(text);
    if (wildcard.anyLabel || wildcard.anyPort) wildcards.push(wildcard);
    else exact.set(format(wildcard), text);
  }
  return (origin) =>
    exact.get(format(origin)) ?? wildcards.find((wildcard) => isCovered(origin, wildcard))?.text;
}

function hasHost(text: string): boolean {
  return text.includes('://') && !OPAQUE.includes(text);
}

/** An allowed origin, taken apart. */
interface Wildcard extends Origin {
  readonly text: string;
  /** One more label stands before the host, which begins with a dot. */
  readonly anyLabel: boolean;
  readonly anyPort: boolean;
}

function readPattern(text: string): Wildcard {
  const anyLabel = text.includes('://*.');
  const anyPort = text.endsWith(':*');
  const url = new URL(text.replace('://*.', `://${WILDCARD}`).replace(/:\*$/, ''));
  const host = anyLabel ? url.hostname.slice(WILDCARD.length - 1) : url.hostname;
  return { text, scheme: url.protocol.slice(0, -1), host, port: url.port, anyLabel, anyPort };
}

function isCovered({ scheme, host, port }: Origin, allowed: Wildcard): boolean {
  if (scheme !== allowed.scheme || (port !== allowed.port && !allowed.anyPort)) return false;
  return isHostOf(host, allowed);
}

function isHostOf(host: string, { host: allowed, anyLabel }: Wildcard): boolean {
  if (!anyLabel) return host === allowed;
  return host.endsWith(allowed) && isLabel(host.slice(0, -allowed.length));
}

/**
 * The page came from the very authority it connects to. Over TLS it has to be an https page: whoever can write into an http
 * page must not get in by it. In plain text both pass, since an https page reaches us so only through a proxy that took its TLS off.
 */
function sameHost(origin: Origin, { secure, authority }: GatewayRequest): string | undefined {
  const pages = secure ? ['https'] : ['https', 'http'];
  const isSame = pages.some((scheme) => normaliseOrigin(`${scheme}://${authority}`) === format(origin));
  return isSame ? 'same host' : undefined;
}
