import type { IncomingHttpHeaders } from 'node:http';

const MAX_COOKIES = 20;
const MAX_COOKIE_SIZE = 4096;

/**
 * The cookies one session's target has set, so that a load balancer behind it keeps choosing the same server. The
 * session talks to that target only: domains and paths (RFC 6265 §5.2) do not matter. Holds 20 cookies of 4 KiB;
 * what is beyond is not taken.
 */
export class CookieJar {
  /** As sent back, by their names. */
  readonly #cookies = new Map<string, string>();

  /** Takes the Set-Cookie fields of an answer. */
  store(headers: IncomingHttpHeaders): void {
    for (const field of headers['set-cookie'] ?? []) this.#take(field);
  }

  /** The Cookie field to send: the client's own with the target's over them; undefined if there are none. */
  header(own: string | undefined): string | undefined {
    const cookies = this.#cookies;
    if (cookies.size === 0) return own;
    const kept = (own?.split(/; */) ?? []).filter((pair) => !cookies.has(nameOf(pair)));
    return [...kept, ...cookies.values()].join('; ');
  }

  #take(field: string): void {
    const cookies = this.#cookies;
    const [pair = '', ...attributes] = field.split(';');
    const split = pair.indexOf('=');
    const name = pair.slice(0, Math.max(split, 0)).trim();
    if (name === '' || pair.length > MAX_COOKIE_SIZE) return;
    if (attributes.some(isPast)) cookies.delete(name);
    else if (cookies.has(name) || cookies.size < MAX_COOKIES) cookies.set(name, pair.trim());
  }
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
