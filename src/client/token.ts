/** A token, or what gives one: it is asked anew for each connection, and for a new one before the old one ends. */
export type Token = string | (() => string | Promise<string>);

export async function tokenOf(token: Token | undefined): Promise<string | undefined> {
  return typeof token === 'function' ? token() : token;
}

/** The subprotocols that carry a token, which is never one of those the gateway names. */
export function credentials(token: string | undefined): string[] {
  return token === undefined ? [] : ['bearer', token];
}

/** When a JWT ends, in milliseconds since 1970; 0 for another kind of token, and one without an end. It is not verified: the gateway does that. */
export function expiryOf(token = ''): number {
  try {
    const [, payload = ''] = token.split('.');
    const { exp } = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/')));
    return exp * 1000 || 0;
  } catch {
    return 0;
  }
}

/** Milliseconds from now until a token that ends then is to be replaced: with a third of its time left, a minute at most. setTimeout takes no more than 2^31. */
export function untilRenewal(expiresAt: number, now = Date.now()): number {
  const left = expiresAt - now;
  return Math.min(2_000_000_000, Math.max(250, left - Math.min(60_000, Math.max(2_000, left / 3))));
}
