import { isIP, isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';

/** A target as a client names it: strictly host:port, and in one spelling from here on. Pure. */

export interface AskedTarget {
  /** A name in lower case and ASCII without a dot at its end, or an address without brackets. */
  readonly host: string;
  readonly isAddress: boolean;
  readonly port: number;
  /** `host:port`, IPv6 in brackets. */
  readonly text: string;
}

/** A name has 253 characters at most (RFC 1035 §2.3.4, without the root), a port 5. */
const MAX_TEXT = 260;
const PARTS = /^(?:\[([^[\]]*)\]|([^:[\]]+)):([1-9]\d{0,4})$/;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** What the URL standard, and with it many a library, takes for an address: `10.1`, `0x7f.1`, `2130706433`. */
const NUMBER = /^(?:\d+|0x[\da-f]*)$/;

/**
 * Reads what a client asks for. Undefined for anything that another reader could take for something else: addresses in other
 * forms than four decimal numbers or IPv6 in brackets, ports that are not plain decimal, zones, user names, escapes, blanks.
 */
export function readAsked(text: string): AskedTarget | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const [, six, name, digits] = PARTS.exec(text) ?? [];
  const port = Number(digits);
  const host = six === undefined ? readHost(name ?? '') : readIPv6(six);
  if (host === undefined || !(port <= 65_535)) return undefined;
  const shown = host.includes(':') ? `[${host}]` : host;
  return { host, isAddress: isIP(host) !== 0, port, text: `${shown}:${port}` };
}

/** One spelling (RFC 5952); IPv4-mapped ones stay what they are, for whoever judges them. */
function readIPv6(text: string): string | undefined {
  return isIPv6(text) && !text.includes('%') ? ipaddr.IPv6.parse(text).toString() : undefined;
}

function readHost(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const name = asciiName(text)?.replace(/\.$/, '');
  if (name === undefined || name.length > 253) return undefined;
  const labels = name.split('.');
  return labels.every((label) => LABEL.test(label)) && !NUMBER.test(labels.at(-1) ?? '') ? name : undefined;
}

/** A name of other letters becomes what DNS knows it by (IDNA); what is ASCII already must be right already. */
function asciiName(text: string): string | undefined {
  const lower = text.toLowerCase();
  const isPlain = !/[^ -~]/.test(lower) && !/(?:^|\.)xn--/.test(lower);
  if (isPlain) return lower;
  // Signs that the conversion would drop or take for others are nothing a name is written with.
  if (/[\0-,/:-@[-^`{-\x7f]/.test(lower)) return undefined;
  const name = domainToASCII(lower);
  return name === '' ? undefined : name;
}
