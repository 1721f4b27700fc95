/**
 * What a header field is to a proxy: the one table behind every list of fields that are dropped, relayed or reserved.
 * A field that stands in none of the classes is end-to-end (RFC 9110 §7.6.1) and passes as it came. Pure.
 */

/**
 * - `hop-by-hop`: speaks of one connection (RFC 9110 §7.6.1)
 * - `framing`: delimits a body, or asks for one (RFC 9112 §6, RFC 9110 §10.1.1); whoever sends the body writes it
 * - `handshake`: belongs to one WebSocket handshake (RFC 6455 §11.3)
 * - `forwarding`: says who asked, from where and for what (RFC 7239); only a proxy that is trusted may say it
 * - `identity`: other names under which services are told who the client is or what it asked for; for trusted proxies too
 */
export type HeaderClass = 'hop-by-hop' | 'framing' | 'handshake' | 'forwarding' | 'identity';

const NAMES: Readonly<Record<HeaderClass, readonly string[]>> = {
  'hop-by-hop': [
    'connection',
    'keep-alive',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'http2-settings',
  ],
  framing: ['content-length', 'expect'],
  handshake: [],
  forwarding: ['host', 'forwarded', 'x-request-id'],
  identity: [
    // The client's address.
    'x-real-ip',
    'x-client-ip',
    'x-cluster-client-ip',
    'x-envoy-external-address',
    'x-original-forwarded-for',
    'x-remote-addr',
    'x-remote-ip',
    'client-ip',
    'true-client-ip',
    'cf-connecting-ip',
    'cf-connecting-ipv6',
    'cf-pseudo-ipv4',
    'fastly-client-ip',
    'fly-client-ip',
    'x-azure-clientip',
    'x-azure-socketip',
    // Where it is, and that it is one of ours.
    'cf-ipcountry',
    'x-envoy-internal',
    // Its certificate (RFC 9440 §2.4).
    'client-cert',
    'client-cert-chain',
    // What it asked for, and how.
    'x-original-host',
    'x-original-uri',
    'x-original-url',
    'x-rewrite-url',
    'x-host',
    'x-scheme',
    'x-url-scheme',
    'cf-visitor',
    'front-end-https',
  ],
};

const CLASSES: ReadonlyMap<string, HeaderClass> = new Map(
  (Object.keys(NAMES) as HeaderClass[]).flatMap((kind) => NAMES[kind].map((name) => [name, kind] as const)),
);

/** The class of a field by its name in lower case; undefined for an end-to-end field. */
export function headerClass(name: string): HeaderClass | undefined {
  const known = CLASSES.get(name);
  if (known !== undefined) return known;
  if (name.startsWith('x-')) {
    if (name.startsWith('x-forwarded-') || name === 'x-forwarded') return 'forwarding';
    return name.startsWith('x-ssl-client-') ? 'identity' : undefined;
  }
  if (name.startsWith('sec-websocket-')) return 'handshake';
  return name.startsWith('proxy-') ? 'hop-by-hop' : undefined;
}

/** A name as servers see it that hand fields on as CGI variables: they take `x_user` for `x-user`. */
export function cgiSpelling(name: string): string {
  return name.includes('_') ? name.replaceAll('_', '-') : name;
}

const NONE: ReadonlySet<string> = new Set();
const CONNECTION = 'connection';
/** What nearly every Connection says; none of these is the name of an end-to-end field. */
const USUAL = /^(?:keep-alive|close|upgrade)$/i;

/** The fields that Connection nominates as hop-by-hop, in lower case and CGI spelling (RFC 9110 §7.6.1). */
export function nominatedFields(
  fields: Iterable<readonly [name: string, value: string]>,
): ReadonlySet<string> {
  let options: Set<string> | undefined;
  for (const [name, value] of fields) options = nominate(options, name, value);
  return options ?? NONE;
}

/** The same of Node's flat list of names and values. */
export function nominatedRawFields(raw: readonly string[]): ReadonlySet<string> {
  let options: Set<string> | undefined;
  for (let at = 0; at < raw.length; at += 2)
    options = nominate(options, raw[at] as string, raw[at + 1] as string);
  return options ?? NONE;
}

/** `options` with what this field nominates; made when the first one is found. */
function nominate(options: Set<string> | undefined, name: string, value: string): Set<string> | undefined {
  if (name.length !== CONNECTION.length || name.toLowerCase() !== CONNECTION) return options;
  if (USUAL.test(value)) return options;
  const found = options ?? new Set();
  for (const option of value.toLowerCase().split(',')) found.add(cgiSpelling(option.trim()));
  return found;
}
