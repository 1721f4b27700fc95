import { discoveryUrl, keySetAddress } from './discovery.ts';

/** Where a key set is fetched: at one address for ever, or where its issuer says at the time. */
export interface KeySetPlace {
  /** Who is asked, for the log. */
  readonly host: string;
  /** Resolves with the address to fetch. `get` fetches a text; rejects with an Error where that or what it says fails. */
  locate(get: (url: URL) => Promise<string>): Promise<URL>;
}

/** An http(s) URL. Throws an Error for what is none, or has credentials. */
export function fixedPlace(address: string): KeySetPlace {
  const url = readUrl(address, 'jwks');
  return { host: url.host, locate: async () => url };
}

/** By the issuer's own document, asked for anew each time since the key set may move. Throws an Error as `fixedPlace` does. */
export function discoveredPlace(issuer: string): KeySetPlace {
  const { host } = readUrl(issuer, 'issuer');
  const document = discoveryUrl(issuer);
  return { host, locate: async (get) => keySetAddress(await get(document), issuer) };
}

function readUrl(address: string, key: string): URL {
  const url = URL.parse(address);
  const fits = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (!fits) throw new Error(`${key}: not an http(s) URL without credentials`);
  return url;
}
