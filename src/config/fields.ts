import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { headerClass } from '../http/header-classes.ts';
import { MESSAGE_SOURCES, readMessageSource } from './first-message.ts';
import { BETWEEN } from './segments.ts';
import { sourceSlip } from './source-slip.ts';
import { addressSlip } from './tcp/slips.ts';
import {
  BYTE_RATE,
  DURATION,
  parseByteRate,
  parseDuration,
  parseRate,
  parseSize,
  RATE,
  SIZE,
} from './units.ts';
import { readUnix } from './unix.ts';

/** The small words of the configuration language: a text of a fixed form, checked and turned into a value. */

/**
 * A text field that `read` turns into a value; `form` says in the error what would have been right, and `hint` what the
 * slip may have been. A hint never repeats the text, which may have come from the environment.
 */
export function word<T>(
  form: string,
  read: (text: string) => T | undefined,
  { pattern, hint }: { pattern?: RegExp; hint?: (text: string) => string | undefined } = {},
) {
  const message = `expected ${form}`;
  return z
    .string(message)
    .meta({ description: form, form, ...(pattern && { pattern: `${pattern.source}|\\$\\{` }) })
    .transform((text, context): T => {
      const value = read(text);
      if (value !== undefined) return value;
      context.addIssue({ code: 'custom', message, params: { hint: hint?.(text) } });
      return z.NEVER;
    });
}

export const duration = word('a duration like 250ms, 30s, 5m or 12h', parseDuration, { pattern: DURATION });
export const size = word('a size like 512B, 64KiB or 1MiB', parseSize, { pattern: SIZE });
export const rate = word('a rate like 20/s, 600/m or 1000/h', parseRate, { pattern: RATE });
export const byteRate = word('a byte rate like 64KiB/s or 1MiB/s', parseByteRate, { pattern: BYTE_RATE });

/** A duration that may be none at all; DURATION's pattern lets `0s` through. */
export const leeway = word(
  'a duration like 5s or 30s, or 0s',
  (text) => (text === '0s' ? 0 : parseDuration(text)),
  { pattern: DURATION },
);

/** A duration, or `off` (Infinity) for none: for keys whose absence means another one. */
export const durationOrOff = word(
  'a duration like 30s or 5m, or off',
  (text) => (text === 'off' ? Infinity : parseDuration(text)),
  { pattern: new RegExp(`^off$|${DURATION.source}`) },
);

/** A duration, or `off` (undefined) for none. */
export const optionalDuration = durationOrOff.transform((ms) => (ms === Infinity ? undefined : ms));

/** An address block as `ipaddr.js` takes it apart: [address, prefix length]. A lone address is a block of one. */
export const cidr = word('an address or block like 10.0.0.0/8 or 2001:db8::/32', (text) => {
  const [address = '', ...prefix] = text.split('/');
  // The library also knows the short and hexadecimal forms (`10.1`, `0x7f.1`), which people write by mistake only.
  if (!ipaddr.IPv6.isValid(address) && !ipaddr.IPv4.isValidFourPartDecimal(address)) return undefined;
  const block = prefix.length === 0 ? `${text}/${address.includes(':') ? 128 : 32}` : text;
  return ipaddr.isValidCIDR(block) ? ipaddr.parseCIDR(block) : undefined;
});

const ORIGINS = 'an origin like https://app.example.com, https://*.example.com or http://localhost:*';
/**
 * An allowed origin, in lower case: scheme, host and port, the host with at most one leading wildcard label, the port with
 * `*` for any. Or `*`, every page there is; `null`, pages that have no origin; `file://`, pages on the client's own disk.
 */
export const origin = word(ORIGINS, (text) => {
  if (text === '*' || text === 'null' || text === 'file://') return text;
  const match = /^([a-z][a-z0-9+.-]*:\/\/)(?:\*\.)?([^\s*/?#@]+?)(?::\*)?$/i.exec(text);
  return match && URL.canParse(`${match[1]}${match[2]}`) ? text.toLowerCase() : undefined;
});

/** A URL with one of the given schemes; credentials and fragments have no place in it. */
export const url = (...schemes: string[]) =>
  word(urlForm(schemes), (text) => (isUrlOf(schemes, text) ? text : undefined), {
    hint: (text) => carriedCredentials(text) ?? otherScheme(schemes, text),
  });

/** The same, or a unix socket, which may have a path behind it. */
export const urlOrSocket = (...schemes: string[]) =>
  word(
    `${urlForm(schemes)}, or unix:/run/app.sock`,
    (text) => (isUrlOf(schemes, text) || readUnix(text) !== undefined ? text : undefined),
    {
      hint: (text) => carriedCredentials(text) ?? lackOfScheme(schemes, text) ?? otherScheme(schemes, text),
    },
  );

/** `an http:// or https:// URL`. */
function urlForm(schemes: readonly string[]): string {
  const article = schemes[0]?.startsWith('h') ? 'an' : 'a';
  return `${article} ${schemes.map((scheme) => `${scheme}://`).join(' or ')} URL`;
}

/** What begins as a URL does behind its scheme: `h:3000`, `10.0.0.7/base`. */
const HOST_AHEAD = /^(\[[\da-f:.]+\]|[\w-]+(\.[\w-]+)*)(:\d+)?(\/(?!\/)|$)/i;

/** For `h:3000`, where `http://h:3000` was meant. */
function lackOfScheme([scheme]: readonly string[], text: string): string | undefined {
  return HOST_AHEAD.test(text) ? `${scheme}:// is missing in front of it` : undefined;
}

/** For `redis://:password@h`. */
function carriedCredentials(text: string): string | undefined {
  return /^\w+:\/\/[^/?#]*@/.test(text)
    ? 'credentials stand in keys of their own, not in an address'
    : undefined;
}

const TWINS: Readonly<Record<string, string>> = { http: 'ws', https: 'wss', ws: 'http', wss: 'https' };

/** For `http://h:3000`, where a WebSocket's URL belongs, and the other way round. */
function otherScheme(schemes: readonly string[], text: string): string | undefined {
  const [, scheme = ''] = /^(https?|wss?):\/\//i.exec(text) ?? [];
  const twin = TWINS[scheme.toLowerCase()];
  return twin !== undefined && schemes.includes(twin) ? `write ${twin}://…` : undefined;
}

function isUrlOf(schemes: readonly string[], text: string): boolean {
  const parsed = URL.parse(text);
  if (parsed === null || !schemes.includes(parsed.protocol.slice(0, -1))) return false;
  const isBare = parsed.hash === '' && parsed.username === '' && parsed.password === '';
  return isBare && parsed.hostname !== '';
}

/** Whether a `jwks` means a URL rather than a file. */
export function isUrl(text: string): boolean {
  return /^https?:/i.test(text);
}

/** Where a TCP service listens. */
export type ServiceAddress = Readonly<{ host: string; port: number } | { socketPath: string }>;

/** `host:port` of a TCP service, IPv6 in brackets; or a unix socket. */
export const SERVICE_ADDRESS = 'host:port, like 10.0.0.9:5900, or unix:/run/app.sock';
export const serviceAddress = word<ServiceAddress>(SERVICE_ADDRESS, readServiceAddress, {
  hint: addressSlip,
});

/** Undefined if it is none. */
export function readServiceAddress(text: string): ServiceAddress | undefined {
  const { socketPath, base } = readUnix(text) ?? {};
  if (socketPath !== undefined) return base === '' ? { socketPath } : undefined;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match && port >= 1 && port <= 65_535 ? { host: (match[1] ?? match[2]) as string, port } : undefined;
}

/** A name or address by which a host is called, in lower case, without a port; IPv6 without brackets. */
export const hostName = word('a host name or address like gateway.internal or 10.0.0.9', (text) => {
  const address = text.replace(/^\[(.*)\]$/, '$1');
  const isHost = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(text) || ipaddr.IPv6.isValid(address);
  return isHost ? address.toLowerCase() : undefined;
});

/** A host name to match: exact, or with one leading wildcard label. */
export const hostPattern = word('a host like app.example.com or *.example.com', (text) =>
  /^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(text) || ipaddr.isValid(text.replace(/^\[|\]$/g, ''))
    ? text.toLowerCase()
    : undefined,
);

const NAME = '\\{[a-z][a-z0-9_]*\\}';
const PATH = new RegExp(`^(/(${NAME}(${BETWEEN.source}${NAME})?|[^\\s{}*?#/%;\\\\]*))*(/\\*)?$`, 'i');

/**
 * A path to match: exact, `{name}` for one segment or `{one}:{two}` for two parts of it, a trailing `/*` for everything below. No
 * path with empty or dot segments, parameters or backslashes is ever read in one way only, so that none of them would be matched.
 */
export const pathPattern = word('a path like /chat, /rooms/{room}, /{host}:{port} or /chat/*', readPath);

/** The path of one thing alone. */
export const fixedPath = word('a path like /.sallyport, without names and /*', (text) =>
  /^\/[^{}*]*[^/{}*]$/.test(text) ? readPath(text) : undefined,
);

function readPath(text: string): string | undefined {
  const isPattern = PATH.test(text) && text.startsWith('/');
  return isPattern && !/\/\/|\/\.\.?(\/|$)/.test(text) ? text : undefined;
}

/** A header's name (RFC 9110 §5.1), in lower case. */
export const headerName = word('a header name', (text) =>
  /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(text) ? text.toLowerCase() : undefined,
);

/** Where to look for a token: in the handshake, for a ticket, or in the first message behind it. */
type NamedSource = 'header' | 'subprotocol' | 'cookie' | 'query' | 'ticket';
const TOKEN_SOURCES = `header, header:NAME, basic, subprotocol, subprotocol:PREFIX, cookie:NAME, query:NAME, ticket, ticket:NAME, ${MESSAGE_SOURCES}`;
export const tokenSource = word(TOKEN_SOURCES, readSource, { hint: sourceSlip });

function readSource(text: string) {
  if (text === 'header' || text === 'basic' || text === 'subprotocol' || text === 'ticket')
    return { from: text, name: '' } as const;
  const match = /^(header|subprotocol|cookie|query|ticket):([!#$%&'*+.^_`|~0-9A-Za-z-]+)$/.exec(text);
  if (match === null) return readMessageSource(text);
  const [, from, name] = match as unknown as [string, NamedSource, string];
  if (from === 'header' && !mayHoldToken(name.toLowerCase())) return undefined;
  return { from, name: from === 'header' ? name.toLowerCase() : name } as const;
}

/** Bearer and Basic are `header` and `basic`, cookies are `cookie:NAME`; what HTTP or the gateway gives a meaning is none of ours. */
function mayHoldToken(name: string): boolean {
  const kind = headerClass(name);
  return name !== 'authorization' && name !== 'cookie' && (kind === undefined || kind === 'identity');
}

/** `file:PATH`; its path. */
export const keyFile = word('file:PATH', (text) => /^file:(.+)$/.exec(text)?.[1]);

/** Where people sign in: an http(s) URL, or a path of this host. `{return}` stands for the address that was wanted. */
export const loginUrl = word('an http:// or https:// URL, or a path like /login?return={return}', (text) => {
  const plain = text.replaceAll('{return}', '');
  if (/^\/(?![/\\])[^\s#{}]*$/.test(plain)) return text;
  return isUrlOf(['http', 'https'], plain) && !/[\s{}]/.test(plain) ? text : undefined;
});

/** Of a target. */
export const weight = z
  .int()
  .min(1)
  .max(256)
  .optional()
  .describe('Its share beside the other targets; absent: 1');

/** One value or a list of them, always read as a list. */
export const oneOrMany = <T extends z.ZodType>(item: T) =>
  z
    .union([item, z.array(item).min(1)])
    .transform((value) => (Array.isArray(value) ? value : [value]) as z.output<T>[]);
