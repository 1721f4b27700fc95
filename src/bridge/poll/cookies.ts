import type { IncomingHttpHeaders } from 'node:http';

const MAX_COOKIES = 20;
const MAX_COOKIE_SIZE = 4096;

/**
 * The cookies one session's target has set, so that a load balancer behind it keeps choosing the same server. The
 * session talks to that target only: domains and paths (RFC 6265 §5.2) do not matter. Holds 20 cookies of 4 KiB;
 * what is beyond is not taken.
 */
export interface CookieJar {
  /** Takes the Set-Cookie fields of an answer. */
  store(headers: IncomingHttpHeaders): void;
  /** The Cookie field to send: the client's own with the target's over them; undefined if there are none. */
  header(own: string | undefined): string | undefined;
}

export function createCookieJar(): CookieJar {
  const jar = new Map<string, string>();

  function take(field: string): void {
    const [pair = '', ...attributes] = field.split(';');
    const split = pair.indexOf('=');
    const name = pair.slice(0, Math.max(split, 0)).trim();
    if (name === '' || pair.length > MAX_COOKIE_SIZE) return;
    if (attributes.some(isPast)) jar.delete(name);
    else if (jar.has(name) || jar.size < MAX_COOKIES) jar.set(name, pair.trim());
  }

  return {
    store(headers) {
      headers['set-cookie']?.forEach(take);
    },
    header(own) {
      if (jar.size === 0) return own;
      const kept = (own?.split(/; */) ?? []).filter((pair) => !jar.has(nameOf(pair)));
      return [...kept, ...jar.values()].join('; ');
    },
  };
}

function nameOf(pair: string): string {
  return pair.slice(0, Math.max(pair.indexOf('='), 0)).trim();
}

/** Max-Age=0 or an Expires gone by: the cookie is to be forgotten (RFC 6265 §5.2.1, §5.2.2). */
function isPast(attribute: string): boolean {
  const [name = '', value = ''] = attribute.split('=').map((part) => part.trim());
  if (/^max-age$/i.test(name)) return Number(value) <= 0;
  return /^expires$/i.test(name) && Date.parse(value) <= Date.now();
}
