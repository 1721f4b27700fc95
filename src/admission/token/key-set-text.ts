/** What people give in place of a key set, told from its text alone. Pure. */

type Text = Readonly<Record<string, unknown>>;

/**
 * Why a text is no JSON Web Key Set (RFC 7517 §5), and what to write; undefined if it looks like one. Whether any of its
 * keys serves is not looked at. Repeats nothing of the text but a `jwks_uri`.
 */
export function keySetFault(text: string): string | undefined {
  const value = parse(text);
  if (value === undefined)
    return /^\s*</.test(text) ? 'this is a page, not JSON' : (pemFault(text) ?? 'this is not JSON');
  if (!isObject(value)) return 'this is not a key set: {"keys": [...]}';
  if (Array.isArray(value.keys)) return undefined;
  return discoveryFault(value) ?? keyFault(value) ?? certificatesFault(value) ?? 'this has no list of "keys"';
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Text {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pemFault(text: string): string | undefined {
  return text.includes('-----BEGIN') ? 'this is PEM: write publicKey: FILE' : undefined;
}

/** OpenID Connect Discovery 1.0 §3, RFC 8414 §2. */
function discoveryFault({ jwks_uri: uri, issuer }: Text): string | undefined {
  if (typeof uri !== 'string' && typeof issuer !== 'string') return undefined;
  const named = typeof uri === 'string' && /^https?:\/\/[!-~]{1,500}$/.test(uri) ? uri : 'its jwks_uri';
  return `this is a discovery document: write discovery: true, or jwks: ${named}`;
}

function keyFault({ kty }: Text): string | undefined {
  return typeof kty === 'string' ? 'this is one key, not a set: wrap it, {"keys": [...]}' : undefined;
}

/** As Google publishes them beside its key sets: kid to certificate. */
function certificatesFault(value: Text): string | undefined {
  const texts = Object.values(value);
  const isPem = (text: unknown) => typeof text === 'string' && text.startsWith('-----BEGIN CERTIFICATE');
  if (texts.length === 0 || !texts.every(isPem)) return undefined;
  return 'these are certificates by key id: the same provider has them as a key set (JWKS) elsewhere';
}
