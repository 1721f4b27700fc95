/** What a text is that ought to be a key set (RFC 7517 §5), in words for the operator; undefined if it may be one. Pure. */
export function notKeySet(document: unknown): string | undefined {
  if (typeof document !== 'object' || document === null || 'keys' in document) return undefined;
  if (!('jwks_uri' in document)) return undefined;
  const { jwks_uri: address } = document;
  const place = typeof address === 'string' ? ` (${address.slice(0, 200)})` : '';
  return `this is a discovery document, not a key set: give its jwks_uri${place} as jwks, or say discovery: true`;
}
