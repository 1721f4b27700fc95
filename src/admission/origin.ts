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
 * equal, with default ports left out, or one label in the place of a leading `*.`; without a list, pages of the same host
 * and port. Never `null`, and never a request without Origin.
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
  return function patternFor(request) {
    const origin = parseOrigin(request.origin ?? '');
    return origin && patternOf(origin, request);
  };
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
  const wildcards: (Origin & { text: string })[] = [];
  for (const text of origins) {
    const url = new URL(text.replace('://*.', `://${WILDCARD}`));
    const origin = { scheme: url.protocol.slice(0, -1), host: url.hostname, port: url.port };
    if (text.includes('://*.'))
      wildcards.push({ ...origin, text, host: origin.host.slice(WILDCARD.length - 1) });
    else exact.set(format(origin), text);
  }
  return (origin) =>
    exact.get(format(origin)) ?? wildcards.find((wildcard) => isCovered(origin, wildcard))?.text;
}

/** `parent.host` starts with a dot. */
function isCovered({ scheme, host, port }: Origin, parent: Origin): boolean {
  const fits = scheme === parent.scheme && port === parent.port && host.endsWith(parent.host);
  return fits && isLabel(host.slice(0, -parent.host.length));
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
