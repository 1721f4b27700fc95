import { ConnectionError } from './errors.ts';

/** A token, or what gives one: it is asked anew for each connection, and for a new one before the old one ends. */
export type Token = string | (() => string | Promise<string>);

/** Undefined where none is configured. Rejects with what a function throws, and for a token that is empty. */
export async function tokenOf(token: Token | undefined): Promise<string | undefined> {
  const text = typeof token === 'function' ? await token() : token;
  if (text || token === undefined) return text;
  throw new ConnectionError(3000, 'the token is empty');
}

/** When a JWT ends, in milliseconds since 1970; 0 for another kind of token, and one without an end. It is not verified: the gateway does that. */
export function expiryOf(token: string | undefined): number {
  try {
    const [, payload] = (token as string).split('.') as [string, string];
    const { exp } = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/')));
    return exp * 1000 || 0;
  } catch {
    return 0;
  }
}
