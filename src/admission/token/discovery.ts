/** Where an issuer says its key set is: OpenID Connect Discovery 1.0. */

/** The address of an issuer's document (§4.1). `issuer` is an http(s) URL. */
export function discoveryUrl(issuer: string): URL {
  return new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
}

/**
 * Reads an issuer's document (§4.2): the address of its key set. Throws an Error in words for the operator if the
 * document is of another issuer (§4.3) or names no address that can be trusted.
 */
export function keySetAddress(document: string, issuer: string): URL {
  const { issuer: found, jwks_uri: address } = readObject(document);
  if (found !== issuer)
    throw new Error(
      `the discovery document is of the issuer ${quote(found)}, the configuration says ${quote(issuer)}`,
    );
  const url = typeof address === 'string' ? URL.parse(address) : null;
  if (url === null || !isTrustworthy(url, issuer))
    throw new Error(`the jwks_uri of the discovery document is no https URL: ${quote(address)}`);
  return url;
}

/** Plain http only where the document itself came over it. */
function isTrustworthy({ protocol, username, password }: URL, issuer: string): boolean {
  const isPlain = protocol === 'http:' && new URL(issuer).protocol === 'http:';
  return (protocol === 'https:' || isPlain) && username === '' && password === '';
}

function readObject(text: string): Record<string, unknown> {
  const document: unknown = readJson(text);
  if (typeof document === 'object' && document !== null) return document as Record<string, unknown>;
  throw new Error('what it answered is no discovery document: not a JSON object');
}

/** JSON.parse's own message quotes a text that may be anything. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? 'none';
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
