/**
 * What a header field is to a proxy: the one table behind every list of fields that are dropped, relayed or reserved.
 * A field that stands in none of the classes is end-to-end (RFC 9110 §7.6.1) and passes as it came. Pure.
 */

/**
 * - `hop-by-hop`: speaks of one connection (RFC 9110 §7.6.1)
 * - `framing`: delimits a body, or asks for one (RFC 9112 §6, RFC 9110 §10.1.1); whoever sends the body writes it
 * - `handshake`: belongs to one WebSocket handshake (RFC 6455 §11.3)
 * - `forwarding`: says who asked, from where and for what (RFC 7239); only a proxy that is trusted may say it
 */
export type HeaderClass = 'hop-by-hop' | 'framing' | 'handshake' | 'forwarding';

const CLASSES: Readonly<Record<string, HeaderClass>> = {
  connection: 'hop-by-hop',
  'keep-alive': 'hop-by-hop',
  te: 'hop-by-hop',
  trailer: 'hop-by-hop',
  'transfer-encoding': 'hop-by-hop',
  upgrade: 'hop-by-hop',
  'http2-settings': 'hop-by-hop',
  'content-length': 'framing',
  expect: 'framing',
  host: 'forwarding',
  forwarded: 'forwarding',
  'x-real-ip': 'forwarding',
  'x-request-id': 'forwarding',
};

const PREFIXES: readonly (readonly [prefix: string, kind: HeaderClass])[] = [
  ['proxy-', 'hop-by-hop'],
  ['sec-websocket-', 'handshake'],
  ['x-forwarded-', 'forwarding'],
];

/** The class of a field by its name in lower case; undefined for an end-to-end field. */
export function headerClass(name: string): HeaderClass | undefined {
  const known = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  return known ?? PREFIXES.find(([prefix]) => name.startsWith(prefix))?.[1];
}

/** A name as servers see it that hand fields on as CGI variables: they take `x_user` for `x-user`. */
export function cgiSpelling(name: string): string {
  return name.includes('_') ? name.replaceAll('_', '-') : name;
}

/** The fields that Connection nominates as hop-by-hop, in lower case and CGI spelling (RFC 9110 §7.6.1). */
export function nominatedFields(fields: Iterable<readonly [name: string, value: string]>): Set<string> {
  const options = new Set<string>();
  for (const [name, value] of fields) {
    if (name.length !== 'connection'.length || name.toLowerCase() !== 'connection') continue;
    for (const option of value.toLowerCase().split(',')) options.add(cgiSpelling(option.trim()));
  }
  return options;
}
